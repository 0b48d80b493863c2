/**
 * What runs, a pipeline per row with its newest run; earlier runs are folded below it and asked for when they are shown.
 */
import { useState } from "preact/hooks";
import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { SchedulerRun } from "../../api/types.ts";
import { StateBadge } from "../../components/badge.tsx";
import { CopyText } from "../../components/copy-text.tsx";
import { type Column, PagedTable, pageQuery } from "../../components/data-table.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { usePages } from "../../components/pager.tsx";
import { formatAgo } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link } from "../../router.tsx";
import { WorkerSquares } from "./squares.tsx";
import { schedulerLabel } from "./words.ts";

const RUNS_MS = 2500;
const PAGE_ROWS = 25;

const FILTERS: readonly { readonly id: string; readonly label: string; readonly query: Readonly<Record<string, string>> }[] = [
  { id: "all", label: "All", query: {} },
  {
    id: "active",
    label: "Active",
    query: { state: "Created,Compiling,Scheduling,Running,Rescaling,Restarting,CheckpointStopping,Stopping,Finishing,Recovering,Failing" },
  },
  { id: "waiting", label: "Waiting for capacity", query: { waiting: "true" } },
  { id: "failed", label: "Failed", query: { state: "Failed,Failing,Recovering" } },
];

/** The tab. */
export function RunsTab({ scheduler }: { readonly scheduler: string | undefined }) {
  const pages = usePages();
  const [filter, setFilter] = useState("all");
  const [search, setSearch] = useState("");
  const query = FILTERS.find(({ id }) => id === filter)?.query ?? {};
  const searched: Readonly<Record<string, string>> = search.trim() === "" ? {} : { search: search.trim() };
  const { data, error } = usePolled<Page<SchedulerRun>>(
    `/scheduler/runs?${pageQuery(pages, PAGE_ROWS, { current: "true", ...query, ...searched })}`,
    RUNS_MS,
  );
  const isEmpty = data !== undefined && data.data.length === 0 && pages.isFirst;
  return (
    <>
      <div class="filter-row">
        <label class="search-box">
          <span class="visually-hidden">Find a run</span>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="Pipeline or run"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              pages.reset();
            }}
          />
        </label>
        <label class="filter-choice">
          <span class="visually-hidden">Show</span>
          <select
            class="input"
            value={filter}
            onChange={(event) => {
              setFilter(event.currentTarget.value);
              pages.reset();
            }}
          >
            {FILTERS.map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      {isEmpty ? (
        <Empty icon="cluster" title={error === undefined ? "No runs" : error.message}>
          {filter === "all" && search === "" ? "A pipeline that is started shows here with its workers." : "Nothing here is like that now."}
        </Empty>
      ) : (
        <PagedTable columns={columnsFor(scheduler)} page={data} pages={pages} row={(run) => <PipelineRuns key={run.job_id} run={run} />} />
      )}
    </>
  );
}

function columnsFor(scheduler: string | undefined): readonly Column[] {
  const outside = scheduler === "process" || scheduler === "embedded" ? "Name" : `In ${schedulerLabel(scheduler)}`;
  return [
    { label: "Pipeline" },
    { label: "State" },
    { label: "Workers" },
    { label: outside, class: "hide-phone" },
    { label: "Age", class: "hide-phone" },
    { label: "Last event", class: "hide-phone" },
  ];
}

/** The newest run, and the others once they are unfolded: earlier ones, and the next while it comes up. */
function PipelineRuns({ run }: { readonly run: SchedulerRun }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <tr>
        <td class="run-pipeline">
          <div class="run-name">
            {run.run_id > 1 ? (
              <button
                type="button"
                class="fold-button"
                aria-expanded={open}
                aria-label={`Earlier runs of ${run.pipeline_name}`}
                onClick={() => setOpen(!open)}
              >
                <Icon name={open ? "down" : "chevron"} />
              </button>
            ) : (
              <span class="fold-button" />
            )}
            <div class="cell-name">
              <Link to={paths.clusterRun(run.job_id, run.run_id)} class="truncate">
                {run.pipeline_name}
              </Link>
              <span class="muted small num">run {run.run_id}</span>
            </div>
          </div>
        </td>
        <td>
          <StateBadge state={run.state} />
          {run.waiting_since !== null && run.missing > 0 && (
            <div class="run-waiting small" title={run.reason}>
              waits for capacity, {formatAgo(run.waiting_since).replace(" ago", "")}
            </div>
          )}
        </td>
        <RunCells run={run} />
      </tr>
      {open && <EarlierRuns run={run} />}
    </>
  );
}

/** The cells that newest and earlier runs have in common. */
function RunCells({ run }: { readonly run: SchedulerRun }) {
  return (
    <>
      <td>
        <WorkerSquares counts={run} over={run.state === "Over" || run.gone_at !== null} />
      </td>
      <td class="hide-phone run-outside">
        {run.name === "" ? <span class="faint">–</span> : <CopyText text={run.name} what="name" link={run.link} />}
        <span class="muted small">{run.status}</span>
      </td>
      <td class="num muted nowrap hide-phone">{formatAgo(run.submitted_at ?? run.seen_at).replace(" ago", "")}</td>
      <td class="hide-phone run-event">
        {run.last_event === null ? (
          <span class="faint">–</span>
        ) : (
          <div class="cell-name" title={run.last_event.message}>
            <span class="truncate">{run.last_event.message}</span>
            <span class="muted small num">{formatAgo(run.last_event.at)}</span>
          </div>
        )}
      </td>
    </>
  );
}

function EarlierRuns({ run }: { readonly run: SchedulerRun }) {
  const { data } = usePolled<Page<SchedulerRun>>(`/scheduler/runs?job_id=${encodeURIComponent(run.job_id)}&limit=50`, 0);
  const earlier = data?.data.filter((other) => other.run_id !== run.run_id);
  if (earlier === undefined || earlier.length === 0) {
    return (
      <tr class="run-history">
        <td colSpan={6} class="muted small">
          {earlier === undefined ? "Asking for earlier runs" : "Nothing is kept of earlier runs"}
        </td>
      </tr>
    );
  }
  return (
    <>
      {earlier.map((old) => (
        <tr key={old.run_id} class="run-history">
          <td class="run-pipeline">
            <Link to={paths.clusterRun(old.job_id, old.run_id)} class="run-old num">
              run {old.run_id}
            </Link>
          </td>
          <td class="muted small">{old.state === "Next" ? "comes up" : "over"}</td>
          <RunCells run={old} />
        </tr>
      ))}
    </>
  );
}

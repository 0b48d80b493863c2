/**
 * One run: why it is not placed, its workers, what happened to it, what was submitted and what has changed since the run before.
 */
import { useState } from "preact/hooks";
import { usePolled } from "../../api/polling.ts";
import type { Scheduler, SchedulerRunDetail } from "../../api/types.ts";
import { StateBadge } from "../../components/badge.tsx";
import { Button, ButtonLink } from "../../components/button.tsx";
import { CopyText } from "../../components/copy-text.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { RunLog } from "../../components/live-log.tsx";
import { Note } from "../../components/note.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { useTitle } from "../../components/title.ts";
import { formatAgo, formatTime } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link, navigate } from "../../router.tsx";
import { RunWorkers } from "./run-workers.tsx";
import { SpecTab } from "./spec-tab.tsx";
import { WorkerSquares } from "./squares.tsx";
import { Timeline } from "./timeline.tsx";
import { describeWorkers, schedulerLabel } from "./words.ts";

const RUN_MS = 2500;

interface RunPageProps {
  readonly job: string;
  readonly run: string;
  readonly tab: string | undefined;
}

/** The page. */
export function ClusterRunPage({ job, run, tab = "workers" }: RunPageProps) {
  const { data, error } = usePolled<SchedulerRunDetail>(`/scheduler/runs/${encodeURIComponent(job)}/${encodeURIComponent(run)}`, RUN_MS);
  const status = usePolled<Scheduler>("/scheduler", RUN_MS * 4);
  useTitle(data === undefined ? "Run" : `${data.pipeline_name}, run ${data.run_id}`);
  if (data === undefined) {
    return error === undefined ? (
      <div class="page">
        <div class="page-head">
          <span class="skeleton skeleton-title" />
        </div>
      </div>
    ) : (
      <Empty icon="cluster" title={error.message} actions={<ButtonLink to={paths.cluster()}>All runs</ButtonLink>} />
    );
  }
  const scheduler = status.data?.scheduler;
  const tabs = [
    { id: "workers", label: "Workers", count: data.worker_list.length },
    { id: "timeline", label: "Timeline" },
    { id: "spec", label: "Specification" },
  ];
  const selected = tabs.some(({ id }) => id === tab) ? tab : "workers";
  return (
    <div class="page">
      <RunHead run={data} scheduler={scheduler} />
      <Placement run={data} />
      <section class="card cluster-tabs">
        <Tabs
          label="Run"
          tabs={tabs}
          selected={selected}
          onSelect={(id) => navigate(paths.clusterRun(data.job_id, data.run_id, id === "workers" ? undefined : id), true)}
        >
          {selected === "workers" && <RunWorkers run={data} />}
          {selected === "timeline" &&
            (data.timeline.length === 0 ? (
              <Empty icon="clock" title="Nothing is known of it any more" />
            ) : (
              <Timeline entries={data.timeline} scheduler={scheduler} />
            ))}
          {selected === "spec" && <SpecTab run={data} />}
        </Tabs>
      </section>
    </div>
  );
}

function RunHead({ run, scheduler }: { readonly run: SchedulerRunDetail; readonly scheduler: string | undefined }) {
  const [logOpen, setLogOpen] = useState(false);
  const facts: readonly (readonly [string, string])[] = [
    ["Submitted", formatTime(run.submitted_at ?? run.seen_at)],
    [`In ${schedulerLabel(scheduler)}`, run.gone_at === null ? run.status || "not seen yet" : `gone since ${formatTime(run.gone_at)}`],
    ["Workers", describeWorkers(run)],
  ];
  return (
    <>
      <div class="page-head run-head">
        <Link to={paths.cluster()} class="crumb" aria-label="All runs">
          <Icon name="back" />
        </Link>
        <h1>
          {run.pipeline_name} <span class="muted num">run {run.run_id}</span>
        </h1>
        {run.current ? <StateBadge state={run.state} /> : <span class="muted">{run.state === "Next" ? "comes up" : "over"}</span>}
        <div class="actions">
          {run.worker_list.length > 0 && (
            <Button icon="file" onClick={() => setLogOpen(true)}>
              Log of all workers
            </Button>
          )}
          <ButtonLink to={paths.pipeline(run.pipeline_id)} icon="pipelines">
            Pipeline
          </ButtonLink>
        </div>
      </div>
      {logOpen && <RunLog run={run} onClose={() => setLogOpen(false)} />}
      <section class="card status-card" aria-label="Run">
        <div class="status-main">
          <WorkerSquares counts={run} over={run.state === "Over" || run.gone_at !== null} />
          {run.name !== "" && <CopyText text={run.name} what="run's name" link={run.link} />}
        </div>
        <dl class="status-facts">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd title={value}>{value}</dd>
            </div>
          ))}
        </dl>
      </section>
    </>
  );
}

/** Why workers have no place, since when, and what it would take. */
function Placement({ run }: { readonly run: SchedulerRunDetail }) {
  if (run.missing === 0 || run.gone_at !== null) return null;
  const since = run.waiting_since === null ? "" : `, since ${formatTime(run.waiting_since)} (${formatAgo(run.waiting_since)})`;
  return (
    <div class="placement">
      <Note tone="warn">
        <strong>
          {run.missing} of {run.workers} {run.workers === 1 ? "worker is" : "workers are"} not placed{since}
        </strong>
        {run.reason !== "" && <div>{run.reason}</div>}
        <div class="muted small">It starts by itself as soon as there is room; until then nothing of it runs.</div>
      </Note>
    </div>
  );
}

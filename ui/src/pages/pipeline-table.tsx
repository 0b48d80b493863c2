/**
 * Pipelines as a table with state, runtime, copy and delete, a page at a time. Home and the list of pipelines show it.
 */
import { useState } from "preact/hooks";
import { request } from "../api/client.ts";
import type { Page } from "../api/lists.ts";
import { usePolled } from "../api/polling.ts";
import type { Job, Pipeline } from "../api/types.ts";
import { isTerminal, StateBadge } from "../components/badge.tsx";
import { ButtonLink, IconButton } from "../components/button.tsx";
import { ACTIONS, type Column, PagedTable, pageQuery } from "../components/data-table.tsx";
import { FormDialog } from "../components/dialog.tsx";
import { Empty } from "../components/empty.tsx";
import { Note } from "../components/note.tsx";
import { usePages } from "../components/pager.tsx";
import { showToast } from "../components/toast.tsx";
import { formatCount, formatDuration, formatTime } from "../format.ts";
import { paths } from "../paths.ts";
import { Link, navigate } from "../router.tsx";

const LIST_MS = 5000;
const PAGE_ROWS = 10;
const COLUMNS: readonly Column[] = [
  { label: "Name" },
  { label: "State", class: "hide-phone" },
  { label: "Created", class: "hide-phone" },
  { label: "Runtime", class: "hide-phone" },
  { label: "Tasks", class: "right hide-phone" },
  ACTIONS,
];

/** The table; `jobs` has the states, absent while they are not known. */
export function PipelineTable({ jobs }: { readonly jobs: readonly Job[] | undefined }) {
  const pages = usePages();
  const { data, error, refresh } = usePolled<Page<Pipeline>>(`/pipelines?${pageQuery(pages, PAGE_ROWS)}`, LIST_MS);
  const [doomed, setDoomed] = useState<Pipeline>();
  const byPipeline = new Map((jobs ?? []).map((job) => [job.pipeline_id, job]));
  if (data !== undefined && data.data.length === 0 && pages.isFirst) return <NoPipelines />;
  return (
    <section class="card" aria-label="Pipelines">
      {error !== undefined && error.status !== 0 && data === undefined && (
        <div class="card-body">
          <Note tone="bad">{error.message}</Note>
        </div>
      )}
      <PagedTable
        columns={COLUMNS}
        page={data}
        pages={pages}
        row={(pipeline) => (
          <PipelineRow key={pipeline.id} pipeline={pipeline} job={byPipeline.get(pipeline.id)} onDelete={() => setDoomed(pipeline)} />
        )}
      />
      {doomed !== undefined && (
        <DeleteDialog pipeline={doomed} job={byPipeline.get(doomed.id)} onClose={() => setDoomed(undefined)} onDeleted={refresh} />
      )}
    </section>
  );
}

function PipelineRow({ pipeline, job, onDelete }: { readonly pipeline: Pipeline; readonly job: Job | undefined; onDelete(): void }) {
  return (
    <tr>
      <td class="cell-wide">
        <div class="cell-name">
          <Link to={paths.pipeline(pipeline.id)} class="truncate">
            {pipeline.name}
          </Link>
          <span class="mono truncate hide-phone">{pipeline.id}</span>
          <span class="only-phone cell-badge">
            <StateBadge state={job?.state ?? pipeline.state} />
          </span>
        </div>
      </td>
      <td class="hide-phone">
        <StateBadge state={job?.state ?? pipeline.state} />
      </td>
      <td class="num muted hide-phone">{formatTime(pipeline.created_at)}</td>
      <td class="num hide-phone">{runtimeOf(job)}</td>
      <td class="num right hide-phone">{formatCount(job?.tasks)}</td>
      <td>
        <div class="actions">
          <IconButton icon="copy" label={`Copy ${pipeline.name}`} onClick={() => navigate(paths.editor(pipeline.id))} />
          <IconButton icon="trash" label={`Delete ${pipeline.name}`} onClick={onDelete} />
        </div>
      </td>
    </tr>
  );
}

function runtimeOf(job: Job | undefined): string {
  if (job === undefined || job.start_time === null || job.start_time === undefined) return "–";
  const end = job.finish_time ?? Date.now() * 1000;
  return formatDuration(Math.max(0, end - job.start_time));
}

function NoPipelines() {
  const create = (
    <ButtonLink to={paths.editor()} tone="primary" icon="plus">
      New pipeline
    </ButtonLink>
  );
  return (
    <section class="card">
      <Empty icon="pipelines" title="No pipelines yet" actions={create}>
        A pipeline is a query that keeps running. The editor has examples that need no set-up.
      </Empty>
    </section>
  );
}

interface DeleteDialogProps {
  readonly pipeline: Pipeline;
  readonly job: Job | undefined;
  onClose(): void;
  onDeleted(): void;
}

function DeleteDialog({ pipeline, job, onClose, onDeleted }: DeleteDialogProps) {
  const state = job?.state ?? pipeline.state;
  const runs = !isTerminal(state);
  const remove = async () => {
    await request(`/pipelines/${pipeline.id}`, { method: "DELETE" });
    showToast(`Deleted ${pipeline.name}`);
    onDeleted();
  };
  return (
    <FormDialog title={`Delete ${pipeline.name}?`} submit="Delete" tone="danger" disabled={runs} onClose={onClose} onSubmit={remove}>
      {runs ? (
        <Note tone="warn">The pipeline is {state}. Stop it first; a pipeline can be deleted when nothing of it runs.</Note>
      ) : (
        <p class="muted">The pipeline, its history and its checkpoints go. What its sinks have written stays.</p>
      )}
    </FormDialog>
  );
}

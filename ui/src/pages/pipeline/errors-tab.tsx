/**
 * What went wrong in a job, with the operator and subtask it came from.
 */
import { useState } from "preact/hooks";
import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { JobLogMessage } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Empty, SkeletonRows } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import type { Tone } from "../../components/note.tsx";
import { Pager, usePages } from "../../components/pager.tsx";
import { formatTime } from "../../format.ts";
import type { TabProps } from "./page.tsx";

const ERRORS_MS = 5000;
const PAGE_ROWS = 20;
const LEVEL_TONES: Readonly<Record<string, Tone>> = { error: "bad", warn: "warn", warning: "warn", info: "info" };

/** The tab. */
export function ErrorsTab({ pipeline, jobPath }: TabProps) {
  const pages = usePages();
  const query = new URLSearchParams({ limit: String(PAGE_ROWS), ...(pages.after === undefined ? {} : { starting_after: pages.after }) });
  const { data } = usePolled<Page<JobLogMessage>>(`${jobPath}/errors?${query}`, ERRORS_MS);
  if (data !== undefined && data.data.length === 0 && pages.isFirst) {
    return (
      <Empty icon="check" title="No errors">
        Failures of the job and rows that could not be read or computed are listed here.
      </Empty>
    );
  }
  const names = new Map(pipeline.graph.nodes.map((node) => [String(node.node_id), node.description]));
  return (
    <div class="log">
      {data === undefined ? (
        <table class="table">
          <tbody>
            <SkeletonRows rows={5} columns={3} />
          </tbody>
        </table>
      ) : (
        data.data.map((message) => <ErrorEntry key={message.id} message={message} operator={names.get(message.operator_id ?? "")} />)
      )}
      <Pager pages={pages} hasMore={data?.has_more ?? false} last={data?.data.at(-1)?.id} />
    </div>
  );
}

function ErrorEntry({ message, operator }: { readonly message: JobLogMessage; readonly operator: string | undefined }) {
  const [open, setOpen] = useState(false);
  const level = message.level.toLowerCase();
  const source = operator ?? (message.operator_id === null || message.operator_id === "" ? "job" : `operator ${message.operator_id}`);
  const place = message.task_index === null || message.task_index === undefined ? source : `${source}, subtask ${message.task_index}`;
  return (
    <article class="log-entry">
      <button type="button" class="log-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="catalog-chevron" data-open={open}>
          <Icon name="chevron" />
        </span>
        <span class="log-time num muted">{formatTime(message.created_at)}</span>
        <Badge tone={LEVEL_TONES[level] ?? "plain"}>{level}</Badge>
        <span class="log-message">{message.message}</span>
        <span class="log-place muted small">{place}</span>
      </button>
      {open && (
        <div class="log-details">
          {message.error_domain ? <p class="muted small">Domain: {message.error_domain}</p> : null}
          <pre>{message.details === "" ? "No details." : message.details}</pre>
        </div>
      )}
    </article>
  );
}

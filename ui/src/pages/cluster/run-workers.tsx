/**
 * The workers of a run: where they are, what they use, how they ended, and their logs.
 */
import { useState } from "preact/hooks";
import type { SchedulerRunDetail, SchedulerWorker } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { IconButton } from "../../components/button.tsx";
import { CopyText } from "../../components/copy-text.tsx";
import { ACTIONS, DataTable } from "../../components/data-table.tsx";
import { Empty } from "../../components/empty.tsx";
import { WorkerLog } from "../../components/live-log.tsx";
import type { Tone } from "../../components/note.tsx";
import { formatAgo, formatBytes, plural } from "../../format.ts";

const COLUMNS = [
  { label: "Worker" },
  { label: "State" },
  { label: "Node", class: "hide-phone" },
  { label: "Slots", class: "right hide-phone" },
  { label: "Uses", class: "hide-phone" },
  { label: "Last event", class: "hide-phone" },
  ACTIONS,
];

const TONES: Readonly<Record<string, Tone>> = {
  running: "ok",
  registered: "accent",
  starting: "accent",
  placing: "accent",
  stopping: "warn",
  lost: "bad",
};

/** The table. */
export function RunWorkers({ run }: { readonly run: SchedulerRunDetail }) {
  const [shown, setShown] = useState<SchedulerWorker>();
  if (run.worker_list.length === 0) {
    return (
      <Empty icon="cluster" title="No workers">
        {run.current ? "None has been started yet." : "Nothing is kept of this run's workers."}
      </Empty>
    );
  }
  return (
    <>
      <DataTable
        columns={COLUMNS}
        rows={run.worker_list}
        row={(worker) => <WorkerRow key={worker.id} worker={worker} onLog={() => setShown(worker)} />}
      />
      {shown !== undefined && <WorkerLog worker={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function WorkerRow({ worker, onLog }: { readonly worker: SchedulerWorker; onLog(): void }) {
  const ended = endOf(worker);
  return (
    <tr>
      <td class="worker-cell">
        <div class="cell-name">
          <span class="nowrap">
            {worker.number === null ? "" : <span class="muted num">#{worker.number} </span>}
            <span class="mono">{worker.id}</span>
          </span>
          {worker.handle !== null && <CopyText text={worker.handle} what="handle" link={worker.link} />}
        </div>
      </td>
      <td>
        <span class="row worker-state">
          <Badge tone={toneOf(worker)} busy={worker.state === "starting" || worker.state === "placing"}>
            {worker.state}
          </Badge>
          {worker.out_of_memory && (
            <Badge plain tone="bad">
              out of memory
            </Badge>
          )}
          {worker.exit_code !== null && (
            <span class="num small" data-bad={worker.exit_code !== 0}>
              code {worker.exit_code}
            </span>
          )}
        </span>
        {ended !== "" && <div class="muted small worker-reason">{ended}</div>}
      </td>
      <td class="hide-phone">
        <div class="cell-name">
          <span>{worker.node_name ?? worker.node_id ?? "–"}</span>
          <span class="muted small nowrap">{worker.zone ?? ""}</span>
        </div>
      </td>
      <td class="num right hide-phone">{worker.slots}</td>
      <td class="hide-phone">
        <Use worker={worker} />
      </td>
      <td class="hide-phone run-event">
        <LastEvent worker={worker} />
      </td>
      <td>
        <div class="actions">
          <IconButton icon="file" label={`Log of ${worker.id}`} onClick={onLog} />
        </div>
      </td>
    </tr>
  );
}

function toneOf(worker: SchedulerWorker): Tone {
  if (worker.state !== "exited") return TONES[worker.state] ?? "plain";
  const { out_of_memory: starved, exit_code: code, exit_signal: signal } = worker;
  return starved || (code !== null && code !== 0) || (signal !== null && signal !== "SIGTERM") ? "bad" : "plain";
}

/** Why it is in its state, in words. */
function endOf({ reason, exit_signal: signal }: SchedulerWorker): string {
  const by = signal === null || reason.includes(signal) ? "" : `ended by ${signal}`;
  return [reason, by].filter((text) => text !== "").join("; ");
}

/** Memory and processor, of what it may have. */
function Use({ worker }: { readonly worker: SchedulerWorker }) {
  const { memory_bytes: used, memory_limit_bytes: limit, cpu_millis: asked, cpu_used_millis: cpu } = worker;
  return (
    <div class="cell-name num nowrap">
      <span>
        {used === null ? "–" : formatBytes(used)}
        {limit !== null && <span class="muted"> of {formatBytes(limit)}</span>}
      </span>
      {cpu === null ? (
        asked !== null && <span class="muted small">{plural(coresOf(asked), "core")} asked</span>
      ) : (
        <span class="small">
          {(cpu / 1000).toFixed(2)}
          <span class="muted"> {asked === null ? "cores" : `of ${plural(coresOf(asked), "core")}`}</span>
        </span>
      )}
    </div>
  );
}

function coresOf(millis: number): number {
  return Number((millis / 1000).toFixed(1));
}

function LastEvent({ worker }: { readonly worker: SchedulerWorker }) {
  const event = worker.last_event;
  if (event === null) {
    return <span class="muted small num">{worker.heartbeat_at === null ? "–" : `heard ${formatAgo(worker.heartbeat_at)}`}</span>;
  }
  return (
    <div class="cell-name" title={event.message}>
      <span class="truncate">{event.message}</span>
      <span class="muted small num">{formatAgo(event.at)}</span>
    </div>
  );
}

/**
 * The worker processes of a job's current and recent runs, as the scheduler and they themselves say.
 */
import { useState } from "preact/hooks";
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { Worker } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { IconButton } from "../../components/button.tsx";
import { Empty } from "../../components/empty.tsx";
import { WorkerLog } from "../../components/live-log.tsx";
import type { Tone } from "../../components/note.tsx";
import { formatAgo, formatTime } from "../../format.ts";
import type { TabProps } from "./page.tsx";

const WORKERS_MS = 3000;
const TONES: Readonly<Record<string, Tone>> = {
  running: "ok",
  registered: "accent",
  starting: "accent",
  placing: "accent",
  stopping: "warn",
  lost: "bad",
};

/** The tab. */
export function WorkersTab({ jobPath }: TabProps) {
  const [shown, setShown] = useState<Worker>();
  const { data, error } = usePolled<Collection<Worker>>(`${jobPath}/workers`, WORKERS_MS);
  if (data === undefined) return <Empty icon="clock" title={error === undefined ? "Asking for workers" : error.message} />;
  if (data.data.length === 0) {
    return (
      <Empty icon="settings" title="No workers">
        Workers are started when the pipeline runs.
      </Empty>
    );
  }
  return (
    <div class="table-wrap">
      <table class="table">
        <thead>
          <tr>
            <th>Worker</th>
            <th>State</th>
            <th class="right">Run</th>
            <th class="right hide-phone">Slots</th>
            <th class="hide-phone">Machine</th>
            <th class="hide-phone">Started</th>
            <th>Heard</th>
            <th>
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {data.data.map((worker) => (
            <tr key={worker.id}>
              <td>
                <div class="cell-name">
                  <span class="mono">{worker.id}</span>
                  {reasonOf(worker) !== "" && <span class="muted small">{reasonOf(worker)}</span>}
                </div>
              </td>
              <td>
                <Badge tone={TONES[worker.state] ?? "plain"} busy={worker.state === "starting" || worker.state === "placing"}>
                  {worker.state}
                </Badge>
              </td>
              <td class="num right">{worker.run_id}</td>
              <td class="num right hide-phone">{worker.slots}</td>
              <td class="nowrap hide-phone">
                <div class="cell-name">
                  <span>{worker.node_id ?? "–"}</span>
                  <span class="mono">{[worker.handle, worker.admin_address].filter((text) => text !== null).join(" · ")}</span>
                </div>
              </td>
              <td class="num muted nowrap hide-phone">{formatTime(worker.started_at)}</td>
              <td class="num nowrap">
                {worker.ended_at === null ? (worker.heartbeat_at === null ? "–" : formatAgo(worker.heartbeat_at)) : "ended"}
              </td>
              <td>
                <div class="actions">
                  <IconButton icon="file" label={`Log of ${worker.id}`} onClick={() => setShown(worker)} />
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown !== undefined && <WorkerLog worker={{ id: shown.id, last_words: null }} onClose={() => setShown(undefined)} />}
    </div>
  );
}

/** Why a worker is in its state, with how it ended. */
function reasonOf(worker: Worker): string {
  const end = worker.out_of_memory
    ? "killed for want of memory"
    : worker.exit_signal !== null
      ? `ended by ${worker.exit_signal}`
      : worker.exit_code !== null && worker.exit_code !== 0
        ? `exit code ${worker.exit_code}`
        : "";
  return [worker.reason, worker.reason.includes(end) ? "" : end].filter((text) => text !== "").join("; ");
}

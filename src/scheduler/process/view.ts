/** What people are shown of runs and workers on one's own machine, made of the records. Pure. */
import type { JobId } from "../../core/ids.ts";
import type { WorkerView } from "../scheduler.ts";
import type { RunView } from "../view.ts";
import type { RecordedJob, RecordedRun, RecordedWorker } from "./run-records.ts";

/** How a worker is shown: `stopping`, it was told to end; `what` it is here: "process" or "thread". */
export function viewWorker(
  job: JobId,
  { run, fence }: RecordedRun,
  { id, slots, handle, exit }: RecordedWorker,
  { stopping, what, node }: { readonly stopping: boolean; readonly what: string; readonly node: string },
): WorkerView {
  const running = stopping ? "stopping" : "running";
  const phase = exit !== undefined ? "exited" : handle === undefined ? "starting" : running;
  const note = exit?.reason ?? (handle === undefined ? "is being started" : `${what} ${handle.split("@")[0]}`);
  return { job, run, fence, handle: handle ?? id, worker: id, phase, slots, node, exit, note, link: undefined };
}

/** How the runs of a job are shown. */
export function viewRuns({ job, fence: newest, stopped, runs }: RecordedJob): readonly RunView[] {
  return runs.map(({ run, fence, workers, submittedAtMs }) => {
    const missing = workers.filter(({ handle, exit }) => handle === undefined && exit === undefined).length;
    const over = workers.every(({ exit }) => exit !== undefined);
    const told = fence < newest ? "superseded" : stopped ? "stopping" : "running";
    return {
      job,
      run,
      fence,
      name: run,
      workers: workers.length,
      missing,
      reason: missing === 0 ? "" : `${missing} of ${workers.length} workers are being started`,
      waitingSinceMs: missing === 0 ? undefined : submittedAtMs,
      status: over ? "ended" : told,
      submittedAtMs,
      link: undefined,
    };
  });
}

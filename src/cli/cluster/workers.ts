/** Workers of a cluster as the process scheduler has recorded them: the supervisor's last resort, when no controller can stop them any more. */
import { isRunning, signalProcess } from "../../scheduler/process/processes.ts";
import { WorkerFolders } from "../../scheduler/process/worker-folder.ts";
import type { StateFolder } from "../state-folder.ts";

/** Kills all workers that still run; how many there were. They had their chance to take a checkpoint. */
export function killWorkers(folder: StateFolder): number {
  const running = new WorkerFolders(folder.workers).list().flatMap(({ process: identity }) => {
    return identity !== undefined && isRunning(identity) ? [identity] : [];
  });
  for (const identity of running) signalProcess(identity, "SIGKILL", true);
  return running.length;
}

/**
 * Entry of a worker process that a parent started: obeys the parent over IPC and dies with it. Ctrl-C is the parent's business: the terminal
 * sends it to the whole process group, and the parent turns it into a checkpoint.
 */
import type { WorkerCommand, WorkerEvent } from "./protocol.ts";
import { Worker } from "./worker.ts";

const worker = new Worker((event: WorkerEvent) => {
  if (process.connected) process.send?.(event);
});
process.on("message", (command) => worker.command(command as WorkerCommand));
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit(1));
worker.onEnd(() => {
  // Disconnecting lets events that are still in the channel leave first.
  process.removeAllListeners("disconnect");
  process.disconnect?.();
});

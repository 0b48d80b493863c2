/** A worker as its coordinator sees it: in this process, or in a child process behind an IPC channel. Both speak `protocol.ts`. */
import { externalError, toErrorRecord } from "../core/errors.ts";
import type { WorkerCommand, WorkerEvent } from "./protocol.ts";
import { spawnProcess } from "./spawn-process.ts";
import { Worker } from "./worker.ts";

/** See the file's comment. */
export interface WorkerHandle {
  send(command: WorkerCommand): void;
  /** Ends the worker and everything in it, at once. Idempotent. */
  kill(): void;
}

/** A worker in this process. */
export function embeddedWorker(onEvent: (event: WorkerEvent) => void): WorkerHandle {
  const worker = new Worker(onEvent);
  return { send: (command) => worker.command(command), kill: () => worker.command({ kind: "abort" }) };
}

/** A worker in a child process of its own. Its death is a `failed` event, unless it was killed or had closed all its slots. */
export function forkedWorker(number: number, onEvent: (event: WorkerEvent) => void): WorkerHandle {
  const child = spawnProcess("main", import.meta.url);
  let over = false;
  let closing = false;
  child.on("message", (event) => onEvent(event as WorkerEvent));
  child.on("error", (error) => {
    if (!over) onEvent({ kind: "failed", subtask: undefined, error: toErrorRecord(error) });
  });
  child.on("exit", (code, signal) => {
    if (over || (closing && code === 0)) return;
    over = true;
    const error = externalError("connection-lost", `worker ${number} (process ${child.pid}) ended with ${signal ?? `code ${code}`}`);
    onEvent({ kind: "failed", subtask: undefined, error: toErrorRecord(error) });
  });
  return {
    send: (command) => {
      if (command.kind === "close") closing = true;
      if (child.connected) child.send(command);
    },
    kill: () => {
      over = true;
      child.kill("SIGKILL");
    },
  };
}

/** Runs tasks in child processes, one process a task. A process that fails fails the benchmark with its words. */
import { type ErrorRecord, externalError, fromErrorRecord, toErrorRecord } from "../../core/errors.ts";
import { spawnProcess } from "../../worker/spawn-process.ts";
import type { Results, Task } from "./measurement.ts";

/** What a child sends: once. */
export type ChildAnswer = { readonly result: Results[keyof Results] } | { readonly error: ErrorRecord };

/** Performs `task` in a new process. */
export function perform<T extends Task>(task: T): Promise<Results[T["kind"]]> {
  const child = spawnProcess(task.kind === "duckdb" ? "duckdb-process" : "wadi-process", import.meta.url);
  return new Promise((resolve, reject) => {
    child.once("message", (answer: ChildAnswer) => {
      if ("error" in answer) reject(fromErrorRecord(answer.error));
      else resolve(answer.result as Results[T["kind"]]);
      child.disconnect();
    });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(externalError("connection-lost", `the measuring process ended with ${signal ?? `code ${code}`}`)),
    );
    child.send(task);
  });
}

/** The child's side: answers the first message with what `work` makes of it. */
export function answerWith(work: (task: Task) => Promise<Results[keyof Results]>): void {
  process.once("message", (task) => {
    work(task as Task).then(
      (result) => process.send?.({ result } satisfies ChildAnswer),
      (error: unknown) => process.send?.({ error: toErrorRecord(error) } satisfies ChildAnswer),
    );
  });
  process.once("disconnect", () => process.exit(0));
}

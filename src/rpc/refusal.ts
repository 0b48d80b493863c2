/**
 * Refusals of a registration that are answers and not failures of the call: another controller leads, or another run counts. Every other
 * error ends the stream with a status.
 */
import { AppError, type AppErrorInit, toErrorRecord } from "../core/errors.ts";
import type { ConnectResponse } from "../gen/controller.ts";
import { toErrorMessage } from "./error-message.ts";

/** What a controller says on the stream of a worker. */
export type ControllerBody = NonNullable<ConnectResponse["body"]>;

/** An `AppError` with the message that the worker gets instead of a status. Thrown by `WorkerSessionHandler.admit`. */
export class WorkerRefusal extends AppError {
  readonly answer: ControllerBody;

  /** `answer` is sent, then the stream ends. */
  constructor(init: AppErrorInit, answer: ControllerBody) {
    super(init);
    this.answer = answer;
  }
}

/** This controller does not lead. `leader` is "host:port", undefined if nobody is known to; `endpoints` are all controllers. */
export function leaderMoved(leader: string | undefined, endpoints: readonly string[]): WorkerRefusal {
  const message = leader === undefined ? "this controller does not lead" : `this controller does not lead, ${leader} does`;
  return new WorkerRefusal(
    { domain: "external", code: "connection-lost", message, retry: "backoff" },
    { $case: "leaderMoved", value: { leader: leader ?? "", endpoints } },
  );
}

/** The worker is not wanted: the run with `currentFence` counts (0: the job is gone). `reason` is told to people. */
export function fencedOut(currentFence: bigint, reason: string): WorkerRefusal {
  const init: AppErrorInit = { domain: "external", code: "fenced", message: reason };
  const error = toErrorMessage(toErrorRecord(new AppError(init)));
  return new WorkerRefusal(init, { $case: "fenced", value: { currentFence, error } });
}

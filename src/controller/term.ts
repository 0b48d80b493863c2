/** One uninterrupted time of leading. Everything a leader writes or commands carries its epoch and asks it first. */
import { type AppError, internalError } from "../core/errors.ts";

/** See the file's comment. */
export interface Term {
  /** Fencing epoch of the lease. */
  readonly epoch: bigint;
  /** Aborted when the term is over, whatever ended it. */
  readonly signal: AbortSignal;
  /** False as soon as the lease may be another's, by this process' own clock: also if the signal has not been aborted yet. */
  readonly valid: boolean;
  /** Throws `fenced` unless `valid`. */
  check(): void;
}

/** The error of an action after the end of the term. */
export function fenceError(epoch: bigint): AppError {
  return internalError("fenced", `this controller led with epoch ${epoch} and does not any more`);
}

/**
 * Trying again: how long to wait (exponential backoff with jitter, after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/,
 * "full jitter" on the upper half) and when to give up. Only operations that may run twice belong here; each caller says why its own may.
 */
import type { Clock } from "./clock.ts";
import { type AppError, toAppError } from "./errors.ts";
import type { RandomSource } from "./prng.ts";

/** When and how often an operation is tried again. */
export interface RetryPolicy {
  /** How often it runs in all, >= 1. */
  readonly attempts: number;
  /** The longest wait before the second attempt, in milliseconds; doubles from one attempt to the next. */
  readonly initialMs: number;
  /** No wait is longer than this, in milliseconds. */
  readonly maxMs: number;
}

/** What waiting needs from outside. */
export interface RetryContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Ends the waiting: the last failure is thrown at once. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure that will be tried again, with the attempt's number from 1. */
  readonly onRetry?: ((error: AppError, attempt: number, delayMs: number) => void) | undefined;
}

/** The wait after the `attempt`-th failure (from 1) in whole milliseconds: uniform between half and all of the doubled initial wait. */
export function backoffDelayMs(attempt: number, policy: RetryPolicy, random: RandomSource): number {
  const ceiling = Math.min(policy.maxMs, policy.initialMs * 2 ** Math.min(attempt - 1, 30));
  const half = Math.floor(ceiling / 2);
  return half + random.below(Math.floor(ceiling) - half + 1);
}

/**
 * The result of `operation`, which is run again while it fails with a retry hint of `backoff` and attempts are left; otherwise its last error,
 * as an `AppError`, is thrown. `operation` gets the attempt's number from 1.
 */
export async function withRetry<T>(operation: (attempt: number) => Promise<T>, policy: RetryPolicy, context: RetryContext): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.retry === "never" || attempt >= policy.attempts || isAborted(context)) throw error;
      const delayMs = backoffDelayMs(attempt, policy, context.random);
      context.onRetry?.(error, attempt, delayMs);
      await context.clock.sleep(delayMs, context.signal);
      if (isAborted(context)) throw error;
    }
  }
}

function isAborted(context: RetryContext): boolean {
  return context.signal?.aborted === true;
}

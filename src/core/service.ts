/**
 * Long-running parts of a process and their supervisor. A service runs until its signal is aborted; when it fails it is started again after a
 * backoff, until it has failed too often in a row. This is one of the five places where errors are caught.
 */
import type { Clock } from "./clock.ts";
import { type AppError, toAppError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { RandomSource } from "./prng.ts";
import { backoffDelayMs, type RetryPolicy } from "./retry.ts";

/** A part of a process that runs until it is told to stop. */
export interface Service {
  /** For logs: lower case, unique in the process. */
  readonly name: string;
  /**
   * Runs until `signal` is aborted, then releases everything it holds and resolves. Resolving earlier means that the work is done; rejecting
   * means a failure. May be called again after it has settled, never before.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** What the supervisor works with. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** `attempts` counts failures in a row; a run of at least `healthyMs` starts the count anew. */
  readonly policy: RetryPolicy;
  /** A service that ran this long, in milliseconds, is taken to have been healthy. */
  readonly healthyMs: number;
}

/**
 * Runs `service` until `signal` is aborted or it is done, restarting it after failures. Throws its last error when it has failed
 * `policy.attempts` times in a row, and at once when the error is the user's: a wrong setting does not get better by trying again.
 */
export async function superviseService(service: Service, options: SupervisorOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, policy } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedMs = clock.elapsedMs();
    const error = await outcome(service, signal);
    if (error === undefined) return;
    if (clock.elapsedMs() - startedMs >= options.healthyMs) failures = 0;
    failures += 1;
    if (signal.aborted || error.domain === "user" || failures >= policy.attempts) throw error;
    const delayMs = backoffDelayMs(failures, policy, options.random);
    logger.warn("service failed, restarting", { service: service.name, failures, delayMs, error });
    await clock.sleep(delayMs, signal);
  }
}

async function outcome(service: Service, signal: AbortSignal): Promise<AppError | undefined> {
  try {
    await service.run(signal);
    return undefined;
  } catch (thrown) {
    return toAppError(thrown);
  }
}

/**
 * Runs `services` until `signal` is aborted, all are done, or one fails for good. They start in order and stop in reverse order, each only
 * after those behind it have settled, so a service may rely on those before it until its own end. Throws the first final error.
 */
export async function runServices(services: readonly Service[], options: SupervisorOptions, signal: AbortSignal): Promise<void> {
  const stops = services.map(() => new AbortController());
  const stopAll = new AbortController();
  let firstError: AppError | undefined;
  const runs = services.map(async (service, index) => {
    try {
      await superviseService(service, options, (stops[index] as AbortController).signal);
    } catch (thrown) {
      firstError ??= toAppError(thrown);
      stopAll.abort();
    }
  });
  await Promise.race([Promise.all(runs), whenAborted(signal), whenAborted(stopAll.signal)]);
  for (let index = services.length - 1; index >= 0; index--) {
    stops[index]?.abort();
    await runs[index];
  }
  if (firstError !== undefined) throw firstError;
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

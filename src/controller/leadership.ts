/**
 * Leads while the lease is held: takes it when it is free, renews it well before it ends, and ends the term by its own clock before anybody
 * else may lead, also if the database does not answer. What is done during a term is handed in; it asks the term before it writes or
 * commands anything.
 */
import type { Clock } from "../core/clock.ts";
import { type AppError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Database } from "../db/connection.ts";
import { acquireLease, type LeaseAttempt, type LeaseHolder, releaseLease, renewLease } from "../db/leases.ts";
import { LeasePace } from "./lease-pace.ts";
import { fenceError, type Term } from "./term.ts";

/** What leading takes. */
export interface LeadershipOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asked before every attempt: the endpoint is known once the server listens. */
  readonly holder: () => LeaseHolder;
  /**
   * The work of a term: runs until the term's signal is aborted, then lets go of everything. When `stop` is aborted the term still holds:
   * what is to be written is written, then it resolves.
   */
  readonly lead: (term: Term, stop: AbortSignal) => Promise<void>;
  /** Who leads instead, as far as known: told after every attempt that failed. */
  readonly onFollowing?: ((leader: string | undefined) => void) | undefined;
  readonly timing?: Partial<LeaseTiming> | undefined;
}

/** Durations of the lease, milliseconds. */
export interface LeaseTiming {
  /** Of a leader that is well; one whose renewals come late asks for more (lease-pace.ts). */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** The term ends so long before the lease does. */
  readonly marginMs: number;
  /** A standby looks at least this often. */
  readonly pollMs: number;
}

/** With these a standby takes over within 2.3 s of the leader's death. */
export const LEASE_TIMING: LeaseTiming = { leaseMs: 2_000, renewMs: 500, marginMs: 250, pollMs: 250 };

const LEASE = "controller";
const RETRY_MS = 120;

/** Leads and stands by in turn until `signal` is aborted; then the lease is released. Never throws for a database that is away. */
export async function runLeadership(options: LeadershipOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger } = options;
  const timing = { ...LEASE_TIMING, ...options.timing };
  const pace = new LeasePace(timing.leaseMs);
  while (!signal.aborted) {
    const askedMs = clock.elapsedMs();
    const { leaseMs } = pace;
    const attempt = await tryLease(options, leaseMs);
    if (attempt === undefined) {
      await clock.sleep(timing.pollMs, signal);
      continue;
    }
    if (attempt.kind === "taken") {
      options.onFollowing?.(attempt.remainingMs > 0 && attempt.endpoint !== "" ? attempt.endpoint : undefined);
      await clock.sleep(Math.min(timing.pollMs, attempt.remainingMs + 10), signal);
      continue;
    }
    const term = new LeaseTerm(attempt.fencingEpoch, clock, askedMs + leaseMs - timing.marginMs);
    logger.info("leading", { leaderEpoch: term.epoch });
    await serveTerm(options, timing, pace, term, signal);
    logger.info("no longer leading", { leaderEpoch: term.epoch });
  }
}

async function tryLease(options: LeadershipOptions, leaseMs: number): Promise<LeaseAttempt | undefined> {
  try {
    return await acquireLease(options.db, LEASE, options.holder(), leaseMs);
  } catch (error) {
    options.logger.warn("the leader lease cannot be read", { error: toAppError(error) });
    options.onFollowing?.(undefined);
    return undefined;
  }
}

async function serveTerm(
  options: LeadershipOptions,
  timing: LeaseTiming,
  pace: LeasePace,
  term: LeaseTerm,
  signal: AbortSignal,
): Promise<void> {
  const { db, logger } = options;
  const { holder } = options.holder();
  try {
    const work = options.lead(term, signal).catch((error: unknown) => {
      if (term.valid) logger.error("leading failed", { error: toAppError(error) });
    });
    const renewals = keepRenewing(options, timing, pace, term, holder);
    // Work that fails or is done ends the term as well: another controller, or this one, begins anew.
    await Promise.race([work, renewals]);
    term.end();
    await Promise.all([work, renewals]);
  } finally {
    await releaseLease(db, LEASE, holder, term.epoch).catch((error: unknown) => {
      logger.info("the lease was not released, it runs out", { error: toAppError(error) });
    });
  }
}

/** Resolves when the term is over. */
async function keepRenewing(
  options: LeadershipOptions,
  timing: LeaseTiming,
  pace: LeasePace,
  term: LeaseTerm,
  holder: string,
): Promise<void> {
  const { clock, logger } = options;
  let waitMs = timing.renewMs;
  let dueMs = clock.elapsedMs() + waitMs;
  for (;;) {
    await clock.sleep(Math.max(0, Math.min(waitMs, term.remainingMs)), term.signal);
    if (term.signal.aborted) return;
    if (!term.valid) {
      pace.renewed(pace.leaseMs);
      logger.warn("the lease could not be renewed in time", { leaderEpoch: term.epoch, nextLeaseMs: Math.round(pace.leaseMs) });
      return term.end();
    }
    const result = await renew(options, timing, pace.leaseMs, term, holder);
    if (term.signal.aborted) return;
    if (result === "lost") {
      logger.warn("the lease was lost", { leaderEpoch: term.epoch });
      return term.end();
    }
    pace.renewed(clock.elapsedMs() - dueMs);
    if (result === "held") dueMs = clock.elapsedMs() + timing.renewMs;
    else if (result !== "late") logger.warn("the lease was not renewed", { leaderEpoch: term.epoch, error: result });
    waitMs = result === "held" ? timing.renewMs : RETRY_MS;
  }
}

/** One attempt, no longer than the term lasts. */
async function renew(
  { db, clock }: LeadershipOptions,
  timing: LeaseTiming,
  leaseMs: number,
  term: LeaseTerm,
  holder: string,
): Promise<"held" | "lost" | "late" | AppError> {
  const askedMs = clock.elapsedMs();
  const answer = renewLease(db, LEASE, holder, term.epoch, leaseMs).then(
    (held) => (held ? "held" : "lost"),
    (error: unknown) => toAppError(error),
  );
  const result = await Promise.race([answer, clock.sleep(Math.max(0, term.remainingMs), term.signal).then(() => "late" as const)]);
  if (result === "held" && !term.signal.aborted) term.extend(askedMs + leaseMs - timing.marginMs);
  return result;
}

class LeaseTerm implements Term {
  readonly epoch: bigint;
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #untilMs: number;

  constructor(epoch: bigint, clock: Clock, untilMs: number) {
    this.epoch = epoch;
    this.#clock = clock;
    this.#untilMs = untilMs;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get remainingMs(): number {
    return this.#untilMs - this.#clock.elapsedMs();
  }

  get valid(): boolean {
    return !this.#over.signal.aborted && this.remainingMs > 0;
  }

  check(): void {
    if (!this.valid) throw fenceError(this.epoch);
  }

  extend(untilMs: number): void {
    this.#untilMs = untilMs;
  }

  end(): void {
    this.#over.abort();
  }
}

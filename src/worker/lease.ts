/**
 * How long a worker goes on without a controller. Pure: the caller says what time it is. A lease is renewed by the leader; while it is not,
 * the worker first goes on, then pauses its sources, then gives itself up, so that no run is left behind that nobody knows of.
 */
import type { AbsenceLimits } from "./assignment.ts";

/** What the lease calls for. */
export type LeaseVerdict = "go-on" | "pause" | "orphaned";

/** Times are elapsed milliseconds. */
export class Lease {
  #limits: AbsenceLimits;
  #renewedMs: number;
  #endsMs: number;

  /** Nobody has renewed it yet: counts from `nowMs`. */
  constructor(limits: AbsenceLimits, nowMs: number) {
    this.#limits = limits;
    this.#renewedMs = nowMs;
    this.#endsMs = nowMs;
  }

  /** The run's own limits are known. */
  limit(limits: AbsenceLimits): void {
    this.#limits = limits;
  }

  /** A leader renewed it for `durationMs` from `nowMs`. */
  renew(durationMs: number, nowMs: number): void {
    this.#renewedMs = nowMs;
    this.#endsMs = Math.max(this.#endsMs, nowMs + durationMs);
  }

  /** See `AbsenceLimits`: pausing counts from the last renewal, giving up from the end of the lease. */
  verdict(nowMs: number): LeaseVerdict {
    if (nowMs - this.#endsMs > this.#limits.orphanMs) return "orphaned";
    return nowMs - this.#renewedMs > this.#limits.pauseMs ? "pause" : "go-on";
  }
}

/**
 * When a source of an unbounded stream counts as idle: its polls have found nothing for `idleMs`, and it was not our own backpressure that
 * kept it from being polled. A bounded source is never idle: it ends. Pure: the caller brings the time.
 */

/** Decides for one source of one subtask. */
export class IdlenessTimer {
  readonly #idleMs: number;
  #lastFoundMs: number;

  /** `idleMs` 0 or a bounded source: never idle. `nowMs` is elapsed time. */
  constructor(idleMs: number, bounded: boolean, nowMs: number) {
    this.#idleMs = bounded ? 0 : idleMs;
    this.#lastFoundMs = nowMs;
  }

  /** Rows came, or the source could not be polled because its rows had nowhere to go. */
  found(nowMs: number): void {
    this.#lastFoundMs = nowMs;
  }

  /** Whether the source is idle at `nowMs`, its last poll having found nothing. */
  isIdle(nowMs: number): boolean {
    return this.#idleMs > 0 && nowMs - this.#lastFoundMs >= this.#idleMs;
  }

  /** Milliseconds until it may become idle; undefined: never. */
  dueInMs(nowMs: number): number | undefined {
    return this.#idleMs === 0 ? undefined : Math.max(0, this.#idleMs - (nowMs - this.#lastFoundMs));
  }
}

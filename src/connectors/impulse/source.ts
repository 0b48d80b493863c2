/**
 * Numbered events at a steady rate: which ones to make now. Event i belongs to subtask i mod p; its time is the start of the
 * table's time plus i intervals. The rate holds over all subtasks, measured from when this run began.
 */
import type { Clock } from "../../core/clock.ts";
import type { EventSource, SplitPosition, SubtaskContext } from "../connector.ts";

/** What `next` returns when there are events to make. */
type Events = { readonly first: bigint; readonly stride: number; readonly count: number; readonly baseNs: bigint };

/** How events are paced and where time begins. */
export interface PacedSpec {
  /** Events per second over all subtasks; undefined: as fast as they can be made. */
  readonly eventsPerSecond: number | undefined;
  /** Events in all; undefined: without end. */
  readonly eventCount: bigint | undefined;
  /** Event time of event 0 at a first start, ns. */
  readonly baseNs: bigint;
}

/** A source of numbered events. */
export class PacedEvents implements EventSource {
  readonly kind = "events";
  readonly bounded: boolean;
  readonly #context: SubtaskContext;
  readonly #spec: PacedSpec;
  readonly #clock: Clock;
  #baseNs: bigint;
  /** Events before this number have been made by all subtasks alike: this subtask's next is the first of its own at or after it. */
  #next = 0n;
  #startedMs = 0;
  #startedAt = 0n;
  #watermarkNs: bigint | undefined;

  constructor(context: SubtaskContext, spec: PacedSpec, clock: Clock) {
    this.#context = context;
    this.#spec = spec;
    this.#clock = clock;
    this.#baseNs = spec.baseNs;
    this.bounded = spec.eventCount !== undefined;
  }

  async open(restored: readonly SplitPosition[] | undefined): Promise<void> {
    const { subtask, parallelism } = this.#context;
    const stride = BigInt(parallelism);
    this.#next = BigInt(subtask);
    if (restored !== undefined) this.#restore(restored, stride);
    this.#startedMs = this.#clock.elapsedMs();
    this.#startedAt = this.#next;
  }

  /** Every residue of the old parallelism has its own next event; ours begins where all of those that are ours are unmade. */
  #restore(restored: readonly SplitPosition[], stride: bigint): void {
    const first = restored[0];
    if (first !== undefined) this.#baseNs = BigInt(String(first["baseNs"]));
    const made = restored.map((p) => ({ residue: BigInt(p.split), stride: BigInt(Number(p["stride"])), next: BigInt(String(p["next"])) }));
    const isMade = (event: bigint): boolean => made.some((m) => event % m.stride === m.residue && event < m.next);
    this.#gaps = isMade;
    const lowest = made.reduce((low, m) => (m.next < low ? m.next : low), made[0]?.next ?? 0n);
    this.#gapsEnd = made.reduce((high, m) => (m.next > high ? m.next : high), 0n);
    const behind = lowest - (lowest % stride) + this.#next;
    this.#next = behind < 0n ? this.#next : behind;
  }

  #gaps: ((event: bigint) => boolean) | undefined;
  #gapsEnd = 0n;

  next(maxRows: number): Events | "idle" | "end" {
    const stride = BigInt(this.#context.parallelism);
    if (this.#gaps !== undefined) {
      while (this.#next < this.#gapsEnd && this.#gaps(this.#next)) this.#next += stride;
      if (this.#next >= this.#gapsEnd) this.#gaps = undefined;
    }
    const end = this.#spec.eventCount;
    if (end !== undefined && this.#next >= end) return "end";
    let count = BigInt(this.#gaps === undefined ? maxRows : 1);
    if (end !== undefined) count = min(count, (end - this.#next + stride - 1n) / stride);
    if (this.#spec.eventsPerSecond !== undefined) count = min(count, this.#allowed(stride));
    if (count <= 0n) return "idle";
    return { first: this.#next, stride: Number(stride), count: Number(count), baseNs: this.#baseNs };
  }

  /** Own events that the rate allows now. */
  #allowed(stride: bigint): bigint {
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs;
    const due = this.#startedAt + BigInt(Math.floor((elapsedMs * (this.#spec.eventsPerSecond ?? 0)) / 1000));
    return due <= this.#next ? 0n : (due - this.#next + stride - 1n) / stride;
  }

  produced(count: number, watermarkNs: bigint | undefined): void {
    this.#next += BigInt(count) * BigInt(this.#context.parallelism);
    if (watermarkNs !== undefined && (this.#watermarkNs === undefined || watermarkNs > this.#watermarkNs)) this.#watermarkNs = watermarkNs;
  }

  async wait(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(5, signal);
  }

  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    if (this.#spec.eventCount !== undefined && this.#next >= this.#spec.eventCount) return "end";
    return this.#watermarkNs === undefined ? undefined : { ns: this.#watermarkNs, partition: this.#context.subtask };
  }

  positions(): readonly SplitPosition[] {
    const { subtask, parallelism } = this.#context;
    const position = {
      split: String(subtask),
      version: 1,
      stride: parallelism,
      next: this.#next.toString(),
      baseNs: this.#baseNs.toString(),
    };
    return [this.#watermarkNs === undefined ? position : { ...position, watermarkNs: this.#watermarkNs.toString() }];
  }

  describe(_partition: number, position: bigint): string {
    return `event ${position} of table "${this.#context.table}"`;
  }

  async close(): Promise<void> {}
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

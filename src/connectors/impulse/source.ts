/**
 * Numbered events at a steady rate: which ones to make now. A split is an arithmetic progression of event numbers: next, next + stride, …
 * below its end. At a first start subtask s of p has the one open split s, s + p, …; a restore ends all open splits at the largest of their
 * next numbers, hands the finite splits that are left out to the subtasks, and begins new open splits behind it. So every event belongs to
 * exactly one split at any time, whatever the sequence of parallelisms.
 *
 * The rate holds over all subtasks, measured from when this run began.
 */
import { must } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { internalError } from "../../core/errors.ts";
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

/** A progression of events, made up to, not including, `next`. */
interface Split {
  readonly name: string;
  readonly stride: number;
  /** First event that no longer belongs to it; undefined: open, the table's last event ends it. */
  readonly end: bigint | undefined;
  next: bigint;
  /** A bound for the times of its events from `next` on; undefined: −∞. */
  watermarkNs: bigint | undefined;
}

/** Shortest and longest time between two looks: fast events come in batches, slow ones cost nothing in between. */
const POLL_MS = { least: 5, most: 1_000 } as const;

/** A source of numbered events. */
export class PacedEvents implements EventSource {
  readonly kind = "events";
  readonly bounded: boolean;
  readonly #context: SubtaskContext;
  readonly #spec: PacedSpec;
  readonly #clock: Clock;
  #baseNs: bigint;
  /** Unfinished splits of this subtask, the open one always among them. */
  #splits: Split[] = [];
  #startedMs = 0;
  #startedAt = 0n;

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
    const splits = (restored ?? []).map(fromPosition).sort((a, b) => (a.name < b.name ? -1 : 1));
    const base = restored?.[0]?.["baseNs"];
    if (base !== undefined) this.#baseNs = BigInt(String(base));
    const open = splits.filter((s) => s.end === undefined);
    const made = open.reduce<bigint | undefined>((high, s) => later(high, s.next), undefined) ?? 0n;
    const from = lowest(this.#spec.eventCount, made) ?? made;
    const closed = splits.map((s) => (s.end === undefined ? closeAt(s, from) : s)).filter((s) => s.next < must(s.end, "end"));
    this.#splits = closed.filter((_, i) => i % parallelism === subtask);
    const watermarkNs = open.reduce<bigint | undefined>((high, s) => later(high, s.watermarkNs), undefined);
    const first = from + ((((BigInt(subtask) - from) % stride) + stride) % stride);
    this.#splits.push({ name: String(subtask), stride: parallelism, end: undefined, next: first, watermarkNs });
    this.#startedMs = this.#clock.elapsedMs();
    this.#startedAt = this.#slowest().next;
  }

  /** The split that is furthest behind, by event number and so by time. */
  #slowest(): Split {
    return this.#splits.reduce((slowest, s) => (s.next < slowest.next ? s : slowest));
  }

  next(maxRows: number): Events | "idle" | "end" {
    const split = this.#slowest();
    const stride = BigInt(split.stride);
    const end = split.end ?? this.#spec.eventCount;
    if (end !== undefined && split.next >= end) return "end";
    const limit = lowest(end, this.#due());
    const ready = limit === undefined ? BigInt(maxRows) : (limit - split.next + stride - 1n) / stride;
    if (ready <= 0n) return "idle";
    const count = ready < BigInt(maxRows) ? Number(ready) : maxRows;
    return { first: split.next, stride: split.stride, count, baseNs: this.#baseNs };
  }

  /** First event that the rate does not allow yet; undefined: no rate. */
  #due(): bigint | undefined {
    if (this.#spec.eventsPerSecond === undefined) return undefined;
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs;
    return this.#startedAt + BigInt(Math.floor((elapsedMs * this.#spec.eventsPerSecond) / 1000));
  }

  /** Milliseconds until the rate allows the next event. */
  #nextInMs(): number {
    const { eventsPerSecond } = this.#spec;
    if (eventsPerSecond === undefined) return 0;
    const events = Number(this.#slowest().next - this.#startedAt) + 1;
    return Math.ceil((events * 1000) / eventsPerSecond - (this.#clock.elapsedMs() - this.#startedMs));
  }

  produced(count: number, watermarkNs: bigint | undefined): void {
    const split = this.#slowest();
    split.next += BigInt(count) * BigInt(split.stride);
    split.watermarkNs = later(split.watermarkNs, watermarkNs);
    if (split.end !== undefined && split.next >= split.end) this.#splits = this.#splits.filter((s) => s !== split);
  }

  async wait(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(Math.min(POLL_MS.most, Math.max(POLL_MS.least, this.#nextInMs())), signal);
  }

  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    const slowest = this.#slowest();
    const end = slowest.end ?? this.#spec.eventCount;
    if (end !== undefined && slowest.next >= end) return "end";
    const known = this.#splits.filter((s) => s.end !== undefined || this.#spec.eventCount === undefined || s.next < this.#spec.eventCount);
    let ns: bigint | undefined;
    for (const split of known) {
      if (split.watermarkNs === undefined) return undefined;
      if (ns === undefined || split.watermarkNs < ns) ns = split.watermarkNs;
    }
    return ns === undefined ? undefined : { ns, partition: this.#context.subtask };
  }

  positions(): readonly SplitPosition[] {
    return this.#splits.map((split) => toPosition(split, this.#baseNs));
  }

  describe(_partition: number, position: bigint): string {
    return `event ${position} of table "${this.#context.table}"`;
  }

  async close(): Promise<void> {}
}

/** An open split as a finite one: its events below `end`. */
function closeAt(split: Split, end: bigint): Split {
  return { ...split, end, name: `${split.next % BigInt(split.stride)}/${split.stride} to ${end}` };
}

function toPosition({ name, stride, end, next, watermarkNs }: Split, baseNs: bigint): SplitPosition {
  return {
    split: name,
    version: 1,
    stride,
    next: next.toString(),
    baseNs: baseNs.toString(),
    ...(end === undefined ? {} : { end: end.toString() }),
    ...(watermarkNs === undefined ? {} : { watermarkNs: watermarkNs.toString() }),
  };
}

/** A position as a split. Throws `version-mismatch` for one of another version. */
function fromPosition(position: SplitPosition): Split {
  if (position["version"] !== 1) {
    const version = String(position["version"]);
    throw internalError("version-mismatch", `position of split "${position.split}" has version ${version}, this build reads version 1`);
  }
  const number = (field: string): bigint | undefined => (position[field] === undefined ? undefined : BigInt(String(position[field])));
  return {
    name: position.split,
    stride: Number(position["stride"]),
    end: number("end"),
    next: must(number("next"), "next event of a position"),
    watermarkNs: number("watermarkNs"),
  };
}

function later(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

function lowest(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

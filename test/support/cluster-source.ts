/**
 * Input of a cluster: every table cut into a few splits of whole lines, read in chunks of any size. Splits are shared out anew when the
 * parallelism changes; their positions and watermarks are what a checkpoint keeps of a source.
 */
import { must } from "../../src/core/assert.ts";
import { internalError } from "../../src/core/errors.ts";
import type { Prng } from "../../src/core/prng.ts";
import { BEFORE_TIME, END_OF_TIME } from "../../src/dataflow/watermark.ts";
import { STATUS } from "../../src/program/abi.ts";
import type { PooledInstance } from "./cluster-memory.ts";

/** How far a split has been read. */
export interface SplitState {
  readonly vertex: number;
  readonly partition: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly watermark: bigint;
  /** What event time says of it: `watermark`, or that of the last multiple of `watermarkEveryRows`. */
  readonly published: bigint;
  /** Rows read, bad ones included. */
  readonly rows: number;
  readonly done: boolean;
}

const NEWLINE = 10;

/** Splits of one table at their beginning: up to `most` of them, cut behind newlines at random. */
export function splitTable(prng: Prng, vertex: number, bytes: Uint8Array, most: number): readonly SplitState[] {
  const cuts = new Set([0, bytes.length]);
  for (let i = 1; i < most; i++) {
    const end = bytes.indexOf(NEWLINE, prng.below(bytes.length + 1));
    if (end >= 0) cuts.add(end + 1);
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  const ranges = sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
  return (ranges.length === 0 ? [bytes] : ranges).map((range, partition) => ({
    vertex,
    partition,
    bytes: range,
    at: 0,
    watermark: BEFORE_TIME,
    published: BEFORE_TIME,
    rows: 0,
    done: range.length === 0,
  }));
}

type Mutable = { -readonly [K in keyof SplitState]: SplitState[K] };

/** The splits of one source vertex in one subtask. */
export class ClusterSource {
  readonly vertex: number;
  /** Its end has been told to control. */
  ended = false;
  /** Event time may have changed. */
  stale = false;
  readonly #splits: readonly Mutable[];
  readonly #prng: Prng;
  readonly #everyRows: number | undefined;

  /** `everyRows`: event time advances after every so many rows of a split, not before and not later. Undefined: whenever it likes. */
  constructor(vertex: number, splits: readonly SplitState[], prng: Prng, everyRows?: number) {
    this.vertex = vertex;
    this.#everyRows = everyRows;
    this.#splits = splits.map((split) => ({ ...split }));
    this.#prng = prng;
  }

  get done(): boolean {
    return this.#splits.every((split) => split.done);
  }

  positions(): readonly SplitState[] {
    return this.#splits.map((split) => ({ ...split }));
  }

  /** The least of the unread splits. */
  watermark(): bigint {
    return this.#splits.reduce((least, split) => (!split.done && split.published < least ? split.published : least), END_OF_TIME);
  }

  /** Scans a piece of one split, at most `maxRows` rows. Returns the module's status. */
  read(instance: PooledInstance, maxRows: number): number {
    const split = this.#prng.pick(this.#splits.filter((s) => !s.done));
    const every = this.#everyRows;
    const room = every === undefined ? maxRows : Math.min(maxRows, every - (split.rows % every));
    const rest = split.bytes.length - split.at;
    for (let want = Math.min(rest, this.#prng.pick([1, 40, 700, 20_000])); ; want = Math.min(rest, want * 3)) {
      const status = this.#scan(instance, split, want, room);
      if (instance.scanBytes() > 0 || status !== STATUS.idle) return status;
      if (want === rest) throw internalError("invariant", `scan consumes nothing of the last ${rest} bytes of a split`);
    }
  }

  #scan(instance: PooledInstance, split: Mutable, want: number, maxRows: number): number {
    const piece = split.bytes.subarray(split.at, split.at + want);
    const base = instance.inputBuffer(this.vertex, want + 64);
    instance.memory.set(piece, base);
    instance.setTime(0n);
    const last = split.at + want === split.bytes.length;
    const status = instance.scan(this.vertex, base, base + want, last, maxRows, split.partition, BigInt(split.at));
    split.at += instance.scanBytes();
    split.done = split.at === split.bytes.length;
    const watermark = instance.scanWatermark();
    if (watermark !== undefined && watermark > split.watermark) split.watermark = watermark;
    split.rows += instance.scanRows();
    if (this.#everyRows === undefined || (split.rows % this.#everyRows === 0 && instance.scanRows() > 0)) {
      split.published = split.watermark;
      this.stale = true;
    }
    return status;
  }
}

/** Splits of `vertex` that `subtask` reads: split s belongs to subtask s mod parallelism. */
export function ownSplits(splits: readonly SplitState[], vertex: number, subtask: number, parallelism: number): readonly SplitState[] {
  return splits.filter((split) => split.vertex === vertex && must(split.partition, "partition") % parallelism === subtask);
}

/**
 * Drives a connector's source as a slot would, without a module: rows are lines, a row's event time is the number it begins with. Stops
 * anywhere, so that positions can be restored elsewhere.
 */
import type { ByteSource, EventSource, SplitPosition, SubtaskContext } from "../../src/connectors/connector.ts";
import { internalError } from "../../src/core/errors.ts";
import type { Prng } from "../../src/core/prng.ts";
import type { OptionValues } from "../../src/program/operator.ts";

/** A subtask's place. */
export function subtaskContext(options: OptionValues, subtask = 0, parallelism = 1, run = 1): SubtaskContext {
  return { job: "job1", run, vertex: 4, subtask, parallelism, table: "events", options };
}

/** What was read of a source. */
export interface Drained {
  readonly rows: string[];
  readonly ended: boolean;
  /** Bytes of the longest chunk. */
  readonly longestChunk: number;
  /** Rows that were given up because they were too long. */
  readonly tooLong: number;
}

/** Bytes of a row at most, as the scanner has it. */
const MAX_ROW_BYTES = 16 << 20;
const MAX_STEPS = 2_000_000;

/** How a scanner goes through one chunk. */
interface Taken {
  readonly bytes: number;
  readonly rows: readonly string[];
  readonly tooLong: boolean;
}

function takeRows(bytes: Uint8Array, last: boolean, maxRows: number): Taken {
  const rows: string[] = [];
  let at = 0;
  while (at < bytes.length && rows.length < maxRows) {
    const newline = bytes.indexOf(10, at);
    if (newline < 0 && !last) break;
    const end = newline < 0 ? bytes.length : newline;
    rows.push(Buffer.from(bytes.subarray(at, end)).toString().replace(/\r$/, ""));
    at = newline < 0 ? end : newline + 1;
  }
  const tooLong = at === 0 && !last && bytes.length > MAX_ROW_BYTES;
  return { bytes: tooLong ? bytes.length : at, rows, tooLong };
}

/** Reads rows of an open source until about `limit` of them, or to the end or until it is idle. */
export async function drainBytes(source: ByteSource, prng: Prng, limit = Number.POSITIVE_INFINITY): Promise<Drained> {
  const rows: string[] = [];
  let longestChunk = 0;
  let tooLong = 0;
  let time: bigint | undefined;
  for (let steps = 0; rows.length < limit; steps++) {
    if (steps > MAX_STEPS) throw internalError("invariant", "the source does not come to an end");
    const chunk = await source.read();
    if (chunk === "end" || chunk === "idle") return { rows, ended: chunk === "end", longestChunk, tooLong };
    longestChunk = Math.max(longestChunk, chunk.bytes.length);
    const taken = takeRows(chunk.bytes, chunk.last, Math.min(limit - rows.length, prng.pick([1, 3, 100, 10_000])));
    for (const row of taken.rows) rows.push(row);
    if (taken.tooLong) tooLong++;
    const times = taken.rows.map((row) => BigInt(/^\d+/.exec(row)?.[0] ?? 0));
    const watermark = times.reduce<bigint | undefined>((high, ns) => (high === undefined || ns > high ? ns : high), undefined);
    source.consumed(taken.bytes, taken.rows.length, watermark);
    time = checkTime(source, time);
  }
  return { rows, ended: false, longestChunk, tooLong };
}

function checkTime(source: ByteSource | EventSource, before: bigint | undefined): bigint | undefined {
  const now = source.watermark();
  if (now === "end") return before;
  const ns = now?.ns;
  if (before !== undefined && (ns === undefined || ns < before)) throw internalError("invariant", `time went back from ${before} to ${ns}`);
  return ns;
}

/** Events that an open generator makes until about `limit`, to its end or until it is idle. An event's time is its number. */
export function drainEvents(source: EventSource, prng: Prng, limit = Number.POSITIVE_INFINITY): { events: bigint[]; ended: boolean } {
  const events: bigint[] = [];
  let time: bigint | undefined;
  while (events.length < limit) {
    const next = source.next(Math.min(prng.pick([1, 2, 7, 100]), limit - events.length));
    if (next === "end" || next === "idle") return { events, ended: next === "end" };
    const made = Array.from({ length: next.count }, (_, i) => next.first + BigInt(i * next.stride));
    const before = source.watermark();
    if (before !== undefined && before !== "end" && made.some((event) => event < before.ns))
      throw internalError("invariant", `event ${made[0]} is behind the watermark ${before.ns}`);
    for (const event of made) events.push(event);
    source.produced(next.count, made.at(-1));
    time = checkTime(source, time);
  }
  return { events, ended: false };
}

/** Positions as a checkpoint would keep them. */
export function checkpointed(sources: readonly { positions(): readonly SplitPosition[] }[]): readonly SplitPosition[] {
  return JSON.parse(JSON.stringify(sources.flatMap((s) => s.positions()))) as SplitPosition[];
}

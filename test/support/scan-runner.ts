/**
 * Feeds bytes to a compiled source in odd pieces, as a slot would, and collects what comes out: encoded rows in order, error records,
 * the number of rows that the scanner says it took. For programs of one source, one encoder and one sink.
 */
import { must } from "../../src/core/assert.ts";
import { internalError } from "../../src/core/errors.ts";
import type { Prng } from "../../src/core/prng.ts";
import { TIMESTAMP } from "../../src/data/data-type.ts";
import type { Column, Shape } from "../../src/data/schema.ts";
import { ERROR_REASONS, ERROR_RECORD_HEADER, type ModuleExports, STATUS } from "../../src/program/abi.ts";
import type { Format, SourceOperator } from "../../src/program/operator.ts";
import type { Program } from "../../src/program/program.ts";
import { column } from "./oracle-programs.ts";

/** One record of the error buffer. */
export interface ScanError {
  readonly reason: string;
  readonly position: number;
  /** −1: none. */
  readonly column: number;
  readonly partition: number;
  readonly payload: string;
}

/** What a scan of a whole input gave. */
export interface ScanOutcome {
  readonly lines: readonly string[];
  readonly errors: readonly ScanError[];
  readonly rows: number;
}

/** A table as the scanner sees it: what is declared and what of it is read. */
export interface ScanTable {
  readonly declared: SourceOperator["declared"];
  readonly shape: Shape;
  readonly columns: readonly Column[];
}

/** Source → encoder → sink: every column that is read is written in `output`. */
export function scanProgram(table: ScanTable, input: Format, output: Format): Program {
  const { columns, shape, declared } = table;
  const watermark = column(columns.length, TIMESTAMP, false);
  const base = { updating: false };
  const fingerprint = (id: number): string => id.toString(16).padStart(32, "0");
  return {
    version: 1,
    fingerprint: fingerprint(0),
    vertices: [
      {
        id: 0,
        name: "source",
        fingerprint: fingerprint(0),
        output: { ...base, columns },
        operator: {
          kind: "source",
          table: "t",
          connector: "single_file",
          options: { path: "t" },
          format: input,
          shape,
          declared,
          watermark,
          idleMs: 0,
          badData: "drop",
        },
      },
      {
        id: 1,
        name: "encode",
        fingerprint: fingerprint(1),
        output: { ...base, columns: [] },
        operator: { kind: "encode", format: output, shape, keyColumns: [] },
      },
      {
        id: 2,
        name: "sink",
        fingerprint: fingerprint(2),
        output: { ...base, columns: [] },
        operator: { kind: "sink", table: "out", connector: "single_file", options: { path: "out" } },
      },
    ],
    edges: [
      { id: 0, source: 0, target: 1, port: 0, exchange: { kind: "forward" } },
      { id: 1, source: 1, target: 2, port: 0, exchange: { kind: "gather" } },
    ],
  };
}

/** Sizes of pieces: smaller than a row, about a row, many rows. */
export const ODD_SIZES = [1, 7, 17, 300, 5000, 100_000] as const;

/** Scans `bytes` in pieces whose sizes `prng` picks from `sizes`. `origin`: the input position of the first byte. */
export function scanPieces(exports: ModuleExports, bytes: Uint8Array, prng: Prng, sizes: readonly number[] = ODD_SIZES): ScanOutcome {
  const collector = new Collector(exports);
  let at = 0;
  let carried = 0;
  while (at < bytes.length || carried > 0) {
    const take = Math.min(bytes.length - at, prng.pick(sizes));
    const last = at + take >= bytes.length;
    const length = carried + take;
    const base = exports.inputBuffer(0, length + 64) >>> 0;
    const area = new Uint8Array(exports.memory.buffer, base, length);
    area.set(bytes.subarray(at, at + take), carried);
    const from = scanArea(exports, collector, { base, length, last, position: at - carried, maxRows: prng.pick([1, 5, 100, 8192]) });
    area.copyWithin(0, from);
    carried = length - from;
    at += take;
    if (last) break;
  }
  if (carried > 0) throw internalError("invariant", `${carried} bytes were left unread`);
  return collector;
}

interface Area {
  readonly base: number;
  readonly length: number;
  readonly last: boolean;
  readonly position: number;
  readonly maxRows: number;
}

/** Scans one piece; the number of bytes that were consumed. */
function scanArea(exports: ModuleExports, collector: Collector, { base, length, last, position, maxRows }: Area): number {
  let from = 0;
  for (;;) {
    exports.scan(0, base + from, base + length, last ? 1 : 0, maxRows, 3, BigInt(position + from));
    const consumed = exports.scanBytes() >>> 0;
    collector.drain(exports.scanRows());
    from += consumed;
    if (consumed === 0 || from >= length) return from;
  }
}

/** Collects what scans and generators of a one-source program queue. */
export class Collector implements ScanOutcome {
  readonly lines: string[] = [];
  readonly errors: ScanError[] = [];
  rows = 0;
  readonly #exports: ModuleExports;

  constructor(exports: ModuleExports) {
    this.#exports = exports;
  }

  /** Takes what waits after a call that took `rows` rows. */
  drain(rows: number): void {
    const x = this.#exports;
    this.rows += rows;
    const view = new DataView(x.memory.buffer);
    for (let entry = x.outputPeek() >>> 0; entry !== 0; entry = x.outputPeek() >>> 0) {
      const frame = view.getUint32(entry, true);
      const text = Buffer.from(x.memory.buffer, frame + 96, view.getUint32(frame + 60, true)).toString();
      for (const line of text.split("\n").slice(0, -1)) this.lines.push(line);
      x.outputPop();
      x.frameFree(frame);
    }
    this.#drainErrors(view);
    if (x.fatalCode() !== 0) throw internalError("slot-failed", `fatal ${x.fatalCode()}, status ${STATUS.fatal}`);
  }

  #drainErrors(view: DataView): void {
    const x = this.#exports;
    const buffer = x.errorBuffer() >>> 0;
    const end = buffer + (x.errorBytes() >>> 0);
    for (let at = buffer; at < end; at += view.getUint32(at, true)) {
      const length = view.getUint32(at + 28, true);
      this.errors.push({
        reason: must(ERROR_REASONS[view.getUint32(at + 8, true)], "reason"),
        partition: view.getUint32(at + 12, true),
        position: Number(view.getBigInt64(at + 16, true)),
        column: view.getInt32(at + 24, true),
        payload: Buffer.from(x.memory.buffer, at + ERROR_RECORD_HEADER, length).toString("latin1"),
      });
    }
    x.errorReset();
  }
}

/**
 * The oracle: runs a program row at a time, each operator over all of its input before the next, with no optimisation at all. Nothing
 * here batches, streams or shares code with the engine, so that the two can only agree by both being right.
 *
 * Changelogs are consolidated at once: an updating edge carries the rows that remain in the end. Without `watermarkEveryRows` no row is
 * ever late. TTLs and idleness do not exist here, generators neither (their rows are given as NDJSON).
 */
import { assert, must } from "../../src/core/assert.ts";
import { userError } from "../../src/core/errors.ts";
import { floorDiv } from "../../src/core/time.ts";
import { INT64 } from "../../src/data/data-type.ts";
import type { Expression } from "../../src/program/expression.ts";
import type {
  ComputeOperator,
  EncodeOperator,
  SourceOperator,
  UpdatingAggregateOperator,
  Window,
  WindowAggregateOperator,
  WindowJoinOperator,
} from "../../src/program/operator.ts";
import { edgeSchema, inputs as inputEdges, inputSchema, type Program, type Vertex } from "../../src/program/program.ts";
import { aggregateValues, contribution, keyIdentity } from "./aggregate.ts";
import { decodeLines } from "./decode.ts";
import { encodeRow } from "./encode.ts";
import { evaluate } from "./expression.ts";
import { RowError, type Value } from "./value.ts";

/** How to run. */
export interface OracleOptions {
  /** Event time in ns of tables without one. Default 0. */
  readonly recordTimeNs?: bigint;
  /**
   * Honour lateness as a single subtask does that advances event time after every so many rows of its one source. Undefined: event time
   * only advances when all rows are there.
   */
  readonly watermarkEveryRows?: number;
}

/** What a run gives. The lines of a sink are in no particular order; of an updating sink they create the rows that remain. */
export interface OracleResult {
  readonly sinks: Readonly<Record<string, readonly string[]>>;
  /** Rows dropped because they came behind the watermark. */
  readonly late: number;
  /** Lines that sources could not read. */
  readonly bad: number;
  /** Rows dropped because an expression failed on them, and aggregates that overflowed. */
  readonly errors: number;
}

/** A row between operators. `watermark`: event time of its subtask when it came, if that is known. */
interface Row {
  readonly values: readonly Value[];
  readonly timestamp: bigint;
  readonly watermark: bigint | undefined;
}

/** A row's physical columns; the weight, which only updating edges have, is always +1 here. */
const physical = (row: Row): readonly Value[] => [...row.values, row.timestamp, 1n];

/** Runs `program` on `inputs`, the bytes of each table by its name. */
export function interpret(program: Program, inputs: Readonly<Record<string, Uint8Array>>, options: OracleOptions = {}): OracleResult {
  return new Interpreter(program, inputs, options).run();
}

class Interpreter {
  readonly #program: Program;
  readonly #inputs: Readonly<Record<string, Uint8Array>>;
  readonly #options: OracleOptions;
  readonly #rows = new Map<number, readonly Row[]>();
  readonly #lines = new Map<number, readonly string[]>();
  #late = 0;
  #bad = 0;
  #errors = 0;

  constructor(program: Program, inputs: Readonly<Record<string, Uint8Array>>, options: OracleOptions) {
    this.#program = program;
    this.#inputs = inputs;
    this.#options = options;
    const sources = program.vertices.filter((v) => v.operator.kind === "source");
    assert(options.watermarkEveryRows === undefined || sources.length === 1, "lateness is only defined for a program with one source");
  }

  run(): OracleResult {
    const sinks: Record<string, string[]> = {};
    for (const vertex of this.#program.vertices) {
      const operator = vertex.operator;
      if (operator.kind === "encode") {
        this.#lines.set(vertex.id, this.#encode(operator, vertex));
      } else if (operator.kind === "sink") {
        sinks[operator.table] ??= [];
        for (const edge of inputEdges(this.#program, vertex.id)) sinks[operator.table]?.push(...(this.#lines.get(edge.source) ?? []));
      } else {
        this.#rows.set(vertex.id, this.#rowsOf(vertex));
      }
    }
    return { sinks, late: this.#late, bad: this.#bad, errors: this.#errors };
  }

  #rowsOf(vertex: Vertex): readonly Row[] {
    const operator = vertex.operator;
    switch (operator.kind) {
      case "source":
        return this.#read(operator, vertex);
      case "compute":
        return this.#input(vertex).flatMap((row) => this.#compute(operator, row));
      case "window-aggregate":
        return this.#windowAggregate(operator, this.#input(vertex));
      case "updating-aggregate":
        return this.#updatingAggregate(operator, this.#input(vertex));
      case "window-join":
        return this.#windowJoin(operator, vertex);
      default:
        throw userError("unsupported", `the oracle cannot run "${vertex.name}"`);
    }
  }

  #input(vertex: Vertex, port = 0): readonly Row[] {
    const edges = inputEdges(this.#program, vertex.id).filter((edge) => edge.port === port);
    return edges.flatMap((edge) => this.#rows.get(edge.source) ?? []);
  }

  /** The value, or `undefined` after a row error, which is counted. */
  #attempt<T>(compute: () => T): T | undefined {
    try {
      return compute();
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      this.#errors++;
      return undefined;
    }
  }

  #read(source: SourceOperator, vertex: Vertex): readonly Row[] {
    const bytes = must(this.#inputs[source.table], `input of table "${source.table}"`);
    const format = must(source.format, `format of table "${source.table}"`);
    const rows: Row[] = [];
    const removed: Row[] = [];
    let watermark: bigint | undefined;
    let next: bigint | undefined;
    for (const [number, line] of decodeLines(bytes, format, source.shape, vertex.output.columns).entries()) {
      if (this.#options.watermarkEveryRows !== undefined && number % this.#options.watermarkEveryRows === 0) watermark = next;
      if ("bad" in line) {
        this.#bad++;
        continue;
      }
      const added = line.added.flatMap((values) => this.#stamp(source, values, watermark));
      removed.push(...line.removed.flatMap((values) => this.#stamp(source, values, watermark)));
      rows.push(...added);
      for (const row of added) {
        const claimed = watermarkOf(source.watermark, row);
        if (claimed !== undefined && (next === undefined || claimed > next)) next = claimed;
      }
    }
    return removed.length === 0 ? rows : subtract(rows, removed, vertex);
  }

  #stamp(source: SourceOperator, values: readonly Value[], watermark: bigint | undefined): readonly Row[] {
    const recordTime = this.#options.recordTimeNs ?? 0n;
    if (source.eventTime === undefined) return [{ values, timestamp: recordTime, watermark }];
    const eventTime = source.eventTime;
    const timestamp = this.#attempt(() => evaluate(eventTime, [...values, recordTime]));
    if (timestamp === null) this.#bad++;
    return typeof timestamp === "bigint" ? [{ values, timestamp, watermark }] : [];
  }

  #compute(operator: ComputeOperator, row: Row): readonly Row[] {
    const values = this.#attempt(() => {
      const input = physical(row);
      if (operator.filter !== undefined && evaluate(operator.filter, input) !== true) return [];
      return [operator.outputs.map((output) => evaluate(output, input))];
    });
    return (values ?? []).map((v) => ({ ...row, values: v }));
  }

  #windowAggregate(operator: WindowAggregateOperator, rows: readonly Row[]): readonly Row[] {
    const groups = new Groups(operator);
    for (const row of rows) {
      const windows = windowsOf(operator.window, row.timestamp);
      const open = windows.filter((window) => row.watermark === undefined || window.end > row.watermark);
      if (open.length === 0) {
        // A hop that is longer than its window leaves gaps: rows in them belong nowhere, but are not late.
        if (windows.length > 0) this.#late++;
        continue;
      }
      // `row.watermark` stops here: rows of a closed window come at its end, never late.
      this.#attempt(() => groups.add(row, open));
    }
    return groups.all().flatMap((group) => {
      const results = this.#results(operator, group);
      const bounds = operator.window.kind === "instant" ? [] : [group.window.start, group.window.end];
      return results === undefined
        ? []
        : [{ values: [...group.keys, ...bounds, ...results], timestamp: group.window.end - 1n, watermark: undefined }];
    });
  }

  #updatingAggregate(operator: UpdatingAggregateOperator, rows: readonly Row[]): readonly Row[] {
    const groups = new Groups(operator);
    const forever = { start: 0n, end: 0n };
    for (const row of rows) this.#attempt(() => groups.add(row, [forever]));
    if (operator.keys.length === 0 && groups.all().length === 0) groups.addEmpty(forever);
    return groups.all().flatMap((group) => {
      const results = this.#results(operator, group);
      return results === undefined ? [] : [{ values: [...group.keys, ...results], timestamp: group.newest, watermark: undefined }];
    });
  }

  #results(operator: Grouping, group: Group): readonly Value[] | undefined {
    return this.#attempt(() =>
      operator.aggregates.map((aggregate, i) =>
        aggregateValues(
          aggregate,
          group.contributions.map((c) => c[i] ?? null),
        ),
      ),
    );
  }

  #windowJoin(operator: WindowJoinOperator, vertex: Vertex): readonly Row[] {
    const left = this.#keyed(operator.leftKeys, this.#input(vertex, 0));
    const right = this.#keyed(operator.rightKeys, this.#input(vertex, 1));
    const nulls = (port: number): null[] => inputSchema(this.#program, vertex.id, port).columns.map(() => null);
    const joined: Row[] = [];
    const matchedRight = new Set<Row>();
    const rightByKey = new Map<string | undefined, (typeof right)[number][]>();
    for (const r of right) rightByKey.set(r.key, [...(rightByKey.get(r.key) ?? []), r]);
    for (const l of left) {
      const candidates = l.key === undefined ? [] : (rightByKey.get(l.key) ?? []);
      const matches = candidates.filter((r) => this.#passes(operator, l.row, r.row));
      for (const r of matches) matchedRight.add(r.row);
      joined.push(...matches.map((r) => ({ ...l.row, values: [...l.row.values, ...r.row.values] })));
      if (matches.length === 0 && (operator.join === "left" || operator.join === "full")) {
        joined.push({ ...l.row, values: [...l.row.values, ...nulls(1)] });
      }
    }
    if (operator.join === "right" || operator.join === "full") {
      const alone = right.filter((r) => !matchedRight.has(r.row));
      joined.push(...alone.map((r) => ({ ...r.row, values: [...nulls(0), ...r.row.values] })));
    }
    return joined;
  }

  #passes(operator: WindowJoinOperator, left: Row, right: Row): boolean {
    const filter = operator.filter;
    return filter === undefined || this.#attempt(() => evaluate(filter, [...left.values, ...right.values, left.timestamp])) === true;
  }

  /** Rows with the identity of their window and key; `undefined` if a part of the key is NULL, which equals nothing. */
  #keyed(keys: readonly Expression[], rows: readonly Row[]): readonly { readonly key: string | undefined; readonly row: Row }[] {
    return rows.flatMap((row) => {
      const values = this.#attempt(() => keys.map((key) => evaluate(key, physical(row))));
      if (values === undefined) return [];
      const identity = keyIdentity([INT64, ...keys.map((key) => key.type)], [row.timestamp, ...values]);
      return [{ key: values.includes(null) ? undefined : identity, row }];
    });
  }

  #encode(operator: EncodeOperator, vertex: Vertex): readonly string[] {
    return inputEdges(this.#program, vertex.id).flatMap((edge) => {
      const columns = edgeSchema(this.#program, edge).columns;
      return (this.#rows.get(edge.source) ?? []).map((row) => encodeRow(row.values, operator.shape, columns, operator.format));
    });
  }
}

function watermarkOf(expression: Expression, row: Row): bigint | undefined {
  try {
    const value = evaluate(expression, physical(row));
    return typeof value === "bigint" ? value : undefined;
  } catch (error) {
    if (error instanceof RowError) return undefined;
    throw error;
  }
}

/** `rows` without one occurrence of each of `removed`. */
function subtract(rows: readonly Row[], removed: readonly Row[], vertex: Vertex): readonly Row[] {
  const types = vertex.output.columns.map((column) => column.type);
  const counts = new Map<string, number>();
  for (const row of removed) counts.set(keyIdentity(types, row.values), (counts.get(keyIdentity(types, row.values)) ?? 0) + 1);
  return rows.filter((row) => {
    const identity = keyIdentity(types, row.values);
    const count = counts.get(identity) ?? 0;
    counts.set(identity, count - 1);
    return count <= 0;
  });
}

interface WindowBounds {
  readonly start: bigint;
  readonly end: bigint;
}

/** The windows that hold `timestamp`, oldest first. */
function windowsOf(window: Window, timestamp: bigint): readonly WindowBounds[] {
  if (window.kind === "instant") return [{ start: timestamp, end: timestamp + 1n }];
  const slide = window.kind === "tumble" ? window.widthNs : window.slideNs;
  const windows: WindowBounds[] = [];
  for (let start = floorDiv(timestamp, slide) * slide; start + window.widthNs > timestamp; start -= slide) {
    windows.unshift({ start, end: start + window.widthNs });
  }
  return windows;
}

type Grouping = Pick<WindowAggregateOperator, "keys" | "aggregates">;

interface Group {
  readonly keys: readonly Value[];
  readonly window: WindowBounds;
  /** For each row of the group, for each aggregate. */
  readonly contributions: (readonly Value[])[];
  newest: bigint;
}

/** Groups by window and key, each with everything its aggregates need. */
class Groups {
  readonly #operator: Grouping;
  readonly #groups = new Map<string, Group>();

  constructor(operator: Grouping) {
    this.#operator = operator;
  }

  /** Throws `RowError` before anything has changed. */
  add(row: Row, windows: readonly WindowBounds[]): void {
    const input = physical(row);
    const keys = this.#operator.keys.map((key) => evaluate(key, input));
    const contributions = this.#operator.aggregates.map((aggregate) => contribution(aggregate, input));
    for (const window of windows) {
      const group = this.#group(keys, window, row.timestamp);
      group.contributions.push(contributions);
      if (row.timestamp > group.newest) group.newest = row.timestamp;
    }
  }

  addEmpty(window: WindowBounds): void {
    this.#group([], window, 0n);
  }

  #group(keys: readonly Value[], window: WindowBounds, timestamp: bigint): Group {
    const types = this.#operator.keys.map((key) => key.type);
    const identity = keyIdentity([INT64, ...types], [window.start, ...keys]);
    const group = this.#groups.get(identity) ?? { keys, window, contributions: [], newest: timestamp };
    this.#groups.set(identity, group);
    return group;
  }

  all(): readonly Group[] {
    return [...this.#groups.values()];
  }
}

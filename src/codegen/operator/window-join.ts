/**
 * Joins rows of two inputs that have the same `_timestamp` and equal keys. Both sides are kept per timestamp (a pane) until the
 * watermark has passed it; then the right side is indexed and the left side probes it, batch by batch. A NULL key matches
 * nothing; such a row is kept only where an outer join will emit it.
 *
 * Phases of a firing window: 1 index the right side, 2 probe (candidates, then the filter), 3 left rows without match, 4 right
 * rows without match. Matched rows are MARKED. A row behind the watermark is late.
 */

import { must } from "../../core/assert.ts";
import { userError } from "../../core/errors.ts";
import { TIMESTAMP } from "../../data/data-type.ts";
import type { Column } from "../../data/schema.ts";
import { physicalColumns } from "../../data/schema.ts";
import type { Expression } from "../../program/expression.ts";
import type { WindowJoinOperator } from "../../program/operator.ts";
import { inputSchema, inputs } from "../../program/program.ts";
import { declareOutput, emitReserve } from "../aggregate-output.ts";
import { slotClass } from "../entry-layout.ts";
import { emitCondition } from "../expression.ts";
import { emitKeyHash } from "../key-hash.ts";
import { Printer } from "../printer.ts";
import { RowScope } from "../scope.ts";
import { emitMakeState, emitStateFunctions, stateSchemaHash } from "../state-function.ts";
import type { StoredColumn, StoredRow } from "../stored-row.ts";
import { emitStore, emitStoredColumn, equalValues, isPresent, storedTextLength, storeRows } from "../stored-row.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

/** Bytes of text in a batch at which it closes. */
const TEXT_MAX = 4 << 20;
/** Rows indexed by one call. */
const BUDGET = 65_536;

/** One input. */
interface Side {
  readonly port: 0 | 1;
  readonly columns: readonly Column[];
  readonly timestamp: number;
  readonly keys: readonly number[];
  readonly row: StoredRow;
  /** Rows without match are emitted. */
  readonly outer: boolean;
  readonly gathered: boolean;
}

interface Join {
  readonly vertex: number;
  readonly left: Side;
  readonly right: Side;
  readonly output: readonly Column[];
  readonly filter: Expression | undefined;
}

function sideOf(context: EmitContext, port: 0 | 1, keys: readonly Expression[], outer: boolean): Side {
  const schema = inputSchema(context.program, context.vertex.id, port);
  if (schema.updating) throw userError("unsupported", "a window join over updating input is not supported");
  const indexes = keys.map((k) => {
    if (k.kind !== "column") throw userError("unsupported", "a join key must be a column of the input");
    return k.index;
  });
  return {
    port,
    columns: physicalColumns(schema),
    timestamp: schema.columns.length,
    keys: indexes,
    row: storeRows(schema.columns),
    outer,
    gathered: keys.length === 0 || inputs(context.program, context.vertex.id).some((e) => e.exchange.kind === "gather"),
  };
}

/** Emits a window join. */
export function emitWindowJoin(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as WindowJoinOperator;
  const kept = (side: "left" | "right"): boolean => operator.join === side || operator.join === "full";
  const join: Join = {
    vertex: context.vertex.id,
    left: sideOf(context, 0, operator.leftKeys, kept("left")),
    right: sideOf(context, 1, operator.rightKeys, kept("right")),
    output: physicalColumns(context.vertex.output),
    filter: operator.filter,
  };
  const p = new Printer();
  p.declare("let CLOSED: i64 = i64.MIN_VALUE;\nlet FIRING: bool = false;\nlet PANES: usize = 0;\nlet OUT: usize = 0;");
  p.declare("let HASHES: usize = 0;\nlet LEFTS: usize = 0;\nlet RIGHTS: usize = 0;");
  emitStateFunctions(p);
  emitPanes(p, join);
  emitPush(p, join);
  emitTime(p);
  emitColumns(p, join);
  emitProbe(p, join);
  for (const side of [join.left, join.right]) if (side.outer) emitAlone(p, side);
  const filterText = join.filter === undefined ? undefined : emitFilter(p, join, join.filter);
  emitPull(p, join, filterText !== undefined);
  emitRestore(p, join);
  emitInit(p, join);
  return {
    source: p.text(),
    expands: true,
    flushes: false,
    stateful: true,
    stateSchema: stateSchemaHash([join.left.row.layout, join.right.row.layout]),
  };
}

/** `paneOf(at)`: the left table of a timestamp; the right one is its sibling 1. */
function emitPanes(p: Printer, join: Join): void {
  const add = p.use("state-snapshot", "addTable");
  p.block("function paneOf(at: i64): usize", () => {
    p.line(`let t = ${p.use("pane", "findPane")}(PANES, at);`);
    p.line("if (t != 0) return t;");
    p.line(`t = ${add}(STATE, 0, at, ${join.left.row.layout.size});`);
    p.line(`${p.use("group-table", "setSibling")}(t, 1, ${add}(STATE, 1, at, ${join.right.row.layout.size}));`);
    p.line(`${p.use("pane", "insertPane")}(PANES, at, t);`);
    p.line("return t;");
  });
  p.block("function dropPanes(count: usize): void", () => {
    p.block("for (let i: usize = 0; i < count; i++)", () => {
      p.line(`const t = ${p.use("pane", "paneTable")}(PANES, i);`);
      p.line(`${p.use("state-snapshot", "dropTable")}(STATE, ${p.use("group-table", "siblingOf")}(t, 1));`);
      p.line(`${p.use("state-snapshot", "dropTable")}(STATE, t);`);
    });
    p.line(`${p.use("pane", "removeFirstPanes")}(PANES, count);`);
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
  });
}

function keyColumns(side: Side): readonly StoredColumn[] {
  return side.keys.map((k) => must(side.row.columns[k], `key column ${k}`));
}

/** Condition that no key of entry `e` is NULL. */
function keyPresent(side: Side, e: string): string {
  const parts = keyColumns(side)
    .map((c) => isPresent(c, e))
    .filter((c) => c !== "true");
  return parts.length === 0 ? "true" : parts.join(" && ");
}

function emitPush(p: Printer, join: Join): void {
  for (const side of [join.left, join.right]) {
    const { port } = side;
    emitStore(p, `store${port}`, side.row, side.columns);
    const keys = side.keys.map((index) => ({ index, ...must(side.columns[index], "key") }));
    if (keys.length > 0) for (const line of emitKeyHash(`hash${port}`, keys).split("\n")) p.line(line);
    emitReportLate(p, join.vertex, side);
    emitPushSide(p, join, side);
  }
  p.block("export function push(batch: usize, port: i32): void", () => {
    p.line(`${p.use("stats", "countRowsIn")}(${join.vertex}, ${p.use("batch", "batchRows")}(batch));`);
    p.line("if (port == 0) push0(batch);\n  else push1(batch);");
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
  });
}

function emitPushSide(p: Printer, join: Join, side: Side): void {
  const { port } = side;
  const scope = new RowScope(p, side.columns, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      const at = scope.column(side.timestamp).value;
      p.line(`if (${at} <= CLOSED) { reportLate${port}(batch, r, ${at}); continue; }`);
      const nullable = side.keys.filter((k) => must(side.columns[k], "key").nullable);
      if (!side.outer && nullable.length > 0) {
        const present = nullable.map((k) => scope.column(k).valid).join(" && ");
        p.line(`if (!(${present})) { ${p.use("stats", "countFiltered")}(${join.vertex}, 1); continue; }`);
      }
      const table = port === 0 ? "paneOf(at)" : `${p.use("group-table", "siblingOf")}(paneOf(at), 1)`;
      p.line(`if (t == 0 || ${at} != at) { at = ${at}; t = ${table}; }`);
      p.line(
        `store${port}(batch, r, t, ${p.use("group-table", "appendEntry")}(t, ${side.keys.length === 0 ? "0" : "load<u64>(HASHES + (r << 3))"}));`,
      );
    });
  });
  p.line(`function push${port}(batch: usize): void {`);
  p.line(`  const n = ${p.use("batch", "batchRows")}(batch);`);
  if (side.keys.length > 0) p.line(`  hash${port}(batch, n, HASHES);`);
  p.append(scope.hoisted("batch"));
  p.line("  let t: usize = 0;\n  let at: i64 = 0;");
  p.append(body);
  p.line("}");
}

function emitReportLate(p: Printer, vertex: number, side: Side): void {
  const scope = new RowScope(p, side.columns, "r");
  const other = p.use("late-row", "lateOther");
  const body = p.capture(() => {
    for (const k of side.keys) {
      const { type, valid, value, length } = scope.column(k);
      const shown = {
        signed: () => `${p.use("late-row", "lateSigned")}(<i64>${value});`,
        unsigned: () => `${p.use("late-row", "lateUnsigned")}(<u64>${value});`,
        text: () => `${p.use("late-row", "lateText")}(${value}, ${length});`,
        float: () => `${other}(false);`,
      }[slotClass(type)]();
      p.line(valid === "true" ? `  ${shown}` : `  if (${valid}) ${shown} else ${other}(true);`);
    }
  });
  p.block(`function reportLate${side.port}(batch: usize, r: usize, at: i64): void`, () => {
    p.append(scope.hoisted("batch"));
    p.line(`${p.use("stats", "countLate")}(${vertex}, 1);`);
    p.line(`${p.use("late-row", "startLateRow")}(at);`);
    p.append(body);
    p.line(`${p.use("late-row", "reportLateRow")}(${vertex}, batch, r);`);
  });
}

function emitTime(p: Printer): void {
  p.block("function oldest(): i64", () => {
    p.line(`return ${p.use("pane", "paneCount")}(PANES) == 0 ? i64.MAX_VALUE : ${p.use("pane", "paneStart")}(PANES, 0);`);
  });
  p.block("export function restoreWatermark(ns: i64): void", () => p.line("if (ns != i64.MIN_VALUE && ns - 1 > CLOSED) CLOSED = ns - 1;"));
  p.block("export function watermark(ns: i64): i32", () => {
    p.line("restoreWatermark(ns);");
    p.line("FIRING = oldest() <= CLOSED;");
    p.line("return <i32>FIRING;");
  });
}

function emitColumns(p: Printer, { left, right, output }: Join): void {
  for (const [i, stored] of left.row.columns.entries()) emitStoredColumn(p, stored, i, "LEFTS", right.outer);
  const first = left.row.columns.length;
  for (const [i, stored] of right.row.columns.entries()) emitStoredColumn(p, stored, first + i, "RIGHTS", left.outer);
  for (const [i, column] of output.entries()) declareOutput(p, column.type, nullableOutput(left, right, i), i);
}

/** Whether the generated column can be NULL: what `emitStoredColumn` decides. */
function nullableOutput(left: Side, right: Side, i: number): boolean {
  const first = left.row.columns.length;
  if (i < first) return right.outer || left.row.columns[i]?.column.nullable === true;
  return i < first + right.row.columns.length && (left.outer || right.row.columns[i - first]?.column.nullable === true);
}

/** Statement that appends a pair; `l`, `r`: entries or 0. */
function appendPair(p: Printer, join: Join, l: string, r: string): void {
  const stamp = join.output.length - 1;
  p.line(`store<u32>(LEFTS + (n << 2), <u32>${l});`);
  p.line(`store<u32>(RIGHTS + (n << 2), <u32>${r});`);
  p.line(`store<i64>(V${stamp} + (n << 3), STAMP);`);
  const text = [l === "0" ? "" : storedTextLength(join.left.row, l), r === "0" ? "" : storedTextLength(join.right.row, r)].filter(
    (t) => t !== "",
  );
  if (text.length > 0) p.line(`TEXT += ${text.join(" + ")};`);
  p.line("n++;");
}

/** `build(): bool` indexes right rows, `probe(n): usize` appends pairs until the left side ends (OPEN false) or the batch is full. */
function emitProbe(p: Printer, join: Join): void {
  const { left, right } = join;
  const g = (name: string): string => p.use("group-table", name);
  p.declare(
    "let PHASE: i32 = 0;\nlet OPEN: bool = false;\nlet CHUNK: usize = 0;\nlet INDEX: u32 = 0;\nlet TEXT: usize = 0;\nlet STAMP: i64 = 0;",
  );
  p.declare("let LEFT: usize = 0;\nlet RIGHT: usize = 0;\nlet PROBE: usize = 0;\nlet MATCH: usize = 0;");
  p.block("function save(): void", () => p.line(`CHUNK = ${g("cursorChunk")};\n  INDEX = ${g("cursorIndex")};`));
  const pairs = keyColumns(left).map((c, i) => equalValues(p, c, must(keyColumns(right)[i], "right key")));
  p.block("function matches(a: usize, b: usize): bool", () => p.line(`return ${["load<u64>(a) == load<u64>(b)", ...pairs].join(" && ")};`));
  p.block("function build(): bool", () => {
    p.line(`${g("setCursor")}(CHUNK, INDEX);`);
    p.block(`for (let i: i32 = 0; i < ${BUDGET}; i++)`, () => {
      p.line(`const e = ${g("nextEntry")}();`);
      p.line("if (e == 0) return true;");
      p.line(`if (${keyPresent(right, "e")}) ${p.use("join-index", "indexEntry")}(e);`);
    });
    p.line("save();\n  return false;");
  });
  p.block("function probe(n: usize): usize", () => {
    p.line(`${g("setCursor")}(CHUNK, INDEX);`);
    p.block(`while (n < 8192 && TEXT < ${TEXT_MAX})`, () => {
      p.block("if (MATCH == 0)", () => {
        p.line(`PROBE = ${g("nextEntry")}();`);
        p.line("if (PROBE == 0) { OPEN = false; break; }");
        p.line(`if (${keyPresent(left, "PROBE")}) MATCH = ${p.use("join-index", "firstIndexed")}(load<u64>(PROBE));`);
        p.line("continue;");
      });
      p.line("const e = MATCH;");
      p.line(`MATCH = ${p.use("join-index", "nextIndexed")}(e);`);
      p.line("if (!matches(PROBE, e)) continue;");
      appendPair(p, join, "PROBE", "e");
      if (join.filter === undefined && left.outer) p.line(mark(p, "PROBE"));
      if (join.filter === undefined && right.outer) p.line(mark(p, "e"));
    });
    p.line("save();\n  return n;");
  });
  if (left.outer) p.block("function pairLeft(e: usize, n: usize): usize", () => pairAlone(p, join, "e", "0"));
  if (right.outer) p.block("function pairRight(e: usize, n: usize): usize", () => pairAlone(p, join, "0", "e"));
}

function pairAlone(p: Printer, join: Join, l: string, r: string): void {
  appendPair(p, join, l, r);
  p.line("return n;");
}

function mark(p: Printer, e: string): string {
  return `store<u32>(${e}, load<u32>(${e}, 8) | ${p.use("group-table", "MARKED")}, 8);`;
}

/** `aloneLeft(n)`, `aloneRight(n)`: rows without match from the cursor on. */
function emitAlone(p: Printer, side: Side): void {
  const name = side.port === 0 ? "Left" : "Right";
  p.block(`function alone${name}(n: usize): usize`, () => {
    p.line(`${p.use("group-table", "setCursor")}(CHUNK, INDEX);`);
    p.block(`while (n < 8192 && TEXT < ${TEXT_MAX})`, () => {
      p.line(`const e = ${p.use("group-table", "nextEntry")}();`);
      p.line("if (e == 0) { OPEN = false; break; }");
      p.line(`if ((load<u32>(e, 8) & ${p.use("group-table", "MARKED")}) == 0) n = pair${name}(e, n);`);
    });
    p.line("save();\n  return n;");
  });
}

/** `filter(n): usize` keeps the pairs for which the filter is true over the output columns, and marks their rows. */
function emitFilter(p: Printer, join: Join, filter: Expression): string {
  const { left, right } = join;
  const output = join.output.map((c, i) => ({ ...c, nullable: nullableOutput(left, right, i) }));
  const scope = new RowScope(p, output, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      const condition = emitCondition(scope, filter);
      if (scope.faults)
        p.line(`if (fault != 0) { ${p.use("row-report", "reportFault")}(${join.vertex}, fault, OUT, r); fault = 0; continue; }`);
      p.line(`if (!(${condition})) continue;`);
      p.line("const a = <usize>load<u32>(LEFTS + (r << 2));\n    const b = <usize>load<u32>(RIGHTS + (r << 2));");
      if (left.outer) p.line(mark(p, "a"));
      if (right.outer) p.line(mark(p, "b"));
      p.line("store<u32>(LEFTS + (m << 2), <u32>a);\n    store<u32>(RIGHTS + (m << 2), <u32>b);\n    m++;");
    });
  });
  p.line("function filter(n: usize): usize {");
  p.append(scope.hoisted("OUT"));
  p.line("  let m: usize = 0;");
  if (scope.faults) p.line("  let fault: i32 = 0;");
  p.append(scope.scratch ? [body[0] ?? "", `    ${p.use("scratch", "scratchReset")}();`, ...body.slice(1)] : body);
  p.line("  return m;\n}");
  return "filter";
}

function emitPull(p: Printer, join: Join, filtered: boolean): void {
  const { left, right, output, vertex } = join;
  const g = (name: string): string => p.use("group-table", name);
  p.block("function fillColumns(n: usize): void", () => {
    for (let i = 0; i < output.length - 1; i++) p.line(`column${i}(n);`);
    p.line(`${p.use("batch", "setColumn")}(OUT, ${output.length - 1}, V${output.length - 1}, 0, 0);`);
    p.line(`${p.use("batch", "setBatchRows")}(OUT, n);`);
  });
  p.block("function emitPairs(n: usize, candidates: bool): void", () => {
    p.line("if (n == 0) return;");
    p.line(`${p.use("row-errors", "clearProvenance")}();`);
    p.line("fillColumns(n);");
    if (filtered) {
      p.block("if (candidates)", () => {
        p.line("const m = filter(n);\n    if (m == 0) return;\n    if (m != n) fillColumns(m);\n    n = m;");
      });
    }
    p.line(`${p.use("stats", "countRowsOut")}(${vertex}, n);`);
    p.line(`${p.import(`./e${vertex}.ts`, "emit")}(OUT);`);
  });
  p.block("export function pull(): i32", () => {
    p.line("if (!FIRING) return 0;");
    p.line("let n: usize = 0;\n  let done: usize = 0;\n  let candidates = false;\n  TEXT = 0;");
    p.block("while (true)", () => {
      p.block("if (PHASE == 0)", () => {
        p.line(`if (done >= ${p.use("pane", "paneCount")}(PANES) || ${p.use("pane", "paneStart")}(PANES, done) > CLOSED) break;`);
        p.line(`STAMP = ${p.use("pane", "paneStart")}(PANES, done);`);
        p.line(`LEFT = ${p.use("pane", "paneTable")}(PANES, done);\n      RIGHT = ${g("siblingOf")}(LEFT, 1);`);
        p.line(`${p.use("join-index", "openIndex")}(load<u32>(RIGHT, ${g("TABLE_LIVE")}));`);
        p.line(`${g("startCursor")}(RIGHT);\n      save();\n      PHASE = 1;`);
      });
      p.block("if (PHASE == 1)", () => {
        p.line("if (!build()) break;");
        p.line(`${g("startCursor")}(LEFT);\n      save();\n      PHASE = 2;\n      OPEN = true;\n      MATCH = 0;`);
      });
      p.block("if (PHASE == 2)", () => {
        if (filtered) p.line("if (n != 0) break;\n      candidates = true;");
        p.line("n = probe(n);\n      if (OPEN) break;");
        p.line(
          `${p.use("join-index", "closeIndex")}();\n      ${g("startCursor")}(LEFT);\n      save();\n      PHASE = 3;\n      OPEN = true;`,
        );
        if (filtered) p.line("if (n != 0) break;\n      candidates = false;");
      });
      p.block("if (PHASE == 3)", () => {
        if (left.outer) p.line("n = aloneLeft(n);\n      if (OPEN) break;");
        p.line(`${g("startCursor")}(RIGHT);\n      save();\n      PHASE = 4;\n      OPEN = true;`);
      });
      if (right.outer) p.line("n = aloneRight(n);\n    if (OPEN) break;");
      p.line("PHASE = 0;\n    done++;");
      p.line(`if (n >= 8192 || TEXT >= ${TEXT_MAX}) break;`);
    });
    p.line("emitPairs(n, candidates);");
    p.line("dropPanes(done);");
    p.line("FIRING = oldest() <= CLOSED;");
    p.line("return <i32>FIRING;");
  });
}

function emitRestore(p: Printer, { left, right }: Join): void {
  p.declare("let RESTORED: usize = 0;");
  const values = p.use("batch", "columnValues");
  const owned = left.gathered ? `${p.use("exchange", "subtask")} == 0` : `${p.use("state-snapshot", "ownsHash")}(h)`;
  p.block("export function restore(frame: usize): i32", () => {
    const columns = Math.max(left.row.layout.columns, right.row.layout.columns);
    p.line(`if (RESTORED == 0) RESTORED = ${p.use("batch", "makeBatch")}(${columns});`);
    p.line(`${p.use("frame", "readFrame")}(frame, RESTORED);`);
    p.line(`const n = ${p.use("frame", "frameRows")}(frame);`);
    p.line("const kind = <usize>load<u16>(frame, 20);");
    p.line("let t: usize = 0;");
    p.block("for (let r: usize = 0; r < n; r++)", () => {
      p.line(`const h = load<u64>(${values}(RESTORED, 0) + (r << 3));`);
      p.line(`if (!(${owned})) continue;`);
      p.block("if (t == 0)", () => {
        p.line("t = paneOf(load<i64>(frame, 24));");
        p.line(`if (kind == 1) t = ${p.use("group-table", "siblingOf")}(t, 1);`);
      });
      p.line(`${p.use("state-snapshot", "restoreSlots")}(STATE, t, ${p.use("group-table", "appendEntry")}(t, h), RESTORED, r);`);
    });
    p.line("return 0;");
  });
}

function emitInit(p: Printer, { vertex, left, right, output }: Join): void {
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    emitMakeState(p, vertex, [left.row.layout, right.row.layout]);
    p.line(`PANES = ${p.use("pane", "makePanes")}();`);
    for (const name of ["LEFTS", "RIGHTS"]) p.line(`${name} = ${reserve}(8192 * 4 + 64);`);
    p.line(`HASHES = ${reserve}(8192 * 8 + 64);`);
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${output.length});`);
    for (const [i, c] of output.entries()) emitReserve(p, i === output.length - 1 ? TIMESTAMP : c.type, nullableOutput(left, right, i), i);
  });
}

/**
 * Aggregation by window and key over event time. Rows go to *panes* (tables by pane start, gcd(slide, width) wide), so a row
 * is added once however many windows it is in. A window fires when the watermark has reached its end: `pull` emits it batch by
 * batch, straight from its pane, or from a temporary table into which the panes of a hopping window have been merged.
 *
 * A row is late when the last window that it belongs to has fired (its end ≤ watermark). Rows in the gaps of a hop longer than
 * its width belong nowhere and count as filtered. Rows do not arrive between `watermark` and the `pull` that says idle.
 *
 * Constants and variables of the generated file: PANE and WIDTH in ns; CLOSED, the start of the newest window that has fired
 * or been passed over; NEXT, the start of the oldest hopping window that has not.
 */

import type { ScalarType } from "../../data/data-type.ts";
import { TIMESTAMP } from "../../data/data-type.ts";
import type { Window, WindowAggregateOperator } from "../../program/operator.ts";
import type { OutputColumn } from "../aggregate-output.ts";
import {
  aggregateColumn,
  declareOutput,
  emitOutputColumn,
  emitReserve,
  keyColumn,
  representable,
  textLength,
} from "../aggregate-output.ts";
import { emitCheck, emitUpdate } from "../aggregate-update.ts";
import { emitExpression } from "../expression.ts";
import { emitLookup, rowKey } from "../group-table.ts";
import type { Grouping } from "../grouping.ts";
import { emitGroups, emitLateKey, emitOpenTables, emitRestore, hashStatement, planGrouping, rowHash, touchStatement } from "../grouping.ts";
import { Printer } from "../printer.ts";
import { RowScope } from "../scope.ts";
import { emitMakeState, emitStateFunctions, stateSchemaHash } from "../state-function.ts";
import { emitValueSets } from "../value-set.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";
import { emitMerge } from "../window-merge.ts";

/** Pane width, window width and slide in ns. */
interface Extent {
  readonly pane: bigint;
  readonly width: bigint;
  readonly slide: bigint;
  readonly instant: boolean;
  /** A window is one pane. */
  readonly solo: boolean;
  /** Some times are in no window. */
  readonly gaps: boolean;
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}

function extentOf(window: Window): Extent {
  if (window.kind === "instant") return { pane: 1n, width: 1n, slide: 1n, instant: true, solo: true, gaps: false };
  const width = window.widthNs;
  const slide = window.kind === "hop" ? window.slideNs : width;
  const pane = gcd(slide, width);
  return { pane, width, slide, instant: false, solo: pane === width, gaps: slide > width };
}

/** Bytes of text in a batch at which it closes. */
const TEXT_MAX = 4 << 20;

/** An output column: computed from the entry, or a bound of the window. */
interface Output {
  readonly type: ScalarType;
  readonly nullable: boolean;
  readonly column: OutputColumn | undefined;
}

/** Emits a window aggregate. */
export function emitWindowAggregate(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as WindowAggregateOperator;
  const grouping = planGrouping(context, operator, { removes: false, counted: false });
  const extent = extentOf(operator.window);
  const p = new Printer();
  const outputs = outputsOf(p, grouping, extent);
  p.declare(`const PANE: i64 = ${extent.pane};\nconst WIDTH: i64 = ${extent.width};\nconst SLIDE: i64 = ${extent.slide};`);
  p.declare(
    "let CLOSED: i64 = i64.MIN_VALUE;\nlet FIRING: bool = false;\nlet PANES: usize = 0;\nlet OUT: usize = 0;\nlet OUTPUTS: usize = 0;",
  );
  emitStateFunctions(p);
  emitGroups(p, grouping, () => {});
  emitValueSets(p, grouping.plan, grouping.layout);
  emitOpenTables(p, grouping);
  emitPaneOf(p);
  emitPush(p, grouping, extent);
  emitTime(p, extent);
  for (const [i, o] of outputs.entries()) {
    if (o.column === undefined) declareOutput(p, o.type, false, i);
    else emitOutputColumn(p, o.column, i);
  }
  if (!extent.solo) {
    emitLookup(p, "lookup", grouping.layout);
    emitMerge(p, grouping);
  }
  emitPull(p, grouping, extent, outputs);
  emitRestore(p, grouping, "paneOf(at)");
  emitInit(p, grouping, extent, outputs);
  const layouts = [grouping.layout, ...grouping.plan.valueSets.map((s) => s.layout)];
  return { source: p.text(), expands: true, flushes: false, stateful: true, stateSchema: stateSchemaHash(layouts) };
}

function outputsOf(p: Printer, grouping: Grouping, extent: Extent): readonly Output[] {
  const bound: Output = { type: TIMESTAMP, nullable: false, column: undefined };
  const computed = (column: OutputColumn): Output => ({ type: column.type, nullable: column.nullable, column });
  const keys = grouping.layout.keys.map((k) => computed(keyColumn(k)));
  const aggregates = grouping.plan.aggregates.map((a) => computed(aggregateColumn(p, a)));
  return [...keys, ...(extent.instant ? [] : [bound, bound]), ...aggregates, bound];
}

/** `paneOf(start)`: the pane's group table, made if need be. */
function emitPaneOf(p: Printer): void {
  p.block("function paneOf(start: i64): usize", () => {
    p.line(`let t = ${p.use("pane", "findPane")}(PANES, start);`);
    p.line("if (t != 0) return t;");
    p.line("t = openTables(STATE, start);");
    p.line(`${p.use("pane", "insertPane")}(PANES, start, t);`);
    p.line("return t;");
  });
}

/** `push`: groups of all rows first (ENTRIES), then one loop over all accumulators. */
function emitPush(p: Printer, grouping: Grouping, extent: Extent): void {
  const { plan, vertex } = grouping;
  const update = { vertex, columns: grouping.columns, weight: undefined, table: "<usize>load<u32>(TABLES + (r << 2))" };
  const checked = emitCheck(p, plan, update);
  if (plan.contributions.length > 0) emitUpdate(p, plan, update, () => {});
  emitReportLate(p, grouping);
  emitResolve(p, grouping, extent, checked);
  p.declare("let ENTRIES: usize = 0;\nlet TABLES: usize = 0;\nlet HASHES: usize = 0;\nlet FAULTS: usize = 0;");
  p.block("export function push(batch: usize, port: i32): void", () => {
    p.line(`const n = ${p.use("batch", "batchRows")}(batch);`);
    p.line(`${p.use("stats", "countRowsIn")}(${vertex}, n);`);
    if (checked) p.line("check(batch, n);");
    p.line(hashStatement(grouping));
    p.line("resolve(batch, n);");
    if (plan.contributions.length > 0) p.line("update(batch, n);");
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
  });
}

function emitReportLate(p: Printer, grouping: Grouping): void {
  const scope = new RowScope(p, grouping.columns, "r");
  const body = p.capture(() => emitLateKey(scope, grouping));
  p.block("function reportLate(batch: usize, r: usize, at: i64): void", () => {
    p.append(scope.hoisted("batch"));
    p.line(`${p.use("stats", "countLate")}(${grouping.vertex}, 1);`);
    p.line(`${p.use("late-row", "startLateRow")}(at);`);
    p.append(body);
    p.line(`${p.use("late-row", "reportLateRow")}(${grouping.vertex}, batch, r);`);
  });
}

/** `resolve(batch, n)` finds every row's pane and group: ENTRIES, and TABLES if value sets need it. */
function emitResolve(p: Printer, grouping: Grouping, extent: Extent, checked: boolean): void {
  const { layout, keyIndexes } = grouping;
  const scope = new RowScope(p, grouping.columns, "r");
  const sets = grouping.plan.valueSets.length > 0;
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      p.line(touchStatement(p, grouping, `${p.use("pane", "lastTable")}(PANES)`));
      if (checked) p.line("if (load<u8>(FAULTS + r) != 0) { store<u32>(ENTRIES + (r << 2), 0); continue; }");
      const at = scope.column(grouping.timestamp).value;
      p.block(`if (${at} < low || ${at} > high)`, () => emitSelectPane(p, extent, at));
      p.line("if (t == 0) { store<u32>(ENTRIES + (r << 2), 0); continue; }");
      const values = layout.keys.map((k, i) =>
        emitExpression(scope, { kind: "column", index: keyIndexes[i] ?? 0, type: k.type, nullable: k.nullable }),
      );
      p.line(`const e = find(t, ${rowHash(grouping)}, ${rowKey(scope, layout.keys, values)});`);
      p.line(`if (load<u8>(${p.use("state-block", "CHANGE_MAP")} + (e >>> 12)) != 1) ${p.use("group-table", "markChanged")}(e);`);
      p.line("store<u32>(ENTRIES + (r << 2), <u32>e);");
      if (sets) p.line("store<u32>(TABLES + (r << 2), <u32>t);");
    });
  });
  p.line("function resolve(batch: usize, n: usize): void {");
  p.append(scope.hoisted("batch"));
  p.line("  let t: usize = 0;\n  let low: i64 = 1;\n  let high: i64 = 0;");
  p.append(body);
  p.line("}");
}

/** Makes `t` the pane of time `at` with bounds low…high, or skips the row. */
function emitSelectPane(p: Printer, extent: Extent, at: string): void {
  const align = p.use("pane", "alignDown");
  p.line(`const start = ${align}(${at}, PANE);`);
  p.line("low = 1;\n      high = 0;\n      t = 0;");
  const last = extent.solo && !extent.gaps ? "start" : "last";
  if (last === "last") p.line(`const last = ${align}(${at}, SLIDE);`);
  if (extent.gaps)
    p.line(
      `if (${at} - last >= WIDTH) { ${p.use("stats", "countFiltered")}(${"VERTEX"}, 1); store<u32>(ENTRIES + (r << 2), 0); continue; }`,
    );
  p.line(`if (${last} <= CLOSED) { reportLate(batch, r, ${at}); store<u32>(ENTRIES + (r << 2), 0); continue; }`);
  p.line("t = paneOf(start);\n      low = start;\n      high = start + (PANE - 1);");
}

/** `watermark`, `restoreWatermark` and `nextWindow`. */
function emitTime(p: Printer, extent: Extent): void {
  p.block("function closedAt(ns: i64): i64", () => p.line("return ns < i64.MIN_VALUE + WIDTH ? i64.MIN_VALUE : ns - WIDTH;"));
  if (!extent.solo) p.declare("let NEXT: i64 = i64.MIN_VALUE;");
  p.block("export function restoreWatermark(ns: i64): void", () => {
    p.line("const closed = closedAt(ns);");
    p.line("if (closed > CLOSED) CLOSED = closed;");
    if (!extent.solo) p.line("passOver();");
  });
  if (!extent.solo) {
    p.line("/** Windows up to CLOSED have fired or were empty. */");
    p.block("function passOver(): void", () => {
      p.line("if (CLOSED == i64.MIN_VALUE) return;");
      p.line(`const next = ${p.use("pane", "alignDown")}(CLOSED, SLIDE) + SLIDE;`);
      p.line("if (next > NEXT) NEXT = next;");
    });
  }
  p.line("/** Start of the oldest window with rows that has not fired; i64 maximum if there is none. */");
  p.block("function oldestWindow(): i64", () => {
    p.line(`if (${p.use("pane", "paneCount")}(PANES) == 0) return i64.MAX_VALUE;`);
    p.line(`const first = ${p.use("pane", "paneStart")}(PANES, 0);`);
    if (extent.solo) p.line("return first;");
    else {
      p.line(`const oldest = ${p.use("pane", "alignDown")}(first - WIDTH, SLIDE) + SLIDE;`);
      p.line("return oldest > NEXT ? oldest : NEXT;");
    }
  });
  p.block("export function watermark(ns: i64): i32", () => {
    p.line("const closed = closedAt(ns);");
    p.line("if (closed <= CLOSED) return 0;");
    p.line("CLOSED = closed;");
    p.line("FIRING = oldestWindow() <= CLOSED;");
    if (!extent.solo) p.line("if (!FIRING) passOver();");
    p.line("return <i32>FIRING;");
  });
}

function emitPull(p: Printer, grouping: Grouping, extent: Extent, outputs: readonly Output[]): void {
  p.declare("let OPEN: bool = false;\nlet CHUNK: usize = 0;\nlet INDEX: u32 = 0;\nlet TEXT: usize = 0;");
  emitCollect(p, grouping, extent, outputs);
  if (extent.solo) emitPullSolo(p);
  else emitPullMerged(p);
  const bounds = outputs.flatMap((o, i) => (o.column === undefined ? [i] : []));
  p.block("function emitRows(n: usize): void", () => {
    p.line("if (n == 0) return;");
    for (const [i, o] of outputs.entries()) {
      if (o.column !== undefined) p.line(`column${i}(n);`);
    }
    for (const i of bounds) p.line(`${p.use("batch", "setColumn")}(OUT, ${i}, V${i}, 0, 0);`);
    p.line(`${p.use("batch", "setBatchRows")}(OUT, n);`);
    p.line(`${p.use("row-errors", "clearProvenance")}();`);
    p.line(`${p.use("stats", "countRowsOut")}(${grouping.vertex}, n);`);
    p.line(`${p.import(`./e${grouping.vertex}.ts`, "emit")}(OUT);`);
  });
}

/** `collect(start, n): usize` appends entries from the cursor to OUTPUTS until they end (OPEN becomes false) or the batch is full. */
function emitCollect(p: Printer, grouping: Grouping, extent: Extent, outputs: readonly Output[]): void {
  const columns = outputs.flatMap((o) => o.column ?? []);
  const fits = [
    representable(p, grouping.plan, "e"),
    ...(extent.solo ? [] : [`(load<u32>(e, 8) & ${p.use("group-table", "MARKED")}) == 0`]),
  ];
  const condition = fits.filter((f) => f !== "true").join(" && ");
  const text = textLength(columns, "e");
  const [start, end, stamp] = outputs.flatMap((o, i) => (o.column === undefined ? [i] : []));
  const bounds = extent.instant
    ? `store<i64>(V${start} + (n << 3), start);`
    : `store<i64>(V${start} + (n << 3), start);\n    store<i64>(V${end} + (n << 3), start + WIDTH);\n    store<i64>(V${stamp} + (n << 3), start + (WIDTH - 1));`;
  p.block("function collect(start: i64, n: usize): usize", () => {
    p.line(`${p.use("group-table", "setCursor")}(CHUNK, INDEX);`);
    p.block(`while (n < 8192${text === "" ? "" : ` && TEXT < ${TEXT_MAX}`})`, () => {
      p.line(`const e = ${p.use("group-table", "nextEntry")}();`);
      p.line("if (e == 0) { OPEN = false; break; }");
      if (condition !== "") p.line(`if (!(${condition})) { unrepresentable(); continue; }`);
      p.line("store<u32>(OUTPUTS + (n << 2), <u32>e);");
      p.line(bounds);
      if (text !== "") p.line(`TEXT += ${text};`);
      p.line("n++;");
    });
    p.line(`CHUNK = ${p.use("group-table", "cursorChunk")};`);
    p.line(`INDEX = ${p.use("group-table", "cursorIndex")};`);
    p.line("return n;");
  });
  if (condition === "") return;
  p.line("/** A group whose sum overflowed only when its parts were put together: no one row is to blame. */");
  p.block("function unrepresentable(): void", () => {
    p.line(`${p.use("stats", "countBad")}(${grouping.vertex}, 1);`);
    p.line(`${p.use("row-errors", "reportRow")}(${grouping.vertex}, ${p.use("row-errors", "INTEGER_OVERFLOW")}, -1, -1, 0, 0);`);
  });
}

/** Several small windows share a batch; their panes are dropped once it has been emitted. */
function emitPullSolo(p: Printer): void {
  p.block("export function pull(): i32", () => {
    p.line("if (!FIRING) return 0;");
    p.line("let n: usize = 0;\n  let done: usize = 0;\n  TEXT = 0;");
    p.block(`while (n < 8192 && TEXT < ${TEXT_MAX} && done < ${p.use("pane", "paneCount")}(PANES))`, () => {
      p.line(`const start = ${p.use("pane", "paneStart")}(PANES, done);`);
      p.line("if (start > CLOSED) break;");
      p.block("if (!OPEN)", () => {
        p.line("OPEN = true;");
        p.line(`${p.use("group-table", "startCursor")}(${p.use("pane", "paneTable")}(PANES, done));`);
        p.line(`CHUNK = ${p.use("group-table", "cursorChunk")};`);
        p.line("INDEX = 0;");
      });
      p.line("n = collect(start, n);");
      p.line("if (!OPEN) done++;");
    });
    p.line("emitRows(n);");
    p.line("dropPanes(done);");
    p.line("FIRING = oldestWindow() <= CLOSED;");
    p.line("return <i32>FIRING;");
  });
}

/** One window at a time: merge its panes (some thousand entries a call), emit, drop what no later window needs. */
function emitPullMerged(p: Printer): void {
  p.declare("let WINDOW: i64 = 0;\nlet PHASE: i32 = 0;");
  p.block("export function pull(): i32", () => {
    p.line("if (!FIRING) return 0;");
    p.block("if (PHASE == 0)", () => {
      p.line("WINDOW = oldestWindow();");
      p.line("startMerge(WINDOW);");
      p.line("PHASE = 1;");
    });
    p.block("if (PHASE == 1)", () => {
      p.line("if (!mergeSome(WINDOW + WIDTH)) return 1;");
      p.line("PHASE = 2;\n    OPEN = true;");
      p.line(`${p.use("group-table", "startCursor")}(TEMPORARY);`);
      p.line(`CHUNK = ${p.use("group-table", "cursorChunk")};`);
      p.line("INDEX = 0;");
    });
    p.line("TEXT = 0;");
    p.line("emitRows(collect(WINDOW, 0));");
    p.line("if (OPEN) return 1;");
    p.line("PHASE = 0;");
    p.line("dropTemporary();");
    p.line("NEXT = WINDOW + SLIDE;");
    p.line(`dropPanes(${p.use("pane", "paneIndex")}(PANES, NEXT));`);
    p.line("FIRING = oldestWindow() <= CLOSED;");
    p.line("if (!FIRING) passOver();");
    p.line("return <i32>FIRING;");
  });
}

function emitInit(p: Printer, grouping: Grouping, extent: Extent, outputs: readonly Output[]): void {
  const sets = grouping.plan.valueSets;
  p.declare(`const VERTEX: i32 = ${grouping.vertex};`);
  p.block("function dropPanes(count: usize): void", () => {
    p.block("for (let i: usize = 0; i < count; i++)", () => {
      p.line(`const t = ${p.use("pane", "paneTable")}(PANES, i);`);
      for (const set of sets)
        p.line(`${p.use("state-snapshot", "dropTable")}(STATE, ${p.use("group-table", "siblingOf")}(t, ${set.kind}));`);
      p.line(`${p.use("state-snapshot", "dropTable")}(STATE, t);`);
    });
    p.line(`${p.use("pane", "removeFirstPanes")}(PANES, count);`);
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
  });
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    emitMakeState(p, grouping.vertex, [grouping.layout, ...sets.map((s) => s.layout)]);
    if (!extent.solo) p.line(`TEMPORARIES = ${p.use("state-snapshot", "makeState")}(${grouping.vertex});`);
    p.line(`PANES = ${p.use("pane", "makePanes")}();`);
    for (const name of ["ENTRIES", "TABLES", "OUTPUTS"]) p.line(`${name} = ${reserve}(8192 * 4 + 64);`);
    p.line(`HASHES = ${reserve}(8192 * 8 + 64);\n  FAULTS = ${reserve}(8192);`);
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${outputs.length});`);
    for (const [i, o] of outputs.entries()) emitReserve(p, o.type, o.nullable, i);
  });
}

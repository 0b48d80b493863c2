/**
 * Aggregation without windows, over append-only or updating input. A group's first change since the last flush puts a copy of
 * its entry on the dirty list; the flush compares copy and entry and emits −old +new, nothing if the outputs are equal. −old
 * carries the `_timestamp` that the group had at the last flush. Without keys there is one group, made by subtask 0 at its
 * first flush.
 *
 * Invariant: no group is dirty at a barrier (the host flushes before), so checkpoints need not contain the dirty list.
 *
 * Groups untouched for the TTL are found by a sweep that each flush carries on; a sweep covers the table in at most 16 flushes.
 */

import { must } from "../../core/assert.ts";
import { INT32, isVariable, TIMESTAMP } from "../../data/data-type.ts";
import type { UpdatingAggregateOperator } from "../../program/operator.ts";
import { valueType } from "../accumulator.ts";
import type { OutputColumn } from "../aggregate-output.ts";
import {
  aggregateColumn,
  declareOutput,
  emitOutputColumn,
  emitReserve,
  emitSameOutputs,
  keyColumn,
  representable,
  textLength,
} from "../aggregate-output.ts";
import { emitCheck, emitUpdate } from "../aggregate-update.ts";
import { emitExpression } from "../expression.ts";
import { rowKey } from "../group-table.ts";
import type { Grouping } from "../grouping.ts";
import { emitGroups, emitOpenTables, emitRestore, hashStatement, planGrouping, rowHash, touchStatement } from "../grouping.ts";
import { Printer } from "../printer.ts";
import { RowScope } from "../scope.ts";
import { emitMakeState, emitStateFunctions, stateSchemaHash } from "../state-function.ts";
import { emitValueSets } from "../value-set.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

/** Bytes of text in a batch at which it closes. */
const TEXT_MAX = 4 << 20;
/** Entries that the sweep of one flush looks at, at least. */
const SWEEP_MIN = 32_768;

/** What the functions below share. */
interface Updating {
  readonly grouping: Grouping;
  /** Offset of the largest `_timestamp` of the group. */
  readonly newest: number;
  readonly ttlMs: number;
  readonly columns: readonly OutputColumn[];
}

/** Emits an updating aggregate. */
export function emitUpdatingAggregate(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as UpdatingAggregateOperator;
  const grouping = planGrouping(context, operator, { removes: true, counted: true });
  const p = new Printer();
  const newest = grouping.layout.words(1, "newest");
  const stamp: OutputColumn = { type: TIMESTAMP, nullable: false, present: () => "true", value: (e) => `stampOf(${e})`, text: undefined };
  const values = [...grouping.layout.keys.map(keyColumn), ...grouping.plan.aggregates.map((a) => aggregateColumn(p, a))];
  const updating: Updating = { grouping, newest, ttlMs: operator.keys.length === 0 ? 0 : operator.ttlMs, columns: [...values, stamp] };
  p.declare("let GROUPS: usize = 0;\nlet DIRTY: usize = 0;\nlet OUT: usize = 0;\nlet OUTPUTS: usize = 0;\nlet FLUSHING: bool = false;");
  p.block("function stampOf(e: usize): i64", () => {
    p.line(`const newest = load<i64>(e, ${newest});`);
    p.line("return newest == i64.MIN_VALUE ? 0 : newest;");
  });
  emitStateFunctions(p);
  emitGroups(p, grouping, () => p.line(`store<i64>(e, i64.MIN_VALUE, ${newest});`));
  emitValueSets(p, grouping.plan, grouping.layout);
  emitOpenTables(p, grouping);
  emitPush(p, updating);
  for (const [i, column] of updating.columns.entries()) emitOutputColumn(p, column, i);
  emitSameOutputs(p, values.slice(grouping.layout.keys.length));
  emitRemove(p, updating);
  emitCollect(p, updating);
  emitFlush(p, updating);
  emitRestore(p, grouping, "GROUPS");
  emitInit(p, updating);
  const layouts = [grouping.layout, ...grouping.plan.valueSets.map((s) => s.layout)];
  return { source: p.text(), expands: false, flushes: true, stateful: true, stateSchema: stateSchemaHash(layouts) };
}

function emitPush(p: Printer, { grouping, newest }: Updating): void {
  const { plan, vertex, layout, keyIndexes, weight } = grouping;
  const update = { vertex, columns: grouping.columns, weight, table: "GROUPS" };
  const checked = emitCheck(p, plan, update);
  emitUpdate(p, plan, update, (scope) => {
    const at = scope.column(grouping.timestamp).value;
    p.line(`if (${at} > load<i64>(e, ${newest})) store<i64>(e, ${at}, ${newest});`);
  });
  p.block("function markDirty(e: usize, mark: u32): void", () => {
    p.line(`${p.use("group-table", "markChanged")}(e);`);
    p.line(`if (${p.use("dirty-list", "dirtyDone")}(DIRTY)) ${p.use("state-snapshot", "holdValues")}(STATE, true);`);
    p.line(`${p.use("dirty-list", "addDirty")}(DIRTY, e, ${layout.size}, mark);`);
    p.line(`store<u32>(e, load<u32>(e, 8) | ${p.use("group-table", "MARKED")}, 8);`);
  });
  const scope = new RowScope(p, grouping.columns, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      p.line(touchStatement(p, grouping, "GROUPS"));
      if (checked) p.line("if (load<u8>(FAULTS + r) != 0) { store<u32>(ENTRIES + (r << 2), 0); continue; }");
      const values = layout.keys.map((k, i) =>
        emitExpression(scope, { kind: "column", index: keyIndexes[i] ?? 0, type: k.type, nullable: k.nullable }),
      );
      p.line(`const e = find(GROUPS, ${rowHash(grouping)}, ${rowKey(scope, layout.keys, values)});`);
      p.line(`if ((load<u32>(e, 8) & ${p.use("group-table", "MARKED")}) == 0) markDirty(e, 0);`);
      p.line(`else if (load<u8>(${p.use("state-block", "CHANGE_MAP")} + (e >>> 12)) != 1) ${p.use("group-table", "markChanged")}(e);`);
      p.line("store<u32>(ENTRIES + (r << 2), <u32>e);");
    });
  });
  p.line("function resolve(batch: usize, n: usize): void {");
  p.append(scope.hoisted("batch"));
  p.append(body);
  p.line("}");
  p.declare("let ENTRIES: usize = 0;\nlet HASHES: usize = 0;\nlet FAULTS: usize = 0;");
  p.block("export function push(batch: usize, port: i32): void", () => {
    p.line(`const n = ${p.use("batch", "batchRows")}(batch);`);
    p.line(`${p.use("stats", "countRowsIn")}(${vertex}, n);`);
    if (checked) p.line("check(batch, n);");
    p.line(hashStatement(grouping));
    p.line("resolve(batch, n);");
    p.line("update(batch, n);");
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
  });
}

/** `remove(e)`: the group and its value sets are forgotten. */
function emitRemove(p: Printer, { grouping }: Updating): void {
  const free = p.use("state-snapshot", "freeText");
  const texts = [
    ...grouping.layout.keys.filter((k) => isVariable(k.type)).map((k) => k.offset),
    ...grouping.plan.contributions.flatMap((c) =>
      c.argument !== undefined && isVariable(valueType(c)) ? [c.min, c.max, c.set?.min, c.set?.max] : [],
    ),
  ].filter((offset) => offset !== undefined);
  p.block("function remove(e: usize): void", () => {
    for (const set of grouping.plan.valueSets)
      p.line(`dropMembers${set.kind}(${p.use("group-table", "siblingOf")}(GROUPS, ${set.kind}), e);`);
    for (const offset of texts) p.line(`${free}(GROUPS, <usize>load<u32>(e, ${offset}), <usize>load<u32>(e, ${offset + 4}));`);
    p.line(`${p.use("group-table", "removeEntry")}(GROUPS, e, load<u64>(e));`);
  });
}

/** `collect(): usize` turns dirty records into output rows until they end or the batch is full. */
function emitCollect(p: Printer, { grouping, columns, ttlMs }: Updating): void {
  const { plan, layout } = grouping;
  const keyless = layout.keys.length === 0;
  const rows = must(plan.rows?.count, "row count");
  const emitted = p.use("group-table", "EMITTED");
  const text = textLength(columns, "old");
  const newText = textLength(columns, "e");
  const fits = representable(p, plan, "e");
  const weights = columns.length;
  p.block("function collect(): usize", () => {
    p.line("let n: usize = 0;\n  let text: usize = 0;");
    p.block(`while (n + 2 <= 8192 && text < ${TEXT_MAX})`, () => {
      p.line(`const record = ${p.use("dirty-list", "nextDirty")}(DIRTY, ${layout.size});`);
      p.line("if (record == 0) break;");
      p.line("const e = <usize>load<u32>(record);");
      p.line(`const old = record + ${p.use("dirty-list", "RECORD_COPY")};`);
      p.line(`const expired = load<u32>(record, ${p.use("dirty-list", "RECORD_MARK")}) != 0;`);
      p.line(`${p.use("group-table", "markChanged")}(e);`);
      for (const set of plan.valueSets) if (set.stale !== undefined) p.line(`refresh${set.kind}(e);`);
      p.line(`const was = (load<u32>(old, 8) & ${emitted}) != 0;`);
      p.line(keyless ? "let is = true;" : `let is = !expired && load<i64>(e, ${rows}) > 0;`);
      if (fits !== "true") p.line(`if (is && !(${fits})) { unrepresentable(); is = false; }`);
      p.block("if (!(was && is && same(old, e)))", () => {
        p.line(`if (was) { store<u32>(OUTPUTS + (n << 2), <u32>old); store<i32>(V${weights} + (n << 2), -1); n++; }`);
        p.line(`if (is) { store<u32>(OUTPUTS + (n << 2), <u32>e); store<i32>(V${weights} + (n << 2), 1); n++; }`);
        if (text !== "") p.line(`text += ${text} + ${newText};`);
      });
      p.line(`store<u32>(e, (load<u32>(e, 8) & ~(${p.use("group-table", "MARKED")} | ${emitted})) | (is ? ${emitted} : 0), 8);`);
      if (ttlMs > 0) p.line("store<u32>(e, TICK, 12);");
      if (!keyless) p.line(`if (expired || load<i64>(e, ${rows}) == 0) remove(e);`);
    });
    p.line("return n;");
  });
  if (fits === "true") return;
  p.block("function unrepresentable(): void", () => {
    p.line(`${p.use("stats", "countBad")}(${grouping.vertex}, 1);`);
    p.line(`${p.use("row-errors", "reportRow")}(${grouping.vertex}, ${p.use("row-errors", "INTEGER_OVERFLOW")}, -1, -1, 0, 0);`);
  });
}

/** `flush` and `pull`, and the sweep for expired groups. */
function emitFlush(p: Printer, updating: Updating): void {
  const { grouping, columns, ttlMs } = updating;
  if (ttlMs > 0) emitSweep(p, updating);
  const done = p.use("dirty-list", "dirtyDone");
  p.block("export function flush(nowMs: i64): i32", () => {
    if (grouping.layout.keys.length === 0) {
      const live = `load<u32>(GROUPS, ${p.use("group-table", "TABLE_LIVE")})`;
      p.line(`if (${p.use("exchange", "subtask")} == 0 && ${live} == 0) markDirty(find(GROUPS, 0, 0), 0);`);
    }
    if (ttlMs > 0) p.line("sweep(nowMs);");
    p.line(`${p.use("stats", "countFlush")}(${grouping.vertex});`);
    p.line(`FLUSHING = !${done}(DIRTY);`);
    p.line("return <i32>FLUSHING;");
  });
  p.block("export function pull(): i32", () => {
    p.line("if (!FLUSHING) return 0;");
    p.line("const n = collect();");
    p.block("if (n != 0)", () => {
      for (const i of columns.keys()) p.line(`column${i}(n);`);
      p.line(`${p.use("batch", "setColumn")}(OUT, ${columns.length}, V${columns.length}, 0, 0);`);
      p.line(`${p.use("batch", "setBatchRows")}(OUT, n);`);
      p.line(`${p.use("row-errors", "clearProvenance")}();`);
      p.line(`${p.use("stats", "countRowsOut")}(${grouping.vertex}, n);`);
      p.line(`${p.import(`./e${grouping.vertex}.ts`, "emit")}(OUT);`);
    });
    p.line(`if (!${done}(DIRTY)) return 1;`);
    p.line(`${p.use("dirty-list", "releaseDirty")}(DIRTY);`);
    p.line(`${p.use("state-snapshot", "holdValues")}(STATE, false);`);
    p.line(`${p.use("state-snapshot", "reportStateSize")}(STATE, 0);`);
    p.line("FLUSHING = false;");
    p.line("return 0;");
  });
}

/** Ticks of 1/1024 TTL in a u32 that wraps around: only differences count. */
function emitSweep(p: Printer, { ttlMs }: Updating): void {
  const tickMs = Math.max(1, Math.floor(ttlMs / 1024));
  p.declare("let TICK: u32 = 0;\nlet SWEEP_CHUNK: usize = 0;\nlet SWEEP_INDEX: u32 = 0;");
  p.block("function sweep(nowMs: i64): void", () => {
    const g = (name: string): string => p.use("group-table", name);
    p.line(`TICK = <u32>(nowMs / ${tickMs});`);
    p.line(`let budget = <i32>max<u32>(${SWEEP_MIN}, load<u32>(GROUPS, ${g("TABLE_LIVE")}) >> 4);`);
    p.line(`if (SWEEP_CHUNK == 0) ${g("startCursor")}(GROUPS);`);
    p.line(`else ${g("setCursor")}(SWEEP_CHUNK, SWEEP_INDEX);`);
    p.block("while (budget-- > 0)", () => {
      p.line(`const e = ${g("nextEntry")}();`);
      p.line("if (e == 0) break;");
      p.line(`if ((load<u32>(e, 8) & ${g("MARKED")}) != 0) continue;`);
      p.line(`if (TICK - load<u32>(e, 12) > ${Math.floor(ttlMs / tickMs)}) markDirty(e, 1);`);
    });
    p.line(`SWEEP_CHUNK = ${g("cursorChunk")};`);
    p.line(`SWEEP_INDEX = ${g("cursorIndex")};`);
  });
}

function emitInit(p: Printer, { grouping, columns }: Updating): void {
  const layouts = [grouping.layout, ...grouping.plan.valueSets.map((s) => s.layout)];
  declareOutput(p, INT32, false, columns.length);
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    emitMakeState(p, grouping.vertex, layouts);
    p.line("GROUPS = openTables(STATE, 0);");
    p.line(`DIRTY = ${reserve}(${p.use("dirty-list", "DIRTY_LIST_SIZE")});`);
    p.line(`${p.use("dirty-list", "makeDirtyList")}(DIRTY, STATE);`);
    for (const name of ["ENTRIES", "OUTPUTS"]) p.line(`${name} = ${reserve}(8192 * 4 + 64);`);
    p.line(`HASHES = ${reserve}(8192 * 8 + 64);\n  FAULTS = ${reserve}(8192);`);
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${columns.length + 1});`);
    for (const [i, c] of columns.entries()) emitReserve(p, c.type, c.nullable, i);
    emitReserve(p, INT32, false, columns.length);
  });
}

/**
 * What both aggregating operators generate alike: the entry layout of a group, finding the groups of a batch's rows, updating
 * them, and restoring them from state frames.
 */

import { userError } from "../core/errors.ts";
import type { Column } from "../data/schema.ts";
import { physicalColumns } from "../data/schema.ts";
import type { Expression } from "../program/expression.ts";
import type { Aggregate } from "../program/operator.ts";
import { inputSchema, inputs } from "../program/program.ts";
import type { AccumulatorOptions } from "./accumulator.ts";
import { AccumulatorPlan } from "./accumulator.ts";
import { emitInitialValues } from "./aggregate-update.ts";
import { EntryLayout, FIRST_KEY_COLUMN, slotClass } from "./entry-layout.ts";
import { emitFind, frameKey, frameValue } from "./group-table.ts";
import { emitKeyHash } from "./key-hash.ts";
import type { Printer } from "./printer.ts";
import type { RowScope } from "./scope.ts";
import { memberHashOfFrame } from "./value-set.ts";
import type { EmitContext } from "./vertex.ts";

/** Keys, layout and accumulators of a vertex that aggregates. */
export interface Grouping {
  readonly vertex: number;
  readonly columns: readonly Column[];
  /** Index of `_timestamp` in the input. */
  readonly timestamp: number;
  readonly weight: number | undefined;
  readonly keyIndexes: readonly number[];
  readonly layout: EntryLayout;
  readonly plan: AccumulatorPlan;
  /** All input comes to subtask 0, whatever its key. */
  readonly gathered: boolean;
}

/** Column index of a key. Keys are columns: a keyed exchange routes by columns. */
function keyIndex(expression: Expression): number {
  if (expression.kind !== "column") throw userError("unsupported", "a grouping key must be a column of the input");
  return expression.index;
}

/** Lays out the groups of a vertex. */
export function planGrouping(
  context: EmitContext,
  operator: { readonly keys: readonly Expression[]; readonly aggregates: readonly Aggregate[] },
  options: Pick<AccumulatorOptions, "removes" | "counted">,
): Grouping {
  const { program, vertex } = context;
  const schema = inputSchema(program, vertex.id);
  const layout = new EntryLayout();
  for (const k of operator.keys) layout.key(k.type, k.nullable);
  const keyless = options.counted && operator.keys.length === 0;
  return {
    vertex: vertex.id,
    columns: physicalColumns(schema),
    timestamp: schema.columns.length,
    weight: schema.updating ? schema.columns.length + 1 : undefined,
    keyIndexes: operator.keys.map(keyIndex),
    layout,
    plan: new AccumulatorPlan(layout, operator.aggregates, { ...options, keyless, retracting: schema.updating }),
    gathered: operator.keys.length === 0 || inputs(program, vertex.id).some((e) => e.exchange.kind === "gather"),
  };
}

/** Prints `hashKeys(batch, rows, out)` and `find(t, h, …key)`. */
export function emitGroups(p: Printer, grouping: Grouping, initialise: () => void): void {
  const { layout, keyIndexes, plan } = grouping;
  const keys = layout.keys.map((k, i) => ({ index: keyIndexes[i] ?? 0, type: k.type, nullable: k.nullable }));
  if (keys.length > 0) for (const line of emitKeyHash("hashKeys", keys).split("\n")) p.line(line);
  emitFind(p, "find", layout, () => {
    emitInitialValues(p, plan);
    initialise();
  });
}

/** The statement that fills HASHES for the batch; groups without key have hash 0, so that subtask 0 owns them. */
export function hashStatement(grouping: Grouping): string {
  return grouping.keyIndexes.length > 0 ? "hashKeys(batch, n, HASHES);" : "";
}

/** Statement that reads the groups of the next rows ahead, at the start of row `r` of a loop over n rows; `table`: their likely table. */
export function touchStatement(p: Printer, grouping: Grouping, table: string): string {
  if (grouping.keyIndexes.length === 0) return "";
  const rows = p.use("group-table", "TOUCH_ROWS");
  return `if ((r & (${rows} - 1)) == 0) ${p.use("group-table", "touchGroups")}(${table}, HASHES + (r << 3), min<usize>(${rows}, n - r));`;
}

/** Expression of row `r`'s hash. */
export function rowHash(grouping: Grouping): string {
  return grouping.keyIndexes.length > 0 ? "load<u64>(HASHES + (r << 3))" : "0";
}

/** Prints a row's key as part of the late row's payload. */
export function emitLateKey(scope: RowScope, grouping: Grouping): void {
  const p = scope.printer;
  for (const [i, k] of grouping.layout.keys.entries()) {
    const { valid, value, length } = scope.column(grouping.keyIndexes[i] ?? 0);
    const kind = slotClass(k.type);
    const shown = {
      signed: () => `${p.use("late-row", "lateSigned")}(<i64>${value});`,
      unsigned: () => `${p.use("late-row", "lateUnsigned")}(<u64>${value});`,
      text: () => `${p.use("late-row", "lateText")}(${value}, ${length});`,
      float: () => `${p.use("late-row", "lateOther")}(false);`,
    }[kind]();
    if (valid === "true") p.line(shown);
    else {
      p.line(`if (${valid}) ${shown}`);
      p.line(`else ${p.use("late-row", "lateOther")}(true);`);
    }
  }
}

/**
 * Prints `restore(frame): i32`. `table`: statements' expression of the group table for partition `at`; the tables of value
 * sets are its siblings.
 */
export function emitRestore(p: Printer, grouping: Grouping, table: string): void {
  const { layout, plan, gathered } = grouping;
  const columns = Math.max(...[layout, ...plan.valueSets.map((s) => s.layout)].map((l) => l.columns));
  p.declare("let RESTORED: usize = 0;");
  const owned = gathered ? `${p.use("exchange", "subtask")} == 0` : `${p.use("state-snapshot", "ownsHash")}(h)`;
  const values = p.use("batch", "columnValues");
  const restoreSlots = p.use("state-snapshot", "restoreSlots");
  p.block("export function restore(frame: usize): i32", () => {
    p.line(`if (RESTORED == 0) RESTORED = ${p.use("batch", "makeBatch")}(${columns});`);
    p.line(`${p.use("frame", "readFrame")}(frame, RESTORED);`);
    p.line("const at = load<i64>(frame, 24);");
    p.line("const kind = <u32>load<u16>(frame, 20);");
    p.line(`const n = ${p.use("frame", "frameRows")}(frame);`);
    p.line("let t: usize = 0;");
    p.block("for (let r: usize = 0; r < n; r++)", () => {
      p.line(`const h = load<u64>(${values}(RESTORED, 0) + (r << 3));`);
      p.line(`if (!(${owned})) continue;`);
      p.line(`if (t == 0) t = ${table};`);
      p.line(`const g = find(t, h, ${frameKey(p, layout, "RESTORED", "r")});`);
      p.line(`if (kind == 0) ${restoreSlots}(STATE, t, g, RESTORED, r);`);
      for (const set of plan.valueSets) {
        const column = FIRST_KEY_COLUMN + layout.keys.length;
        const member = frameValue(
          p,
          set.value.type,
          `${values}(RESTORED, ${column})`,
          `${p.use("batch", "columnBytes")}(RESTORED, ${column})`,
          "r",
        );
        p.block(`else if (kind == ${set.kind})`, () => {
          p.line(`const own = ${p.use("group-table", "siblingOf")}(t, ${set.kind});`);
          p.line(`const e = find${set.kind}(own, ${memberHashOfFrame(p, set, member)}, g, ${member.join(", ")});`);
          if (set.links !== undefined) p.line(`if (fresh${set.kind}) link${set.kind}(g, e);`);
          p.line(`fresh${set.kind} = false;`);
          p.line(`${restoreSlots}(STATE, own, e, RESTORED, r);`);
        });
      }
    });
    p.line("return 0;");
  });
}

/** Prints `openTables(state, at): usize`: a group table with those of its value sets. */
export function emitOpenTables(p: Printer, grouping: Grouping): void {
  const add = p.use("state-snapshot", "addTable");
  p.block("function openTables(state: usize, at: i64): usize", () => {
    p.line(`const t = ${add}(state, 0, at, ${grouping.layout.size});`);
    for (const set of grouping.plan.valueSets) {
      p.line(`${p.use("group-table", "setSibling")}(t, ${set.kind}, ${add}(state, ${set.kind}, at, ${set.layout.size}));`);
    }
    p.line("return t;");
  });
}

/**
 * Merging the panes of a hopping window into a temporary table: groups first, pane by pane, then their value sets. Entries are
 * copied as they are; their text stays in the pane, which outlives the temporary table. Integer sums that overflow when put
 * together mark the group (MARKED).
 *
 * The work is cut into calls of at most BUDGET entries.
 */
import { isVariable } from "../data/data-type.ts";
import type { AccumulatorPlan, Contribution } from "./accumulator.ts";
import { valueType } from "./accumulator.ts";
import { beats } from "./aggregate-update.ts";
import { slotClass, slotLocal } from "./entry-layout.ts";
import type { Grouping } from "./grouping.ts";
import type { Printer } from "./printer.ts";
import { memberValue } from "./value-set.ts";

/** Entries merged by one call. */
const BUDGET = 32_768;

/** Prints `startMerge(window)`, `mergeSome(end): bool` (true when done) and `dropTemporary()`. */
export function emitMerge(p: Printer, grouping: Grouping): void {
  const { plan, layout } = grouping;
  const sets = plan.valueSets;
  p.declare("let TEMPORARIES: usize = 0;\nlet TEMPORARY: usize = 0;\nlet MERGED: usize = 0;\nlet KIND: usize = 0;\nlet PART: usize = 0;");
  emitAdopt(p, plan, layout.size);
  p.block("function startMerge(window: i64): void", () => {
    p.line("TEMPORARY = openTables(TEMPORARIES, window);");
    p.line(`MERGED = ${p.use("pane", "paneIndex")}(PANES, window);`);
    p.line("KIND = 0;\n  PART = 0;");
  });
  p.block("function dropTemporary(): void", () => {
    const drop = p.use("state-snapshot", "dropTable");
    for (const set of sets) p.line(`${drop}(TEMPORARIES, ${p.use("group-table", "siblingOf")}(TEMPORARY, ${set.kind}));`);
    p.line(`${drop}(TEMPORARIES, TEMPORARY);`);
  });
  p.block("function mergeSome(end: i64): bool", () => {
    p.line(`let budget: i32 = ${BUDGET};`);
    p.line(`${p.use("group-table", "setCursor")}(CHUNK, INDEX);`);
    p.block(`while (MERGED < ${p.use("pane", "paneCount")}(PANES) && ${p.use("pane", "paneStart")}(PANES, MERGED) < end)`, () => {
      p.block("if (PART == 0)", () => {
        p.line(`const t = ${p.use("pane", "paneTable")}(PANES, MERGED);`);
        p.line(`${p.use("group-table", "startCursor")}(KIND == 0 ? t : ${p.use("group-table", "siblingOf")}(t, KIND));`);
        p.line("PART = 1;");
      });
      p.block("while (true)", () => {
        p.line(`const from = ${p.use("group-table", "nextEntry")}();`);
        p.line("if (from == 0) break;");
        p.line("if (KIND == 0) adopt(from);");
        for (const set of sets) {
          const sibling = p.use("group-table", "siblingOf");
          p.line(
            `else if (KIND == ${set.kind}) contribute${set.kind}(${sibling}(TEMPORARY, ${set.kind}), lookup(TEMPORARY, from), ${memberValue(set, "from")});`,
          );
        }
        p.block("if (--budget == 0)", () => {
          p.line(`CHUNK = ${p.use("group-table", "cursorChunk")};`);
          p.line(`INDEX = ${p.use("group-table", "cursorIndex")};`);
          p.line("return false;");
        });
      });
      p.line("PART = 0;");
      p.line(`if (++KIND > ${sets.length}) { KIND = 0; MERGED++; }`);
    });
    p.line("return true;");
  });
}

/** `adopt(from)`: merges the pane's entry into the temporary table. */
function emitAdopt(p: Printer, plan: AccumulatorPlan, size: number): void {
  p.block("function adopt(from: usize): void", () => {
    p.line("const e = lookup(TEMPORARY, from);");
    p.block("if (e == 0)", () => {
      p.line(`const made = ${p.use("group-table", "insertEntry")}(TEMPORARY, load<u64>(from), load<u64>(from));`);
      p.line(`memory.copy(made + 8, from + 8, ${size - 8});`);
      for (const set of plan.valueSets) {
        p.line(`store<i64>(made, 0, ${set.distinct});`);
        if (set.sum !== undefined) p.line(`store<u64>(made, 0, ${set.sum.offset});\n    store<u64>(made, 0, ${set.sum.offset + 8});`);
      }
      p.line("return;");
    });
    for (const c of plan.contributions) emitMergeContribution(p, c);
  });
}

function emitMergeContribution(p: Printer, c: Contribution): void {
  if (c.count !== undefined) p.line(`store<i64>(e, load<i64>(e, ${c.count}) + load<i64>(from, ${c.count}), ${c.count});`);
  if (c.sum !== undefined) emitMergeSum(p, c, c.sum);
  if (c.wide !== undefined)
    p.line(`${p.use("accumulator", "addWide")}(e + ${c.wide}, load<u64>(from, ${c.wide}), load<i64>(from, ${c.wide + 8}));`);
  if (c.pair !== undefined) {
    const add = p.use("accumulator", "addFloat");
    p.line(`${add}(e + ${c.pair}, load<f64>(from, ${c.pair}));`);
    p.line(`${add}(e + ${c.pair}, load<f64>(from, ${c.pair + 8}));`);
  }
  for (const kind of ["min", "max"] as const) emitMergeExtreme(p, c, kind);
  if (c.seen !== undefined) {
    const { offset, mask } = c.seen;
    p.line(`store<u32>(e, load<u32>(e, ${offset}) | (load<u32>(from, ${offset}) & ${mask}), ${offset});`);
  }
}

function emitMergeSum(p: Printer, c: Contribution, offset: number): void {
  const type = slotLocal(slotClass(valueType(c)));
  p.block("", () => {
    p.line(`const a = load<${type}>(e, ${offset});\n    const b = load<${type}>(from, ${offset});\n    const sum: ${type} = a + b;`);
    const overflow = type === "i64" ? "((a ^ sum) & (b ^ sum)) < 0" : "sum < b";
    p.line(`if (${overflow}) store<u32>(e, load<u32>(e, 8) | ${p.use("group-table", "MARKED")}, 8);`);
    p.line(`store<${type}>(e, sum, ${offset});`);
  });
}

function emitMergeExtreme(p: Printer, c: Contribution, kind: "min" | "max"): void {
  const offset = c[kind];
  if (offset === undefined) return;
  const type = valueType(c);
  if (!isVariable(type)) {
    const local = slotLocal(slotClass(type));
    const value = `load<${local}>(from, ${offset})`;
    p.line(`if (${beats(p, kind, local, value, offset)}) store<${local}>(e, ${value}, ${offset});`);
    return;
  }
  const { offset: at, mask } = c.seen ?? { offset: 8, mask: 0 };
  const text = `<usize>load<u32>(from, ${offset}), <usize>load<u32>(from, ${offset + 4}), e + ${offset}`;
  const better = `${p.use("accumulator", "compareText")}(${text}) ${kind === "min" ? "<" : ">"} 0`;
  p.line(`if ((load<u32>(from, ${at}) & ${mask}) != 0 && ((load<u32>(e, ${at}) & ${mask}) == 0 || ${better})) {`);
  p.line(`  store<u64>(e, load<u64>(from, ${offset}), ${offset});`);
  p.line("}");
}

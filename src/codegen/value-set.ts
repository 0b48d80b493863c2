/**
 * Value sets as generated code: per set k the functions `contribute<k>` (a row's value joins or leaves its group's set), and
 * `appear<k>`/`vanish<k>`, which keep the group's accumulators when a value is there for the first or gone for the last time.
 * Sets of vertices that remove groups are linked: `refresh<k>` searches the extremes anew, `dropMembers<k>` empties a group.
 *
 * A set's table uses a hash of its own, mixed from the group's hash and the value; its entries carry the group's.
 */

import { must } from "../core/assert.ts";
import { isVariable } from "../data/data-type.ts";
import type { AccumulatorPlan, ValueSet } from "./accumulator.ts";
import { beats } from "./aggregate-update.ts";
import type { EntryLayout } from "./entry-layout.ts";
import { slotClass, slotLocal } from "./entry-layout.ts";
import { emitFindMember, valueParameters } from "./group-table.ts";
import type { Printer } from "./printer.ts";

/** Value parameters as arguments. */
function passed(set: ValueSet): string {
  return isVariable(set.value.type) ? "v, vl" : "v";
}

/** The value of entry `e` of the set as arguments. */
export function memberValue(set: ValueSet, e: string): string {
  const { offset, type } = set.value;
  return isVariable(type) ? `<usize>load<u32>(${e}, ${offset}), <usize>load<u32>(${e}, ${offset + 4})` : `load<u64>(${e}, ${offset})`;
}

/** Hash of a member: of group `g` (or any entry with its routing hash) and the value in the parameters. */
function memberHash(p: Printer, set: ValueSet, g: string): string {
  const value = isVariable(set.value.type) ? `${p.use("hash", "hashBytes")}(v, vl)` : "v";
  return `${p.use("hash", "mixHashes")}(load<u64>(${g}), ${value})`;
}

/** The value in parameter `v` as the slot's type. */
function typed(set: ValueSet): string {
  const kind = slotClass(set.value.type);
  return kind === "float" ? "reinterpret<f64>(v)" : kind === "signed" ? "<i64>v" : "v";
}

/** Prints all functions of the plan's value sets. `groups`: layout of the group's entry. */
export function emitValueSets(p: Printer, plan: AccumulatorPlan, groups: EntryLayout): void {
  for (const set of plan.valueSets) {
    p.declare(`let fresh${set.kind}: bool = false;`);
    emitFindMember(p, `find${set.kind}`, groups, set.value, () => p.line(`fresh${set.kind} = true;`));
    emitAppear(p, set, plan.options.retracting);
    if (plan.options.retracting) emitVanish(p, set);
    if (set.links !== undefined) emitLinks(p, set);
    emitContribute(p, plan, set);
    if (plan.options.retracting) emitRefresh(p, set);
  }
}

function emitAppear(p: Printer, set: ValueSet, retracting: boolean): void {
  p.block(`function appear${set.kind}(g: usize, ${valueParameters(set.value.type)}): void`, () => {
    p.line(`store<i64>(g, load<i64>(g, ${set.distinct}) + 1, ${set.distinct});`);
    emitDistinctSum(p, set, 1);
    if (!retracting || set.has === undefined || set.stale === undefined) return;
    const { has, stale } = set;
    p.line(`if ((load<u32>(g, ${stale.offset}) & ${stale.mask}) != 0) return;`);
    p.line(`const known = (load<u32>(g, ${has.offset}) & ${has.mask}) != 0;`);
    emitOffer(p, set, "known");
    p.line(`store<u32>(g, load<u32>(g, ${has.offset}) | ${has.mask}, ${has.offset});`);
  });
}

/** Replaces the extremes of `g` that the value in the parameters beats, all if not `known`. */
function emitOffer(p: Printer, set: ValueSet, known: string): void {
  for (const kind of ["min", "max"] as const) {
    const offset = set[kind];
    if (offset === undefined) continue;
    if (isVariable(set.value.type)) {
      const better = `${p.use("accumulator", "compareText")}(v, vl, g + ${offset}) ${kind === "min" ? "<" : ">"} 0`;
      p.line(`if (!${known} || ${better}) ${p.use("accumulator", "replaceText")}(g, ${offset}, v, vl);`);
    } else {
      const type = slotLocal(slotClass(set.value.type));
      p.line(`if (!${known} || ${beats(p, kind, type, typed(set), offset, "g")}) store<${type}>(g, ${typed(set)}, ${offset});`);
    }
  }
}

function emitDistinctSum(p: Printer, set: ValueSet, sign: 1 | -1): void {
  if (set.sum === undefined) return;
  const { offset, kind } = set.sum;
  if (kind === "wide") {
    p.line(`${p.use("accumulator", "addWideProduct")}(g + ${offset}, <i64>v, ${sign}, ${slotClass(set.value.type) === "unsigned"});`);
    return;
  }
  p.line(`${p.use("accumulator", "addFloat")}(g + ${offset}, ${sign === 1 ? "" : "-"}reinterpret<f64>(v));`);
  if (sign === 1) return;
  p.block(`if (load<i64>(g, ${set.distinct}) == 0)`, () => {
    p.line(`store<u64>(g, 0, ${offset});`);
    p.line(`store<u64>(g, 0, ${offset + 8});`);
  });
}

function emitVanish(p: Printer, set: ValueSet): void {
  p.block(`function vanish${set.kind}(g: usize, ${valueParameters(set.value.type)}): void`, () => {
    p.line(`store<i64>(g, load<i64>(g, ${set.distinct}) - 1, ${set.distinct});`);
    emitDistinctSum(p, set, -1);
    if (set.stale === undefined) return;
    const { stale } = set;
    for (const offset of [set.min, set.max]) {
      if (offset === undefined) continue;
      const same = isVariable(set.value.type) ? `${p.use("accumulator", "isText")}(v, vl, g + ${offset})` : sameSlot(p, set, offset);
      p.line(`if (${same}) store<u32>(g, load<u32>(g, ${stale.offset}) | ${stale.mask}, ${stale.offset});`);
    }
  });
}

function sameSlot(p: Printer, set: ValueSet, offset: number): string {
  const type = slotClass(set.value.type);
  return type === "float" ? `${p.use("hash", "floatKey")}(load<f64>(g, ${offset})) == v` : `load<u64>(g, ${offset}) == v`;
}

/** `link`, `unlink`, `forget` (one member) and `dropMembers` (all of a group). */
function emitLinks(p: Printer, set: ValueSet): void {
  const links = must(set.links, "links");
  const head = must(set.head, "head");
  p.block(`function link${set.kind}(g: usize, e: usize): void`, () => {
    p.line(`const next = load<u32>(g, ${head});`);
    p.line(`store<u32>(e, next, ${links});`);
    p.line(`store<u32>(e, 0, ${links + 4});`);
    p.line(`if (next != 0) store<u32>(<usize>next, <u32>e, ${links + 4});`);
    p.line(`store<u32>(g, <u32>e, ${head});`);
  });
  p.block(`function forget${set.kind}(t: usize, g: usize, e: usize, h: u64): void`, () => {
    p.line(`const next = load<u32>(e, ${links});`);
    p.line(`const previous = load<u32>(e, ${links + 4});`);
    p.line(`if (next != 0) store<u32>(<usize>next, previous, ${links + 4});`);
    p.line(`if (previous != 0) store<u32>(<usize>previous, next, ${links});`);
    p.line(`else store<u32>(g, next, ${head});`);
    for (const k of [...set.layout.keys, set.value]) {
      if (isVariable(k.type))
        p.line(`${p.use("state-snapshot", "freeText")}(t, <usize>load<u32>(e, ${k.offset}), <usize>load<u32>(e, ${k.offset + 4}));`);
    }
    p.line(`${p.use("group-table", "removeEntry")}(t, e, h);`);
  });
  p.block(`function hashOf${set.kind}(e: usize, ${valueParameters(set.value.type)}): u64`, () => {
    p.line(`return ${memberHash(p, set, "e")};`);
  });
  p.block(`function dropMembers${set.kind}(t: usize, g: usize): void`, () => {
    p.block(`while (load<u32>(g, ${head}) != 0)`, () => {
      p.line(`const e = <usize>load<u32>(g, ${head});`);
      p.line(`forget${set.kind}(t, g, e, hashOf${set.kind}(e, ${memberValue(set, "e")}));`);
    });
  });
}

function emitContribute(p: Printer, plan: AccumulatorPlan, set: ValueSet): void {
  const weight = plan.options.retracting ? ", w: i64" : "";
  const { kind } = set;
  p.block(`function contribute${kind}(t: usize, g: usize, ${valueParameters(set.value.type)}${weight}): void`, () => {
    p.line(`const h = ${memberHash(p, set, "g")};`);
    p.line(`const e = find${kind}(t, h, g, ${passed(set)});`);
    if (set.links === undefined) p.line(`if (!fresh${kind}) return;`);
    p.block(`if (fresh${kind})`, () => {
      p.line(`fresh${kind} = false;`);
      if (set.links !== undefined) p.line(`link${kind}(g, e);`);
      if (set.count === undefined) p.line(`appear${kind}(g, ${passed(set)});`);
    });
    if (set.count === undefined) return;
    const map = p.use("state-block", "CHANGE_MAP");
    p.line(`if (load<u8>(${map} + (e >>> 12)) != ${p.use("state-block", "CHANGED")}) ${p.use("group-table", "markChanged")}(e);`);
    p.line(`const before = load<i64>(e, ${set.count});`);
    p.line("const after = before + w;");
    p.line(`store<i64>(e, after, ${set.count});`);
    p.line(`if (before <= 0 && after > 0) appear${kind}(g, ${passed(set)});`);
    p.line(`else if (before > 0 && after <= 0) vanish${kind}(g, ${passed(set)});`);
    p.line(`if (after == 0) forget${kind}(t, g, e, h);`);
  });
}

/** `refresh<k>(g)`: if the extremes are stale, walks over the group's values. */
function emitRefresh(p: Printer, set: ValueSet): void {
  const { has, stale } = set;
  if (has === undefined || stale === undefined) return;
  const parameters = valueParameters(set.value.type);
  p.block(`function offer${set.kind}(g: usize, known: bool, ${parameters}): void`, () => emitOffer(p, set, "known"));
  p.block(`function refresh${set.kind}(g: usize): void`, () => {
    p.line(`if ((load<u32>(g, ${stale.offset}) & ${stale.mask}) == 0) return;`);
    p.line("let known = false;");
    p.block(
      `for (let e = <usize>load<u32>(g, ${must(set.head, "head")}); e != 0; e = <usize>load<u32>(e, ${must(set.links, "links")}))`,
      () => {
        p.line(`if (load<i64>(e, ${must(set.count, "count")}) <= 0) continue;`);
        p.line(`offer${set.kind}(g, known, ${memberValue(set, "e")});`);
        p.line("known = true;");
      },
    );
    p.line(`store<u32>(g, load<u32>(g, ${stale.offset}) & ${~stale.mask >>> 0}, ${stale.offset});`);
    p.line(`if (known) store<u32>(g, load<u32>(g, ${has.offset}) | ${has.mask}, ${has.offset});`);
    p.line(`else store<u32>(g, load<u32>(g, ${has.offset}) & ${~has.mask >>> 0}, ${has.offset});`);
  });
}

/** Hash of a member whose value's arguments are `member`, under the routing hash `h`. */
export function memberHashOfFrame(p: Printer, set: ValueSet, member: readonly string[]): string {
  const value = isVariable(set.value.type) ? `${p.use("hash", "hashBytes")}(${member.join(", ")})` : member[0];
  return `${p.use("hash", "mixHashes")}(h, ${value})`;
}

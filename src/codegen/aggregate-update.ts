/**
 * The loop that adds the rows of a batch to their groups: ENTRIES holds the entry of every row's group, 0 for rows that take
 * no part. Integer sums come first, so that a row whose sum overflows is reported and adds to nothing.
 */

import { must } from "../core/assert.ts";
import { isVariable } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import type { AccumulatorPlan, Contribution } from "./accumulator.ts";
import { valueType } from "./accumulator.ts";
import { slotClass, slotLocal } from "./entry-layout.ts";
import { emitCondition, emitExpression } from "./expression.ts";
import { keyBits } from "./group-table.ts";
import type { Printer } from "./printer.ts";
import { bothValid, RowScope } from "./scope.ts";
import type { Value } from "./value.ts";

/** How the generated functions find their surroundings. */
export interface UpdateContext {
  readonly vertex: number;
  readonly columns: readonly Column[];
  /** Index of `_weight`, undefined for append-only input. */
  readonly weight: number | undefined;
  /** Expression of the group table that row `r` goes to. */
  readonly table: string;
}

/** A contribution's value in the current row: `active` is "true" or a bool. */
interface Active {
  readonly contribution: Contribution;
  readonly active: string;
  readonly value: Value | undefined;
}

/** Prints the evaluation of a contribution in the current row. */
function evaluate(scope: RowScope, contribution: Contribution): Active {
  const { argument, filter } = contribution;
  const passes = filter === undefined ? "true" : emitCondition(scope, filter);
  if (argument === undefined) return { contribution, active: passes, value: undefined };
  if (passes === "true" || argument.kind === "column") {
    const value = emitExpression(scope, argument);
    const active = bothValid(passes, value.valid);
    return { contribution, active: /^\w+$/.test(active) ? active : scope.bind("bool", active), value };
  }
  const slot = scope.slot(argument.type, true);
  scope.printer.block(`if (${passes})`, () => slot.assign(emitExpression(scope, argument)));
  return { contribution, active: slot.value.valid, value: slot.value };
}

/** The value as the slot's 64-bit type. */
function widened(active: Active): string {
  return `<${slotLocal(slotClass(valueType(active.contribution)))}>${must(active.value, "value").value}`;
}

function when(p: Printer, active: string, statement: string): void {
  p.line(active === "true" ? statement : `if (${active}) ${statement}`);
}

/**
 * Prints `check(batch, n): void`, which sets a byte of FAULTS for rows in which an aggregate's expression faults; returns
 * whether that can happen (if not, nothing is printed).
 */
export function emitCheck(p: Printer, plan: AccumulatorPlan, context: UpdateContext): boolean {
  const scope = new RowScope(p, context.columns, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      for (const c of plan.contributions) evaluate(scope, c);
      p.line("store<u8>(FAULTS + r, <u8>fault);");
      p.block("if (fault != 0)", () => {
        p.line(`${p.use("row-report", "reportFault")}(${context.vertex}, fault, batch, r);`);
        p.line("fault = 0;");
      });
    });
  });
  if (!scope.faults) return false;
  printRowLoop(p, "check", scope, body);
  return true;
}

function printRowLoop(p: Printer, name: string, scope: RowScope, body: readonly string[]): void {
  p.line(`function ${name}(batch: usize, n: usize): void {`);
  p.append(scope.hoisted("batch"));
  if (scope.faults) p.line("  let fault: i32 = 0;");
  p.append(scope.scratch ? [body[0] ?? "", `    ${p.use("scratch", "scratchReset")}();`, ...body.slice(1)] : body);
  p.line("}");
}

/** Prints `update(batch, n): void`. */
export function emitUpdate(p: Printer, plan: AccumulatorPlan, context: UpdateContext, more: (scope: RowScope) => void): void {
  const scope = new RowScope(p, context.columns, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      p.line("const e = <usize>load<u32>(ENTRIES + (r << 2));");
      p.line("if (e == 0) continue;");
      if (context.weight !== undefined) p.line(`const w: i64 = <i64>${scope.column(context.weight).value};`);
      const actives = plan.contributions.map((c) => evaluate(scope, c));
      emitSums(p, actives, context);
      for (const active of actives) emitContribution(p, active, context);
      more(scope);
    });
  });
  printRowLoop(p, "update", scope, body);
}

/** 64-bit sums of all contributions: nothing is stored before all have been checked. */
function emitSums(p: Printer, actives: readonly Active[], { vertex, weight }: UpdateContext): void {
  const summed = actives.filter((a) => a.contribution.sum !== undefined);
  if (summed.length === 0) return;
  const overflows: string[] = [];
  const stores = summed.map((a, i) => {
    const offset = a.contribution.sum;
    const type = slotLocal(slotClass(valueType(a.contribution)));
    const guarded = (yes: string, no: string): string => (a.active === "true" ? yes : `${a.active} ? ${yes} : ${no}`);
    p.line(`const s${i} = load<${type}>(e, ${offset});`);
    if (weight !== undefined) {
      const add = p.use("accumulator", type === "i64" ? "addSigned" : "addUnsigned");
      p.line(`const u${i}: ${type} = ${guarded(`${add}(s${i}, ${widened(a)}, w)`, `s${i}`)};`);
    } else {
      p.line(`const x${i}: ${type} = ${guarded(widened(a), "0")};`);
      p.line(`const u${i}: ${type} = s${i} + x${i};`);
      overflows.push(type === "i64" ? `((s${i} ^ u${i}) & (x${i} ^ u${i})) < 0` : `u${i} < x${i}`);
    }
    return `store<${type}>(e, u${i}, ${offset});`;
  });
  p.block(`if (${weight === undefined ? overflows.join(" || ") : p.use("accumulator", "overflowed")})`, () => {
    if (weight !== undefined) p.line(`${p.use("accumulator", "clearOverflow")}();`);
    p.line(`${p.use("row-report", "reportFault")}(${vertex}, ${p.use("row-errors", "INTEGER_OVERFLOW")}, batch, r);`);
    p.line("continue;");
  });
  for (const line of stores) p.line(line);
}

/** Everything of a contribution but its 64-bit sum. */
function emitContribution(p: Printer, a: Active, context: UpdateContext): void {
  const { contribution: c, active } = a;
  const weighted = context.weight !== undefined;
  if (c.count !== undefined) {
    const by = active === "true" ? (weighted ? "w" : "1") : weighted ? `(${active} ? w : 0)` : `<i64>${active}`;
    p.line(`store<i64>(e, load<i64>(e, ${c.count}) + ${by}, ${c.count});`);
  }
  if (c.wide !== undefined) {
    const unsigned = slotClass(valueType(c)) === "unsigned";
    const add = p.use("accumulator", "addWideProduct");
    when(p, active, `${add}(e + ${c.wide}, <i64>${must(a.value, "value").value}, ${weighted ? "w" : "1"}, ${unsigned});`);
  }
  if (c.pair !== undefined) emitFloatSum(p, a, weighted);
  emitExtremes(p, a);
  if (c.set !== undefined) emitMember(p, a, context);
  if (c.seen !== undefined) {
    const { offset, mask } = c.seen;
    when(p, active, `store<u32>(e, load<u32>(e, ${offset}) | ${mask}, ${offset});`);
  }
}

function emitFloatSum(p: Printer, { contribution: c, active, value }: Active, weighted: boolean): void {
  const term = `<f64>${must(value, "value").value}`;
  when(p, active, `${p.use("accumulator", "addFloat")}(e + ${c.pair}, ${weighted ? `${term} * <f64>w` : term});`);
  if (!weighted) return;
  p.block(`if (load<i64>(e, ${c.count}) == 0)`, () => {
    p.line(`store<u64>(e, 0, ${c.pair});`);
    p.line(`store<u64>(e, 0, ${must(c.pair, "sum") + 8});`);
  });
}

/** Condition that value `x` comes before (min) or after (max) slot `offset` of entry `e`. */
export function beats(p: Printer, kind: "min" | "max", type: "i64" | "u64" | "f64", x: string, offset: number, e = "e"): string {
  const current = `load<${type}>(${e}, ${offset})`;
  if (type !== "f64") return kind === "min" ? `${x} < ${current}` : `${x} > ${current}`;
  const less = p.use("accumulator", "floatLess");
  return kind === "min" ? `${less}(${x}, ${current})` : `${less}(${current}, ${x})`;
}

function emitExtremes(p: Printer, a: Active): void {
  const { contribution: c, active } = a;
  for (const kind of ["min", "max"] as const) {
    const offset = c[kind];
    if (offset === undefined) continue;
    const guard = active === "true" ? "" : `${active} && `;
    const value = must(a.value, "value");
    if (isVariable(value.type)) {
      const seen = must(c.seen, "presence of a text extreme");
      const better = `${p.use("accumulator", "compareText")}(${value.value}, ${value.length}, e + ${offset}) ${kind === "min" ? "<" : ">"} 0`;
      p.line(`if (${guard}((load<u32>(e, ${seen.offset}) & ${seen.mask}) == 0 || ${better})) {`);
      p.line(`  ${p.use("accumulator", "replaceText")}(e, ${offset}, ${value.value}, ${value.length});`);
      p.line("}");
    } else {
      const type = slotLocal(slotClass(value.type));
      p.line(`if (${guard}${beats(p, kind, type, widened(a), offset)}) store<${type}>(e, ${widened(a)}, ${offset});`);
    }
  }
}

/** Adds the value to the group's value set: `contribute<kind>`, printed by `value-set.ts`. */
function emitMember(p: Printer, { contribution: c, active, value }: Active, context: UpdateContext): void {
  const { kind } = must(c.set, "value set");
  const v = must(value, "value");
  const member = isVariable(v.type) ? `${v.value}, ${v.length}` : keyBits(p, v.type, v.value);
  const weight = context.weight === undefined ? "" : ", w";
  when(p, active, `contribute${kind}(${p.use("group-table", "siblingOf")}(${context.table}, ${kind}), e, ${member}${weight});`);
}

/** Prints the values that accumulators of a new entry `e` have when they are not 0. */
export function emitInitialValues(p: Printer, plan: AccumulatorPlan): void {
  for (const c of plan.contributions) {
    for (const kind of ["min", "max"] as const) {
      const offset = c[kind];
      if (offset === undefined) continue;
      const type = slotClass(valueType(c));
      if (type === "text") continue;
      const smallest = { signed: "i64.MIN_VALUE", unsigned: "0", float: "-Infinity" }[type];
      const greatest = { signed: "i64.MAX_VALUE", unsigned: "u64.MAX_VALUE", float: "NaN" }[type];
      p.line(`store<${slotLocal(type)}>(e, ${kind === "min" ? greatest : smallest}, ${offset});`);
    }
  }
}

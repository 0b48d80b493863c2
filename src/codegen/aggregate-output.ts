/**
 * Output rows of aggregates: the entries whose rows go out stand in OUTPUTS; one loop per output column turns their slots into
 * column values. And the comparison that suppresses changes which change nothing.
 */

import { must } from "../core/assert.ts";
import type { ScalarType } from "../data/data-type.ts";
import { isVariable } from "../data/data-type.ts";
import type { AccumulatorPlan, PlannedAggregate } from "./accumulator.ts";
import { valueType } from "./accumulator.ts";
import type { FlagBit, KeySlot } from "./entry-layout.ts";
import { slotClass } from "./entry-layout.ts";
import type { Printer } from "./printer.ts";
import { storageOf } from "./value.ts";

/** An output column as a function of entry `e`. `value`: expression of the 64-bit class; text: offset of its slot. */
export interface OutputColumn {
  readonly type: ScalarType;
  readonly nullable: boolean;
  present(e: string): string;
  value(e: string): string;
  /** Offset of the text's slot, for variable-length types. */
  readonly text: number | undefined;
}

/** The output column of a slot that holds a value as it is. */
function slotColumn(type: ScalarType, offset: number, nullable: boolean, present: (e: string) => string): OutputColumn {
  const load = { float: "f64", signed: "i64", unsigned: "u64", text: "" }[slotClass(type)];
  return { type, nullable, present, value: (e) => `load<${load}>(${e}, ${offset})`, text: isVariable(type) ? offset : undefined };
}

/** The output column of a key. */
export function keyColumn(key: KeySlot): OutputColumn {
  return slotColumn(key.type, key.offset, key.nullMask !== 0, (e) => `(load<u32>(${e}, 8) & ${key.nullMask}) == 0`);
}

function always(): string {
  return "true";
}

function flagSet(flag: FlagBit): (e: string) => string {
  return (e) => `(load<u32>(${e}, ${flag.offset}) & ${flag.mask}) != 0`;
}

/** Whether a contribution has had (still has) a value. */
function presence(p: PlannedAggregate): (e: string) => string {
  const { contribution: c } = p;
  if (c.seen !== undefined && c.conditional) return flagSet(c.seen);
  if (c.count !== undefined) return (e) => `load<i64>(${e}, ${c.count}) > 0`;
  return always;
}

/** The output column of an aggregate. */
export function aggregateColumn(p: Printer, planned: PlannedAggregate): OutputColumn {
  const { aggregate, contribution: c } = planned;
  const { function: kind, type } = aggregate;
  const set = c.set;
  if (kind === "min" || kind === "max") {
    const flag = set?.has;
    const present = flag === undefined ? presence(planned) : flagSet(flag);
    return slotColumn(type, must(set?.has === undefined ? c[kind] : set[kind], `${kind} slot`), true, present);
  }
  const distinct = aggregate.distinct && aggregate.argument !== undefined;
  const counted = must(distinct ? set?.distinct : (c.count ?? -1), "count");
  const count = (e: string): string => `load<i64>(${e}, ${counted})`;
  if (kind === "count") return { type, nullable: false, present: always, value: count, text: undefined };
  const present = distinct ? (e: string) => `${count(e)} > 0` : presence(planned);
  const sum = distinct ? must(set?.sum, "distinct sum") : undefined;
  const wide = sum?.kind === "wide" ? sum.offset : sum === undefined ? c.wide : undefined;
  const pair = sum?.kind === "pair" ? sum.offset : sum === undefined ? c.pair : undefined;
  const float = (e: string): string =>
    pair !== undefined ? `${p.use("accumulator", "floatSum")}(${e} + ${pair})` : `${p.use("accumulator", "wideToFloat")}(${e} + ${wide})`;
  const average = (e: string): string => `${float(e)} / <f64>${count(e)}`;
  const whole = (e: string): string => `load<${slotClass(type) === "unsigned" ? "u64" : "i64"}>(${e}, ${distinct ? wide : c.sum})`;
  const value = kind === "avg" ? average : slotClass(type) === "float" ? float : whole;
  return { type, nullable: true, present, value, text: undefined };
}

/**
 * Condition that every integer sum of DISTINCT values of entry `e` fits its type, "true" if none could fail. Other sums are
 * checked row by row.
 */
export function representable(p: Printer, plan: AccumulatorPlan, e: string): string {
  const wide = plan.aggregates.flatMap(({ aggregate, contribution: c }) => {
    const sum = c.set?.sum;
    if (aggregate.function !== "sum" || !aggregate.distinct || sum?.kind !== "wide") return [];
    return [`${p.use("accumulator", "wideFits")}(${e} + ${sum.offset}, ${slotClass(valueType(c)) === "unsigned"})`];
  });
  return wide.length === 0 ? "true" : wide.join(" && ");
}

/** Sum of the lengths of the texts of entry `e`; "" if there is no text. */
export function textLength(columns: readonly OutputColumn[], e: string): string {
  return columns.flatMap((c) => (c.text === undefined ? [] : [`<usize>load<u32>(${e}, ${c.text + 4})`])).join(" + ");
}

/** Prints `column<i>(n)`, which writes output column `i` of the n rows in OUTPUTS, and the column's buffers. */
export function emitOutputColumn(p: Printer, column: OutputColumn, i: number): void {
  declareOutput(p, column.type, column.nullable, i);
  p.block(`function column${i}(n: usize): void`, () => {
    if (column.text !== undefined) p.line(`let used: usize = 0;\n  store<u32>(V${i}, 0);`);
    p.block("for (let r: usize = 0; r < n; r++)", () => {
      p.line("const e = <usize>load<u32>(OUTPUTS + (r << 2));");
      if (column.nullable) p.line(`store<u8>(N${i} + r, <u8>(${column.present("e")}));`);
      if (column.text !== undefined) emitTextValue(p, column, column.text, i);
      else p.line(storeOutput(column.type, `V${i}`, "r", column.value("e")));
    });
    const validity = column.nullable ? `N${i}` : "0";
    p.line(`${p.use("batch", "setColumn")}(OUT, ${i}, V${i}, ${validity}, ${column.text === undefined ? "0" : `B${i}`});`);
  });
}

/** Declares the buffers of output column `i`: values, validity, bytes. `emitReserve` fills them in. */
export function declareOutput(p: Printer, type: ScalarType, nullable: boolean, i: number): void {
  p.declare(`let V${i}: usize = 0;`);
  if (nullable) p.declare(`let N${i}: usize = 0;`);
  if (isVariable(type)) p.declare(`let B${i}: usize = 0;`);
}

/** Prints the statements that reserve the buffers of output column `i`. */
export function emitReserve(p: Printer, type: ScalarType, nullable: boolean, i: number): void {
  const reserve = p.use("memory", "reserve");
  const bytes = isVariable(type) ? 8193 * 4 : 8192 << storageOf(type).shift;
  p.line(`V${i} = ${reserve}(${bytes + 64});`);
  if (nullable) p.line(`N${i} = ${reserve}(8192 + 64);`);
  if (isVariable(type)) p.line(`B${i} = ${p.use("memory", "allocateBlock")}(65536);`);
}

function emitTextValue(p: Printer, column: OutputColumn, slot: number, i: number): void {
  const absent = column.nullable ? `load<u8>(N${i} + r) == 0 ? 0 : ` : "";
  p.line(`const length = ${absent}<usize>load<u32>(e, ${slot + 4});`);
  p.line(`B${i} = ${p.use("memory", "growBlock")}(B${i}, used, used + length + 64);`);
  p.line(`${p.use("selection", "copyLoose")}(B${i} + used, <usize>load<u32>(e, ${slot}), length);`);
  p.line("used += length;");
  p.line(`store<u32>(V${i} + (r << 2), <u32>used, 4);`);
}

/** Statement that stores a 64-bit class value into a column. */
export function storeOutput(type: ScalarType, base: string, row: string, value: string): string {
  const { column, shift } = storageOf(type);
  const address = shift === 0 ? `${base} + ${row}` : `${base} + (${row} << ${shift})`;
  const wide = { float: "f64", signed: "i64", unsigned: "u64", text: "" }[slotClass(type)];
  return `store<${column}>(${address}, ${column === wide ? value : `<${column}>(${value})`});`;
}

/** Prints `same(a, b): bool`: entries a and b have equal outputs. Floats are equal by bits, as they will be printed. */
export function emitSameOutputs(p: Printer, columns: readonly OutputColumn[]): void {
  p.block("function same(a: usize, b: usize): bool", () => {
    for (const column of columns) {
      if (column.nullable) p.line(`if ((${column.present("a")}) != (${column.present("b")})) return false;`);
      const differ = difference(p, column);
      p.line(column.nullable ? `if ((${column.present("a")}) && ${differ}) return false;` : `if (${differ}) return false;`);
    }
    p.line("return true;");
  });
}

function difference(p: Printer, column: OutputColumn): string {
  if (column.text !== undefined) {
    const { text } = column;
    const at = (e: string): string => `<usize>load<u32>(${e}, ${text})`;
    return `!${p.use("accumulator", "isText")}(${at("a")}, <usize>load<u32>(a, ${text + 4}), b + ${text})`;
  }
  if (slotClass(column.type) !== "float") return `${column.value("a")} != ${column.value("b")}`;
  return `reinterpret<u64>(${column.value("a")}) != reinterpret<u64>(${column.value("b")})`;
}

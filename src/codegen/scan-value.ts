/**
 * Reading one JSON value into a column. Code printed here moves `p` behind the value, or runs `fail`, a statement that
 * leaves the function; on the fast path `fail` hands the line to the general path, which finds the reason. On the general
 * path `at` is the address of the value.
 */

import { userError } from "../core/errors.ts";
import type { ScalarType } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import type { Printer } from "./printer.ts";
import { storeColumn } from "./value.ts";

/** How timestamps are spelled in the input. */
export interface ValueFormat {
  readonly timestampFormat: "rfc3339" | "unix_millis";
}

/** Marks the value present. The fast path takes no NULL for a NOT NULL column, so there it need not say so. */
function present(p: Printer, target: Target): void {
  if (!target.fast || target.column.nullable) p.line(`store<u8>(N${target.index} + row, 1);`);
}

/** Where a value goes, and on which path. */
export interface Target {
  readonly index: number;
  readonly column: Column;
  readonly fast: boolean;
  readonly fail: string;
}

/** Reads a string into a text column; `p` is behind the opening quote. */
export function emitReadText(p: Printer, target: Target): void {
  const { index, fail } = target;
  p.line(`p = ${p.use("json-scan", "copyString")}(p, B${index} + <usize>load<u32>(V${index} + (row << 2)));`);
  p.line(`if (${p.use("json-scan", "scanFault")} != 0) ${fail}`);
  p.line(`store<u32>(V${index} + (row << 2), <u32>(${p.use("json-scan", "copyEnd")} - B${index}), 4);`);
  present(p, target);
}

/** Reader and result of `runtime/number-read.ts` per numeric kind. */
const NUMBERS: Readonly<Record<string, readonly [string, string]>> = {
  int8: ["readI8", "numI64"],
  int16: ["readI16", "numI64"],
  int32: ["readI32", "numI64"],
  int64: ["readI64", "numI64"],
  uint8: ["readU8", "numU64"],
  uint16: ["readU16", "numU64"],
  uint32: ["readU32", "numU64"],
  uint64: ["readU64", "numU64"],
  float32: ["readF32", "numF32"],
  float64: ["readF64", "numF64"],
};

/** Text readers of `runtime/json-value.ts` for values inside quotes. */
const QUOTED: Readonly<Record<string, string>> = { timestamp: "readTimestampString", date: "readDateString", time: "readTimeString" };

/** Reads a value of `type` other than text at `p`. */
export function emitReadValue(p: Printer, format: ValueFormat, target: Target): void {
  const { type } = target.column;
  const { index, fail } = target;
  const number = type.kind === "timestamp" && format.timestampFormat === "unix_millis" ? ["readMillis", "numI64"] : NUMBERS[type.kind];
  if (number !== undefined) return emitReadNumber(p, target, number as readonly [string, string]);
  if (type.kind === "boolean") return emitReadBoolean(p, target);
  if (type.kind === "json") return emitReadJson(p, target);
  const reader = QUOTED[type.kind];
  if (reader === undefined) throw userError("unsupported", `a JSON source cannot read values of type ${type.kind} yet`);
  p.line(`p = ${p.use("json-value", reader)}(p);`);
  p.line(`if (${p.use("json-scan", "scanFault")} != 0) ${fail}`);
  p.line(
    storeColumn(
      type,
      `V${index}`,
      "row",
      type.kind === "date" ? `<i32>${p.use("json-value", "valueI64")}` : p.use("json-value", "valueI64"),
    ),
  );
  present(p, target);
}

function emitReadNumber(p: Printer, target: Target, [reader, result]: readonly [string, string]): void {
  const { type } = target.column;
  const { index, fail } = target;
  if (reader === "readMillis") {
    p.line(`p = ${p.use("json-value", "readMillis")}(p);`);
    p.line(`if (${p.use("json-scan", "scanFault")} != 0) ${fail}`);
    p.line(storeColumn(type, `V${index}`, "row", p.use("json-value", "valueI64")));
    return present(p, target);
  }
  p.line(`p = ${p.use("number-read", reader)}(p);`);
  const status = p.use("number-read", "numStatus");
  if (target.fast) p.line(`if (${status} != 0) ${fail}`);
  else {
    p.block(`if (${status} != 0 || !${p.use("json-scan", "endsNumber")}(p))`, () => {
      p.line(`${p.use("json-scan", "setFault")}(${p.use("json-value", "numberFault")}(at, p, ${status}), -1);`);
      p.line(fail);
    });
  }
  p.line(storeColumn(type, `V${index}`, "row", storedAs(type, p.use("number-read", result))));
  present(p, target);
}

/** The result narrowed to what `storeColumn` takes. */
function storedAs(type: ScalarType, result: string): string {
  if (type.kind === "int8" || type.kind === "int16" || type.kind === "int32") return `<i32>${result}`;
  if (type.kind === "uint8" || type.kind === "uint16" || type.kind === "uint32") return `<u32>${result}`;
  return result;
}

function emitReadBoolean(p: Printer, target: Target): void {
  const { index, fail } = target;
  p.line(`p = ${p.use("json-value", "readBoolean")}(p);`);
  p.line(`if (${p.use("json-scan", "scanFault")} != 0) ${fail}`);
  p.line(`store<u8>(V${index} + row, <u8>${p.use("json-value", "valueI64")});`);
  present(p, target);
}

/** The value's own text, whatever it is. */
function emitReadJson(p: Printer, target: Target): void {
  const { index, fail } = target;
  const start = p.fresh("s");
  p.line(`const ${start} = p;`);
  p.line(`p = ${p.use("json-scan", "skipValue")}(p);`);
  p.line(`if (${p.use("json-scan", "scanFault")} != 0) ${fail}`);
  const offset = p.fresh("o");
  p.line(`const ${offset} = load<u32>(V${index} + (row << 2));`);
  p.line(`${p.use("selection", "copyLoose")}(B${index} + <usize>${offset}, ${start}, p - ${start});`);
  p.line(`store<u32>(V${index} + (row << 2), ${offset} + <u32>(p - ${start}), 4);`);
  p.block(`if (!${p.use("utf8", "isValidUtf8")}(${start}, p - ${start}))`, () => {
    p.line(`${p.use("json-scan", "setFault")}(${p.use("row-errors", "INVALID_UTF8")}, ${index});`);
    p.line(fail);
  });
  present(p, target);
}

/**
 * A JSON scanner for one schema. Per line: a straight-line fast path that expects the declared fields in order, spelled as
 * the line before was, and compares keys with whole words; when the line differs anywhere, a general path reads it again
 * from its start and decides, so that both accept the same lines with the same values.
 *
 * Generated names: V<c> values, N<c> validity, B<c> bytes of column c; `row` the row being filled.
 */

import { must } from "../core/assert.ts";
import type { ScalarType } from "../data/data-type.ts";
import { isInteger, isVariable } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import { matchBytes } from "./bytes-match.ts";
import type { Printer } from "./printer.ts";
import type { ScanField } from "./scan-layout.ts";
import { columnsBelow, isRead } from "./scan-layout.ts";
import type { Target } from "./scan-value.ts";
import { emitReadText, emitReadValue } from "./scan-value.ts";

/** What the scanner's parts share. */
export interface ScannerContext {
  readonly printer: Printer;
  readonly columns: readonly Column[];
  readonly fields: readonly ScanField[];
  readonly timestampFormat: "rfc3339" | "unix_millis";
}

/** Column of a field that is read. */
function columnOf(context: ScannerContext, index: number): Column {
  return must(context.columns[index], `column ${index}`);
}

const encoder = new TextEncoder();

/** How lines of the fast path are written: nothing between tokens, or a blank behind each colon and comma, as Python does. */
export const SPELLINGS = [
  { name: "compact", gap: "" },
  { name: "spaced", gap: " " },
] as const;

/** Prints, for each spelling, `<name>(p, row): usize`: the address behind the line's newline, or 0 if the general path has to decide. */
export function emitFastPaths(context: ScannerContext): void {
  const p = context.printer;
  for (const { name, gap } of SPELLINGS) {
    p.block(`function ${name}(p: usize, row: usize): usize`, () => {
      emitFastObject(context, context.fields, gap);
      p.line("if (load<u16>(p) == 0x0a7d) return p + 2;");
      p.line("return load<u16>(p) == 0x0d7d && load<u8>(p, 2) == 10 ? p + 3 : 0;");
    });
  }
}

/** Bytes from a line's opening brace to behind the first key's colon; 0: there are no keys. */
export function firstKeyLength(fields: readonly ScanField[]): number {
  return fields[0] === undefined ? 0 : encoder.encode(`{${spellKey(fields[0])}:`).length;
}

function spellKey(field: ScanField): string {
  return JSON.stringify(new TextDecoder().decode(field.key));
}

/** Expects the fields of one object up to, not including, its closing brace. */
function emitFastObject(context: ScannerContext, fields: readonly ScanField[], gap: string): void {
  const p = context.printer;
  if (fields.length === 0) {
    p.line("if (load<u8>(p) != 123) return 0;");
    p.line("p++;");
  }
  fields.forEach((field, i) => {
    const prefix = `${i === 0 ? "{" : `,${gap}`}${spellKey(field)}:${gap}`;
    const bytes = encoder.encode(prefix);
    p.line(`if (!(${matchBytes("p", bytes)})) return 0;`);
    p.line(`p += ${bytes.length};`);
    emitFastValue(context, field, gap);
  });
}

/** A string, or null. */
function emitFastText(context: ScannerContext, target: Target): void {
  const p = context.printer;
  const read = (): void => {
    p.line("p++;");
    emitReadText(p, target);
  };
  p.branch("load<u8>(p) == 34", read, () => {
    if (!target.column.nullable) return p.line("return 0;");
    p.line(`if (!${p.use("json-scan", "isNull")}(p)) return 0;`);
    p.line("p += 4;");
  });
}

/** The function of `runtime/json-scan.ts` that skips values of a kind fastest. */
function skipperOf(type: ScalarType | undefined): string {
  if (type === undefined || type.kind === "boolean" || type.kind === "json") return "skipValue";
  return isInteger(type) || type.kind === "float32" || type.kind === "float64" ? "skipNumber" : "skipText";
}

function emitFastValue(context: ScannerContext, field: ScanField, gap: string): void {
  const p = context.printer;
  if (field.fields !== undefined) {
    emitFastObject(context, field.fields, gap);
    p.line("if (load<u8>(p) != 125) return 0;");
    p.line("p++;");
    if (field.marker !== undefined) p.line(`store<u8>(V${field.marker} + row, 1);`);
    return;
  }
  if (field.column === undefined) {
    p.line(`p = ${p.use("json-scan", skipperOf(field.type))}(p);`);
    p.line(`if (${p.use("json-scan", "scanFault")} != 0) return 0;`);
    return;
  }
  const column = columnOf(context, field.column);
  const target: Target = { index: field.column, column, fast: true, fail: "return 0;" };
  if (column.type.kind === "text") {
    emitFastText(context, target);
    return;
  }
  const read = (): void => emitReadValue(p, context, target);
  if (!column.nullable) {
    // Any value is JSON: this one is not for a column that is NOT NULL.
    if (column.type.kind === "json") p.line(`if (${p.use("json-scan", "isNull")}(p)) return 0;`);
    return read();
  }
  p.branch(`${p.use("json-scan", "isNull")}(p)`, () => p.line("p += 4;"), read);
}

/** Prints `slow(p, row): usize`: reads any line; on a fault `scanFault` says why. Leaves blanks behind the value to the caller. */
export function emitSlowPath(context: ScannerContext): void {
  const p = context.printer;
  for (const field of context.fields) emitNested(context, field);
  emitObject(context, "object", context.fields);
  p.block("function slow(p: usize, row: usize): usize", () => {
    p.line(`p = ${p.use("json-scan", "skipBlanks")}(p);`);
    p.line("const isObject = load<u8>(p) == 123;");
    p.line(`p = isObject ? object(p + 1, row) : ${p.use("json-scan", "skipValue")}(p);`);
    p.line(`if (${p.use("json-scan", "scanFault")} != 0) return p;`);
    p.line("p = skipBlanks(p);");
    p.line(`if (load<u8>(p) != 10) ${p.use("json-scan", "setFault")}(${p.use("row-errors", "MALFORMED_JSON")}, -1);`);
    p.line(`else if (!isObject) setFault(${p.use("row-errors", "WRONG_TYPE")}, -1);`);
    p.line("else checkRow(row);");
    p.line("return p + 1;");
  });
}

function emitNested(context: ScannerContext, field: ScanField): void {
  if (field.fields === undefined) return;
  for (const child of field.fields) emitNested(context, child);
  emitClear(context, field);
  emitObject(context, `object${field.id}`, field.fields);
}

/** `clear<id>(row)`: the struct's columns become NULL, because a later duplicate of its key starts anew. */
function emitClear(context: ScannerContext, field: ScanField): void {
  const p = context.printer;
  p.block(`function clear${field.id}(row: usize): void`, () => {
    const markers = new Set(markersBelow([field]));
    for (const c of columnsBelow([field])) emitClearColumn(context, c, markers.has(c));
  });
}

function markersBelow(fields: readonly ScanField[]): readonly number[] {
  return fields.flatMap((f) => [...(f.marker === undefined ? [] : [f.marker]), ...markersBelow(f.fields ?? [])]);
}

/** Makes column `c` of the row absent. */
function emitClearColumn(context: ScannerContext, c: number, marker: boolean): void {
  const p = context.printer;
  if (marker) return p.line(`store<u8>(V${c} + row, 0);`);
  p.line(`store<u8>(N${c} + row, 0);`);
  if (isVariable(columnOf(context, c).type)) p.line(`store<u32>(V${c} + (row << 2), load<u32>(V${c} + (row << 2)), 4);`);
}

/** `name(p, row)`: members of an object from behind its opening brace to behind its closing one. */
function emitObject(context: ScannerContext, name: string, fields: readonly ScanField[]): void {
  const p = context.printer;
  emitMember(context, name, fields);
  p.block(`function ${name}(p: usize, row: usize): usize`, () => {
    const fail = (): void => {
      p.line(`${p.use("json-scan", "setFault")}(${p.use("row-errors", "MALFORMED_JSON")}, -1);`);
      p.line("return p;");
    };
    p.line(`p = ${p.use("json-scan", "skipBlanks")}(p);`);
    p.line("if (load<u8>(p) == 125) return p + 1;");
    p.block("while (true)", () => {
      p.block("if (load<u8>(p) != 34)", fail);
      p.line(`p = ${p.use("json-scan", "scanKey")}(p);`);
      p.line(`if (${p.use("json-scan", "scanFault")} != 0) return p;`);
      p.line(`p = ${name}Member(p, row);`);
      p.line("if (scanFault != 0) return p;");
      p.line("if (load<u8>(p) <= 32) p = skipBlanks(p);");
      p.line("const c = load<u8>(p);");
      p.line("if (c == 125) return p + 1;");
      p.block("if (c != 44)", fail);
      p.line("p++;");
      p.line("if (load<u8>(p) <= 32) p = skipBlanks(p);");
    });
    p.line("return p;");
  });
}

/** `<name>Member(p, row)`: the value at `p` of the key just scanned. */
function emitMember(context: ScannerContext, name: string, fields: readonly ScanField[]): void {
  const p = context.printer;
  const read = fields.filter(isRead);
  const lengths = [...new Set(read.map((f) => f.key.length))].sort((a, b) => a - b);
  p.block(`function ${name}Member(p: usize, row: usize): usize`, () => {
    for (const length of lengths) {
      p.block(`if (${p.use("json-scan", "keyLength")} == ${length})`, () => {
        for (const field of read.filter((f) => f.key.length === length)) {
          p.block(`if (${matchBytes(p.use("json-scan", "keyStart"), field.key)})`, () => emitSlowValue(context, field));
        }
      });
    }
    p.line(`return ${p.use("json-scan", "skipValue")}(p);`);
  });
}

function emitSlowValue(context: ScannerContext, field: ScanField): void {
  const p = context.printer;
  const refuse = (at: string, mark: string): string =>
    `return ${p.use("json-scan", "refuseValue")}(${at}, ${mark} + row, ${p.use("row-errors", "WRONG_TYPE")});`;
  if (field.fields !== undefined) {
    p.line(`clear${field.id}(row);`);
    p.line(`if (${p.use("json-scan", "isNull")}(p)) return ${p.use("json-scan", "skipValue")}(p);`);
    const first = columnsBelow([field])[0];
    const mark = `${markersBelow([field]).some((m) => m === first) ? "V" : "N"}${first}`;
    p.line(`if (load<u8>(p) != 123) ${refuse("p", mark)}`);
    if (field.marker !== undefined) p.line(`store<u8>(V${field.marker} + row, 1);`);
    p.line(`return object${field.id}(p + 1, row);`);
    return;
  }
  const c = must(field.column, "column of a field that is read");
  const column = columnOf(context, c);
  p.block(`if (${p.use("json-scan", "isNull")}(p))`, () => {
    emitClearColumn(context, c, false);
    p.line(`return ${p.use("json-scan", "skipValue")}(p);`);
  });
  p.line("const at = p;");
  const target: Target = { index: c, column, fast: false, fail: refuse("at", `N${c}`) };
  if (column.type.kind === "text") {
    p.line(`if (load<u8>(p) != 34) ${refuse("at", `N${c}`)}`);
    p.line("p++;");
    emitReadText(p, target);
  } else emitReadValue(p, context, target);
  p.line("return p;");
}

/** Types whose values a scanner can read. */
export function isScannable(type: ScalarType): boolean {
  return type.kind !== "interval" && type.kind !== "decimal" && type.kind !== "bytes";
}

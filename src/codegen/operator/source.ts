/**
 * Byte sources: input bytes → rows of the declared schema → batches downstream, with event time and watermark. Rows that
 * cannot be read are reported with their position; the rest of the batch goes on.
 *
 * Generators (impulse, nexmark) are `generator.ts`.
 */

import { must } from "../../core/assert.ts";
import { userError } from "../../core/errors.ts";
import { isVariable } from "../../data/data-type.ts";
import type { Column } from "../../data/schema.ts";
import { physicalColumns } from "../../data/schema.ts";
import type { Expression } from "../../program/expression.ts";
import type { SourceOperator } from "../../program/operator.ts";
import { emitExpression } from "../expression.ts";
import { Printer } from "../printer.ts";
import type { ScanField } from "../scan-layout.ts";
import { columnsBelow, scanLayout } from "../scan-layout.ts";
import { emitFastPaths, emitSlowPath, firstKeyLength, isScannable } from "../scanner.ts";
import { RowScope } from "../scope.ts";
import { columnWidth } from "../value.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";
import { emitGenerator } from "./generator.ts";

/** Bytes of a row at most, its newline not counted. */
const MAX_ROW_BYTES = 16 << 20;

/** What the functions below share. */
interface SourceContext {
  readonly printer: Printer;
  readonly vertex: number;
  readonly operator: SourceOperator;
  /** Columns read, without hidden ones. */
  readonly columns: readonly Column[];
  readonly markers: ReadonlySet<number>;
  readonly fields: readonly ScanField[];
}

/** Emits a source vertex. */
export function emitSource(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as SourceOperator;
  if (operator.format === undefined) return emitGenerator(context);
  if (operator.format.kind === "debezium_json")
    throw userError("unsupported", `table "${operator.table}": sources cannot read format debezium_json yet`, {
      hint: "Use format = 'json'.",
    });
  const { columns } = context.vertex.output;
  const refused = columns.find((c) => !isScannable(c.type));
  if (refused !== undefined)
    throw userError("unsupported", `column "${refused.name}" of table "${operator.table}" has a type that JSON sources cannot read yet`);
  const fields = scanLayout(operator);
  const s: SourceContext = {
    printer: new Printer(),
    vertex: context.vertex.id,
    operator,
    columns,
    fields,
    markers: new Set(markersOf(fields)),
  };
  emitBuffers(s);
  if (operator.format.kind === "raw_string") emitRawLine(s);
  else emitJsonLine(s, operator.format.timestampFormat);
  emitFinish(s);
  emitWatermark(s);
  emitReset(s);
  emitBad(s.printer, s.vertex);
  emitScan(s);
  return { source: s.printer.text(), expands: false, flushes: false, stateful: false };
}

function markersOf(fields: readonly ScanField[]): readonly number[] {
  return fields.flatMap((f) => [...(f.marker === undefined ? [] : [f.marker]), ...markersOf(f.fields ?? [])]);
}

/** Column whose values are event time as they stand. */
function plainEventTime(operator: SourceOperator): number | undefined {
  return operator.eventTime?.kind === "column" ? operator.eventTime.index : undefined;
}

/** Buffers, `init`, `inputBuffer`, and `prepare(bytes, rows)` before each batch. */
function emitBuffers(s: SourceContext): void {
  const p = s.printer;
  p.declare("let IN: usize = 0;\nlet OUT: usize = 0;\nlet TIME: usize = 0;\nlet POSITIONS: usize = 0;");
  s.columns.forEach((column, c) => {
    p.declare(`let V${c}: usize = 0;\nlet N${c}: usize = 0;\n${isVariable(column.type) ? `let B${c}: usize = 0;` : ""}`);
  });
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    p.line(`IN = ${p.use("memory", "allocateBlock")}(65536);`);
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${s.columns.length + 1});`);
    p.line(`TIME = ${reserve}(65536 + 64);\nPOSITIONS = ${reserve}(65536 + 64);`);
    s.columns.forEach((column, c) => {
      p.line(`V${c} = ${reserve}(${isVariable(column.type) ? 8194 * 4 : 8192 * columnWidth(column.type) + 64});`);
      p.line(`N${c} = ${reserve}(8192 + 64);`);
      if (isVariable(column.type)) p.line(`B${c} = allocateBlock(65536);`);
    });
  });
  p.block("export function inputBuffer(capacity: usize): usize", () => {
    p.line(`IN = ${p.use("memory", "growBlock")}(IN, ${p.use("memory", "blockCapacity")}(IN), capacity + 128);`);
    p.line("return IN;");
  });
  p.block("function prepare(bytes: usize, rows: usize): void", () => {
    s.columns.forEach((column, c) => {
      if (s.markers.has(c)) p.line(`memory.fill(V${c}, 0, rows);`);
      else p.line(`memory.fill(N${c}, 0, rows);`);
      if (isVariable(column.type)) p.line(`B${c} = ${p.use("memory", "growBlock")}(B${c}, 0, bytes + 64);\nstore<u32>(V${c}, 0);`);
      const validity = column.nullable ? `N${c}` : "0";
      p.line(`${p.use("batch", "setColumn")}(OUT, ${c}, V${c}, ${validity}, ${isVariable(column.type) ? `B${c}` : "0"});`);
    });
    const plain = plainEventTime(s.operator);
    p.line(`${p.use("batch", "setColumn")}(OUT, ${s.columns.length}, ${plain === undefined ? "TIME" : `V${plain}`}, 0, 0);`);
  });
}

/** `line(p, row)`: reads one line; the address behind its newline. */
function emitJsonLine(s: SourceContext, timestampFormat: "rfc3339" | "unix_millis"): void {
  const p = s.printer;
  const context = { printer: p, columns: s.columns, fields: s.fields, timestampFormat };
  emitFastPaths(context);
  emitSlowPath(context);
  p.declare("let isSpaced: bool = false;");
  p.block("function line(p: usize, row: usize): usize", () => {
    p.line("const next = isSpaced ? spaced(p, row) : compact(p, row);");
    p.line("if (next != 0) return next;");
    p.line(`isSpaced = load<u8>(p, ${firstKeyLength(s.fields)}) == 32;`);
    p.line(`${p.use("json-scan", "clearFault")}();`);
    p.line("clearRow(row);");
    p.line("return slow(p, row);");
  });
  emitRowCheck(s);
}

/**
 * `checkRow(row)`: the first column, in order, that could not take its value, or has none and needs one. The fast path takes
 * no such lines.
 */
function emitRowCheck(s: SourceContext): void {
  const p = s.printer;
  const fault = p.use("json-scan", "setFault");
  p.line("let mark: i32 = 0;");
  p.block("function checkRow(row: usize): void", () => {
    s.columns.forEach((column, c) => {
      p.line(`mark = <i32>load<u8>(${s.markers.has(c) ? "V" : "N"}${c} + row);`);
      const missing = !column.nullable && !s.markers.has(c);
      if (missing) p.line(`if (mark == 0) { ${fault}(${p.use("row-errors", "MISSING_VALUE")}, ${c}); return; }`);
      p.line(`if (mark > 1) { ${fault}(mark & 0x7f, ${c}); return; }`);
    });
  });
}

/** A line of text is the value of the one column. */
function emitRawLine(s: SourceContext): void {
  const p = s.printer;
  p.block("function line(p: usize, row: usize): usize", () => {
    p.line(`const end = ${p.use("json-scan", "findNewline")}(p);`);
    if (s.columns.length > 0) {
      p.line("const length = end > p && load<u8>(end - 1) == 13 ? end - p - 1 : end - p;");
      p.line("const start = load<u32>(V0 + (row << 2));");
      p.line(`${p.use("selection", "copyLoose")}(B0 + <usize>start, p, length);`);
      p.line("store<u32>(V0 + (row << 2), start + <u32>length, 4);");
      p.line("store<u8>(N0 + row, 1);");
      p.line(
        `if (!${p.use("utf8", "isValidUtf8")}(p, length)) ${p.use("json-scan", "setFault")}(${p.use("row-errors", "INVALID_UTF8")}, 0);`,
      );
    }
    p.line("return end + 1;");
  });
}

/** `finish(row): i32` checks and stores event time; returns a reason, 0 if all is well. */
function emitFinish(s: SourceContext): void {
  const p = s.printer;
  const { eventTime } = s.operator;
  const plain = plainEventTime(s.operator);
  if (eventTime === undefined) {
    p.block("function finish(row: usize): i32", () => {
      p.line(`store<i64>(TIME + (row << 3), ${p.use("scan-result", "readTime")});`);
      p.line("return 0;");
    });
  } else if (plain !== undefined) {
    p.block("function finish(row: usize): i32", () => {
      const nullable = must(s.columns[plain], `event-time column ${plain}`).nullable;
      p.line(nullable ? `return load<u8>(N${plain} + row) == 0 ? ${p.use("row-errors", "NULL_EVENT_TIME")} : 0;` : "return 0;");
    });
  } else emitComputedTime(s, eventTime);
}

function emitComputedTime(s: SourceContext, eventTime: Expression): void {
  const p = s.printer;
  const scope = new RowScope(p, s.columns, "row");
  const body = p.capture(() => {
    const value = emitExpression(scope, eventTime);
    if (scope.faults) p.line("  if (fault != 0) return fault;");
    if (value.valid !== "true") p.line(`  if (!${value.valid}) return ${p.use("row-errors", "NULL_EVENT_TIME")};`);
    p.line(`  store<i64>(TIME + (row << 3), ${value.value});`);
    p.line("  return 0;");
  });
  p.line("function finish(row: usize): i32 {");
  if (scope.faults) p.line("  let fault: i32 = 0;");
  if (scope.scratch) p.line(`  ${p.use("scratch", "scratchReset")}();`);
  p.append(scope.hoisted("OUT"));
  p.append(body);
  p.line("}");
}

/** `watermarkOf(n)`: the largest watermark over the rows of OUT. A row whose watermark faults says nothing. */
function emitWatermark(s: SourceContext): void {
  const p = s.printer;
  const schema = physicalColumns({ columns: s.columns, updating: false });
  const scope = new RowScope(p, schema, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      const value = emitExpression(scope, s.operator.watermark);
      const conditions = [
        ...(value.valid === "true" ? [] : [value.valid]),
        ...(scope.faults ? ["fault == 0"] : []),
        `${value.value} > best`,
      ];
      p.line(`if (${conditions.join(" && ")}) best = ${value.value};`);
      if (scope.faults) p.line("fault = 0;");
      if (scope.scratch) p.line(`${p.use("scratch", "scratchReset")}();`);
    });
  });
  p.line("function watermarkOf(n: usize): i64 {");
  p.line("  let best: i64 = i64.MIN_VALUE;");
  if (scope.faults) p.line("  let fault: i32 = 0;");
  p.append(scope.hoisted("OUT"));
  p.append(body);
  p.line("  return best;");
  p.line("}");
}

/** `openRow(row)`: text of the row begins, empty, where the last row's ended. `clearRow(row)`: nothing is present. */
function emitReset(s: SourceContext): void {
  const p = s.printer;
  p.block("function openRow(row: usize): void", () => {
    s.columns.forEach((column, c) => {
      if (isVariable(column.type)) p.line(`store<u32>(V${c} + (row << 2), load<u32>(V${c} + (row << 2)), 4);`);
    });
  });
  p.block("function clearRow(row: usize): void", () => {
    for (const c of columnsBelow(s.fields)) p.line(`store<u8>(${s.markers.has(c) ? "V" : "N"}${c} + row, 0);`);
    p.line("openRow(row);");
  });
}

/** The exported `scan`. */
function emitScan(s: SourceContext): void {
  const p = s.printer;
  const { vertex } = s;
  p.block("export function scan(from: usize, to: usize, last: i32, maxRows: i32, partition: i32, position: i64): i32", () => {
    p.line("const start = from;\nlet p = start;\nlet end = to;\nlet completed = false;");
    p.line(`${p.use("row-errors", "setProvenance")}(partition, 0, 0);`);
    p.block("if (last == 0)", () => p.line(`end = ${p.use("json-scan", "afterLastNewline")}(p, end);`));
    p.block("else if (to > from && load<u8>(end - 1) != 10)", () => p.line("store<u8>(end, 10);\nend++;\ncompleted = true;"));
    p.block("if (p >= end)", () => {
      p.block(`if (last == 0 && to - from > ${MAX_ROW_BYTES})`, () => {
        p.line(`${p.use("stats", "countRowsIn")}(${vertex}, 1);\n${p.use("stats", "countBad")}(${vertex}, 1);`);
        p.line(`${p.use("row-errors", "reportRow")}(${vertex}, ${p.use("row-errors", "ROW_TOO_LONG")}, position, -1, start, to - from);`);
        p.line(`${p.use("scan-result", "setScanResult")}(to - from, 1, i64.MIN_VALUE);\nreturn 0;`);
      });
      p.line("setScanResult((p < to ? p : to) - start, 0, i64.MIN_VALUE);\nreturn 0;");
    });
    p.line("prepare(end - p, <usize>maxRows);");
    emitScanLoop(s);
    p.line("setScanResult((p < to ? p : to) - start, <usize>taken, row == 0 ? i64.MIN_VALUE : watermarkOf(row));");
    p.line(`countRowsIn(${vertex}, <usize>taken);\n${p.use("stats", "countRowsOut")}(${vertex}, row);`);
    p.line("if (row == 0) return 0;");
    p.line(`${p.use("batch", "setBatchRows")}(OUT, row);\nsetProvenance(partition, OUT, POSITIONS);`);
    p.line(`${p.import(`./e${vertex}.ts`, "emit")}(OUT);\nreturn 0;`);
  });
}

/** Rows until the range, `maxRows` or the batch is used up. */
function emitScanLoop(s: SourceContext): void {
  const p = s.printer;
  const raw = s.operator.format?.kind === "raw_string";
  p.line("let row: usize = 0;\nlet taken: i32 = 0;");
  p.block("while (p < end && taken < maxRows)", () => {
    if (!raw)
      p.line(
        `if (load<u8>(p) <= 32) { const q = ${p.use("json-scan", "skipBlanks")}(p); if (load<u8>(q) == 10) { p = q + 1; continue; } }`,
      );
    p.line("openRow(row);\nstore<i64>(POSITIONS + (row << 3), position + <i64>(p - start));");
    p.line("const next = line(p, row);\ntaken++;");
    p.block(`if (${p.use("json-scan", "scanFault")} == 0 && next - p <= ${MAX_ROW_BYTES + 1})`, () => {
      p.line("const reason = finish(row);");
      p.line("if (reason == 0) { row++; p = next; continue; }");
      p.line(`${p.use("json-scan", "setFault")}(reason, ${plainEventTime(s.operator) ?? -1});`);
    });
    p.line(`p = bad(p, row, end, completed, position + <i64>(p - start));`);
  });
}

/** `bad(p, row, end, completed, position)`: reports the line at `p`, clears the row; the address of the next line. */
function emitBad(p: Printer, vertex: number): void {
  p.block("function bad(p: usize, row: usize, end: usize, completed: bool, position: i64): usize", () => {
    p.line(`const newline = ${p.use("json-scan", "findNewline")}(p);`);
    p.line(`let reason = ${p.use("json-scan", "scanFault")};\nlet column = ${p.use("json-scan", "scanFaultColumn")};`);
    p.block(`if (newline - p > ${MAX_ROW_BYTES})`, () => p.line(`reason = ${p.use("row-errors", "ROW_TOO_LONG")};\ncolumn = -1;`));
    p.block(`else if (reason == ${p.use("row-errors", "MALFORMED_JSON")} && column < 0 && completed && newline + 1 == end)`, () =>
      p.line(`reason = ${p.use("row-errors", "TRUNCATED_ROW")};`),
    );
    p.line(`${p.use("row-errors", "reportRow")}(${vertex}, reason, position, column, p, newline - p);`);
    p.line(`${p.use("stats", "countBad")}(${vertex}, 1);`);
    p.line(`${p.use("json-scan", "clearFault")}();`);
    p.line("clearRow(row);");
    p.line("return newline + 1;");
  });
}

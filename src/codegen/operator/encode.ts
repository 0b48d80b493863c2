/**
 * JSON lines out of batches. One encoded frame a batch; a row's room is checked once, from its text lengths, so that the
 * writers below need no bounds. Debezium: one envelope a row, an adjacent −old +new with equal keys as one update.
 */

import { must } from "../../core/assert.ts";
import { userError } from "../../core/errors.ts";
import { isVariable } from "../../data/data-type.ts";
import type { Column, RowSchema, ShapeField } from "../../data/schema.ts";
import { physicalColumns } from "../../data/schema.ts";
import type { EncodeOperator } from "../../program/operator.ts";
import { inputSchema, outputs } from "../../program/program.ts";
import { emitComparison } from "../call/comparison.ts";
import { emitConstant } from "../constant-bytes.ts";
import { Printer } from "../printer.ts";
import { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

/** Most bytes of a fixed-width value: a timestamp in quotes. */
const FIXED_MAX = 40;

interface EncodeContext {
  readonly printer: Printer;
  readonly operator: EncodeOperator;
  readonly input: RowSchema;
  readonly columns: readonly Column[];
}

/** Emits an encode vertex. */
export function emitEncode(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as EncodeOperator;
  const input = inputSchema(context.program, context.vertex.id);
  const e: EncodeContext = { printer: new Printer(), operator, input, columns: physicalColumns(input) };
  const p = e.printer;
  p.declare("let BLOCK: usize = 0;");
  emitRow(e);
  if (operator.format.kind === "debezium_json") emitEnvelopes(e);
  emitPush(e, context);
  p.line("export function init(): void {}");
  return { source: p.text(), expands: false, flushes: false, stateful: false };
}

/** Prints `object(q, batch, r)`: the row as one JSON object; and `room(batch, r)`: a bound of its size. */
function emitRow(e: EncodeContext): void {
  const p = e.printer;
  const scope = new RowScope(p, e.columns, "r");
  const raw = e.operator.format.kind === "raw_string";
  const body = p.capture(() => {
    if (raw) emitRawText(e, scope);
    else emitObject(e, scope, e.operator.shape);
  });
  p.line("function object(q: usize, batch: usize, r: usize): usize {");
  p.append(scope.hoisted("batch"));
  p.append(body);
  p.line("  return q;");
  p.line("}");
  p.block("function room(batch: usize, r: usize): usize", () => {
    p.line(`let bytes: usize = ${fixedRoom(e.operator.shape)};`);
    e.input.columns.forEach((column, c) => {
      if (!isVariable(column.type)) return;
      const offset = p.fresh("o");
      p.line(`const ${offset} = ${p.use("batch", "columnValues")}(batch, ${c}) + (r << 2);`);
      p.line(`bytes += <usize>(load<u32>(${offset}, 4) - load<u32>(${offset})) * 6;`);
    });
    p.line("return bytes;");
  });
}

/** Bytes of keys, punctuation and fixed-width values, with room to overshoot. */
function fixedRoom(shape: readonly ShapeField[]): number {
  return (
    64 +
    shape.reduce(
      (sum, f) => sum + Buffer.byteLength(JSON.stringify(f.name)) + FIXED_MAX + 16 + (f.fields === undefined ? 0 : fixedRoom(f.fields)),
      0,
    )
  );
}

function emitRawText(e: EncodeContext, scope: RowScope): void {
  const index = e.operator.shape[0]?.column;
  const column = index === undefined ? undefined : e.columns[index];
  if (e.operator.shape.length !== 1 || index === undefined || column?.type.kind !== "text") {
    throw userError("invalid-option", "format raw_string needs exactly one column, of type TEXT");
  }
  const value = scope.column(index);
  const p = e.printer;
  p.line(`if (${value.valid}) { memory.copy(q, ${value.value}, ${value.length}); q += ${value.length}; }`);
}

function emitObject(e: EncodeContext, scope: RowScope, shape: readonly ShapeField[]): void {
  const p = e.printer;
  if (shape.length === 0) emitConstant(p, "{");
  shape.forEach((field, i) => {
    emitConstant(p, `${i === 0 ? "{" : ","}${JSON.stringify(field.name)}:`);
    emitField(e, scope, field);
  });
  emitConstant(p, "}");
}

function emitField(e: EncodeContext, scope: RowScope, field: ShapeField): void {
  const p = e.printer;
  if (field.fields !== undefined) {
    const object = (): void => emitObject(e, scope, field.fields ?? []);
    if (field.marker === undefined) return object();
    const marker = scope.column(field.marker);
    return p.branch(marker.value, object, () => p.line(`q = ${p.use("json-write", "writeNull")}(q);`));
  }
  const value = scope.column(must(field.column, `column of field "${field.name}"`));
  const write = (): void => p.line(`q = ${writeCall(e, value)};`);
  if (value.valid === "true") write();
  else p.branch(value.valid, write, () => p.line(`q = ${p.use("json-write", "writeNull")}(q);`));
}

/** Call that writes a present value at q. */
function writeCall(e: EncodeContext, { type, value, length }: Value): string {
  const p = e.printer;
  switch (type.kind) {
    case "boolean":
      return `${p.use("json-write", "writeBoolean")}(q, ${value})`;
    case "int8":
    case "int16":
    case "int32":
    case "int64":
      return `${p.use("number-write", "writeI64")}(q, <i64>${value})`;
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return `${p.use("number-write", "writeU64")}(q, <u64>${value})`;
    case "float32":
      return `${p.use("json-write", "writeReal")}(q, ${value})`;
    case "float64":
      return `${p.use("json-write", "writeDouble")}(q, ${value})`;
    case "text":
      return `${p.use("json-write", "writeString")}(q, ${value}, ${length})`;
    case "json":
      return `${p.use("json-time", "writeEmbedded")}(q, ${value}, ${length})`;
    case "timestamp": {
      const millis = e.operator.format.kind !== "raw_string" && e.operator.format.timestampFormat === "unix_millis";
      return `${p.use("json-time", millis ? "writeMillis" : "writeQuotedTimestamp")}(q, ${value})`;
    }
    case "date":
      return `${p.use("json-time", "writeQuotedDate")}(q, ${value})`;
    case "time":
      return `${p.use("json-time", "writeQuotedTime")}(q, ${value})`;
    default:
      throw userError("unsupported", `values of type ${type.kind} cannot be written as JSON yet`);
  }
}

/** `sameKey(batch, a, b)` and the writers of Debezium envelopes. */
function emitEnvelopes(e: EncodeContext): void {
  const p = e.printer;
  p.block("function created(q: usize, batch: usize, r: usize): usize", () => {
    emitConstant(p, '{"before":null,"after":');
    p.line("q = object(q, batch, r);");
    emitConstant(p, ',"op":"c"}\n');
    p.line("return q;");
  });
  if (!e.input.updating) return;
  p.block("function deleted(q: usize, batch: usize, r: usize): usize", () => {
    emitConstant(p, '{"before":');
    p.line("q = object(q, batch, r);");
    emitConstant(p, ',"after":null,"op":"d"}\n');
    p.line("return q;");
  });
  p.block("function updated(q: usize, batch: usize, r: usize): usize", () => {
    emitConstant(p, '{"before":');
    p.line("q = object(q, batch, r);");
    emitConstant(p, ',"after":');
    p.line("q = object(q, batch, r + 1);");
    emitConstant(p, ',"op":"u"}\n');
    p.line("return q;");
  });
  emitSameKey(e);
}

function emitSameKey(e: EncodeContext): void {
  const p = e.printer;
  const left = new RowScope(p, e.columns, "a");
  const right = new RowScope(p, e.columns, "b");
  const body = p.capture(() => {
    for (const key of e.operator.keyColumns) {
      const distinct = emitComparison(left, "is_distinct", [left.column(key), right.column(key)]);
      p.line(`  if (${distinct.value}) return false;`);
    }
    p.line(e.operator.keyColumns.length === 0 ? "  return false;" : "  return true;");
  });
  p.line("function sameKey(batch: usize, a: usize, b: usize): bool {");
  p.append(left.hoisted("batch"));
  p.append(right.hoisted("batch"));
  p.append(body);
  p.line("}");
}

function emitPush(e: EncodeContext, context: EmitContext): void {
  const p = e.printer;
  const { id } = context.vertex;
  const edge = must(outputs(context.program, id)[0], "edge of an encode vertex");
  p.block("export function push(batch: usize, port: i32): void", () => {
    p.line(`const n = ${p.use("batch", "batchRows")}(batch);\nif (n == 0) return;`);
    p.line(`${p.use("stats", "countRowsIn")}(${id}, n);\n${p.use("stats", "countRowsOut")}(${id}, n);`);
    p.line(`let block = ${p.use("exchange", "encodedBlock")}(n * 64 + 65536);`);
    p.line(`let limit = block + ${p.use("memory", "blockCapacity")}(block);\nlet q = block + 96;`);
    p.block("for (let r: usize = 0; r < n; r++)", () => {
      const pair = e.operator.format.kind === "debezium_json" && e.input.updating;
      p.line(`${pair ? "let" : "const"} need = room(batch, r) + 256;`);
      if (pair) emitPairRoom(e);
      p.block("if (q + need > limit)", () => {
        p.line(`const used = q - block;\nblock = ${p.use("memory", "growBlock")}(block, used, used + need);`);
        p.line("limit = block + blockCapacity(block);\nq = block + used;");
      });
      emitRowWrite(e);
    });
    const gather = edge.exchange.kind === "gather";
    const host = p.use("exchange", "HOST");
    const target = gather ? `${p.use("exchange", "parallelism")} == 1 ? ${host} : 0` : host;
    p.line(`const target: i32 = ${target};`);
    p.line(`if (target == ${host}) { countRowsIn(${edge.target}, n); countRowsOut(${edge.target}, n); }`);
    p.line(`${p.use("exchange", "sendEncoded")}(block, q - block - 96, n, ${edge.id}, target);`);
  });
}

/** Room for as many copies as the row weighs, or for both rows of an update. */
function emitPairRoom(e: EncodeContext): void {
  const p = e.printer;
  p.line(`const weights = ${p.use("batch", "columnValues")}(batch, ${e.columns.length - 1});`);
  p.line("const weight = load<i32>(weights + (r << 2));");
  p.line("if (weight > 1 || weight < -1) need *= <usize>abs(weight);");
  p.line("if (r + 1 < n) need += room(batch, r + 1);");
}

function emitRowWrite(e: EncodeContext): void {
  const p = e.printer;
  if (e.operator.format.kind !== "debezium_json") {
    p.line("q = object(q, batch, r);\nstore<u8>(q++, 10);");
    return;
  }
  if (!e.input.updating) return p.line("q = created(q, batch, r);");
  p.block("if (weight == -1 && r + 1 < n && load<i32>(weights + (r << 2), 4) == 1 && sameKey(batch, r, r + 1))", () => {
    p.line("q = updated(q, batch, r);\nr++;\ncontinue;");
  });
  p.line("for (let w = weight; w > 0; w--) q = created(q, batch, r);");
  p.line("for (let w = weight; w < 0; w++) q = deleted(q, batch, r);");
}

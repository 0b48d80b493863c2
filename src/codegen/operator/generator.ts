/**
 * Generators: sources whose rows are pure functions of the event's number, made in the module. Event i has event time
 * base + i × interval; `scan` has no part in it.
 */

import { userError } from "../../core/errors.ts";
import type { SourceOperator } from "../../program/operator.ts";
import { Printer } from "../printer.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

/** Nanoseconds of event time between two events. */
export function eventIntervalNs(operator: SourceOperator): bigint {
  const micros = operator.options["event_time_interval"];
  if (micros !== undefined) return BigInt(Math.round(Number(micros))) * 1000n;
  return BigInt(Math.max(1, Math.round(1e9 / Number(operator.options["event_rate"]))));
}

/** Columns of impulse by field name: expressions over `i` (the event) and `stride`. */
const IMPULSE: Readonly<Record<string, string>> = { counter: "i", subtask_index: "i % <i64>stride" };

/** Emits a generator vertex. */
export function emitGenerator(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as SourceOperator;
  if (operator.connector === "impulse") return emitImpulse(context, operator);
  throw userError("unsupported", `connector "${operator.connector}" cannot generate rows yet`);
}

function emitImpulse(context: EmitContext, operator: SourceOperator): VertexModule {
  const p = new Printer();
  const { id, output } = context.vertex;
  const columns = output.columns.length;
  p.declare("let OUT: usize = 0;\nlet TIME: usize = 0;");
  for (let c = 0; c < columns; c++) p.declare(`let V${c}: usize = 0;`);
  p.block("export function init(): void", () => {
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${columns + 1});\nTIME = ${p.use("memory", "reserve")}(65536 + 64);`);
    for (let c = 0; c < columns; c++) p.line(`V${c} = reserve(65536 + 64);\n${p.use("batch", "setColumn")}(OUT, ${c}, V${c}, 0, 0);`);
    p.line(`${p.use("batch", "setColumn")}(OUT, ${columns}, TIME, 0, 0);`);
  });
  p.block("export function generate(first: i64, stride: i32, count: i32, baseNs: i64): i32", () => {
    p.block("for (let r = 0; r < count; r++)", () => {
      p.line("const i = first + <i64>r * <i64>stride;");
      p.line(`const at = baseNs + i * ${eventIntervalNs(operator)};`);
      p.line("store<i64>(TIME + (<usize>r << 3), at);");
      for (const field of operator.shape) p.line(`store<i64>(V${field.column} + (<usize>r << 3), ${IMPULSE[field.name] ?? "0"});`);
    });
    p.line(`${p.use("row-errors", "clearProvenance")}();`);
    p.line(`${p.use("batch", "setBatchRows")}(OUT, <usize>count);`);
    p.line(`${p.use("stats", "countRowsIn")}(${id}, <usize>count);\n${p.use("stats", "countRowsOut")}(${id}, <usize>count);`);
    const last = "load<i64>(TIME + (<usize>(count - 1) << 3))";
    p.line(`${p.use("scan-result", "setScanResult")}(0, <usize>count, count == 0 ? i64.MIN_VALUE : ${last} - 1000000000);`);
    p.line(`if (count > 0) ${p.import(`./e${id}.ts`, "emit")}(OUT);\nreturn 0;`);
  });
  return { source: p.text(), expands: false, flushes: false, stateful: false };
}

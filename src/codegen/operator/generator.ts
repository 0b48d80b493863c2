/**
 * Generators: sources whose rows are pure functions of the event's number, made in the module. Event i has event time
 * base + i × interval; `scan` has no part in it.
 */

import { userError } from "../../core/errors.ts";
import type { SourceOperator } from "../../program/operator.ts";
import { Printer } from "../printer.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";
import { emitGeneratorBuffers, emitGeneratorEnd, eventIntervalNs } from "./generator-parts.ts";
import { emitNexmark } from "./nexmark.ts";

/** Columns of impulse by field name: expressions over `i` (the event) and `stride`. */
const IMPULSE: Readonly<Record<string, string>> = { counter: "i", subtask_index: "i % <i64>stride" };

/** Emits a generator vertex. */
export function emitGenerator(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as SourceOperator;
  if (operator.connector === "impulse") return emitImpulse(context, operator);
  if (operator.connector === "nexmark") return emitNexmark(context, operator);
  throw userError("unsupported", `connector "${operator.connector}" cannot generate rows`);
}

function emitImpulse(context: EmitContext, operator: SourceOperator): VertexModule {
  const p = new Printer();
  const { id, output } = context.vertex;
  emitGeneratorBuffers(p, output.columns, 0);
  p.block("export function generate(first: i64, stride: i32, count: i32, baseNs: i64): i32", () => {
    p.block("for (let r = 0; r < count; r++)", () => {
      p.line("const i = first + <i64>r * <i64>stride;");
      p.line(`store<i64>(TIME + (<usize>r << 3), baseNs + i * ${eventIntervalNs(operator)});`);
      for (const field of operator.shape) p.line(`store<i64>(V${field.column} + (<usize>r << 3), ${IMPULSE[field.name] ?? "0"});`);
    });
    emitGeneratorEnd(p, id);
  });
  return { source: p.text(), expands: false, flushes: false, stateful: false };
}

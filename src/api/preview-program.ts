/** A program whose sinks only show their rows: what the editor runs unless the user enables sinks. */
import type { Operator } from "../program/operator.ts";
import type { Program } from "../program/program.ts";

/** `program` with every sink replaced by a preview sink. Fingerprints stay: nothing is ever restored into a preview. */
export function showSinks(program: Program): Program {
  return { ...program, vertices: program.vertices.map((vertex) => ({ ...vertex, operator: shown(vertex.operator) })) };
}

function shown(operator: Operator): Operator {
  if (operator.kind === "sink") return { kind: "sink", table: operator.table, connector: "preview", options: {} };
  // The rows shown are JSON objects.
  if (operator.kind === "encode" && operator.format.kind === "raw_string") {
    return { ...operator, format: { kind: "json", timestampFormat: "rfc3339", decimalEncoding: "string" } };
  }
  return operator;
}

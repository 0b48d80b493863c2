/** CREATE FUNCTION: the body's TypeScript becomes a user-defined function; its problems become diagnostics at their place in the script. */
import { printType } from "../../data/data-type.ts";
import type { UdfDefinition } from "../../program/udf.ts";
import type { DiagnosticCollector } from "../diagnostics.ts";
import type { Span } from "../source-text.ts";
import type { CreateFunction } from "../statement.ts";
import { parseUdfs } from "../udf/definition.ts";
import { printSignature } from "./udf-call.ts";

/** The function of the statement; undefined after reporting what is wrong with it. */
export function bindFunction(diagnostics: DiagnosticCollector, statement: CreateFunction): UdfDefinition | undefined {
  const { name, language, body, bodySpan, span } = statement;
  if (language !== undefined && language !== "typescript") {
    diagnostics.error("unsupported-syntax", span, `functions cannot be written in ${language}`, { hint: "Write LANGUAGE TYPESCRIPT." });
    return undefined;
  }
  const { definitions, problems } = parseUdfs(body);
  for (const { message, start, end } of problems) {
    diagnostics.error("invalid-function", { start: bodySpan.start + start, end: bodySpan.start + Math.max(end, start) }, message);
  }
  if (problems.length > 0) return undefined;
  const wanted = name.parts.map((p) => p.text).join(".");
  const found = definitions.find((d) => d.name.toLowerCase() === wanted.toLowerCase());
  if (found === undefined) {
    diagnostics.error("invalid-function", name.span, `the body does not export a function "${wanted}"`, {
      detail: `It exports ${definitions.map((d) => `"${d.name}"`).join(", ")}.`,
    });
    return undefined;
  }
  return matchesDeclaration(diagnostics, statement, found) ? found : undefined;
}

/** Types in the SQL are optional; those that are written must be the function's. */
function matchesDeclaration(diagnostics: DiagnosticCollector, statement: CreateFunction, udf: UdfDefinition): boolean {
  const { parameters, name, returns } = statement;
  const advice = { detail: `The function is ${printSignature(udf)}.`, hint: "Leave the types out: they are read from the TypeScript." };
  const refuse = (span: Span, message: string): false => {
    diagnostics.error("invalid-function", span, message, advice);
    return false;
  };
  if (parameters.length > 0 && parameters.length !== udf.parameters.length) {
    return refuse(name.span, `the declaration has ${parameters.length} parameters, the function ${udf.parameters.length}`);
  }
  for (const [i, { type }] of parameters.entries()) {
    const own = udf.parameters[i]?.type;
    if (own !== undefined && own.kind !== type.type.kind) {
      return refuse(type.span, `parameter ${i + 1} is declared ${printType(type.type)}, the function takes ${printType(own)}`);
    }
  }
  if (returns !== undefined && returns.type.kind !== udf.result.type.kind) {
    return refuse(returns.span, `the result is declared ${printType(returns.type)}, the function gives ${printType(udf.result.type)}`);
  }
  return true;
}

/** User-defined functions of requests: exactly one exported function of TypeScript each, with its SQL signature. */
import type { z } from "zod";
import { printType } from "../data/data-type.ts";
import type { UdfDefinition } from "../program/udf.ts";
import { parseUdfs, type UdfProblem } from "../sql/udf/definition.ts";
import { badRequest, HttpError } from "./http-error.ts";
import type { udfValidationShape } from "./schema/udf-shapes.ts";

/** The one language there is. */
export const UDF_LANGUAGE = "typescript";

/** A function as a request brings it. */
export interface UdfRequest {
  readonly definition: string;
  readonly language?: string | undefined;
}

/** What a check of a definition found. */
export interface CheckedUdf {
  readonly definition: UdfDefinition | undefined;
  readonly problems: readonly UdfProblem[];
}

/** Reads a definition. Throws 400 for another language. */
export function checkUdf({ definition: text, language = UDF_LANGUAGE }: UdfRequest, field = "language"): CheckedUdf {
  if (language !== UDF_LANGUAGE) {
    throw badRequest(`body field "${field}" must be "${UDF_LANGUAGE}", not "${language}"`, {
      hint: "Write the function in TypeScript: export function name(x: bigint): bigint { … }",
    });
  }
  const { definitions, problems } = parseUdfs(text);
  const [definition, second] = definitions;
  if (second === undefined) return { definition, problems };
  const message = `the definition exports ${definitions.length} functions: exactly one is needed`;
  return { definition: undefined, problems: [{ message, start: 0, end: 0, line: 1, column: 1 }] };
}

/** The function of a definition. Throws 400 with every problem's place. */
export function requireUdf(request: UdfRequest, field: string): UdfDefinition {
  const { definition, problems } = checkUdf(request, field.replace(/definition$/, "language"));
  if (definition !== undefined) return definition;
  const [first, ...rest] = problems.map(problemText);
  throw new HttpError(400, "invalid-udf", `body field "${field}": ${first ?? "it defines no function"}`, {
    detail: rest.length === 0 ? undefined : rest.map((text) => `Also: ${text}.`).join(" "),
  });
}

/** The functions of a pipeline's own. Throws 400, also for two with one name. */
export function requireUdfs(requests: readonly UdfRequest[]): readonly UdfDefinition[] {
  const found = requests.map((request, i) => requireUdf(request, `udfs.${i}.definition`));
  for (const [i, { name }] of found.entries()) {
    const first = found.findIndex((other) => other.name.toLowerCase() === name.toLowerCase());
    if (first !== i) throw badRequest(`body field "udfs.${i}.definition": function "${name}" is defined twice`);
  }
  return found;
}

function problemText({ message, line, column }: UdfProblem): string {
  return `${message} (line ${line}, column ${column})`;
}

/** The result of a check as answered. */
export function viewCheck({ definition, problems }: CheckedUdf): z.input<typeof udfValidationShape> {
  return {
    udf_name: definition?.name ?? null,
    errors: problems.map(problemText),
    problems: problems.map(({ message, line, column, start, end }) => ({ message, line, column, start, end })),
    signature: definition === undefined ? null : viewSignature(definition),
  };
}

/** Parameters and result with their types in SQL. */
export function viewSignature(definition: UdfDefinition): NonNullable<z.input<typeof udfValidationShape>["signature"]> {
  return {
    parameters: definition.parameters.map(({ name, type, nullable }) => ({ name, type: printType(type), nullable })),
    result: { type: printType(definition.result.type), nullable: definition.result.nullable },
  };
}

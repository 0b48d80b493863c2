/** User-defined functions of requests: exactly one exported function of TypeScript each, with its SQL signature. */
import type { z } from "zod";
import { printType } from "../data/data-type.ts";
import type { UdfDefinition } from "../program/udf.ts";
import type { UdfProblem } from "../sql/udf/definition.ts";
import type { ApiContext } from "./api-context.ts";
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
export async function checkUdf(
  api: ApiContext,
  { definition: text, language = UDF_LANGUAGE }: UdfRequest,
  field = "language",
): Promise<CheckedUdf> {
  if (language !== UDF_LANGUAGE) {
    throw badRequest(`body field "${field}" must be "${UDF_LANGUAGE}", not "${language}"`, {
      hint: "Write the function in TypeScript: export function name(x: bigint): bigint { … }",
    });
  }
  const { definitions, problems } = await api.planner.parseUdfs(text);
  const [definition, second] = definitions;
  if (second === undefined) return { definition, problems };
  const message = `the definition exports ${definitions.length} functions: exactly one is needed`;
  return { definition: undefined, problems: [{ message, start: 0, end: 0, line: 1, column: 1 }] };
}

/** The function of a definition. Throws 400 with every problem's place. */
export async function requireUdf(api: ApiContext, request: UdfRequest, field: string): Promise<UdfDefinition> {
  const { definition, problems } = await checkUdf(api, request, field.replace(/definition$/, "language"));
  if (definition !== undefined) return definition;
  const [first, ...rest] = problems.map(problemText);
  throw new HttpError(400, "invalid-udf", `body field "${field}": ${first ?? "it defines no function"}`, {
    detail: rest.length === 0 ? undefined : rest.map((text) => `Also: ${text}.`).join(" "),
  });
}

/** The functions of a pipeline's own. Throws 400, also for two with one name. */
export async function requireUdfs(api: ApiContext, requests: readonly UdfRequest[]): Promise<readonly UdfDefinition[]> {
  const found: UdfDefinition[] = [];
  for (const [i, request] of requests.entries()) found.push(await requireUdf(api, request, `udfs.${i}.definition`));
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

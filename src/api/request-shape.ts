/** Checks what comes in against a route's shapes. A refusal names the field in the words of the request: `body field "parallelism" must be …`. */
import type { z } from "zod";
import { nearestName } from "../core/nearest.ts";
import { badRequest, type HttpError } from "./http-error.ts";

/** Where a value stands. */
type Part = "body" | "query parameter" | "path parameter";

/** The checked value; throws 400. */
export function checkShape<T extends z.ZodType>(shape: T, value: unknown, part: Part): z.output<T> {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  throw refusal(result.error.issues, value, shape, part);
}

function refusal(issues: readonly z.core.$ZodIssue[], value: unknown, shape: z.ZodType, part: Part): HttpError {
  const [first, ...rest] = issues.map((issue) => describe(issue, value, part));
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys");
  const nearest = unknown === undefined ? undefined : nearestField(unknown.keys[0] ?? "", shape);
  return badRequest(first ?? `the ${part} is not valid`, {
    ...(rest.length === 0
      ? {}
      : {
          detail: rest
            .slice(0, 10)
            .map((text) => `Also: ${text}.`)
            .join(" "),
        }),
    ...(nearest === undefined ? {} : { hint: `Did you mean "${nearest}"?` }),
  });
}

function describe(issue: z.core.$ZodIssue, value: unknown, part: Part): string {
  if (issue.code === "unrecognized_keys") {
    const inside = issue.path.length === 0 ? "" : ` in ${part} field "${pathText(issue.path)}"`;
    return `unknown field "${issue.keys[0]}"${inside}`;
  }
  const what = issue.path.length === 0 ? `the ${part}` : `${part === "body" ? "body field" : part} "${pathText(issue.path)}"`;
  if (issue.code === "invalid_type" && valueAt(value, issue.path) === undefined) return `${what} is missing`;
  return `${what} ${sentence(issue)}`;
}

/** The issue as the rest of a sentence. */
function sentence(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith("must ")) return issue.message;
  if (issue.code === "invalid_type") return `must be ${article(issue.expected)}`;
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
  return `is not valid: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function article(type: string): string {
  return TYPE_WORDS[type] ?? `of type ${type}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Reflect.get(at, key);
  }
  return at;
}

function nearestField(name: string, shape: z.ZodType): string | undefined {
  const fields: unknown = Reflect.get(shape, "shape");
  return typeof fields === "object" && fields !== null ? nearestName(name, Object.keys(fields)) : undefined;
}

/**
 * Programs as JSON text: for the artifact, the database and the checkpoint. Exact for bigints, bytes, infinities and −0 (see
 * `canonicalJson`). Reading checks the version and the operators' kinds, then the whole program (`validate.ts`).
 */
import { internalError } from "../core/errors.ts";
import { canonicalJson } from "./fingerprint.ts";
import type { OperatorKind } from "./operator.ts";
import { PROGRAM_VERSION, type Program } from "./program.ts";
import { validateProgram } from "./validate.ts";

const OPERATOR_KINDS: ReadonlySet<string> = new Set<OperatorKind>([
  "source",
  "compute",
  "window-aggregate",
  "updating-aggregate",
  "window-join",
  "encode",
  "sink",
]);

/** The program as one line of JSON; equal programs give equal text. */
export function encodeProgram(program: Program): string {
  return canonicalJson(program);
}

/**
 * The inverse of `encodeProgram`. Throws `version-mismatch` for text of another format version or with an unknown operator, `invariant`
 * for anything that is not a valid program.
 */
export function decodeProgram(text: string): Program {
  const value = parse(text);
  if (typeof value !== "object" || value === null || !("version" in value)) {
    throw internalError("invariant", "a program must be a JSON object with a version");
  }
  if (value.version !== PROGRAM_VERSION) {
    throw internalError("version-mismatch", `program has version ${String(value.version)}, this build reads version ${PROGRAM_VERSION}`);
  }
  const program = value as Program;
  if (!Array.isArray(program.vertices) || !Array.isArray(program.edges)) {
    throw internalError("invariant", "a program must have vertices and edges");
  }
  for (const vertex of program.vertices) {
    const kind: unknown = vertex?.operator?.kind;
    if (typeof kind !== "string" || !OPERATOR_KINDS.has(kind)) {
      throw internalError("version-mismatch", `program has an unknown operator "${String(kind)}" at vertex ${String(vertex?.id)}`);
    }
  }
  validateProgram(program);
  return program;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, revive);
  } catch (cause) {
    throw internalError("invariant", "a program is not valid JSON", { cause });
  }
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("$bigint" in value) return BigInt(String(value.$bigint));
  if ("$bytes" in value) return new Uint8Array(Buffer.from(String(value.$bytes), "hex"));
  if ("$float" in value) return Number(value.$float);
  return value;
}

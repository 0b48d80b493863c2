/**
 * Types of the dialect that the code generator has no storage for yet. The one place that knows: the binder refuses them where they are
 * written, so that no program ever holds one.
 */
import { type DataType, printType } from "../../data/data-type.ts";

const MISSING: ReadonlySet<string> = new Set(["decimal", "bytes", "array"]);

/** The first part of `type` that cannot run, as SQL spells it; `undefined` if all of it can. */
export function unsupportedPart(type: DataType): string | undefined {
  if (type.kind === "struct") return type.fields.map((f) => unsupportedPart(f.type)).find((part) => part !== undefined);
  return MISSING.has(type.kind) ? printType(type) : undefined;
}

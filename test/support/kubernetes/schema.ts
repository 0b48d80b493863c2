/**
 * Checks what clients send field by field, as the API server does with fieldValidation=Strict. The fields are those of the OpenAPI document of
 * Kubernetes itself, in the form of the models that `@kubernetes/client-node` generates from it: no list of ours that could repeat our mistakes.
 */
import * as models from "@kubernetes/client-node";

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

interface Model {
  getAttributeTypeMap(): readonly Attribute[];
}

/** A value as JSON has it. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Paths of fields that the model does not have, and of values of another type, in the API server's words; empty: it is valid. */
export function schemaErrors(model: string, value: unknown): string[] {
  return check(value as Json, model, "");
}

function check(value: Json, type: string, path: string): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  const table = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (value === null) return [];
  if (list !== undefined) {
    if (!Array.isArray(value)) return [mismatch(path, "array", value)];
    return (value as readonly Json[]).flatMap((item, index) => check(item, list, `${path}[${index}]`));
  }
  if (table !== undefined) {
    if (!isTable(value)) return [mismatch(path, "object", value)];
    return Object.entries(value).flatMap(([name, item]) => check(item, table, `${path}.${name}`));
  }
  const fields = modelOf(type);
  if (fields === undefined) return checkScalar(value, type, path);
  if (!isTable(value)) return [mismatch(path, "object", value)];
  return Object.entries(value).flatMap(([name, item]) => {
    const below = path === "" ? name : `${path}.${name}`;
    const field = fields.find(({ baseName }) => baseName === name);
    return field === undefined ? [`unknown field "${below}"`] : check(item, field.type, below);
  });
}

function checkScalar(value: Json, type: string, path: string): string[] {
  if (type === "number" && typeof value !== "number") return [mismatch(path, "number", value)];
  if ((type === "string" || type === "Date" || type === "V1MicroTime") && typeof value !== "string")
    return [mismatch(path, "string", value)];
  if (type === "boolean" && typeof value !== "boolean") return [mismatch(path, "bool", value)];
  return [];
}

function modelOf(type: string): readonly Attribute[] | undefined {
  const found = (models as unknown as Record<string, Partial<Model> | undefined>)[type];
  return typeof found?.getAttributeTypeMap === "function" ? found.getAttributeTypeMap() : undefined;
}

function mismatch(path: string, wanted: string, value: Json): string {
  return `json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go struct field ${path} of type ${wanted}`;
}

function isTable(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A model that exists, so that a client's update which renames models is noticed. */
export function knowsModel(model: string): boolean {
  return (modelOf(model)?.length ?? 0) > 0;
}

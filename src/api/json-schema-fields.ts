/**
 * Fields out of a JSON schema (https://json-schema.org/draft/2020-12): properties of an object become columns. What SQL has no type for
 * (alternatives, mixed types, maps) becomes a JSON column, as in Arroyo.
 */
import { z } from "zod";
import { badRequest } from "./http-error.ts";
import type { SourceField } from "./schema/connection-shapes.ts";

/** The part of JSON schema that is read. */
const schemaShape = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  minimum: z.number().optional(),
  get properties() {
    return z.record(z.string(), z.unknown()).optional();
  },
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
  $defs: z.record(z.string(), z.unknown()).optional(),
  definitions: z.record(z.string(), z.unknown()).optional(),
});
type Schema = z.output<typeof schemaShape>;

const DEPTH_MAX = 16;

/** The fields of an object. Throws 400 that names the body's field. */
export function fieldsOfJsonSchema(text: string): SourceField[] {
  const root = parse(text);
  const definitions = { ...root.definitions, ...root.$defs };
  const fields = fieldsOf(root, definitions, 0);
  if (fields === undefined || fields.length === 0) {
    throw badRequest('body field "schema.definition.schema" must be the JSON schema of an object with properties');
  }
  return fields;
}

function parse(text: string): Schema {
  try {
    return schemaShape.parse(JSON.parse(text));
  } catch {
    throw badRequest('body field "schema.definition.schema" is not a JSON schema');
  }
}

/** Fields of an object's schema; `undefined` if it is none, or is nested too deeply. */
function fieldsOf(schema: Schema, definitions: Readonly<Record<string, unknown>>, depth: number): SourceField[] | undefined {
  if (schema.properties === undefined || depth > DEPTH_MAX) return undefined;
  return Object.entries(schema.properties).map(([name, property]) => {
    const inner = resolve(property, definitions);
    const required = (schema.required?.includes(name) ?? false) && !typesOf(inner).includes("null");
    return { name, required, ...typeOf(inner, definitions, depth) };
  });
}

/** A property's schema, references followed; `undefined` for what cannot be read. */
function resolve(property: unknown, definitions: Readonly<Record<string, unknown>>): Schema | undefined {
  const parsed = schemaShape.safeParse(property);
  if (!parsed.success) return undefined;
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(parsed.data.$ref ?? "")?.[1];
  if (name === undefined) return parsed.data;
  const target = schemaShape.safeParse(definitions[name]);
  return target.success ? target.data : undefined;
}

function typesOf(schema: Schema | undefined): readonly string[] {
  if (schema?.type === undefined) return [];
  return typeof schema.type === "string" ? [schema.type] : schema.type;
}

function typeOf(
  schema: Schema | undefined,
  definitions: Readonly<Record<string, unknown>>,
  depth: number,
): Pick<SourceField, "type" | "unit" | "fields" | "items"> {
  const types = typesOf(schema).filter((type) => type !== "null");
  if (schema === undefined || types.length !== 1) return { type: "json" };
  switch (types[0]) {
    case "string":
      if (schema.format === "date-time") return { type: "timestamp", unit: "nanosecond" };
      return { type: schema.format === "date" ? "date" : "string" };
    case "integer":
      return { type: (schema.minimum ?? -1) >= 0 ? "uint64" : "int64" };
    case "number":
      return { type: "float64" };
    case "boolean":
      return { type: "bool" };
    case "object": {
      const fields = fieldsOf(schema, definitions, depth + 1);
      return fields === undefined || fields.length === 0 ? { type: "json" } : { type: "struct", fields };
    }
    case "array": {
      const element = typeOf(resolve(schema.items, definitions), definitions, depth + 1);
      return element.type === "json" || element.type === "list" ? { type: "json" } : { type: "list", items: element };
    }
    default:
      return { type: "json" };
  }
}

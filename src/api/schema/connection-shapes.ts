/** Shapes of connectors, connection profiles and connection tables, as Arroyo has them. */
import { z } from "zod";
import { count, displayName, jsonObject, micros, optional } from "./shape.ts";

/** Types of fields: Arroyo's, then those that it lacks. */
export const FIELD_TYPES = [
  "int32",
  "int64",
  "uint32",
  "uint64",
  "float32",
  "float64",
  "decimal128",
  "bool",
  "string",
  "bytes",
  "timestamp",
  "json",
  "struct",
  "list",
  "int8",
  "int16",
  "uint8",
  "uint16",
  "date",
  "time",
] as const;

/** One of `FIELD_TYPES`. */
export type FieldType = (typeof FIELD_TYPES)[number];

/** Other names that Arroyo accepts. */
const FIELD_TYPE_ALIASES = { f32: "float32", f64: "float64", utf8: "string", binary: "bytes" } as const;
type FieldTypeAlias = keyof typeof FIELD_TYPE_ALIASES;
const ALIASES = Object.keys(FIELD_TYPE_ALIASES) as FieldTypeAlias[];

const fieldType = z
  .enum([...FIELD_TYPES, ...ALIASES])
  .transform(
    (name): FieldType => (Object.hasOwn(FIELD_TYPE_ALIASES, name) ? FIELD_TYPE_ALIASES[name as FieldTypeAlias] : (name as FieldType)),
  );

const TIMESTAMP_UNITS = ["second", "millisecond", "microsecond", "nanosecond"] as const;

/** A type: which of the optional parts are needed depends on `type`, whose names in requests may be Arroyo's other ones. */
interface TypeParts<T> {
  readonly type: T;
  /** Of a timestamp. */
  readonly unit?: (typeof TIMESTAMP_UNITS)[number] | null | undefined;
  /** Of a decimal128: 1 … 38. */
  readonly precision?: number | null | undefined;
  /** Of a decimal128: 0 … 38. */
  readonly scale?: number | null | undefined;
  /** Of a struct. */
  readonly fields?: readonly FieldParts<T>[] | null | undefined;
  /** True: never NULL. */
  readonly required?: boolean | null | undefined;
  /** The type in SQL; ignored in requests. */
  readonly sql_name?: string | null | undefined;
}

interface ListItemParts<T> extends TypeParts<T> {
  readonly name?: string | null | undefined;
}

interface FieldParts<T> extends TypeParts<T> {
  readonly name: string;
  readonly metadata_key?: string | null | undefined;
  /** Of a list. */
  readonly items?: ListItemParts<T> | null | undefined;
}

/** A field. */
export type SourceField = FieldParts<FieldType>;

const typeParts = {
  type: fieldType,
  unit: z.enum(TIMESTAMP_UNITS).nullish().meta({ description: "of a timestamp" }),
  precision: z.int().min(1).max(38).nullish().meta({ description: "of a decimal128" }),
  scale: z.int().min(0).max(38).nullish().meta({ description: "of a decimal128" }),
  required: z.boolean().nullish().meta({ description: "true: never NULL" }),
  sql_name: z.string().nullish().meta({ description: "the type in SQL; ignored in requests" }),
};

/** A field of a table or a struct. */
export const sourceFieldShape: z.ZodType<SourceField, FieldParts<FieldType | FieldTypeAlias>> = z
  .object({
    name: z.string().min(1, "must not be empty").max(255),
    ...typeParts,
    metadata_key: z.string().nullish(),
    get fields() {
      return z.array(sourceFieldShape).nullish();
    },
    get items() {
      return listItemShape.nullish();
    },
  })
  .meta({ id: "SourceField" });

/** An element of a list. */
const listItemShape: z.ZodType<ListItemParts<FieldType>, ListItemParts<FieldType | FieldTypeAlias>> = z
  .object({ ...typeParts, name: z.string().nullish(), fields: z.array(sourceFieldShape).nullish() })
  .meta({ id: "ListFieldItem" });

/** How bytes become rows. */
const format = z
  .object({
    type: z.enum(["json", "debezium_json", "raw_string", "raw_bytes", "avro", "protobuf", "parquet"]),
    debezium: z.boolean().nullish().meta({ description: "of json: changes instead of rows" }),
    timestamp_format: z.enum(["rfc3339", "unix_millis"]).nullish(),
    decimal_encoding: z.enum(["number", "string", "bytes"]).nullish(),
    unstructured: z.boolean().nullish(),
    confluent_schema_registry: z.boolean().nullish(),
  })
  .meta({ id: "Format" });

/** The schema of a table. */
export const connectionSchemaShape = z
  .object({
    format: format.nullish(),
    bad_data: z.object({ behavior: z.enum(["fail", "drop"]) }).nullish(),
    framing: z.object({ method: z.string() }).nullish(),
    fields: z.array(sourceFieldShape).max(1_000, "must have at most 1000 fields").nullish(),
    definition: z
      .object({ type: z.enum(["json_schema", "protobuf_schema", "avro_schema"]), schema: z.string().max(1_048_576) })
      .nullish()
      .meta({ description: "a schema in another language, from which `fields` are made" }),
    inferred: z.boolean().nullish().meta({ description: "of a sink: the first INSERT decides" }),
    primary_keys: z.array(z.string()).nullish(),
  })
  .meta({ id: "ConnectionSchema" });

/** A schema in a request. */
export type ConnectionSchema = z.output<typeof connectionSchemaShape>;

/** Names of tables are written in SQL without quotes. */
const tableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "must be a letter or underscore, then at most 62 letters, digits and underscores");

/** A profile in a request. */
export const profilePost = z
  .strictObject({ name: displayName, connector: z.string(), config: jsonObject })
  .meta({ id: "ConnectionProfilePost" });

/** A profile. */
export const profileShape = z
  .object({
    id: z.string(),
    name: z.string(),
    connector: z.string(),
    config: jsonObject.meta({ description: "secrets are references such as {{ NAME }}" }),
    description: z.string(),
  })
  .meta({ id: "ConnectionProfile" });

/** How a table is used. */
const tableType = z.enum(["source", "sink", "lookup"]).meta({ id: "ConnectionType" });

/** A table in a request. */
export const tablePost = z
  .strictObject({
    name: tableName,
    connector: z.string(),
    connection_profile_id: optional(z.string()),
    config: jsonObject.meta({ description: "options of the connector, and `type` unless table_type is given" }),
    schema: optional(connectionSchemaShape),
    table_type: optional(tableType),
  })
  .meta({ id: "ConnectionTablePost" });

/** A table in a request, checked. */
export type TablePost = z.output<typeof tablePost>;

/** A table. */
export const tableShape = z
  .object({
    id: z.string(),
    name: z.string(),
    created_at: micros,
    connector: z.string(),
    connection_profile: profileShape.nullable(),
    table_type: tableType,
    config: jsonObject,
    schema: connectionSchemaShape,
    consumers: count.meta({ description: "pipelines that use it: it cannot be deleted while there is one" }),
    create_sql: z.string().meta({ description: "the CREATE TABLE that it stands for" }),
  })
  .meta({ id: "ConnectionTable" });

/** A connector. */
export const connectorShape = z
  .object({
    id: z.string(),
    name: z.string(),
    icon: z.string().meta({ description: "SVG" }),
    description: z.string(),
    table_config: z.string().meta({ description: "JSON schema of a table's config, as text" }),
    enabled: z.boolean(),
    source: z.boolean(),
    sink: z.boolean(),
    custom_schemas: z.boolean().meta({ description: "its tables declare fields" }),
    testing: z.boolean(),
    hidden: z.boolean(),
    connection_config: z.string().nullable().meta({ description: "JSON schema of a profile's config, as text; null: it needs none" }),
    lookup: z.boolean(),
    formatted: z.boolean().meta({ description: "its tables have a format" }),
    fixed_fields: z.array(sourceFieldShape).meta({ description: "fields that every table of it has" }),
  })
  .meta({ id: "Connector" });

/** A message of a test. */
export const testMessageShape = z.object({ error: z.boolean(), done: z.boolean(), message: z.string() }).meta({ id: "TestSourceMessage" });

/** Completions of fields. */
export const autocompleteShape = z.object({ values: z.record(z.string(), z.array(z.string())) }).meta({ id: "ConnectionAutocompleteResp" });

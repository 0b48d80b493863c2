/**
 * Schemas of Terraform providers as data, in the shape that `terraform providers schema -json` prints, without descriptions. The files in
 * `schemas/` hold only the types that our modules use; `scripts/provider-schemas.ts` makes them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A type as Terraform's JSON writes it: `"string"`, `["list", "string"]`, `["object", {"a": "bool"}]`. */
export type CtyType = string | readonly [string, CtyType | { readonly [name: string]: CtyType }];

/** One argument or attribute. */
export interface SchemaAttribute {
  readonly type?: CtyType;
  /** An object with attributes of its own, instead of `type`. */
  readonly nested_type?: {
    readonly attributes: { readonly [name: string]: SchemaAttribute };
    readonly nesting_mode: "single" | "list" | "set" | "map";
  };
  readonly required?: boolean;
  readonly optional?: boolean;
  readonly computed?: boolean;
  readonly sensitive?: boolean;
  readonly write_only?: boolean;
}

/** A block that may stand inside another. */
export interface SchemaNestedBlock {
  readonly nesting_mode: "single" | "list" | "set" | "map";
  readonly block: SchemaBlock;
  readonly min_items?: number;
  /** 0 or absent: no limit. */
  readonly max_items?: number;
}

/** The body of a resource, a data source or the provider's configuration. */
export interface SchemaBlock {
  readonly attributes?: { readonly [name: string]: SchemaAttribute };
  readonly block_types?: { readonly [name: string]: SchemaNestedBlock };
}

/** The schema of one type. */
export interface TypeSchema {
  readonly version: number;
  readonly block: SchemaBlock;
}

/** Everything that Terraform learns from a provider. */
export interface ProviderSchema {
  readonly provider: TypeSchema;
  readonly resource_schemas: { readonly [type: string]: TypeSchema };
  readonly data_source_schemas: { readonly [type: string]: TypeSchema };
  readonly ephemeral_resource_schemas: { readonly [type: string]: TypeSchema };
}

/** A file of `schemas/`. */
export interface SchemaFile {
  /** Such as `registry.terraform.io/hashicorp/aws`. */
  readonly source: string;
  /** Version of the provider that the facts are from. */
  readonly version: string;
  /** Where they were taken from, for the reader. */
  readonly derivedFrom: string;
  readonly schema: ProviderSchema;
}

/** The folder of the schema files. */
export const SCHEMA_FOLDER = fileURLToPath(new URL("./schemas/", import.meta.url));

/** Every provider that the gate can stand in for. */
export function loadSchemas(folder: string = SCHEMA_FOLDER): readonly SchemaFile[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.sort().map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as SchemaFile);
}

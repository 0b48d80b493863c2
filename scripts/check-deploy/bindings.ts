/**
 * Reads the schema of a Terraform provider out of the npm package of its CDK bindings. Their source maps hold the generated TypeScript, in
 * which a comment before every property says whether it is computed, optional or required, and the property itself says its type. What they do
 * not say (sensitive, write-only) is corrected by `provider-schemas.ts`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { internalError } from "../../src/core/errors.ts";
import type { CtyType, SchemaAttribute, SchemaBlock, SchemaNestedBlock } from "./schema.ts";

const PROPERTY =
  /^ {2}\/\/ (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n([\s\S]*?)(?=^ {2}\/\/ |^\}|(?![\s\S]))/gm;
const SOURCE_MAP = /sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)/;
/** What a property's getter calls, and the type that it means. */
const GETTERS: readonly (readonly [RegExp, CtyType])[] = [
  [/Fn\.tolist\(this\.getListAttribute/, ["set", "string"]],
  [/Fn\.tolist\(this\.getNumberListAttribute|asNumberList\(cdkt[fn]\.Fn\.tolist/, ["set", "number"]],
  [/getStringAttribute/, "string"],
  [/getNumberAttribute/, "number"],
  [/getBooleanAttribute/, "bool"],
  [/getNumberListAttribute/, ["list", "number"]],
  [/getListAttribute/, ["list", "string"]],
  [/getStringMapAttribute|StringMap\(/, ["map", "string"]],
  [/getNumberMapAttribute|NumberMap\(/, ["map", "number"]],
  [/getBooleanMapAttribute|BooleanMap\(/, ["map", "bool"]],
];
/** The same by the declared type of a private field, where the getter does not tell. */
const FIELDS: readonly (readonly [RegExp, CtyType])[] = [
  [/\?: string;/, "string"],
  [/\?: number;/, "number"],
  [/\?: boolean \| cdkt/, "bool"],
  [/\?: string\[\];/, ["list", "string"]],
  [/\?: number\[\];/, ["list", "number"]],
  [/\?: string\[\]\[\]/, ["list", ["list", "string"]]],
  [/\?: \{ \[key: string\]: string \};/, ["map", "string"]],
  [/\?: \{ \[key: string\]: string \}\[\]/, ["list", ["map", "string"]]],
];

/** The schema of one type as its bindings have it. */
export interface BoundType {
  /** `aws_s3_bucket`, or the provider's name. */
  readonly type: string;
  readonly kind: "resource" | "data" | "ephemeral" | "provider";
  readonly block: SchemaBlock;
}

interface Property {
  readonly name: string;
  readonly flags: { readonly required?: true; readonly optional?: true; readonly computed?: true };
  readonly text: string;
}

/** The TypeScript that a module of the bindings was made from. */
function sourceOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const sources = files.flatMap((name) => {
    const map = SOURCE_MAP.exec(readFileSync(join(folder, name), "utf8"))?.[1];
    if (map === undefined) return [];
    return (JSON.parse(Buffer.from(map, "base64").toString()) as { sourcesContent: string[] }).sourcesContent;
  });
  return sources.join("\n");
}

function propertiesOf(body: string): Property[] {
  return [...body.matchAll(PROPERTY)].map(([, name = "", computed, optional, required, text = ""]) => ({
    name,
    text,
    flags: {
      ...(required === "true" && { required: true as const }),
      ...(optional === "true" && { optional: true as const }),
      ...(computed === "true" && { computed: true as const }),
    },
  }));
}

/** One module: its classes by name and how it writes nested structures. */
class Module {
  readonly #source: string;
  readonly #classes: ReadonlyMap<string, string>;

  constructor(source: string) {
    this.#source = source;
    this.#classes = new Map([...source.matchAll(/^export class (\w+) extends [\s\S]*?^\}/gm)].map((match) => [match[1] ?? "", match[0]]));
  }

  get main(): { name: string; kind: BoundType["kind"]; type: string } | undefined {
    const type = /tfResourceType = "(\w+)"/.exec(this.#source)?.[1];
    const found = /^export class (\w+) extends cdkt[fn]\.Terraform(Resource|DataSource|EphemeralResource|Provider) /m.exec(this.#source);
    if (type === undefined || found === null) return undefined;
    const kinds = { Resource: "resource", DataSource: "data", EphemeralResource: "ephemeral", Provider: "provider" } as const;
    return { name: found[1] ?? "", kind: kinds[found[2] as keyof typeof kinds], type };
  }

  block(className: string): SchemaBlock {
    const attributes: Record<string, SchemaAttribute> = {};
    const blocks: Record<string, SchemaNestedBlock> = {};
    for (const property of this.#properties(className)) {
      const block = this.#nestedBlock(property);
      if (block === undefined) attributes[property.name] = this.#attribute(property);
      else blocks[property.name] = block;
    }
    return { attributes, ...(Object.keys(blocks).length > 0 && { block_types: blocks }) };
  }

  #properties(className: string): Property[] {
    const body = this.#classes.get(className);
    if (body === undefined) throw internalError("invariant", `the bindings have no class "${className}"`);
    return propertiesOf(body);
  }

  /** The structure that a property holds: its name, whether there may be several, whether they are a set. */
  #structure(text: string): { name: string; many: boolean; isSet: boolean; isMap: boolean } | undefined {
    const [, name, shape, isSet] = /= new (\w+?)(List|OutputReference|Map)\(this, "\w+"(?:, (true|false))?\)/.exec(text) ?? [];
    if (name === undefined || shape === undefined || !this.#classes.has(`${name}OutputReference`)) return undefined;
    return { name, many: shape === "List", isSet: isSet === "true", isMap: shape === "Map" };
  }

  /** A property that is written as a block; undefined if it is an argument. */
  #nestedBlock({ name, flags, text }: Property): SchemaNestedBlock | undefined {
    const structure = this.#structure(text);
    if (structure === undefined || (flags.computed === true && flags.optional !== true)) return undefined;
    const writer = `${structure.name.charAt(0).toLowerCase()}${structure.name.slice(1)}ToHclTerraform`;
    const [, isBlock, type] =
      new RegExp(`value: .*\\b${writer}(?:, (true|false)\\))?.*,\\n\\s*isBlock: true,\\n\\s*type: "(\\w+)"`).exec(this.#source) ?? [];
    if (isBlock === "false" || (type === "struct" && name !== "timeouts") || structure.isMap) return undefined;
    const block = this.block(`${structure.name}OutputReference`);
    if (name === "timeouts") return { nesting_mode: "single", block };
    return {
      nesting_mode: structure.isSet || type === "set" ? "set" : "list",
      block,
      ...(flags.required === true && { min_items: 1 }),
      ...(!structure.many && { max_items: 1 }),
    };
  }

  #attribute({ name, flags, text }: Property): SchemaAttribute {
    const structure = this.#structure(text);
    if (structure === undefined) {
      const known = [...GETTERS, ...FIELDS].find(([pattern]) => pattern.test(text));
      return { type: known?.[1] ?? "dynamic", ...flags };
    }
    const object = this.#objectType(`${structure.name}OutputReference`);
    if (structure.isMap) return { type: ["map", object], ...flags };
    if (!structure.many) return name === "" ? { type: object, ...flags } : { type: object, ...flags };
    return { type: [structure.isSet ? "set" : "list", object], ...flags };
  }

  #objectType(className: string): CtyType {
    const members = this.#properties(className).map((property) => [property.name, this.#attribute(property).type ?? "dynamic"]);
    return ["object", Object.fromEntries(members) as { [name: string]: CtyType }];
  }
}

/** The type that the module in `folder` binds; undefined if it binds none. */
export function readBoundType(folder: string): BoundType | undefined {
  const module = new Module(sourceOf(folder));
  const main = module.main;
  return main === undefined ? undefined : { type: main.type, kind: main.kind, block: module.block(main.name) };
}

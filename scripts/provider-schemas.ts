/**
 * Makes the schema files of the deployment gate (`check-deploy/schemas/`) anew: for aws, random and tls from the npm packages of their CDK
 * bindings, which are downloaded to a temporary folder; for any provider from what `terraform providers schema -json` printed, where the real
 * one can be had. Only the types that `terraform/` uses are kept, and those that the files have already.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as tar from "tar";
import { readBoundType } from "./check-deploy/bindings.ts";
import { corrected, MORE_EPHEMERALS, PROVIDER_BLOCKS } from "./check-deploy/corrections.ts";
import { loadSchemas, type ProviderSchema, SCHEMA_FOLDER, type SchemaFile, type TypeSchema } from "./check-deploy/schema.ts";
import { listFiles, ROOT } from "./process.ts";

const HELP = `usage: npx tsx scripts/provider-schemas.ts [aws|random|tls]… [--from FILE] [--add TYPE]… [--prune]
  aws, …   which to derive from npm's bindings; needs the registry of npm
  --from   what \`terraform providers schema -json\` printed: every provider of it that has a schema file
  --add    a type to include besides those used, such as aws_sns_topic; with * at its end all that begin so
  --prune  forget types that the schema file has but terraform/ does not use
`;
/** Packages of bindings, and the provider's version that each was made from. */
const PACKAGES: Readonly<Record<string, { spec: string; version: string }>> = {
  aws: { spec: "@cdktn/provider-aws@25.7.0", version: "6.66.0" },
  random: { spec: "@cdktf/provider-random@12.0.1", version: "3.7.2" },
  tls: { spec: "@cdktf/provider-tls@11.0.1", version: "4.1.0" },
};
const KINDS = { resource: "resource_schemas", data: "data_source_schemas", ephemeral: "ephemeral_resource_schemas" } as const;
type Kind = keyof typeof KINDS;

/** Whether a type of a kind is to be kept. */
type Wanted = (kind: Kind, type: string) => boolean;

/** Types that the modules name, each as `kind type`. */
function usedTypes(): Set<string> {
  const files = existsSync(join(ROOT, "terraform")) ? listFiles("terraform", ".tf") : [];
  const texts = files.map((path) => readFileSync(join(ROOT, path), "utf8"));
  return new Set(
    texts.flatMap((text) => [...text.matchAll(/^(resource|data|ephemeral) "(\w+)"/gm)].map((match) => `${match[1]} ${match[2]}`)),
  );
}

function wantedTypes(schema: ProviderSchema | undefined, added: readonly string[], prune: boolean): Wanted {
  const used = usedTypes();
  return (kind, type) => {
    if (used.has(`${kind} ${type}`) || added.some((one) => (one.endsWith("*") ? type.startsWith(one.slice(0, -1)) : type === one)))
      return true;
    return !prune && schema?.[KINDS[kind]][type] !== undefined;
  };
}

/** Downloads a package of bindings and reads the types wanted from it. */
async function fromBindings(name: string, wanted: Wanted): Promise<SchemaFile> {
  const { spec, version } = PACKAGES[name] as { spec: string; version: string };
  const folder = mkdtempSync(join(tmpdir(), "wadi-schemas-"));
  try {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder, spec], { stdio: ["ignore", "ignore", "inherit"] });
    const archive = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "";
    await tar.extract({ file: join(folder, archive), cwd: folder });
    const lib = join(folder, "package", "lib");
    const schemas: Record<Kind, Record<string, TypeSchema>> = { resource: {}, data: {}, ephemeral: {} };
    for (const module of readdirSync(lib, { withFileTypes: true })) {
      // Reading a module takes milliseconds, and there are thousands; their folders are named after their types.
      const kind: Kind = module.name.startsWith("data-") ? "data" : module.name.startsWith("ephemeral-") ? "ephemeral" : "resource";
      const guess = `${name}_${module.name
        .replace(new RegExp(`^(data|ephemeral)-${name}-`), "")
        .replace(/-resource$/, "")
        .replaceAll("-", "_")}`;
      if (!module.isDirectory() || module.name === "provider" || !wanted(kind, guess)) continue;
      const bound = readBoundType(join(lib, module.name));
      if (bound === undefined || bound.kind === "provider") continue;
      schemas[bound.kind][bound.type] = { version: 0, block: corrected(bound.type, bound.block) };
    }
    const provider: TypeSchema = { version: 0, block: PROVIDER_BLOCKS[name] ?? {} };
    const schema = {
      provider,
      resource_schemas: schemas.resource,
      data_source_schemas: schemas.data,
      ephemeral_resource_schemas: { ...MORE_EPHEMERALS[name], ...schemas.ephemeral },
    };
    return { source: `registry.terraform.io/hashicorp/${name}`, version, derivedFrom: `${spec} of npm`, schema };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `terraform providers schema -json` says, without descriptions and unwanted types. */
function fromTerraform(raw: ProviderSchema, source: string, wanted: Wanted): SchemaFile {
  const bare = JSON.parse(JSON.stringify(raw), (key, value: unknown) =>
    /^(description|description_kind|deprecated)$/.test(key) && typeof value !== "object" ? undefined : value,
  ) as ProviderSchema;
  const kept = (kind: Kind) => Object.fromEntries(Object.entries(bare[KINDS[kind]] ?? {}).filter(([type]) => wanted(kind, type)));
  const schema = {
    provider: bare.provider,
    resource_schemas: kept("resource"),
    data_source_schemas: kept("data"),
    ephemeral_resource_schemas: kept("ephemeral"),
  };
  return { source, version: "", derivedFrom: "terraform providers schema -json", schema };
}

/** The file's text: one type per line, so that a change of one is a change of one line. */
function printed(file: SchemaFile): string {
  const { schema } = file;
  const group = (types: Readonly<Record<string, TypeSchema>>) => {
    const lines = Object.keys(types)
      .sort()
      .map((type) => `      ${JSON.stringify(type)}: ${JSON.stringify(types[type])}`);
    return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n    }`;
  };
  const kinds = Object.values(KINDS).map((kind) => `    "${kind}": ${group(schema[kind])}`);
  const head = (["source", "version", "derivedFrom"] as const).map((key) => `  "${key}": ${JSON.stringify(file[key])}`);
  return `{\n${head.join(",\n")},\n  "schema": {\n    "provider": ${JSON.stringify(schema.provider)},\n${kinds.join(",\n")}\n  }\n}\n`;
}

function save(name: string, file: SchemaFile): void {
  const text = printed(file);
  writeFileSync(join(SCHEMA_FOLDER, `${name}.json`), text);
  const counts = Object.values(KINDS).map((kind) => Object.keys(file.schema[kind]).length);
  console.log(`${name} ${file.version}: ${counts.join(" + ")} types, ${(text.length / 1e3).toFixed(0)} kB`);
}

/** Every value that follows the option `name`. */
function valuesOf(args: readonly string[], name: string): string[] {
  return args.flatMap((word, at) => (word === name ? [args[at + 1] ?? ""] : []));
}

async function main(args: readonly string[]): Promise<void> {
  const added = valuesOf(args, "--add");
  const [from] = valuesOf(args, "--from");
  const old = new Map(loadSchemas().map((file) => [basename(file.source), file]));
  const wanted = (name: string) => wantedTypes(old.get(name)?.schema, added, args.includes("--prune"));
  const names = args.filter((word, at) => word in PACKAGES && !(args[at - 1] ?? "").startsWith("--"));
  for (const name of names) save(name, await fromBindings(name, wanted(name)));
  if (from === undefined) return;
  const { provider_schemas } = JSON.parse(readFileSync(from, "utf8")) as { provider_schemas: Record<string, ProviderSchema> };
  for (const [source, raw] of Object.entries(provider_schemas)) {
    const file = fromTerraform(raw, source, wanted(basename(source)));
    save(basename(source), { ...file, version: old.get(basename(source))?.version ?? "" });
  }
}

if (process.argv.length < 3 || process.argv.includes("--help")) console.log(HELP);
else await main(process.argv.slice(2));

/**
 * Generates `src/gen/` from `proto/` with buf and ts-proto, after buf's lint. Both come from npm and run offline. With `--check` nothing is
 * written: the committed files must be what would be generated, no more and no less.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { listFiles, ROOT, runNode, toolPath } from "./process.ts";

const HELP = "usage: npx tsx scripts/gen.ts [--check]\n  --check   changes nothing; exits with 1 if src/gen is not what proto/ says\n";
const TARGET = join(ROOT, "src", "gen");
/** The files lie in one folder, not in one per package: there is one package. ts-proto appends "Service" to services' names itself. */
const LINT = {
  version: "v2",
  modules: [{ path: "proto" }],
  lint: { use: ["STANDARD", "COMMENTS"], except: ["PACKAGE_DIRECTORY_MATCH", "SERVICE_SUFFIX"] },
};
/** https://github.com/stephenh/ts-proto#supported-options */
const OPTIONS = [
  "outputServices=grpc-js",
  "esModuleInterop=true",
  "forceLong=bigint",
  "importSuffix=.ts",
  "oneof=unions-value",
  "outputJsonMethods=false",
  "useReadonlyTypes=true",
  "useExactTypes=false",
];

/** What generating came to. */
export interface GenResult {
  /** Text by file name. */
  readonly files: ReadonlyMap<string, string>;
  /** What the tools complained of; empty if all is well. */
  readonly output: string;
}

function buf(args: readonly string[]): Promise<{ code: number; output: string }> {
  return runNode([toolPath("@bufbuild/buf", "buf"), ...args]);
}

/** The generated files as `proto/` says now. Writes nothing in the tree. */
export async function generate(): Promise<GenResult> {
  const folder = mkdtempSync(join(tmpdir(), "wadi-gen-"));
  try {
    const plugin = { local: [process.execPath, toolPath("ts-proto", "protoc-gen-ts_proto")], out: folder, opt: OPTIONS };
    const template = JSON.stringify({ version: "v2", plugins: [plugin] });
    const lint = await buf(["lint", "proto", "--config", JSON.stringify(LINT)]);
    if (lint.code !== 0) return { files: new Map(), output: lint.output };
    const generated = await buf(["generate", "proto", "--template", template]);
    if (generated.code !== 0) return { files: new Map(), output: generated.output };
    const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
    const expected = listFiles("proto", ".proto").map((path) => basename(path, ".proto") + ".ts");
    const missing = expected.filter((name) => !files.has(name)).map((name) => `${name} was not generated\n`);
    return { files, output: missing.join("") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The names of files in `src/gen` that differ from `files`, are missing or are too many. */
export function drift(files: ReadonlyMap<string, string>): string[] {
  const present = new Map(readdirSync(TARGET).map((name) => [name, readFileSync(join(TARGET, name), "utf8")]));
  return [...new Set([...files.keys(), ...present.keys()])].filter((name) => files.get(name) !== present.get(name)).sort();
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const { files, output } = await generate();
  process.stderr.write(output);
  if (output !== "" || files.size === 0) return 1;
  const changed = drift(files);
  for (const name of changed) {
    process.stdout.write(`src/gen/${name} ${args.includes("--check") ? "is not what proto/ says" : "generated"}\n`);
  }
  if (args.includes("--check")) return changed.length === 0 ? 0 : 1;
  for (const name of changed) {
    const text = files.get(name);
    if (text === undefined) rmSync(join(TARGET, name));
    else writeFileSync(join(TARGET, name), text);
  }
  return 0;
}

if (process.argv[1]?.endsWith("scripts/gen.ts")) process.exitCode = await main(process.argv.slice(2));

/**
 * Generates what follows from the job files of `nomad/`: the table of variables in its README and the nomad-pack. With `--check` nothing is
 * written: the committed files must be what would be generated.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { NOMAD_FOLDER, readJobFiles } from "./nomad/job-files.ts";
import { packFiles } from "./nomad/pack.ts";
import { variableTable } from "./nomad/variable-table.ts";
import { manifest } from "./package/contents.ts";

const HELP =
  "usage: npx tsx scripts/gen-nomad.ts [--check]\n  --check   changes nothing; exits with 1 if a file is not what nomad/*.nomad.hcl say\n";
const PACK = "pack/wadi";
const TABLE = /(<!-- variables: npx tsx scripts\/gen-nomad\.ts -->\n\n)[\s\S]*?(\n<!-- end of variables -->)/;

/** The files as they should be, relative to `nomad/`; undefined: a file of the pack that should not be. */
export async function nomadFiles(): Promise<ReadonlyMap<string, string | undefined>> {
  const files = await readJobFiles();
  const readme = readFileSync(join(NOMAD_FOLDER, "README.md"), "utf8");
  if (!TABLE.test(readme)) throw new Error("nomad/README.md has lost the marks of its table of variables");
  const wanted = new Map<string, string | undefined>([
    ["README.md", readme.replace(TABLE, (_all, before: string, after: string) => `${before}${variableTable(files)}${after}`)],
  ]);
  for (const path of presentFiles()) wanted.set(`${PACK}/${path}`, undefined);
  for (const [path, text] of packFiles(files, manifest().version)) wanted.set(`${PACK}/${path}`, text);
  return wanted;
}

function presentFiles(): string[] {
  const folder = join(NOMAD_FOLDER, PACK);
  mkdirSync(folder, { recursive: true });
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Which of `files` are not as they should be. */
export function nomadDrift(files: ReadonlyMap<string, string | undefined>): string[] {
  return [...files].filter(([path, text]) => present(path) !== text).map(([path]) => path);
}

function present(path: string): string | undefined {
  try {
    return readFileSync(join(NOMAD_FOLDER, path), "utf8");
  } catch {
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const files = await nomadFiles();
  const changed = nomadDrift(files);
  for (const path of changed)
    process.stdout.write(`nomad/${path} ${args.includes("--check") ? "is not what nomad/*.nomad.hcl say" : "generated"}\n`);
  if (args.includes("--check")) return changed.length === 0 ? 0 : 1;
  for (const path of changed) {
    const text = files.get(path);
    const target = join(NOMAD_FOLDER, path);
    mkdirSync(dirname(target), { recursive: true });
    if (text === undefined) rmSync(target);
    else writeFileSync(target, text);
  }
  return 0;
}

if (process.argv[1]?.endsWith("scripts/gen-nomad.ts") === true) process.exitCode = await main(process.argv.slice(2));

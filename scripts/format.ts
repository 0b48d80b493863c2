/**
 * Formats the tree with Biome, including `src/runtime`: AssemblyScript allows decorators on functions and variables (`@inline function`),
 * which Biome does not parse, so they are hidden in comments while it works. `--check` changes nothing and fails on a difference.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listFiles, ROOT, runNodeInherited, toolPath } from "./process.ts";

const HELP =
  "usage: npm run format -- [--check]\n  formats every file; with --check it lists those that are not formatted and exits with 1\n";
/** A line that starts with decorators and may go on with a declaration. */
const DECORATED = /^((?:@\w+(?:\([^()\n]*\))?[ \t]*)+)(.*)$/gm;
const HIDDEN = /^\/\/ #decorator (.*)$/gm;

/** `source` as Biome prints it; throws with Biome's message if it cannot parse it. */
export function formatRuntimeSource(path: string, source: string): string {
  const hidden = source.replace(DECORATED, (_line, decorators: string, rest: string) =>
    `// #decorator ${decorators.trim()}\n${rest}`.trimEnd(),
  );
  // The name only has to be outside of `src/runtime`, which biome.json leaves out.
  const result = spawnSync(process.execPath, [toolPath("@biomejs/biome", "biome"), "format", "--stdin-file-path=src/formatted.ts"], {
    cwd: ROOT,
    input: hidden,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new SyntaxError(`${path}: ${result.stderr}`);
  return result.stdout.replace(HIDDEN, "$1");
}

/** Formats `src/runtime`; the files that were (or, with `check`, would be) changed. */
export function formatRuntime(check: boolean): string[] {
  return listFiles("src/runtime", ".ts").filter((path) => {
    const source = readFileSync(join(ROOT, path), "utf8");
    const formatted = formatRuntimeSource(path, source);
    if (formatted !== source && !check) writeFileSync(join(ROOT, path), formatted);
    return formatted !== source;
  });
}

async function main(): Promise<number> {
  if (process.argv.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const check = process.argv.includes("--check");
  const mode = check ? [] : ["--write"];
  const code = await runNodeInherited([toolPath("@biomejs/biome", "biome"), "check", "--linter-enabled=false", ...mode, "."]);
  const changed = formatRuntime(check);
  for (const path of changed) process.stdout.write(`${path} ${check ? "is not formatted" : "formatted"}\n`);
  return check && changed.length > 0 ? 1 : code;
}

if (process.argv[1]?.endsWith("scripts/format.ts")) process.exitCode = await main();

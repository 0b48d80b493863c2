/**
 * Formats the tree with Biome, including `src/runtime`: AssemblyScript allows decorators on functions and variables (`@inline function`),
 * which Biome does not parse, so they are hidden in comments while it works. `--check` changes nothing and fails on a difference.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { listFiles, ROOT, runNodeInherited, toolPath } from "./process.ts";

const HELP =
  "usage: npm run format -- [--check]\n  formats every file; with --check it lists those that are not formatted and exits with 1\n";
/** A line that starts with decorators and may go on with a declaration. */
const DECORATED = /^((?:@\w+(?:\([^()\n]*\))?[ \t]*)+)(.*)$/gm;
const HIDDEN = /^\/\/ #decorator (.*)$/gm;

/** Biome's own part of a text: decorators hidden, to be undone by `showDecorators`. */
export function hideDecorators(source: string): string {
  return source.replace(DECORATED, (_line, decorators: string, rest: string) => `// #decorator ${decorators.trim()}\n${rest}`.trimEnd());
}

/** The inverse of `hideDecorators`, after formatting. */
export function showDecorators(formatted: string): string {
  return formatted.replace(HIDDEN, "$1");
}

/** Each text as Biome prints it, by one run in a folder of its own; throws with Biome's message if one cannot be parsed. */
function formatTexts(texts: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "wadi-format-"));
  try {
    const { formatter, javascript } = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(join(folder, "biome.json"), JSON.stringify({ root: true, formatter, javascript }));
    const names = new Map([...texts.keys()].map((path, i) => [path, join(folder, `${i}-${basename(path)}`)]));
    for (const [path, name] of names) writeFileSync(name, hideDecorators(texts.get(path) ?? ""));
    const args = [toolPath("@biomejs/biome", "biome"), "format", "--write", "."];
    const result = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    if (result.status !== 0) throw new SyntaxError(result.stdout + result.stderr);
    return new Map([...names].map(([path, name]) => [path, showDecorators(readFileSync(name, "utf8"))]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Formats `src/runtime`; the files that were (or, with `check`, would be) changed. */
export function formatRuntime(check: boolean): string[] {
  const texts = new Map(listFiles("src/runtime", ".ts").map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
  const formatted = formatTexts(texts);
  const changed = [...texts.keys()].filter((path) => formatted.get(path) !== texts.get(path));
  if (!check) for (const path of changed) writeFileSync(join(ROOT, path), formatted.get(path) ?? "");
  return changed;
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

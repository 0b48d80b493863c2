/**
 * Builds `dist/`: the JavaScript of `src/` by tsc, and beside it the AssemblyScript sources of `src/runtime` and every other file that is
 * not TypeScript, unchanged, because pipelines are compiled against them at run time. Does nothing when `dist/` is newer than all of them.
 */
import { cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFiles, ROOT, runNode, toolPath } from "./process.ts";

const HELP = "usage: npm run build -- [--clean]\n  --clean   builds from nothing\n";
const STAMP = join(ROOT, "dist", ".built");
const ALSO_INPUTS = ["package-lock.json", "tsconfig.json", "scripts/tsconfig.build.json", "scripts/build.ts"];

function isUpToDate(inputs: readonly string[]): boolean {
  if (!existsSync(STAMP)) return false;
  const builtMs = statSync(STAMP).mtimeMs;
  const folders = new Set(inputs.map((path) => dirname(path)));
  return [...inputs, ...folders, ...ALSO_INPUTS].every((path) => statSync(join(ROOT, path)).mtimeMs <= builtMs);
}

/** Builds if needed; the problem's text if it failed. */
export async function build(clean = false): Promise<string | undefined> {
  const inputs = listFiles("src", "");
  if (!clean && isUpToDate(inputs)) return undefined;
  const startedAt = new Date();
  rmSync(join(ROOT, "dist"), { recursive: true, force: true });
  const compiled = await runNode([toolPath("typescript", "tsc"), "-p", "scripts/tsconfig.build.json"]);
  if (compiled.code !== 0) return compiled.output;
  for (const path of inputs) {
    if (path.endsWith(".ts") && !path.startsWith("src/runtime/")) continue;
    const target = join(ROOT, "dist", path.slice("src/".length));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(ROOT, path), target);
  }
  writeFileSync(STAMP, `${startedAt.toISOString()}\n`);
  return undefined;
}

if (process.argv[1]?.endsWith("scripts/build.ts")) {
  if (process.argv.includes("--help")) process.stdout.write(HELP);
  else {
    const problem = await build(process.argv.includes("--clean"));
    if (problem !== undefined) process.stderr.write(problem);
    process.exitCode = problem === undefined ? 0 : 1;
  }
}

/**
 * Builds `dist/`: the JavaScript of `src/` by tsc, and beside it the AssemblyScript sources of `src/runtime` and every other file that is
 * not TypeScript, unchanged, because pipelines are compiled against them at run time; and the web UI in `dist/ui`. Each of the two is built
 * only if something of it is newer than the last build.
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildUi, isUiUpToDate } from "./build-ui.ts";
import { listFiles, ROOT, runNode, toolPath } from "./process.ts";

const HELP = "usage: npm run build -- [--clean]\n  --clean   builds from nothing\n";
const STAMP = join(ROOT, "dist", ".built");
const UI = "dist/ui";
const ALSO_INPUTS = ["package-lock.json", "tsconfig.json", "scripts/tsconfig.build.json", "scripts/build.ts"];

function isUpToDate(inputs: readonly string[]): boolean {
  if (!existsSync(STAMP)) return false;
  const builtMs = statSync(STAMP).mtimeMs;
  const folders = new Set(inputs.map((path) => dirname(path)));
  return [...inputs, ...folders, ...ALSO_INPUTS].every((path) => statSync(join(ROOT, path)).mtimeMs <= builtMs);
}

/** Builds if needed; the problem's text if it failed. */
export async function build(clean = false): Promise<string | undefined> {
  return (await buildProgram(clean)) ?? (await buildInterface(clean));
}

/** Builds the UI alone if needed, beside the old one, which it replaces when it is complete; the problem's text if it failed. */
export async function buildInterface(clean = false): Promise<string | undefined> {
  if (!clean && isUiUpToDate(UI)) return undefined;
  const made = `dist-ui-${process.pid}`;
  try {
    const problem = await buildUi(made);
    if (problem !== undefined) return problem;
    rmSync(join(ROOT, UI), { recursive: true, force: true });
    renameSync(join(ROOT, made), join(ROOT, UI));
    return undefined;
  } finally {
    rmSync(join(ROOT, made), { recursive: true, force: true });
  }
}

/** Everything else. The new `dist/` is made beside the old one and replaces it when it is complete; the UI moves over as it is. */
async function buildProgram(clean: boolean): Promise<string | undefined> {
  const inputs = listFiles("src", "");
  if (!clean && isUpToDate(inputs)) return undefined;
  const startedAt = new Date();
  const made = `dist-${process.pid}`;
  try {
    const compiled = await runNode([toolPath("typescript", "tsc"), "-p", "scripts/tsconfig.build.json", "--outDir", made]);
    if (compiled.code !== 0) return compiled.output;
    for (const path of inputs.filter(isAsset)) {
      const target = join(ROOT, made, path.slice("src/".length));
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(ROOT, path), target);
    }
    writeFileSync(join(ROOT, made, ".built"), `${startedAt.toISOString()}\n`);
    utimesSync(join(ROOT, made, ".built"), startedAt, startedAt);
    if (existsSync(join(ROOT, UI))) cpSync(join(ROOT, UI), join(ROOT, made, "ui"), { recursive: true, preserveTimestamps: true });
    rmSync(join(ROOT, "dist"), { recursive: true, force: true });
    renameSync(join(ROOT, made), join(ROOT, "dist"));
    return undefined;
  } finally {
    rmSync(join(ROOT, made), { recursive: true, force: true });
  }
}

/** Whether a file of `src` goes to `dist/` as it is. */
function isAsset(path: string): boolean {
  return !path.endsWith(".ts") || path.startsWith("src/runtime/");
}

if (process.argv[1]?.endsWith("scripts/build.ts")) {
  if (process.argv.includes("--help")) process.stdout.write(HELP);
  else {
    const problem = await build(process.argv.includes("--clean"));
    if (problem !== undefined) process.stderr.write(problem);
    process.exitCode = problem === undefined ? 0 : 1;
  }
}

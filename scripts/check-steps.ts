/**
 * The steps of `npm run check`. Each runs one tool and compares how many files the tool says it read with how many there are: a tool that
 * reads nothing usually reports that nothing is wrong.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";
import type { Step, StepResult } from "./check.ts";
import { formatRuntime } from "./format.ts";
import { drift, generate } from "./gen.ts";
import { API_TYPES, apiTypes } from "./gen-api-types.ts";
import { listFiles, ROOT, runNode, toolPath } from "./process.ts";
import { runSuites, suiteFiles } from "./suites.ts";

/** The flags every generated module is compiled with, as far as they decide what compiles. */
const RUNTIME_FLAGS = ["--noEmit", "--runtime", "minimal", "--enable", "simd", "--disableWarning", "235"];
/** Reported by the unused-code check as long as it works; never imported. */
const CANARY = "test/tidy/unused-canary.ts";

function typescriptFiles(folder: string): string[] {
  return listFiles(folder, ".ts").filter((path) => !path.startsWith("src/runtime/"));
}

function ownFiles(): string[] {
  return ["src", "test", "scripts"].flatMap(typescriptFiles);
}

function interfaceFiles(): string[] {
  return [...listFiles("ui/src", ".ts"), ...listFiles("ui/src", ".tsx")];
}

function biome(args: readonly string[]): Promise<StepResult> {
  const expected = [...ownFiles(), ...interfaceFiles()].filter(
    (path) => !/^src\/gen\/|^ui\/src\/api\/types\.ts$|^test\/golden\/.*\.gen\.ts$/.test(path),
  ).length;
  return runNode([toolPath("@biomejs/biome", "biome"), ...args, "--max-diagnostics=100", "."]).then(({ code, output }) => {
    const seen = Number(/Checked (\d+) files?/.exec(output)?.[1] ?? "0");
    const ok = code === 0 && seen >= expected;
    return { ok, saw: `${seen} files`, output: seen < expected ? `${output}\nread ${seen} of ${expected} files` : output };
  });
}

async function format(): Promise<StepResult> {
  const result = await biome(["check", "--linter-enabled=false"]);
  const changed = formatRuntime(true);
  const runtime = changed.map((path) => `\n${path} is not formatted`).join("");
  const titles = result.output.split("\n").filter((line) => /━━|^read /.test(line));
  const names = titles.map((line) => line.replace(/ *━.*/, "")).join("\n");
  return { ok: result.ok && changed.length === 0, saw: `${result.saw} and the runtime`, output: `${names}${runtime}\nnpm run format` };
}

/** Types of the project in `folder`, which has to read `expected`. */
async function typesOf(folder: string, expected: readonly string[]): Promise<StepResult> {
  const { code, output } = await runNode([toolPath("typescript", "tsc"), "--noEmit", "-p", folder, "--listFiles"]);
  const lines = output.split("\n");
  const listed = new Set(lines.filter((line) => line.startsWith(ROOT)).map((line) => line.slice(ROOT.length)));
  const missing = expected.filter((path) => !listed.has(path));
  const errors = lines.filter((line) => line !== "" && !line.startsWith("/"));
  const unread = missing.map((path) => `${path} was not read`);
  return { ok: code === 0 && missing.length === 0, saw: `${expected.length} files`, output: [...errors, ...unread].join("\n") };
}

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly to: string; readonly rule: { readonly name: string } }[];
  };
}

async function layers(): Promise<StepResult> {
  const args = ["src", "--config", "test/tidy/layers.cjs", "--output-type", "json"];
  const { stdout, output } = await runNode([toolPath("dependency-cruiser", "depcruise"), ...args]);
  if (!stdout.startsWith("{")) return { ok: false, saw: "nothing", output };
  const { modules, summary } = JSON.parse(stdout) as CruiseResult;
  const seen = new Set(modules.map((module) => module.source).filter((source) => source.startsWith("src/")));
  const missing = listFiles("src", ".ts").filter((path) => !seen.has(path));
  const problems = [
    ...summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`),
    ...missing.map((path) => `${path} was not read`),
  ];
  return { ok: problems.length === 0 && seen.size > 0, saw: `${seen.size} modules`, output: problems.join("\n") };
}

async function unused(): Promise<StepResult> {
  const { output } = await runNode([toolPath("knip", "knip"), "--no-progress", "--no-config-hints", "--reporter", "compact"]);
  const lines = output.split("\n").filter((line) => line !== "" && !line.startsWith("Unused files"));
  const findings = lines.filter((line) => !line.includes(CANARY) || line.includes(","));
  const alive = output.includes(CANARY);
  const message = alive ? findings.join("\n") : `${output}\n${CANARY} was not reported: the check is blind`;
  return { ok: alive && findings.length === 0, saw: alive ? "the planted file" : "nothing", output: message };
}

async function runtime(): Promise<StepResult> {
  const files = listFiles("src/runtime", ".ts");
  if (files.length === 0) return { ok: false, saw: "nothing", output: "src/runtime has no files" };
  const { error, stderr } = await asc.main([...files, ...RUNTIME_FLAGS], {
    readFile: (name, base) => readOrAbsent(join(base, name)),
    writeFile: () => undefined,
    listFiles: () => [],
  });
  return { ok: error === null, saw: `${files.length} files`, output: `${stderr.toString()}\n${error?.message ?? ""}` };
}

/** The compiler probes for several names and wants `null` for those that do not exist. */
function readOrAbsent(path: string): string | null {
  try {
    return readFileSync(join(ROOT, path), "utf8");
  } catch {
    return null;
  }
}

async function lock(): Promise<StepResult> {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as { packages: object };
  const count = Object.keys(packages).length;
  const { code, output } = await runNode(["--import", "tsx", "scripts/complete-lock.ts", "--check"]);
  return { ok: code === 0 && count > 1, saw: `${count} packages`, output: `${output}\nnpx tsx scripts/complete-lock.ts` };
}

async function generated(): Promise<StepResult> {
  const { files, output } = await generate();
  const problems = drift(files).map((name) => `src/gen/${name} is not what proto/ says: npx tsx scripts/gen.ts`);
  if (readOrAbsent(API_TYPES) !== apiTypes()) problems.push(`${API_TYPES} is not what the API says: npx tsx scripts/gen-api-types.ts`);
  const ok = output === "" && problems.length === 0 && files.size > 0;
  return { ok, saw: `${files.size} files`, output: [output, ...problems].join("\n") };
}

/** Runs the suites of `test/<folder>`; of several shards only every so many-th file, so that two lanes share a long folder. */
function tests(folder: string, shard = 0, shards = 1): () => Promise<StepResult> {
  return async () => {
    const files = suiteFiles(folder).filter((_file, i) => i % shards === shard);
    const { passed, failed, skipped, output } = await runSuites(files, { quiet: true, env: { WADI_QUICK: "1" } });
    const saw = `${passed} passed, ${failed} failed, ${skipped.length} skipped in ${files.length} files`;
    return { ok: failed === 0 && passed > 0, saw, output: output.replace(/^ +✓ .*\n/gm, "") };
  };
}

/** All steps, the longest first so that the lanes end together. */
export const steps: readonly Step[] = [
  { name: "unit-a", run: tests("unit", 0, 2) },
  { name: "unit-b", run: tests("unit", 1, 2) },
  { name: "types", run: () => typesOf(".", ownFiles()) },
  { name: "types-ui", run: () => typesOf("ui", interfaceFiles()) },
  { name: "golden", run: tests("golden") },
  { name: "oracle", run: tests("oracle") },
  { name: "simulation", run: tests("simulation") },
  { name: "tidy", run: tests("tidy") },
  { name: "layers", run: layers },
  { name: "unused", run: unused },
  { name: "runtime", run: runtime },
  { name: "lint", run: () => biome(["lint", "--error-on-warnings"]) },
  { name: "format", run: format },
  { name: "generated", run: generated },
  { name: "lock", run: lock },
];

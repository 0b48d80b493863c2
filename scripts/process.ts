/**
 * What the repository's scripts share: where the tree is, which files it has, running a tool and keeping what it printed.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, with a slash at the end. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What a tool did. */
export interface ToolResult {
  /** Its exit code; 1 if it was killed or could not start. */
  readonly code: number;
  /** Standard output and standard error in the order in which they came. */
  readonly output: string;
  /** Standard output alone. */
  readonly stdout: string;
}

/** Runs Node with `args` in the root and collects what it prints; never throws. */
export function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ToolResult> {
  return runProgram(process.execPath, args, ROOT, env);
}

/** Runs `program` in `folder` and collects what it prints; never throws. */
export function runProgram(program: string, args: readonly string[], folder: string, env: NodeJS.ProcessEnv = {}): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    let output = "";
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", (error) => resolve({ code: 1, output: output + error.message, stdout }));
    child.on("close", (code) => resolve({ code: code ?? 1, output, stdout }));
  });
}

/** Runs Node with `args` in the root on this terminal; the exit code, 1 if it was killed. */
export function runNodeInherited(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
    child.on("error", () => resolve(1));
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** The path of an installed package's program, to be run with Node: `toolPath("typescript", "tsc")`. */
export function toolPath(packageName: string, program: string): string {
  const folder = join(ROOT, "node_modules", packageName);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { bin?: string | Record<string, string> };
  const bin = typeof manifest.bin === "string" ? manifest.bin : manifest.bin?.[program];
  return join(folder, bin ?? program);
}

/** Files below `folder` (relative to the root, without dependencies and build output) whose name ends with `suffix`, sorted. */
export function listFiles(folder: string, suffix: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes("node_modules/"))
    .sort();
}

/**
 * Which files a package has. The worker's are traced from its entries, so that it carries no compiler, no planner, no database driver and no
 * UI; the whole product takes all of `dist/` and every dependency that is not for development.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { nodeFileTrace } from "@vercel/nft";
import { listFiles, ROOT, runProgram } from "../process.ts";
import type { Architecture } from "./node-binary.ts";

/** What can be packaged. */
export const PACKAGES = ["wadi", "wadi-worker"] as const;

/** See `PACKAGES`. */
export type PackageName = (typeof PACKAGES)[number];

/** The program of each package, and modules that are loaded by a name that is made at run time: threads and the registry of connectors. */
const WORKER_ENTRIES = ["cli/worker-main.js", "worker/slot-thread.js", "worker/main.js", "connectors/registry.js"];
/** Sources of generated modules: for the compiler, which the worker does not have. */
const NOT_FOR_WORKERS = /^dist\/(?:runtime|ui)\//;
/** What `wadi deploy` submits; not the pack, which is made from the same files. */
const JOB_FILES = [".nomad.hcl", ".policy.hcl", ".rules.yml", ".json"];
const FLAGS = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/** Copies the files of `name` into `folder`; the dependencies' folders within it. Throws if npm cannot install them. */
export async function copyContents(name: PackageName, architecture: Architecture, folder: string): Promise<void> {
  writeManifest(folder);
  if (name === "wadi-worker") return copyTraced(folder);
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  for (const file of JOB_FILES.flatMap((suffix) => listFiles("nomad", suffix))) copyFile(file, folder);
  cpSync(join(ROOT, "package-lock.json"), join(folder, "package-lock.json"));
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  const installed = await runProgram("npm", ["ci", ...FLAGS, "--os=linux", "--libc=glibc", `--cpu=${architecture}`], folder);
  if (installed.code !== 0) throw new Error(`npm could not install the dependencies:\n${installed.output}`);
  removeSourceMaps(join(folder, "node_modules"));
  writeManifest(folder);
}

/** A tenth of all dependencies, and nobody debugs them here. */
function removeSourceMaps(folder: string): void {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isFile() && entry.name.endsWith(".map")) rmSync(join(entry.parentPath, entry.name));
}

function copyFile(file: string, folder: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  cpSync(join(ROOT, file), join(folder, file), { dereference: true });
}

async function copyTraced(folder: string): Promise<void> {
  const entries = WORKER_ENTRIES.map((entry) => join(ROOT, "dist", entry));
  const { fileList } = await nodeFileTrace(entries, { base: ROOT, processCwd: ROOT });
  for (const file of [...fileList].filter((path) => !NOT_FOR_WORKERS.test(path))) copyFile(file, folder);
}

/** What is left of package.json: nobody builds or installs in a package. */
function writeManifest(folder: string): void {
  const { name, version, license, type, engines } = manifest();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ name, version, license, private: true, type, engines }, null, 2)}\n`);
}

/** The fields of the repository's package.json that packages are made of. */
export function manifest(): { readonly [key in "name" | "version" | "license" | "type"]: string } & { readonly engines: object } {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as ReturnType<typeof manifest>;
}

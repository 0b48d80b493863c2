/** Terraform as a child process, what its output says, and the variables that one root hands to the next. */
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { externalError, userError } from "../../core/errors.ts";
import type { Stored } from "./upload.ts";

/** The output `cluster` of the root `aws`; what is read here, the rest goes through as it is. */
export interface ClusterOutput {
  readonly region?: string;
  readonly buckets?: { readonly artifacts?: string };
}

const PROGRAM = "terraform";
const OUTPUT_BYTES = 16 << 20;

/** The output `cluster` of the root in `folder`. Throws `invalid-usage` if Terraform is absent or nothing was applied there. */
export async function readCluster(folder: string): Promise<ClusterOutput> {
  const text = await new Promise<string>((resolve, reject) => {
    execFile(PROGRAM, [`-chdir=${folder}`, "output", "-json"], { maxBuffer: OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      reject(failed(error, `terraform -chdir=${folder} output: ${stderr.trim().split("\n").slice(-3).join(" ")}`));
    });
  });
  const outputs = JSON.parse(text) as { readonly cluster?: { readonly value?: ClusterOutput } };
  const cluster = outputs.cluster?.value;
  if (cluster !== undefined && cluster !== null) return cluster;
  throw userError("invalid-usage", `"${folder}" has no output "cluster": nothing was applied there yet`, {
    hint: `Run terraform -chdir=${folder} apply first, or name the bucket with --bucket and --region.`,
  });
}

function failed(error: Error & { readonly code?: unknown }, message: string) {
  if (error.code !== "ENOENT") return externalError("io", message, { retry: "never" });
  return userError("invalid-usage", "the program terraform is not on PATH", {
    hint: "Install Terraform 1.11 or later; without it: wadi deploy upload --bucket … --region …, and wadi deploy apply.",
  });
}

/** Runs Terraform on this terminal; its exit code. Throws `invalid-usage` if it is absent. */
export async function runTerraform(words: readonly string[]): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    // Ctrl-C reaches the child from the terminal itself: it ends in its own order, and this process waits for that.
    const ignore = (): void => undefined;
    process.on("SIGINT", ignore);
    const child = spawn(PROGRAM, words, { stdio: "inherit" });
    child.on("error", (error) => reject(failed(error, error.message)));
    child.on("close", (code) => resolve(code ?? 1));
    child.on("close", () => process.off("SIGINT", ignore));
  });
}

/** What the root `platform` reads besides its own variables. Pure; nothing in it is secret. */
export function platformVariables(stored: readonly Stored[], cluster: unknown) {
  const artifacts: Record<string, Record<string, { url: string; checksum: string }>> = { wadi: {}, worker: {} };
  for (const { package: one, url, checksum } of stored) (artifacts[one.role] ?? {})[one.architecture] = { url, checksum };
  return { ...(cluster === undefined ? {} : { cluster }), artifacts };
}

/** Writes `variables` to `path`. Without a cluster of its own the one that is there stays. */
export async function writeVariables(path: string, variables: ReturnType<typeof platformVariables>): Promise<void> {
  const before = await readFile(path, "utf8").catch(() => "{}");
  const known = "cluster" in variables ? {} : (JSON.parse(before) as { readonly cluster?: unknown });
  const kept = known.cluster === undefined ? {} : { cluster: known.cluster };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, `${JSON.stringify({ ...kept, ...variables }, undefined, 2)}\n`);
  await rename(`${path}.part`, path);
}

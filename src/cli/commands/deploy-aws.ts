/** `wadi deploy upload|aws`: stores the packages where the cluster's clients download them, and runs Terraform's roots around that. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../core/clock.ts";
import { userError } from "../../core/errors.ts";
import { findPackages } from "../deploy/packages.ts";
import { type ClusterOutput, platformVariables, readCluster, runTerraform, writeVariables } from "../deploy/terraform.ts";
import { type Bucket, type Stored, uploadPackages } from "../deploy/upload.ts";
import { EXIT, print, say } from "../output.ts";
import { release } from "../release.ts";
import { bytesText } from "../text-table.ts";

/** Arguments of `upload`. */
export interface UploadArguments {
  /** Folder of `npm run package`. */
  readonly packages: string | undefined;
  /** Instead of what Terraform says. */
  readonly bucket: string | undefined;
  readonly region: string | undefined;
  readonly prefix: string | undefined;
  readonly endpoint: string | undefined;
  /** Folder with the roots aws and platform. */
  readonly terraform: string | undefined;
  readonly json: boolean;
}

/** Arguments of `aws`. */
export interface AwsArguments {
  readonly packages: string | undefined;
  readonly terraform: string | undefined;
  readonly autoApprove: boolean;
}

const VARIABLES = "cluster.auto.tfvars.json";

/** Stores the packages and writes what the root `platform` reads; 0 if all are stored. */
export async function deployUpload(args: UploadArguments): Promise<number> {
  const roots = terraformFolder(args.terraform, args.bucket === undefined);
  const cluster = args.bucket === undefined ? await readCluster(join(roots, "aws")) : undefined;
  const bucket = bucketOf(args, cluster);
  const packages = await findPackages(resolve(args.packages ?? ownFolder("packages")), release());
  const stored = await uploadPackages(bucket, packages, { clock: systemClock, progress });
  for (const { package: one, uploaded } of stored)
    say(`${one.file}: ${uploaded ? "stored" : "was there already"} (${bytesText(one.size)})`);
  const platform = join(roots, "platform");
  const variables = platformVariables(stored, cluster);
  if (existsSync(platform)) {
    await writeVariables(join(platform, VARIABLES), variables);
    say(`${join(platform, VARIABLES)}: written`);
  }
  print(args.json ? `${JSON.stringify(variables.artifacts, undefined, 2)}\n` : valuesText(stored));
  return EXIT.done;
}

/** A line that is rewritten in place on a terminal. */
function progress(file: string, sent: number, size: number): void {
  if (!process.stderr.isTTY) return;
  const end = sent >= size ? "\n" : "";
  process.stderr.write(`\r\u001b[2K${file}: ${bytesText(sent)} of ${bytesText(size)} (${Math.floor((100 * sent) / size)} %)${end}`);
}

/** The packages as values of `wadi deploy apply`, for those who have no Terraform. */
function valuesText(stored: readonly Stored[]): string {
  const lines = stored.map(({ package: { role, architecture }, url, checksum }) => {
    const names = role === "wadi" ? ["artifact", "artifact_checksum"] : ["settings.nomad.artifact", "settings.nomad.artifact-checksum"];
    return `# ${role}, ${architecture}\n${names[0]} = ${JSON.stringify(url)}\n${names[1]} = ${JSON.stringify(checksum)}\n`;
  });
  return `# For [values] of wadi-deploy.toml; the processor of the nodes decides which:\n${lines.join("")}`;
}

/** Throws `invalid-usage` if neither the command line nor Terraform says where to. */
function bucketOf({ bucket, region, prefix, endpoint }: UploadArguments, cluster: ClusterOutput | undefined): Bucket {
  const name = bucket ?? cluster?.buckets?.artifacts;
  const where = region ?? cluster?.region ?? process.env["AWS_REGION"] ?? (endpoint === undefined ? undefined : "us-east-1");
  if (name === undefined)
    throw userError("invalid-usage", 'the output "cluster" names no bucket of artifacts', { hint: "Give --bucket and --region." });
  if (where === undefined) throw userError("invalid-usage", `the region of the bucket "${name}" is not known`, { hint: "Give --region." });
  return { bucket: name, region: where, prefix: prefix?.replace(/^\/+|\/+$/g, "") ?? "", endpoint };
}

/** The roots of Terraform: those named, those here, those of this release. Throws `invalid-usage` if they are needed and not there. */
function terraformFolder(given: string | undefined, needed: boolean): string {
  const folder = resolve(given ?? (existsSync("terraform") ? "terraform" : ownFolder("terraform")));
  if (!needed || existsSync(join(folder, "aws"))) return folder;
  throw userError("invalid-usage", `"${folder}" has no Terraform root "aws"`, {
    hint: "Name the folder with --terraform, or the bucket with --bucket and --region.",
  });
}

/** A folder of this release: the same path from `src/cli/commands` and `dist/cli/commands`. */
function ownFolder(name: string): string {
  return fileURLToPath(new URL(`../../../${name}`, import.meta.url));
}

/** Runs the three steps one after the other; 0 if all were done. Stops at the first that fails and says how to go on. */
export async function deployAws(args: AwsArguments): Promise<number> {
  const roots = terraformFolder(args.terraform, true);
  const [aws, platform] = [join(roots, "aws"), join(roots, "platform")];
  const approve = args.autoApprove ? ["-auto-approve"] : [];
  const steps: readonly { readonly words: string; readonly run: () => Promise<number> }[] = [
    { words: `terraform -chdir=${aws} apply`, run: () => applyRoot(aws, approve) },
    { words: "wadi deploy upload", run: () => deployUpload({ ...NO_UPLOAD, packages: args.packages, terraform: roots }) },
    { words: `terraform -chdir=${platform} apply`, run: () => applyRoot(platform, approve) },
  ];
  const done: string[] = [];
  for (const { words, run } of steps) {
    say(`\n— ${words}`);
    const left = steps.slice(done.length).map((step) => step.words);
    const code = await run().catch((thrown: unknown) => {
      sayStopped(done, left);
      throw thrown;
    });
    if (code !== 0) {
      sayStopped(done, left);
      return EXIT.failed;
    }
    done.push(words);
  }
  say("\nall three steps are done");
  return EXIT.done;
}

const NO_UPLOAD = { bucket: undefined, region: undefined, prefix: undefined, endpoint: undefined, json: false } as const;

function sayStopped(done: readonly string[], left: readonly string[]): void {
  say(`\nstopped at: ${left[0] ?? ""}`);
  say(`done: ${done.length === 0 ? "nothing" : done.join("; ")}`);
  say(
    `to go on, mend what is said above and run again "wadi deploy aws" (what is done changes nothing), or one by one: ${left.join("; ")}`,
  );
}

async function applyRoot(folder: string, approve: readonly string[]): Promise<number> {
  const init = await runTerraform([`-chdir=${folder}`, "init", "-input=false"]);
  return init === 0 ? await runTerraform([`-chdir=${folder}`, "apply", ...approve]) : init;
}

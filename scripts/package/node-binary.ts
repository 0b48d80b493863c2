/**
 * The Node that packages carry: an LTS line, from the npm registry by exact version and checksum, kept in the user's cache. Machines
 * that run a package need no Node of their own, and all of them run the same one.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { extract } from "tar";
import { runProgram } from "../process.ts";

/** Processors that packages are made for. */
export const ARCHITECTURES = ["x64", "arm64"] as const;

/** See `ARCHITECTURES`. */
export type Architecture = (typeof ARCHITECTURES)[number];

/**
 * The newest of the LTS lines whose binaries run where nothing is installed: from 25 on they need libatomic, which minimal images of Debian,
 * Ubuntu and Amazon Linux lack (https://github.com/nodejs/node/issues/60790). Raising it: the new version and what
 * `npm view node-linux-<arch>@<version> dist.integrity` prints for each.
 */
export const NODE_VERSION = "24.21.0";
const INTEGRITY: Readonly<Record<Architecture, string>> = {
  x64: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  arm64: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
};

/** Node as it lies on this machine. */
export interface NodeBinary {
  readonly path: string;
  readonly license: string;
}

/** Fetches Node for `architecture` unless it is there. Throws if the registry gives something else than what is pinned. */
export async function nodeBinary(architecture: Architecture): Promise<NodeBinary> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "wadi", "node");
  const folder = join(cache, `${NODE_VERSION}-${architecture}`);
  const found = { path: join(folder, "bin", "node"), license: join(folder, "LICENSE") };
  if (existsSync(found.path)) return found;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "fetch-"));
  try {
    await fetchInto(work, architecture);
    // Another process may have been first: both are the same.
    if (!existsSync(folder)) renameSync(join(work, "package"), folder);
    return found;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fetchInto(work: string, architecture: Architecture): Promise<void> {
  const name = `node-linux-${architecture}@${NODE_VERSION}`;
  const packed = await runProgram("npm", ["pack", name, "--silent", "--pack-destination", work], work);
  const file = readdirSync(work).find((entry) => entry.endsWith(".tgz"));
  if (packed.code !== 0 || file === undefined) throw new Error(`npm could not fetch ${name}:\n${packed.output}`);
  const archive = join(work, file);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (integrity !== INTEGRITY[architecture]) throw new Error(`${name} is not what was pinned: its checksum is ${integrity}`);
  await extract({ file: archive, cwd: work, filter: (path) => path === "package/bin/node" || path === "package/LICENSE" });
  chmodSync(join(work, "package", "bin", "node"), 0o755);
}

/**
 * The Node that packages carry: the LTS line of the day, from the npm registry by exact version and checksum, kept in the user's cache. Machines
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

/** Raising it: the new version and what `npm view node-linux-<arch>@<version> dist.integrity` prints for each. */
export const NODE_VERSION = "26.10.0";
const INTEGRITY: Readonly<Record<Architecture, string>> = {
  x64: "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
  arm64: "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==",
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

/** The packages that `npm run package` made: which there are of this release, each with its SHA-256, checked against the file beside it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { toAppError, userError } from "../../core/errors.ts";

/** Processors by Nomad's names. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;

/** One of `ARCHITECTURES`. */
export type Architecture = (typeof ARCHITECTURES)[number];

/** What a package is called in Terraform's variable `artifacts`. */
export type PackageRole = "wadi" | "worker";

/** A package. */
export interface Package {
  readonly role: PackageRole;
  readonly architecture: Architecture;
  readonly path: string;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

const NAME = /^(wadi-worker|wadi)-(.+)-linux-(amd64|arm64)\.tar\.zst$/;

/** The packages of `release` in `folder`. Throws `invalid-usage` if one is missing, `checksum-mismatch` if one is not what was made. */
export async function findPackages(folder: string, release: string): Promise<readonly Package[]> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw userError("invalid-usage", `there are no packages: "${folder}" cannot be read: ${toAppError(thrown).message}`, { hint: MAKE });
  });
  const found = names.sort().flatMap((file) => {
    const [, name, version, architecture] = NAME.exec(file) ?? [];
    if (version !== release) return [];
    return [{ file, role: name === "wadi" ? "wadi" : "worker", architecture: architecture as Architecture } as const];
  });
  if (found.length === 0) throw userError("invalid-usage", `"${folder}" has no package of release ${release}`, { hint: MAKE });
  for (const architecture of ARCHITECTURES) {
    const roles = found.filter((one) => one.architecture === architecture).map(({ role }) => role);
    if (roles.length === 1)
      throw userError("invalid-usage", `"${folder}" has the package "${roles[0]}" for ${architecture} only: its counterpart is missing`, {
        hint: MAKE,
      });
  }
  return await Promise.all(found.map(async (one) => await measured(folder, one)));
}

const MAKE = "Make them with npm run package -- --arch x64 (and --arch arm64), or name their folder with --packages.";

async function measured(folder: string, one: Pick<Package, "file" | "role" | "architecture">): Promise<Package> {
  const path = join(folder, one.file);
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  const sha256 = hash.digest("hex");
  const told = await readFile(`${path}.sha256`, "utf8").catch(() => "");
  const wanted = /^[0-9a-f]{64}/.exec(told)?.[0];
  if (wanted !== undefined && wanted !== sha256)
    throw userError(
      "checksum-mismatch",
      `the package "${path}" is not the one that was made: its SHA-256 differs from "${one.file}.sha256"`,
      {
        hint: "Make it again.",
      },
    );
  return { ...one, path, sha256, size: (await stat(path)).size };
}

/**
 * Makes the archive of a folder so that the same content gives the same bytes on every machine and day: entries in order, one owner, one time,
 * two modes; compressed with zstd by the Node of the package, because the Node that runs this may not have it.
 */
import { createHash } from "node:crypto";
import { createReadStream, lstatSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { create } from "tar";
import { runProgram } from "../process.ts";

/** 1980-01-01: the oldest time that every archive format has. */
const EPOCH = new Date("1980-01-01T00:00:00Z");
/** Of 1 … 22: above it, minutes for a percent. */
const LEVEL = 17;
const COMPRESS = `
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
const [from, to, level] = process.argv.slice(1);
const params = { [constants.ZSTD_c_compressionLevel]: Number(level), [constants.ZSTD_c_enableLongDistanceMatching]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
await pipeline(createReadStream(from), createZstdCompress({ params }), createWriteStream(to));
`;

/** Writes `<target>` (.tar.zst) from `folder` by `nodePath`, a Node of this machine's processor from 22.15 on. */
export async function makeArchive(folder: string, target: string, nodePath: string): Promise<void> {
  const plain = `${target}.tar`;
  await create({ file: plain, cwd: folder, portable: true, mtime: EPOCH, noDirRecurse: true, onWriteEntry: plainMode }, filesBelow(folder));
  const level = process.env["WADI_PACKAGE_LEVEL"] ?? String(LEVEL);
  const { code, output } = await runProgram(nodePath, ["--input-type=module", "-e", COMPRESS, plain, target, level], folder);
  if (code !== 0) throw new Error(`the archive could not be compressed:\n${output}`);
}

/** The umask of whoever builds must not show. */
function plainMode(entry: { readonly stat?: { mode: number } | undefined }): void {
  const { stat } = entry;
  if (stat !== undefined) stat.mode = (stat.mode & 0o100) === 0 ? 0o644 : 0o755;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !lstatSync(path).isDirectory())
    .map((path) => relative(folder, path))
    .sort();
}

/** Writes `<path>.sha256`, as sha256sum(1) would, and gives the checksum, hex. */
export async function writeChecksum(path: string, name: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  const checksum = hash.digest("hex");
  writeFileSync(`${path}.sha256`, `${checksum}  ${name}\n`);
  return checksum;
}

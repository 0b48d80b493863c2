/**
 * Makes the packages that machines without Node or npm run: `wadi` (everything) and `wadi-worker` (no compiler, no UI), each one archive with
 * its checksum and its bill of materials. What is in them comes from the lock file and from pinned Node binaries: the same commit gives the
 * same bytes.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makeArchive, writeChecksum } from "./package/archive.ts";
import { billOfMaterials } from "./package/bill.ts";
import { copyContents, manifest, PACKAGES, type PackageName } from "./package/contents.ts";
import { ARCHITECTURES, type Architecture, nodeBinary } from "./package/node-binary.ts";
import { ROOT } from "./process.ts";

const HELP = `usage: npm run package -- [--arch x64|arm64] [--only wadi|wadi-worker] [--folder] [--out DIR]
  --arch   processor of the machines that run the packages; this machine's by default
  --only   makes one package instead of both
  --folder leaves folders instead of archives, as an image takes them
  --out    where they go; packages/ by default
`;
/** The program of each package, as its launcher starts it. */
const PROGRAMS: Readonly<Record<PackageName, string>> = { wadi: "dist/cli/main.js", "wadi-worker": "dist/cli/worker-main.js" };
/** Names of processors in packages' names: those of Nomad's attribute cpu.arch, by which a job finds the package for its node. */
const MACHINES: Readonly<Record<Architecture, string>> = { x64: "amd64", arm64: "arm64" };
/** So that a launcher works through links and from any directory. */
const LAUNCHER = `#!/bin/sh
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
exec "$here/bin/node" \${WADI_NODE_OPTIONS:-} "$here/%PROGRAM%" "$@"
`;

interface Order {
  readonly architecture: Architecture;
  readonly names: readonly PackageName[];
  /** Folders instead of archives. */
  readonly folders: boolean;
  readonly out: string;
}

/** The order in `args`; undefined if they are wrong. */
function readOrder(args: readonly string[]): Order | undefined {
  let order: Order = {
    architecture: process.arch === "arm64" ? "arm64" : "x64",
    names: PACKAGES,
    folders: args.includes("--folder"),
    out: join(ROOT, "packages"),
  };
  const words = args.filter((word) => word !== "--folder");
  for (let at = 0; at < words.length; at += 2) {
    const value = words[at + 1];
    const architecture = ARCHITECTURES.find((one) => one === value);
    const name = PACKAGES.find((one) => one === value);
    if (words[at] === "--arch" && architecture !== undefined) order = { ...order, architecture };
    else if (words[at] === "--only" && name !== undefined) order = { ...order, names: [name] };
    else if (words[at] === "--out" && value !== undefined) order = { ...order, out: resolve(value) };
    else return undefined;
  }
  return order;
}

async function makePackage(name: PackageName, order: Order): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "wadi-package-"));
  try {
    const bill = await fill(folder, name, order.architecture);
    mkdirSync(order.out, { recursive: true });
    if (order.folders) leaveFolder(folder, join(order.out, name));
    else await leaveArchive(folder, name, order, bill);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts all that the package has into `folder`; its bill of materials. */
async function fill(folder: string, name: PackageName, architecture: Architecture): Promise<string> {
  const node = await nodeBinary(architecture);
  await copyContents(name, architecture, folder);
  mkdirSync(join(folder, "bin"), { recursive: true });
  cpSync(node.path, join(folder, "bin", "node"));
  cpSync(node.license, join(folder, "bin", "node.LICENSE"));
  // Both packages have the same command, so that a job may name either.
  writeFileSync(join(folder, "bin", "wadi"), LAUNCHER.replace("%PROGRAM%", PROGRAMS[name]));
  chmodSync(join(folder, "bin", "wadi"), 0o755);
  const bill = billOfMaterials(name, folder, node.path);
  writeFileSync(join(folder, "bill-of-materials.cdx.json"), bill);
  return bill;
}

function leaveFolder(folder: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  cpSync(folder, target, { recursive: true });
  // mkdtemp's are for one user only.
  chmodSync(target, 0o755);
  process.stdout.write(`${target}\n`);
}

async function leaveArchive(folder: string, name: PackageName, { architecture, out }: Order, bill: string): Promise<void> {
  const file = `${name}-${manifest().version}-linux-${MACHINES[architecture]}.tar.zst`;
  const here = await nodeBinary(process.arch === "arm64" ? "arm64" : "x64");
  const made = `${folder}.tar.zst`;
  await makeArchive(folder, made, here.path);
  const target = join(out, file);
  cpSync(made, `${target}.part`);
  renameSync(`${target}.part`, target);
  rmSync(made);
  rmSync(`${made}.tar`);
  writeFileSync(`${target}.cdx.json`, bill);
  const checksum = await writeChecksum(target, file);
  process.stdout.write(`${target}  ${(statSync(target).size / 1e6).toFixed(1)} MB  sha256 ${checksum}\n`);
}

const args = process.argv.slice(2);
const order = args.includes("--help") ? undefined : readOrder(args);
if (order === undefined) {
  (args.includes("--help") ? process.stdout : process.stderr).write(HELP);
  process.exitCode = args.includes("--help") ? 0 : 2;
} else {
  for (const name of order.names) await makePackage(name, order);
}

/**
 * Completes `package-lock.json` after `npm install` on a registry mirror that does not carry other platforms' binaries: npm then leaves those
 * optional packages out of the lock file, and `npm ci` refuses it everywhere. Adds each with its version and platform, without a checksum.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./process.ts";

const HELP = "usage: npx tsx scripts/complete-lock.ts [--check]\n  --check   changes nothing; exits with 1 if an entry is missing\n";
const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];
/** Other names of processors in packages' names. */
const PROCESSOR_ALIASES: Readonly<Record<string, string>> = { aarch64: "arm64", armv7: "arm" };

/** The fields of a lock entry that this script reads or writes. */
interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The platform in a package's name, such as `@x/binding-linux-arm64-musl`; `undefined` if its name has none. */
function platformOf(name: string): Pick<LockEntry, "os" | "cpu" | "libc"> | undefined {
  const words = (name.split("/").at(-1) ?? "").split("-").map((word) => PROCESSOR_ALIASES[word] ?? word);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = PROCESSORS.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.includes("musl") ? ["musl"] : words.includes("gnu") ? ["glibc"] : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc }) };
}

/** Entries that `packages` lacks: optional dependencies with an exact version and a platform. */
function missingEntries(packages: Readonly<Record<string, LockEntry>>): [folder: string, entry: LockEntry][] {
  return Object.entries(packages).flatMap(([parent, { optionalDependencies = {}, dev }]) =>
    Object.entries(optionalDependencies).flatMap(([name, version]): [string, LockEntry][] => {
      const known = `node_modules/${name}` in packages || `${parent}/node_modules/${name}` in packages;
      const platform = platformOf(name);
      if (known || platform === undefined || !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) return [];
      return [[`node_modules/${name}`, { version, ...platform, ...(dev === true ? { dev } : {}), optional: true }]];
    }),
  );
}

function main(args: readonly string[]): number {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const path = join(ROOT, "package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockEntry> };
  const missing = missingEntries(lock.packages);
  for (const [folder] of missing) process.stdout.write(`${folder} is missing\n`);
  if (missing.length === 0) return 0;
  if (args.includes("--check")) return 1;
  const entries = [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));

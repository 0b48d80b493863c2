/** Checks of this machine: Node.js, limits of the system that slots run into, the state directory of a cluster that runs here. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { configuredStateFolder } from "../state-folder.ts";
import { type Check, type Finding, fail, ok, warn } from "./check.ts";

const LIMIT_MS = 2_000;
const SILENT = "Look at this machine's disks.";
const OLDEST_NODE = [20, 19] as const;
const GIB = 2 ** 30;
/** A slot's memory is reserved at its full size, with the guard regions of V8 around it. */
const RESERVED_PER_SLOT = 11 * GIB;
const DISK_WARN = 2 * GIB;
const FILES_WARN = 4_096;

/** Checks that apply wherever Wadi runs; with the schedulers of this machine also those of the state directory. */
export function machineChecks(config: Config): readonly Check[] {
  const here = config["controller.scheduler"] === "process" || config["controller.scheduler"] === "embedded";
  const one = (id: string, title: string, run: () => Finding): Check => {
    return { id, title, limitMs: LIMIT_MS, ifSilent: SILENT, run: async () => run() };
  };
  return [
    one("node-version", "Node.js", checkNodeVersion),
    ...(here
      ? [one("limits", "limits", () => checkLimits(config)), one("state-dir", "state directory", () => checkStateFolder(config))]
      : []),
  ];
}

function checkNodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return ok(process.version);
  return fail(`Node.js ${process.version} is older than ${OLDEST_NODE.join(".")}`, `Install Node.js ${OLDEST_NODE.join(".")} or later.`);
}

/** What the kernel allows this process: https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
function checkLimits(config: Config): Finding {
  const limits = existsSync("/proc/self/limits") ? readFileSync("/proc/self/limits", "utf8") : "";
  const of = (name: string): number => {
    const value = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(limits)?.[1] ?? "unlimited";
    return value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
  };
  const space = of("Max address space");
  const slots = config["process.slots-per-process"];
  if (space < slots * RESERVED_PER_SLOT)
    return fail(
      `the address space of a process is limited to ${Math.floor(space / GIB)} GiB, and a worker of ${slots} slots reserves ${(slots * RESERVED_PER_SLOT) / GIB} GiB`,
      "Lift the limit (ulimit -v unlimited), or lower process.slots-per-process.",
    );
  const files = of("Max open files");
  if (files < FILES_WARN) return warn(`a process may have ${files} files open`, `Raise the limit (ulimit -n ${FILES_WARN}).`);
  return ok(`address space and files suffice; ${Math.round(totalmem() / GIB)} GiB of memory`);
}

function checkStateFolder(config: Config): Finding {
  const { path } = configuredStateFolder(config);
  let folder = resolve(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free < DISK_WARN)
      return warn(`"${path}" has ${(free / GIB).toFixed(1)} GiB left`, "Free space, or choose another disk with state-dir.");
    return ok(`"${path}" can be written, ${Math.floor(free / GIB)} GiB free`);
  } catch (thrown) {
    return fail(`"${path}" cannot be written: ${toAppError(thrown).message}`, "Correct state-dir, or the rights to the directory.");
  }
}

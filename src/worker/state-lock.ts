/**
 * One process at a time owns a local state directory: a lock file with the owner's process id and start time, made by an exclusive create.
 * A lock whose process is gone (also after kill -9 or a reboot) is taken over. It guards against a second `wadi run`, not against malice;
 * the fence in the completion record is the second guard.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError, toAppError, userError } from "../core/errors.ts";
import { makeFolder } from "../storage/make-folder.ts";

const LOCK_FILE = "lock";

/** A held lock. */
export interface StateLock {
  /** Gives the directory back. Idempotent. */
  release(): void;
}

/** Start time of a process in clock ticks since boot, "" where /proc is not there: tells a reused process id from the old one. */
function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function isAlive(pid: number, ticks: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return ticks === "" || startTicks(pid) === ticks;
}

/** Locks `folder`, which is created if need be. Throws `already-exists` if a live process holds it, and names the folder if it cannot be written. */
export function lockStateFolder(folder: string): StateLock {
  const path = join(folder, LOCK_FILE);
  const own = `${process.pid} ${startTicks(process.pid)}\n`;
  try {
    makeFolder(folder);
    for (let attempt = 0; ; attempt++) {
      try {
        writeFileSync(path, own, { flag: "wx" });
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 2) throw error;
        removeStale(path, folder);
      }
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    const cause = toAppError(error);
    throw userError(cause.code, `state directory "${folder}" cannot be used`, {
      detail: cause.message,
      hint: "Choose a --state-dir that can be made and written.",
      cause,
    });
  }
}

function removeStale(path: string, folder: string): void {
  const [pid = "", ticks = ""] = readFileSync(path, "utf8").trim().split(" ");
  if (/^\d+$/.test(pid) && isAlive(Number(pid), ticks)) {
    throw userError("already-exists", `state directory "${folder}" is in use by process ${pid}`, {
      hint: "Wait until that run has ended, or choose another --state-dir.",
    });
  }
  rmSync(path, { force: true });
}

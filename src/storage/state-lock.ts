/**
 * One process at a time owns a local state directory: a lock file with the owner's process id and start time, made by an exclusive create.
 * A lock whose process is gone (also after kill -9 or a reboot) is taken over. It guards against a second `wadi run` or `wadi cluster`, not
 * against malice; the fence in the completion record is the second guard.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError, toAppError, userError } from "../core/errors.ts";
import { isProcessAlive, processStartTicks } from "../core/process-identity.ts";
import { makeFolder } from "./make-folder.ts";

const LOCK_FILE = "lock";

/** A held lock. */
export interface StateLock {
  /** Gives the directory back. Idempotent. */
  release(): void;
}

/** Locks `folder`, which is created if need be. Throws `already-exists` if a live process holds it, and names the folder if it cannot be written. */
export function lockStateFolder(folder: string): StateLock {
  const path = join(folder, LOCK_FILE);
  const own = `${process.pid} ${processStartTicks(process.pid)}\n`;
  try {
    makeFolder(folder);
    for (let attempt = 0; ; attempt++) {
      try {
        createWhole(path, own);
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

/** Makes a file with all of its text at once: nobody sees it empty. Fails with EEXIST if it is there. */
function createWhole(path: string, text: string): void {
  const made = `${path}.${process.pid}`;
  writeFileSync(made, text);
  try {
    linkSync(made, path);
  } finally {
    rmSync(made, { force: true });
  }
}

function refuseHeld(text: string, folder: string): void {
  const [pid = "", ticks = ""] = text.trim().split(" ");
  if (!/^\d+$/.test(pid) || !isProcessAlive(Number(pid), ticks)) return;
  throw userError("already-exists", `state directory "${folder}" is in use by process ${pid}`, {
    hint: "Wait until that process has ended, or choose another --state-dir.",
  });
}

/** Takes away the lock of a process that is gone. Of several processes that find it, only one moves it; another's new lock is put back. */
function removeStale(path: string, folder: string): void {
  refuseHeld(readText(path), folder);
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    refuseHeld(readText(aside), folder);
  } catch (error) {
    linkSync(aside, path);
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** The text of a lock; "" if it has been taken away meanwhile. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

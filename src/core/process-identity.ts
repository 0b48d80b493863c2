/**
 * Which process a number means: process ids are used again, so a record of one also keeps its start time. Where /proc is not there the id
 * alone has to do.
 */
import { readFileSync } from "node:fs";

/** Start time of process `pid` in clock ticks since boot, "" where /proc is not there or the process is gone. */
export function processStartTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** Whether the process that had id `pid` and `ticks` (of `processStartTicks`, "" if unknown) is still there. */
export function isProcessAlive(pid: number, ticks: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return ticks === "" || processStartTicks(pid) === ticks;
}

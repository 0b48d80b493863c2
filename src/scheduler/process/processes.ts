/**
 * Processes of this machine as the system tells of them: whether one is still there, which one has an environment variable, why one died.
 * Linux, by /proc and cgroup v2; elsewhere as much as signals tell.
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { isProcessAlive, processStartTicks } from "../../core/process-identity.ts";
import type { WorkerExit } from "../scheduler.ts";
import type { ProcessIdentity } from "./worker-folder.ts";

/** Bytes at the end of a worker's output in which its last words are looked for. */
const TAIL_BYTES = 64 << 10;
/** What V8 says when its heap is full: https://github.com/nodejs/node/blob/v20.x/src/node_errors.cc */
const HEAP_FULL =
  /(?:JavaScript heap out of memory|Reached heap limit|invalid array length Allocation failed|Array buffer allocation failed)/;
const KILLED = 137;
const ABORTED = 134;

/** Who `pid` is now. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, ticks: processStartTicks(pid) };
}

/** Whether the process is there and not a corpse that nobody has buried. */
export function isRunning({ pid, ticks }: ProcessIdentity): boolean {
  return isProcessAlive(pid, ticks) && !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] === "Z";
  } catch {
    return false;
  }
}

/** The process of this user whose environment has `variable` = `value`; undefined if there is none. */
export function findByEnvironment(variable: string, value: string): ProcessIdentity | undefined {
  for (const name of listProcesses()) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "latin1").split("\0");
      if (environment.includes(`${variable}=${value}`)) return identityOf(Number(name));
    } catch {
      // Another user's process, or one that has just ended.
    }
  }
  return undefined;
}

function listProcesses(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Sends `signal` to the process, or to its whole group. Does nothing if it is not the process that is meant, or gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, group: boolean): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(group ? -identity.pid : identity.pid, signal);
  } catch {
    // It ended in between.
  }
}

/** Processes that the system has killed for want of memory in this process' control group, which its children share; 0 if it does not say. */
export function oomKills(): number {
  try {
    const group = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const events = readFileSync(join("/sys/fs/cgroup", group, "memory.events"), "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** How a process ended, as far as it is known. */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Files of its output and its log. */
  readonly outputFile: string;
  readonly logFile: string;
  /** Whether the system has killed processes for want of memory while it ran. */
  readonly oomKilled: boolean;
  /** Whether we killed it ourselves. */
  readonly killed: boolean;
}

/** The end in words. A process that was not our child has no exit code, but a worker writes its own into its log. */
export function describeExit(end: ProcessEnd): WorkerExit {
  const { signal, killed } = end;
  const code = end.code ?? (signal === undefined ? loggedExitCode(end.logFile) : undefined);
  const heapFull = (signal === "SIGABRT" || code === ABORTED || code === undefined) && HEAP_FULL.test(tail(end.outputFile));
  const systemKilled = (signal === "SIGKILL" || code === KILLED) && !killed && end.oomKilled;
  const base = { code, signal };
  if (heapFull) return { ...base, outOfMemory: true, reason: "the worker's JavaScript heap is full" };
  if (systemKilled)
    return { ...base, outOfMemory: true, reason: "the system killed the worker: the machine or its memory limit is out of memory" };
  if (killed) return { ...base, outOfMemory: false, reason: "killed by the scheduler" };
  if (signal === "SIGKILL")
    return { ...base, outOfMemory: false, reason: "killed by somebody (SIGKILL), possibly by the system for want of memory" };
  if (signal !== undefined) return { ...base, outOfMemory: false, reason: `ended by ${signal}` };
  if (code === undefined) return { ...base, outOfMemory: false, reason: "it is gone, nobody saw how" };
  const said = code === 0 ? undefined : lastError(end.outputFile);
  return { ...base, outOfMemory: false, reason: `${exitReason(code)}${said === undefined ? "" : ` (${said})`}` };
}

/** What the process said last before it gave up: the line of an error as our commands write it. */
function lastError(outputFile: string): string | undefined {
  const line = tail(outputFile)
    .match(/^error\[[\w-]+\]: .{1,500}/gm)
    ?.at(-1);
  return line?.replace(/^error\[[\w-]+\]: /, "");
}

const EXIT_REASONS: Readonly<Record<number, string>> = {
  0: "done",
  1: "the run failed",
  2: "wrong settings",
  3: "refused by the controller",
  4: "no controller renewed its lease",
};

function exitReason(code: number): string {
  const known = EXIT_REASONS[code];
  return known === undefined ? `exit code ${code}` : `exit code ${code}: ${known}`;
}

function loggedExitCode(logFile: string): number | undefined {
  const code = /"exitCode":(\d{1,3})[,}][^\n]*\n?$/.exec(tail(logFile))?.[1];
  return code === undefined ? undefined : Number(code);
}

/** The end of a file; empty if it cannot be read. */
function tail(path: string): string {
  try {
    const fd = openSync(path, "r");
    try {
      const size = fstatSync(fd).size;
      const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
      return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length));
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
}

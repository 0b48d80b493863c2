/**
 * One start of a task: a process of its own group with its output in log files, or a phantom that only exists in memory. All drivers run here as
 * raw_exec does, without a chroot or a container: what differs is what is checked before, and which signal is the default.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { LogWriter } from "./task-logs.ts";

/** How a start ended. */
export interface TaskExit {
  /** As the client reports it: 128 and the signal's number for one that a signal ended. */
  readonly code: number;
  /** Number; 0: none. */
  readonly signal: number;
  readonly outOfMemory: boolean;
}

/** A running start. */
export interface RunningTask {
  readonly pid: number | undefined;
  readonly exited: Promise<TaskExit>;
  /** Sends a signal by name to the task's first process. */
  signal(name: string): void;
  /** Ends the whole group at once. */
  kill(): void;
  /** Ends a phantom by itself with an exit code; does nothing to a process. */
  finish(code: number): void;
}

/** What to start. */
export interface TaskCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** The number of a signal such as "SIGTERM"; 0: there is none of that name. */
export function signalNumber(name: string): number {
  return Object.entries(constants.signals).find(([key]) => key === name)?.[1] ?? 0;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is gone.
  }
}

/** Starts a process. Rejects with what the system says if there is no such program. */
export async function startProcess(command: TaskCommand, logs: Readonly<Record<"stdout" | "stderr", LogWriter>>): Promise<RunningTask> {
  const child: ChildProcess = spawn(command.program, command.args, {
    cwd: command.folder,
    env: { ...command.environment },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (data: Buffer) => logs[name].write(data));
    child[name]?.on("error", () => undefined);
  }
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.on("error", () => undefined);
  const exited = new Promise<TaskExit>((resolve) => {
    child.once("exit", (code, signal) => {
      // Whatever the process has left behind goes with it, as with a control group.
      killGroup(child.pid);
      const number = signal === null ? 0 : signalNumber(signal);
      const done = () => resolve({ code: code ?? 128 + number, signal: number, outOfMemory: false });
      // Output that is still in the pipe belongs to the task; a grandchild that holds the pipe open does not delay the end for long.
      const timer = setTimeout(done, 200);
      child.once("close", () => {
        clearTimeout(timer);
        done();
      });
    });
  });
  return {
    pid: child.pid,
    exited,
    signal: (name) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(name as NodeJS.Signals);
    },
    kill: () => killGroup(child.pid),
    finish: () => undefined,
  };
}

/** A task without a process: it runs until it is signalled. */
export function startPhantom(): RunningTask {
  let finish: (exit: TaskExit) => void = () => undefined;
  const exited = new Promise<TaskExit>((resolve) => {
    finish = resolve;
  });
  const stop = (name: string) => finish({ code: 128 + signalNumber(name), signal: signalNumber(name), outOfMemory: false });
  return {
    pid: undefined,
    exited,
    signal: stop,
    kill: () => stop("SIGKILL"),
    finish: (code) => finish({ code, signal: 0, outOfMemory: false }),
  };
}

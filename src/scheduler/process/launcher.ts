/**
 * Starts worker processes on this machine and knows them again after a restart. Each is the leader of a process group of its own, so that a
 * Ctrl-C in the terminal is not for it, and writes to files, so that it outlives whoever started it. What is run is an argument: this folder
 * may not know the worker.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, copyFileSync, openSync, statSync, truncateSync } from "node:fs";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { WorkerId } from "../../core/ids.ts";
import type { LaunchedWorker, WorkerExit, WorkerLaunch, WorkerLauncher } from "../scheduler.ts";
import type { LogPiece, LogQuery } from "../view.ts";
import { readLog } from "./log-reader.ts";
import { describeExit, findByEnvironment, identityOf, isRunning, oomKills, signalProcess } from "./processes.ts";
import type { DescribedLaunch } from "./spec.ts";
import { type ProcessIdentity, type RecordedLaunch, WorkerFolders, type WorkerRecord } from "./worker-folder.ts";

/** What is run for a worker. */
export interface WorkerCommand {
  /** Path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; the worker's own variables are added. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a launcher works with. */
export interface ProcessLauncherOptions {
  /** Holds a folder per worker. */
  readonly folder: string;
  /** For a worker of `build`; undefined: of this build. Throws `invalid-config` for one that is not installed. */
  readonly command: (build: string | undefined) => WorkerCommand;
  readonly clock: Clock;
  /** Adopted processes are looked at this often, milliseconds: nobody is told of their end. */
  readonly pollMs?: number;
  /** Bytes of a worker's output after which it is cut, the older part kept beside. */
  readonly outputLimitBytes?: number;
}

const POLL_MS = 500;
const OUTPUT_LIMIT_BYTES = 16 << 20;
const ROTATION_MS = 30_000;

/** See the file's comment. */
export class ProcessLauncher implements WorkerLauncher {
  readonly #options: ProcessLauncherOptions;
  readonly #folders: WorkerFolders;
  readonly #alive = new Set<string>();
  readonly #closed = new AbortController();

  constructor(options: ProcessLauncherOptions) {
    this.#options = options;
    this.#folders = new WorkerFolders(options.folder);
    this.#rotateOutputs().catch(() => undefined);
  }

  /** Lets go of the processes: they go on, and nobody here is told of their end any more. */
  close(): void {
    this.#closed.abort();
  }

  async launch(launch: WorkerLaunch): Promise<LaunchedWorker> {
    const { runToken: _, ...recorded } = launch;
    this.#options.command(launch.build);
    this.#folders.create(launch);
    const child = await this.#spawn(recorded);
    const identity = identityOf(child.pid ?? 0);
    this.#folders.write({ launch: recorded, process: identity });
    const exit = new Promise<{ code: number | undefined; signal: string | undefined }>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    return this.#watch(recorded, identity, exit);
  }

  async adopt(): Promise<readonly { readonly launch: RecordedLaunch; readonly worker: LaunchedWorker }[]> {
    return this.#folders.list().flatMap((record) => {
      const identity = this.#find(record);
      if (identity === undefined || !isRunning(identity)) return [];
      return [{ launch: record.launch, worker: this.#watch(record.launch, identity, this.#gone(identity)) }];
    });
  }

  /** Their token is still there: whoever sees an end takes it away. */
  async departed(): Promise<readonly { readonly launch: RecordedLaunch; readonly exit: WorkerExit }[]> {
    return this.#folders.list().flatMap(({ launch, process: identity }) => {
      const { worker } = launch;
      if (this.#alive.has(worker) || !this.#folders.hasToken(worker)) return [];
      // Without a process it was never started: whoever asks for it again gets it.
      if (identity === undefined || isRunning(identity)) return [];
      const [outputFile, logFile] = [this.#folders.outputFile(worker), this.#folders.logFile(worker)];
      const unseen = { code: undefined, signal: undefined, oomKilled: false, killed: false };
      this.#folders.retire(worker, (name) => this.#alive.has(name));
      return [{ launch, exit: describeExit({ ...unseen, outputFile, logFile }) }];
    });
  }

  describe({ slots, environment, build }: DescribedLaunch): string {
    const { program, args } = this.#options.command(build);
    const variables = Object.entries({ ...environment, WADI_TASK_SLOTS: String(slots) }).map(([name, value]) => `${name}=${value}`);
    return [...variables, program, ...args].map(quoted).join(" ");
  }

  /** `stderr` is the worker's log, in JSON lines; `stdout` what the process says besides. */
  logs(worker: WorkerId, query: LogQuery): AsyncIterable<LogPiece> {
    if (!this.#folders.has(worker)) throw nothingKept(worker);
    const path = query.stream === "stderr" ? this.#folders.logFile(worker) : this.#folders.outputFile(worker);
    return readLog(path, query, { clock: this.#options.clock, ended: () => !this.#alive.has(worker) });
  }

  /** A controller that died between starting a process and writing its id down left it to be found by what it was told. */
  #find({ launch, process: identity }: WorkerRecord): ProcessIdentity | undefined {
    if (identity !== undefined) return identity;
    const found = findByEnvironment("WADI_WORKER_ID", launch.worker);
    if (found !== undefined) this.#folders.write({ launch, process: found });
    return found;
  }

  async #spawn(launch: RecordedLaunch): Promise<ChildProcess> {
    const { program, args, environment } = this.#options.command(launch.build);
    const output = openSync(this.#folders.outputFile(launch.worker), "a", 0o600);
    try {
      const env = { ...environment, ...launch.environment, ...this.#identityVariables(launch) };
      const child = spawn(program, [...args], { detached: true, stdio: ["ignore", output, output], env });
      child.unref();
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      });
      return child;
    } catch (thrown) {
      const error = toAppError(thrown);
      throw externalError(error.code, `worker ${launch.worker} cannot be started: ${error.message}`, { cause: error });
    } finally {
      closeSync(output);
    }
  }

  #identityVariables(launch: RecordedLaunch): Record<string, string> {
    const { worker, job, run, fence, slots, controllers } = launch;
    return {
      WADI_JOB_ID: job,
      WADI_RUN_ID: run,
      WADI_RUN_FENCE: String(fence),
      WADI_WORKER_ID: worker,
      WADI_TASK_SLOTS: String(slots),
      WADI_CONTROLLER_ENDPOINTS: controllers.join(","),
      WADI_RUN_TOKEN_FILE: this.#folders.tokenFile(worker),
      WADI_LOG_FILE: this.#folders.logFile(worker),
      ...(launch.controllerCa === undefined ? {} : { WADI_CONTROLLER_CA_FILE: this.#folders.caFile(worker) }),
    };
  }

  /** Resolves when a process that is not our child is gone. */
  async #gone(identity: ProcessIdentity): Promise<{ code: undefined; signal: undefined }> {
    const { clock, pollMs = POLL_MS } = this.#options;
    while (isRunning(identity) && !this.#closed.signal.aborted) await clock.sleep(pollMs, this.#closed.signal);
    // Whoever lets go never hears of the end.
    if (this.#closed.signal.aborted) await new Promise(() => undefined);
    return { code: undefined, signal: undefined };
  }

  #watch(
    { worker }: RecordedLaunch,
    identity: ProcessIdentity,
    exit: Promise<{ readonly code: number | undefined; readonly signal: string | undefined }>,
  ): LaunchedWorker {
    this.#alive.add(worker);
    const killsBefore = oomKills();
    let killed = false;
    const exited = exit.then(({ code, signal }): WorkerExit => {
      this.#alive.delete(worker);
      this.#folders.retire(worker, (name) => this.#alive.has(name));
      const [outputFile, logFile] = [this.#folders.outputFile(worker), this.#folders.logFile(worker)];
      return describeExit({ code, signal, outputFile, logFile, oomKilled: oomKills() > killsBefore, killed });
    });
    return {
      handle: `${identity.pid}@${identity.ticks}`,
      exited,
      terminate: () => signalProcess(identity, "SIGTERM", false),
      kill: () => {
        killed = true;
        signalProcess(identity, "SIGKILL", true);
      },
    };
  }

  /** Copied and cut in place: the process holds the file open and appends to it. */
  async #rotateOutputs(): Promise<void> {
    const { clock, outputLimitBytes = OUTPUT_LIMIT_BYTES } = this.#options;
    while (!this.#closed.signal.aborted) {
      await clock.sleep(ROTATION_MS, this.#closed.signal);
      for (const worker of this.#alive) {
        const path = this.#folders.outputFile(worker);
        if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= outputLimitBytes) continue;
        copyFileSync(path, `${path}.1`);
        truncateSync(path);
      }
    }
  }
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function nothingKept(worker: string): AppError {
  return externalError("not-found", `no output of worker "${worker}" is kept any more`, { retry: "never" });
}

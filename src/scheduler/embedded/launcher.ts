/**
 * Starts workers as threads of this process. Which module a thread runs is an argument: this folder may not know the worker. A thread gets what
 * a process would get: an environment, and its token in a file of its own; `"terminate"` is posted to it where a process gets SIGTERM.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker, WorkerOptions } from "node:worker_threads";
import type { Clock } from "../../core/clock.ts";
import { externalError, toAppError } from "../../core/errors.ts";
import type { WorkerId } from "../../core/ids.ts";
import type { LaunchedWorker, WorkerExit, WorkerLaunch, WorkerLauncher } from "../scheduler.ts";
import type { LogPiece, LogQuery } from "../view.ts";
import { ThreadOutput } from "./output.ts";

/** What a launcher works with. */
export interface ThreadLauncherOptions {
  /** Starts the thread. */
  readonly start: (options: WorkerOptions) => Worker;
  /** The whole environment; the worker's own variables are added. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Given to every thread as `workerData`. */
  readonly data: unknown;
  readonly clock: Clock;
}

/** Threads that have ended whose output is kept. */
const KEPT_OUTPUTS = 20;

interface Outputs {
  readonly stdout: ThreadOutput;
  readonly stderr: ThreadOutput;
}

/** See the file's comment. */
export class ThreadLauncher implements WorkerLauncher {
  readonly #options: ThreadLauncherOptions;
  readonly #outputs = new Map<WorkerId, Outputs>();

  constructor(options: ThreadLauncherOptions) {
    this.#options = options;
  }

  async launch(launch: WorkerLaunch): Promise<LaunchedWorker> {
    const folder = mkdtempSync(join(tmpdir(), "wadi-worker-"));
    try {
      return await this.#start(launch, folder);
    } catch (thrown) {
      rmSync(folder, { recursive: true, force: true });
      const error = toAppError(thrown);
      throw externalError(error.code, `worker ${launch.worker} cannot be started: ${error.message}`, { cause: error });
    }
  }

  /** No thread outlives its process. */
  async adopt(): Promise<readonly never[]> {
    return [];
  }

  describe({ slots, build }: { readonly slots: number; readonly build?: string | undefined }): string {
    if (build !== undefined) {
      throw externalError("invalid-config", `threads are of the controller's own build, not of "${build}"`, { retry: "never" });
    }
    return `a thread of process ${process.pid} with ${slots} slot${slots === 1 ? "" : "s"}`;
  }

  logs(worker: WorkerId, query: LogQuery): AsyncIterable<LogPiece> {
    const outputs = this.#outputs.get(worker);
    if (outputs === undefined) throw externalError("not-found", `no output of worker "${worker}" is kept any more`, { retry: "never" });
    return outputs[query.stream].read(query, this.#options.clock);
  }

  async #start(launch: WorkerLaunch, folder: string): Promise<LaunchedWorker> {
    const { start, environment, data } = this.#options;
    const env = { ...environment, ...launch.environment, ...secretFiles(launch, folder) };
    const thread = start({ env, workerData: data, stdout: true, stderr: true });
    const outputs = this.#capture(launch.worker, thread);
    let killed = false;
    let failure: string | undefined;
    thread.on("error", (error) => {
      failure = toAppError(error).message;
    });
    const exited = new Promise<WorkerExit>((resolve) => {
      thread.once("exit", (code) => {
        outputs.stdout.ended = true;
        outputs.stderr.ended = true;
        rmSync(folder, { recursive: true, force: true });
        resolve(describeEnd(killed, code, failure));
      });
    });
    await new Promise<void>((resolve, reject) => {
      thread.once("online", resolve);
      thread.once("error", reject);
    });
    const kill = (): void => {
      killed = true;
      thread.terminate().catch(() => undefined);
    };
    return { handle: `thread-${thread.threadId}@${launch.worker}`, exited, terminate: () => thread.postMessage("terminate"), kill };
  }

  #capture(worker: WorkerId, thread: Worker): Outputs {
    const outputs = { stdout: new ThreadOutput(), stderr: new ThreadOutput() };
    thread.stdout.on("data", (data: Uint8Array) => outputs.stdout.append(data));
    thread.stderr.on("data", (data: Uint8Array) => outputs.stderr.append(data));
    this.#outputs.set(worker, outputs);
    const ended = [...this.#outputs].filter(([, { stdout }]) => stdout.ended).map(([id]) => id);
    for (const id of ended.slice(0, Math.max(0, ended.length - KEPT_OUTPUTS))) this.#outputs.delete(id);
    return outputs;
  }
}

function secretFiles(launch: WorkerLaunch, folder: string): Record<string, string> {
  const { worker, job, run, fence, slots, controllers, controllerCa, runToken } = launch;
  const tokenFile = join(folder, "token");
  const caFile = join(folder, "controller-ca.pem");
  writeFileSync(tokenFile, runToken, { mode: 0o600 });
  if (controllerCa !== undefined) writeFileSync(caFile, controllerCa, { mode: 0o600 });
  return {
    WADI_JOB_ID: job,
    WADI_RUN_ID: run,
    WADI_RUN_FENCE: String(fence),
    WADI_WORKER_ID: worker,
    WADI_TASK_SLOTS: String(slots),
    WADI_CONTROLLER_ENDPOINTS: controllers.join(","),
    WADI_RUN_TOKEN_FILE: tokenFile,
    ...(controllerCa === undefined ? {} : { WADI_CONTROLLER_CA_FILE: caFile }),
  };
}

function describeEnd(killed: boolean, code: number, failure: string | undefined): WorkerExit {
  if (killed) return { code: undefined, signal: "SIGKILL", outOfMemory: false, reason: "its thread was ended by the scheduler" };
  const outOfMemory = failure !== undefined && /memory limit/i.test(failure);
  const reason = failure ?? (code === 0 ? "done" : `its thread ended with code ${code}`);
  return { code, signal: undefined, outOfMemory, reason };
}

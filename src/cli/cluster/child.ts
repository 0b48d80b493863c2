/**
 * One child of `wadi cluster`: a `wadi` process that is started again when it dies, with backoff, until it is told to stop. It is in a session
 * of its own, so Ctrl-C on the terminal does not reach it, and writes to a log file. A port that the system chose is kept from start to start.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { systemClock } from "../../core/clock.ts";
import { type AppError, externalError, fromErrorRecord } from "../../core/errors.ts";
import type { LogFile } from "../../core/log-file.ts";
import { systemRandom } from "../../core/prng.ts";
import { backoffDelayMs } from "../../core/retry.ts";
import type { ChildMessage, Ports, SupervisorMessage } from "./messages.ts";

/** How a child is run. */
export interface ChildOptions {
  /** Its command: "api". */
  readonly name: string;
  /** Words of the command line after `wadi`. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: LogFile;
  /** It died and is started again, after `delayMs`. */
  readonly onRestart: (reason: string, delayMs: number) => void;
  /** It was started: its process. */
  readonly onStart: (pid: number) => void;
}

const POLICY = { attempts: Number.POSITIVE_INFINITY, initialMs: 200, maxMs: 5_000 } as const;
const HEALTHY_MS = 30_000;
/** Workers that did not stop in time are stopped at once, which takes a moment. */
const FORCE_MS = 5_000;

/** See the file's comment. */
export class ClusterChild {
  readonly #options: ChildOptions;
  readonly #stopping = new AbortController();
  #process: ChildProcess | undefined;
  #ports: Ports = {};
  #ready = false;
  #failure: AppError | undefined;
  #drained: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  /** Whether it said that it does its work, and has not died since. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Where it listens, by setting; empty before it is ready. */
  get ports(): Ports {
    return this.#ports;
  }

  /** Starts it; resolves when it does its work. Throws what it says if it fails before, and then does not start it again. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#running = this.#keepRunning(resolve, reject);
    });
  }

  /** Asks it to stop its workers within `limitMs`; true when it has, false when it is gone or does not answer. */
  drain(limitMs: number): Promise<boolean> {
    const child = this.#process;
    if (child === undefined || !child.connected) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), limitMs + FORCE_MS);
      const end = (done: boolean): void => {
        clearTimeout(timer);
        resolve(done);
      };
      this.#drained = () => end(true);
      child.once("exit", () => end(false));
      child.send({ kind: "drain", limitMs } satisfies SupervisorMessage, () => undefined);
    });
  }

  /** Ends it for good: SIGTERM, and SIGKILL if it has not ended `limitMs` later. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping.abort();
    this.#process?.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), limitMs);
    await this.#running;
    clearTimeout(timer);
  }

  /** Ends it at once, for good. */
  kill(): void {
    this.#stopping.abort();
    this.#process?.kill("SIGKILL");
  }

  async #keepRunning(resolve: () => void, reject: (error: AppError) => void): Promise<void> {
    const { log, name, onRestart } = this.#options;
    let failures = 0;
    let wasReady = false;
    while (!this.#stopping.signal.aborted) {
      const startedMs = systemClock.elapsedMs();
      const reason = await this.#runOnce(() => {
        wasReady = true;
        resolve();
      });
      if (this.#stopping.signal.aborted) break;
      if (!wasReady) {
        const hint = `Its log is ${log.path}.`;
        return reject(this.#failure ?? externalError("io", `${name} ended before it was ready: ${reason}`, { hint, retry: "never" }));
      }
      failures = systemClock.elapsedMs() - startedMs >= HEALTHY_MS ? 1 : failures + 1;
      const delayMs = backoffDelayMs(failures, POLICY, systemRandom);
      onRestart(this.#failure?.message ?? reason, delayMs);
      await systemClock.sleep(delayMs, this.#stopping.signal);
    }
    reject(externalError("io", `${name} was stopped`, { retry: "never" }));
  }

  /** One process from start to end; why it ended. */
  #runOnce(ready: () => void): Promise<string> {
    const { name, args, env, log, onStart } = this.#options;
    this.#failure = undefined;
    const child = spawnWadi([name, ...args], { ...env, ...portVariables(this.#ports) });
    this.#process = child;
    if (child.pid !== undefined) onStart(child.pid);
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => log.write(text));
    child.on("message", (message: ChildMessage) => {
      if (message.kind === "failed") this.#failure = fromErrorRecord(message.error);
      else if (message.kind === "drained") this.#drained?.();
      else {
        this.#ports = message.ports;
        this.#ready = true;
        ready();
      }
    });
    return new Promise((resolve) => {
      const end = (reason: string): void => {
        this.#ready = false;
        this.#process = undefined;
        resolve(reason);
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`));
    });
  }
}

/** Ports as the environment variables that ask for them again. */
function portVariables(ports: Ports): NodeJS.ProcessEnv {
  const variable = (setting: string): string => `WADI__${setting.replaceAll(".", "__").replaceAll("-", "_").toUpperCase()}`;
  return Object.fromEntries(Object.entries(ports).map(([setting, port]) => [variable(setting), String(port)]));
}

/** Starts `wadi` with these words, from TypeScript sources or as built. */
function spawnWadi(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const fromSource = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(`../main.${fromSource ? "ts" : "js"}`, import.meta.url));
  const execArgv = fromSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  return fork(main, args, { execArgv, env, detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
}

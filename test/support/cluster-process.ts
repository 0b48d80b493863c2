/**
 * A whole cluster for tests: `wadi cluster` of the build in `dist/` in a folder of its own, its REST API, and its processes as the machine
 * shows them, so that tests can kill them and see that none is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AssertionError } from "chai";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { needsBuild } from "./wadi-cli.ts";

/** Another build than the tree's: `WADI_TEST_DIST`. */
const DIST = process.env["WADI_TEST_DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url));
const MAIN = join(DIST, "cli", "main.js");
const START_MS = 60_000;
const STOP_MS = 90_000;

/** To be called first in a `describe`: builds, unless another build is to be tested. */
export function needsClusterBuild(): void {
  if (process.env["WADI_TEST_DIST"] === undefined) needsBuild();
}

/** A part of the system as a process. */
export interface PartProcess {
  readonly pid: number;
  /** Its command: "api", "controller", "worker", "cluster". */
  readonly command: string;
}

/** What the parser of JSON gives: tests look into whatever the API answers, and its shape is checked elsewhere. */
type ParsedJson = ReturnType<typeof JSON.parse>;

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: ParsedJson;
}

/** See the file's comment. */
export class TestCluster {
  /** Working directory of all processes. */
  readonly folder: string;
  readonly stateDir: string;
  readonly ports: { readonly api: number; readonly controller: number; readonly admin: number };
  #env: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;

  private constructor(folder: string, ports: readonly number[], env: NodeJS.ProcessEnv) {
    const [api = 0, controller = 0, admin = 0] = ports;
    this.folder = folder;
    this.stateDir = join(folder, "state");
    this.ports = { api, controller, admin };
    this.#env = env;
  }

  /** A cluster in `folder` that is not started; `env` are settings. */
  static async in(folder: string, env: NodeJS.ProcessEnv = {}): Promise<TestCluster> {
    return new TestCluster(folder, await freePorts(3), env);
  }

  /** More settings, for the next start. */
  set(env: NodeJS.ProcessEnv): void {
    this.#env = { ...this.#env, ...env };
  }

  /** The controller that the supervisor has started. */
  controllerOfCluster(): number {
    const own = this.pids("controller").find((pid) => parentOf(pid) === this.process.pid);
    if (own === undefined) throw new AssertionError("the cluster has no controller now");
    return own;
  }

  /** Words with which `process.execPath` runs a command of this cluster. */
  command(...words: string[]): string[] {
    return [MAIN, ...words];
  }

  /** Folder of the build that is tested. */
  get dist(): string {
    return DIST;
  }

  /** The environment of commands that belong to this cluster. */
  get env(): NodeJS.ProcessEnv {
    const { api, controller, admin } = this.ports;
    return {
      ...process.env,
      CI: "",
      WADI__API__HTTP_PORT: String(api),
      WADI__CONTROLLER__RPC_PORT: String(controller),
      WADI__ADMIN__HTTP_PORT: String(admin),
      ...this.#env,
    };
  }

  /** What all starts have said. */
  get said(): string {
    const path = join(this.folder, "cluster.out");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** The supervisor's process. */
  get process(): ChildProcess {
    if (this.#process === undefined) throw new AssertionError("the cluster was not started");
    return this.#process;
  }

  /** Starts it and waits until it is ready; milliseconds that took. */
  async start(): Promise<number> {
    const beganMs = performance.now();
    const output = openSync(join(this.folder, "cluster.out"), "a");
    const child = spawn(process.execPath, this.command("cluster", "--state-dir", this.stateDir), {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#process = child;
    await eventually("the cluster is ready", () => this.#isReady(child), START_MS);
    return performance.now() - beganMs;
  }

  async #isReady(child: ChildProcess): Promise<true | undefined> {
    if (child.exitCode !== null || child.signalCode !== null) throw new AssertionError(`the cluster ended: ${this.said}\n${this.logs()}`);
    const answer = await fetch(`http://127.0.0.1:${this.ports.admin}/status`).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  }

  /** Ctrl-C; the exit code. */
  async stop(): Promise<number | null> {
    const child = this.process;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, "exit");
    child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
    return child.exitCode;
  }

  /** Ends whatever is left, for after a test. */
  killAll(): void {
    for (const { pid } of this.processes()) kill(pid);
  }

  /** Processes of this cluster that run now. */
  processes(): PartProcess[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => this.#partOf(Number(name)));
  }

  /** Those that run `command`. */
  pids(command: string): number[] {
    return this.processes()
      .filter((part) => part.command === command)
      .map(({ pid }) => pid);
  }

  #partOf(pid: number): PartProcess[] {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (words.length < 2 || readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return [];
      const own =
        pid === this.#process?.pid || readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`WADI__STATE_DIR=${this.stateDir}`);
      const at = words.findIndex((word) => /cli\/main\.[jt]s$/.test(word));
      return own ? [{ pid, command: words[at + 1] ?? "?" }] : [];
    } catch {
      // It ended between two looks, or is not ours to see.
      return [];
    }
  }

  /** The end of every log, for a failure's message. */
  logs(lines = 30): string {
    const files = ["logs", "workers"].flatMap((part) => {
      const folder = join(this.stateDir, part);
      if (!existsSync(folder)) return [];
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.log$/.test(name));
      return names.map((name) => join(part, name));
    });
    return files
      .map((name) => `--- ${name}\n${readFileSync(join(this.stateDir, name), "utf8").split("\n").slice(-lines).join("\n")}`)
      .join("\n");
  }

  /** Calls the API as the UI does. */
  async api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const token = readFileSync(join(this.stateDir, "session-token"), "utf8").trim();
    const answer = await fetch(`http://127.0.0.1:${this.ports.api}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  }
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Sends SIGKILL; a process that is gone is fine. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

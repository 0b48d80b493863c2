/** A machine with a `wadi node` daemon for tests of whole clusters: the daemon and its workers as processes, in a state directory of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AssertionError } from "chai";
import { kill, type TestCluster } from "./cluster-process.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";

/** Of clusters in tests. */
export const NODE_TOKEN = "the-token-of-a-test";

/** Settings of a cluster whose workers are on nodes: one slot a worker, so that a run has several. */
export const NODE_CLUSTER = {
  WADI__CONTROLLER__SCHEDULER: "node",
  WADI__NODE__TOKEN: NODE_TOKEN,
  WADI__NODE__LEASE: "2s",
  WADI__WORKER__TASK_SLOTS: "1",
} as const;

/** See the file's comment. */
export class NodeProcess {
  readonly name: string;
  readonly stateDir: string;
  readonly #cluster: TestCluster;
  readonly #slots: number;
  readonly #ports: { readonly rpc: number; readonly admin: number };
  #process: ChildProcess | undefined;

  private constructor(cluster: TestCluster, name: string, slots: number, ports: readonly number[]) {
    const [rpc = 0, admin = 0] = ports;
    this.name = name;
    this.stateDir = join(cluster.folder, name);
    this.#cluster = cluster;
    this.#slots = slots;
    this.#ports = { rpc, admin };
  }

  /** A machine that is not started. */
  static async of(cluster: TestCluster, name: string, slots: number): Promise<NodeProcess> {
    return new NodeProcess(cluster, name, slots, await freePorts(2));
  }

  get #env(): NodeJS.ProcessEnv {
    return {
      ...this.#cluster.env,
      WADI__CONTROLLER_ENDPOINT: `http://127.0.0.1:${this.#cluster.ports.controller}`,
      WADI__NODE__RPC_PORT: String(this.#ports.rpc),
      WADI__ADMIN__HTTP_PORT: String(this.#ports.admin),
      WADI__NODE__TASK_SLOTS: String(this.#slots),
    };
  }

  /** Starts the daemon and waits until a controller has taken it. */
  async start(): Promise<void> {
    const output = openSync(join(this.#cluster.folder, `${this.name}.out`), "a");
    this.#process = spawn(process.execPath, this.#cluster.command("node", "--state-dir", this.stateDir), {
      cwd: this.#cluster.folder,
      env: this.#env,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    await eventually("the node is registered", async () => ((await this.status())?.["controller"] ? true : undefined), 30_000);
  }

  /** What its admin port tells; undefined: nothing. */
  async status(): Promise<Record<string, string> | undefined> {
    if (this.#process?.exitCode !== null) throw new AssertionError(`the daemon of ${this.name} ended: ${this.said}`);
    const answer = await fetch(`http://127.0.0.1:${this.#ports.admin}/status`).catch(() => undefined);
    return answer?.status === 200 ? ((await answer.json()) as Record<string, string>) : undefined;
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.#ports.admin}/metrics`)).text();
  }

  get said(): string {
    const path = join(this.#cluster.folder, `${this.name}.out`);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** Process ids of its workers. */
  get workers(): number[] {
    const own = `WADI__STATE_DIR=${join(this.stateDir, "node")}`;
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => hasVariable(pid, own));
  }

  /** kill -9 of the daemon; its workers go on. */
  async killDaemon(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** The machine is gone. */
  async killAll(): Promise<void> {
    await this.killDaemon();
    for (const pid of this.workers) kill(pid);
  }

  /** SIGTERM: the exit code. */
  async leave(): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
    return child.exitCode;
  }

  /** `wadi node …` about this node; what it prints. */
  command(...words: string[]): string {
    const args = this.#cluster.command("node", ...words, "--address", `127.0.0.1:${this.#ports.rpc}`);
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { env: this.#env, encoding: "utf8" });
    if (status !== 0) throw new AssertionError(`wadi node ${words.join(" ")}: ${stderr}`);
    return stdout;
  }
}

function hasVariable(pid: number, variable: string): boolean {
  try {
    if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return false;
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(variable);
  } catch {
    return false;
  }
}

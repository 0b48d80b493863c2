/** A second controller beside a test cluster's own: it stands by on the cluster's database and takes over when the leader is gone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "./cluster-process.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";

const START_MS = 30_000;

/** See the file's comment. */
export class StandbyController {
  readonly #cluster: TestCluster;
  readonly #rpcPort: number;
  readonly #adminPort: number;
  #process: ChildProcess | undefined;

  private constructor(cluster: TestCluster, rpcPort: number, adminPort: number) {
    this.#cluster = cluster;
    this.#rpcPort = rpcPort;
    this.#adminPort = adminPort;
  }

  /** A standby that is not started, but known to everything that `cluster` starts from now on. */
  static async of(cluster: TestCluster): Promise<StandbyController> {
    const [rpcPort = 0, adminPort = 0] = await freePorts(2);
    cluster.set({ WADI__CONTROLLER_ENDPOINT: `127.0.0.1:${cluster.ports.controller},127.0.0.1:${rpcPort}` });
    return new StandbyController(cluster, rpcPort, adminPort);
  }

  /** Starts it, and waits until it stands by. */
  async start(): Promise<void> {
    const { folder, stateDir, env } = this.#cluster;
    const output = openSync(join(folder, "standby.out"), "a");
    const embedded = { DATABASE_HOST: join(stateDir, "socket"), DATABASE_USER: "postgres", DATABASE_NAME: "postgres" };
    this.#process = spawn(process.execPath, this.#cluster.command("controller"), {
      cwd: folder,
      env: {
        ...env,
        WADI__STATE_DIR: stateDir,
        WADI__CHECKPOINT_URL: join(stateDir, "checkpoints"),
        WADI__CONTROLLER__RPC_PORT: String(this.#rpcPort),
        WADI__ADMIN__HTTP_PORT: String(this.#adminPort),
        ...(env["DATABASE_HOST"] === undefined ? embedded : {}),
      },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    await eventually("the standby stands by", async () => ((await this.leads()) === false ? true : undefined), START_MS);
  }

  /** Whether it leads now; undefined while it does not answer. */
  async leads(): Promise<boolean | undefined> {
    const answer = await fetch(`http://127.0.0.1:${this.#adminPort}/status`).catch(() => undefined);
    const status = (await answer?.json()) as { leads?: string } | undefined;
    return status?.leads === undefined ? undefined : status.leads === "true";
  }

  /** "host:port" of its RPC service. */
  get endpoint(): string {
    return `127.0.0.1:${this.#rpcPort}`;
  }

  /** What it has said so far; empty before its start. */
  get said(): string {
    return this.#process === undefined ? "" : readFileSync(join(this.#cluster.folder, "standby.out"), "utf8");
  }

  /** SIGTERM, and the wait for its end. Does nothing if it does not run. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }
}

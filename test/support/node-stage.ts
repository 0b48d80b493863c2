/**
 * The node scheduler with real daemons (in this process) and real processes that do nothing. What the controller's database would remember is
 * in memory and outlives a scheduler, as it outlives a controller.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { systemClock } from "../../src/core/clock.ts";
import { externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { NodeDaemon, type NodeDaemonOptions } from "../../src/node/daemon.ts";
import { nodeRegistryService } from "../../src/rpc/node-server.ts";
import type { RecordStore } from "../../src/scheduler/node/records.ts";
import { NodeScheduler } from "../../src/scheduler/node/scheduler.ts";
import { ProcessLauncher } from "../../src/scheduler/process/launcher.ts";
import type { SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "./eventually.ts";
import type { SchedulerStage } from "./scheduler-conformance.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const IDLE_WORKER = fileURLToPath(new URL("./idle-worker.mjs", import.meta.url));
const TOKEN = "a-node-token";
export const NODE_LEASE_MS = 2_000;
const WORKER_LEASE_MS = 1_000;

/** A store of records in memory. */
export class MemoryStore implements RecordStore {
  readonly records = new Map<string, string>();
  /** It does not answer while this is true. */
  away = false;

  async read() {
    this.#check();
    return [...this.records].map(([key, record]) => ({ key, record }));
  }

  async write(key: string, record: string) {
    this.#check();
    this.records.set(key, record);
  }

  async remove(keys: readonly string[]) {
    this.#check();
    for (const key of keys) this.records.delete(key);
  }

  #check(): void {
    if (this.away) throw externalError("connection-lost", "the database is away");
  }
}

/** A node with its daemon, which can be ended and started again. */
export class StageNode {
  readonly folder: string;
  readonly #options: Omit<NodeDaemonOptions, "launcher" | "folder" | "metrics">;
  #stop = new AbortController();
  #running: Promise<void> | undefined;
  #launcher: ProcessLauncher | undefined;
  daemon: NodeDaemon | undefined;
  port = 0;

  constructor(folder: string, options: Omit<NodeDaemonOptions, "launcher" | "folder" | "metrics">) {
    this.folder = folder;
    this.#options = options;
    mkdirSync(folder, { recursive: true });
  }

  get id(): string {
    return this.daemon?.status["node"] ?? "";
  }

  async start(): Promise<void> {
    const command = { program: process.execPath, args: [IDLE_WORKER], environment: { ...process.env } };
    this.#launcher = new ProcessLauncher({ folder: join(this.folder, "workers"), command: () => command, clock: systemClock, pollMs: 20 });
    this.#stop = new AbortController();
    const listening = new Promise<number>((resolve) => {
      const parts = { ...this.#options, folder: this.folder, launcher: this.#launcher as ProcessLauncher };
      this.daemon = new NodeDaemon({ ...parts, metrics: new Registry(), onListening: resolve });
    });
    this.#running = this.daemon?.run(this.#stop.signal);
    this.port = await listening;
  }

  /** As kill -9 of the daemon: workers go on. */
  async kill(): Promise<void> {
    this.#stop.abort();
    this.#launcher?.close();
    await this.#running;
  }
}

/** A cluster of nodes for one test. */
export class NodeStage implements SchedulerStage {
  readonly capacity = 12;
  readonly store = new MemoryStore();
  readonly nodes: StageNode[] = [];
  readonly events: SchedulerEvent[] = [];
  readonly #folder = temporaryFolder("nodes");
  readonly #server = new Server();
  readonly #phases = new Map<string, WorkerView>();
  readonly #pids = new Set<number>();
  readonly #schedulers: NodeScheduler[] = [];
  #current: NodeScheduler | undefined;
  #epoch = 0n;
  readonly #count: number;
  #token: string;

  /** `count` nodes share the slots; `token` is what the nodes show. */
  constructor(count = 2, token = TOKEN) {
    this.#count = count;
    this.#token = token;
  }

  /** Nodes that the present scheduler has heard. */
  async heard(count: number): Promise<void> {
    await eventually(`${count} nodes are registered`, async () => {
      const controllers = this.nodes.filter(({ daemon }) => daemon?.status["controller"] !== "");
      const view = await this.#current?.view();
      return (controllers.length >= count && (view?.nodes.filter(({ state }) => state !== "lost").length ?? 0) >= count) || undefined;
    });
  }

  async open(options: { readonly artifactUrl?: string } = {}): Promise<NodeScheduler> {
    if (this.#epoch === 0n) await this.#serve();
    this.#epoch += 1n;
    const scheduler = new NodeScheduler({
      store: this.store,
      client: { token: TOKEN, release: "test", clock: systemClock },
      leaderEpoch: this.#epoch,
      leaseMs: NODE_LEASE_MS,
      workerLeaseMs: WORKER_LEASE_MS,
      artifactUrl: options.artifactUrl ?? "",
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    this.#schedulers.push(scheduler);
    this.#current = scheduler;
    scheduler.observe((event) => {
      this.events.push(event);
      if (event.kind !== "worker") return;
      this.#phases.set(event.worker.handle, event.worker);
      const pid = pidOf(event.worker);
      if (pid !== undefined) this.#pids.add(pid);
    });
    if (this.nodes.length === 0 && this.#count > 0) for (let i = 0; i < this.#count; i++) await this.addNode(this.capacity / this.#count);
    if (this.#token === TOKEN) await this.heard(this.nodes.length);
    return scheduler;
  }

  /** Another node, registered with the present scheduler. */
  async addNode(slots: number): Promise<StageNode> {
    const name = `machine-${this.nodes.length + 1}`;
    const node = new StageNode(join(this.#folder, name), {
      machine: { name, memoryBytes: 2 ** 32, processors: 4 },
      slots,
      bind: { host: "127.0.0.1", port: 0 },
      advertisedHost: "127.0.0.1",
      endpoints: [`127.0.0.1:${this.#port}`],
      client: { token: this.#token, release: "test", clock: systemClock },
      drainTimeoutMs: 5_000,
      cacheFolder: join(this.#folder, "cache"),
      artifactUrl: "",
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    this.nodes.push(node);
    await node.start();
    return node;
  }

  #port = 0;

  async #serve(): Promise<void> {
    const current = (): NodeScheduler => {
      if (this.#current !== undefined) return this.#current;
      throw externalError("connection-lost", "this controller does not lead");
    };
    const handler = {
      register: (request: Parameters<NodeScheduler["register"]>[0]) => current().register(request),
      heartbeat: (request: Parameters<NodeScheduler["heartbeat"]>[0]) => current().heartbeat(request),
    };
    const { definition, implementation } = nodeRegistryService(handler, { token: TOKEN, release: "test", logger: silentLogger });
    this.#server.addService(definition, implementation);
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
    });
  }

  async settle(): Promise<void> {
    const settled = () => [...this.#phases.values()].every(({ phase }) => phase !== "stopping" && phase !== "starting");
    await eventually("the workers settle", () => settled() || undefined);
  }

  async crash(worker: WorkerView): Promise<void> {
    const pid = pidOf(this.#phases.get(worker.handle) ?? worker);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await eventually("the worker's end is known", () => this.#phases.get(worker.handle)?.phase === "exited" || undefined);
  }

  /** The process of a worker that has run. */
  pid(worker: WorkerView): number | undefined {
    return pidOf(worker);
  }

  async close(): Promise<void> {
    for (const scheduler of this.#schedulers) await scheduler.shutdown();
    for (const node of this.nodes) await node.kill();
    this.#server.forceShutdown();
    for (const pid of this.#pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }
}

/** The note of a running worker names its process. */
function pidOf({ note }: WorkerView): number | undefined {
  const pid = /^process (\d+) on/.exec(note)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

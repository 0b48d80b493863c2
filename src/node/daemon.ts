/**
 * The node daemon: offers this machine's slots to the leading controller, starts and ends workers as it says, and empties the machine when it
 * has to go. It decides nothing about runs. Its own end, in whatever way, leaves workers as they are; the next daemon finds them.
 */
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import { externalError } from "../core/errors.ts";
import { isId, type JobId, type RunId, type WorkerId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import type { Service } from "../core/service.ts";
import { NS_PER_MS } from "../core/time.ts";
import type {
  DrainNodeRequest,
  DrainNodeResponse,
  HeartbeatNodeRequest,
  ListWorkersRequest,
  ListWorkersResponse,
  NodeWorker,
  ReadLogRequest,
  ReadLogResponse,
  RegisterNodeRequest,
  StartWorkerRequest,
  StartWorkerResponse,
  StopWorkerRequest,
  StopWorkerResponse,
} from "../gen/node.ts";
import type { NodeClientOptions, Question } from "../rpc/node-client.ts";
import { type Answer, type NodeDaemonHandler, NodeDaemonServer } from "../rpc/node-server.ts";
import type { ServerIdentity } from "../rpc/tls.ts";
import { exitMessage } from "../scheduler/node/worker-message.ts";
import type { WorkerExit, WorkerLaunch, WorkerLauncher } from "../scheduler/scheduler.ts";
import { ArtifactFetch } from "./artifact-fetch.ts";
import { type HeldWorker, HeldWorkers } from "./held-workers.ts";
import { NodeMetrics } from "./metrics.ts";
import { NodeState } from "./node-state.ts";
import { Registration } from "./registration.ts";

/** The machine, as the controller is told. */
export interface NodeMachine {
  readonly name: string;
  readonly memoryBytes: number;
  readonly processors: number;
}

/** What a daemon is made of. */
export interface NodeDaemonOptions {
  /** Folder of its own, for one daemon at a time. */
  readonly folder: string;
  readonly launcher: WorkerLauncher;
  readonly machine: NodeMachine;
  readonly slots: number;
  /** Where it listens; port 0: the system chooses. */
  readonly bind: { readonly host: string; readonly port: number };
  /** Under which controllers dial it. */
  readonly advertisedHost: string;
  /** What it shows to callers; plain text without. */
  readonly identity?: ServerIdentity | undefined;
  /** Controllers, "host:port". */
  readonly endpoints: readonly string[];
  /** How it talks to controllers; its token is also asked of callers. */
  readonly client: NodeClientOptions;
  /** Workers that are still there so long after the beginning of a drain are killed, milliseconds. */
  readonly drainTimeoutMs: number;
  /** Folder of modules that workers share, and the store they are fetched from where the controller names none. */
  readonly cacheFolder: string;
  readonly artifactUrl: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Called once it listens, with its port. */
  readonly onListening?: ((port: number) => void) | undefined;
}

const LOOK_MS = 200;

/** See the file's comment. Runs once. */
export class NodeDaemon implements Service, NodeDaemonHandler {
  readonly name = "node";
  readonly #options: NodeDaemonOptions;
  readonly #state: NodeState;
  readonly #workers: HeldWorkers;
  readonly #artifacts: ArtifactFetch;
  readonly #registration: Registration;
  readonly #metrics: NodeMetrics;
  #address = "";
  /** The process is to end once the machine is empty. */
  #leaving = false;

  /** Throws `io` if its state cannot be read. */
  constructor(options: NodeDaemonOptions) {
    const { folder, random, launcher, slots, clock, logger, metrics, endpoints, client } = options;
    this.#options = options;
    this.#state = new NodeState(folder, random);
    this.#metrics = new NodeMetrics(metrics);
    this.#artifacts = new ArtifactFetch(options);
    this.#workers = new HeldWorkers({ launcher, slots, clock, logger, onChange: (exit) => this.#changed(exit) });
    this.#registration = new Registration({
      endpoints,
      client,
      register: () => this.#self(),
      beat: () => this.#beat(),
      obey: (epoch) => this.#state.obey(epoch),
      answered: (beat) => this.#answered(beat),
      onConnected: (connected) => this.#metrics.registered.set(connected ? 1 : 0),
      onFailure: () => this.#metrics.failedHeartbeats.inc(),
      clock,
      random,
      logger,
    });
  }

  /** What it is and does, for people. */
  get status(): Readonly<Record<string, string>> {
    const { slots } = this.#options;
    const state = this.#draining ? "draining" : "ready";
    const free = String(this.#workers.freeSlots);
    const workers = String(this.#workers.running.length);
    return { node: this.#state.id, state, controller: this.#registration.controller, slots: String(slots), free, workers };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { bind, advertisedHost, client, logger, identity, onListening } = this.#options;
    const adopted = await this.#workers.adopt();
    const server = new NodeDaemonServer(this, { token: client.token, release: client.release, logger, identity });
    const port = await server.listen(bind.host, bind.port);
    this.#address = advertisedHost.includes(":") ? `[${advertisedHost}]:${port}` : `${advertisedHost}:${port}`;
    this.#changed();
    logger.info("the node offers its slots", { node: this.#state.id, address: this.#address, slots: this.#options.slots, adopted });
    onListening?.(port);
    try {
      await Promise.all([this.#registration.run(signal), this.#enforceDrain(signal)]);
    } finally {
      server.close();
      this.#workers.release();
    }
  }

  /** Empties the machine before this process ends: resolves when no worker is left. `signal`: at once, workers go on. */
  async leave(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#leaving = true;
    if (this.#workers.running.length > 0) this.#drainBy(this.#options.drainTimeoutMs);
    while (this.#workers.running.length > 0 && !signal.aborted) await clock.sleep(LOOK_MS, signal);
    // Whoever starts the daemon again wants its slots.
    if (!signal.aborted) this.#state.drain = undefined;
  }

  async start(request: StartWorkerRequest): Promise<Answer<StartWorkerResponse>> {
    const launch = launchOf(request);
    this.#state.obey(request.leaderEpoch);
    const known = this.#workers.get(launch.worker);
    if (known === undefined && this.#draining) throw externalError("io", "the node is being emptied", { retry: "never" });
    const { artifactHash, artifactStoreUrl } = request;
    if (known === undefined && artifactHash !== "") void this.#fetch(artifactHash, artifactStoreUrl);
    const worker = await this.#workers.start(launch);
    if (known === undefined) this.#metrics.starts.inc();
    return { worker: messageOf(worker) };
  }

  async stop({ fence, leaderEpoch, workerId, force, deadlineMs }: StopWorkerRequest): Promise<Answer<StopWorkerResponse>> {
    this.#state.obey(leaderEpoch);
    const held = isId("worker", workerId) ? this.#workers.get(workerId) : undefined;
    if (held === undefined || fence?.jobId !== held.launch.job || fence.fence !== held.launch.fence) return { found: false };
    return { found: this.#workers.stop(held.launch.worker, force ? { kind: "force" } : { kind: "graceful", deadlineMs }) };
  }

  async list({ jobId }: ListWorkersRequest): Promise<Answer<ListWorkersResponse>> {
    const workers = this.#workers.all.filter(({ launch }) => jobId === "" || launch.job === jobId);
    return {
      nodeId: this.#state.id,
      workers: workers.map(messageOf),
      freeSlots: this.#freeSlots,
      draining: this.#draining,
      drainDeadlineMs: this.#drainLeftMs,
      controller: this.#registration.controller,
    };
  }

  async *readLog({ workerId, stream, tailBytes, follow }: ReadLogRequest, signal: AbortSignal): AsyncIterable<ReadLogResponse> {
    if (!isId("worker", workerId) || (stream !== "stdout" && stream !== "stderr")) {
      throw externalError("not-found", `there is no log "${stream}" of worker "${workerId}"`, { retry: "never" });
    }
    const query = { stream, tailBytes: Number(tailBytes), follow, signal } as const;
    for await (const { offset, data } of this.#options.launcher.logs(workerId, query)) yield { offset: BigInt(offset), data };
  }

  async drain({ deadlineMs, cancel }: DrainNodeRequest): Promise<Answer<DrainNodeResponse>> {
    if (cancel) {
      this.#state.drain = undefined;
      this.#options.logger.info("the node takes workers again");
    } else this.#drainBy(deadlineMs === 0 ? this.#options.drainTimeoutMs : deadlineMs);
    this.#changed();
    return { workers: this.#workers.running.length };
  }

  #drainBy(deadlineMs: number): void {
    this.#state.drain = { byMs: this.#nowMs() + deadlineMs };
    this.#options.logger.info("the node is being emptied", { deadlineMs, workers: this.#workers.running.length });
    this.#changed();
  }

  get #draining(): boolean {
    return this.#leaving || this.#state.drain !== undefined;
  }

  /** 0: no drain, or no limit. */
  get #drainLeftMs(): number {
    const { drain } = this.#state;
    return drain === undefined ? 0 : Math.max(1, Math.round(drain.byMs - this.#nowMs()));
  }

  get #freeSlots(): number {
    return Math.max(0, this.#workers.freeSlots);
  }

  async #enforceDrain(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      const { drain } = this.#state;
      const late = drain !== undefined && this.#nowMs() > drain.byMs ? this.#workers.running.length : 0;
      if (late > 0) {
        logger.warn("workers did not leave in time and are killed", { workers: late });
        this.#workers.killAll();
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async #fetch(hash: string, storeUrl: string): Promise<void> {
    const url = storeUrl === "" ? this.#options.artifactUrl : storeUrl;
    if (url !== "" && (await this.#artifacts.fetch(hash, url))) this.#registration.nudge();
  }

  #self(): Question<RegisterNodeRequest> {
    const { machine, slots } = this.#options;
    const { name: machineName, processors, memoryBytes } = machine;
    return { nodeId: this.#state.id, address: this.#address, slots, machineName, processors, memoryBytes: BigInt(memoryBytes) };
  }

  /** Running workers, and those whose end no controller has written down. */
  #beat(): Question<HeartbeatNodeRequest> {
    return {
      nodeId: this.#state.id,
      freeSlots: this.#freeSlots,
      workers: this.#workers.all.filter(({ acknowledged }) => !acknowledged).map(messageOf),
      draining: this.#draining,
      drainDeadlineMs: this.#drainLeftMs,
      artifacts: this.#artifacts.artifacts,
    };
  }

  #answered({ workers }: Question<HeartbeatNodeRequest>): void {
    this.#workers.acknowledge(workers.filter(({ exit }) => exit !== undefined).map(({ workerId }) => workerId as WorkerId));
  }

  #changed(exit?: WorkerExit): void {
    const { slots } = this.#options;
    this.#metrics.slots.set(slots);
    this.#metrics.freeSlots.set(this.#freeSlots);
    this.#metrics.workers.set(this.#workers.running.length);
    this.#metrics.draining.set(this.#draining ? 1 : 0);
    if (exit !== undefined) this.#metrics.exits.inc({ how: exit.outOfMemory ? "out-of-memory" : exit.code === 0 ? "done" : "failed" });
    this.#registration.nudge();
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }
}

function launchOf(request: StartWorkerRequest): WorkerLaunch {
  const { fence, workerId, slots, build, controllerEndpoints, controllerCa, runToken, environment, memoryLimitBytes } = request;
  if (fence === undefined || !isId("job", fence.jobId) || !isId("run", fence.runId) || !isId("worker", workerId) || slots < 1) {
    throw externalError("io", "a worker was asked for without job, run, id or slots", { retry: "never" });
  }
  return {
    job: fence.jobId as JobId,
    run: fence.runId as RunId,
    fence: fence.fence,
    worker: workerId,
    slots,
    controllers: controllerEndpoints,
    ...(build === "" ? {} : { build }),
    ...(controllerCa === "" ? {} : { controllerCa }),
    runToken,
    environment,
    memoryBytes: Number(memoryLimitBytes),
  };
}

function messageOf({ launch, handle, startedAtNs, stopping, exit, endedAtMs = 0 }: HeldWorker): NodeWorker {
  return {
    workerId: launch.worker,
    fence: { jobId: launch.job, runId: launch.run, fence: launch.fence },
    slots: launch.slots,
    pid: Number(handle.split("@")[0]),
    startedAtNs,
    stopping,
    exit: exit === undefined ? undefined : exitMessage(exit, endedAtMs),
  };
}

/**
 * Workers on machines that run the node daemon. Nodes register with the leading controller and are dialled by it; there is no outside system
 * that would remember, so runs are written down (records.ts) before a daemon is asked, and daemons are asked until they have answered.
 *
 * A node that is silent for longer than its lease is lost: it gets nothing new, and its workers are `lost`, because they may well go on. When
 * it is back, its list of workers is what counts. It never comes back to a run that was stopped meanwhile: what it still has of one is ended.
 */
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { externalError, internalError, toAppError } from "../../core/errors.ts";
import { type JobId, makeId, type RunId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import { withRetry } from "../../core/retry.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { HeartbeatNodeRequest, HeartbeatNodeResponse, RegisterNodeRequest, RegisterNodeResponse } from "../../gen/node.ts";
import type { NodeClientOptions } from "../../rpc/node-client.ts";
import type { Answer, NodeRegistryHandler } from "../../rpc/node-server.ts";
import { essenceOf, forgetOldRuns, type RecordedJob } from "../process/run-records.ts";
import { checkSpec, planOf } from "../process/spec.ts";
import { viewRuns } from "../process/view.ts";
import type { RunKey, RunSpec, Scheduler, SchedulerEvent, StartOutcome, StopMode, WorkerView } from "../scheduler.ts";
import type { LogPiece, LogQuery, SchedulerPlan, SchedulerView } from "../view.ts";
import { Daemons } from "./daemons.ts";
import { NodeTable } from "./node-table.ts";
import { placeWorkers } from "./placement.ts";
import { NodeRecords, type RecordStore } from "./records.ts";
import { type BookedWorker, RunBook } from "./run-book.ts";
import { WorkerKeeper } from "./worker-keeper.ts";

/** What the scheduler works with. */
export interface NodeSchedulerOptions {
  readonly store: RecordStore;
  readonly client: NodeClientOptions;
  /** Fencing epoch of the leader lease. */
  readonly leaderEpoch: bigint;
  /** A node that is silent for longer is lost, milliseconds. */
  readonly leaseMs: number;
  /** A worker that nobody can be asked about is gone so long after its run was stopped, milliseconds: its own lease. */
  readonly workerLeaseMs: number;
  /** URL of the store of artifacts, for nodes that fetch them ahead; empty: nodes use their own setting. */
  readonly artifactUrl: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

const TICK_MS = 250;
/** Heartbeats in one lease. */
const BEATS = 5;
/** How long a job is remembered after its last worker was asked for: longer than anybody asks for one of its runs again. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
const LOADING = { attempts: Number.POSITIVE_INFINITY, initialMs: 100, maxMs: 2_000 };

/** See the file's comment. */
export class NodeScheduler implements Scheduler, NodeRegistryHandler {
  readonly name = "node";
  readonly #options: NodeSchedulerOptions;
  readonly #records: NodeRecords;
  readonly #book: RunBook;
  readonly #nodes: NodeTable;
  readonly #daemons: Daemons;
  readonly #keeper: WorkerKeeper;
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  readonly #over = new AbortController();
  readonly #turns = new Map<JobId, Promise<unknown>>();
  /** Addresses of nodes that are being registered. */
  readonly #arriving = new Set<string>();
  readonly #loaded: Promise<void>;
  #trouble = "";

  /** Takes over what an earlier leader has written down; a first call waits for it. */
  constructor(options: NodeSchedulerOptions) {
    const { store, client, leaseMs } = options;
    this.#options = options;
    this.#records = new NodeRecords(store);
    this.#book = new RunBook(this.#records);
    this.#nodes = new NodeTable(leaseMs);
    this.#daemons = new Daemons(client);
    this.#keeper = new WorkerKeeper({
      ...options,
      book: this.#book,
      nodes: this.#nodes,
      daemons: this.#daemons,
      tell: (event) => this.#tell(event),
      view: (worker) => this.#view(worker),
    });
    this.#loaded = this.#load();
    this.#loaded.catch((error: unknown) => {
      this.#trouble = toAppError(error).message;
    });
    this.#run().catch((error: unknown) => options.logger.error("the node scheduler failed", { error: toAppError(error) }));
  }

  startWorkers(spec: RunSpec): Promise<StartOutcome> {
    return this.#inTurn(spec.job, () => this.#start(spec));
  }

  stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    return this.#inTurn(run.job, () => this.#stop(run, mode));
  }

  async listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]> {
    await this.#ready();
    const workers = this.#book.workers(job).filter((one) => run === undefined || one.run.run === run);
    return workers.map((worker) => this.#view(worker));
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#check();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async plan(spec: RunSpec): Promise<SchedulerPlan> {
    await this.#ready();
    checkSpec(this.name, spec);
    const known = this.#book.job(spec.job)?.runs.find(({ fence }) => fence === spec.fence);
    const placed = known?.workers ?? placeWorkers(spec.slots, spec.slotsPerWorker, this.#offers(spec.artifact));
    const plan = planOf(spec, this.#freeSlots(), known !== undefined, ({ slots }) => `a worker with ${slots} slots`);
    if (placed === undefined) return { ...plan, reason: this.#whyNot(spec.slots) };
    const lines = placed.map(({ node, slots }) => `node ${this.#nodeName(node)}: wadi worker, WADI_TASK_SLOTS=${slots}`);
    return { ...plan, text: `${lines.join("\n")}\n`, workers: placed.length };
  }

  async *logs(handle: string, query: LogQuery): AsyncIterable<LogPiece> {
    await this.#ready();
    const node = this.#nodes.get(this.#book.worker(handle)?.worker.node ?? "");
    if (node === undefined) throw externalError("not-found", `nothing is known of worker "${handle}"`, { retry: "never" });
    const { stream, tailBytes, follow, signal } = query;
    const request = { workerId: handle, stream, tailBytes: BigInt(tailBytes), follow };
    for await (const { offset, data } of this.#daemons.at(node.record.address).readLog(request, signal)) {
      yield { stream, offset: Number(offset), data };
    }
  }

  async view(): Promise<SchedulerView> {
    this.#check();
    const nodes = this.#nodes.views(this.#book.usedSlots(), this.#options.clock.elapsedMs(), this.#nowMs());
    return {
      scheduler: this.name,
      link: this.#trouble === "" ? "live" : "down",
      trouble: this.#trouble,
      version: "",
      place: { nodes: String(nodes.length) },
      syncedAtMs: this.#nowMs(),
      nodes,
      runs: this.#book.jobs.flatMap(viewRuns),
      workers: this.#book.workers().map((worker) => this.#view(worker)),
      services: [],
    };
  }

  async shutdown(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#listeners.clear();
    await Promise.all([...this.#turns.values()].map((turn) => turn.catch(() => undefined)));
    this.#daemons.close();
  }

  async register(request: RegisterNodeRequest): Promise<Answer<RegisterNodeResponse>> {
    await this.#ready();
    const { nodeId: id, machineName: name, address, slots, processors, memoryBytes, peer } = request;
    const record = { id, name, address, slots, processors, memoryBytes: Number(memoryBytes), release: peer?.release ?? "" };
    // A node that cannot be dialled is of no use, and its operator has to hear of it.
    this.#arriving.add(address);
    await this.#keeper.reconcile(record).finally(() => this.#arriving.delete(address));
    await this.#records.writeNode(record);
    this.#nodes.register(record, this.#options.clock.elapsedMs());
    this.#options.logger.info("a node has registered", { node: id, name, address, slots });
    for (const { worker } of this.#book.living()) if (worker.node === id) this.#keeper.tellWorker(worker.id);
    const { leaderEpoch, leaseMs } = this.#options;
    return { leaderEpoch, heartbeatIntervalMs: Math.round(leaseMs / BEATS), endpoints: [] };
  }

  async heartbeat(request: HeartbeatNodeRequest): Promise<Answer<HeartbeatNodeResponse>> {
    await this.#ready();
    const node = request.nodeId;
    const heard = this.#nodes.hear(request, this.#options.clock.elapsedMs());
    if (heard === undefined) throw externalError("not-found", `node ${node} has not registered with this controller`, { retry: "never" });
    await this.#keeper.heard(node, request.workers);
    if (heard.wasLost) for (const { worker } of this.#book.living()) if (worker.node === node) this.#keeper.tellWorker(worker.id);
    if (heard.drains) this.#tellDrain(node);
    return { leaderEpoch: this.#options.leaderEpoch };
  }

  #check(): void {
    assert(!this.#over.signal.aborted, "the scheduler has been shut down");
  }

  async #ready(): Promise<void> {
    this.#check();
    await this.#loaded;
    this.#check();
  }

  /** Calls for one job come one after another. */
  async #inTurn<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    this.#check();
    const before = this.#turns.get(job) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(() => this.#ready().then(work));
    this.#turns.set(job, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(job) === turn) this.#turns.delete(job);
    }
  }

  async #load(): Promise<void> {
    const { clock, random } = this.#options;
    const { jobs, nodes } = await withRetry(() => this.#records.read(), LOADING, { clock, random, signal: this.#over.signal });
    this.#book.load(jobs);
    for (const node of nodes) this.#nodes.remember(node, clock.elapsedMs());
    await this.#book.prune(this.#nowMs() - KEPT_MS).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options;
    await this.#loaded.catch(() => undefined);
    while (!this.#over.signal.aborted) {
      try {
        await this.#tick();
        this.#trouble = "";
      } catch (error) {
        this.#trouble = toAppError(error).message;
        logger.warn("what nodes do cannot be written down", { error: toAppError(error) });
      }
      await clock.sleep(TICK_MS, this.#over.signal);
    }
  }

  async #tick(): Promise<void> {
    const nowMs = this.#options.clock.elapsedMs();
    for (const { record } of this.#nodes.expire(nowMs)) this.#keeper.lost(record.id);
    this.#keeper.tick(nowMs);
    await this.#book.saveAll();
    const needed = new Set(this.#book.living().map(({ worker }) => worker.node));
    for (const node of this.#nodes.forget(nowMs, (id) => needed.has(id))) await this.#records.removeNode(node);
    this.#daemons.keep(new Set([...this.#arriving, ...this.#nodes.all.map(({ record }) => record.address)]));
  }

  async #start(spec: RunSpec): Promise<StartOutcome> {
    checkSpec(this.name, spec);
    const before = this.#book.job(spec.job);
    const job: RecordedJob = before ?? { job: spec.job, fence: 0n, stopped: false, runs: [] };
    if (spec.fence < job.fence || (spec.fence === job.fence && job.stopped)) {
      throw internalError("fenced", `run ${spec.run} of job ${spec.job} has been superseded or stopped`);
    }
    const essence = essenceOf(spec);
    const known = job.runs.find(({ fence }) => fence === spec.fence);
    if (known !== undefined && known.essence !== essence) {
      throw internalError("already-exists", `run ${spec.run} of job ${spec.job} was started with another specification`);
    }
    if (known === undefined) {
      const placed = placeWorkers(spec.slots, spec.slotsPerWorker, this.#offers(spec.artifact));
      if (placed === undefined) return { kind: "not-enough-slots", needed: spec.slots, available: this.#freeSlots() };
      const { random } = this.#options;
      const workers = placed.map(({ node, slots }) => ({ id: makeId("worker", random), slots, node, handle: undefined, exit: undefined }));
      const run = { run: spec.run, fence: spec.fence, essence, workers, submittedAtMs: this.#nowMs() };
      this.#book.put(spec.job, forgetOldRuns({ ...job, fence: spec.fence, stopped: false, runs: [...job.runs, run] }));
    }
    try {
      await this.#book.save(spec.job);
    } catch (error) {
      if (known === undefined) this.#book.put(spec.job, before);
      throw error;
    }
    const own = this.#book.workers(spec.job).filter(({ run }) => run.fence === spec.fence);
    await this.#keeper.start(spec, own);
    return { kind: "accepted", workers: own.length };
  }

  async #stop(run: RunKey, mode: StopMode): Promise<void> {
    const job = this.#book.job(run.job);
    if (run.fence >= (job?.fence ?? 0n) && !(job?.stopped === true && job.fence === run.fence)) {
      this.#book.put(run.job, { runs: [], ...job, job: run.job, fence: run.fence, stopped: true });
    }
    await this.#keeper.stop(run, mode);
    await this.#book.save(run.job);
  }

  #offers(artifact: string) {
    const used = this.#book.usedSlots();
    return this.#nodes.ready.map(({ record, artifacts }) => ({
      node: record.id,
      free: Math.max(0, record.slots - (used.get(record.id) ?? 0)),
      hasArtifact: artifacts.has(artifact),
    }));
  }

  #freeSlots(): number {
    return this.#offers("").reduce((sum, { free }) => sum + free, 0);
  }

  #whyNot(slots: number): string {
    const ready = this.#nodes.ready.length;
    const rest = this.#nodes.all.filter(({ lost }) => lost).length;
    const draining = this.#nodes.all.length - ready - rest;
    const others = [rest > 0 ? `${rest} lost` : "", draining > 0 ? `${draining} draining` : ""].filter((text) => text !== "");
    const nodes = `${ready} node${ready === 1 ? "" : "s"}${others.length === 0 ? "" : ` (besides ${others.join(", ")})`}`;
    return `${slots} slots are needed and ${this.#freeSlots()} are free on ${nodes}`;
  }

  #nodeName(node: string | undefined): string {
    return this.#nodes.get(node ?? "")?.record.name ?? node ?? "unknown";
  }

  #view({ job, run, worker }: BookedWorker): WorkerView {
    const { id, slots, node, exit } = worker;
    const { phase, note } = this.#keeper.phaseOf(worker);
    return { job: job.job, run: run.run, fence: run.fence, handle: id, worker: id, phase, slots, node, exit, note, link: undefined };
  }

  #tellDrain(id: string): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    const runs = new Map<string, RunKey>();
    for (const { job, run, worker } of this.#book.living()) {
      if (worker.node === id) runs.set(run.run, { job: job.job, run: run.run, fence: run.fence });
    }
    const { drainByMs } = node;
    const deadlineMs = drainByMs === undefined ? undefined : Math.max(0, Math.round(drainByMs - this.#options.clock.elapsedMs()));
    this.#options.logger.info("a node drains", { node: id, runs: runs.size, deadlineMs });
    this.#tell({ kind: "drain", node: id, runs: [...runs.values()], deadlineMs });
  }

  #tell(event: SchedulerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }
}

/**
 * Makes daemons do what is written in the book and the book say what daemons tell: workers that were promised are started, those of runs that
 * were stopped are ended, exits are written down before a daemon may forget them. Whatever a daemon did not answer is asked again.
 */
import type { Clock } from "../../core/clock.ts";
import { type AppError, toAppError } from "../../core/errors.ts";
import type { WorkerId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { NodeWorker } from "../../gen/node.ts";
import type { RecordedWorker } from "../process/run-records.ts";
import type { RunKey, RunSpec, SchedulerEvent, StopMode, WorkerExit, WorkerPhase, WorkerView } from "../scheduler.ts";
import type { Daemons } from "./daemons.ts";
import type { KnownNode, NodeTable } from "./node-table.ts";
import type { BookedWorker, RunBook } from "./run-book.ts";
import { exitOf, startRequest } from "./worker-message.ts";

/** What a keeper works with. */
export interface WorkerKeeperOptions {
  readonly book: RunBook;
  readonly nodes: NodeTable;
  readonly daemons: Daemons;
  readonly leaderEpoch: bigint;
  readonly workerLeaseMs: number;
  readonly artifactUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tell: (event: SchedulerEvent) => void;
  readonly view: (worker: BookedWorker) => WorkerView;
}

/** A daemon that did not answer is asked again after so long, milliseconds. */
const AGAIN_MS = 1_000;

/** Something that a daemon is to be asked. */
interface Order {
  dueMs: number;
  asking: boolean;
}

interface StartOrder extends Order {
  readonly spec: RunSpec;
  /** Why it has not happened yet. */
  reason: string;
}

interface StopOrder extends Order {
  mode: StopMode;
  readonly sinceMs: number;
  told: boolean;
}

/** See the file's comment. */
export class WorkerKeeper {
  readonly #options: WorkerKeeperOptions;
  readonly #starts = new Map<WorkerId, StartOrder>();
  readonly #stops = new Map<WorkerId, StopOrder>();
  /** Since when workers are lost, by id; elapsed milliseconds. */
  readonly #lostSince = new Map<WorkerId, number>();
  /** Runs of which it was said that workers are missing. */
  readonly #missing = new Map<string, string>();

  constructor(options: WorkerKeeperOptions) {
    this.#options = options;
  }

  /** Where a worker is, and why. */
  phaseOf({ id, node, handle, exit, slots }: RecordedWorker): { readonly phase: WorkerPhase; readonly note: string } {
    if (exit !== undefined) return { phase: "exited", note: exit.reason };
    const known = this.#options.nodes.get(node ?? "");
    const name = known?.record.name ?? node ?? "unknown";
    if (known === undefined || known.lost) return { phase: "lost", note: `node "${name}" has not been heard of` };
    if (this.#stops.has(id)) return { phase: "stopping", note: "" };
    if (handle === undefined) return { phase: "starting", note: this.#starts.get(id)?.reason ?? `${slots} slots on node "${name}"` };
    return { phase: "running", note: `process ${handle} on node "${name}"` };
  }

  /**
   * Asks for the workers of `spec` that have not been started; resolves when every daemon has been asked once. Throws `invalid-config`, having
   * ended the others, where a node can never start one.
   */
  async start(spec: RunSpec, workers: readonly BookedWorker[]): Promise<void> {
    const waiting = workers.filter(({ worker }) => worker.handle === undefined && worker.exit === undefined);
    const orders = waiting.map(({ worker }) => {
      const order: StartOrder = { spec, dueMs: 0, asking: false, reason: "" };
      this.#starts.set(worker.id, order);
      return this.#askStart(worker.id, order);
    });
    for (const { worker } of waiting) this.tellWorker(worker.id);
    const impossible = (await Promise.all(orders)).find((error) => error?.code === "invalid-config");
    if (impossible !== undefined) await this.stop(spec, { kind: "force" });
    else this.#tellMissing(spec);
    await this.#options.book.save(spec.job);
    if (impossible !== undefined) throw impossible;
  }

  /** Ends the workers of a run; resolves when every daemon has been asked once. */
  async stop(run: RunKey, mode: StopMode): Promise<void> {
    const { book, clock } = this.#options;
    const living = book.workers(run.job).filter(({ run: { fence }, worker }) => fence === run.fence && worker.exit === undefined);
    const asked = living.map(async ({ worker }) => {
      const started = worker.handle !== undefined || this.#starts.get(worker.id)?.asking === true;
      this.#starts.delete(worker.id);
      if (!started) return this.#exited(worker.id, ended("stopped before it was started"));
      const before = this.#stops.get(worker.id);
      if (before !== undefined && before.mode.kind === mode.kind) return;
      const order: StopOrder = { mode, sinceMs: before?.sinceMs ?? clock.elapsedMs(), dueMs: 0, asking: false, told: false };
      this.#stops.set(worker.id, order);
      this.tellWorker(worker.id);
      await this.#askStop(worker.id, order);
    });
    await Promise.all(asked);
    this.#missing.delete(run.run);
  }

  /** Asks a daemon for all its workers, and takes those for gone that it does not have. Throws if it does not answer. */
  async reconcile({ id, address }: KnownNode["record"]): Promise<void> {
    const { book, daemons } = this.#options;
    const started = book.living().filter(({ worker }) => worker.node === id && worker.handle !== undefined);
    const { workers } = await daemons.at(address).list();
    const there = new Set(workers.map(({ workerId }) => workerId));
    for (const { worker } of started) {
      if (!there.has(worker.id)) this.#exited(worker.id, ended("it is gone, nobody saw how"));
    }
    await this.heard(id, workers);
  }

  /** A daemon tells of its workers. Resolves when what it may forget then is written down. */
  async heard(node: string, workers: readonly NodeWorker[]): Promise<void> {
    const { book, nodes, logger } = this.#options;
    for (const worker of workers) this.#heardOf(node, worker);
    const there = new Set(workers.map(({ workerId }) => workerId));
    const absent = book.living().some(({ worker }) => worker.node === node && worker.handle !== undefined && !there.has(worker.id));
    await Promise.all([...new Set(workers.map(({ workerId }) => book.worker(workerId)?.job.job))].map((job) => job && book.save(job)));
    const known = nodes.get(node);
    // The heartbeat may be older than the worker: only an answer to a question that was asked now counts.
    if (absent && known !== undefined) {
      await this.reconcile(known.record).catch((error: unknown) =>
        logger.warn("a node does not answer", { node, error: toAppError(error) }),
      );
    }
  }

  /** A node has not been heard of for the time of its lease. */
  lost(node: string): void {
    const { book, clock, logger, nodes } = this.#options;
    const name = nodes.get(node)?.record.name ?? node;
    const own = book.living().filter(({ worker }) => worker.node === node);
    logger.warn("a node is lost", { node, name, workers: own.length });
    for (const booked of own) {
      const { worker } = booked;
      if (worker.handle === undefined) {
        this.#starts.delete(worker.id);
        this.#exited(worker.id, ended(`node "${name}" was lost before the worker was started`));
        continue;
      }
      this.#lostSince.set(worker.id, clock.elapsedMs());
      this.#say(booked, "warn", `node "${name}" has not been heard of: what its worker does is not known`);
      this.tellWorker(worker.id);
    }
  }

  /** Asks again what was not answered, and takes lost workers of stopped runs for gone once their own lease must have run out. */
  tick(nowMs: number): void {
    const { workerLeaseMs } = this.#options;
    for (const [id, order] of this.#starts) if (!order.asking && nowMs >= order.dueMs) void this.#askStart(id, order);
    for (const [id, order] of this.#stops) {
      const lostSince = this.#lostSince.get(id);
      if (lostSince !== undefined && nowMs - Math.max(lostSince, order.sinceMs) > workerLeaseMs) {
        this.#exited(id, ended("its node is lost, and its own lease has run out"));
      } else if (!order.told && !order.asking && nowMs >= order.dueMs) void this.#askStop(id, order);
    }
  }

  /** Tells observers how a worker is now. */
  tellWorker(id: WorkerId): void {
    const booked = this.#options.book.worker(id);
    if (booked === undefined) return;
    if (this.phaseOf(booked.worker).phase !== "lost") this.#lostSince.delete(id);
    this.#options.tell({ kind: "worker", worker: this.#options.view(booked) });
  }

  /** The error, if there was one. */
  async #askStart(id: WorkerId, order: StartOrder): Promise<AppError | undefined> {
    const { book, daemons, nodes, leaderEpoch, artifactUrl } = this.#options;
    const booked = book.worker(id);
    const node = nodes.get(booked?.worker.node ?? "");
    if (booked === undefined || node === undefined || booked.worker.handle !== undefined) {
      this.#starts.delete(id);
      return undefined;
    }
    let failure: AppError | undefined;
    order.asking = true;
    try {
      const { worker } = await daemons.at(node.record.address).start(startRequest(order.spec, booked.worker, leaderEpoch, artifactUrl));
      if (worker !== undefined) this.#heardOf(node.record.id, worker);
    } catch (thrown) {
      failure = toAppError(thrown);
      this.#notStarted(id, order, node, failure);
    } finally {
      order.asking = false;
    }
    if (this.#missing.has(order.spec.run)) this.#tellMissing(order.spec);
    return failure;
  }

  #notStarted(id: WorkerId, order: StartOrder, node: KnownNode, error: AppError): void {
    const { clock, logger } = this.#options;
    logger.warn("a worker could not be started", { worker: id, node: node.record.id, error });
    order.dueMs = clock.elapsedMs() + AGAIN_MS;
    order.reason = `node "${node.record.name}" did not start it: ${error.message}`;
    // Another leader has taken over: it decides.
    if (error.code === "fenced") this.#starts.delete(id);
    else if (error.retry === "never") this.#exited(id, ended(order.reason));
  }

  async #askStop(id: WorkerId, order: StopOrder): Promise<void> {
    const { book, daemons, nodes, clock, leaderEpoch, logger } = this.#options;
    const booked = book.worker(id);
    const node = nodes.get(booked?.worker.node ?? "");
    if (booked === undefined || booked.worker.exit !== undefined) return void this.#stops.delete(id);
    if (node === undefined || node.lost) return;
    const { mode, sinceMs } = order;
    const deadlineMs = mode.kind === "force" ? 0 : Math.max(0, mode.deadlineMs - (clock.elapsedMs() - sinceMs));
    const fence = { jobId: booked.job.job, runId: booked.run.run, fence: booked.run.fence };
    order.asking = true;
    try {
      const request = { fence, leaderEpoch, workerId: id, force: mode.kind === "force", deadlineMs: Math.round(deadlineMs) };
      const { found } = await daemons.at(node.record.address).stop(request);
      order.told = true;
      // It never came to the node, or the node has forgotten it: what it lists counts.
      if (!found) this.#exited(id, ended("stopped"));
    } catch (thrown) {
      const error = toAppError(thrown);
      logger.warn("a worker could not be told to end", { worker: id, node: node.record.id, error });
      order.dueMs = clock.elapsedMs() + AGAIN_MS;
      if (error.code === "fenced") order.told = true;
    } finally {
      order.asking = false;
    }
  }

  #heardOf(node: string, told: NodeWorker): void {
    const { book } = this.#options;
    const booked = book.worker(told.workerId);
    if (booked === undefined || booked.worker.node !== node || booked.worker.exit !== undefined) {
      if (told.exit === undefined) this.#endStray(node, told);
      return;
    }
    const { id } = booked.worker;
    if (booked.worker.handle === undefined) {
      this.#starts.delete(id);
      const after = book.change(id, { handle: String(told.pid) });
      if (after !== undefined)
        this.#say(after, "info", `process ${told.pid} started with ${told.slots} slot${told.slots === 1 ? "" : "s"}`);
      this.tellWorker(id);
    }
    if (told.exit !== undefined) return this.#exited(id, exitOf(told.exit));
    const { job, run } = booked;
    // A stop whose leader is gone before the daemon was asked.
    if (job.stopped && job.fence === run.fence && !this.#stops.has(id) && !told.stopping) this.#endStray(node, told);
  }

  /** A worker that nobody wants: of a run that was stopped while its node was lost, or that is not in the book. */
  #endStray(node: string, { workerId, fence }: NodeWorker): void {
    const { daemons, nodes, leaderEpoch, logger } = this.#options;
    const known = nodes.get(node);
    if (known === undefined) return;
    logger.warn("a worker that is not wanted any more is ended", { worker: workerId, node, job: fence?.jobId });
    const request = { fence, leaderEpoch, workerId, force: true, deadlineMs: 0 };
    daemons
      .at(known.record.address)
      .stop(request)
      .catch(() => undefined);
  }

  #exited(id: WorkerId, exit: WorkerExit): void {
    if (this.#options.book.worker(id)?.worker.exit !== undefined) return;
    const booked = this.#options.book.change(id, { exit });
    if (booked === undefined) return;
    const wanted = this.#stops.has(id) || booked.job.fence > booked.run.fence || booked.job.stopped;
    for (const orders of [this.#starts, this.#stops, this.#lostSince]) orders.delete(id);
    this.tellWorker(id);
    this.#say(booked, exit.outOfMemory || !(exit.code === 0 || wanted) ? "warn" : "info", `the worker ended: ${exit.reason}`);
  }

  /** Says how many workers of a run have not been started, if that has changed. */
  #tellMissing({ job, run, fence }: RunSpec): void {
    const waiting = this.#options.book.workers(job).flatMap((one) => {
      const order = one.run.fence === fence && one.worker.exit === undefined ? this.#starts.get(one.worker.id) : undefined;
      return order === undefined ? [] : [order];
    });
    const reason = waiting[0]?.reason ?? "";
    const said = `${waiting.length} ${reason}`;
    if ((this.#missing.get(run) ?? "0 ") === said) return;
    if (waiting.length === 0) this.#missing.delete(run);
    else this.#missing.set(run, said);
    this.#options.tell({ kind: "placement", run: { job, run, fence }, missing: waiting.length, reason });
  }

  #say({ job, run, worker }: BookedWorker, level: "error" | "warn" | "info", message: string): void {
    const { clock, tell } = this.#options;
    const key = { job: job.job, run: run.run, fence: run.fence };
    tell({ kind: "told", run: key, handle: worker.id, about: "process", level, message, atMs: Number(clock.nowNs() / NS_PER_MS) });
  }
}

function ended(reason: string): WorkerExit {
  return { code: undefined, signal: undefined, outOfMemory: false, reason };
}

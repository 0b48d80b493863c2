/**
 * Workers as allocations of Nomad: one batch job per run. What must survive a controller is in Nomad: the job itself, the run's variable with
 * its credential, and a record per job that fences runs that are over. This file decides the order of calls, so that a crash between any two of
 * them leaves something that the next call finds and finishes.
 */
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, internalError, toAppError } from "../../core/errors.ts";
import type { JobId, RunId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type {
  RunKey,
  RunSpec,
  Scheduler,
  SchedulerEvent,
  StartOutcome,
  StopMode,
  WorkerIdentityVerifier,
  WorkerView,
} from "../scheduler.ts";
import type { LogPiece, LogQuery, SchedulerPlan, SchedulerView } from "../view.ts";
import { NomadClient } from "./client.ts";
import { ClusterState } from "./cluster-state.ts";
import { type FenceRecord, FenceRecords } from "./fence-record.ts";
import { Housekeeping } from "./housekeeping.ts";
import { NomadJobs, sourceOf } from "./jobs.ts";
import { type NomadLinks, nomadLinks } from "./links.ts";
import { readLogs } from "./logs.ts";
import type { NomadConnection, NomadJobSettings } from "./settings.ts";
import { JOB_PREFIX, specHash, WORKER_NAME, workersOf } from "./spec.ts";
import { type JobSource, renderedJob } from "./template.ts";
import { NomadShow } from "./view.ts";
import { NomadWatch } from "./watch.ts";
import { phaseOf } from "./worker-view.ts";

/** What the scheduler works with. */
export interface NomadSchedulerOptions {
  readonly connection: NomadConnection;
  readonly jobs: NomadJobSettings;
  /** An operator's own job; undefined: Wadi's. */
  readonly template: JobSource | undefined;
  /** URL of Nomad's UI for links; the first address if absent. */
  readonly uiAddress: string | undefined;
  readonly preflight: boolean;
  readonly resyncMs: number;
  readonly runsToKeep: number;
  /** Endpoints of controllers that workers of all runs shall find, besides those that Nomad knows. */
  readonly controllers: readonly string[];
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** Allocations of a stopped run are looked at directly at most this often, milliseconds: an event may have been missed. */
const LOOK_AGAIN_MS = 1_000;
/** Nomad places many runs at once: what takes time is the wait for its clients. */
const STARTS = 32;

/** See the file's comment. */
export class NomadScheduler implements Scheduler {
  readonly name = "nomad";
  readonly startsAtOnce = STARTS;
  readonly #options: NomadSchedulerOptions;
  readonly #client: NomadClient;
  readonly #state: ClusterState;
  readonly #watch: NomadWatch;
  readonly #fences: FenceRecords;
  readonly #jobs: NomadJobs;
  readonly #housekeeping: Housekeeping;
  readonly #show: NomadShow;
  readonly #links: NomadLinks;
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  readonly #over = new AbortController();
  /** Of the watch, while somebody observes. */
  #watching: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
  /** When a run's allocations were last looked at directly, by Nomad job. */
  readonly #looked = new Map<string, number>();
  #identities: WorkerIdentityVerifier | undefined;
  #toldNoPlans = false;

  constructor(options: NomadSchedulerOptions) {
    const { connection, jobs, clock, random, logger, resyncMs } = options;
    this.#options = options;
    this.#client = new NomadClient(connection, clock);
    this.#links = nomadLinks(options.uiAddress ?? connection.addresses[0] ?? "", connection.namespace);
    const nowMs = (): number => Number(clock.nowNs() / NS_PER_MS);
    this.#state = new ClusterState({
      clusterId: jobs.clusterId,
      allocationLink: this.#links.allocation,
      killTimeoutMs: jobs.killTimeoutMs,
      nowMs,
    });
    this.#fences = new FenceRecords(this.#client, jobs.clusterId);
    this.#jobs = new NomadJobs(this.#client, (id) => this.#isAllPlaced(id));
    this.#housekeeping = new Housekeeping({ ...options, state: this.#state, jobs: this.#jobs, fences: this.#fences, nowMs });
    this.#show = new NomadShow({ client: this.#client, state: this.#state, links: this.#links, clock, connection });
    this.#watch = new NomadWatch({
      client: this.#client,
      state: this.#state,
      clock,
      random,
      logger,
      resyncMs,
      tell: (events) => this.#tell(events),
      onSynced: () => this.#housekeeping.nudge(this.#watching?.end.signal),
    });
  }

  /** See the contract. Set once by whoever wires it. */
  get identities(): WorkerIdentityVerifier | undefined {
    return this.#identities;
  }

  /** Makes workers show Nomad's identity from now on. */
  useIdentities(make: (parts: IdentityParts) => WorkerIdentityVerifier): void {
    const namespace = this.#options.connection.namespace;
    this.#identities = make({
      namespace,
      fetchKeys: async () => (await this.#client.call({ path: "/.well-known/jwks.json" })).body,
      // The name says it all, and only this scheduler registers jobs of such names.
      isJobOf: ({ job, run }, id) => id.startsWith(JOB_PREFIX) && id.endsWith(`-${job}-${run}`),
      placed: (run, handle) => this.#isPlaced(run, handle),
    });
  }

  async startWorkers(spec: RunSpec): Promise<StartOutcome> {
    this.#check();
    const { workers, slots } = workersOf(spec, this.#options.jobs);
    const hash = specHash(spec);
    const before = await this.#fences.seen(spec.job);
    const fresh = checkFence(before.record, spec, hash);
    const job = await this.#render(spec);
    if (fresh && this.#options.preflight) {
      const { missing, reason } = await this.#jobs.plan(job);
      if (missing === undefined) this.#cannotPlan(reason);
      else if (missing > 0) {
        this.#tell([{ kind: "placement", run: keyOf(spec), missing, reason }]);
        return { kind: "not-enough-slots", needed: spec.slots, available: Math.max(0, workers - missing) * slots };
      }
    }
    const started = (record: FenceRecord | undefined): FenceRecord | undefined => {
      if (!checkFence(record, spec, hash)) return undefined;
      return { job: spec.job, fence: spec.fence, run: spec.run, stopped: false, hash, nomadJob: job.ID };
    };
    await this.#fences.change(spec.job, started);
    await this.#jobs.writeVariable(job.ID, spec);
    const registered = await this.#jobs.register(job, hash);
    if (registered.stopped) throw fenced(spec);
    const known = { id: job.ID, name: job.Name, key: keyOf(spec), workers, slots, status: "pending", stopped: false };
    if (registered.created) {
      this.#state.started({ ...known, submittedAtMs: this.#nowMs(), index: registered.index });
    } else if (this.#state.run(job.ID) === undefined) await this.#look(job.ID);
    await this.#undoIfOver(spec, job.ID);
    this.#housekeeping.started(job.ID);
    return { kind: "accepted", workers };
  }

  async stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    this.#check();
    await this.#fences.change(run.job, (record) => {
      if (record !== undefined && (record.fence > run.fence || (record.fence === run.fence && record.stopped))) return undefined;
      const { hash = "", nomadJob = "" } = record?.fence === run.fence ? record : {};
      return { job: run.job, fence: run.fence, run: run.run, stopped: true, hash, nomadJob };
    });
    const id = await this.#nomadJob(run);
    if (id === "") return;
    await this.#end(id);
    const watching = this.#over.signal;
    if (mode.kind === "force") return await this.#kill(id);
    void this.#options.clock.sleep(mode.deadlineMs, watching).then(async () => {
      if (!watching.aborted) await this.#kill(id).catch(() => undefined);
    });
  }

  async listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]> {
    this.#check();
    if (this.#watch.link === "down" || this.#watching === undefined) await this.#watch.sync();
    for (const known of this.#state.runs) {
      if (known.key.job !== job || (run !== undefined && known.key.run !== run)) continue;
      const ending = known.stopped && this.#state.allocations(known.id).some((row) => phaseOf(row) !== "exited");
      if (ending && this.#options.clock.elapsedMs() - (this.#looked.get(known.id) ?? Number.NEGATIVE_INFINITY) > LOOK_AGAIN_MS) {
        await this.#look(known.id);
      }
    }
    return this.#state.workersOf(job, run);
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#check();
    this.#listeners.add(listener);
    if (this.#watching === undefined) {
      const end = new AbortController();
      this.#watching = { end, done: this.#watch.run(AbortSignal.any([end.signal, this.#over.signal])) };
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#watching?.end.abort();
      this.#watching = undefined;
    };
  }

  tellControllers(endpoints: readonly string[]): void {
    this.#check();
    this.#housekeeping.controllersAre(endpoints);
    this.#housekeeping.nudge(this.#watching?.end.signal);
  }

  async plan(spec: RunSpec): Promise<SchedulerPlan> {
    this.#check();
    const job = await this.#render(spec);
    const { workers } = workersOf(spec, this.#options.jobs);
    const { missing, reason, warnings } = await this.#jobs.plan(job);
    return { text: sourceOf(job), format: "json", workers, missing, reason, warnings };
  }

  async submitted(spec: RunSpec): Promise<SchedulerPlan> {
    this.#check();
    const job = await this.#render(spec);
    const { workers } = workersOf(spec, this.#options.jobs);
    return { text: sourceOf(job), format: "json", workers, missing: 0, reason: "", warnings: this.#jobs.takeWarnings(job.ID) };
  }

  logs(handle: string, query: LogQuery): AsyncIterable<LogPiece> {
    this.#check();
    return readLogs(this.#client, handle, WORKER_NAME, query, this.#over.signal);
  }

  async view(): Promise<SchedulerView> {
    const unwatched = this.#watching === undefined;
    const failure = unwatched ? await this.#watch.sync().then(() => "", messageOf) : "";
    const { link, trouble, syncedAtMs } = this.#watch;
    if (!unwatched) return await this.#show.view({ link, trouble, syncedAtMs });
    return await this.#show.view({ link: failure === "" ? "polling" : "down", trouble: failure, syncedAtMs });
  }

  /** Requests made of Nomad so far. */
  get requests(): number {
    return this.#client.requests;
  }

  async shutdown(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#listeners.clear();
    await this.#watching?.done;
    this.#client.close();
  }

  #check(): void {
    assert(!this.#over.signal.aborted, "the scheduler has been shut down");
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }

  #render(spec: RunSpec) {
    return renderedJob(spec, this.#options.jobs, this.#options.template, this.#client);
  }

  #tell(events: readonly SchedulerEvent[]): void {
    for (const event of events) for (const listener of this.#listeners) listener(event);
  }

  /** Nomad's job of a run; empty: Nomad has none. */
  async #nomadJob(run: RunKey): Promise<string> {
    const find = (): string | undefined => this.#state.runs.find(({ key }) => key.job === run.job && key.fence === run.fence)?.id;
    const known = find();
    if (known !== undefined) return known;
    const { record } = await this.#fences.read(run.job);
    if (record?.fence === run.fence && record.nomadJob !== "") return record.nomadJob;
    if (record === undefined || record.fence <= run.fence) return "";
    await this.#watch.sync();
    return find() ?? "";
  }

  /** Ends a Nomad job and destroys the run's variable. */
  async #end(id: string): Promise<void> {
    await this.#jobs.deregister(id);
    this.#state.stopped(id);
    await this.#jobs.removeVariable(id);
  }

  /** Reads the allocations of one Nomad job. */
  async #look(id: string): Promise<void> {
    this.#looked.set(id, this.#options.clock.elapsedMs());
    const { job, allocations, index } = await this.#jobs.look(id);
    if (job !== undefined) this.#tell(this.#state.putJob(job, true));
    this.#tell(this.#state.setAllocations(allocations, index, id));
  }

  /** Whether an allocation was placed for a run and is not given up; undefined: Nomad does not answer and it is not known. */
  async #isPlaced(run: RunKey, handle: string): Promise<boolean | undefined> {
    try {
      const id = await this.#nomadJob(run);
      if (id === "") return false;
      if (this.#state.allocation(handle)?.JobID !== id) await this.#look(id);
      const allocation = this.#state.allocation(handle);
      return allocation?.JobID === id && phaseOf(allocation) !== "exited" && allocation.DesiredStatus === "run";
    } catch (thrown) {
      if (toAppError(thrown).retry === "backoff") return undefined;
      throw thrown;
    }
  }

  /** Said once: what does not fit then waits in Nomad. */
  #cannotPlan(reason: string): void {
    if (this.#toldNoPlans) return;
    this.#toldNoPlans = true;
    this.#options.logger.warn("runs are registered without a look at whether they fit now", { reason });
  }

  #isAllPlaced(id: string): boolean {
    return this.#state.allocations(id).length >= (this.#state.run(id)?.workers ?? Number.POSITIVE_INFINITY);
  }

  /** Kills what a Nomad job still runs. Nomad itself waits for the kill timeout of the job. */
  async #kill(id: string): Promise<void> {
    const allEnded = this.#isAllPlaced(id) && this.#state.allocations(id).every((row) => phaseOf(row) === "exited");
    if (allEnded && this.#watch.link === "live") return;
    await this.#look(id);
    const alive = this.#state.allocations(id).filter(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending");
    await Promise.all(
      alive.map(({ ID }) => this.#jobs.kill(ID, WORKER_NAME).catch((thrown: unknown) => this.#notKilled(ID, toAppError(thrown)))),
    );
  }

  #notKilled(allocation: string, error: AppError): void {
    // It may have ended a moment ago; otherwise Nomad kills it when its time is up.
    this.#options.logger.debug("an allocation was not killed at once", { allocation, error });
  }

  /** A stop by another controller may have come between: it has the last word. */
  async #undoIfOver(spec: RunSpec, id: string): Promise<void> {
    const { record } = await this.#fences.read(spec.job);
    if (record === undefined || record.fence < spec.fence || (record.fence === spec.fence && !record.stopped)) return;
    await this.#end(id);
    throw fenced(spec);
  }
}

/** What a verifier of Nomad's identities needs: see identity.ts. */
export interface IdentityParts {
  readonly namespace: string;
  readonly fetchKeys: () => Promise<unknown>;
  readonly isJobOf: (run: RunKey, jobId: string) => boolean;
  readonly placed: (run: RunKey, handle: string) => Promise<boolean | undefined>;
}

function messageOf(thrown: unknown): string {
  return toAppError(thrown).message;
}

function keyOf({ job, run, fence }: RunKey): RunKey {
  return { job, run, fence };
}

/** Whether the run is new to the record; throws if it is over or was started with another specification. */
function checkFence(record: FenceRecord | undefined, spec: RunSpec, hash: string): boolean {
  if (record === undefined || record.fence < spec.fence) return true;
  if (record.fence > spec.fence || record.stopped) throw fenced(spec);
  if (record.hash === hash) return false;
  throw internalError("already-exists", `run ${spec.run} of job ${spec.job} was started with another specification`);
}

function fenced(spec: RunKey): AppError {
  return externalError("fenced", `run ${spec.run} of job ${spec.job} has been superseded or stopped`, { retry: "never" });
}

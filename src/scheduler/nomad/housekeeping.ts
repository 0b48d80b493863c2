/**
 * What has to be tidied in Nomad, little by little after each complete look: runs that are over and still have a job there, old runs that Nomad
 * need not remember, variables of runs that are gone, records of jobs that nobody has asked for in a week, controllers that have moved.
 */
import type { Clock } from "../../core/clock.ts";
import { toAppError } from "../../core/errors.ts";
import type { JobId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { nomadTimeMs } from "./answers.ts";
import type { ClusterState, KnownRun } from "./cluster-state.ts";
import type { FenceRecords } from "./fence-record.ts";
import type { NomadJobs } from "./jobs.ts";
import { phaseOf } from "./worker-view.ts";

/** What housekeeping works with. */
export interface HousekeepingOptions {
  readonly state: ClusterState;
  readonly jobs: NomadJobs;
  readonly fences: FenceRecords;
  readonly runsToKeep: number;
  /** Where controllers are until somebody leads. */
  readonly controllers: readonly string[];
  readonly clock: Clock;
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** Requests are spread: at most one per so many milliseconds, whatever there is to do. */
const PACE_MS = 250;
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;
const PRUNE_MS = 60 * 60 * 1000;

/** Addresses that mean every interface: nobody finds a controller there. */
const EVERYWHERE = /^(?:0\.0\.0\.0|\[?::\]?):\d+$/;

/** See the file's comment. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #busy = false;
  /** Runs whose record and controllers were compared, by Nomad job. */
  readonly #checked = new Set<string>();
  #controllers: readonly string[];
  #prunedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#controllers = options.controllers;
  }

  /** A run that was started a moment ago, of which Nomad has been told everything. */
  started(nomadJob: string): void {
    this.#checked.add(nomadJob);
  }

  /** Somebody else leads: workers of all live runs are told. */
  controllersAre(endpoints: readonly string[]): void {
    this.#controllers = endpoints.filter((endpoint) => !EVERYWHERE.test(endpoint));
    this.#checked.clear();
  }

  /** Does what there is to do, unless it is being done. Never throws. */
  nudge(over: AbortSignal | undefined): void {
    if (this.#busy || over === undefined || over.aborted) return;
    this.#busy = true;
    this.#tidy(over)
      .catch((error: unknown) => this.#options.logger.warn("Nomad could not be tidied", { error: toAppError(error) }))
      .finally(() => {
        this.#busy = false;
      });
  }

  async #tidy(over: AbortSignal): Promise<void> {
    const { state, clock } = this.#options;
    const runs = state.runs;
    const known = new Set(runs.map(({ id }) => id));
    for (const id of this.#checked) if (!known.has(id)) this.#checked.delete(id);
    const purgeable = this.#purgeable(runs);
    for (const run of runs) {
      if (over.aborted) return;
      const did = purgeable.has(run.id) ? await this.#purge(run) : !isOver(run) && (await this.#check(run));
      if (did) await clock.sleep(PACE_MS, over);
    }
    if (clock.elapsedMs() - this.#prunedAtMs > PRUNE_MS && !over.aborted) {
      this.#prunedAtMs = clock.elapsedMs();
      await this.#prune(new Set(runs.map(({ key }) => key.job)), over);
    }
  }

  /** Runs that are over in every respect, beyond those that are kept of each job. */
  #purgeable(runs: readonly KnownRun[]): ReadonlySet<string> {
    const { state, runsToKeep } = this.#options;
    const ended = new Map<JobId, KnownRun[]>();
    for (const run of runs) {
      if (!isOver(run) || state.allocations(run.id).some((row) => phaseOf(row) !== "exited")) continue;
      ended.set(run.key.job, [...(ended.get(run.key.job) ?? []), run]);
    }
    const old = [...ended.values()].flatMap((of) => of.sort((a, b) => (a.key.fence > b.key.fence ? -1 : 1)).slice(runsToKeep));
    return new Set(old.map(({ id }) => id));
  }

  async #purge({ id }: KnownRun): Promise<boolean> {
    const { jobs, state } = this.#options;
    await jobs.removeVariable(id);
    await jobs.deregister(id, true);
    state.dropJob(id);
    return true;
  }

  /** A live run, once: ended if its record says that it is over; its workers are told where controllers are now. */
  async #check({ id, key }: KnownRun): Promise<boolean> {
    if (this.#checked.has(id)) return false;
    const { fences, jobs, logger } = this.#options;
    const { record } = await fences.read(key.job);
    if (record !== undefined && record.fence === key.fence && record.stopped) {
      logger.info("ending a run in Nomad that was stopped", { job: key.job, run: key.run, nomadJob: id });
      await jobs.deregister(id);
      await jobs.removeVariable(id);
    } else if (this.#controllers.length > 0) await jobs.writeControllers(id, this.#controllers);
    this.#checked.add(id);
    return true;
  }

  /** Records of jobs of which Nomad has no run any more, a week after their last change. */
  async #prune(alive: ReadonlySet<JobId>, over: AbortSignal): Promise<void> {
    const { fences, clock, nowMs } = this.#options;
    for (const { job, modifiedNs } of await fences.list()) {
      if (over.aborted) return;
      if (alive.has(job) || nowMs() - nomadTimeMs(modifiedNs) < WEEK_MS) continue;
      await fences.remove(job);
      await clock.sleep(PACE_MS, over);
    }
  }
}

function isOver({ stopped, status }: KnownRun): boolean {
  return stopped || status === "dead";
}

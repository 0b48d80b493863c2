/**
 * Takes metrics of runs that are over out of the Pushgateway, where they would stay for ever: also of workers that died, and of runs that ended
 * under an earlier leader. What is there is listed only when a run has ended, at the beginning of a term and now and then, because the list
 * holds all metrics. The decision is pure; nothing here fails or delays a job.
 */
import { toAppError } from "../core/errors.ts";
import type { Job } from "../job/job.ts";
import { type PushedGroup, type PushGroup, Pushgateway } from "../rpc/pushgateway.ts";
import type { LeaderContext } from "./context.ts";

const TURN_MS = 2_000;
/** Without a reason the list is looked through so often, for what others left. */
const LOOK_MS = 10 * 60_000;
const CALL_TIMEOUT_MS = 10_000;
const TELL_MS = 60_000;
/** Groups of jobs that this Wadi does not know may be another's: they go when nobody has pushed for so long, seconds. */
const FOREIGN_S = 15 * 60;

/** Runs of `job` whose workers may push: the newest, the prepared one, and what is left of earlier ones. */
export function pushingRuns({ id, run, context }: Job): readonly string[] {
  const { live, prepared, leftovers } = context;
  const fences = [live ? run?.fence : undefined, prepared?.run.fence, ...leftovers.map((leftover) => leftover.run.fence)];
  return fences.flatMap((fence) => (fence === undefined ? [] : [runKey(id, String(fence))]));
}

/** Which runs are over, and since when: learned from jobs as they are now and then. Pure. */
export class RunEnds {
  readonly #mayPush: boolean;
  readonly #known = new Set<string>();
  /** Highest fence of each job that was looked at: a run may begin and end between two looks. Undefined: before the first look. */
  #newest: Map<string, number> | undefined;
  #pushing: ReadonlySet<string> = new Set();
  /** By run: since when it is seen to be over, elapsed milliseconds. Of runs before the first look only those that have groups. */
  readonly #over = new Map<string, number>();

  /** `mayPush`: false where pushing has been turned off: then no run's group has a place there. */
  constructor(mayPush = true) {
    this.#mayPush = mayPush;
  }

  /** Looks at all jobs. What ended before the first look has groups or it has not: that is found by `groupsToRemove`. */
  look(jobs: readonly Job[], nowMs: number): void {
    const pushing = new Set(this.#mayPush ? jobs.flatMap(pushingRuns) : []);
    const first = this.#newest === undefined;
    this.#newest ??= new Map();
    const gone = [...this.#pushing];
    for (const { id, run, context } of jobs) {
      this.#known.add(id);
      const newest = Math.max(run?.fence ?? 0, context.lastFence);
      for (let fence = first ? newest : (this.#newest.get(id) ?? 0); fence < newest; fence++) gone.push(runKey(id, String(fence + 1)));
      this.#newest.set(id, newest);
    }
    for (const key of gone) if (!pushing.has(key) && !this.#over.has(key)) this.#over.set(key, nowMs);
    for (const key of pushing) this.#over.delete(key);
    this.#pushing = pushing;
  }

  /** Whether something is over for `lingerMs`. */
  due(nowMs: number, lingerMs: number): boolean {
    return [...this.#over.values()].some((sinceMs) => nowMs - sinceMs >= lingerMs);
  }

  /** Which of `groups` go now: of runs that have been over for `lingerMs`, so that they were scraped; of unknown jobs those left alone long ago. */
  groupsToRemove(groups: readonly PushedGroup[], nowMs: number, lingerMs: number): readonly PushGroup[] {
    const newestS = Math.max(0, ...groups.map(({ pushedAtS }) => pushedAtS));
    return groups.flatMap(({ group, pushedAtS }) => {
      if (!this.#known.has(group.job)) return newestS - pushedAtS > FOREIGN_S ? [group] : [];
      const key = runKey(group.job, group.run);
      if (this.#pushing.has(key)) return [];
      const sinceMs = this.#over.get(key) ?? nowMs;
      this.#over.set(key, sinceMs);
      return nowMs - sinceMs >= lingerMs ? [group] : [];
    });
  }

  /** What was over for `lingerMs` has been taken away. */
  removed(nowMs: number, lingerMs: number): void {
    for (const [key, sinceMs] of this.#over) if (nowMs - sinceMs >= lingerMs) this.#over.delete(key);
  }
}

/** See the file's comment. One per term. */
export class PushedGroups {
  readonly #context: LeaderContext;
  readonly #jobs: () => readonly Job[];
  readonly #ends: RunEnds;
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #toldMs = Number.NEGATIVE_INFINITY;

  /** `jobs`: all jobs as they are now. */
  constructor(context: LeaderContext, jobs: () => readonly Job[]) {
    this.#context = context;
    this.#jobs = jobs;
    this.#ends = new RunEnds(context.settings["metrics.push"]);
  }

  /** Works until `over` is aborted; does nothing where no Pushgateway is known. Never throws. */
  async run(over: AbortSignal): Promise<void> {
    const { clock, settings, logger } = this.#context;
    const url = settings["metrics.pushgateway"];
    if (url === undefined) return;
    let gateway: Pushgateway;
    try {
      gateway = new Pushgateway(url, CALL_TIMEOUT_MS);
    } catch (error) {
      return logger.error("metrics of workers are not pushed", { error: toAppError(error) });
    }
    while (!over.aborted) {
      try {
        await this.turn(gateway);
      } catch (thrown) {
        this.#tell(thrown);
      }
      await clock.sleep(TURN_MS, over);
    }
  }

  /** One turn. Throws what the Pushgateway's calls throw; what was not done is done by a later turn. */
  async turn(gateway: Pushgateway): Promise<void> {
    const { clock, settings, term } = this.#context;
    const nowMs = clock.elapsedMs();
    const lingerMs = settings["metrics.push-linger"];
    this.#ends.look(this.#jobs(), nowMs);
    if (!this.#ends.due(nowMs, lingerMs) && nowMs < this.#lookAtMs) return;
    const groups = await gateway.groups();
    this.#lookAtMs = nowMs + LOOK_MS;
    this.#ends.look(this.#jobs(), nowMs);
    for (const group of this.#ends.groupsToRemove(groups, nowMs, lingerMs)) {
      // A term that ended meanwhile does not know which runs there are.
      if (!term.valid) return;
      await gateway.remove(group);
    }
    this.#ends.removed(nowMs, lingerMs);
  }

  #tell(thrown: unknown): void {
    const { clock, logger } = this.#context;
    const nowMs = clock.elapsedMs();
    if (nowMs - this.#toldMs < TELL_MS) return;
    this.#toldMs = nowMs;
    logger.warn("metrics of ended runs could not be taken out of the Pushgateway; they are tried again", { error: toAppError(thrown) });
  }
}

function runKey(job: string, run: string): string {
  return `${job}/${run}`;
}

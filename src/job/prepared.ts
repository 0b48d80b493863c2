/**
 * Make before break: the next run's workers come up and wait beside the run that still runs; only then that one takes its last checkpoint, and
 * the job goes on with workers that are there. Where there is no room or no time for it, the run is left first and the next one started then.
 * Runs besides the newest (the prepared one, and leftovers whose workers are still to be stopped) are told apart by their fences.
 */
import type { ErrorRecord } from "../core/errors.ts";
import { rejectBuild } from "./build.ts";
import { leaveRun } from "./ending.ts";
import type { JobEvent } from "./event.ts";
import { type Leftover, nextFence, type PreparedRun, runIdOf, wantedBuild } from "./job.ts";
import { backoff, discardPrepared, type JobDraft, note, remember } from "./job-draft.ts";

/** Less time than this is not worth the attempt. */
const LEAST_MS = 2_000;
/** Of the time until workers are killed so much is kept for the last checkpoint, half of it at most. */
const HANDOVER_MS = 30_000;

/** Why a job moves to another run. */
export interface Move {
  readonly cause: PreparedRun["cause"];
  /** See `PreparedRun`. */
  readonly forced: boolean;
  /** See `PreparedRun`. */
  readonly killedAtMs: number | undefined;
}

/** Moves a job that runs to another run, beside the present one if it can be. Does nothing more if it is under way. */
export function moveRun(draft: JobDraft, { cause, forced, killedAtMs }: Move): void {
  const { job, nowMs, limits } = draft;
  const { prepared } = job.context;
  const build = wantedBuild(job);
  const untilMs = prepareUntilMs(draft, build, killedAtMs);
  if (prepared !== undefined) {
    if (!forced || (prepared.forced && untilMs >= prepared.deadlineAtMs)) return;
    return remember(draft, { prepared: { ...prepared, forced, killedAtMs, deadlineAtMs: Math.min(untilMs, prepared.deadlineAtMs) } });
  }
  if (job.preview || limits.prepareMs === 0 || untilMs - nowMs < LEAST_MS) return leaveRun(draft, cause, "checkpoint");
  const fence = nextFence(job);
  const { parallelism, launchKey, restartNonce } = job.desired;
  const run = { id: runIdOf(job.id, fence), fence };
  const wanted = { parallelism, launchKey, restartNonce, build };
  remember(draft, { prepared: { run, cause, ...wanted, deadlineAtMs: untilMs, forced, killedAtMs }, lastFence: fence, renewed: false });
  note(draft, "run-prepared", "info", `workers of run ${fence} come up beside those of run ${job.run?.fence}`, {
    details: { parallelism },
  });
  openPrepared(draft);
}

/** Another build may have to be fetched, and nothing is lost meanwhile. */
function prepareUntilMs({ job, nowMs, limits }: JobDraft, build: string, killedAtMs: number | undefined): number {
  const sameBuild = build === job.context.build;
  const longest = nowMs + (sameBuild ? limits.prepareMs : Math.max(limits.prepareMs, limits.workerStartupMs));
  if (killedAtMs === undefined) return longest;
  return Math.min(longest, killedAtMs - Math.min(HANDOVER_MS, (killedAtMs - nowMs) / 2));
}

/** Effects that a prepared run needs; all may be repeated. */
export function openPrepared(draft: JobDraft): void {
  const { prepared } = draft.job.context;
  if (prepared === undefined) return;
  const { run, parallelism, build } = prepared;
  draft.effects.push({ kind: "prepare-run", run, parallelism }, { kind: "start-workers", run, parallelism, build });
}

/** Nobody could do anything meanwhile: the prepared run's time begins anew, as far as its job has it. */
export function renewPrepared(draft: JobDraft): void {
  const { prepared } = draft.job.context;
  if (prepared === undefined) return;
  const deadlineAtMs = Math.max(prepared.deadlineAtMs, prepareUntilMs(draft, prepared.build, prepared.killedAtMs));
  remember(draft, { prepared: { ...prepared, deadlineAtMs } });
}

/** What happened to a run besides the newest one. */
export function besides(draft: JobDraft, event: JobEvent & { readonly fence: number }): void {
  const { prepared } = draft.job.context;
  if (prepared?.run.fence === event.fence) preparedHeard(draft, prepared, event);
  else leftoverHeard(draft, event);
}

function preparedHeard(draft: JobDraft, prepared: PreparedRun, event: JobEvent & { readonly fence: number }): void {
  switch (event.kind) {
    case "not-enough-slots":
      return giveUp(draft, prepared, `${event.needed} slots are needed, ${event.available} are free`);
    case "placement-blocked":
      return event.missing === 0 ? undefined : giveUp(draft, prepared, event.reason);
    case "start-failed":
      // A scheduler that is away may be back before the time is over; without it nothing could be moved in the other way either.
      return event.error.retry === "backoff" ? undefined : giveUp(draft, prepared, event.error.message, event.error);
    case "drain":
      return giveUp(draft, prepared, event.reason);
    case "run":
      if (event.report.kind === "prepared") return handOver(draft, prepared);
      if (event.report.kind === "lost" || event.report.kind === "failed") {
        return giveUp(draft, prepared, event.report.error.message, event.report.error);
      }
      return;
    default:
      return;
  }
}

/** All have come up: the run that runs makes way. */
function handOver(draft: JobDraft, { cause }: PreparedRun): void {
  if (draft.job.state === "running") leaveRun(draft, cause, "checkpoint");
}

/** It will not come to anything: the run is left first, unless only a build is to blame that nobody has to have. */
function giveUp(draft: JobDraft, { run, cause, build, forced }: PreparedRun, reason: string, error?: ErrorRecord): void {
  const rejected = error !== undefined && rejectBuild(draft, build, error);
  note(draft, "prepare-failed", "warn", `run ${run.fence} could not come up beside the running one: ${reason}`, { error });
  discardPrepared(draft);
  if (draft.job.state === "running" && (forced || !rejected)) leaveRun(draft, cause, "checkpoint");
}

/** The time is over: the run is left although the next one is not there. Its workers go on coming up. */
export function preparedOverdue(draft: JobDraft, prepared: PreparedRun): void {
  const { run, cause, build, forced } = prepared;
  if (build !== draft.job.context.build && !forced) {
    const message = "its workers have not come up in time";
    return giveUp(draft, prepared, message, { domain: "external", code: "timeout", message, retry: "backoff" });
  }
  note(draft, "prepare-overdue", "warn", `workers of run ${run.fence} have not come up in time: the running one is left first`);
  leaveRun(draft, cause, "checkpoint");
}

function leftoverHeard(draft: JobDraft, event: JobEvent & { readonly fence: number }): void {
  const { leftovers } = draft.job.context;
  if (event.kind === "workers-gone") return remember(draft, { leftovers: leftovers.filter(({ run }) => run.fence !== event.fence) });
  if (event.kind !== "stop-failed") return;
  const later = (leftover: Leftover): Leftover => {
    const attempts = leftover.attempts + 1;
    return { ...leftover, attempts, retryAtMs: draft.nowMs + backoff(draft, attempts) };
  };
  remember(draft, { leftovers: leftovers.map((leftover) => (leftover.run.fence === event.fence ? later(leftover) : leftover)) });
}

/** Stops leftovers' workers again: those whose time has come, or all. */
export function endLeftovers(draft: JobDraft, all: boolean): void {
  const { leftovers } = draft.job.context;
  const due = leftovers.filter(({ retryAtMs }) => all || (retryAtMs !== undefined && retryAtMs <= draft.nowMs));
  if (due.length === 0) return;
  remember(draft, { leftovers: leftovers.map((leftover) => (due.includes(leftover) ? { ...leftover, retryAtMs: undefined } : leftover)) });
  for (const { run } of due) draft.effects.push({ kind: "end-workers", run, mode: { kind: "force" } });
}

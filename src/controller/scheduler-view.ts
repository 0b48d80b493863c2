/**
 * Shows what the scheduler shows: its view every two seconds, what it tells of runs, what was submitted for each, and the last words of failed
 * workers, all as rows. Only what has changed is written, in a bounded number of statements, so that a thousand jobs cost no more than one.
 * Nothing is decided from it; nothing here fails a job.
 */
import { createHash } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import type { NodeRow } from "../db/nodes.ts";
import { deleteOtherNodes, writeNodes } from "../db/nodes.ts";
import {
  endSchedulerRuns,
  replaceServices,
  type SchedulerRunRow,
  type SchedulerStatusRow,
  writeRunSpec,
  writeSchedulerRuns,
  writeSchedulerStatus,
} from "../db/scheduler.ts";
import { insertSchedulerEvents, type SchedulerEventRow } from "../db/scheduler-events.ts";
import type { RunSpec, SchedulerEvent } from "../scheduler/scheduler.ts";
import type { NodeView, RunView, SchedulerView } from "../scheduler/view.ts";
import type { LeaderContext } from "./context.ts";
import { LastWords } from "./last-words.ts";

const LOOK_MS = 2_000;
/** The time of the last look is written at least this often, milliseconds. */
const STATUS_MS = 5_000;
/** Lines that wait for the database at most; older ones are dropped. */
const MOST_EVENTS = 10_000;
/** Runs whose specification waits to be rendered at most. */
const MOST_SPECS = 5_000;
const STATEMENT_ROWS = 1_000;
const PLAN_MS = 10_000;

/** Rows of one table by key, with the text of each as it was last written. */
class Written {
  readonly #texts = new Map<string, string>();
  /** False: what an earlier leader has left in the table is not known. */
  #complete = false;

  /** Of `rows`, those that are new or have changed, and whether rows that are not among them are to go. */
  difference<T>(rows: readonly (readonly [key: string, row: T])[]): { readonly changed: readonly T[]; readonly othersGo: boolean } {
    const changed = rows.filter(([key, row]) => this.#texts.get(key) !== textOf(row)).map(([, row]) => row);
    const keys = new Set(rows.map(([key]) => key));
    return { changed, othersGo: !this.#complete || [...this.#texts.keys()].some((key) => !keys.has(key)) };
  }

  /** They are in the table, and nothing else is. */
  set(rows: readonly (readonly [key: string, row: unknown])[]): void {
    this.#texts.clear();
    for (const [key, row] of rows) this.#texts.set(key, textOf(row));
    this.#complete = true;
  }
}

function textOf(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** See the file's comment. */
export class SchedulerProjection {
  readonly #context: LeaderContext;
  readonly #lastWords: LastWords;
  readonly #runs = new Written();
  readonly #nodes = new Written();
  readonly #services = new Written();
  #status = "";
  #statusAtMs = Number.NEGATIVE_INFINITY;
  #events: SchedulerEventRow[] = [];
  #specs: { readonly spec: RunSpec; readonly accepted: boolean }[] = [];
  /** Fence of the newest run of each job whose specification is kept or about to be. */
  readonly #specFences = new Map<string, bigint>();
  #planning: Promise<void> = Promise.resolve();

  constructor(context: LeaderContext) {
    this.#context = context;
    this.#lastWords = new LastWords(context);
  }

  /** Looks every two seconds until `over` is aborted. Never throws: what was not written is written by a later look. */
  async run(over: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    let failing = false;
    while (!over.aborted) {
      try {
        await this.look();
        failing = false;
      } catch (thrown) {
        if (!failing && !over.aborted) logger.warn("the scheduler's view was not written", { error: toAppError(thrown) });
        failing = true;
      }
      await clock.sleep(LOOK_MS, over);
    }
  }

  /** One look: asks the scheduler for its view and writes what has changed. */
  async look(): Promise<void> {
    if (!this.#context.term.valid) return;
    const view = await this.#context.scheduler.view();
    this.#context.metrics.schedulerUp(view.scheduler, view.link !== "down");
    for (const worker of view.workers) this.#lastWords.seen(worker);
    await this.#writeStatus(view);
    // What is not known of now is shown as it was: an outside system that is away has not lost its machines.
    if (view.syncedAtMs !== undefined && view.link !== "down") await this.#writeLists(view);
    await this.#writeEvents();
    await this.#lastWords.collect();
    void this.#plan();
  }

  /** The scheduler has said something. */
  observed(event: SchedulerEvent): void {
    if (event.kind === "worker") this.#lastWords.seen(event.worker);
    if (event.kind !== "told") return;
    const { run, handle, about, level, message, atMs } = event;
    this.#events.push({ job: run.job, run: run.run, runFence: run.fence, handle, about, level, message, occurredAtMs: atMs });
    if (this.#events.length > MOST_EVENTS) this.#events.splice(0, this.#events.length - MOST_EVENTS);
  }

  /** Workers were asked for with `spec`: what was submitted, or, unless `accepted`, would be if there were room, is kept, once. */
  started(spec: RunSpec, accepted: boolean): void {
    if ((this.#specFences.get(spec.job) ?? 0n) >= spec.fence) return;
    this.#specFences.set(spec.job, spec.fence);
    this.#specs.push({ spec, accepted });
    if (this.#specs.length > MOST_SPECS) this.#specs.shift();
    void this.#plan();
  }

  async #writeStatus(view: SchedulerView): Promise<void> {
    const { db, term, clock } = this.#context;
    const { scheduler, link, trouble, version, place, syncedAtMs } = view;
    const row: SchedulerStatusRow = { scheduler, link, trouble, version, place, syncedAtMs };
    const text = textOf({ ...row, syncedAtMs: undefined });
    if (text === this.#status && clock.elapsedMs() - this.#statusAtMs < STATUS_MS) return;
    await writeSchedulerStatus(db, term.epoch, row);
    this.#status = text;
    this.#statusAtMs = clock.elapsedMs();
  }

  async #writeLists(view: SchedulerView): Promise<void> {
    const { db, term } = this.#context;
    const runs = view.runs.map((run) => [`${run.job} ${run.fence}`, runRow(run)] as const);
    const newRuns = this.#runs.difference(runs);
    for (const rows of pieces(newRuns.changed)) await writeSchedulerRuns(db, term.epoch, rows);
    if (newRuns.othersGo)
      await endSchedulerRuns(
        db,
        term.epoch,
        runs.map(([, run]) => run),
      );
    this.#runs.set(runs);

    const nodes = view.nodes.map((node) => [node.id, nodeRow(node)] as const);
    const newNodes = this.#nodes.difference(nodes);
    for (const rows of pieces(newNodes.changed)) await writeNodes(db, term.epoch, view.scheduler, rows);
    if (newNodes.othersGo)
      await deleteOtherNodes(
        db,
        term.epoch,
        nodes.map(([id]) => id),
      );
    this.#nodes.set(nodes);

    const services = view.services.map((service) => [service.name, service] as const);
    const newServices = this.#services.difference(services);
    if (newServices.changed.length > 0 || newServices.othersGo) await replaceServices(db, term.epoch, view.services);
    this.#services.set(services);
  }

  async #writeEvents(): Promise<void> {
    const { db, term } = this.#context;
    const events = this.#events.splice(0);
    for (let at = 0; at < events.length; at += STATEMENT_ROWS) {
      try {
        await insertSchedulerEvents(db, term.epoch, events.slice(at, at + STATEMENT_ROWS));
      } catch (error) {
        // Put back only if the database is away: what it refuses it will refuse again.
        if (toAppError(error).domain === "external") this.#events.unshift(...events.slice(at));
        throw error;
      }
    }
  }

  /** Renders what was submitted, one run after the other. */
  #plan(): Promise<void> {
    this.#planning = this.#planning.then(async () => {
      while (this.#specs.length > 0 && this.#context.term.valid) {
        const asked = this.#specs.shift();
        if (asked !== undefined) await this.#keepSpec(asked.spec, asked.accepted);
      }
    });
    return this.#planning;
  }

  async #keepSpec(spec: RunSpec, accepted: boolean): Promise<void> {
    const { db, term, scheduler, logger, clock } = this.#context;
    const planned = new AbortController();
    try {
      const limit = clock.sleep(PLAN_MS, AbortSignal.any([planned.signal, term.signal])).then(() => undefined);
      const asked = accepted ? scheduler.submitted?.(spec) : undefined;
      const plan = await Promise.race([asked ?? scheduler.plan(spec), limit]);
      if (plan === undefined) return;
      await writeRunSpec(db, term.epoch, {
        job: spec.job,
        run: spec.run,
        runFence: spec.fence,
        text: plan.text,
        format: plan.format,
        hash: createHash("sha256").update(plan.text).digest("hex"),
        warnings: plan.warnings,
        workers: plan.workers,
        missing: plan.missing ?? 0,
        reason: plan.reason,
        cpuMillisPerSlot: spec.resources.cpuMillis,
        memoryBytesPerSlot: spec.resources.memoryBytes,
      });
    } catch (thrown) {
      this.#specFences.delete(spec.job);
      logger.debug("what was submitted could not be kept", { job: spec.job, run: spec.run, error: toAppError(thrown) });
    } finally {
      planned.abort();
    }
  }
}

function pieces<T>(rows: readonly T[]): readonly (readonly T[])[] {
  const all: T[][] = [];
  for (let at = 0; at < rows.length; at += STATEMENT_ROWS) all.push(rows.slice(at, at + STATEMENT_ROWS));
  return all;
}

function runRow(run: RunView): SchedulerRunRow {
  const { name, workers, missing, reason, waitingSinceMs, status, submittedAtMs, link } = run;
  return { job: run.job, run: run.run, runFence: run.fence, name, workers, missing, reason, waitingSinceMs, status, submittedAtMs, link };
}

function nodeRow(node: NodeView): NodeRow {
  const { id, name, address, pool, zone, state, drainDeadlineMs, cpu, memory, slots, release, attributes, link } = node;
  return { id, name, address, pool, zone, state, drainDeadlineMs, cpu, memory, slots, release, attributes, link };
}

/**
 * Keeps the state of Nomad up to date with few requests. Complete lists are the truth: at the start, every resync interval, whenever the event
 * stream was interrupted. The one event stream between them is early news: it may repeat itself, skip (its buffer has 100 entries) and end at
 * any time, and newer Nomads say "200 OK" before they refuse it. Where it is refused three times, blocking queries take its place.
 */
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import { backoffDelayMs } from "../../core/retry.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { SchedulerEvent } from "../scheduler.ts";
import type { SchedulerLink } from "../view.ts";
import { readAllocation, readEvaluation, readJob, readNode } from "./answers.ts";
import type { NomadClient } from "./client.ts";
import type { ClusterState } from "./cluster-state.ts";
import { JOB_PREFIX } from "./spec.ts";

/** What the watch works with. */
export interface NomadWatchOptions {
  readonly client: NomadClient;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly resyncMs: number;
  readonly tell: (events: readonly SchedulerEvent[]) => void;
  /** After every complete look. */
  readonly onSynced: () => void;
}

/** Nomad sends a line at once and then every 30 s. */
const FIRST_LINE_MS = 5_000;
const SILENCE_MS = 75_000;
const REFUSALS = 3;
/** So long blocking queries serve before the stream is tried again. */
const POLLING_MS = 60_000;
/** Between two complete looks when something changes all the time. */
const POLL_PAUSE_MS = 1_000;
/** Also of the look whether Nomad is back: jobs wait for it. */
const BACKOFF = { attempts: Number.POSITIVE_INFINITY, initialMs: 250, maxMs: 2_000 };

/** See the file's comment. */
export class NomadWatch {
  readonly #options: NomadWatchOptions;
  #link: SchedulerLink = "down";
  #trouble = "not connected yet";
  #syncedAtMs: number | undefined;
  #syncing: Promise<void> | undefined;
  #allocationsIndex = 0;
  /** Whether the token may read nodes. */
  #nodes = true;
  #refusals = 0;
  #runs = 0;
  /** Lines that came before the first complete look: only with it can old news be told from new. */
  #early: string[] = [];

  constructor(options: NomadWatchOptions) {
    this.#options = options;
  }

  /** How well Nomad is seen. */
  get link(): SchedulerLink {
    return this.#link;
  }

  /** Why not better; empty: all is well. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Wall time of the last complete look. */
  get syncedAtMs(): number | undefined {
    return this.#syncedAtMs;
  }

  /** Watches until `over` is aborted. Never throws. */
  async run(over: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    this.#runs += 1;
    const run = this.#runs;
    let failures = 0;
    while (!over.aborted) {
      const startedMs = clock.elapsedMs();
      try {
        if (this.#refusals >= REFUSALS) await this.#poll(over);
        else await this.#follow(over);
      } catch (thrown) {
        if (over.aborted) break;
        const error = toAppError(thrown);
        if (this.#trouble !== error.message) logger.warn("Nomad's events are not there", { error });
        this.#trouble = error.message;
        await this.#lookWithoutEvents(error, over);
      }
      failures = clock.elapsedMs() - startedMs > SILENCE_MS ? 1 : failures + 1;
      if (!over.aborted) await clock.sleep(backoffDelayMs(failures, BACKOFF, random), over);
    }
    // Another run may have begun before this one noticed its end.
    if (run !== this.#runs) return;
    this.#link = "down";
    this.#trouble = "not watched";
  }

  /** A complete look; calls at the same time share one. Throws what Nomad refuses. */
  sync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  /** The stream could not be followed: what can be seen without it? */
  async #lookWithoutEvents(cause: AppError, over: AbortSignal): Promise<void> {
    try {
      await this.sync();
      if (!over.aborted) this.#connected("polling", cause.message);
    } catch (thrown) {
      if (over.aborted) return;
      const error = toAppError(thrown);
      this.#link = "down";
      this.#trouble = error.message;
      // Refused or away: as long as nothing answers, it says nothing about the stream.
      this.#refusals = 0;
    }
  }

  #connected(link: SchedulerLink, trouble: string): void {
    this.#link = link;
    this.#trouble = trouble;
    this.#options.tell([{ kind: "resync" }]);
  }

  /** Follows the stream until it ends; throws why. */
  async #follow(over: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const end = new AbortController();
    const signal = AbortSignal.any([over, end.signal]);
    let lineAtMs = clock.elapsedMs();
    let limitMs = FIRST_LINE_MS;
    const watchdog = async (): Promise<void> => {
      while (!signal.aborted && clock.elapsedMs() - lineAtMs < limitMs) {
        await clock.sleep(Math.max(1, limitMs - (clock.elapsedMs() - lineAtMs)), signal);
      }
      end.abort();
    };
    this.#refusals += 1;
    try {
      const bytes = await client.stream(
        { path: `/v1/event/stream?${this.#topics()}`, query: { index: this.#allocationsIndex }, lenient: true },
        signal,
      );
      const watched = watchdog();
      for await (const line of linesOf(bytes)) {
        lineAtMs = clock.elapsedMs();
        if (this.#syncedAtMs !== undefined) this.#syncedAtMs = Number(clock.nowNs() / NS_PER_MS);
        if (limitMs === FIRST_LINE_MS) {
          limitMs = SILENCE_MS;
          this.#refusals = 0;
          void this.#keepInStep(signal, end);
        }
        this.#applyLine(line);
      }
      end.abort();
      await watched;
    } finally {
      end.abort();
    }
    if (over.aborted) return;
    const refused = limitMs === FIRST_LINE_MS;
    throw externalError(
      "connection-lost",
      refused ? "Nomad ended its event stream at once: is the token allowed to follow it?" : "Nomad's event stream ended",
    );
  }

  /** The stream is there: a complete look now and every interval, until it ends. A look that fails ends it. */
  async #keepInStep(signal: AbortSignal, end: AbortController): Promise<void> {
    const { clock, resyncMs, logger } = this.#options;
    try {
      await this.sync();
      if (!signal.aborted) this.#connected("live", "");
      while (!signal.aborted) {
        await clock.sleep(resyncMs, signal);
        if (!signal.aborted) await this.sync();
      }
    } catch (thrown) {
      if (!signal.aborted) logger.warn("Nomad could not be looked at", { error: toAppError(thrown) });
      end.abort();
    }
  }

  /** Blocking queries instead of events, for a while. */
  async #poll(over: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const untilMs = clock.elapsedMs() + POLLING_MS;
    while (!over.aborted && clock.elapsedMs() < untilMs) {
      const call = { path: "/v1/allocations", query: { per_page: 1, task_states: false }, signal: over };
      const answer = await client.blocking(call, this.#allocationsIndex);
      if (answer.index < this.#allocationsIndex) this.#allocationsIndex = 0;
      await this.sync();
      await clock.sleep(POLL_PAUSE_MS, over);
    }
    this.#refusals = 0;
  }

  async #sync(): Promise<void> {
    const { client, state, clock, tell, onSynced } = this.#options;
    // A list is never older than what was known when it was asked for, unless Nomad's state was restored.
    const atLeast = Math.max(this.#allocationsIndex, state.newestAllocation);
    const [jobs, allocations, evaluations, nodes] = await Promise.all([
      client.list({ path: "/v1/jobs", query: { prefix: JOB_PREFIX, meta: true } }),
      client.list({ path: "/v1/allocations", query: { filter: `JobID matches "^${JOB_PREFIX}"` } }),
      client.list({ path: "/v1/evaluations", query: { filter: 'Status == "blocked" or Status == "failed"' } }),
      this.#listNodes(),
    ]);
    if (allocations.index < atLeast) state.forgetIndexes();
    this.#allocationsIndex = allocations.index;
    const first = this.#syncedAtMs === undefined;
    const events = [
      ...state.setJobs(jobs.rows.map(readJob), jobs.index),
      ...state.setAllocations(allocations.rows.map(readAllocation), allocations.index),
      ...state.setEvaluations(evaluations.rows.map(readEvaluation)),
      ...(nodes === undefined ? [] : state.setNodes(nodes.rows.map(readNode), nodes.index)),
    ];
    for (const id of state.drainsWithoutDeadline()) {
      const { body } = await client.call({ path: `/v1/node/${id}`, accept: [404] });
      if (typeof body === "object") events.push(...state.putNode(readNode(body)));
    }
    this.#syncedAtMs = Number(clock.nowNs() / NS_PER_MS);
    if (first) events.push(...state.settle(allocations.index));
    tell(events);
    for (const line of this.#early.splice(0)) this.#applyLine(line);
    onSynced();
  }

  /** Nodes; undefined: the token may not see them. */
  async #listNodes() {
    if (!this.#nodes) return undefined;
    try {
      return await this.#options.client.list({ path: "/v1/nodes", query: { resources: true } });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code !== "permission-denied" || this.#syncedAtMs !== undefined) throw error;
      this.#nodes = false;
      this.#options.logger.warn("nodes are not visible, so that drains are not noticed", { error });
      return undefined;
    }
  }

  #topics(): string {
    return ["Job", "Allocation", "Evaluation", ...(this.#nodes ? ["Node"] : [])].map((topic) => `topic=${topic}`).join("&");
  }

  #applyLine(line: string): void {
    if (this.#syncedAtMs === undefined) return void this.#early.push(line);
    const { state, tell, logger } = this.#options;
    const { Events: events = [] } = JSON.parse(line) as { readonly Events?: readonly StreamEvent[] | null };
    for (const event of events ?? []) {
      try {
        const { Allocation, Evaluation, Job, Node } = event.Payload ?? {};
        if (Allocation !== undefined) tell(state.putAllocation(readAllocation(Allocation)));
        if (Evaluation !== undefined) tell(state.putEvaluation(readEvaluation(Evaluation)));
        if (Job !== undefined && event.Topic === "Job") tell(state.putJob(readJob(Job)));
        if (Node !== undefined && event.Topic === "Node") tell(state.putNode(readNode(Node)));
      } catch (thrown) {
        logger.warn("an event of Nomad is not understood", { topic: event.Topic, type: event.Type, error: toAppError(thrown) });
      }
    }
  }
}

interface StreamEvent {
  readonly Topic?: string;
  readonly Type?: string;
  readonly Payload?: {
    readonly Allocation?: unknown;
    readonly Evaluation?: unknown;
    readonly Job?: unknown;
    readonly Node?: unknown;
  } | null;
}

/** Lines of a stream of bytes, without empty ones. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield part;
  }
}

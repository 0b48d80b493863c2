/**
 * Plans queries and reads functions in threads, each within a limit of time and memory: what overruns it is refused in words, and its thread is
 * replaced. Requests beyond the number of threads wait for their turn.
 */
import type { Worker } from "node:worker_threads";
import type { Clock } from "../core/clock.ts";
import { type AppError, fromErrorRecord, internalError, toAppError } from "../core/errors.ts";
import { startThreadFile } from "../core/thread-file.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";
import type { ParsedUdfs } from "../sql/udf/definition.ts";
import { unavailable } from "./http-error.ts";
import type { PlannerData, PlannerReply, PlannerRequest } from "./planner-thread.ts";
import type { PlannedQuery, QueryRequest, RefusedQuery } from "./query-planner.ts";

/** Two, so that one slow script does not hold up everybody. */
const THREADS = 2;
/** Of one request, milliseconds. */
const TIME_LIMIT_MS = 30_000;
const MEMORY_LIMIT_MB = 768;
/** Requests that wait at most; more are refused. */
const WAITING_MAX = 64;

/** What became of a request: an answer, or why there is none. */
type Outcome = Exclude<PlannerReply, { kind: "ask" }> | { readonly kind: "given-up"; readonly reason: string };

/** Answers a thread's questions. */
type Lookup = Pick<QueryRequest, "findTables" | "findUdfs">;

/** A request whose turn has not come. */
interface Waiting {
  readonly turn: () => void;
}

/** Planner threads. They start with the first request and do not keep the process alive between requests. */
export class PlannerPool {
  readonly #data: PlannerData;
  readonly #clock: Clock;
  readonly #timeLimitMs: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: Waiting[] = [];
  #busy = 0;
  #isClosed = false;

  constructor(data: PlannerData, clock: Clock, timeLimitMs: number = TIME_LIMIT_MS) {
    this.#data = data;
    this.#clock = clock;
    this.#timeLimitMs = timeLimitMs;
  }

  /** Starts a thread, so that the first request finds it. */
  warmUp(): void {
    this.#idle.push(this.#start());
  }

  /** Plans a script; what overruns the limits is a finding. Throws what the lookups throw, and 503 if too many requests wait. */
  async plan({ sql, udfs, ...lookup }: QueryRequest): Promise<PlannedQuery | RefusedQuery> {
    const outcome = await this.#run({ kind: "plan", sql, udfs }, lookup);
    if (outcome.kind === "planned") return outcome.result;
    return { ok: false, diagnostics: [givenUp("planning the script", outcome)] };
  }

  /** What is wrong with a table's definition; nothing if a script may use it. */
  async checkTable(createSql: string): Promise<readonly Diagnostic[]> {
    const outcome = await this.#run({ kind: "table", createSql });
    return outcome.kind === "checked" ? outcome.diagnostics : [givenUp("checking the table", outcome)];
  }

  /** Reads the functions of a text. */
  async parseUdfs(text: string): Promise<ParsedUdfs> {
    const outcome = await this.#run({ kind: "udf", text });
    if (outcome.kind === "parsed") return outcome.udfs;
    const { message } = givenUp("checking the definition", outcome);
    return { definitions: [], problems: [{ message, start: 0, end: 0, line: 1, column: 1 }] };
  }

  /** Ends all threads, whatever they do. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.turn();
    await Promise.all([...this.#all].map((thread) => thread.terminate()));
  }

  async #run(request: PlannerRequest, lookup?: Lookup): Promise<Outcome> {
    await this.#turn();
    try {
      if (this.#isClosed) throw unavailable("the API is stopping");
      const thread = this.#idle.pop() ?? this.#start();
      const outcome = await this.#converse(thread, request, lookup);
      if (outcome.kind === "defect") throw fromErrorRecord(outcome.error);
      return outcome;
    } finally {
      this.#busy--;
      this.#waiting.shift()?.turn();
    }
  }

  async #turn(): Promise<void> {
    if (this.#busy >= THREADS) {
      if (this.#waiting.length >= WAITING_MAX) throw unavailable("too many queries are being planned", "Try again in a few seconds.");
      await new Promise<void>((turn) => {
        this.#waiting.push({ turn });
      });
    }
    this.#busy++;
  }

  /** Sends `request` and answers what the thread asks, until it answers, ends or overruns its time. */
  async #converse(thread: Worker, request: PlannerRequest, lookup: Lookup | undefined): Promise<Outcome> {
    thread.ref();
    const inbox = new Inbox(thread);
    const limit = new AbortController();
    const late = this.#clock
      .sleep(this.#timeLimitMs, limit.signal)
      .then((): Outcome => ({ kind: "given-up", reason: `takes longer than ${this.#timeLimitMs / 1_000} s` }));
    let lookupError: AppError | undefined;
    thread.postMessage(request);
    try {
      for (;;) {
        const message = await Promise.race([inbox.next(), late]);
        if (message.kind === "given-up") return message;
        if (message.kind !== "ask") {
          if (lookupError !== undefined) throw lookupError;
          return message;
        }
        const found = await find(message, lookup).catch((error: unknown) => {
          lookupError = toAppError(error);
          return [];
        });
        thread.postMessage({ kind: "found", found } satisfies PlannerRequest);
      }
    } finally {
      limit.abort();
      inbox.close();
      this.#release(thread, inbox.answered);
    }
  }

  /** Keeps a thread that has answered; another is ended. */
  #release(thread: Worker, answered: boolean): void {
    thread.unref();
    if (answered && !this.#isClosed) {
      this.#idle.push(thread);
      return;
    }
    this.#all.delete(thread);
    thread.terminate().catch(() => undefined);
  }

  #start(): Worker {
    const thread = startThreadFile("planner-thread", import.meta.url, {
      workerData: this.#data,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MB },
    });
    this.#all.add(thread);
    thread.unref();
    // An idle thread that ends is simply not there any more; `Inbox` hears of one at work.
    thread.on("error", () => undefined);
    thread.once("exit", () => {
      this.#all.delete(thread);
      const at = this.#idle.indexOf(thread);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    return thread;
  }
}

async function find(question: Extract<PlannerReply, { kind: "ask" }>, lookup: Lookup | undefined) {
  if (lookup === undefined) throw internalError("invariant", "the planner asked about names while none were at stake");
  return question.what === "tables" ? lookup.findTables(question.names) : lookup.findUdfs(question.names);
}

function givenUp(what: string, outcome: Outcome): Diagnostic {
  if (outcome.kind !== "given-up") throw internalError("invariant", `the planner answered with "${outcome.kind}"`);
  return {
    severity: "error",
    code: "limit-exceeded",
    message: `${what} ${outcome.reason}`,
    hint: "Split it: fewer statements, shorter expressions, fewer views built on views.",
  };
}

/** Messages of a thread in order, and its end. */
class Inbox {
  readonly #thread: Worker;
  readonly #messages: (PlannerReply | { readonly kind: "given-up"; readonly reason: string })[] = [];
  #arrived: (() => void) | undefined;
  readonly #onMessage = (message: PlannerReply): void => this.#put(message);
  readonly #onError = (error: unknown): void => {
    const outOfMemory = error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    this.#put({ kind: "given-up", reason: outOfMemory ? `needs more than ${MEMORY_LIMIT_MB} MB of memory` : "ended the planner's thread" });
  };
  readonly #onExit = (): void => this.#put({ kind: "given-up", reason: "ended the planner's thread" });
  /** Whether the thread has answered its request, and so can take another. */
  answered = false;

  constructor(thread: Worker) {
    this.#thread = thread;
    thread.on("message", this.#onMessage).on("error", this.#onError).on("exit", this.#onExit);
  }

  async next() {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.answered = message.kind !== "ask" && message.kind !== "given-up";
        return message;
      }
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  close(): void {
    this.#thread.off("message", this.#onMessage).off("error", this.#onError).off("exit", this.#onExit);
  }

  #put(message: PlannerReply | { readonly kind: "given-up"; readonly reason: string }): void {
    this.#messages.push(message);
    this.#arrived?.();
  }
}

/**
 * One warm compiler thread with a queue, a time limit and a memory limit, in front of it a cache by content. A compilation
 * that overruns ends the thread; the next request gets a new one.
 */
import { createHash } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { generateModule } from "../codegen/module.ts";
import type { Clock } from "../core/clock.ts";
import type { AppError } from "../core/errors.ts";
import { externalError, fromErrorRecord, internalError } from "../core/errors.ts";
import { startThreadFile } from "../core/thread-file.ts";
import type { Artifact, CompileRequest } from "./artifact.ts";
import type { ArtifactCache } from "./cache.ts";
import type { ThreadRequest, ThreadResponse } from "./thread.ts";

/** Bounds of one compilation. */
export interface CompilerLimits {
  /** Time for one compilation, ms. */
  readonly timeoutMs: number;
  /** Heap of the thread, MiB. */
  readonly memoryMb: number;
}

interface Waiting {
  readonly request: ThreadRequest;
  resolve(wasm: Uint8Array<ArrayBuffer>): void;
  reject(error: AppError): void;
}

/** Compiles programs, one at a time, in a thread of its own. */
export class Compiler {
  readonly #limits: CompilerLimits;
  readonly #cache: ArtifactCache;
  readonly #clock: Clock;
  readonly #queue: Waiting[] = [];
  #thread: Worker | undefined;
  #current: Waiting | undefined;
  #cancelTimeout: (() => void) | undefined;
  #nextId = 1;

  constructor(limits: CompilerLimits, cache: ArtifactCache, clock: Clock) {
    this.#limits = limits;
    this.#cache = cache;
    this.#clock = clock;
  }

  /** Starts the thread, so that the first compilation finds it warm. */
  warmUp(): void {
    this.#thread ??= this.#start();
  }

  /** The artifact of a program. Errors: `unsupported` for what cannot be generated, `compile-failed`, `timeout`. */
  async compile({ program, level }: CompileRequest): Promise<Artifact> {
    const generated = generateModule(program);
    const hash = createHash("sha256").update(`${generated.hash} ${level}`).digest("hex");
    const stateSchemas = Object.fromEntries(generated.stateSchemas);
    let lines = 0;
    for (const text of generated.sources.values()) lines += text.split("\n").length;
    const found = await this.#cache.get(hash);
    if (found !== undefined) return { hash, level, wasm: found, stateSchemas, lines, cached: true };
    const wasm = await new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
      this.#queue.push({ request: { id: this.#nextId++, program, level }, resolve, reject });
      this.#next();
    });
    await this.#cache.put(hash, wasm);
    return { hash, level, wasm, stateSchemas, lines, cached: false };
  }

  /** Ends the thread; compilations under way and waiting fail. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    const closed = internalError("compile-failed", "the compiler was closed");
    for (const waiting of this.#queue.splice(0)) waiting.reject(closed);
    this.#fail(closed);
    await thread?.terminate();
  }

  #start(): Worker {
    const thread = startThreadFile("thread", import.meta.url, { resourceLimits: { maxOldGenerationSizeMb: this.#limits.memoryMb } });
    thread.on("message", (response: ThreadResponse) => this.#settle(response));
    thread.on("error", (error) => this.#lost(thread, error));
    thread.unref();
    return thread;
  }

  #next(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#queue.shift();
    if (this.#current === undefined) {
      this.#thread?.unref();
      return;
    }
    this.#thread ??= this.#start();
    this.#thread.ref();
    this.#thread.postMessage(this.#current.request);
    const watch = new AbortController();
    this.#cancelTimeout = () => watch.abort();
    void this.#clock.sleep(this.#limits.timeoutMs, watch.signal).then(() => {
      if (!watch.signal.aborted) this.#overrun();
    });
  }

  #settle(response: ThreadResponse): void {
    const current = this.#current;
    if (current?.request.id !== response.id) return;
    this.#finish();
    if ("wasm" in response) current.resolve(response.wasm);
    else current.reject(fromErrorRecord(response.error));
    this.#next();
  }

  #finish(): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.#current = undefined;
  }

  #overrun(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    void thread?.terminate();
    this.#fail(
      externalError("timeout", `compiling the pipeline took longer than ${this.#limits.timeoutMs} ms`, {
        hint: "Split the query, or raise compiler.timeout.",
        retry: "never",
      }),
    );
  }

  #lost(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    this.#fail(internalError("compile-failed", "the compiler's thread ended", { cause: error }));
  }

  #fail(error: AppError): void {
    const current = this.#current;
    this.#finish();
    current?.reject(error);
    if (this.#queue.length > 0) this.#next();
  }
}

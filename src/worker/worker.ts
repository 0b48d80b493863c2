/**
 * A worker: hosts the slots of one process as threads, wires them, passes the coordinator's commands on and their events back, and ends the
 * run when a slot dies or stands still. It never sees a row.
 */
import type { Worker as Thread } from "node:worker_threads";
import { must } from "../core/assert.ts";
import { type AppError, internalError, toErrorRecord, userError } from "../core/errors.ts";
import { startThreadFile } from "../core/thread-file.ts";
import { type UdfDefinition, udfNumber } from "../program/udf.ts";
import { DataListener } from "./data-listener.ts";
import type { WorkerCommand, WorkerEvent, WorkerStart } from "./protocol.ts";
import { makeWorkerLinks, type WorkerLinks } from "./slot-links.ts";
import type { SlotThreadStart } from "./slot-thread.ts";
import { WorkerExchange } from "./worker-exchange.ts";

const SUPERVISION_MS = 500;
const UDF_TIMEOUT_MS = 10_000;

interface HostedSlot {
  readonly subtask: number;
  readonly thread: Thread;
  closed: boolean;
  beat: number;
  beatAtMs: number;
  running: boolean;
}

/** What a slot fails with that does not turn its loop any more: the user's function that runs is named. */
function stuck(subtask: number, standsMs: number, udf: UdfDefinition | undefined): AppError {
  const ms = Math.round(standsMs);
  if (udf !== undefined) {
    return userError("row-error", `function "${udf.name}" has not returned for ${ms} ms in slot ${subtask}`, {
      hint: "Correct the function, or raise udf.timeout if it needs the time for one batch of rows.",
    });
  }
  const detail = "Generated code or a connector does not return.";
  return internalError("slot-failed", `slot ${subtask} has not turned its loop for ${ms} ms`, { detail });
}

/** See the file's comment. One run's part; used once. */
export class Worker {
  readonly #send: (event: WorkerEvent) => void;
  readonly #listener: DataListener | undefined;
  readonly #slots: HostedSlot[] = [];
  #start: WorkerStart | undefined;
  #links: WorkerLinks | undefined;
  #exchange: WorkerExchange | undefined;
  #beats: Int32Array = new Int32Array();
  #calls: Int32Array = new Int32Array();
  #supervision: NodeJS.Timeout | undefined;
  #over = false;
  #ended = false;
  #onEnd: () => void = () => undefined;

  /**
   * Events go to `send`. `listener`: the data plane's port, which listens already; without one the worker opens a port of the loopback
   * interface when it is started and says so.
   */
  constructor(send: (event: WorkerEvent) => void, listener?: DataListener) {
    this.#send = send;
    this.#listener = listener;
  }

  /** `callback` is called once all threads are gone. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** Obeys; failures come as `failed` events. */
  command(command: WorkerCommand): void {
    try {
      this.#obey(command);
    } catch (error) {
      this.#fail(undefined, error);
    }
  }

  #obey(command: WorkerCommand): void {
    switch (command.kind) {
      case "start":
        return this.#begin(command.start);
      case "connect":
        return this.#exchange?.connect(command.peers);
      case "abort":
        this.#end().catch(() => undefined);
        return;
      case "run":
        for (const slot of this.#slots) slot.running = true;
        break;
    }
    for (const slot of this.#slots) slot.thread.postMessage(command);
  }

  #begin(start: WorkerStart): void {
    this.#start = start;
    const { run, placement, worker } = start;
    const links = makeWorkerLinks(run.program, placement, worker);
    this.#links = links;
    if (links.outgoing.length === 0) return this.#spawnAll();
    if (this.#listener !== undefined) {
      this.#exchangeOver(this.#listener, start, links);
      return this.#spawnAll();
    }
    const listener = new DataListener();
    listener.listen({ host: "127.0.0.1", port: 0 }).then(
      ({ host, port }) => {
        this.#exchangeOver(listener, start, links);
        this.#send({ kind: "listening", worker, host, port });
        this.#spawnAll();
      },
      (error: unknown) => this.#fail(undefined, error),
    );
  }

  #exchangeOver(listener: DataListener, start: WorkerStart, links: WorkerLinks): void {
    this.#exchange = new WorkerExchange(start, links, listener, (error) => this.#fail(undefined, error));
  }

  #spawnAll(): void {
    const { run } = must(this.#start, "the worker's start");
    const links = must(this.#links, "the worker's links");
    const beats = new SharedArrayBuffer(4 * links.subtasks.length);
    this.#beats = new Int32Array(beats);
    const calls = new SharedArrayBuffer(4 * links.subtasks.length);
    this.#calls = new Int32Array(calls);
    const compiled = run.module.kind === "wasm" ? new WebAssembly.Module(run.module.bytes) : undefined;
    for (const [thread, subtask] of links.subtasks.entries()) {
      const slotLinks = must(links.slots[thread], "a slot's links");
      this.#spawn({ run, subtask, compiled, links: slotLinks, doorbells: links.doorbells, thread, beats, calls });
    }
    this.#supervision = setInterval(() => this.#supervise(), SUPERVISION_MS);
  }

  #spawn(start: SlotThreadStart): void {
    const thread = startThreadFile("slot-thread", import.meta.url, { workerData: start });
    const slot: HostedSlot = { subtask: start.subtask, thread, closed: false, beat: 0, beatAtMs: performance.now(), running: false };
    this.#slots.push(slot);
    thread.on("message", (event: WorkerEvent) => {
      if (event.kind === "closed") slot.closed = true;
      if (event.kind === "failed") this.#over = true;
      this.#send(event);
    });
    thread.on("error", (error) => this.#fail(slot.subtask, error));
    thread.on("exit", (code) => {
      if (!slot.closed && !this.#over)
        this.#fail(slot.subtask, internalError("slot-failed", `slot ${slot.subtask} ended with code ${code}`));
      if (this.#slots.every((other) => other.closed)) this.#end().catch(() => undefined);
    });
  }

  /** A slot turns its loop at least every second; one that does not is stuck in generated code or a user's function. */
  #supervise(): void {
    const { stuckMs, udfTimeoutMs = UDF_TIMEOUT_MS, program } = must(this.#start, "the worker's start").run;
    const nowMs = performance.now();
    for (const [index, slot] of this.#slots.entries()) {
      const beat = Atomics.load(this.#beats, index);
      if (beat !== slot.beat || slot.closed || !slot.running || beat === 0) {
        slot.beat = beat;
        slot.beatAtMs = nowMs;
        continue;
      }
      const standsMs = nowMs - slot.beatAtMs;
      const number = Atomics.load(this.#calls, index);
      const udf = number === 0 ? undefined : program.udfs?.find(({ id }) => udfNumber(id) === number);
      if (standsMs > (udf === undefined ? stuckMs : Math.min(udfTimeoutMs, stuckMs)))
        this.#fail(slot.subtask, stuck(slot.subtask, standsMs, udf));
    }
  }

  #fail(subtask: number | undefined, error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#send({ kind: "failed", subtask, error: toErrorRecord(error) });
  }

  /** Ends all threads and sockets. */
  async #end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#over = true;
    clearInterval(this.#supervision);
    this.#exchange?.close();
    this.#listener?.close();
    await Promise.all(this.#slots.map((slot) => slot.thread.terminate()));
    this.#onEnd();
  }
}

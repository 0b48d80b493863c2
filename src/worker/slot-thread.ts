/**
 * Entry of a slot's thread: builds the slot (instance, restored state, connectors), then passes commands in and events out. The control port
 * stays referenced until the slot is closed: it is what keeps the thread alive while it waits without blocking.
 */
import { parentPort, workerData } from "node:worker_threads";
import { readSegments } from "../checkpoint/table-file.ts";
import type { ByteSource, EventSource, Sink, SinkCommit, SubtaskContext } from "../connectors/connector.ts";
import { TappedSink } from "../connectors/preview/tapped-sink.ts";
import { withSecrets } from "../connectors/secrets.ts";
import { must } from "../core/assert.ts";
import { systemClock } from "../core/clock.ts";
import { internalError, toErrorRecord } from "../core/errors.ts";
import { Doorbells } from "../dataflow/exchange/doorbell.ts";
import type { SlotLinks } from "../dataflow/exchange/ports.ts";
import { Instance, instantiate } from "../dataflow/instance.ts";
import { Slot } from "../dataflow/slot.ts";
import type { SlotHost } from "../dataflow/slot-contract.ts";
import { fromStored } from "../dataflow/task/reports.ts";
import { makeTopology, type Topology } from "../dataflow/topology.ts";
import type { ModuleExports } from "../program/abi.ts";
import type { SinkOperator, SourceOperator } from "../program/operator.ts";
import type { Program } from "../program/program.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { openObjectStore } from "../storage/open.ts";
import type { RunStart, SlotCommand, SlotEvent } from "./protocol.ts";

/** What a thread is started with. */
export interface SlotThreadStart {
  readonly run: RunStart;
  readonly subtask: number;
  /** Compiled once per worker; undefined for script modules. */
  readonly compiled: WebAssembly.Module | undefined;
  readonly links: SlotLinks;
  /** Doorbells of the worker's threads; undefined while the slot is alone. */
  readonly doorbells: SharedArrayBuffer | undefined;
  /** Own number among the worker's threads. */
  readonly thread: number;
  /** Signs of life, one counter a thread. */
  readonly beats: SharedArrayBuffer;
  /** Number of the user's function that runs in each thread; 0: none. */
  readonly calls: SharedArrayBuffer;
}

/** What a connector registry exports. */
type Registry = Pick<typeof import("../connectors/registry.ts"), "createSource" | "createSink">;

const PROGRESS_MS = 250;

async function loadModule(start: SlotThreadStart): Promise<ModuleExports> {
  const { module, program } = start.run;
  if (module.kind === "wasm") {
    const calls = new Int32Array(start.calls);
    return instantiate(must(start.compiled, "the compiled module"), program.udfs, (number) => Atomics.store(calls, start.thread, number));
  }
  const script = (await import(module.url)) as { makeModule(program: Program): ModuleExports };
  return script.makeModule(program);
}

/** Bytes read. State first: before any data. The watermark is set by the slot, behind it. */
async function restoreState(start: SlotThreadStart, instance: Instance, store: ObjectStore): Promise<number> {
  let bytes = 0;
  for (const { vertex, subtasks } of start.run.restore ?? []) {
    const own = subtasks.find(({ subtask }) => subtask === start.subtask);
    const refs = (own?.sources ?? []).flatMap(({ segments }) => segments);
    for await (const { frame } of readSegments(store, refs)) {
      instance.restore(vertex, frame);
      bytes += frame.length;
    }
  }
  return bytes;
}

type Send = (event: SlotEvent) => void;

function contextOf(start: SlotThreadStart, vertex: number, operator: SourceOperator | SinkOperator, send: Send): SubtaskContext {
  const { run, subtask } = start;
  const { table } = operator;
  const options = withSecrets(table, operator.options, run.secrets);
  const context = { job: run.job, run: Number(run.by.fence), vertex, subtask, parallelism: run.parallelism, table, options };
  if (run.preview === undefined) return context;
  return { ...context, preview: { ...run.preview, send: (batch) => send({ kind: "preview", subtask, vertex, batch }) } };
}

interface Connectors {
  readonly sources: ReadonlyMap<number, ByteSource | EventSource>;
  readonly sinks: ReadonlyMap<number, Sink>;
}

async function createConnectors(start: SlotThreadStart, topology: Topology, send: Send): Promise<Connectors> {
  const registry = (await import(start.run.connectors)) as Registry;
  const sources = new Map<number, ByteSource | EventSource>();
  const sinks = new Map<number, Sink>();
  for (const { id, operator } of start.run.program.vertices) {
    if (topology.vertices[id]?.void === true) continue;
    if (operator.kind === "source") sources.set(id, registry.createSource(operator, contextOf(start, id, operator, send), systemClock));
    if (operator.kind === "sink") {
      const context = contextOf(start, id, operator, send);
      const sink = registry.createSink(operator, context);
      const tapped = context.preview !== undefined && operator.connector !== "preview";
      sinks.set(id, !tapped ? sink : new TappedSink(sink, context.preview.send, systemClock));
    }
  }
  return { sources, sinks };
}

/** What the sinks of `vertex` had staged in the restored epoch; undefined on a first start. */
function stagedOf(run: RunStart, vertex: number): readonly SinkCommit[] | undefined {
  const restored = run.restore?.find((candidate) => candidate.vertex === vertex);
  return restored?.sinks.flatMap(({ commit }) => (commit === undefined ? [] : [commit as SinkCommit]));
}

/** A commit may have been lost with the process that should have made it: one subtask makes all of them again. */
async function replayCommits(start: SlotThreadStart, sinks: ReadonlyMap<number, Sink>): Promise<void> {
  if (start.subtask !== 0) return;
  for (const [vertex, sink] of sinks) {
    for (const commit of stagedOf(start.run, vertex) ?? []) await sink.commit(start.run.settings.restoredEpoch, commit);
  }
}

async function openConnectors(start: SlotThreadStart, { sources, sinks }: Connectors): Promise<void> {
  for (const [vertex, sink] of sinks) await sink.open(stagedOf(start.run, vertex));
  for (const [vertex, source] of sources) {
    const restored = start.run.restore?.find((candidate) => candidate.vertex === vertex);
    await source.open(restored?.positions.map(fromStored));
  }
}

class SlotThread {
  readonly #start: SlotThreadStart;
  readonly #send: (event: SlotEvent) => void;
  readonly #beats: Int32Array;
  #go: (() => void) | undefined;
  readonly #running: Promise<void>;
  #slot: Slot | undefined;
  #sinks: ReadonlyMap<number, Sink> = new Map();

  constructor(start: SlotThreadStart, send: (event: SlotEvent) => void) {
    this.#start = start;
    this.#send = send;
    this.#beats = new Int32Array(start.beats);
    this.#running = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  /** Commands between `run` and the slot's existence are kept by the coordinator's protocol: it waits for `ready`. */
  command(command: SlotCommand): void {
    switch (command.kind) {
      case "run":
        return this.#go?.();
      case "trigger":
        return this.#slot?.trigger(command.epoch, command.stop);
      case "pause":
        return this.#slot?.pause(command.paused);
      case "tail": {
        const sink = this.#sinks.get(command.vertex);
        if (sink instanceof TappedSink) sink.tap(command.rowsPerSecond);
        return;
      }
      case "commit": {
        const own = command.staged.filter(({ subtask }) => subtask === this.#start.subtask);
        return this.#slot?.commit(command.epoch, new Map(own.map(({ vertex, commit }) => [vertex, commit])));
      }
      case "close":
        return this.#slot?.close(command.finished);
    }
  }

  async run(): Promise<void> {
    const { run, subtask } = this.#start;
    const { program, parallelism, settings, stateLimit } = run;
    const topology = makeTopology(program, subtask, parallelism);
    const store = run.store === undefined ? undefined : await openObjectStore(run.store);
    const { batchRows, fence } = settings;
    const instance = new Instance(await loadModule(this.#start), { program, subtask, parallelism, batchRows, stateLimit, fence });
    const restoreMs = systemClock.elapsedMs();
    const restoredBytes = store === undefined ? 0 : await restoreState(this.#start, instance, store);
    const connectors = await createConnectors(this.#start, topology, this.#send);
    this.#sinks = connectors.sinks;
    await replayCommits(this.#start, connectors.sinks);
    const slot = this.#makeSlot(topology, instance, store, connectors);
    this.#slot = slot;
    this.#send({ kind: "ready", subtask, restoreMs: systemClock.elapsedMs() - restoreMs, restoredBytes });
    await this.#running;
    await openConnectors(this.#start, connectors);
    const timer = setInterval(() => this.#send({ kind: "progress", subtask, progress: slot.progress() }), PROGRESS_MS);
    try {
      await slot.run();
    } finally {
      clearInterval(timer);
    }
    this.#send({ kind: "progress", subtask, progress: slot.progress() });
    await store?.close();
    this.#send({ kind: "closed", subtask });
  }

  #makeSlot(topology: Topology, instance: Instance, store: ObjectStore | undefined, connectors: Connectors): Slot {
    const { run, subtask, links, doorbells, thread } = this.#start;
    const { job, by, parallelism, program } = run;
    const watermarks = (run.restore ?? []).flatMap(({ vertex, watermark }) =>
      watermark === undefined ? [] : [[vertex, watermark] as const],
    );
    return new Slot({
      instance,
      topology,
      settings: run.settings,
      host: this.#host(subtask),
      clock: systemClock,
      ...connectors,
      idleMs: (vertex) => {
        const operator = program.vertices[vertex]?.operator;
        return operator?.kind === "source" ? operator.idleMs : 0;
      },
      links,
      doorbells: doorbells === undefined ? undefined : new Doorbells(doorbells, thread),
      snapshots: store === undefined ? undefined : { store, job, by, subtask, parallelism },
      restoredWatermarks: new Map(watermarks),
      beat: () => Atomics.add(this.#beats, thread, 1),
    });
  }

  #host(subtask: number): SlotHost {
    return {
      started: (epoch) => this.#send({ kind: "epoch-started", subtask, epoch }),
      reported: (epoch, report, timing) => this.#send({ kind: "reported", subtask, epoch, report, timing }),
      committed: (epoch, phases) => this.#send({ kind: "committed", subtask, epoch, phases }),
      ended: () => this.#send({ kind: "ended", subtask }),
      skippedRows: (rows) => this.#send({ kind: "skipped", subtask, rows }),
    };
  }
}

const port = parentPort;
if (port === null) throw internalError("invariant", "slot-thread.ts is the entry of a worker thread");
const start = workerData as SlotThreadStart;
const thread = new SlotThread(start, (event) => port.postMessage(event));
port.on("message", (command: SlotCommand) => thread.command(command));
thread.run().then(
  () => port.close(),
  (error: unknown) => {
    port.postMessage({ kind: "failed", subtask: start.subtask, error: toErrorRecord(error) } satisfies SlotEvent);
    port.close();
  },
);

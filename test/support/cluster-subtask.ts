/**
 * One subtask of a cluster: the turns of a slot (`dataflow/slot.ts`) without threads, connectors or clocks, in any order that the module's
 * contract allows. Time and barriers are decided by the same `Control` as in a slot; which of the possible steps comes next, how much is
 * read, when buffers and changelogs are flushed and how fast frozen state is copied is left to chance.
 */
import { segmentOfFrame } from "../../src/checkpoint/segment.ts";
import { must } from "../../src/core/assert.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { Prng } from "../../src/core/prng.ts";
import { FRAME_HEADER, FRAME_HEADER_SIZE } from "../../src/data/frame.ts";
import { TO_HOST } from "../../src/dataflow/instance.ts";
import { Control, type Signal } from "../../src/dataflow/task/control.ts";
import { channelTargets, makeTopology, type Topology } from "../../src/dataflow/topology.ts";
import { BEFORE_TIME, END_OF_TIME } from "../../src/dataflow/watermark.ts";
import { FIRST_ROW_ERROR, LATE_ROW, STATUS } from "../../src/program/abi.ts";
import type { Edge, Program } from "../../src/program/program.ts";
import { PooledInstance } from "./cluster-memory.ts";
import { ClusterSource, ownSplits, type SplitState } from "./cluster-source.ts";

/** Room of a state frame. */
const FRAME_CAPACITY = (1 << 20) + 64;

/** A frame on its way: in the memory of the subtask that it is for (`pointer`), or as bytes. */
export type Delivery =
  | { readonly kind: "rows"; readonly pointer: number; readonly bytes: Uint8Array | undefined }
  | { readonly kind: "signal"; readonly signal: Signal };

interface InChannel {
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  readonly input: number;
  readonly queue: Delivery[];
}

/** Rows that were not processed, by why. */
export interface SkippedRows {
  late: number;
  bad: number;
  errors: number;
}

/** What one vertex of one subtask says at a barrier. */
export interface VertexCheckpoint {
  readonly vertex: number;
  readonly subtask: number;
  readonly epoch: number;
  readonly watermark: bigint;
  readonly positions: readonly SplitState[];
  /** Lines of this sink before the barrier. */
  readonly lines: number;
  readonly skipped: SkippedRows;
  /** State frames by segment. */
  readonly frames: ReadonlyMap<string, Uint8Array>;
}

/** What a subtask needs from its cluster. */
export interface SubtaskOwner {
  readonly program: Program;
  readonly module: WebAssembly.Module;
  readonly prng: Prng;
  readonly batchRows: number;
  readonly watermarkEveryRows: number | undefined;
  /** Whether all that has been read has arrived wherever it goes. */
  quiet(): boolean;
  deliver(target: number, edge: number, source: number, delivery: Delivery): void;
  /** A vertex' part of a checkpoint is complete. */
  reported(report: VertexCheckpoint): void;
}

/** What a subtask begins with. */
export interface SubtaskStart {
  readonly subtask: number;
  readonly parallelism: number;
  readonly splits: readonly SplitState[];
  readonly epoch: number;
  /** By vertex: all parts of the checkpoint to restore. */
  readonly restored: ReadonlyMap<number, readonly VertexCheckpoint[]>;
}

interface OpenSnapshot extends Omit<VertexCheckpoint, "frames"> {
  readonly frames: Map<string, Uint8Array>;
}

/** See the file's comment. */
export class ClusterSubtask {
  readonly instance: PooledInstance;
  readonly control: Control;
  /** Lines by sink vertex, in order. */
  readonly lines = new Map<number, string[]>();
  /** Rows sent and received by channel edge. */
  readonly sent = new Map<number, number>();
  readonly received = new Map<number, number>();
  readonly #owner: SubtaskOwner;
  readonly #topology: Topology;
  readonly #sources: readonly ClusterSource[];
  readonly #channels: readonly InChannel[];
  readonly #view: DataView;
  readonly #skipped: SkippedRows[];
  readonly #reported: number[];
  /** Newest version of every live segment, by vertex. */
  readonly #segments = new Map<number, ReadonlyMap<string, Uint8Array>>();
  readonly #open: OpenSnapshot[] = [];
  #more = false;
  #injected: number;
  #known: number;
  #scratch = 0;

  constructor(owner: SubtaskOwner, start: SubtaskStart) {
    const { subtask, parallelism } = start;
    const { program } = owner;
    this.#owner = owner;
    this.#injected = start.epoch;
    this.#known = start.epoch;
    this.instance = new PooledInstance(owner.module, program, subtask, parallelism, owner.batchRows);
    this.#view = new DataView(this.instance.memory.buffer);
    this.#topology = makeTopology(program, subtask, parallelism);
    this.#skipped = program.vertices.map(() => ({ late: 0, bad: 0, errors: 0 }));
    this.#reported = program.vertices.map(() => start.epoch);
    this.#sources = this.#topology.sources.map(
      (vertex) => new ClusterSource(vertex, ownSplits(start.splits, vertex, subtask, parallelism), owner.prng, owner.watermarkEveryRows),
    );
    for (const vertex of this.#topology.sinks) this.lines.set(vertex, []);
    this.#channels = this.#topology.vertices.flatMap((vertex) =>
      vertex.inputs.flatMap(({ direct, edge, source }, input) => (direct ? [] : [{ edge, source, target: vertex.id, input, queue: [] }])),
    );
    this.control = new Control(this.#topology, {
      instance: this.instance,
      clock: new ManualClock(),
      nowMs: () => 0n,
      send: (edge, signal) => this.#send(edge, signal),
      barrierAt: (vertex, epoch) => this.#freeze(vertex, epoch),
      endedAt: () => {},
    });
    this.#restore(start.restored);
    this.control.start();
  }

  #restore(restored: ReadonlyMap<number, readonly VertexCheckpoint[]>): void {
    for (const [vertex, parts] of restored) {
      const frames = parts.flatMap((part) => [...part.frames.values()]);
      for (const frame of this.#owner.prng.shuffle(frames)) this.instance.restore(vertex, frame);
      const [watermark = BEFORE_TIME] = parts.map((part) => part.watermark).sort((a, b) => (a < b ? -1 : 1));
      if (watermark !== BEFORE_TIME) this.control.restore(vertex, watermark);
    }
  }

  get ended(): boolean {
    return !this.#more && !this.control.busy && this.control.allEnded && this.#channels.every((c) => c.queue.length === 0);
  }

  /** Nothing waits to be done or delivered, but rows to be read. */
  get quiet(): boolean {
    const unread = this.#sources.every((source) => source.ended || !source.done);
    return unread && !this.#more && !this.control.busy && this.#channels.every((c) => c.queue.length === 0);
  }

  /** Epoch `epoch` has begun. */
  trigger(epoch: number): void {
    this.#known = epoch;
  }

  receive(edge: number, source: number, delivery: Delivery): void {
    must(
      this.#channels.find((c) => c.edge === edge && c.source === source),
      `channel ${edge} from ${source}`,
    ).queue.push(delivery);
  }

  /** One piece of work; false if there is none. */
  step(): boolean {
    if (this.#more) return this.#ran(this.instance.pull());
    if (this.control.busy) return this.#ran(this.control.step());
    this.#reportEnded();
    const { prng } = this.#owner;
    if (prng.chance(1, 40)) {
      this.control.flushUpdating();
      if (this.control.busy) return true;
    }
    if (prng.chance(1, 20)) this.#flushEdges();
    if (prng.chance(1, 6) && this.#refreshWatermarks()) return true;
    const works = prng.shuffle([() => this.#inject(), () => this.#slice(), () => this.#deliver(), () => this.#read()]);
    if (works.some((work) => work())) return true;
    return this.#refreshWatermarks() || this.#flushEdges();
  }

  /** Sends the next barrier from all sources that have not ended. */
  #inject(): boolean {
    const live = this.#sources.filter((source) => !source.ended);
    if (this.#known === this.#injected || live.length === 0) return false;
    this.#refreshWatermarks(true);
    this.#injected = this.#known;
    for (const { vertex } of live) {
      this.control.deliver(vertex, 0, { kind: "barrier", argument: BigInt(this.#injected), holder: undefined });
    }
    return true;
  }

  #deliver(): boolean {
    const ready = this.#channels.filter((c) => c.queue.length > 0 && !this.control.blocked(c.target, c.input));
    if (ready.length === 0) return false;
    const channel = this.#owner.prng.pick(ready);
    const delivery = must(channel.queue.shift(), "delivery");
    if (delivery.kind === "signal") {
      this.control.deliver(channel.target, channel.input, delivery.signal);
      return true;
    }
    this.control.wake(channel.target, channel.input);
    let { pointer } = delivery;
    if (delivery.bytes !== undefined) {
      pointer = this.instance.frameBuffer(delivery.bytes.length);
      this.instance.memory.set(delivery.bytes, pointer);
    }
    count(this.received, channel.edge, this.#view.getUint32(pointer + FRAME_HEADER.rows, true));
    return this.#ran(this.instance.push(channel.edge, pointer));
  }

  #read(): boolean {
    const sources = this.#sources.filter((source) => !source.ended);
    if (sources.length === 0) return false;
    const source = this.#owner.prng.pick(sources);
    if (source.done) {
      source.ended = true;
      this.control.deliver(source.vertex, 0, { kind: "end", argument: 0n, holder: undefined });
      return true;
    }
    if (this.#owner.watermarkEveryRows !== undefined) {
      if (this.#refreshWatermarks(true)) return true;
      // Which rows are late is only certain if no subtask that has nothing to read holds event time back.
      if (!this.#owner.quiet()) return false;
    }
    this.control.wake(source.vertex, 0);
    return this.#ran(source.read(this.instance, this.#owner.prng.between(1, this.#owner.batchRows)));
  }

  /** Passes on what the sources say about event time, each by chance unless `all`. True if that began a wave. */
  #refreshWatermarks(all = false): boolean {
    for (const source of this.#sources) {
      if (source.ended || !source.stale || !(all || this.#owner.prng.chance(2, 3))) continue;
      source.stale = false;
      const ns = source.watermark();
      if (ns === BEFORE_TIME || ns === END_OF_TIME) continue;
      this.control.deliver(source.vertex, 0, { kind: "watermark", argument: ns, holder: { vertex: source.vertex, partition: 0 } });
    }
    return this.control.busy;
  }

  #ran(status: number): true {
    this.#more = status === STATUS.more || status === STATUS.errors;
    this.#drainErrors();
    this.#drain();
    return true;
  }

  #drainErrors(): void {
    for (const { vertex, reason } of this.instance.drainErrors()) {
      const skipped = must(this.#skipped[vertex], `vertex ${vertex}`);
      if (reason === LATE_ROW) skipped.late++;
      else if (reason >= FIRST_ROW_ERROR) skipped.errors++;
      else skipped.bad++;
    }
  }

  /** Empties the output queue. True if there was anything. */
  #drain(): boolean {
    const { subtask } = this.#topology;
    let any = false;
    for (let entry = this.instance.nextOutput(); entry !== undefined; entry = this.instance.nextOutput()) {
      const { frame, length, edge, target } = entry;
      any = true;
      if (target === TO_HOST) {
        this.#write(edge, frame);
        continue;
      }
      count(this.sent, edge, this.#view.getUint32(frame + FRAME_HEADER.rows, true));
      if (target === subtask && this.#owner.prng.chance(3, 4)) {
        this.#owner.deliver(target, edge, subtask, { kind: "rows", pointer: frame, bytes: undefined });
        continue;
      }
      this.#owner.deliver(target, edge, subtask, { kind: "rows", pointer: 0, bytes: this.instance.memory.slice(frame, frame + length) });
      this.instance.freeFrame(frame);
    }
    return any;
  }

  #write(edge: number, frame: number): void {
    const { target } = must(this.#owner.program.edges[edge], "edge");
    const length = this.#view.getUint32(frame + FRAME_HEADER.bytes, true);
    const from = frame + FRAME_HEADER_SIZE;
    const text = Buffer.from(this.instance.memory.subarray(from, from + length)).toString();
    must(this.lines.get(target), "sink").push(...text.split("\n").slice(0, -1));
    this.instance.freeFrame(frame);
  }

  #send(edge: Edge, signal: Signal): void {
    const { subtask, parallelism } = this.#topology;
    this.instance.flushEdge(edge.id);
    this.#drain();
    for (const target of channelTargets(edge, subtask, parallelism)) {
      this.#owner.deliver(target, edge.id, subtask, { kind: "signal", signal });
    }
  }

  #flushEdges(): boolean {
    for (const vertex of this.#topology.vertices) for (const edge of vertex.channels) this.instance.flushEdge(edge.id);
    return this.#drain();
  }

  /** A vertex that has ended stands for every later epoch as it is. */
  #reportEnded(): void {
    for (const { id } of this.#topology.vertices) {
      if (this.control.ended(id) && (this.#reported[id] ?? 0) < this.#known) this.#freeze(id, this.#known);
    }
  }

  #freeze(vertex: number, epoch: number): void {
    this.#reported[vertex] = epoch;
    for (const edge of this.#topology.vertices[vertex]?.channels ?? []) this.instance.flushEdge(edge.id);
    this.#drain();
    this.instance.barrier(vertex, epoch);
    const known = this.#segments.get(vertex) ?? new Map<string, Uint8Array>();
    const live = this.instance.liveSegments(vertex).map((s) => `${s.table}/${s.partition}/${s.segment}`);
    const frames = new Map(live.map((key) => [key, known.get(key) ?? new Uint8Array()]));
    const { subtask } = this.#topology;
    const positions = this.#sources.find((source) => source.vertex === vertex)?.positions() ?? [];
    const lines = this.lines.get(vertex)?.length ?? 0;
    const watermark = this.control.tracker(vertex).ns;
    this.#open.push({ vertex, subtask, epoch, watermark, positions, lines, skipped: { ...must(this.#skipped[vertex], "vertex") }, frames });
  }

  /** Copies one frame of frozen state. */
  #slice(): boolean {
    const snapshot = this.#open[0];
    if (snapshot === undefined) return false;
    if (this.#scratch === 0) this.#scratch = this.instance.frameBuffer(FRAME_CAPACITY);
    const length = this.instance.snapshot(snapshot.vertex, this.#scratch, FRAME_CAPACITY);
    if (length > 0) {
      const frame = this.instance.memory.slice(this.#scratch, this.#scratch + length);
      const { table, partition, segment } = segmentOfFrame(frame);
      const key = `${table}/${partition}/${segment}`;
      must(snapshot.frames.get(key), `live segment ${key}`);
      snapshot.frames.set(key, frame);
      return true;
    }
    this.#open.shift();
    for (const [key, frame] of snapshot.frames) must(frame.length > 0 ? frame : undefined, `the stored version of segment ${key}`);
    this.#segments.set(snapshot.vertex, snapshot.frames);
    this.#owner.reported(snapshot);
    return true;
  }

  /** Rows skipped so far, all vertices together. */
  skipped(): readonly SkippedRows[] {
    return this.#skipped;
  }
}

function count(counts: Map<number, number>, edge: number, rows: number): void {
  counts.set(edge, (counts.get(edge) ?? 0) + rows);
}

/**
 * Time and barriers inside one slot. What arrives at a vertex (a watermark, a barrier, the end of an input) becomes work on that vertex and
 * then arrives at the vertices behind it: a *wave*. Work is done vertex by vertex in topological order, one module call a step, and each
 * only when the module is idle, so that rows which a watermark releases are always ahead of it.
 *
 * At a vertex the order is: watermark, flush, barrier, end. Nothing else is delivered while a wave is under way.
 */
import { must } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { STATUS } from "../../program/abi.ts";
import type { Edge } from "../../program/program.ts";
import { BarrierAligner } from "../barrier.ts";
import type { Instance } from "../instance.ts";
import type { PhaseTiming } from "../slot-contract.ts";
import type { Topology, VertexTopology } from "../topology.ts";
import { END_OF_TIME, type Holder, type WatermarkChange, WatermarkTracker } from "../watermark.ts";
import { type Moment, momentOf, phaseSince } from "./phase.ts";

const WATERMARK = 1;
const FLUSH = 2;
const BARRIER = 4;
const END = 8;
const IDLE = 16;

/** A control signal on an edge. */
export interface Signal {
  readonly kind: "watermark" | "idle" | "barrier" | "end";
  /** Watermark in ns or epoch. */
  readonly argument: bigint;
  readonly holder: Holder | undefined;
}

/** What control needs from its slot. */
export interface ControlOwner {
  readonly instance: Instance;
  /** Processing time in ms, for TTLs. */
  nowMs(): bigint;
  readonly clock: Clock;
  /** Sends `signal` to every target of channel `edge`, behind all rows on it. */
  send(edge: Edge, signal: Signal): void;
  /** `vertex` is aligned at the barrier of `epoch` and idle: take its state. */
  barrierAt(vertex: number, epoch: number, alignment: PhaseTiming | undefined): void;
  /** `vertex` has ended: its last rows are out. */
  endedAt(vertex: number): void;
}

/** Event time and alignment of one vertex. */
interface VertexControl {
  readonly topology: VertexTopology;
  readonly tracker: WatermarkTracker;
  readonly aligner: BarrierAligner;
  /** Number of the input that an edge from this slot is, by edge. */
  readonly directInput: ReadonlyMap<number, number>;
  readonly updating: boolean;
  readonly source: boolean;
  todo: number;
  epoch: number;
  /** When the first input's barrier came; undefined while none waits. */
  barrierSince: Moment | undefined;
  /** How long the last alignment took; undefined if there was one input. */
  alignment: PhaseTiming | undefined;
  ended: boolean;
  idle: boolean;
}

/** See the file's comment. */
export class Control {
  readonly #owner: ControlOwner;
  readonly #vertices: readonly VertexControl[];
  /** The first vertex that may have work. */
  #first: number;
  /** Work whose module call has been made and whose rows are coming out. */
  #open: { readonly vertex: number; readonly work: number } | undefined;

  constructor(topology: Topology, owner: ControlOwner) {
    this.#owner = owner;
    this.#first = topology.vertices.length;
    this.#vertices = topology.vertices.map((vertex) => {
      const operator = topology.program.vertices[vertex.id]?.operator;
      const source = operator?.kind === "source";
      const directInput = new Map(vertex.inputs.flatMap((input, i) => (input.direct ? [[input.edge, i] as const] : [])));
      return {
        topology: vertex,
        tracker: new WatermarkTracker(source ? 1 : vertex.inputs.length),
        aligner: new BarrierAligner(source ? 1 : vertex.inputs.length),
        directInput,
        updating: operator?.kind === "updating-aggregate",
        source,
        todo: 0,
        epoch: 0,
        barrierSince: undefined,
        alignment: undefined,
        ended: false,
        idle: false,
      };
    });
  }

  /**
   * Vertices without inputs in this subtask end at once. Before anything else. They stand at the end of time, so that a checkpoint takes
   * the vertex' event time from the subtasks that have one.
   */
  start(): void {
    for (const vertex of this.#vertices) {
      if (!vertex.topology.void) continue;
      vertex.tracker.restore(END_OF_TIME);
      this.#add(vertex, END);
    }
  }

  /** True while a wave is under way. */
  get busy(): boolean {
    return this.#open !== undefined || this.#first < this.#vertices.length;
  }

  /** Whether all vertices have ended. */
  get allEnded(): boolean {
    return this.#vertices.every((vertex) => vertex.ended);
  }

  ended(vertex: number): boolean {
    return this.#at(vertex).ended;
  }

  /** Event time of `vertex`. */
  tracker(vertex: number): WatermarkTracker {
    return this.#at(vertex).tracker;
  }

  /** Whether frames of `input` of `vertex` have to wait for a barrier. */
  blocked(vertex: number, input: number): boolean {
    return this.#at(vertex).aligner.blocked(input);
  }

  /** Starts `vertex` at a restored event time. */
  restore(vertex: number, ns: bigint): void {
    this.#at(vertex).tracker.restore(ns);
    this.#owner.instance.restoreWatermark(vertex, ns);
  }

  /** `signal` arrives at `input` of `vertex`: for a source, input 0 is the connector. */
  deliver(vertex: number, input: number, signal: Signal): void {
    const at = this.#at(vertex);
    switch (signal.kind) {
      case "watermark":
        return this.#changed(at, at.tracker.advance(input, signal.argument, signal.holder));
      case "idle":
        return this.#changed(at, at.tracker.setIdle(input));
      case "barrier":
        if (at.aligner.epoch === undefined && at.topology.inputs.length > 1) at.barrierSince = momentOf(this.#owner.clock);
        return this.#aligned(at, at.aligner.barrier(input, Number(signal.argument)));
      case "end":
        this.#aligned(at, at.aligner.end(input));
        this.#changed(at, at.tracker.end(input));
        if (at.tracker.ended) this.#add(at, (at.updating ? FLUSH : 0) | END);
    }
  }

  /** Rows arrive at `input` of `vertex`. */
  wake(vertex: number, input: number): void {
    const at = this.#at(vertex);
    if (at.tracker.idle) this.#changed(at, at.tracker.wake(input));
    else at.tracker.wake(input);
  }

  /** All updating vertices emit their changes. */
  flushUpdating(): void {
    for (const vertex of this.#vertices) if (vertex.updating && !vertex.ended) this.#add(vertex, FLUSH);
  }

  /** Does the next piece of the wave; the module must be idle. Returns the module's status. */
  step(): number {
    const open = this.#open;
    if (open !== undefined) {
      this.#open = undefined;
      this.#finish(this.#at(open.vertex), open.work);
      return STATUS.idle;
    }
    const vertex = this.#next();
    if (vertex === undefined) return STATUS.idle;
    const work = vertex.todo & -vertex.todo;
    vertex.todo &= ~work;
    return this.#begin(vertex, work);
  }

  #next(): VertexControl | undefined {
    for (; this.#first < this.#vertices.length; this.#first++) {
      const vertex = this.#vertices[this.#first] as VertexControl;
      if (vertex.todo !== 0) return vertex;
    }
    return undefined;
  }

  #begin(vertex: VertexControl, work: number): number {
    const { instance } = this.#owner;
    const { id } = vertex.topology;
    switch (work) {
      case WATERMARK:
        this.#open = { vertex: id, work };
        return instance.watermark(id, vertex.tracker.ns);
      case FLUSH:
        this.#open = { vertex: id, work };
        return instance.flush(id, this.#owner.nowMs());
      default:
        this.#finish(vertex, work);
        return STATUS.idle;
    }
  }

  #finish(vertex: VertexControl, work: number): void {
    const { tracker, topology } = vertex;
    switch (work) {
      case WATERMARK:
        // The end of time travels as the end itself.
        if (tracker.ns !== END_OF_TIME) this.#emit(vertex, { kind: "watermark", argument: tracker.ns, holder: tracker.holder });
        return;
      case BARRIER:
        this.#owner.barrierAt(topology.id, vertex.epoch, vertex.alignment);
        return this.#emit(vertex, { kind: "barrier", argument: BigInt(vertex.epoch), holder: undefined });
      case END:
        vertex.ended = true;
        this.#owner.endedAt(topology.id);
        return this.#emit(vertex, { kind: "end", argument: 0n, holder: undefined });
      case IDLE:
        vertex.idle = tracker.idle;
        if (tracker.idle) return this.#emit(vertex, { kind: "idle", argument: 0n, holder: undefined });
        return this.#emit(vertex, { kind: "watermark", argument: tracker.ns, holder: tracker.holder });
    }
  }

  #emit(vertex: VertexControl, signal: Signal): void {
    for (const edge of vertex.topology.direct) {
      const target = this.#at(edge.target);
      if (target.topology.void) continue;
      this.deliver(edge.target, must(target.directInput.get(edge.id), "the input of a direct edge"), signal);
    }
    for (const edge of vertex.topology.channels) this.#owner.send(edge, signal);
  }

  #changed(vertex: VertexControl, change: WatermarkChange): void {
    if (change.advanced) this.#add(vertex, WATERMARK);
    if (change.idleChanged && vertex.tracker.idle !== vertex.idle) this.#add(vertex, IDLE);
  }

  #aligned(vertex: VertexControl, epoch: number | undefined): void {
    if (epoch === undefined) return;
    vertex.epoch = epoch;
    const { barrierSince } = vertex;
    vertex.alignment = barrierSince === undefined ? undefined : phaseSince("alignment", barrierSince, this.#owner.clock.elapsedMs(), 0);
    vertex.barrierSince = undefined;
    this.#add(vertex, (vertex.updating ? FLUSH : 0) | BARRIER);
  }

  #add(vertex: VertexControl, work: number): void {
    vertex.todo |= work;
    this.#first = Math.min(this.#first, vertex.topology.id);
  }

  #at(vertex: number): VertexControl {
    return must(this.#vertices[vertex], `vertex ${vertex}`);
  }
}

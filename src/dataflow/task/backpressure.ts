/**
 * Whether rows find room behind a vertex, and how long a slot has waited because they did not: its backpressure, in all and by vertex. Looks
 * at what waits; holds nothing itself.
 */
import { must } from "../../core/assert.ts";
import type { Topology } from "../topology.ts";
import type { SinkTask } from "./sink-task.ts";

/** Data bytes on one edge, per target, that may wait before its vertex is fed no more. */
const EDGE_LIMIT_BYTES = 512 << 10;
/** Bytes that may wait for one sink. */
const SINK_LIMIT_BYTES = 8 << 20;

/** See the file's comment. Times in milliseconds. */
export class Backpressure {
  readonly #topology: Topology;
  readonly #waitingBytes: Float64Array;
  readonly #sinks: ReadonlyMap<number, SinkTask>;
  readonly #heldMs: number[];
  /** The vertex that was not fed in this turn. */
  #held: number | undefined;
  #totalMs = 0;

  /** `waitingBytes`: of data frames, by edge. */
  constructor(topology: Topology, waitingBytes: Float64Array, sinks: ReadonlyMap<number, SinkTask>) {
    this.#topology = topology;
    this.#waitingBytes = waitingBytes;
    this.#sinks = sinks;
    this.#heldMs = topology.vertices.map(() => 0);
  }

  /** Since the slot's start. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Since the slot's start. */
  ofVertex(vertex: number): number {
    return this.#heldMs[vertex] ?? 0;
  }

  /** A turn begins. */
  clear(): void {
    this.#held = undefined;
  }

  /** Sinks empty themselves, so expanding work can wait for them; it must not wait for channels, which may wait for us. */
  canPull(): boolean {
    for (const sink of this.#sinks.values()) if (sink.pendingBytes > SINK_LIMIT_BYTES) return this.#hold(sink.vertex);
    return true;
  }

  /** Whether rows given to `vertex` find room wherever they can come to rest. */
  canFeed(vertex: number): boolean {
    const { feedsEdges, feedsSinks } = must(this.#topology.vertices[vertex], `vertex ${vertex}`);
    for (const edge of feedsEdges) {
      if ((this.#waitingBytes[edge] ?? 0) > EDGE_LIMIT_BYTES * this.#topology.parallelism) return this.#hold(vertex);
    }
    for (const sink of feedsSinks) {
      if ((this.#sinks.get(sink)?.pendingBytes ?? 0) > SINK_LIMIT_BYTES) return this.#hold(vertex);
    }
    return true;
  }

  /** The slot has slept for `ms`: if a vertex was held, that is why. */
  slept(ms: number): void {
    if (this.#held === undefined) return;
    this.#totalMs += ms;
    this.#heldMs[this.#held] = this.ofVertex(this.#held) + ms;
  }

  #hold(vertex: number): false {
    this.#held = vertex;
    return false;
  }
}

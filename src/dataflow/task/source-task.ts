/**
 * One source vertex of one slot: keeps its connector busy and hands what it reads to the module, one batch a step. The connector's calls are
 * asynchronous, the module's are not; this is where they meet. It never decides when to step: the slot does.
 */
import type { ByteSource, EventSource, SourceChunk, SplitPosition } from "../../connectors/connector.ts";
import { must } from "../../core/assert.ts";
import { internalError, toAppError } from "../../core/errors.ts";
import { STATUS } from "../../program/abi.ts";
import type { Instance } from "../instance.ts";

/** Padding behind the input area that scanners may read. */
const SCAN_PADDING = 64;
/** Chunks in a row, each longer than the one before, that may hold no whole row: beyond it the connector repeats itself. */
const MAX_FRUITLESS_READS = 64;

/** Event time of a source: see `ByteSource.watermark`. */
export type SourceWatermark = { readonly ns: bigint; readonly partition: number } | undefined | "end";

/** What a source task needs from its slot. */
export interface SourceTaskOwner {
  readonly instance: Instance;
  /** Wall time. */
  nowNs(): bigint;
  /** Something changed: look again. */
  wake(): void;
  fail(error: unknown): void;
}

/** See the file's comment. */
export interface SourceTask {
  readonly vertex: number;
  readonly bounded: boolean;
  /** All rows have been read. */
  readonly ended: boolean;
  /** The last poll found nothing. */
  readonly idle: boolean;
  /** Whether `step` has rows to make. */
  readonly ready: boolean;
  /** Rows that the last `step` read. */
  readonly lastRows: number;
  /** Bytes of input scanned so far; 0 for a generator. */
  readonly bytes: number;
  /** Bytes known to be unread; undefined: nobody knows. */
  readonly lagBytes: number | undefined;
  /** Reads at most `maxRows` ≥ 1 rows into the module; returns its status. */
  step(maxRows: number): number;
  /** Tells the connector how far the module came, so that `positions` and `watermark` hold. Before every barrier. */
  settle(): void;
  watermark(): SourceWatermark;
  positions(): readonly SplitPosition[];
  describe(partition: number, position: bigint): string;
  /** Begins to read. */
  start(): void;
  close(): Promise<void>;
}

/** A task for `source`, which is open. */
export function makeSourceTask(vertex: number, source: ByteSource | EventSource, owner: SourceTaskOwner): SourceTask {
  return source.kind === "bytes" ? new ByteSourceTask(vertex, source, owner) : new EventSourceTask(vertex, source, owner);
}

/** The part of the last chunk that the module has not scanned yet. */
interface OpenChunk {
  readonly partition: number;
  readonly position: bigint;
  readonly last: boolean;
  /** Address of its first byte. */
  readonly base: number;
  readonly end: number;
  from: number;
  rows: number;
  watermarkNs: bigint | undefined;
}

class ByteSourceTask implements SourceTask {
  readonly vertex: number;
  readonly bounded: boolean;
  ended = false;
  idle = false;
  lastRows = 0;
  bytes = 0;
  readonly #source: ByteSource;
  readonly #owner: SourceTaskOwner;
  readonly #stop = new AbortController();
  #chunk: OpenChunk | undefined;
  #reading = false;
  /** The read under way, if any; never rejects. */
  #inFlight: Promise<void> = Promise.resolve();
  #fruitless = 0;

  constructor(vertex: number, source: ByteSource, owner: SourceTaskOwner) {
    this.vertex = vertex;
    this.bounded = source.bounded;
    this.#source = source;
    this.#owner = owner;
  }

  get ready(): boolean {
    return this.#chunk !== undefined;
  }

  start(): void {
    if (this.#reading || this.#chunk !== undefined || this.ended) return;
    this.#reading = true;
    this.#inFlight = this.#read().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#owner.fail(toAppError(error));
    });
  }

  async #read(): Promise<void> {
    for (;;) {
      const chunk = await this.#source.read();
      if (this.#stop.signal.aborted) return;
      if (chunk !== "idle") {
        this.#reading = false;
        this.idle = false;
        if (chunk === "end") this.ended = true;
        else this.#open(chunk);
        this.#owner.wake();
        return;
      }
      this.idle = true;
      this.#owner.wake();
      await this.#source.wait(this.#stop.signal);
      if (this.#stop.signal.aborted) return;
    }
  }

  #open(chunk: SourceChunk): void {
    const { instance } = this.#owner;
    const base = instance.inputBuffer(this.vertex, chunk.bytes.length + SCAN_PADDING);
    instance.memory.set(chunk.bytes, base);
    instance.setTime(this.#owner.nowNs());
    const end = base + chunk.bytes.length;
    const { partition, position, last } = chunk;
    this.#chunk = { partition, position, last, base, end, from: base, rows: 0, watermarkNs: undefined };
  }

  step(maxRows: number): number {
    const { instance } = this.#owner;
    const chunk = must(this.#chunk, "the chunk to scan");
    const position = chunk.position + BigInt(chunk.from - chunk.base);
    const status = instance.scan(this.vertex, chunk.from, chunk.end, chunk.last, maxRows, chunk.partition, position);
    const bytes = instance.scanBytes();
    this.lastRows = instance.scanRows();
    chunk.from += bytes;
    this.bytes += bytes;
    chunk.rows += this.lastRows;
    const watermark = instance.scanWatermark();
    if (watermark !== undefined && (chunk.watermarkNs === undefined || watermark > chunk.watermarkNs)) chunk.watermarkNs = watermark;
    if (chunk.from === chunk.end || (bytes === 0 && status === STATUS.idle)) {
      this.#checkProgress(chunk);
      this.settle();
      this.start();
    }
    return status;
  }

  #checkProgress(chunk: OpenChunk): void {
    this.#fruitless = chunk.from === chunk.base && chunk.end > chunk.base ? this.#fruitless + 1 : 0;
    if (this.#fruitless <= MAX_FRUITLESS_READS) return;
    const where = this.#source.describe(chunk.partition, chunk.position);
    throw internalError("invariant", `no whole row in ${chunk.end - chunk.base} bytes, ${this.#fruitless} reads in a row, ${where}`);
  }

  get lagBytes(): number | undefined {
    return this.#source.lagBytes?.();
  }

  settle(): void {
    const chunk = this.#chunk;
    if (chunk === undefined) return;
    this.#chunk = undefined;
    this.#source.consumed(chunk.from - chunk.base, chunk.rows, chunk.watermarkNs);
  }

  watermark(): SourceWatermark {
    return this.#source.watermark();
  }

  positions(): readonly SplitPosition[] {
    return this.#source.positions();
  }

  describe(partition: number, position: bigint): string {
    return this.#source.describe(partition, position);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    // A connector's methods are never called at once.
    await this.#inFlight;
    await this.#source.close();
  }
}

class EventSourceTask implements SourceTask {
  readonly vertex: number;
  readonly bounded: boolean;
  ended = false;
  idle = false;
  lastRows = 0;
  readonly bytes = 0;
  readonly lagBytes = undefined;
  readonly #source: EventSource;
  readonly #owner: SourceTaskOwner;
  readonly #stop = new AbortController();
  #waiting = false;

  constructor(vertex: number, source: EventSource, owner: SourceTaskOwner) {
    this.vertex = vertex;
    this.bounded = source.bounded;
    this.#source = source;
    this.#owner = owner;
  }

  get ready(): boolean {
    return !this.ended && !this.#waiting;
  }

  start(): void {
    this.#owner.wake();
  }

  step(maxRows: number): number {
    this.lastRows = 0;
    const next = this.#source.next(maxRows);
    if (next === "end") {
      this.ended = true;
      return STATUS.idle;
    }
    if (next === "idle") {
      this.idle = true;
      this.#waiting = true;
      this.#wait().catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#owner.fail(toAppError(error));
      });
      return STATUS.idle;
    }
    this.idle = false;
    const { instance } = this.#owner;
    instance.setTime(this.#owner.nowNs());
    const status = instance.generate(this.vertex, next.first, next.stride, next.count, next.baseNs);
    this.lastRows = next.count;
    this.#source.produced(next.count, instance.scanWatermark());
    return status;
  }

  async #wait(): Promise<void> {
    await this.#source.wait(this.#stop.signal);
    this.#waiting = false;
    this.#owner.wake();
  }

  settle(): void {
    // Every step settles: the generator knows how many events were made.
  }

  watermark(): SourceWatermark {
    return this.#source.watermark();
  }

  positions(): readonly SplitPosition[] {
    return this.#source.positions();
  }

  describe(partition: number, position: bigint): string {
    return this.#source.describe(partition, position);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#source.close();
  }
}

/**
 * A byte ring between two threads of a worker: one writer, one reader, a SharedArrayBuffer. It carries whole frames as a stream of 64-byte
 * units, so a frame of any size passes through a ring of any size in pieces, and all copies are aligned (unaligned ones run five times
 * slower: reference/execution-core.md §8).
 *
 * Behind the data's head and tail the buffer holds one counter per channel: units that the reader has *processed*. It is the credit of the
 * exchange: the reader always empties the ring, also while a channel is blocked by a barrier, and the writer sends on a channel only what
 * its credit allows. Nothing here blocks; who waits uses a `Doorbells` (see `doorbell.ts`).
 */
import { assert } from "../../core/assert.ts";

/** Bytes of the unit in which rings count. Frames are multiples of it. */
export const RING_UNIT = 64;
const UNIT_SHIFT = 6;
const HEAD = 0;
/** In another cache line than the head. */
const TAIL = 16;
/** 1: the writer has frames that it cannot write and wants to be woken. */
const STALLED = 17;
const CREDITS = 32;

/** What both ends are made of; sent to the other thread as it is. */
export interface RingMemory {
  readonly shared: SharedArrayBuffer;
  /** Bytes of data, a power of two. */
  readonly capacity: number;
  /** Number of credit counters. */
  readonly channels: number;
}

/** Memory of a new ring. `capacity` in bytes, a power of two from 128 to 1 GiB. */
export function makeRing(capacity: number, channels: number): RingMemory {
  assert(capacity >= 128 && capacity <= 2 ** 30 && (capacity & (capacity - 1)) === 0, `a ring of ${capacity} bytes is no power of two`);
  return { shared: new SharedArrayBuffer(controlBytes(channels) + capacity), capacity, channels };
}

function controlBytes(channels: number): number {
  return Math.ceil(((CREDITS + channels) * 4) / RING_UNIT) * RING_UNIT;
}

/** The writer's end. */
export class RingWriter {
  readonly #control: Int32Array;
  readonly #data: Uint8Array;
  readonly #units: number;
  #tail = 0;

  constructor(ring: RingMemory) {
    this.#control = new Int32Array(ring.shared, 0, CREDITS + ring.channels);
    this.#data = new Uint8Array(ring.shared, controlBytes(ring.channels), ring.capacity);
    this.#units = ring.capacity >> UNIT_SHIFT;
    this.#tail = Atomics.load(this.#control, TAIL);
  }

  /** Bytes that can be written now. */
  free(): number {
    return (this.#units - ((this.#tail - Atomics.load(this.#control, HEAD)) | 0)) << UNIT_SHIFT;
  }

  /** Copies what fits of `bytes` [from, to), whole units, and makes it visible. Returns the bytes copied. */
  write(bytes: Uint8Array, from: number, to: number): number {
    const length = Math.min(to - from, this.free());
    if (length <= 0) return 0;
    const at = (this.#tail & (this.#units - 1)) << UNIT_SHIFT;
    const first = Math.min(length, this.#data.length - at);
    this.#data.set(bytes.subarray(from, from + first), at);
    if (first < length) this.#data.set(bytes.subarray(from + first, from + length), 0);
    this.#tail = (this.#tail + (length >> UNIT_SHIFT)) | 0;
    Atomics.store(this.#control, TAIL, this.#tail);
    return length;
  }

  /** The writer waits for room or credit. Try once more behind it: either that succeeds or the reader sees the flag. */
  stall(): void {
    Atomics.store(this.#control, STALLED, 1);
  }

  /** Units of `channel` that the reader has processed since the start, modulo 2^32. */
  processed(channel: number): number {
    return Atomics.load(this.#control, CREDITS + channel);
  }
}

/** The reader's end. */
export class RingReader {
  readonly #control: Int32Array;
  readonly #data: Uint8Array;
  readonly #units: number;
  #head = 0;

  constructor(ring: RingMemory) {
    this.#control = new Int32Array(ring.shared, 0, CREDITS + ring.channels);
    this.#data = new Uint8Array(ring.shared, controlBytes(ring.channels), ring.capacity);
    this.#units = ring.capacity >> UNIT_SHIFT;
    this.#head = Atomics.load(this.#control, HEAD);
  }

  /** Bytes that can be read now. */
  available(): number {
    return ((Atomics.load(this.#control, TAIL) - this.#head) | 0) << UNIT_SHIFT;
  }

  /** Copies `length` bytes from the front into `target` at `at` without taking them. They must be available. */
  peek(target: Uint8Array, at: number, length: number): void {
    const from = (this.#head & (this.#units - 1)) << UNIT_SHIFT;
    const first = Math.min(length, this.#data.length - from);
    target.set(this.#data.subarray(from, from + first), at);
    if (first < length) target.set(this.#data.subarray(0, length - first), at + first);
  }

  /** Takes what is available up to `length` bytes, whole units, into `target` at `at`. Returns the bytes taken. */
  read(target: Uint8Array, at: number, length: number): number {
    const taken = Math.min(length, this.available());
    if (taken <= 0) return 0;
    this.peek(target, at, taken);
    this.#head = (this.#head + (taken >> UNIT_SHIFT)) | 0;
    Atomics.store(this.#control, HEAD, this.#head);
    return taken;
  }

  /** Whether the writer waits for what was just given back, room or credit; says so once. */
  takeStalled(): boolean {
    return Atomics.load(this.#control, STALLED) === 1 && Atomics.exchange(this.#control, STALLED, 0) === 1;
  }

  /** Gives back credit: `bytes` of `channel` have been processed. */
  process(channel: number, bytes: number): void {
    Atomics.add(this.#control, CREDITS + channel, bytes >> UNIT_SHIFT);
  }
}

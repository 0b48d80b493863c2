/**
 * The sending side of one link: queues frames per channel and writes them into the link's ring as far as ring and credit allow. Frames of
 * one channel keep their order, control frames included; channels take turns, so that one without credit does not hold up the others.
 */

import { must } from "../../core/assert.ts";
import type { RingWriter } from "./ring.ts";

/** A frame on its way out: in the module's memory at `pointer`, or `control` bytes. */
interface OutFrame {
  readonly pointer: number;
  readonly length: number;
  readonly control: Uint8Array | undefined;
}

interface OutChannel {
  readonly edge: number;
  readonly credit: number;
  readonly queue: OutFrame[];
  sentUnits: number;
}

/** What an outbox needs from its slot. */
export interface OutboxOwner {
  readonly memory: Uint8Array;
  /** The frame at `pointer` has been copied. */
  release(pointer: number): void;
  /** Data bytes on `edge` that still wait changed by `bytes`. */
  waiting(edge: number, bytes: number): void;
}

/** See the file's comment. */
export class Outbox {
  readonly #writer: RingWriter;
  readonly #owner: OutboxOwner;
  readonly #windowUnits: number;
  readonly #channels: OutChannel[] = [];
  readonly #byCredit = new Map<number, OutChannel>();
  #current: OutFrame | undefined;
  #currentChannel: OutChannel | undefined;
  #written = 0;
  #turn = 0;
  #queued = 0;

  /** `windowBytes`: data bytes of one channel that may be unprocessed at the receiver; one frame more may be under way. */
  constructor(writer: RingWriter, owner: OutboxOwner, windowBytes: number) {
    this.#writer = writer;
    this.#owner = owner;
    this.#windowUnits = windowBytes >> 6;
  }

  /** Frames that wait. */
  get length(): number {
    return this.#queued;
  }

  /** Queues a frame of the module on channel `credit` (its number in the ring) of `edge`; takes ownership. */
  enqueue(edge: number, credit: number, pointer: number, length: number): void {
    this.#channel(edge, credit).queue.push({ pointer, length, control: undefined });
    this.#owner.waiting(edge, length);
    this.#queued++;
  }

  /** Queues a control frame. */
  enqueueControl(edge: number, credit: number, control: Uint8Array): void {
    this.#channel(edge, credit).queue.push({ pointer: 0, length: control.length, control });
    this.#queued++;
  }

  #channel(edge: number, credit: number): OutChannel {
    let channel = this.#byCredit.get(credit);
    if (channel === undefined) {
      channel = { edge, credit, queue: [], sentUnits: 0 };
      this.#byCredit.set(credit, channel);
      this.#channels.push(channel);
    }
    return channel;
  }

  /** Writes what ring and credit allow; asks to be woken for the rest. True if anything was written. */
  flush(): boolean {
    if (this.length === 0) return false;
    const wrote = this.#write();
    if (this.length === 0) return wrote;
    this.#writer.stall();
    return this.#write() || wrote;
  }

  #write(): boolean {
    let wrote = false;
    while (this.#current !== undefined || this.#next()) {
      const frame = must(this.#current, "the frame being written");
      const bytes = frame.control ?? this.#owner.memory;
      const from = frame.pointer + this.#written;
      const n = this.#writer.write(bytes, from, frame.pointer + frame.length);
      this.#written += n;
      wrote ||= n > 0;
      if (this.#written < frame.length) return wrote;
      this.#finish(frame);
    }
    return wrote;
  }

  #finish(frame: OutFrame): void {
    const channel = must(this.#currentChannel, "the channel being written");
    if (frame.control === undefined) {
      this.#owner.release(frame.pointer);
      this.#owner.waiting(channel.edge, -frame.length);
    }
    this.#current = undefined;
    this.#written = 0;
    this.#queued--;
  }

  /** Picks the next frame whose channel has credit; control frames need none. */
  #next(): boolean {
    const count = this.#channels.length;
    for (let i = 0; i < count; i++) {
      const channel = this.#channels[(this.#turn + i) % count] as OutChannel;
      const frame = channel.queue[0];
      if (frame === undefined) continue;
      if (frame.control === undefined) {
        const unprocessed = (channel.sentUnits - this.#writer.processed(channel.credit)) | 0;
        if (unprocessed >= this.#windowUnits) continue;
        channel.sentUnits = (channel.sentUnits + (frame.length >> 6)) | 0;
      }
      channel.queue.shift();
      this.#current = frame;
      this.#currentChannel = channel;
      this.#turn = (this.#turn + i + 1) % count;
      return true;
    }
    return false;
  }
}

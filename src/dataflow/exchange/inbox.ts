/**
 * The receiving side: empties the rings of all links into queues, one per channel, where frames wait in the module's memory until the slot
 * may deliver them. A ring is emptied whether or not a channel is blocked; what bounds the queues is the senders' credit, which is given
 * back when a frame has been delivered.
 */
import { must } from "../../core/assert.ts";
import { internalError } from "../../core/errors.ts";
import { FRAME_HEADER, FRAME_KINDS, FRAME_MAGIC, FRAME_VERSION, type FrameKind } from "../../data/frame.ts";
import type { RingReader } from "./ring.ts";

/** Every frame is at least this long. */
const SMALLEST_FRAME = 128;

/** A frame that waits for delivery. Control frames have no pointer. */
export interface InFrame {
  readonly kind: FrameKind;
  /** Address in the module's memory; 0 for control frames. */
  readonly pointer: number;
  readonly length: number;
  readonly rows: number;
  /** Watermark in ns or epoch; 0 for data. */
  readonly argument: bigint;
  readonly holderVertex: number;
  readonly holderPartition: number;
}

/** A channel into this slot. */
export interface InChannel {
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  /** Number of the channel among the target's inputs. */
  readonly input: number;
  readonly queue: InFrame[];
  /** Where its credit is given back; undefined: the channel begins in this slot. */
  readonly link: InLink | undefined;
}

/** One ring into this slot and the frame that is arriving on it. */
export class InLink {
  readonly #reader: RingReader;
  readonly #creditOf: (edge: number, source: number) => number;
  readonly #header = new Uint8Array(SMALLEST_FRAME);
  readonly #view = new DataView(this.#header.buffer);
  readonly #fence: bigint;
  #pointer = 0;
  #length = 0;
  #filled = 0;

  /** `creditOf`: number of a channel in the ring. Frames of another `fence` are refused. */
  constructor(reader: RingReader, creditOf: (edge: number, source: number) => number, fence: bigint) {
    this.#reader = reader;
    this.#creditOf = creditOf;
    this.#fence = fence;
  }

  /** Whether the sender waits for what was just given back. */
  takeStalled(): boolean {
    return this.#reader.takeStalled();
  }

  /** Gives back the credit of a delivered data frame. */
  processed(channel: InChannel, frame: InFrame): void {
    this.#reader.process(this.#creditOf(channel.edge, channel.source), frame.length);
  }

  /**
   * Takes all frames that have come. `allocate` gives memory for a frame, `deliver` gets each complete one. True if any bytes were taken.
   */
  poll(memory: Uint8Array, allocate: (length: number) => number, deliver: (edge: number, source: number, frame: InFrame) => void): boolean {
    let took = false;
    for (;;) {
      if (this.#length === 0 && !this.#begin(allocate)) return took;
      took = true;
      const control = this.#pointer === 0;
      const taken = control
        ? this.#reader.read(this.#header, this.#filled, this.#length - this.#filled)
        : this.#reader.read(memory, this.#pointer + this.#filled, this.#length - this.#filled);
      this.#filled += taken;
      if (this.#filled < this.#length) return took;
      const view = this.#view;
      deliver(view.getUint32(FRAME_HEADER.edge, true), view.getUint16(FRAME_HEADER.source, true), this.#frame());
      this.#length = 0;
    }
  }

  #begin(allocate: (length: number) => number): boolean {
    if (this.#reader.available() < SMALLEST_FRAME) return false;
    this.#reader.peek(this.#header, 0, SMALLEST_FRAME);
    const view = this.#view;
    checkHeader(view, this.#fence);
    const kind = must(FRAME_KINDS[view.getUint8(FRAME_HEADER.kind)], "the frame's kind");
    this.#length = view.getUint32(FRAME_HEADER.length, true);
    this.#filled = 0;
    this.#pointer = kind === "data" || kind === "encoded" ? allocate(this.#length) : 0;
    return true;
  }

  #frame(): InFrame {
    const view = this.#view;
    return {
      kind: must(FRAME_KINDS[view.getUint8(FRAME_HEADER.kind)], "the frame's kind"),
      pointer: this.#pointer,
      length: this.#length,
      rows: view.getUint32(FRAME_HEADER.rows, true),
      argument: view.getBigInt64(FRAME_HEADER.argument, true),
      holderVertex: view.getUint32(FRAME_HEADER.holderVertex, true),
      holderPartition: view.getUint32(FRAME_HEADER.holderPartition, true),
    };
  }
}

/** Checks magic, version and fence of the frame header at the start of `view`. Throws `version-mismatch` or `fenced` in words. */
export function checkHeader(view: DataView, fence: bigint): void {
  const magic = view.getUint32(FRAME_HEADER.magic, true);
  const version = view.getUint16(FRAME_HEADER.version, true);
  if (magic !== FRAME_MAGIC || version !== FRAME_VERSION) {
    throw internalError(
      "version-mismatch",
      `received a frame of version ${version} (magic ${magic.toString(16)}), this build reads ${FRAME_VERSION}`,
    );
  }
  const found = view.getBigUint64(FRAME_HEADER.fence, true);
  if (found !== fence) throw internalError("fenced", `received a frame of run fence ${found}, this run has ${fence}`);
}

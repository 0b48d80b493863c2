/**
 * The wire between two workers: frames as they are, credits beside them. One connection per ordered pair of workers, opened by the sender:
 * frames flow one way, credits the other.
 *
 * Bytes after the handshake, little-endian. Sender → receiver: frames with their checksum set (CRC-32 of the frame with that field 0; the
 * header calls the field crc32c for Parquet's sake, the wire uses zlib's CRC-32, which Node computes natively). Receiver → sender: credits
 * of 16 bytes: u32 edge, u16 source, u16 target, u32 bytes processed, u32 unused.
 *
 * Handshake: the sender says "WADI", u16 wire version, u16 frame version, u16 worker, u16 unused, u64 run fence, then 32 bytes of
 * SHA-256 over credential, fence and worker; the receiver answers one byte, 0 or a refusal code, and closes after a refusal.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { type AppError, externalError, internalError } from "../../core/errors.ts";
import { FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_VERSION } from "../../data/frame.ts";
import { checkHeader } from "./inbox.ts";

/** Refused in words when it differs. */
export const WIRE_VERSION = 1;
/** Bytes of the sender's handshake. */
export const HELLO_BYTES = 52;
/** Bytes of a credit. */
export const CREDIT_BYTES = 16;
/** No frame is longer: a length beyond it is damage, not data. */
const MAX_FRAME_BYTES = 1 << 30;

/** Answers to a handshake. */
export const ANSWER = { welcome: 0, wireVersion: 1, frameVersion: 2, fence: 3, credential: 4 } as const;

/** Who speaks, for which run. */
export interface Hello {
  readonly worker: number;
  readonly fence: bigint;
  readonly credential: string;
}

function proof(hello: Hello): Buffer {
  return createHash("sha256").update(`${hello.credential}\n${hello.fence}\n${hello.worker}`).digest();
}

/** The sender's handshake. */
export function encodeHello(hello: Hello): Buffer {
  const bytes = Buffer.alloc(HELLO_BYTES);
  bytes.write("WADI", 0, "latin1");
  bytes.writeUInt16LE(WIRE_VERSION, 4);
  bytes.writeUInt16LE(FRAME_VERSION, 6);
  bytes.writeUInt16LE(hello.worker, 8);
  bytes.writeBigUInt64LE(hello.fence, 12);
  proof(hello).copy(bytes, 20);
  return bytes;
}

/** Judges a handshake: the sender's worker number, or the answer that refuses it. */
export function judgeHello(
  bytes: Uint8Array,
  run: { readonly fence: bigint; readonly credential: string },
): { readonly worker: number } | { readonly refused: number } {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (b.toString("latin1", 0, 4) !== "WADI" || b.readUInt16LE(4) !== WIRE_VERSION) return { refused: ANSWER.wireVersion };
  if (b.readUInt16LE(6) !== FRAME_VERSION) return { refused: ANSWER.frameVersion };
  const worker = b.readUInt16LE(8);
  if (b.readBigUInt64LE(12) !== run.fence) return { refused: ANSWER.fence };
  if (!timingSafeEqual(proof({ ...run, worker }), b.subarray(20, HELLO_BYTES))) return { refused: ANSWER.credential };
  return { worker };
}

/** A refusal in words, for the sender. Undefined for a welcome. */
export function refusalError(answer: number, peer: string): AppError | undefined {
  switch (answer) {
    case ANSWER.welcome:
      return undefined;
    case ANSWER.wireVersion:
      return internalError("version-mismatch", `worker at ${peer} does not speak wire version ${WIRE_VERSION}`);
    case ANSWER.frameVersion:
      return internalError("version-mismatch", `worker at ${peer} does not read frames of version ${FRAME_VERSION}`);
    case ANSWER.fence:
      return internalError("fenced", `worker at ${peer} belongs to another run`);
    case ANSWER.credential:
      return externalError("permission-denied", `worker at ${peer} refused the run's credential`, { retry: "never" });
    default:
      return internalError("version-mismatch", `worker at ${peer} answered the handshake with ${answer}`);
  }
}

/** Sets the checksum of the frame in `frame`. */
export function sealFrame(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint32(FRAME_HEADER.checksum, 0, true);
  view.setUint32(FRAME_HEADER.checksum, crc32(frame), true);
}

/** Verifies and clears the checksum. Throws `checksum-mismatch`. */
export function openFrame(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const expected = view.getUint32(FRAME_HEADER.checksum, true);
  view.setUint32(FRAME_HEADER.checksum, 0, true);
  if (crc32(frame) !== expected) throw externalError("checksum-mismatch", "a frame from another worker arrived damaged");
}

/** One credit. */
export interface Credit {
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  readonly bytes: number;
}

/** Credits as bytes. */
export function encodeCredits(credits: readonly Credit[]): Buffer {
  const bytes = Buffer.alloc(credits.length * CREDIT_BYTES);
  for (const [i, credit] of credits.entries()) {
    bytes.writeUInt32LE(credit.edge, i * CREDIT_BYTES);
    bytes.writeUInt16LE(credit.source, i * CREDIT_BYTES + 4);
    bytes.writeUInt16LE(credit.target, i * CREDIT_BYTES + 6);
    bytes.writeUInt32LE(credit.bytes, i * CREDIT_BYTES + 8);
  }
  return bytes;
}

/** Cuts a byte stream into pieces of a length that each piece's beginning tells. Holds at most one incomplete piece. */
export class StreamCutter {
  readonly #headBytes: number;
  readonly #lengthOf: (head: Uint8Array) => number;
  #piece = new Uint8Array(0);
  #length = 0;
  #filled = 0;

  /** `lengthOf` sees the first `headBytes` of a piece and says how long all of it is. */
  constructor(headBytes: number, lengthOf: (head: Uint8Array) => number) {
    this.#headBytes = headBytes;
    this.#lengthOf = lengthOf;
    this.#piece = new Uint8Array(headBytes);
  }

  /** Takes `bytes`; every complete piece goes to `take`, which may keep it. */
  push(bytes: Uint8Array, take: (piece: Uint8Array) => void): void {
    let at = 0;
    while (at < bytes.length) {
      const wanted = (this.#length === 0 ? this.#headBytes : this.#length) - this.#filled;
      const n = Math.min(wanted, bytes.length - at);
      this.#piece.set(bytes.subarray(at, at + n), this.#filled);
      this.#filled += n;
      at += n;
      if (n < wanted) return;
      if (this.#length === 0) this.#grow();
      if (this.#filled < this.#length) continue;
      const piece = this.#piece;
      this.#length = 0;
      this.#filled = 0;
      this.#piece = new Uint8Array(this.#headBytes);
      take(piece);
    }
  }

  #grow(): void {
    this.#length = this.#lengthOf(this.#piece);
    const whole = new Uint8Array(this.#length);
    whole.set(this.#piece);
    this.#piece = whole;
  }
}

/** Cuts frames of run `fence`; damaged lengths and foreign fences are refused in words. */
export function frameCutter(fence: bigint): StreamCutter {
  return new StreamCutter(FRAME_HEADER_SIZE, (head) => {
    const view = new DataView(head.buffer, head.byteOffset);
    checkHeader(view, fence);
    const length = view.getUint32(FRAME_HEADER.length, true);
    if (length < FRAME_HEADER_SIZE || length > MAX_FRAME_BYTES || length % 64 !== 0) {
      throw externalError("checksum-mismatch", `a frame from another worker claims ${length} bytes`);
    }
    return length;
  });
}

/** Cuts credits. */
export function creditCutter(): StreamCutter {
  return new StreamCutter(CREDIT_BYTES, () => CREDIT_BYTES);
}

/** The credit in `bytes`. */
export function decodeCredit(bytes: Uint8Array): Credit {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    edge: view.getUint32(0, true),
    source: view.getUint16(4, true),
    target: view.getUint16(6, true),
    bytes: view.getUint32(8, true),
  };
}

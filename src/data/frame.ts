/**
 * Frames: relocatable blocks of bytes, the one format in which rows leave a slot (ring, TCP) or are kept (checkpoint).
 * Inside a slot operators hand on *batches*: column pointers into memory (`runtime/batch.ts`); a frame is a batch laid
 * out contiguously with offsets relative to its start.
 *
 * Layout, little-endian, mirrored by `runtime/frame.ts` and pinned by a golden:
 *
 *   header (96 bytes) | column directory (16 bytes a column) | buffers, 64-byte aligned, padded by ≥ 64 bytes
 *
 * Column directory entry: u32 offset of values, u32 offset of validity (0: no NULLs), u32 offset of the variable-length
 * bytes (0: fixed width), u32 length of those bytes. Values of a variable-length column are rows + 1 u32 offsets that
 * start at 0. Validity is one byte a row, 1 = present. Booleans are one byte a row.
 */
import { internalError } from "../core/errors.ts";

/** "WDF1" read as little-endian u32. */
export const FRAME_MAGIC = 0x31464457;
/** Refused in words when it differs. */
export const FRAME_VERSION = 1;

/** What a frame is for. */
export const FRAME_KINDS = ["data", "watermark", "idle", "barrier", "end", "encoded", "state"] as const;
/**
 * `data`: rows · `watermark`: argument is event time in ns · `idle`: the channel has nothing to say until it says it ·
 * `barrier`: argument is the epoch · `end`: no more frames on this channel · `encoded`: `rows` rows already encoded by a
 * sink's format, one blob · `state`: rows of a state table's segment (argument is the partition).
 */
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Byte offsets of the header's fields. */
export const FRAME_HEADER = {
  magic: 0, // u32
  version: 4, // u16
  kind: 6, // u8, index into FRAME_KINDS
  flags: 7, // u8
  length: 8, // u32, bytes of the whole frame, a multiple of 64
  rows: 12, // u32
  edge: 16, // u32; vertex for state frames
  source: 20, // u16 subtask; table for state frames
  target: 22, // u16 subtask
  argument: 24, // i64
  fence: 32, // u64 run fence
  columns: 40, // u32 number of columns
  checksum: 44, // u32, crc32c of the frame with this field 0; 0 inside a process
  holderVertex: 48, // u32, watermark frames: the source vertex that holds it back
  holderPartition: 52, // u32, watermark frames: that source's partition
  segment: 56, // u32, state frames: segment index
  bytes: 60, // u32, encoded frames: length of the blob, which starts at 96
} as const;

/** Size of the header in bytes. */
export const FRAME_HEADER_SIZE = 96;
/**
 * Size of one column directory entry in bytes.
 * @public part of the format
 */
export const COLUMN_ENTRY_SIZE = 16;
/**
 * Rows of a batch at most.
 * @public part of the format
 */
export const BATCH_ROWS = 8192;

/** The header as values. */
export interface FrameHeader {
  readonly kind: FrameKind;
  readonly flags: number;
  readonly length: number;
  readonly rows: number;
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  readonly argument: bigint;
  readonly fence: bigint;
  readonly columns: number;
  readonly holderVertex: number;
  readonly holderPartition: number;
  readonly segment: number;
  readonly bytes: number;
}

/** Reads and checks the header at `offset`. Throws `version-mismatch` for another magic or version. */
export function readFrameHeader(bytes: Uint8Array, offset = 0): FrameHeader {
  const v = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const magic = v.getUint32(FRAME_HEADER.magic, true);
  const version = v.getUint16(FRAME_HEADER.version, true);
  if (magic !== FRAME_MAGIC || version !== FRAME_VERSION) {
    throw internalError(
      "version-mismatch",
      `frame has magic ${magic.toString(16)} version ${version}, this build reads version ${FRAME_VERSION}`,
    );
  }
  const kind = FRAME_KINDS[v.getUint8(FRAME_HEADER.kind)];
  if (kind === undefined) throw internalError("version-mismatch", `frame has an unknown kind ${v.getUint8(FRAME_HEADER.kind)}`);
  return {
    kind,
    flags: v.getUint8(FRAME_HEADER.flags),
    length: v.getUint32(FRAME_HEADER.length, true),
    rows: v.getUint32(FRAME_HEADER.rows, true),
    edge: v.getUint32(FRAME_HEADER.edge, true),
    source: v.getUint16(FRAME_HEADER.source, true),
    target: v.getUint16(FRAME_HEADER.target, true),
    argument: v.getBigInt64(FRAME_HEADER.argument, true),
    fence: v.getBigUint64(FRAME_HEADER.fence, true),
    columns: v.getUint32(FRAME_HEADER.columns, true),
    holderVertex: v.getUint32(FRAME_HEADER.holderVertex, true),
    holderPartition: v.getUint32(FRAME_HEADER.holderPartition, true),
    segment: v.getUint32(FRAME_HEADER.segment, true),
    bytes: v.getUint32(FRAME_HEADER.bytes, true),
  };
}

/** Fields of a control frame (`watermark`, `idle`, `barrier`, `end`); the rest is 0. */
export interface ControlFrame {
  readonly kind: "watermark" | "idle" | "barrier" | "end";
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  readonly fence: bigint;
  readonly argument?: bigint;
  readonly holderVertex?: number;
  readonly holderPartition?: number;
}

/** A control frame: a header of 96 bytes padded to 128, no columns. */
export function makeControlFrame(frame: ControlFrame): Uint8Array {
  const bytes = new Uint8Array(128);
  const v = new DataView(bytes.buffer);
  v.setUint32(FRAME_HEADER.magic, FRAME_MAGIC, true);
  v.setUint16(FRAME_HEADER.version, FRAME_VERSION, true);
  v.setUint8(FRAME_HEADER.kind, FRAME_KINDS.indexOf(frame.kind));
  v.setUint32(FRAME_HEADER.length, bytes.length, true);
  v.setUint32(FRAME_HEADER.edge, frame.edge, true);
  v.setUint16(FRAME_HEADER.source, frame.source, true);
  v.setUint16(FRAME_HEADER.target, frame.target, true);
  v.setBigInt64(FRAME_HEADER.argument, frame.argument ?? 0n, true);
  v.setBigUint64(FRAME_HEADER.fence, frame.fence, true);
  v.setUint32(FRAME_HEADER.holderVertex, frame.holderVertex ?? 0, true);
  v.setUint32(FRAME_HEADER.holderPartition, frame.holderPartition ?? 0, true);
  return bytes;
}

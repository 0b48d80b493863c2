/**
 * Bytes of a table file, version 1, little-endian; pinned by `test/golden/wire/table-file.json`.
 *
 *   header (64) | records: header (40) + payload | index: one entry (40) a record | trailer (40)
 *
 *   header  "WADITBL\0", u32 version, u32 vertex, u32 subtask, u32 parallelism, u64 epoch, u64 run fence, 20 × 0, u32 checksum of the above
 *   record  u32 "WSG1", u32 table, i64 partition, u32 segment, u32 rows, u32 flags (1: payload is deflated), u32 payload length,
 *           u32 frame length, u32 checksum of the above and the payload
 *   index   u32 table, u32 segment, i64 partition, u64 offset, u32 length, u32 rows, u32 record's checksum, u32 frame length
 *   trailer u64 offset of the index, u32 records, u32 checksum of the index, u64 run fence, u32 version, u32 checksum of the above, "WADIEND\0"
 *
 * Checksums are CRC-32 (zlib's polynomial; node:zlib has it since 20.15). Every byte of the file is under one. Size and place of header,
 * record header and trailer, and of the checksums in them, are the same in every version: a checksum is checked before a version, so that a
 * flipped bit is never mistaken for a file of the future. Subtask and parallelism give the range of key groups (`data/key-group.ts`).
 */
import { type AppError, externalError } from "../core/errors.ts";
import { checksumOf } from "./checksum.ts";
import { describeSegment, type SegmentMeta, type SegmentRef } from "./segment.ts";

/** Version written, and the only one read. */
export const TABLE_FILE_VERSION = 1;
/** Bytes of the file's header. */
export const HEADER_BYTES = 64;
/** Bytes before a record's payload. */
export const RECORD_HEADER_BYTES = 40;
/** Bytes of an index entry. */
export const INDEX_ENTRY_BYTES = 40;
/** Bytes of the trailer. */
export const TRAILER_BYTES = 40;

const MAGIC = Buffer.from("WADITBL\0", "latin1");
const END_MAGIC = Buffer.from("WADIEND\0", "latin1");
/** "WSG" and the version's digit, read as u32. */
const RECORD_MAGIC = 0x31475357;
const DEFLATED = 1;

/** Whose segments a file holds. */
export interface TableFileHeader {
  readonly vertex: number;
  readonly subtask: number;
  readonly parallelism: number;
  readonly epoch: number;
  readonly fence: bigint;
}

/** A record before its payload. */
export interface RecordHeader extends SegmentMeta {
  readonly deflated: boolean;
  readonly payloadLength: number;
  readonly frameLength: number;
}

/** Where the index is. */
export interface Trailer {
  readonly indexOffset: number;
  readonly count: number;
  readonly indexChecksum: number;
  readonly fence: bigint;
}

/** An index entry: a reference without its file, plus the frame's length. */
export type IndexEntry = Omit<SegmentRef, "file"> & { readonly frameLength: number };

/** `checksum-mismatch` of `file` at byte `offset`. `what` says what is wrong there. */
export function damaged(file: string, offset: number, what: string): AppError {
  return externalError("checksum-mismatch", `file "${file}" is damaged at byte ${offset}: ${what}`, { retry: "never" });
}

/** The 64 bytes of a header. */
export function encodeHeader(header: TableFileHeader): Uint8Array {
  const { bytes, view } = block(HEADER_BYTES);
  bytes.set(MAGIC);
  view.setUint32(8, TABLE_FILE_VERSION, true);
  view.setUint32(12, header.vertex, true);
  view.setUint32(16, header.subtask, true);
  view.setUint32(20, header.parallelism, true);
  view.setBigUint64(24, BigInt(header.epoch), true);
  view.setBigUint64(32, header.fence, true);
  view.setUint32(60, checksumOf(bytes.subarray(0, 60)), true);
  return bytes;
}

/** The inverse of `encodeHeader`. Throws `checksum-mismatch` or `version-mismatch`. */
export function decodeHeader(bytes: Uint8Array, file: string): TableFileHeader {
  const view = viewOf(bytes);
  if (!startsWith(bytes, MAGIC) || view.getUint32(60, true) !== checksumOf(bytes.subarray(0, 60)))
    throw damaged(file, 0, "the header's checksum is wrong");
  checkVersion(view.getUint32(8, true), file);
  return {
    vertex: view.getUint32(12, true),
    subtask: view.getUint32(16, true),
    parallelism: view.getUint32(20, true),
    epoch: Number(view.getBigUint64(24, true)),
    fence: view.getBigUint64(32, true),
  };
}

/** The 40 bytes before `payload`, and the record's checksum. */
export function encodeRecordHeader(header: RecordHeader, payload: Uint8Array): { readonly bytes: Uint8Array; readonly checksum: number } {
  const { bytes, view } = block(RECORD_HEADER_BYTES);
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint32(4, header.table, true);
  view.setBigInt64(8, header.partition, true);
  view.setUint32(16, header.segment, true);
  view.setUint32(20, header.rows, true);
  view.setUint32(24, header.deflated ? DEFLATED : 0, true);
  view.setUint32(28, header.payloadLength, true);
  view.setUint32(32, header.frameLength, true);
  const checksum = checksumOf(payload, checksumOf(bytes.subarray(0, 36)));
  view.setUint32(36, checksum, true);
  return { bytes, checksum };
}

/**
 * Header and payload of the record that is exactly `bytes`, which was read from `ref`. Throws `checksum-mismatch` if it is not the record
 * that the reference recorded, `version-mismatch` if this build cannot read it.
 */
export function decodeRecord(bytes: Uint8Array, ref: SegmentRef): { readonly header: RecordHeader; readonly payload: Uint8Array } {
  const fault = (what: string) => damaged(ref.file, ref.offset, `${what} of ${describeSegment(ref)}`);
  if (bytes.length < RECORD_HEADER_BYTES) throw fault("the record is too short");
  const view = viewOf(bytes);
  const payload = bytes.subarray(RECORD_HEADER_BYTES);
  const checksum = checksumOf(payload, checksumOf(bytes.subarray(0, 36)));
  if (checksum !== view.getUint32(36, true)) throw fault("the checksum is wrong in the record");
  if (checksum !== ref.checksum) throw fault("another version is stored than the one recorded");
  const magic = view.getUint32(0, true);
  if (magic !== RECORD_MAGIC) checkVersion((magic >>> 24) - 0x30, ref.file);
  const header: RecordHeader = {
    table: view.getUint32(4, true),
    partition: view.getBigInt64(8, true),
    segment: view.getUint32(16, true),
    rows: view.getUint32(20, true),
    deflated: (view.getUint32(24, true) & DEFLATED) !== 0,
    payloadLength: view.getUint32(28, true),
    frameLength: view.getUint32(32, true),
  };
  const same = header.table === ref.table && header.partition === ref.partition && header.segment === ref.segment;
  if (!same || header.rows !== ref.rows || header.payloadLength !== payload.length) throw fault("another record is stored in place");
  return { header, payload };
}

/** All index entries. */
export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  const { bytes, view } = block(entries.length * INDEX_ENTRY_BYTES);
  let at = 0;
  for (const entry of entries) {
    view.setUint32(at, entry.table, true);
    view.setUint32(at + 4, entry.segment, true);
    view.setBigInt64(at + 8, entry.partition, true);
    view.setBigUint64(at + 16, BigInt(entry.offset), true);
    view.setUint32(at + 24, entry.length, true);
    view.setUint32(at + 28, entry.rows, true);
    view.setUint32(at + 32, entry.checksum, true);
    view.setUint32(at + 36, entry.frameLength, true);
    at += INDEX_ENTRY_BYTES;
  }
  return bytes;
}

/** The inverse of `encodeIndex`, for bytes whose checksum has been checked. */
export function decodeIndex(bytes: Uint8Array): readonly IndexEntry[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / INDEX_ENTRY_BYTES }, (_, i) => {
    const at = i * INDEX_ENTRY_BYTES;
    return {
      table: view.getUint32(at, true),
      segment: view.getUint32(at + 4, true),
      partition: view.getBigInt64(at + 8, true),
      offset: Number(view.getBigUint64(at + 16, true)),
      length: view.getUint32(at + 24, true),
      rows: view.getUint32(at + 28, true),
      checksum: view.getUint32(at + 32, true),
      frameLength: view.getUint32(at + 36, true),
    };
  });
}

/** The 40 bytes of a trailer. */
export function encodeTrailer(trailer: Trailer): Uint8Array {
  const { bytes, view } = block(TRAILER_BYTES);
  view.setBigUint64(0, BigInt(trailer.indexOffset), true);
  view.setUint32(8, trailer.count, true);
  view.setUint32(12, trailer.indexChecksum, true);
  view.setBigUint64(16, trailer.fence, true);
  view.setUint32(24, TABLE_FILE_VERSION, true);
  view.setUint32(28, checksumOf(bytes.subarray(0, 28)), true);
  bytes.set(END_MAGIC, 32);
  return bytes;
}

/** The inverse of `encodeTrailer`; `offset` is where it was read. Throws `checksum-mismatch` or `version-mismatch`. */
export function decodeTrailer(bytes: Uint8Array, file: string, offset: number): Trailer {
  const view = viewOf(bytes);
  const whole = startsWith(bytes.subarray(32), END_MAGIC) && view.getUint32(28, true) === checksumOf(bytes.subarray(0, 28));
  if (!whole) throw damaged(file, offset, "the end of the file is missing or its checksum is wrong");
  checkVersion(view.getUint32(24, true), file);
  return {
    indexOffset: Number(view.getBigUint64(0, true)),
    count: view.getUint32(8, true),
    indexChecksum: view.getUint32(12, true),
    fence: view.getBigUint64(16, true),
  };
}

function checkVersion(version: number, file: string): void {
  if (version === TABLE_FILE_VERSION) return;
  throw externalError(
    "version-mismatch",
    `file "${file}" has table file version ${version}, this build reads version ${TABLE_FILE_VERSION}`,
    {
      retry: "never",
      hint: "It was written by another version of Wadi: run that version, or a newer one that reads both.",
    },
  );
}

function block(length: number): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: viewOf(bytes) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, magic.length), magic) === 0;
}

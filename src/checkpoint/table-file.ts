/**
 * Writes and reads table files: the segments of one vertex and subtask that changed in one epoch. Frames are opaque bytes here. Format and
 * errors: `table-format.ts`.
 */
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { assert } from "../core/assert.ts";
import type { ObjectStore, ObjectWriter } from "../storage/object-store.ts";
import { checksumOf } from "./checksum.ts";
import { compareSegments, type FileRef, type SegmentMeta, type SegmentRef } from "./segment.ts";
import {
  damaged,
  decodeHeader,
  decodeIndex,
  decodeRecord,
  decodeTrailer,
  encodeHeader,
  encodeIndex,
  encodeRecordHeader,
  encodeTrailer,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  type IndexEntry,
  RECORD_HEADER_BYTES,
  type TableFileHeader,
  TRAILER_BYTES,
} from "./table-format.ts";

// In libuv's thread pool, not on the slot's thread.
const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Fast and nearly as small as more on state: most of the gain is zero padding. */
const DEFLATE_LEVEL = 1;
/** Segments are at most 1 MiB; a record much larger is a defect, and its length must fit 32 bits. */
const MAX_FRAME_BYTES = 1 << 30;

/** Writes one table file. After an error only `abort` may be called. */
export class TableFileWriter {
  readonly #writer: ObjectWriter;
  readonly #path: string;
  readonly #header: TableFileHeader;
  readonly #entries: IndexEntry[] = [];
  #size = 0;
  #checksum = 0;
  /** The newest append: the next one stores after it. */
  #last: Promise<SegmentRef> | undefined;

  private constructor(writer: ObjectWriter, path: string, header: TableFileHeader) {
    this.#writer = writer;
    this.#path = path;
    this.#header = header;
  }

  /** Begins a file; nothing is visible in the store before `finish`. */
  static async open(store: ObjectStore, path: string, header: TableFileHeader): Promise<TableFileWriter> {
    const file = new TableFileWriter(await store.openWriter(path), path, header);
    await file.#append(encodeHeader(header));
    return file;
  }

  /** Number of segments appended. */
  get count(): number {
    return this.#entries.length;
  }

  /**
   * Appends a segment's frame, deflated if that makes it smaller; returns its reference, valid once `finish` has resolved. Calls may overlap:
   * frames are deflated side by side and stored in the order of the calls. The buffer belongs to the writer until the promise resolves.
   */
  append(segment: SegmentMeta, frame: Uint8Array): Promise<SegmentRef> {
    assert(frame.length <= MAX_FRAME_BYTES, `a state frame of ${frame.length} bytes exceeds ${MAX_FRAME_BYTES} bytes`);
    // One chunk for the whole output: each further one would be a trip to the thread pool and back.
    const packing = deflate(frame, { level: DEFLATE_LEVEL, chunkSize: Math.max(64, frame.length) });
    const stored = Promise.all([packing, this.#last]).then(([packed]) => this.#store(segment, frame, packed));
    this.#last = stored;
    return stored;
  }

  /** Writes index and trailer and makes the file visible and durable. */
  async finish(): Promise<FileRef> {
    await this.#last;
    const indexOffset = this.#size;
    const index = encodeIndex(this.#entries);
    await this.#append(index);
    const trailer = { indexOffset, count: this.#entries.length, indexChecksum: checksumOf(index), fence: this.#header.fence };
    await this.#append(encodeTrailer(trailer));
    await this.#writer.finish();
    return { path: this.#path, size: this.#size, recordBytes: indexOffset - HEADER_BYTES, checksum: this.#checksum };
  }

  /** Gives up; removes what was written. Idempotent. */
  async abort(): Promise<void> {
    await this.#last?.catch(() => undefined);
    await this.#writer.abort();
  }

  async #store(segment: SegmentMeta, frame: Uint8Array, packed: Uint8Array): Promise<SegmentRef> {
    const deflated = packed.length < frame.length;
    const payload = deflated ? packed : frame;
    const key = { table: segment.table, partition: segment.partition, segment: segment.segment, rows: segment.rows };
    const header = { ...key, deflated, payloadLength: payload.length, frameLength: frame.length };
    const { bytes, checksum } = encodeRecordHeader(header, payload);
    const entry = { ...key, offset: this.#size, length: bytes.length + payload.length, checksum };
    await this.#append(bytes);
    await this.#append(payload);
    this.#entries.push({ ...entry, frameLength: frame.length });
    return { ...entry, file: this.#path };
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#writer.write(bytes);
    this.#checksum = checksumOf(bytes, this.#checksum);
    this.#size += bytes.length;
  }
}

/** A segment's frame, back as it was appended. */
export interface StoredSegment {
  readonly ref: SegmentRef;
  readonly frame: Uint8Array;
}

/** The frame in `bytes`, exactly the range that `ref` names. Throws `checksum-mismatch` or `version-mismatch`. */
export async function unpackRecord(bytes: Uint8Array, ref: SegmentRef): Promise<StoredSegment> {
  const { header, payload } = decodeRecord(bytes, ref);
  const fault = () => damaged(ref.file, ref.offset + RECORD_HEADER_BYTES, "the payload does not unpack to the recorded length");
  if (!header.deflated) {
    if (payload.length !== header.frameLength) throw fault();
    return { ref, frame: payload };
  }
  const frame = await inflate(payload, {
    maxOutputLength: Math.max(1, header.frameLength),
    chunkSize: Math.max(64, header.frameLength),
  }).catch(() => undefined);
  if (frame?.length !== header.frameLength) throw fault();
  return { ref, frame };
}

/** Adjacent records are fetched in one request up to this size. */
const MAX_READ_BYTES = 8 << 20;
/** Dead bytes between two live records that are read rather than skipped by a request of their own. */
const MAX_GAP_BYTES = 4 << 10;

/** Records unpacked side by side; as many frames are in memory. */
const PARALLEL_UNPACKS = 8;

/** One request to the store and the segments in it. */
export interface SegmentRead {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly refs: readonly SegmentRef[];
}

/** Groups `refs` into few requests that read little beyond them: at most 4 KiB per gap, about 8 MiB per request. By file, then offset. */
export function planReads(refs: Iterable<SegmentRef>): readonly SegmentRead[] {
  const sorted = [...refs].sort((a, b) => (a.file === b.file ? a.offset - b.offset : a.file < b.file ? -1 : 1));
  const reads: SegmentRead[] = [];
  let group: SegmentRef[] = [];
  let start = 0;
  let end = 0;
  const close = () => {
    const first = group[0];
    if (first !== undefined) reads.push({ file: first.file, offset: start, length: end - start, refs: group });
  };
  for (const ref of sorted) {
    const fits = group[0]?.file === ref.file && ref.offset - end <= MAX_GAP_BYTES && ref.offset + ref.length - start <= MAX_READ_BYTES;
    if (!fits) {
      close();
      group = [];
      start = ref.offset;
    }
    group.push(ref);
    end = Math.max(fits ? end : 0, ref.offset + ref.length);
  }
  close();
  return reads;
}

/** The segments behind `refs`, each once, in an order that suits the store. Throws at the first that is missing or damaged. */
export async function* readSegments(store: ObjectStore, refs: Iterable<SegmentRef>): AsyncGenerator<StoredSegment> {
  for (const read of planReads(refs)) {
    const bytes = await store.getRange(read.file, read.offset, read.length);
    const unpack = (ref: SegmentRef) => unpackRecord(bytes.subarray(ref.offset - read.offset, ref.offset - read.offset + ref.length), ref);
    for (let i = 0; i < read.refs.length; i += PARALLEL_UNPACKS)
      yield* await Promise.all(read.refs.slice(i, i + PARALLEL_UNPACKS).map(unpack));
  }
}

/** A file's header and index. */
export interface TableFileContents {
  readonly header: TableFileHeader;
  readonly refs: readonly SegmentRef[];
}

/** Reads header, trailer and index, for tools and tests; a restore needs only references. Throws `checksum-mismatch` or `version-mismatch`. */
export async function readTableFile(store: ObjectStore, path: string): Promise<TableFileContents> {
  const size = (await store.head(path))?.size ?? (await store.get(path)).length;
  if (size < HEADER_BYTES + TRAILER_BYTES) throw damaged(path, size, "the file is too short");
  const header = decodeHeader(await store.getRange(path, 0, HEADER_BYTES), path);
  const trailerOffset = size - TRAILER_BYTES;
  const trailer = decodeTrailer(await store.getRange(path, trailerOffset, TRAILER_BYTES), path, trailerOffset);
  if (trailer.indexOffset + trailer.count * INDEX_ENTRY_BYTES !== trailerOffset || trailer.fence !== header.fence) {
    throw damaged(path, trailerOffset, "the trailer does not fit the file");
  }
  const index = await store.getRange(path, trailer.indexOffset, trailerOffset - trailer.indexOffset);
  if (checksumOf(index) !== trailer.indexChecksum) throw damaged(path, trailer.indexOffset, "the index's checksum is wrong");
  const refs = decodeIndex(index).map(({ frameLength: _, ...entry }) => ({ ...entry, file: path }));
  return { header, refs: refs.sort(compareSegments) };
}

/**
 * Checks every byte of a file against its checksums, and against what a manifest says of it. Returns its contents. Throws
 * `checksum-mismatch` naming file and offset, or `version-mismatch`.
 */
export async function verifyTableFile(store: ObjectStore, path: string, expected?: FileRef): Promise<TableFileContents> {
  const contents = await readTableFile(store, path);
  let end = HEADER_BYTES;
  for (const ref of [...contents.refs].sort((a, b) => a.offset - b.offset)) {
    if (ref.offset !== end) throw damaged(path, end, "records do not follow each other");
    end += ref.length;
  }
  for await (const _ of readSegments(store, contents.refs));
  if (expected === undefined) return contents;
  const bytes = await store.get(path);
  if (bytes.length !== expected.size || checksumOf(bytes) !== expected.checksum) {
    throw damaged(path, 0, `it has ${bytes.length} bytes and is not the file of ${expected.size} bytes that was recorded`);
  }
  return contents;
}

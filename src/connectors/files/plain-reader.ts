/**
 * Reads the blocks of uncompressed files as chunks, one chunk ahead: while the slot scans one buffer, the other fills, so that a slot with
 * input on disk never sleeps for it. What is read ahead is a guess (the bytes behind the chunk, or the next block of the file); a guess that
 * turns out wrong is dropped. Bytes that the slot left over are put in front of the next chunk, not read again.
 *
 * It does not choose blocks and does not know rows, but for their newlines.
 */
import { type FileHandle, open } from "node:fs/promises";
import type { Block } from "./block.ts";

/** Bytes of a chunk at first; doubled while it holds no whole row. */
export const CHUNK = 2 << 20;
/** Longest chunk: a row longer than 16 MiB is bad data, which the scanner finds when it sees more than that. */
const CHUNK_MAX = 17 << 20;
/** Bytes read at a time to find where a block's first row begins, and behind a block's end for the row that crosses it. */
const SEARCH = 64 << 10;
/** Room in front of bytes read ahead for what the slot left over of the chunk before: the start of a row. */
const CARRY = 64 << 10;
const NEWLINE = 10;

/** Bytes that were read of a block. */
export interface PlainChunk {
  readonly block: Block;
  /** From `block.offset` on; valid until the next `read`. */
  readonly bytes: Uint8Array;
  /** The block's rows end with the chunk. */
  readonly last: boolean;
}

/** What the reader needs from its source. */
export interface PlainReaderOwner {
  /** Turns an error of reading `block` into the user's, and throws it. */
  refuse(block: Block, error: unknown): never;
  /** Throws: the file of `block` is shorter than it was when the job began. */
  shorter(block: Block): never;
}

/** A read under way, or its result. */
interface ReadAhead {
  readonly block: Block;
  /** Offset in the file of the first byte read. */
  readonly at: number;
  readonly length: number;
  /** Its bytes begin at `CARRY`. */
  readonly buffer: Buffer;
  /** Never rejects: true if all bytes came. */
  readonly done: Promise<boolean>;
}

/** See the file's comment. Calls must not overlap. */
export class PlainReader {
  readonly #owner: PlainReaderOwner;
  #handle: { readonly path: string; readonly file: FileHandle } | undefined;
  /** The buffer of the chunk that was handed out last, and the other one. */
  #front = Buffer.alloc(0);
  #back = Buffer.alloc(0);
  #ahead: ReadAhead | undefined;
  #handedOut: PlainChunk | undefined;

  constructor(owner: PlainReaderOwner) {
    this.#owner = owner;
  }

  /**
   * The next bytes of `block`; undefined if no row of it is left. `doubled`: doublings of the chunk since it last held a whole row; `next`:
   * the block that will probably be read behind this one.
   */
  async read(block: Block, doubled: number, next: Block | undefined): Promise<PlainChunk | undefined> {
    const ahead = await this.#takeAhead();
    const before = this.#handedOut;
    this.#handedOut = undefined;
    const file = await this.#file(block);
    const joined = ahead === undefined || doubled > 0 ? undefined : join(block, ahead, before);
    const chunk = joined ?? (await this.#readDirectly(file, block, doubled));
    if (chunk === undefined) return undefined;
    this.#handedOut = chunk;
    this.#readAhead(file, chunk, next);
    return chunk;
  }

  async close(): Promise<void> {
    await this.#takeAhead();
    await this.#handle?.file.close();
    this.#handle = undefined;
  }

  /** What was read ahead, whole. Its buffer becomes the front one. */
  async #takeAhead(): Promise<ReadAhead | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    // Where reading ahead fails, reading does: that tells why.
    if (ahead === undefined || !(await ahead.done)) return undefined;
    [this.#front, this.#back] = [this.#back, this.#front];
    return ahead;
  }

  #readAhead(file: FileHandle, chunk: PlainChunk, next: Block | undefined): void {
    const block = chunk.last ? next : chunk.block;
    if (block === undefined || block.compressed || block.path !== chunk.block.path) return;
    const at = chunk.last ? startOf(block) : block.offset + chunk.bytes.length;
    const length = chunkBytes(block, at);
    if (length <= 0) return;
    if (this.#back.length < CARRY + length) this.#back = Buffer.allocUnsafe(CARRY + Math.max(length, CHUNK + SEARCH));
    const buffer = this.#back;
    const done = fill(file, buffer, CARRY, length, at).catch(() => false);
    this.#ahead = { block, at, length, buffer, done };
  }

  async #readDirectly(file: FileHandle, block: Block, doubled: number): Promise<PlainChunk | undefined> {
    if (block.offset === block.start && block.start > 0) {
      const first = await this.#firstRow(file, block);
      if (first === undefined) return undefined;
      block.offset = first;
    }
    if (block.offset >= block.end) return undefined;
    const least = doubled === 0 ? 0 : Math.min(CHUNK_MAX, CHUNK * 2 ** Math.min(doubled, 10), block.fileSize - block.offset);
    const length = Math.max(least, chunkBytes(block, block.offset));
    if (this.#front.length < length) this.#front = Buffer.allocUnsafe(Math.max(length, CARRY + CHUNK + SEARCH));
    const whole = await fill(file, this.#front, 0, length, block.offset).catch((error: unknown) => this.#owner.refuse(block, error));
    if (!whole) return this.#owner.shorter(block);
    return cut(block, this.#front.subarray(0, length));
  }

  /** Offset of the first row that starts in the block: behind the first newline at or after start − 1. */
  async #firstRow(file: FileHandle, block: Block): Promise<number | undefined> {
    const buffer = Buffer.allocUnsafe(SEARCH);
    for (let at = block.start - 1; at < block.end - 1; ) {
      const want = Math.min(SEARCH, block.end - 1 - at);
      const { bytesRead } = await file.read(buffer, 0, want, at).catch((error: unknown) => this.#owner.refuse(block, error));
      if (bytesRead === 0) this.#owner.shorter(block);
      const newline = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
      if (newline >= 0) return at + newline + 1;
      at += bytesRead;
    }
    return undefined;
  }

  async #file(block: Block): Promise<FileHandle> {
    if (this.#handle?.path === block.path) return this.#handle.file;
    await this.#handle?.file.close();
    this.#handle = undefined;
    const file = await open(block.path, "r").catch((error: unknown) => this.#owner.refuse(block, error));
    this.#handle = { path: block.path, file };
    return file;
  }
}

/** Where to begin reading an unread or half-read block: at the newline in front of its first row, which may be any before it. */
function startOf(block: Block): number {
  return block.offset === block.start && block.start > 0 ? block.start - 1 : block.offset;
}

/** Bytes to read of `block` from `at`: to its end and a little behind, if that is not much more than a chunk. */
function chunkBytes(block: Block, at: number): number {
  const toEnd = block.end - at;
  const wanted = toEnd > 0 && toEnd <= CHUNK + SEARCH ? toEnd + SEARCH : CHUNK;
  return Math.min(wanted, block.fileSize - at);
}

/** Reads `length` bytes of `file` from `at`. False if the file ends before. */
async function fill(file: FileHandle, buffer: Buffer, from: number, length: number, at: number): Promise<boolean> {
  for (let got = 0; got < length; ) {
    const { bytesRead } = await file.read(buffer, from + got, length - got, at + got);
    if (bytesRead === 0) return false;
    got += bytesRead;
  }
  return true;
}

/** What was read ahead as the next chunk of `block`, behind what is left of the chunk `before`; undefined if it does not fit there. */
function join(block: Block, ahead: ReadAhead, before: PlainChunk | undefined): PlainChunk | undefined {
  if (ahead.block !== block || block.offset >= block.end) return undefined;
  const end = CARRY + ahead.length;
  if (block.offset === block.start && block.start > 0) {
    if (ahead.at !== block.start - 1) return undefined;
    const newline = ahead.buffer.subarray(CARRY, end).indexOf(NEWLINE);
    const first = ahead.at + newline + 1;
    if (newline < 0 || first >= block.end) return undefined;
    block.offset = first;
    return cut(block, ahead.buffer.subarray(CARRY + newline + 1, end));
  }
  const carried = ahead.at - block.offset;
  if (carried === 0) return cut(block, ahead.buffer.subarray(CARRY, end));
  if (before?.block !== block || carried < 0 || carried > CARRY || carried > before.bytes.length) return undefined;
  ahead.buffer.set(before.bytes.subarray(before.bytes.length - carried), CARRY - carried);
  return cut(block, ahead.buffer.subarray(CARRY - carried, end));
}

/** `bytes`, read from the block's offset on, up to the end of the row that crosses the block's end. */
function cut(block: Block, bytes: Buffer): PlainChunk {
  const toEnd = block.end - block.offset;
  const newline = toEnd > bytes.length ? -1 : bytes.indexOf(NEWLINE, toEnd - 1);
  if (newline >= 0) return { block, bytes: bytes.subarray(0, newline + 1), last: true };
  return { block, bytes, last: block.offset + bytes.length >= block.fileSize };
}

/**
 * Blocks of files: how files are split among subtasks and how far each split has been read. Pure.
 *
 * A file is cut into blocks of size / 64, at least 4 KiB, at most 8 MiB, fixed at the first start and kept with the
 * positions. Blocks are numbered through all files; block b belongs to subtask b mod p. A row belongs to the block in which
 * it starts, so a reader begins behind the first newline at or after the block's start − 1 and ends with the row that
 * crosses the block's end. A compressed file is one block.
 */

import { internalError } from "../../core/errors.ts";
import type { SplitPosition } from "../connector.ts";

const BLOCKS_PER_FILE = 64;
const BLOCK_MIN = 4 << 10;
const BLOCK_MAX = 8 << 20;

/** A file to read, as listed at the first start. */
export interface InputFile {
  readonly path: string;
  /** Bytes; rows written behind it later are not read. */
  readonly size: number;
  readonly compressed: boolean;
}

/** One split and how far it has been read. */
export interface Block {
  /** Number among all blocks of the table. */
  readonly index: number;
  /** Number of the file among those of the table: what error rows call partition. */
  readonly file: number;
  readonly path: string;
  readonly fileSize: number;
  readonly compressed: boolean;
  /** Bytes [start, end) in which its rows start; of the uncompressed bytes if `compressed` (then all of them). */
  readonly start: number;
  readonly end: number;
  /** Next byte to read; `start` means that the first row has still to be found. */
  offset: number;
  done: boolean;
  watermarkNs: bigint | undefined;
}

/** Bytes of a block of a file of `size` bytes. */
export function blockSize(size: number): number {
  return Math.min(BLOCK_MAX, Math.max(BLOCK_MIN, Math.ceil(size / BLOCKS_PER_FILE)));
}

/** All blocks of all files, unread. */
export function splitFiles(files: readonly InputFile[]): Block[] {
  const blocks: Block[] = [];
  files.forEach(({ path, size, compressed }, file) => {
    const step = compressed ? Number.MAX_SAFE_INTEGER : blockSize(size);
    for (let start = 0; start < size; start += step) {
      const end = compressed ? step : Math.min(size, start + step);
      const base = { file, path, fileSize: size, compressed, start, end };
      blocks.push({ ...base, index: blocks.length, offset: start, done: false, watermarkNs: undefined });
    }
  });
  return blocks;
}

/** The blocks among `blocks` that `subtask` reads. */
export function blocksOf(blocks: readonly Block[], subtask: number, parallelism: number): Block[] {
  return blocks.filter((b) => b.index % parallelism === subtask);
}

/** A block as a position. */
export function toPosition(block: Block): SplitPosition {
  const { index, file, path, fileSize, compressed, start, end, offset, done, watermarkNs } = block;
  const position = { split: String(index), version: 1, file, path, fileSize, compressed, start, end, offset, done };
  return watermarkNs === undefined ? position : { ...position, watermarkNs: watermarkNs.toString() };
}

/** A position as a block. Throws `version-mismatch` for one of another version. */
export function fromPosition(position: SplitPosition): Block {
  if (position["version"] !== 1)
    throw internalError(
      "version-mismatch",
      `position of split "${position.split}" has version ${String(position["version"])}, this build reads version 1`,
    );
  const number = (field: string): number => Number(position[field]);
  return {
    index: Number(position.split),
    file: number("file"),
    path: String(position["path"]),
    fileSize: number("fileSize"),
    compressed: position["compressed"] === true,
    start: number("start"),
    end: number("end"),
    offset: number("offset"),
    done: position["done"] === true,
    watermarkNs: position.watermarkNs === undefined ? undefined : BigInt(position.watermarkNs),
  };
}

/**
 * Event time per file, and which block to read next. A file's unread blocks may hold rows as old as its last block read in
 * file order, so within a file time is what its blocks up to the current one have said; a file of which nothing was read
 * holds time at −∞. The next block is the first of the file that is furthest behind: files are read side by side in event
 * time, and nothing is late because another file was read first.
 */
export class BlockSchedule {
  readonly #blocks: readonly Block[];

  /** `blocks`: those of this subtask, ascending. */
  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
  }

  /** First unfinished block of each file, with the file's event time so far (undefined: −∞). */
  #fronts(): readonly { readonly block: Block; readonly ns: bigint | undefined }[] {
    const fronts = new Map<number, { block: Block; ns: bigint | undefined }>();
    const seen = new Map<number, bigint>();
    for (const block of this.#blocks) {
      if (fronts.has(block.file)) continue;
      const before = seen.get(block.file);
      const own = block.watermarkNs;
      const ns = own === undefined ? before : before === undefined || own > before ? own : before;
      if (ns !== undefined) seen.set(block.file, ns);
      if (!block.done) fronts.set(block.file, { block, ns });
    }
    return [...fronts.values()];
  }

  /** The front that is furthest behind. */
  #slowest(): { readonly block: Block; readonly ns: bigint | undefined } | undefined {
    let slowest: { readonly block: Block; readonly ns: bigint | undefined } | undefined;
    for (const front of this.#fronts()) {
      if (slowest === undefined || (slowest.ns !== undefined && (front.ns === undefined || front.ns < slowest.ns))) slowest = front;
    }
    return slowest;
  }

  /** The block to read from next; undefined when all are done. */
  next(): Block | undefined {
    return this.#slowest()?.block;
  }

  /** Event time of the subtask: see `ByteSource.watermark`. */
  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    const slowest = this.#slowest();
    if (slowest === undefined) return "end";
    return slowest.ns === undefined ? undefined : { ns: slowest.ns, partition: slowest.block.file };
  }
}

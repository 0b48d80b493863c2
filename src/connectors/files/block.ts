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
  /** True: `offset` is inside a row that was given up as too long. Compressed files only: elsewhere such a row passes the block's end. */
  insideRow: boolean;
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
      blocks.push({ ...base, index: blocks.length, offset: start, insideRow: false, done: false, watermarkNs: undefined });
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
  const { index, file, path, fileSize, compressed, start, end, offset, insideRow, done, watermarkNs } = block;
  const position = { split: String(index), version: 1, file, path, fileSize, compressed, start, end, offset, insideRow, done };
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
    insideRow: position["insideRow"] === true,
    done: position["done"] === true,
    watermarkNs: position.watermarkNs === undefined ? undefined : BigInt(position.watermarkNs),
  };
}

/** A file in the schedule: its blocks that this subtask has still to read, and how far event time has come in it. */
interface Lane {
  readonly file: number;
  readonly blocks: readonly Block[];
  /** Index of the first unfinished block. */
  at: number;
  /** Event time of the file; undefined: −∞. */
  ns: bigint | undefined;
}

/**
 * Event time per file, and which block to read next. A file's unread blocks may hold rows as old as the block before them
 * allows, so within a file time is what its blocks up to the current one have said; a file of which nothing was read holds
 * time at −∞. The next block is the first of the file that is furthest behind: files are read side by side in event time,
 * and nothing is late because another file was read first.
 *
 * Files are in a heap, the one furthest behind at its root, which is the only one that changes: O(log files) a step.
 */
export class BlockSchedule {
  readonly #heap: Lane[] = [];

  /** `own`: the blocks of this subtask; `all`: those of all subtasks, whose watermarks bound the blocks behind them. Both ascending. */
  constructor(own: readonly Block[], all: readonly Block[]) {
    const floors = floorsOf(all);
    const lanes = new Map<number, Block[]>();
    for (const block of own) {
      if (block.done) continue;
      const blocks = lanes.get(block.file);
      if (blocks === undefined) lanes.set(block.file, [block]);
      else blocks.push(block);
    }
    for (const [file, blocks] of lanes) this.#push({ file, blocks, at: 0, ns: floors.get(blocks[0]?.index ?? 0) });
  }

  /** The block to read from next; undefined when all are done. */
  next(): Block | undefined {
    const lane = this.#heap[0];
    return lane?.blocks[lane.at];
  }

  /** The block behind that of `next` in its file: probably the next but one. */
  following(): Block | undefined {
    const lane = this.#heap[0];
    return lane?.blocks[lane.at + 1];
  }

  /** The block of `next` was read from: its watermark or `done` may have changed. */
  advance(): void {
    const lane = this.#heap[0];
    const block = lane?.blocks[lane.at];
    if (lane === undefined || block === undefined) return;
    lane.ns = latest(lane.ns, block.watermarkNs);
    if (block.done) lane.at++;
    if (lane.at === lane.blocks.length) {
      const last = this.#heap.pop();
      if (last !== undefined && last !== lane) this.#heap[0] = last;
    }
    this.#sink();
  }

  /** Event time of the subtask: see `ByteSource.watermark`. */
  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    const lane = this.#heap[0];
    if (lane === undefined) return "end";
    return lane.ns === undefined ? undefined : { ns: lane.ns, partition: lane.file };
  }

  #push(lane: Lane): void {
    const heap = this.#heap;
    let at = heap.push(lane) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBehind(heap[at], heap[parent])) return;
      [heap[at], heap[parent]] = [heap[parent] as Lane, heap[at] as Lane];
      at = parent;
    }
  }

  /** Lets the root, which has moved forward, sink to its place. */
  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const child = isBehind(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBehind(heap[child], heap[at])) return;
      [heap[at], heap[child]] = [heap[child] as Lane, heap[at] as Lane];
      at = child;
    }
  }
}

/** Whether `a` is to be read before `b`: an earlier time, among equals the earlier file. What is absent comes last. */
function isBehind(a: Lane | undefined, b: Lane | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  if (a.ns === b.ns) return a.file < b.file;
  return a.ns === undefined || (b.ns !== undefined && a.ns < b.ns);
}

function latest(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

/** By block index: the largest watermark among the block and those before it in its file. */
function floorsOf(all: readonly Block[]): ReadonlyMap<number, bigint> {
  const floors = new Map<number, bigint>();
  const files = new Map<number, bigint>();
  for (const block of all) {
    const ns = latest(files.get(block.file), block.watermarkNs);
    if (ns === undefined) continue;
    files.set(block.file, ns);
    floors.set(block.index, ns);
  }
  return floors;
}

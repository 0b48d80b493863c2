/**
 * Reading files of rows, block by block, as raw bytes. Used by `single_file` and `filesystem`.
 *
 * Reads ahead of the slot by one chunk would buy nothing: the page cache already does. Chunks are at most 2 MiB, longer only
 * while a row does not fit.
 */

import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import type { ByteSource, SourceChunk, SplitPosition, SubtaskContext } from "../connector.ts";
import type { Block, InputFile } from "./block.ts";
import { BlockSchedule, blocksOf, fromPosition, splitFiles, toPosition } from "./block.ts";

/** Bytes of a chunk at first; doubled while it holds no whole row. */
const CHUNK = 2 << 20;
/** Longest chunk: a row longer than 16 MiB is bad data, which the scanner finds when it sees more than that. */
const CHUNK_MAX = 17 << 20;
const NEWLINE = 10;

/** Where the files come from and what happens behind the last row. */
export interface FilesSpec {
  /** Lists the files at the first start; errors name the table. */
  list(): Promise<readonly InputFile[]>;
  /** True: behind the last row the source waits for the job to be stopped. */
  readonly unbounded: boolean;
}

/** A source over files. */
export class FilesSource implements ByteSource {
  readonly kind = "bytes";
  readonly bounded: boolean;
  readonly #context: SubtaskContext;
  readonly #spec: FilesSpec;
  readonly #paths = new Map<number, string>();
  #blocks: Block[] = [];
  #schedule = new BlockSchedule([]);
  #buffer = Buffer.allocUnsafe(CHUNK);
  #handle: { readonly path: string; readonly file: FileHandle } | undefined;
  #current: { readonly block: Block; readonly length: number } | undefined;
  #inflater: Inflater | undefined;
  #want = CHUNK;

  constructor(context: SubtaskContext, spec: FilesSpec) {
    this.#context = context;
    this.#spec = spec;
    this.bounded = !spec.unbounded;
  }

  async open(restored: readonly SplitPosition[] | undefined): Promise<void> {
    const { subtask, parallelism } = this.#context;
    const all = restored === undefined ? splitFiles(await this.#spec.list()) : restored.map(fromPosition).sort((a, b) => a.index - b.index);
    for (const block of all) this.#paths.set(block.file, block.path);
    this.#blocks = blocksOf(all, subtask, parallelism);
    this.#schedule = new BlockSchedule(this.#blocks);
  }

  async read(): Promise<SourceChunk | "idle" | "end"> {
    for (;;) {
      const block = this.#schedule.next();
      if (block === undefined) return this.#spec.unbounded ? "idle" : "end";
      const chunk = block.compressed ? await this.#readCompressed(block) : await this.#readPlain(block);
      if (chunk !== undefined) return chunk;
      block.done = true;
    }
  }

  /** The next bytes of `block`; undefined if no row of it is left. */
  async #readPlain(block: Block): Promise<SourceChunk | undefined> {
    const file = await this.#file(block);
    if (block.offset === block.start && block.start > 0) {
      const first = await this.#firstRow(file, block);
      if (first === undefined) return undefined;
      block.offset = first;
    }
    if (block.offset >= block.end) return undefined;
    const want = Math.min(this.#want, block.fileSize - block.offset);
    this.#reserve(want);
    const bytes = await this.#fill(file, block, want);
    const inside = this.#cut(block, bytes);
    const length = inside ?? bytes;
    this.#current = { block, length };
    const last = inside !== undefined || block.offset + bytes >= block.fileSize;
    return { bytes: this.#buffer.subarray(0, length), partition: block.file, position: BigInt(block.offset), last };
  }

  /**
   * Length of the chunk up to the end of the row that crosses the block's end; undefined if the chunk does not reach it.
   */
  #cut(block: Block, bytes: number): number | undefined {
    const toEnd = block.end - block.offset;
    if (toEnd > bytes) return undefined;
    const newline = this.#buffer.subarray(0, bytes).indexOf(NEWLINE, toEnd - 1);
    return newline < 0 ? undefined : newline + 1;
  }

  /** Offset of the first row that starts in the block: behind the first newline at or after start − 1. */
  async #firstRow(file: FileHandle, block: Block): Promise<number | undefined> {
    this.#reserve(CHUNK);
    for (let at = block.start - 1; at < block.fileSize; ) {
      const { bytesRead } = await file.read(this.#buffer, 0, Math.min(64 << 10, block.fileSize - at), at);
      if (bytesRead === 0) return undefined;
      const newline = this.#buffer.subarray(0, bytesRead).indexOf(NEWLINE);
      if (newline >= 0) return at + newline + 1 < block.end ? at + newline + 1 : undefined;
      at += bytesRead;
      if (at >= block.end) return undefined;
    }
    return undefined;
  }

  async #fill(file: FileHandle, block: Block, want: number): Promise<number> {
    let got = 0;
    while (got < want) {
      const { bytesRead } = await file.read(this.#buffer, got, want - got, block.offset + got);
      if (bytesRead === 0)
        throw externalError("io", `file "${block.path}" of table "${this.#context.table}" became shorter while it was read`, {
          retry: "never",
        });
      got += bytesRead;
    }
    return got;
  }

  async #readCompressed(block: Block): Promise<SourceChunk | undefined> {
    this.#inflater ??= new Inflater(block.path, block.offset);
    const { bytes, ended } = await this.#inflater.take(this.#want);
    if (bytes.length === 0 && ended) return undefined;
    this.#current = { block, length: bytes.length };
    return { bytes, partition: block.file, position: BigInt(block.offset), last: ended };
  }

  consumed(bytes: number, _rows: number, watermarkNs: bigint | undefined): void {
    if (this.#current === undefined) return;
    const { block, length } = this.#current;
    this.#current = undefined;
    block.offset += bytes;
    this.#inflater?.drop(bytes);
    this.#want = bytes === 0 ? Math.min(CHUNK_MAX, this.#want * 2) : CHUNK;
    if (watermarkNs !== undefined && (block.watermarkNs === undefined || watermarkNs > block.watermarkNs)) block.watermarkNs = watermarkNs;
    if (!block.compressed && bytes === length && block.offset >= block.end) block.done = true;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    const watermark = this.#schedule.watermark();
    return watermark === "end" && this.#spec.unbounded ? undefined : watermark;
  }

  positions(): readonly SplitPosition[] {
    return this.#blocks.map(toPosition);
  }

  describe(partition: number, position: bigint): string {
    return `file "${this.#paths.get(partition) ?? partition}" at byte ${position}`;
  }

  async close(): Promise<void> {
    await this.#handle?.file.close();
    this.#handle = undefined;
    this.#inflater?.close();
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafe(bytes);
  }

  async #file(block: Block): Promise<FileHandle> {
    if (this.#handle?.path === block.path) return this.#handle.file;
    await this.#handle?.file.close();
    this.#handle = undefined;
    const file = await open(block.path, "r").catch((error: unknown) => {
      const cause = toAppError(error);
      throw userError(cause.code, `cannot read file "${block.path}" of table "${this.#context.table}"`, { detail: cause.message, cause });
    });
    this.#handle = { path: block.path, file };
    return file;
  }
}

/** Uncompressed bytes of a gzip file from an offset on, with the unconsumed tail kept. */
class Inflater {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #close: () => void;
  #pending: Buffer = Buffer.alloc(0);
  #skip: number;
  #ended = false;

  constructor(path: string, offset: number) {
    const stream = createReadStream(path).pipe(createGunzip());
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#close = () => stream.destroy();
    this.#skip = offset;
  }

  /** At least `want` bytes unless the file ends. */
  async take(want: number): Promise<{ readonly bytes: Buffer; readonly ended: boolean }> {
    const parts = [this.#pending];
    let length = this.#pending.length;
    while (length < want && !this.#ended) {
      const { value, done } = await this.#chunks.next();
      if (done === true) {
        this.#ended = true;
        break;
      }
      const skipped = Math.min(this.#skip, value.length);
      this.#skip -= skipped;
      parts.push(value.subarray(skipped));
      length += value.length - skipped;
    }
    this.#pending = parts.length === 1 ? this.#pending : Buffer.concat(parts);
    return { bytes: this.#pending, ended: this.#ended };
  }

  /** Forgets the first `bytes`. */
  drop(bytes: number): void {
    this.#pending = this.#pending.subarray(bytes);
  }

  close(): void {
    this.#close();
  }
}

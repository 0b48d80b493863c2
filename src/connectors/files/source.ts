/**
 * Reading files of rows, block by block, as raw bytes. Used by `single_file` and `filesystem`.
 *
 * Reads ahead of the slot by one chunk would buy nothing: the page cache already does. Chunks are at most 2 MiB, longer only
 * while a row does not fit. A row longer than 16 MiB is reported by the scanner, which then takes the whole chunk; the rest of
 * the row is passed over here, so that the scanner need not remember it.
 */

import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { AppError } from "../../core/errors.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import type { ByteSource, SourceChunk, SplitPosition, SubtaskContext } from "../connector.ts";
import type { Block, InputFile } from "./block.ts";
import { BlockSchedule, blocksOf, fromPosition, splitFiles, toPosition } from "./block.ts";
import { Inflater } from "./inflater.ts";

/** Bytes of a chunk at first; doubled while it holds no whole row. */
const CHUNK = 2 << 20;
/** The same for compressed files, of which many may be open. */
const COMPRESSED_CHUNK = 256 << 10;
/** Longest chunk: a row longer than 16 MiB is bad data, which the scanner finds when it sees more than that. */
const CHUNK_MAX = 17 << 20;
/** Bytes read at a time to find where a block's first row begins. */
const SEARCH = 64 << 10;
/** Compressed files open at once; of more, the one used least recently is closed and later inflated again from its start. */
const OPEN_INFLATERS = 128;
const NEWLINE = 10;

/** Where the files come from and what happens behind the last row. */
export interface FilesSpec {
  /** Lists the files at the first start; errors name the table. */
  list(): Promise<readonly InputFile[]>;
  /** True: behind the last row the source waits for the job to be stopped. */
  readonly unbounded: boolean;
}

/** A chunk that was handed out and of which `consumed` has not been told. */
interface OpenChunk {
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** A source over files. */
export class FilesSource implements ByteSource {
  readonly kind = "bytes";
  readonly bounded: boolean;
  readonly #context: SubtaskContext;
  readonly #spec: FilesSpec;
  readonly #paths = new Map<number, string>();
  readonly #inflaters = new Map<number, Inflater>();
  #blocks: Block[] = [];
  #schedule = new BlockSchedule([], []);
  #buffer = Buffer.allocUnsafe(CHUNK);
  #handle: { readonly path: string; readonly file: FileHandle } | undefined;
  #current: OpenChunk | undefined;
  /** Doublings of the chunk since it last held a whole row. */
  #doubled = 0;

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
    this.#schedule = new BlockSchedule(this.#blocks, all);
  }

  async read(): Promise<SourceChunk | "idle" | "end"> {
    for (;;) {
      const block = this.#schedule.next();
      if (block === undefined) return this.#spec.unbounded ? "idle" : "end";
      const chunk = block.compressed ? await this.#readCompressed(block) : await this.#readPlain(block);
      if (chunk !== undefined) {
        this.#current = chunk;
        return { bytes: chunk.bytes, partition: block.file, position: BigInt(block.offset), last: chunk.last };
      }
      this.#finish(block);
    }
  }

  /** The next bytes of `block`; undefined if no row of it is left. */
  async #readPlain(block: Block): Promise<OpenChunk | undefined> {
    const file = await this.#file(block);
    if (block.offset === block.start && block.start > 0) {
      const first = await this.#firstRow(file, block);
      if (first === undefined) return undefined;
      block.offset = first;
    }
    if (block.offset >= block.end) return undefined;
    const want = Math.min(this.#want(CHUNK), block.fileSize - block.offset);
    if (this.#buffer.length < want) this.#buffer = Buffer.allocUnsafe(want);
    await this.#fill(file, block, want);
    const inside = this.#cut(block, want);
    const last = inside !== undefined || block.offset + want >= block.fileSize;
    return { block, bytes: this.#buffer.subarray(0, inside ?? want), last };
  }

  /** Length of the chunk up to the end of the row that crosses the block's end; undefined if the chunk does not reach it. */
  #cut(block: Block, bytes: number): number | undefined {
    const toEnd = block.end - block.offset;
    if (toEnd > bytes) return undefined;
    const newline = this.#buffer.subarray(0, bytes).indexOf(NEWLINE, toEnd - 1);
    return newline < 0 ? undefined : newline + 1;
  }

  /** Offset of the first row that starts in the block: behind the first newline at or after start − 1. */
  async #firstRow(file: FileHandle, block: Block): Promise<number | undefined> {
    for (let at = block.start - 1; at < block.end - 1; ) {
      const want = Math.min(SEARCH, block.end - 1 - at);
      const { bytesRead } = await file.read(this.#buffer, 0, want, at).catch((error: unknown) => this.#refuse(block, error));
      if (bytesRead === 0) throw this.#shorter(block);
      const newline = this.#buffer.subarray(0, bytesRead).indexOf(NEWLINE);
      if (newline >= 0) return at + newline + 1;
      at += bytesRead;
    }
    return undefined;
  }

  async #fill(file: FileHandle, block: Block, want: number): Promise<void> {
    for (let got = 0; got < want; ) {
      const read = file.read(this.#buffer, got, want - got, block.offset + got);
      const { bytesRead } = await read.catch((error: unknown) => this.#refuse(block, error));
      if (bytesRead === 0) throw this.#shorter(block);
      got += bytesRead;
    }
  }

  async #readCompressed(block: Block): Promise<OpenChunk | undefined> {
    for (;;) {
      const inflater = this.#inflater(block);
      const { bytes, ended } = await inflater.take(this.#want(COMPRESSED_CHUNK)).catch((error: unknown) => this.#refuse(block, error));
      if (block.insideRow && bytes.length > 0) {
        const newline = bytes.indexOf(NEWLINE);
        block.insideRow = newline < 0;
        const passed = newline < 0 ? bytes.length : newline + 1;
        inflater.drop(passed);
        block.offset += passed;
        continue;
      }
      return bytes.length === 0 && ended ? undefined : { block, bytes, last: ended };
    }
  }

  consumed(bytes: number, _rows: number, watermarkNs: bigint | undefined): void {
    if (this.#current === undefined) return;
    const { block, bytes: chunk, last } = this.#current;
    this.#current = undefined;
    this.#doubled = bytes === 0 ? this.#doubled + 1 : 0;
    block.offset += bytes;
    this.#inflaters.get(block.index)?.drop(bytes);
    if (watermarkNs !== undefined && (block.watermarkNs === undefined || watermarkNs > block.watermarkNs)) block.watermarkNs = watermarkNs;
    const all = bytes === chunk.length;
    if (all && last) return this.#finish(block);
    if (all && chunk[bytes - 1] !== NEWLINE) {
      if (!block.compressed) return this.#finish(block);
      block.insideRow = true;
    }
    this.#schedule.advance();
  }

  #finish(block: Block): void {
    block.done = true;
    this.#inflaters.get(block.index)?.close();
    this.#inflaters.delete(block.index);
    this.#schedule.advance();
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
    for (const inflater of this.#inflaters.values()) inflater.close();
    this.#inflaters.clear();
  }

  #want(chunk: number): number {
    return Math.min(CHUNK_MAX, chunk * 2 ** Math.min(this.#doubled, 10));
  }

  /** The open inflater of `block`, which thereby becomes the one used last. */
  #inflater(block: Block): Inflater {
    const inflater = this.#inflaters.get(block.index) ?? new Inflater(block.path, block.offset);
    this.#inflaters.delete(block.index);
    this.#inflaters.set(block.index, inflater);
    for (const [index, oldest] of this.#inflaters) {
      if (this.#inflaters.size <= OPEN_INFLATERS) break;
      oldest.close();
      this.#inflaters.delete(index);
    }
    return inflater;
  }

  async #file(block: Block): Promise<FileHandle> {
    if (this.#handle?.path === block.path) return this.#handle.file;
    await this.#handle?.file.close();
    this.#handle = undefined;
    const file = await open(block.path, "r").catch((error: unknown) => this.#refuse(block, error));
    this.#handle = { path: block.path, file };
    return file;
  }

  #refuse(block: Block, error: unknown): never {
    const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
    const message = `cannot read file "${block.path}" of table "${this.#context.table}"`;
    if (code.startsWith("Z_"))
      throw userError("invalid-option", `${message}: it is not a whole gzip file`, { cause: error, hint: GZIP_HINT });
    const cause = toAppError(error);
    throw userError(cause.code, message, { detail: cause.message, cause });
  }

  #shorter(block: Block): AppError {
    const message = `file "${block.path}" of table "${this.#context.table}" became shorter while it was read`;
    const hint = "Input files must not change while a job reads them: write new files beside the old ones.";
    return externalError("io", message, { hint, retry: "never" });
  }
}

const GZIP_HINT = "Check that the file is complete, and that the compression option is right: files named *.gz are taken to be gzip.";

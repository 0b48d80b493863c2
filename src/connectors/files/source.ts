/**
 * Reading files of rows, block by block, as raw bytes. Used by `single_file` and `filesystem`.
 *
 * Plain files are read by `PlainReader`, one chunk ahead of the slot, compressed ones by an `Inflater` each. Chunks are about
 * 2 MiB, longer only while a row does not fit. A row longer than 16 MiB is reported by the scanner, which then takes the whole chunk; the rest of
 * the row is passed over here, so that the scanner need not remember it.
 */

import type { AppError } from "../../core/errors.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import type { ByteSource, SourceChunk, SplitPosition, SubtaskContext } from "../connector.ts";
import type { Block, InputFile } from "./block.ts";
import { BlockSchedule, blocksOf, fromPosition, splitFiles, toPosition } from "./block.ts";
import { Inflater } from "./inflater.ts";
import { PlainReader } from "./plain-reader.ts";

/** Bytes of a chunk of a compressed file at first; doubled while it holds no whole row. */
const COMPRESSED_CHUNK = 256 << 10;
/** Longest chunk: a row longer than 16 MiB is bad data, which the scanner finds when it sees more than that. */
const CHUNK_MAX = 17 << 20;
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
  readonly #plain = new PlainReader({
    refuse: (block, error) => this.#refuse(block, error),
    shorter: (block) => {
      throw this.#shorter(block);
    },
  });
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
      const chunk = block.compressed
        ? await this.#readCompressed(block)
        : await this.#plain.read(block, this.#doubled, this.#schedule.following());
      if (chunk !== undefined) {
        this.#current = chunk;
        return { bytes: chunk.bytes, partition: block.file, position: BigInt(block.offset), last: chunk.last };
      }
      this.#finish(block);
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

  /** Of compressed files nothing is known before their end. */
  lagBytes(): number {
    return this.#blocks.reduce((sum, { done, compressed, end, offset }) => sum + (done || compressed ? 0 : Math.max(0, end - offset)), 0);
  }

  positions(): readonly SplitPosition[] {
    return this.#blocks.map(toPosition);
  }

  describe(partition: number, position: bigint): string {
    return `file "${this.#paths.get(partition) ?? partition}" at byte ${position}`;
  }

  async close(): Promise<void> {
    await this.#plain.close();
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

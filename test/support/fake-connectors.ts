/**
 * Connectors for the fake module, with the registry's shape so that slot threads can load them by URL. The source reads a file of
 * `key,timeMs,value` lines in blocks of `block_rows` lines, block b by subtask b mod parallelism; the sink writes one file per subtask and
 * truncates it to what was staged. Options of the source: path, block_rows, chunk_bytes, delay_ms (watermark = largest time − delay),
 * throttle (waits 5 ms before every chunk), unbounded (never ends). Of the sink: path, slow, hang
 * (its `stage` or `commit` never ends).
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import type { ByteSource, Sink, SinkCommit, SourceChunk, SplitPosition, SubtaskContext } from "../../src/connectors/connector.ts";
import type { SinkOperator, SourceOperator } from "../../src/program/operator.ts";

interface Block {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  offset: number;
}

class FakeSource implements ByteSource {
  readonly kind = "bytes";
  readonly bounded: boolean;
  readonly #operator: SourceOperator;
  readonly #context: SubtaskContext;
  #bytes = new Uint8Array();
  #blocks: Block[] = [];
  #current: Block | undefined;
  #watermark: bigint | undefined;

  constructor(operator: SourceOperator, context: SubtaskContext) {
    this.#operator = operator;
    this.#context = context;
    this.bounded = operator.options["unbounded"] !== true;
  }

  async open(restored: readonly SplitPosition[] | undefined): Promise<void> {
    this.#bytes = readFileSync(String(this.#operator.options["path"]));
    const rows = Number(this.#operator.options["block_rows"] ?? 1000);
    const offsets = new Map(restored?.map((p) => [p.split, Number(p["offset"])]));
    let at = 0;
    for (let number = 0; at < this.#bytes.length; number++) {
      let end = at;
      for (let i = 0; i < rows && end < this.#bytes.length; i++) {
        const newline = this.#bytes.indexOf(10, end);
        end = newline < 0 ? this.#bytes.length : newline + 1;
      }
      const block = { number, start: at, end, offset: offsets.get(`b${number}`) ?? at };
      if (number % this.#context.parallelism === this.#context.subtask) this.#blocks.push(block);
      at = end;
    }
  }

  async read(): Promise<SourceChunk | "idle" | "end"> {
    if (this.#operator.options["throttle"] === true) await new Promise((resolve) => setTimeout(resolve, 5));
    const block = this.#blocks.find((b) => b.offset < b.end);
    this.#current = block;
    if (block === undefined) return this.bounded ? "end" : "idle";
    let end = Math.min(block.end, block.offset + Number(this.#operator.options["chunk_bytes"] ?? 1 << 20));
    if (end < block.end && this.#bytes.lastIndexOf(10, end) < block.offset) end = block.end;
    const position = BigInt(block.offset);
    return { bytes: this.#bytes.subarray(block.offset, end), partition: block.number, position, last: end === block.end };
  }

  consumed(bytes: number, _rows: number, watermarkNs: bigint | undefined): void {
    if (this.#current !== undefined) this.#current.offset += bytes;
    if (watermarkNs === undefined) return;
    const ns = watermarkNs - BigInt(Number(this.#operator.options["delay_ms"] ?? 0)) * 1_000_000n;
    if (this.#watermark === undefined || ns > this.#watermark) this.#watermark = ns;
  }

  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end" {
    const block = this.#blocks.find((b) => b.offset < b.end);
    if (block === undefined && this.bounded) return "end";
    return this.#watermark === undefined ? undefined : { ns: this.#watermark, partition: block?.number ?? 0 };
  }

  positions(): readonly SplitPosition[] {
    return this.#blocks.map((b) => ({ split: `b${b.number}`, offset: b.offset }));
  }

  describe(_partition: number, position: bigint): string {
    return `file "${this.#operator.options["path"]}" at byte ${position}`;
  }

  async close(): Promise<void> {}
}

class FakeSink implements Sink {
  readonly #path: string;
  readonly #slow: boolean;
  readonly #hang: unknown;
  #fd = -1;
  #length = 0;

  constructor(operator: SinkOperator, context: SubtaskContext) {
    this.#path = `${operator.options["path"]}-${context.subtask}`;
    this.#slow = operator.options["slow"] === true;
    this.#hang = operator.options["hang"];
  }

  async open(restored: readonly SinkCommit[] | undefined): Promise<void> {
    const own = restored?.find((commit) => commit["path"] === this.#path);
    this.#length = Number(own?.["length"] ?? 0);
    if (!existsSync(this.#path)) writeFileSync(this.#path, "");
    this.#fd = openSync(this.#path, "r+");
    ftruncateSync(this.#fd, this.#length);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#slow) await new Promise((resolve) => setTimeout(resolve, 2));
    this.#length += writeSync(this.#fd, bytes, 0, bytes.length, this.#length);
  }

  async stage(): Promise<SinkCommit | undefined> {
    if (this.#hang === "stage") await new Promise(() => undefined);
    fsyncSync(this.#fd);
    return { path: this.#path, length: this.#length };
  }

  async commit(epoch: number, staged: SinkCommit): Promise<void> {
    if (this.#hang === "commit") await new Promise(() => undefined);
    writeFileSync(`${staged["path"]}.committed`, `${epoch} ${staged["length"]}`);
  }

  async close(): Promise<void> {
    closeSync(this.#fd);
  }
}

/** As the registry's. */
export function createSource(operator: SourceOperator, context: SubtaskContext): ByteSource {
  return new FakeSource(operator, context);
}

/** As the registry's. */
export function createSink(operator: SinkOperator, context: SubtaskContext): Sink {
  return new FakeSink(operator, context);
}

/**
 * A gzip file as uncompressed bytes from an offset on, with the tail that was not consumed kept. Offsets count uncompressed bytes; to
 * begin at one, everything before it is inflated and dropped.
 */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** An open compressed file. */
export class Inflater {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #close: () => void;
  #pending: Buffer = Buffer.alloc(0);
  #skip: number;
  #ended = false;

  /** Opens `path` at `offset`; errors come out of `take`. */
  constructor(path: string, offset: number) {
    const file = createReadStream(path);
    const stream = createGunzip();
    // The callback only keeps an error from being thrown: pipeline also gives it to `stream`, whose reader we are.
    pipeline(file, stream, () => {});
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#close = () => {
      file.destroy();
      stream.destroy();
    };
    this.#skip = offset;
  }

  /** At least `want` bytes unless the file ends; valid until `drop`. Rejects if the file cannot be read or is no gzip. */
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

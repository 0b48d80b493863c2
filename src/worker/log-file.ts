/**
 * A worker's own log: JSON lines in a file that is kept small by rotation (the file and one before it), and pieces of it for those who ask.
 * Places in the log count from its beginning, also of what has been rotated away, so that a reader's cursor stays true.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";

/** Bytes of a file after which a new one is begun. */
const ROTATE_BYTES = 8 << 20;
/** Bytes of a piece at most. */
export const LOG_PIECE_BYTES = 64 << 10;
const NEWLINE = 10;

/** A piece of the log: whole lines. */
export interface LogPiece {
  /** Place of its first byte. */
  readonly offset: number;
  readonly text: Uint8Array;
}

/** See the file's comment. One writer per path. */
export class LogFile {
  readonly #path: string;
  readonly #rotateBytes: number;
  #fd: number;
  #size: number;
  /** Place of the file's first byte. */
  #base: number;
  /** Bytes of the file before. */
  #olderSize = 0;

  /** Opens `path` for appending; a file that is there already is gone on with. Throws the system's error. */
  constructor(path: string, rotateBytes = ROTATE_BYTES) {
    this.#path = path;
    this.#rotateBytes = rotateBytes;
    this.#fd = openSync(path, "a", 0o600);
    this.#size = fstatSync(this.#fd).size;
    this.#base = 0;
  }

  /** Place behind the last byte. */
  get end(): number {
    return this.#base + this.#size;
  }

  /** Appends a line, which ends in a newline. A disk that is full costs the line, not the worker. */
  append(line: string): void {
    try {
      if (this.#size >= this.#rotateBytes) this.#rotate();
      this.#size += writeSync(this.#fd, line);
    } catch {
      // There is nobody to tell: this is the log.
    }
  }

  /**
   * Pieces of at most 64 KiB with the lines from `offset` on, at most `limit` bytes in all; a negative `offset` counts from the end. What has
   * been rotated away is left out. A line that has only been written in part is not given.
   */
  *read(offset: number, limit: number): Iterable<LogPiece> {
    const end = this.end;
    let at = Math.max(offset < 0 ? end + offset : offset, this.#base - this.#olderSize, 0);
    // From the middle of the log only whole lines make sense.
    let skip = offset < 0 && at > this.#base - this.#olderSize;
    let left = limit;
    while (at < end && left > 0) {
      let text = this.#bytes(at, Math.min(LOG_PIECE_BYTES, left, end - at));
      if (text.length < LOG_PIECE_BYTES && !text.includes(NEWLINE)) return;
      const begin = skip ? text.indexOf(NEWLINE) + 1 : 0;
      skip = skip && begin === 0;
      const whole = text.lastIndexOf(NEWLINE) + 1;
      // A line longer than a piece is given in parts.
      text = text.subarray(begin, whole > begin ? whole : text.length);
      if (!skip && text.length > 0) yield { offset: at + begin, text };
      at += begin + text.length;
      left -= begin + text.length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  get #older(): string {
    return `${this.#path}.1`;
  }

  #rotate(): void {
    closeSync(this.#fd);
    rmSync(this.#older, { force: true });
    renameSync(this.#path, this.#older);
    this.#fd = openSync(this.#path, "a", 0o600);
    this.#base += this.#size;
    this.#olderSize = this.#size;
    this.#size = 0;
  }

  /** At most `length` bytes from place `at`, out of one file. */
  #bytes(at: number, length: number): Uint8Array {
    const inOlder = at < this.#base;
    const path = inOlder ? this.#older : this.#path;
    if (!existsSync(path)) return new Uint8Array();
    const begin = inOlder ? at - (this.#base - this.#olderSize) : at - this.#base;
    const bytes = new Uint8Array(inOlder ? Math.min(length, this.#base - at) : length);
    const fd = openSync(path, "r");
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, begin));
    } finally {
      closeSync(fd);
    }
  }
}

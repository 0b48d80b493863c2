/**
 * A log in files that are kept small: one that is larger than its limit becomes `<name>.1`, the one before `<name>.2` and so on, and the oldest
 * goes. Lines are written whole, and given in pieces to those who ask. Places in the log count from its beginning, also of what has been put
 * aside, so that a reader's cursor stays true. A disk that is full loses lines, never the process.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** How a log is kept. */
export interface LogFileOptions {
  /** Size in bytes at which the file is put aside. */
  readonly sizeLimit: number;
  /** Files in all, >= 1. */
  readonly files: number;
}

const SMALL: LogFileOptions = { sizeLimit: 8 << 20, files: 2 };
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
  /** Where the newest lines are. */
  readonly path: string;
  readonly #options: LogFileOptions;
  #fd: number;
  #size: number;
  /** Place of the file's first byte. */
  #base = 0;
  /** Bytes of the file before. */
  #olderSize = 0;
  /** The beginning of a line whose end has not come yet. */
  #rest = "";

  /** Opens `path` for appending; its folder is made, a file that is there already is gone on with. Throws the system's error. */
  constructor(path: string, options = SMALL) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#options = options;
    this.#fd = openSync(path, "a", 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  /** Place behind the last byte. */
  get end(): number {
    return this.#base + this.#size;
  }

  /** Appends whole lines. */
  append(lines: string): void {
    try {
      const bytes = Buffer.from(lines);
      if (this.#size > 0 && this.#size + bytes.length > this.#options.sizeLimit) this.#rotate();
      this.#size += writeSync(this.#fd, bytes);
    } catch {
      // There is nobody to tell: this is the log.
    }
  }

  /** Takes text in pieces as they come; only whole lines are written. */
  write(text: string): void {
    const whole = this.#rest + text;
    const end = whole.lastIndexOf("\n") + 1;
    this.#rest = whole.slice(end);
    if (end > 0) this.append(whole.slice(0, end));
  }

  /** Writes what is left of an unfinished line. */
  flush(): void {
    if (this.#rest !== "") this.write("\n");
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
    return `${this.path}.1`;
  }

  #rotate(): void {
    const names = Array.from({ length: this.#options.files }, (_, age) => (age === 0 ? this.path : `${this.path}.${age}`));
    closeSync(this.#fd);
    rmSync(names.at(-1) as string, { force: true });
    for (let age = names.length - 2; age >= 0; age--) {
      const [from, to] = [names[age] as string, names[age + 1] as string];
      if (existsSync(from)) renameSync(from, to);
    }
    this.#fd = openSync(this.path, "a", 0o600);
    this.#base += this.#size;
    this.#olderSize = this.#options.files > 1 ? this.#size : 0;
    this.#size = 0;
  }

  /** At most `length` bytes from place `at`, out of one file. */
  #bytes(at: number, length: number): Uint8Array {
    const inOlder = at < this.#base;
    const path = inOlder ? this.#older : this.path;
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

/**
 * A log file with rotation: when it is larger than its limit it becomes `<name>.1`, the one before `<name>.2` and so on, and the oldest goes.
 * Lines are written whole. A disk that is full loses lines, never the process.
 */
import { appendFileSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "../../storage/make-folder.ts";

/** How a log is kept. */
export interface LogFileOptions {
  /** Size in bytes at which the file is put aside. */
  readonly sizeLimit: number;
  /** Files in all, >= 1. */
  readonly files: number;
}

/** See the file's comment. */
export class LogFile {
  readonly #path: string;
  readonly #options: LogFileOptions;
  #bytes: number;
  /** The beginning of a line whose end has not come yet. */
  #rest = "";

  /** The file goes on if it is there; its folder is made. */
  constructor(path: string, options: LogFileOptions) {
    makeFolder(dirname(path));
    this.#path = path;
    this.#options = options;
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Where it is. */
  get path(): string {
    return this.#path;
  }

  /** Takes text in pieces as they come. */
  write(text: string): void {
    const whole = this.#rest + text;
    const end = whole.lastIndexOf("\n") + 1;
    this.#rest = whole.slice(end);
    if (end > 0) this.#append(whole.slice(0, end));
  }

  /** Writes what is left of an unfinished line. */
  end(): void {
    if (this.#rest !== "") this.write("\n");
  }

  #append(lines: string): void {
    try {
      if (this.#bytes > 0 && this.#bytes + lines.length > this.#options.sizeLimit) this.#rotate();
      appendFileSync(this.#path, lines, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(lines);
    } catch {
      // There is no better place to say it.
    }
  }

  #rotate(): void {
    const names = Array.from({ length: this.#options.files }, (_, age) => (age === 0 ? this.#path : `${this.#path}.${age}`));
    rmSync(names.at(-1) as string, { force: true });
    for (let age = names.length - 2; age >= 0; age--) {
      const [from, to] = [names[age] as string, names[age + 1] as string];
      if (existsSync(from)) renameSync(from, to);
    }
    this.#bytes = 0;
  }
}

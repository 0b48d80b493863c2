/** Output of tasks in rotated files `<task>.<stream>.<n>`, as Nomad's log monitor writes them: a new file when one is full, the oldest removed. */
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Writes one stream of one task. */
export class LogWriter {
  readonly #folder: string;
  readonly #prefix: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  #index: number;
  #size = 0;

  constructor(folder: string, task: string, stream: "stdout" | "stderr", maxBytes: number, maxFiles: number) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#prefix = `${task}.${stream}.`;
    this.#maxBytes = maxBytes;
    this.#maxFiles = maxFiles;
    const known = logFiles(folder, task, stream);
    this.#index = known.at(-1)?.index ?? 0;
    if (existsSync(this.#path())) this.#size = statSync(this.#path()).size;
    else appendFileSync(this.#path(), "");
  }

  #path(): string {
    return join(this.#folder, `${this.#prefix}${this.#index}`);
  }

  /** Appends `data`, in as many files as it needs; does nothing once the folder is gone. */
  write(data: Buffer): void {
    if (existsSync(this.#folder)) this.#append(data);
  }

  #append(data: Buffer): void {
    let rest = data;
    while (rest.length > 0) {
      if (this.#size >= this.#maxBytes) {
        this.#index += 1;
        this.#size = 0;
        rmSync(join(this.#folder, `${this.#prefix}${this.#index - this.#maxFiles}`), { force: true });
      }
      const piece = rest.subarray(0, this.#maxBytes - this.#size);
      appendFileSync(this.#path(), piece);
      this.#size += piece.length;
      rest = rest.subarray(piece.length);
    }
  }
}

/** Files of one stream, oldest first. */
export function logFiles(folder: string, task: string, stream: string): { name: string; index: number; size: number }[] {
  if (!existsSync(folder)) return [];
  const prefix = `${task}.${stream}.`;
  const names = readdirSync(folder).filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)));
  const files = names.map((name) => ({ name, index: Number(name.slice(prefix.length)), size: statSync(join(folder, name)).size }));
  return files.sort((left, right) => left.index - right.index);
}

/** At most `length` bytes of a file from `offset`. */
export function readPiece(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
  } finally {
    closeSync(file);
  }
}

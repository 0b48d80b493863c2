/**
 * An object store in this thread's memory, for tests, previews and `wadi run` without a state directory. It copies on the way in and out,
 * so it behaves like a disk; it does not outlive the thread and is not shared between threads.
 */
import { chunksOf, concatenate } from "./object-body.ts";
import { checkFolder, checkObjectPath, checkPrefix, comparePaths } from "./object-path.ts";
import type { ObjectBody, ObjectInfo, ObjectStore, ObjectWriter, StoreCapabilities } from "./object-store.ts";
import { rangeError, storeError } from "./store-error.ts";

/** See the file's comment. Never throws but for missing objects and bad paths. */
export class MemoryStore implements ObjectStore {
  readonly url: string;
  readonly #objects = new Map<string, Uint8Array>();

  /** `name` is for messages. */
  constructor(name = "anonymous") {
    this.url = `memory://${name}`;
  }

  async probe(): Promise<StoreCapabilities> {
    return { putIfAbsent: true };
  }

  async put(path: string, body: ObjectBody): Promise<void> {
    checkObjectPath(path);
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(body)) chunks.push(chunk.slice());
    this.#objects.set(path, concatenate(chunks));
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<void> {
    checkObjectPath(path);
    if (this.#objects.has(path)) throw storeError("already-exists", { action: "write", path, url: this.url });
    this.#objects.set(path, bytes.slice());
  }

  async openWriter(path: string): Promise<ObjectWriter> {
    checkObjectPath(path);
    return new MemoryWriter((bytes) => this.#objects.set(path, bytes));
  }

  async get(path: string): Promise<Uint8Array> {
    return this.#find(path).slice();
  }

  async getRange(path: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = this.#find(path);
    if (offset + length > bytes.length) throw rangeError({ action: "read", path, url: this.url }, bytes.length, offset, length);
    return bytes.slice(offset, offset + length);
  }

  async head(path: string): Promise<ObjectInfo | undefined> {
    const bytes = this.#objects.get(checkObjectPath(path));
    return bytes === undefined ? undefined : { path, size: bytes.length };
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const paths = [...this.#objects.keys()].filter((path) => path.startsWith(prefix)).sort(comparePaths);
    for (const path of paths) {
      const bytes = this.#objects.get(path);
      if (bytes !== undefined) yield { path, size: bytes.length };
    }
  }

  async delete(path: string): Promise<void> {
    this.#objects.delete(checkObjectPath(path));
  }

  async deletePrefix(folder: string): Promise<number> {
    checkFolder(folder);
    const paths = [...this.#objects.keys()].filter((path) => path.startsWith(folder));
    for (const path of paths) this.#objects.delete(path);
    return paths.length;
  }

  async discardUnfinished(folder: string): Promise<number> {
    checkFolder(folder);
    return 0;
  }

  async close(): Promise<void> {}

  #find(path: string): Uint8Array {
    const bytes = this.#objects.get(checkObjectPath(path));
    if (bytes === undefined) throw storeError("not-found", { action: "read", path, url: this.url });
    return bytes;
  }
}

class MemoryWriter implements ObjectWriter {
  size = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #store: (bytes: Uint8Array) => void;

  constructor(store: (bytes: Uint8Array) => void) {
    this.#store = store;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk.slice());
    this.size += chunk.length;
  }

  async finish(): Promise<void> {
    this.#store(concatenate(this.#chunks));
  }

  async abort(): Promise<void> {
    this.#chunks.length = 0;
  }
}

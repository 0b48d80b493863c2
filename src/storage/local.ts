/**
 * The object store on a local disk: an object is a file below the root folder.
 *
 * A file appears by: write a temporary file in the same folder, fsync it, rename it, fsync the folder. Without the first fsync a crash may
 * leave a renamed file without bytes, without the second it may undo the rename; new folders are fsynced into their parents for the same
 * reason (https://danluu.com/file-consistency/). `put-if-absent` is `link`, which refuses an existing name.
 */
import { randomUUID } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type FileSystem, type FolderEntry, hasErrno, nodeFileSystem, type WritableFile } from "./file-system.ts";
import { chunksOf } from "./object-body.ts";
import { checkFolder, checkObjectPath, checkPrefix, comparePaths, TEMPORARY_PREFIX } from "./object-path.ts";
import type { ObjectBody, ObjectInfo, ObjectStore, ObjectWriter, StoreCapabilities } from "./object-store.ts";
import { fileSystemError, rangeError, type StoreAction, type StoreTarget } from "./store-error.ts";

/** What tests replace. */
export interface LocalStoreOptions {
  readonly fileSystem?: FileSystem;
  /** A name no other writer, thread or process uses; a random UUID by default. */
  readonly uniqueName?: () => string;
}

/** How often a folder is made again that vanishes before a file is in it. */
const MAX_CREATE_ATTEMPTS = 20;
const MAX_REMEMBERED_FOLDERS = 1000;

/** How a temporary file becomes the object. */
type Publish = "replace" | "if-absent";

/** See the file's comment. Safe for several threads and processes on one folder, on a file system with POSIX `rename` and `link`. */
export class LocalStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;
  readonly #fs: FileSystem;
  readonly #uniqueName: () => string;
  /** Folders whose entry in their parent is known to be on the disk. */
  readonly #durableFolders = new Set<string>();

  /** `root`: an absolute path; created by the first write. */
  constructor(root: string, options: LocalStoreOptions = {}) {
    this.#root = resolve(root);
    this.url = pathToFileURL(root).href;
    this.#fs = options.fileSystem ?? nodeFileSystem;
    this.#uniqueName = options.uniqueName ?? randomUUID;
  }

  /** Creates the root folder and a file in it, so that a read-only disk is found at start-up. */
  async probe(): Promise<StoreCapabilities> {
    const path = `probe-${this.#uniqueName()}`;
    await this.put(path, new Uint8Array(0));
    await this.delete(path);
    return { putIfAbsent: true };
  }

  async put(path: string, body: ObjectBody): Promise<void> {
    await this.#store(path, body, "replace");
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<void> {
    await this.#store(path, bytes, "if-absent");
  }

  async openWriter(path: string): Promise<ObjectWriter> {
    return this.#open(path, "replace");
  }

  async get(path: string): Promise<Uint8Array> {
    return this.#run("read", path, () => this.#fs.read(this.#locate(path)));
  }

  async getRange(path: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#run("read", path, () => this.#fs.read(this.#locate(path), { offset, length }));
    if (bytes.length === length && length > 0) return bytes;
    const size = (await this.head(path))?.size ?? 0;
    if (bytes.length === length && offset <= size) return bytes;
    throw rangeError(this.#target("read", path), size, offset, length);
  }

  async head(path: string): Promise<ObjectInfo | undefined> {
    const size = await this.#run("read", path, () => this.#fs.size(this.#locate(path)));
    return size === undefined ? undefined : { path, size };
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    yield* this.#walk(prefix.slice(0, prefix.lastIndexOf("/") + 1), prefix);
  }

  async delete(path: string): Promise<void> {
    const file = this.#locate(path);
    // Not synced: a deletion undone by a crash is repeated by whoever wanted it.
    await this.#run("delete", path, async () => {
      if ((await this.#fs.size(file)) !== undefined) await this.#fs.unlink(file).catch(unlessAbsent);
      // A folder an epoch would add up.
      for (let folder = dirname(file); folder !== this.#root; folder = dirname(folder)) {
        this.#durableFolders.delete(folder);
        if (!(await this.#fs.removeEmptyFolder(folder))) break;
      }
    });
  }

  async deletePrefix(folder: string): Promise<number> {
    checkFolder(folder);
    let count = 0;
    for await (const _ of this.list(folder)) count++;
    this.#durableFolders.clear();
    await this.#run("delete", folder, () => this.#fs.removeTree(join(this.#root, folder)));
    return count;
  }

  async discardUnfinished(folder: string): Promise<number> {
    checkFolder(folder);
    return this.#run("delete", folder, () => this.#discard(join(this.#root, folder)));
  }

  async close(): Promise<void> {}

  async #store(path: string, body: ObjectBody, publish: Publish): Promise<void> {
    const writer = await this.#open(path, publish);
    try {
      for await (const chunk of chunksOf(body)) await writer.write(chunk);
      await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async #open(path: string, publish: Publish): Promise<LocalWriter> {
    const file = this.#locate(path);
    const folder = dirname(file);
    return this.#run("write", path, async () => {
      const temporary = join(folder, TEMPORARY_PREFIX + this.#uniqueName());
      const handle = await this.#createIn(folder, temporary);
      return new LocalWriter(this.#fs, handle, { temporary, file, folder, publish }, this.#target("write", path));
    });
  }

  /**
   * Creates the file in a folder that is durable. Tried again if somebody who deletes takes the empty folder away meanwhile; Node's
   * recursive mkdir says ENOTDIR when the folder vanishes between its mkdir and its stat.
   */
  async #createIn(folder: string, temporary: string): Promise<WritableFile> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#makeFolder(folder);
        return await this.#fs.create(temporary);
      } catch (error) {
        const vanished = hasErrno(error, "ENOENT") || hasErrno(error, "ENOTDIR");
        if (!vanished || attempt === MAX_CREATE_ATTEMPTS) throw error;
        this.#durableFolders.clear();
      }
    }
  }

  /** Also fsyncs folders that another thread made: it may not have come to it yet. */
  async #makeFolder(folder: string): Promise<void> {
    const made = new Set(await this.#fs.makeFolder(folder));
    for (let at = folder; at.length > this.#root.length && !this.#durableFolders.has(at); at = dirname(at)) made.add(at);
    if (this.#durableFolders.size > MAX_REMEMBERED_FOLDERS) this.#durableFolders.clear();
    for (const at of [...made].sort()) {
      await this.#fs.syncFolder(dirname(at));
      this.#durableFolders.add(at);
    }
  }

  /** Depth first, in order of full paths: a folder sorts as its name with `/`. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<ObjectInfo> {
    const entries = await this.#run("list", prefix, () => this.#fs.readFolder(join(this.#root, folder)));
    const paths = entries.filter((e) => !isTemporary(e)).map((e) => `${folder}${e.name}${e.isFolder ? "/" : ""}`);
    for (const path of paths.sort(comparePaths)) {
      if (path.endsWith("/")) {
        if (path.startsWith(prefix) || prefix.startsWith(path)) yield* this.#walk(path, prefix);
      } else if (path.startsWith(prefix)) {
        const info = await this.head(path);
        if (info !== undefined) yield info;
      }
    }
  }

  async #discard(folder: string): Promise<number> {
    let count = 0;
    for (const entry of await this.#fs.readFolder(folder)) {
      const path = join(folder, entry.name);
      if (entry.isFolder) count += await this.#discard(path);
      else if (isTemporary(entry)) {
        await this.#fs.unlink(path).catch(unlessAbsent);
        count++;
      }
    }
    return count;
  }

  #locate(path: string): string {
    return join(this.#root, checkObjectPath(path));
  }

  #target(action: StoreAction, path: string): StoreTarget {
    return { action, path, url: this.url };
  }

  async #run<T>(action: StoreAction, path: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw fileSystemError(error, this.#target(action, path));
    }
  }
}

/** Where a writer's bytes go. */
interface Destination {
  readonly temporary: string;
  readonly file: string;
  readonly folder: string;
  readonly publish: Publish;
}

class LocalWriter implements ObjectWriter {
  size = 0;
  readonly #fs: FileSystem;
  readonly #handle: WritableFile;
  readonly #to: Destination;
  readonly #target: StoreTarget;
  #state: "open" | "closed" | "done" = "open";

  constructor(fs: FileSystem, handle: WritableFile, to: Destination, target: StoreTarget) {
    this.#fs = fs;
    this.#handle = handle;
    this.#to = to;
    this.#target = target;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#run(() => this.#handle.write(chunk));
    this.size += chunk.length;
  }

  async finish(): Promise<void> {
    const { temporary, file, folder, publish } = this.#to;
    await this.#run(async () => {
      await this.#handle.sync();
      this.#state = "closed";
      await this.#handle.close();
      if (publish === "replace") {
        await this.#fs.rename(temporary, file);
        this.#state = "done";
      } else {
        await this.#fs.link(temporary, file);
        this.#state = "done";
        await this.#fs.unlink(temporary);
      }
      await this.#fs.syncFolder(folder);
    });
  }

  async abort(): Promise<void> {
    if (this.#state === "done") return;
    // What cannot be removed now is found by `discardUnfinished`; the error that led here matters more.
    if (this.#state === "open") await this.#handle.close().catch(() => undefined);
    this.#state = "done";
    await this.#fs.unlink(this.#to.temporary).catch(() => undefined);
  }

  async #run(operation: () => Promise<void>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      throw fileSystemError(error, this.#target);
    }
  }
}

function isTemporary(entry: FolderEntry): boolean {
  return entry.name.startsWith(TEMPORARY_PREFIX);
}

function unlessAbsent(error: unknown): void {
  if (!hasErrno(error, "ENOENT")) throw error;
}

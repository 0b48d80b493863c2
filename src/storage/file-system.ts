/**
 * The few file operations of the local store, as an interface, so that a test can record their order and lose power between any two of
 * them. It throws Node's system errors as they are; the store words them.
 */
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/** A file open for writing. */
export interface WritableFile {
  /** Appends all of `chunk`. */
  write(chunk: Uint8Array): Promise<void>;
  /** Returns when the file's bytes and size are on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** An entry of a folder. Everything that is neither file nor folder is left out. */
export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Absolute paths everywhere. */
export interface FileSystem {
  /** Creates a file that must not exist. */
  create(path: string): Promise<WritableFile>;
  /** Creates the folder and its missing ancestors; returns the ones it created, outermost first. */
  makeFolder(path: string): Promise<readonly string[]>;
  /** Returns when the folder's entries (names, renames, removals) are on the disk. */
  syncFolder(path: string): Promise<void>;
  /** Moves a file over another one or to a new name, atomically. */
  rename(from: string, to: string): Promise<void>;
  /** Gives the file a second name, which must not exist. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Removes a folder if nothing is in it; whether it is gone now. */
  removeEmptyFolder(path: string): Promise<boolean>;
  /** Removes a folder with everything in it; no error if it does not exist. */
  removeTree(path: string): Promise<void>;
  /** Size of a file in bytes, `undefined` if there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** `length` bytes from `offset` on, fewer at the end of the file; the whole file without a range. */
  read(path: string, range?: { readonly offset: number; readonly length: number }): Promise<Uint8Array>;
  /** The folder's entries in no order; empty if it does not exist. */
  readFolder(path: string): Promise<readonly FolderEntry[]>;
}

/** The machine's file system. */
export const nodeFileSystem: FileSystem = {
  async create(path) {
    const handle = await open(path, "wx");
    return {
      async write(chunk) {
        for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
      },
      sync: () => handle.sync(),
      close: () => handle.close(),
    };
  },
  async makeFolder(path) {
    const first = await mkdir(path, { recursive: true });
    const made: string[] = [];
    if (first === undefined) return made;
    for (let folder = path; ; folder = dirname(folder)) {
      made.unshift(folder);
      if (folder === first || folder === dirname(folder)) return made;
    }
  },
  async syncFolder(path) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename,
  link,
  unlink,
  async removeEmptyFolder(path) {
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return true;
      if (hasErrno(error, "ENOTEMPTY", "EEXIST", "EACCES", "EPERM", "EBUSY")) return false;
      throw error;
    }
  },
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  async size(path) {
    const found = await absentAs(undefined, () => stat(path));
    return found?.isFile() === true ? found.size : undefined;
  },
  async read(path, range) {
    const handle = await open(path, "r");
    try {
      const size = (await handle.stat()).size;
      const offset = range?.offset ?? 0;
      const bytes = new Uint8Array(Math.max(0, Math.min(size - offset, range?.length ?? size)));
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done === bytes.length ? bytes : bytes.subarray(0, done);
    } finally {
      await handle.close();
    }
  },
  async readFolder(path) {
    const entries = await absentAs([], () => readdir(path, { withFileTypes: true }));
    return entries.filter((e) => e.isFile() || e.isDirectory()).map((e) => ({ name: e.name, isFolder: e.isDirectory() }));
  },
};

/** What `operation` returns, `value` if the file or folder does not exist. */
async function absentAs<T, U>(value: U, operation: () => Promise<T>): Promise<T | U> {
  try {
    return await operation();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return value;
    throw error;
  }
}

/** Whether `error` is a system error with one of these codes. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

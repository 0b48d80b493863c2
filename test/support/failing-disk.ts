/**
 * A file system in memory that knows which of its changes a power cut would keep: a file's bytes are durable after its fsync, names after
 * the fsync of their folder. It logs every operation and can lose power after any of them.
 */
import { dirname } from "node:path";
import type { FileSystem, WritableFile } from "../../src/storage/file-system.ts";

interface Inode {
  bytes: number[];
  /** Bytes that survive; `undefined` before the first fsync: the file may come back empty. */
  durable: number[] | undefined;
}

/** Thrown by the operation at which the power goes, and by all after it. */
export class PowerLoss extends Error {}

export class FailingDisk implements FileSystem {
  readonly log: string[] = [];
  /** Operations that still succeed. */
  fuel = Number.POSITIVE_INFINITY;
  /** When set, the operation of this name fails with this errno. */
  fault: { readonly operation: string; readonly errno: string } | undefined;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #folders = new Set<string>(["/"]);
  #durableFolders = new Set<string>(["/"]);

  /** The disk after the power is back: names as of the last fsync of their folders, or (`eager`) all that had been written by itself. */
  afterPowerLoss(eager: boolean): FailingDisk {
    const disk = new FailingDisk();
    for (const folder of eager ? this.#folders : this.#durableFolders) disk.#folders.add(folder);
    for (const [path, inode] of eager ? this.#names : this.#durableNames) {
      if (!disk.#folders.has(dirname(path))) continue;
      const bytes = [...(inode.durable ?? [])];
      disk.#names.set(path, { bytes, durable: bytes });
    }
    disk.#durableNames = new Map(disk.#names);
    disk.#durableFolders = new Set(disk.#folders);
    return disk;
  }

  async create(path: string): Promise<WritableFile> {
    this.#step("open", path);
    if (this.#names.has(path)) throw errno("EEXIST");
    if (!this.#folders.has(dirname(path))) throw errno("ENOENT");
    const inode: Inode = { bytes: [], durable: undefined };
    this.#names.set(path, inode);
    return {
      write: async (chunk) => {
        this.#step("write", path);
        inode.bytes.push(...chunk);
      },
      sync: async () => {
        this.#step("fsync", path);
        inode.durable = [...inode.bytes];
      },
      close: async () => this.#step("close", path),
    };
  }

  async makeFolder(path: string): Promise<readonly string[]> {
    const made: string[] = [];
    for (let folder = path; !this.#folders.has(folder); folder = dirname(folder)) made.unshift(folder);
    for (const folder of made) {
      this.#step("mkdir", folder);
      this.#folders.add(folder);
    }
    return made;
  }

  async syncFolder(path: string): Promise<void> {
    this.#step("fsync-folder", path);
    for (const name of [...this.#durableNames.keys()]) if (dirname(name) === path) this.#durableNames.delete(name);
    for (const [name, inode] of this.#names) if (dirname(name) === path) this.#durableNames.set(name, inode);
    for (const folder of [...this.#durableFolders]) if (folder !== "/" && dirname(folder) === path) this.#durableFolders.delete(folder);
    for (const folder of this.#folders) if (dirname(folder) === path) this.#durableFolders.add(folder);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step("rename", to);
    this.#names.set(to, this.#find(from));
    this.#names.delete(from);
  }

  async link(from: string, to: string): Promise<void> {
    this.#step("link", to);
    if (this.#names.has(to)) throw errno("EEXIST");
    this.#names.set(to, this.#find(from));
  }

  async unlink(path: string): Promise<void> {
    this.#step("unlink", path);
    this.#find(path);
    this.#names.delete(path);
  }

  async removeEmptyFolder(path: string): Promise<boolean> {
    if ((await this.readFolder(path)).length > 0) return false;
    this.#step("rmdir", path);
    this.#folders.delete(path);
    return true;
  }

  async removeTree(path: string): Promise<void> {
    for (const name of [...this.#names.keys()]) if (name.startsWith(path)) this.#names.delete(name);
  }

  async size(path: string): Promise<number | undefined> {
    return this.#names.get(path)?.bytes.length;
  }

  async read(path: string, range?: { readonly offset: number; readonly length: number }): Promise<Uint8Array> {
    const { bytes } = this.#find(path);
    return Uint8Array.from(range === undefined ? bytes : bytes.slice(range.offset, range.offset + range.length));
  }

  async readFolder(path: string): Promise<readonly { readonly name: string; readonly isFolder: boolean }[]> {
    const at = path.endsWith("/") && path !== "/" ? path.slice(0, -1) : path;
    const inside = (found: string) => found !== "/" && dirname(found) === at;
    const name = (found: string) => found.slice(found.lastIndexOf("/") + 1);
    const files = [...this.#names.keys()].filter(inside).map((found) => ({ name: name(found), isFolder: false }));
    return [...files, ...[...this.#folders].filter(inside).map((found) => ({ name: name(found), isFolder: true }))];
  }

  #find(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno("ENOENT");
    return inode;
  }

  #step(operation: string, path: string): void {
    if (this.fault?.operation === operation) throw errno(this.fault.errno);
    if (this.fuel <= 0) throw new PowerLoss(`power lost before ${operation}`);
    this.fuel--;
    this.log.push(`${operation} ${path}`);
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** Archives of folders as `.tar.gz`: written beside their place and moved there when they are complete, readable by their owner only. */
import { chmodSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { create, extract, list } from "tar";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import { makeFolder } from "../../storage/make-folder.ts";

/** Writes `folder`'s entries that `keep` (told paths such as "logs/api.log") accepts to `file`. */
export async function writeArchive(folder: string, file: string, keep: (path: string) => boolean): Promise<void> {
  const partial = `${file}.partial`;
  try {
    makeFolder(dirname(file));
    const filter = (path: string): boolean => path === "." || keep(path.replace(/^\.\//, ""));
    await create({ gzip: true, portable: true, file: partial, cwd: folder, mode: 0o600, filter }, ["."]);
    chmodSync(partial, 0o600);
    renameSync(partial, file);
  } catch (error) {
    const cause = toAppError(error);
    throw externalError(cause.code, `archive "${file}" cannot be written: ${cause.message}`, { retry: "never", cause });
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Paths of all entries of `file`. Throws `invalid-usage` if it is not a complete archive. */
export async function listArchive(file: string): Promise<readonly string[]> {
  const paths: string[] = [];
  await reading(file, () => list({ file, strict: true, onReadEntry: (entry) => void paths.push(entry.path.replace(/^\.\//, "")) }));
  return paths;
}

/** Unpacks `file` into `folder`, which exists. Entries that would leave it are refused. */
export async function unpackArchive(file: string, folder: string): Promise<void> {
  await reading(file, () => extract({ file, cwd: folder, strict: true, preservePaths: false }));
}

async function reading(file: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    const cause = toAppError(error);
    const reason = cause.code === "not-found" ? "it does not exist" : cause.message;
    throw userError("invalid-usage", `archive "${file}" cannot be read: ${reason}`, { cause });
  }
}

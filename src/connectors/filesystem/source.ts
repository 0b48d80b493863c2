/** Reads all files of a directory, listed once at the first start, side by side in event time. */
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { toAppError, userError } from "../../core/errors.ts";
import type { ByteSource, SubtaskContext } from "../connector.ts";
import type { InputFile } from "../files/block.ts";
import { isGzip } from "../files/compression.ts";
import { FilesSource } from "../files/source.ts";

/** A source over the directory that the option `path` names. */
export function makeFilesystemSource(context: SubtaskContext): ByteSource {
  return new FilesSource(context, { list: () => listFiles(context), unbounded: false });
}

/** Files below the directory in path order, hidden ones (a writer's unfinished ones) left out. */
async function listFiles({ options, table }: SubtaskContext): Promise<readonly InputFile[]> {
  const root = String(options["path"]).replace(/^file:\/\//, "");
  const pattern = options["source.regex_pattern"] === undefined ? undefined : new RegExp(String(options["source.regex_pattern"]));
  let paths: string[];
  try {
    const info = await stat(root);
    const entries = info.isDirectory() ? await readdir(root, { recursive: true, withFileTypes: true }) : [];
    paths = info.isDirectory() ? entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name)) : [root];
  } catch (error) {
    const cause = toAppError(error);
    throw userError(cause.code, `cannot read directory "${root}" of table "${table}"`, {
      detail: cause.message,
      hint: "Check the table's path option; it is relative to the working directory.",
      cause,
    });
  }
  const below = (path: string): string => relative(root, path) || path;
  const chosen = paths.filter(
    (path) =>
      !below(path)
        .split("/")
        .some((part) => part.startsWith(".")) &&
      (pattern?.test(below(path)) ?? true),
  );
  if (chosen.length === 0) {
    throw userError("not-found", `directory "${root}" of table "${table}" has no files to read`, {
      hint: pattern === undefined ? "Put files into it, or correct the path option." : "No file matches source.regex_pattern.",
    });
  }
  const sizes = await Promise.all(
    chosen.sort().map(async (path) => ({ path, size: (await stat(path)).size, compressed: isGzip(path, options["source.compression"]) })),
  );
  return sizes;
}

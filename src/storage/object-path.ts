/**
 * Which paths an object may have, and how they are ordered. One rule for every store, so that what works on a laptop works on S3: no `..`,
 * nothing absolute, no empty segment, nothing a file system or an URL would read in its own way.
 */
import { internalError } from "../core/errors.ts";

/** Longest path in bytes: S3's limit is 1024, and a store's prefix takes its part. */
const MAX_PATH_BYTES = 900;
/** Longest segment in bytes: the usual limit of file systems. */
const MAX_SEGMENT_BYTES = 255;
/** Temporary files of the local store carry this name; no object may. */
export const TEMPORARY_PREFIX = ".wadi-tmp-";

/** Why `path` is no object path, `undefined` if it is one. */
export function objectPathFault(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  if (/[\ud800-\udfff]/u.test(path)) return "it is not valid Unicode";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return "it has a control character or a backslash";
  for (const segment of path.split("/")) {
    if (segment === "") return "it is absolute or has an empty segment";
    if (segment === "." || segment === "..") return `it has a segment "${segment}"`;
    if (segment.startsWith(TEMPORARY_PREFIX)) return `the name "${TEMPORARY_PREFIX}…" is reserved`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `it has a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** `path` if it is one; else an `invariant` error: paths are made by our own code, and what users name is checked before. */
export function checkObjectPath(path: string): string {
  const fault = objectPathFault(path);
  if (fault !== undefined) throw internalError("invariant", `${JSON.stringify(path)} is not an object path: ${fault}`);
  return path;
}

/** Like `checkObjectPath` for what `list` takes: an object path, one cut off anywhere, or "" for everything. */
export function checkPrefix(prefix: string): string {
  if (prefix === "") return prefix;
  const path = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  const last = path.slice(path.lastIndexOf("/") + 1);
  // A prefix may end in the middle of a name such as "..a"; as a whole segment it would be a step out of the store.
  if (!prefix.endsWith("/") && /^\.{1,2}$/.test(last)) checkObjectPath(`${path}x`);
  else checkObjectPath(path);
  return prefix;
}

/** Like `checkObjectPath` for a folder: it ends with `/` and is not the root. */
export function checkFolder(folder: string): string {
  if (!folder.endsWith("/")) throw internalError("invariant", `${JSON.stringify(folder)} is not a folder: it must end with "/"`);
  checkObjectPath(folder.slice(0, -1));
  return folder;
}

/** Order of paths: by UTF-8 bytes, as S3 lists (JavaScript's own order differs beyond U+FFFF). */
export function comparePaths(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

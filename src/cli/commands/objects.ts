/**
 * `wadi objects`: a file into an object store and back, by the URLs and credentials that checkpoints have. It is what the nightly backup of the
 * database goes through (`nomad/backup.nomad.hcl`), so that it needs no other program: names carry the time, old ones are removed.
 */

import { once } from "node:events";
import { createReadStream, createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { systemClock } from "../../core/clock.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import { formatTimestamp } from "../../core/time.ts";
import type { ObjectInfo, ObjectStore } from "../../storage/object-store.ts";
import { openObjectStore } from "../../storage/open.ts";
import { EXIT, print, say } from "../output.ts";

/** Bytes read at a time: of objects, too. */
const PIECE = 8 * 2 ** 20;
/** In a name: the time of storing, which sorts as text. */
const TIME = "{time}";
const TIME_PATTERN = "\\d{8}T\\d{6}Z";

/** What is stored, where, and how many of its kind stay. */
export interface PutOrder {
  readonly from: string;
  readonly to: string;
  /** May contain `{time}`. */
  readonly name: string;
  /** Of those whose name differs in the time only; undefined: all. */
  readonly keep: number | undefined;
}

/** Stores a file and says so; the exit code. Throws what the store throws, `not-found` if there is no such file. */
export async function putObject({ from, to, name, keep }: PutOrder): Promise<number> {
  const bytes = sizeOf(from);
  if (keep !== undefined && !name.includes(TIME)) {
    throw userError("invalid-usage", `--keep ${keep} needs a name that contains ${TIME}`, { hint: `Write it like wadi-${TIME}.dump.` });
  }
  const path = name.replaceAll(TIME, timeOf(systemClock.nowNs()));
  const store = await openObjectStore(to);
  try {
    await store.put(path, createReadStream(from, { highWaterMark: PIECE }));
    const stored = await store.head(path);
    if (stored?.size !== bytes) {
      throw externalError("checksum-mismatch", `"${path}" in ${store.url} has ${stored?.size ?? 0} bytes, "${from}" has ${bytes}`);
    }
    say(`stored ${path} in ${store.url}: ${bytes} bytes`);
    if (keep !== undefined) for (const old of await surplus(store, name, keep)) await removeOld(store, old);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw userError("not-found", `"${file}" cannot be read: ${toAppError(error).message}`, { cause: error });
  }
}

async function removeOld(store: ObjectStore, { path }: ObjectInfo): Promise<void> {
  await store.delete(path);
  say(`removed ${path}`);
}

/** Objects named like `name` beyond the newest `keep`. */
async function surplus(store: ObjectStore, name: string, keep: number): Promise<readonly ObjectInfo[]> {
  const pattern = new RegExp(`^${name.split(TIME).map(escaped).join(TIME_PATTERN)}$`);
  const found: ObjectInfo[] = [];
  for await (const object of store.list(name.slice(0, name.indexOf(TIME)))) if (pattern.test(object.path)) found.push(object);
  return found.slice(0, Math.max(0, found.length - keep));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** 20261123T021500Z. */
function timeOf(nowNs: bigint): string {
  return `${formatTimestamp(nowNs).slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

/** Lists objects whose names begin with `prefix`, with their sizes; the exit code. */
export async function listObjects(url: string, prefix: string): Promise<number> {
  const store = await openObjectStore(url);
  try {
    for await (const { path, size } of store.list(prefix)) print(`${String(size).padStart(14)}  ${path}\n`);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

/** Fetches the object `name` into `file`, which appears when it is whole; the exit code. Throws `not-found` if there is none. */
export async function getObject(url: string, name: string, file: string): Promise<number> {
  const store = await openObjectStore(url);
  const part = `${file}.part`;
  try {
    const object = await store.head(name);
    if (object === undefined)
      throw userError("not-found", `there is no "${name}" in ${store.url}`, { hint: "wadi objects list shows what is." });
    await writePieces(store, object, part);
    renameSync(part, file);
    say(`fetched ${name}: ${object.size} bytes`);
    return EXIT.done;
  } finally {
    rmSync(part, { force: true });
    await store.close();
  }
}

async function writePieces(store: ObjectStore, { path, size }: ObjectInfo, file: string): Promise<void> {
  const out = createWriteStream(file, { mode: 0o600 });
  for (let at = 0; at < size; at += PIECE) {
    if (!out.write(await store.getRange(path, at, Math.min(PIECE, size - at)))) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
}

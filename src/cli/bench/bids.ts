/**
 * The input of the file benchmarks: Nexmark bids as NDJSON, about 200 bytes a row, a pure function of their number, made once and kept. Half of
 * the bids are for a hot auction; auctions move on with time as in Nexmark, so an aggregate by auction has few rows a group.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { externalError } from "../../core/errors.ts";
import { Prng } from "../../core/prng.ts";

/** Bumped when rows change, so that no old file is taken for a new one. */
const VERSION = 1;
const SEED = 0x4e584d4b;
const BYTES_PER_ROW = 210;
const BASE_MS = 1_436_918_400_000;
const BIDS_PER_MS = 10;
const CHANNELS = ["Google", "Facebook", "Baidu", "Apple"] as const;
const LETTERS = "abcdefghijklmnopqrstuvwxyz".repeat(3);
const ROWS_PER_WRITE = 20_000;

/** Columns of the table in SQL, Wadi's and DuckDB's alike. */
export const BID_COLUMNS = {
  auction: "BIGINT",
  bidder: "BIGINT",
  price: "BIGINT",
  channel: "TEXT",
  url: "TEXT",
  datetime: "TIMESTAMP",
  extra: "TEXT",
} as const;

function bidLine(prng: Prng, n: number): string {
  const last = Math.floor((n * 3) / 46);
  const offset = prng.chance(1, 2) ? Math.floor(last / 100) * 100 : Math.max(0, last - prng.below(101));
  const channel = prng.pick(CHANNELS);
  const from = prng.below(26);
  const fields = [
    `"auction":${1000 + offset}`,
    `"bidder":${1000 + prng.below(100_000)}`,
    `"price":${100 + prng.below(10_000_000)}`,
    `"channel":"${channel}"`,
    `"url":"https://www.nexmark.com/${channel.toLowerCase()}/item.htm?query=${prng.below(1000)}"`,
    `"datetime":"${new Date(BASE_MS + Math.floor(n / BIDS_PER_MS)).toISOString()}"`,
    `"extra":"${LETTERS.slice(from, from + 15 + prng.below(20))}"`,
  ];
  return `{${fields.join(",")}}\n`;
}

function write(path: string, rows: number): void {
  const prng = new Prng(SEED);
  const file = openSync(path, "w");
  try {
    for (let from = 0; from < rows; from += ROWS_PER_WRITE) {
      const lines = Array.from({ length: Math.min(ROWS_PER_WRITE, rows - from) }, (_, i) => bidLine(prng, from + i));
      writeSync(file, lines.join(""));
    }
  } finally {
    closeSync(file);
  }
}

/** The file of `rows` bids in `folder`; made if it is not there. Throws `disk-full` if it would not fit twice. */
export function bidsFile(folder: string, rows: number): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `bids-${VERSION}-${rows}.ndjson`);
  if (existsSync(path)) return path;
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < rows * BYTES_PER_ROW * 2) throw externalError("disk-full", `"${folder}" has no room for ${rows} rows of bids`);
  write(`${path}.part`, rows);
  renameSync(`${path}.part`, path);
  return path;
}

/** Reads the whole file, so that its pages are in memory when it counts. */
export function warmPageCache(path: string): void {
  const buffer = Buffer.allocUnsafe(8 << 20);
  const file = openSync(path, "r");
  try {
    while (readSync(file, buffer) > 0);
  } finally {
    closeSync(file);
  }
}

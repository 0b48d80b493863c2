/** The benchmarks' SQL: Wadi's scripts and what DuckDB is asked for the same answer. */
import { BID_COLUMNS } from "./bids.ts";

const COLUMNS = Object.entries(BID_COLUMNS);

/** Wadi's declaration of the file of bids. */
function bidsTable(path: string): string {
  const columns = COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");
  return `CREATE TABLE bids (${columns}, WATERMARK FOR datetime AS datetime)
WITH (connector = 'single_file', path = '${path}', format = 'json', type = 'source');\n`;
}

/** DuckDB's reader of the file of bids. */
function bidsReader(path: string): string {
  const columns = COLUMNS.map(([name, type]) => `${name}: '${type === "TEXT" ? "VARCHAR" : type}'`).join(", ");
  return `read_json('${path}', format = 'newline_delimited', columns = {${columns}})`;
}

function sinkTable(columns: string, path: string): string {
  return `CREATE TABLE results (${columns}) WITH (connector = 'single_file', path = '${path}', format = 'json', type = 'sink');\n`;
}

/** One benchmark on files, for both engines. */
export interface FileScripts {
  /** Wadi's script, reading `input` and writing `output`. */
  wadi(input: string, output: string): string;
  /** DuckDB's statement, likewise. */
  duckdb(input: string, output: string): string;
}

/** Every column of every row goes into a sum: numbers as they are, text by its length in bytes, time by its seconds. */
export const INGEST: FileScripts = {
  wadi: (input, output) =>
    bidsTable(input) +
    sinkTable("n BIGINT, auction BIGINT, bidder BIGINT, price BIGINT, channel BIGINT, url BIGINT, at BIGINT, extra BIGINT", output) +
    `INSERT INTO results SELECT n, auction, bidder, price, channel, url, at, extra FROM (
  SELECT tumble(INTERVAL '36500 days') AS w, count(*) AS n, sum(auction) AS auction, sum(bidder) AS bidder, sum(price) AS price,
    sum(octet_length(channel)) AS channel, sum(octet_length(url)) AS url, sum(to_unixtime(datetime)) AS at, sum(octet_length(extra)) AS extra
  FROM bids GROUP BY w);`,
  duckdb: (input, output) => `COPY (
  SELECT count(*) AS n, sum(auction) AS auction, sum(bidder) AS bidder, sum(price) AS price, sum(strlen(channel)) AS channel,
    sum(strlen(url)) AS url, sum(floor(epoch(datetime))::BIGINT) AS at, sum(strlen(extra)) AS extra
  FROM ${bidsReader(input)}) TO '${output}' (FORMAT json);`,
};

/** Filter, then count, sum and max by auction over 10 s. */
export const WINDOW: FileScripts = {
  wadi: (input, output) =>
    bidsTable(input) +
    sinkTable("auction BIGINT, started TIMESTAMP, n BIGINT, total BIGINT, top BIGINT", output) +
    `INSERT INTO results SELECT auction, w.start, n, total, top FROM (
  SELECT auction, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(price) AS total, max(price) AS top
  FROM bids WHERE price >= 1000 GROUP BY auction, w);`,
  duckdb: (input, output) => `COPY (
  SELECT auction, time_bucket(INTERVAL '10 seconds', datetime, TIMESTAMP '1970-01-01') AS started, count(*) AS n,
    sum(price)::BIGINT AS total, max(price) AS top
  FROM ${bidsReader(input)} WHERE price >= 1000 GROUP BY ALL) TO '${output}' (FORMAT json);`,
};

/** Two 64-bit accumulators by a 64-bit key, each event a new group: in one window, and as a changelog. */
export const GROUPS: Readonly<Record<string, string>> = {
  window: `CREATE TABLE events WITH (connector = 'impulse', event_rate = '1000000000');
CREATE TABLE results (k BIGINT, total BIGINT, top BIGINT) WITH (connector = 'blackhole', format = 'json', type = 'sink');
INSERT INTO results SELECT k, total, top FROM (
  SELECT counter * 7919 AS k, tumble(INTERVAL '1 day') AS w, sum(counter) AS total, max(counter) AS top FROM events GROUP BY 1, w);`,
  updating: `CREATE TABLE events WITH (connector = 'impulse', event_rate = '1000000000');
CREATE TABLE results (k BIGINT, n BIGINT, total BIGINT) WITH (connector = 'blackhole', format = 'debezium_json', type = 'sink');
INSERT INTO results SELECT counter * 7919 AS k, count(*) AS n, sum(counter) AS total FROM events GROUP BY 1;`,
};

/** A pipeline nobody has compiled before: `salt` makes its text, and so its module, new. */
export function latencyScript(input: string, output: string, salt: number): string {
  return (
    bidsTable(input) +
    sinkTable("auction BIGINT, price BIGINT, url TEXT", output) +
    `INSERT INTO results SELECT auction, price + ${salt}, url FROM bids WHERE price > ${salt};`
  );
}

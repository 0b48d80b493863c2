/**
 * Nexmark queries in Arroyo's formulation over the in-process generator, and the same questions to DuckDB over the generator's bids, written
 * out once. q12 asks for processing time in the original; here it is event time, because processing time has no right answer to compare with.
 */

/** Events per second of event time. */
const EVENT_RATE = 100_000;

/** A query. */
export interface NexmarkQuery {
  readonly name: string;
  /** Million events per CPU second to reach, all events of the generator counted. */
  readonly target: number;
  /** Columns of the result with their types. */
  readonly columns: string;
  readonly sql: string;
  /** DuckDB's query over the table `bids`. */
  readonly duckdb: string;
  /** Columns of a bid that the query reads: for the cost of making them. */
  readonly reads: readonly string[];
}

const BIDS =
  "SELECT bid.auction AS auction, bid.bidder AS bidder, bid.price AS price, bid.datetime AS datetime FROM nexmark WHERE bid IS NOT NULL";
const BUCKET = "time_bucket(INTERVAL '10 seconds', datetime, TIMESTAMP '1970-01-01')";
/** The five windows of a bid. */
const HOPS = `SELECT *, time_bucket(INTERVAL '2 seconds', datetime, TIMESTAMP '1970-01-01') - k * INTERVAL '2 seconds' AS w FROM bids, range(0, 5) AS r(k)`;

/** All queries. */
export const NEXMARK: readonly NexmarkQuery[] = [
  {
    name: "q0",
    target: 4,
    columns: "auction BIGINT, bidder BIGINT, price BIGINT, datetime TIMESTAMP, extra TEXT",
    sql: "SELECT bid.auction, bid.bidder, bid.price, bid.datetime, bid.extra FROM nexmark WHERE bid IS NOT NULL",
    duckdb: "SELECT auction, bidder, price, datetime, extra FROM bids",
    reads: ["auction", "bidder", "price", "datetime", "extra"],
  },
  {
    name: "q1",
    target: 4,
    columns: "auction BIGINT, bidder BIGINT, price DOUBLE, datetime TIMESTAMP, extra TEXT",
    sql: "SELECT bid.auction, bid.bidder, 0.908 * bid.price AS price, bid.datetime, bid.extra FROM nexmark WHERE bid IS NOT NULL",
    duckdb: "SELECT auction, bidder, 0.908::DOUBLE * price AS price, datetime, extra FROM bids",
    reads: ["auction", "bidder", "price", "datetime", "extra"],
  },
  {
    name: "q2",
    target: 4,
    columns: "auction BIGINT, price BIGINT",
    sql: "SELECT bid.auction, bid.price FROM nexmark WHERE bid IS NOT NULL AND bid.auction % 123 = 0",
    duckdb: "SELECT auction, price FROM bids WHERE auction % 123 = 0",
    reads: ["auction", "price"],
  },
  {
    name: "q5",
    target: 2,
    columns: "auction BIGINT, num BIGINT",
    sql: `SELECT a.auction, a.num FROM (
  SELECT auction, count(*) AS num, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM (${BIDS}) GROUP BY auction, w) AS a
JOIN (SELECT max(num) AS maxn, w FROM (
  SELECT count(*) AS num, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM (${BIDS}) GROUP BY auction, w) GROUP BY w) AS m
ON a.num = m.maxn AND a.w = m.w`,
    duckdb: `WITH counts AS (SELECT auction, w, count(*) AS num FROM (${HOPS}) GROUP BY ALL)
SELECT auction, num FROM counts JOIN (SELECT w, max(num) AS maxn FROM counts GROUP BY w) AS m USING (w) WHERE num = maxn`,
    reads: ["auction"],
  },
  {
    name: "q7",
    target: 2,
    columns: "auction BIGINT, price BIGINT, bidder BIGINT",
    sql: `SELECT b.auction, b.price, b.bidder FROM (
  SELECT auction, price, bidder, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM (${BIDS}) GROUP BY auction, price, bidder, w) AS b
JOIN (SELECT max(price) AS top, tumble(INTERVAL '10 seconds') AS w FROM (${BIDS}) GROUP BY w) AS m
ON b.price = m.top AND b.w = m.w`,
    duckdb: `WITH b AS (SELECT DISTINCT auction, price, bidder, ${BUCKET} AS w FROM bids)
SELECT auction, price, bidder FROM b JOIN (SELECT w, max(price) AS top FROM b GROUP BY w) AS m USING (w) WHERE price = top`,
    reads: ["auction", "bidder", "price"],
  },
  {
    name: "q12",
    target: 2.5,
    columns: "bidder BIGINT, n BIGINT, started TIMESTAMP, ended TIMESTAMP",
    sql: `SELECT bidder, n, w.start, w.end FROM (
  SELECT bidder, count(*) AS n, tumble(INTERVAL '10 seconds') AS w FROM (${BIDS}) GROUP BY bidder, w)`,
    duckdb: `SELECT bidder, count(*) AS n, ${BUCKET} AS started, started + INTERVAL '10 seconds' AS ended FROM bids GROUP BY bidder, started`,
    reads: ["bidder"],
  },
];

function source(events: number): string {
  return `CREATE TABLE nexmark WITH (connector = 'nexmark', event_rate = '${EVENT_RATE}', message_count = '${events}');\n`;
}

function sink(columns: string, output: string | undefined): string {
  const where = output === undefined ? "connector = 'blackhole'" : `connector = 'single_file', path = '${output}'`;
  return `CREATE TABLE results (${columns}) WITH (${where}, format = 'json', type = 'sink');\n`;
}

/** The query over `events` events; into a blackhole if `output` is undefined. */
export function nexmarkScript(query: NexmarkQuery, events: number, output: string | undefined): string {
  return `${source(events)}${sink(query.columns, output)}INSERT INTO results ${query.sql};`;
}

/** Makes what the query reads, and drops every row at the first filter: the generator's cost. */
export function generatorScript(query: NexmarkQuery, events: number): string {
  const columns = query.reads.map((c) => `bid.${c}`).join(", ");
  const types = query.reads.map((c) => `${c} ${c === "datetime" ? "TIMESTAMP" : c === "extra" ? "TEXT" : "BIGINT"}`).join(", ");
  return `${source(events)}${sink(types, undefined)}INSERT INTO results SELECT ${columns} FROM nexmark WHERE bid.${query.reads[0]} < 0;`;
}

/** Writes every bid of `events` events to `output`: what DuckDB answers over. */
export function dumpScript(events: number, output: string): string {
  return `${source(events)}${sink("auction BIGINT, bidder BIGINT, price BIGINT, datetime TIMESTAMP, extra TEXT", output)}
INSERT INTO results SELECT bid.auction, bid.bidder, bid.price, bid.datetime, bid.extra FROM nexmark WHERE bid IS NOT NULL;`;
}

/** DuckDB's table of the dumped bids. */
export function loadBids(path: string): string {
  const columns = "{auction: 'BIGINT', bidder: 'BIGINT', price: 'BIGINT', datetime: 'TIMESTAMP', extra: 'VARCHAR'}";
  return `CREATE TABLE bids AS SELECT * FROM read_json('${path}', format = 'newline_delimited', columns = ${columns});`;
}

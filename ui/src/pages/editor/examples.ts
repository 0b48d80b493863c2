/**
 * Queries that run on any cluster: their rows are made by generators.
 */

/** A query to start from. */
export interface Example {
  readonly title: string;
  readonly text: string;
  readonly query: string;
}

const NEXMARK = `CREATE TABLE nexmark WITH (
  connector = 'nexmark',
  event_rate = '1000'
);
`;

/** The examples, the simplest first. */
export const EXAMPLES: readonly Example[] = [
  {
    title: "Counter",
    text: "Ten numbered rows a second, some of them kept.",
    query: `CREATE TABLE impulse WITH (
  connector = 'impulse',
  event_rate = '10'
);

SELECT counter, counter * counter AS square
FROM impulse
WHERE counter % 2 = 0;
`,
  },
  {
    title: "Bids a second",
    text: "Bids of the Nexmark auction, counted in windows of two seconds.",
    query: `${NEXMARK}
SELECT
  window.end AS until,
  bids,
  highest
FROM (
  SELECT
    tumble(interval '2 seconds') AS window,
    count(*) AS bids,
    max(bid.price) AS highest
  FROM nexmark
  WHERE bid IS NOT NULL
  GROUP BY window
);
`,
  },
  {
    title: "Bids by channel",
    text: "A sliding window: the last ten seconds by channel, every two seconds.",
    query: `${NEXMARK}
SELECT
  hop(interval '2 seconds', interval '10 seconds') AS window,
  bid.channel AS channel,
  count(*) AS bids,
  avg(bid.price) AS average_price
FROM nexmark
WHERE bid IS NOT NULL
GROUP BY window, channel;
`,
  },
  {
    title: "Highest bid by auction",
    text: "A running answer: rows are taken back and replaced as it changes.",
    query: `${NEXMARK}
SELECT
  bid.auction AS auction,
  count(*) AS bids,
  max(bid.price) AS highest
FROM nexmark
WHERE bid IS NOT NULL
GROUP BY auction;
`,
  },
  {
    title: "To a file, exactly once",
    text: "Counts a second go to a file of JSON lines below the cluster's working directory.",
    query: `CREATE TABLE impulse WITH (
  connector = 'impulse',
  event_rate = '1000'
);

CREATE TABLE counts (
  until TIMESTAMP NOT NULL,
  rows BIGINT NOT NULL
) WITH (
  connector = 'single_file',
  path = 'counts.json',
  format = 'json',
  type = 'sink'
);

INSERT INTO counts
SELECT window.end, rows
FROM (
  SELECT tumble(interval '1 second') AS window, count(*) AS rows
  FROM impulse
  GROUP BY window
);
`,
  },
];

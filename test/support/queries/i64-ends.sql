-- Integers near the ends of BIGINT: compared, grouped by, minimum and maximum, exact in text and back.
CREATE TABLE orders (
  id BIGINT NOT NULL,
  ts TIMESTAMP NOT NULL,
  customer TEXT,
  region TEXT,
  quantity INT,
  amount BIGINT,
  price DOUBLE,
  big BIGINT,
  active BOOLEAN,
  note TEXT,
  code TEXT,
  shipping STRUCT<city TEXT, geo STRUCT<lat DOUBLE, lon DOUBLE>>,
  WATERMARK FOR ts AS ts - INTERVAL '5 seconds'
) WITH (connector = 'single_file', path = '$orders', format = 'json', type = 'source');

CREATE TABLE output (
  started TIMESTAMP, big BIGINT, orders BIGINT, below BIGINT, lowest BIGINT, highest BIGINT, spelled TEXT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, big, orders, big - CASE WHEN big > -9223372036854775808 THEN 1 ELSE 0 END, lowest, highest, CAST(big AS TEXT) FROM (
  SELECT tumble(INTERVAL '5 minutes') AS window, big, count(*) AS orders, min(big) AS lowest, max(big) AS highest
  FROM orders
  WHERE big > 9007199254740991 OR big < -9007199254740991 OR big = 0 OR big IS NULL
  GROUP BY window, big
) AS windows
WHERE big <> 9223372036854775806 OR big IS NULL;

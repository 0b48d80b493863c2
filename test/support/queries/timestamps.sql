-- date_trunc, extract, intervals and comparison of timestamps.
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
  id BIGINT, hour TIMESTAMP, day TIMESTAMP, week TIMESTAMP, month TIMESTAMP, second BIGINT, minute BIGINT, weekday BIGINT, epoch DOUBLE, later TIMESTAMP, earlier TIMESTAMP, shifted TIMESTAMP, date DATE, seconds BIGINT, spelled TEXT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT
  id,
  date_trunc('hour', ts),
  date_trunc('day', ts),
  date_trunc('week', ts),
  date_trunc('month', ts),
  extract(second FROM ts),
  date_part('minute', ts),
  extract(dow FROM ts),
  extract(epoch FROM ts),
  ts + INTERVAL '1 day 2 hours',
  ts - INTERVAL '90 seconds',
  ts - INTERVAL '1 month',
  CAST(ts AS DATE),
  to_unixtime(ts),
  CAST(date_trunc('second', ts) AS TEXT)
FROM orders
WHERE ts >= TIMESTAMP '2023-03-01T00:01:00' AND ts < TIMESTAMP '2023-03-01T00:50:00.5' AND extract(second FROM ts) < 45;

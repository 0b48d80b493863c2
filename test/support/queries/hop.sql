-- Hopping windows by key; the slide divides the width.
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
  started TIMESTAMP, ended TIMESTAMP, region TEXT, orders BIGINT, total BIGINT, dearest DOUBLE
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, window.end, region, orders, total, dearest FROM (
  SELECT hop(INTERVAL '5 seconds', INTERVAL '20 seconds') AS window, region, count(*) AS orders, sum(amount) AS total, max(price) AS dearest
  FROM orders
  GROUP BY window, region
) AS windows;

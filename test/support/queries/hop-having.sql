-- HAVING over hopping windows; the slide does not divide the width.
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
  started TIMESTAMP, customer TEXT, orders BIGINT, mean DOUBLE
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, customer, orders, mean FROM (
  SELECT hop(INTERVAL '4 seconds', INTERVAL '10 seconds') AS window, customer, count(*) AS orders, avg(price) AS mean
  FROM orders
  GROUP BY window, customer
  HAVING count(*) > 15 AND max(amount) > 900000
) AS windows;

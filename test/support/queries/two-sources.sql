-- One window over the union of two sources that are each out of order inside the watermark's bound.
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

CREATE TABLE payments (
  id BIGINT NOT NULL,
  ts TIMESTAMP NOT NULL,
  customer TEXT,
  method TEXT,
  cents BIGINT,
  WATERMARK FOR ts AS ts - INTERVAL '5 seconds'
) WITH (connector = 'single_file', path = '$payments', format = 'json', type = 'source');

CREATE TABLE output (
  started TIMESTAMP, customer TEXT, events BIGINT, value BIGINT, kinds BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

CREATE VIEW events AS
  SELECT customer, amount AS value, 'order' AS kind FROM orders
  UNION ALL
  SELECT customer, cents AS value, method AS kind FROM payments;

INSERT INTO output
SELECT window.start, customer, events, value, kinds FROM (
  SELECT tumble(INTERVAL '20 seconds') AS window, customer, count(*) AS events, sum(value) AS value, count(DISTINCT kind) AS kinds
  FROM events
  GROUP BY window, customer
) AS windows;

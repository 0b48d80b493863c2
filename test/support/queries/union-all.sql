-- UNION ALL of two sources, with a filter above and one below.
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
  origin TEXT, id BIGINT, customer TEXT, value BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT origin, id, customer, value FROM (
  SELECT 'order' AS origin, id, customer, amount AS value FROM orders WHERE quantity > 10
  UNION ALL
  SELECT 'payment' AS origin, id, customer, cents AS value FROM payments
) AS both
WHERE value > 1000 OR customer IS NULL;

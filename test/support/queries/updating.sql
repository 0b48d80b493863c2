-- An updating GROUP BY as a changelog.
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
  customer TEXT, active BOOLEAN, orders BIGINT, total BIGINT, smallest BIGINT, largest BIGINT, mean DOUBLE, regions BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'debezium_json', type = 'sink');

INSERT INTO output
SELECT customer, active, count(*), sum(amount), min(amount), max(amount), avg(price), count(DISTINCT region)
FROM orders
GROUP BY customer, active
HAVING count(*) > 20;

-- An updating aggregate over an updating aggregate: retractions must be exact.
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
  orders_bucket BIGINT, customers BIGINT, total BIGINT, largest BIGINT, smallest BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'debezium_json', type = 'sink');

INSERT INTO output
SELECT orders % 10, count(*), sum(total), max(largest), min(largest) FROM (
  SELECT customer, quantity, count(*) AS orders, sum(amount) AS total, max(amount) AS largest
  FROM orders
  GROUP BY customer, quantity
) AS customers
GROUP BY 1;

-- An aggregate over a window's rows in the same window: the busiest customer's count.
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
  started TIMESTAMP, busiest BIGINT, customers BIGINT, orders BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, busiest, customers, orders FROM (
  SELECT window, max(orders) AS busiest, count(*) AS customers, sum(orders) AS orders FROM (
    SELECT tumble(INTERVAL '10 seconds') AS window, customer, count(*) AS orders
    FROM orders
    GROUP BY window, customer
  ) AS counts
  GROUP BY window
) AS windows;

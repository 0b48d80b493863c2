-- DISTINCT aggregates beside plain ones in one tumbling window.
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
  started TIMESTAMP, region TEXT, customers BIGINT, quantities BIGINT, orders BIGINT, quantity_sum BIGINT, notes BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, region, customers, quantities, orders, quantity_sum, notes FROM (
  SELECT
    tumble(INTERVAL '30 seconds') AS window,
    region,
    count(DISTINCT customer) AS customers,
    count(DISTINCT quantity) AS quantities,
    count(*) AS orders,
    sum(DISTINCT quantity) AS quantity_sum,
    count(DISTINCT note) AS notes
  FROM orders
  GROUP BY window, region
) AS windows;

-- Tumbling windows; NULL and the empty text are groups of their own.
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
  started TIMESTAMP, ended TIMESTAMP, customer TEXT, orders BIGINT, priced BIGINT, total BIGINT, quantity BIGINT, smallest BIGINT, largest BIGINT, mean DOUBLE, revenue DOUBLE, cheapest DOUBLE, dearest DOUBLE
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, window.end, customer, orders, priced, total, quantity, smallest, largest, mean, revenue, cheapest, dearest FROM (
  SELECT
    tumble(INTERVAL '10 seconds') AS window,
    customer,
    count(*) AS orders,
    count(price) AS priced,
    sum(amount) AS total,
    sum(quantity) AS quantity,
    min(amount) AS smallest,
    max(amount) AS largest,
    avg(amount) AS mean,
    sum(price) AS revenue,
    min(price) AS cheapest,
    max(price) AS dearest
  FROM orders
  GROUP BY window, customer
) AS windows;

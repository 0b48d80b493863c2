-- Windows of two sources joined by key; a NULL key joins with nothing but stays on the left.
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
  started TIMESTAMP, customer TEXT, orders BIGINT, amount BIGINT, payments BIGINT, cents BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT o.window.start, o.customer, o.orders, o.amount, p.payments, p.cents
FROM (
  SELECT tumble(INTERVAL '10 seconds') AS window, customer, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY window, customer
) AS o
LEFT JOIN (
  SELECT tumble(INTERVAL '10 seconds') AS window, customer, count(*) AS payments, sum(cents) AS cents FROM payments GROUP BY window, customer
) AS p
ON o.window = p.window AND o.customer = p.customer;

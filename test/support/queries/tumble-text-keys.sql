-- Two text keys and computed ones; min and max of text, boolean-like and time values.
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
  started TIMESTAMP, region TEXT, initial TEXT, big_order BOOLEAN, orders BIGINT, first_note TEXT, last_note TEXT, newest TIMESTAMP, active BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT window.start, region, initial, big_order, orders, first_note, last_note, newest, active FROM (
  SELECT
    tumble(INTERVAL '1 minute') AS window,
    region,
    left(customer, 1) AS initial,
    quantity > 50 AS big_order,
    count(*) AS orders,
    min(note) AS first_note,
    max(note) AS last_note,
    max(ts) AS newest,
    sum(CASE WHEN active THEN 1 ELSE 0 END) AS active
  FROM orders
  WHERE id % 3 <> 0
  GROUP BY 1, 2, 3, 4
) AS windows;

-- Three INSERTs into one sink, one of them with windows.
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
  label TEXT, ts TIMESTAMP, value BIGINT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output SELECT 'order', ts, amount FROM orders WHERE amount > 900000;
INSERT INTO output SELECT concat('payment ', method), ts, cents FROM payments WHERE cents < 0;
INSERT INTO output
SELECT 'minute', window.start, orders FROM (
  SELECT tumble(INTERVAL '1 minute') AS window, count(*) AS orders FROM orders GROUP BY window
) AS windows;

-- Filter and project: arithmetic, comparison, maths and bit functions.
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
  id BIGINT, total BIGINT, half BIGINT, remainder BIGINT, negative BIGINT, scaled DOUBLE, root DOUBLE, rounded DOUBLE, cents DOUBLE, up DOUBLE, down DOUBLE, bits BIGINT, magnitude BIGINT, cheap BOOLEAN, highest BIGINT, lowest BIGINT, ratio DOUBLE
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT
  id,
  amount + quantity * 3,
  amount / 2,
  amount % 7,
  -amount,
  price * 2.5 - 1.0,
  sqrt(abs(price)),
  round(price),
  round(price, 1),
  ceil(price),
  floor(price),
  (amount & 255) | 1024,
  abs(amount),
  price < 100.0 OR quantity BETWEEN 10 AND 20,
  greatest(amount, CAST(quantity AS BIGINT), 500),
  least(amount, CAST(quantity AS BIGINT), 500),
  price / CAST(NULLIF(quantity, 0) AS DOUBLE)
FROM orders
WHERE quantity > 5 AND (price IS NULL OR price <> 0.0) AND amount NOT IN (1, 2, 3);

-- CASE, casts and three-valued logic.
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
  id BIGINT, size TEXT, kind BIGINT, parsed BIGINT, truncated BIGINT, widened DOUBLE, spelled TEXT, flag TEXT, known BOOLEAN, either BOOLEAN, both BOOLEAN, same BOOLEAN, fallback TEXT, emptied TEXT, number INT
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT
  id,
  CASE WHEN quantity < 10 THEN 'small' WHEN quantity < 50 THEN 'medium' WHEN quantity IS NULL THEN 'unknown' ELSE 'large' END,
  CASE region WHEN 'north' THEN 1 WHEN 'south' THEN 2 ELSE NULL END,
  TRY_CAST(code AS BIGINT),
  CAST(price AS BIGINT),
  CAST(amount AS DOUBLE),
  CAST(quantity AS TEXT),
  CAST(active AS TEXT),
  active IS NOT NULL,
  active OR quantity > 50,
  active AND quantity > 50,
  active IS NOT DISTINCT FROM (quantity > 50),
  coalesce(customer, region, 'nobody'),
  nullif(customer, ''),
  CAST(active AS INT)
FROM orders
WHERE (active IS NOT TRUE OR quantity > 20) AND NOT (region = 'east' AND active IS FALSE);

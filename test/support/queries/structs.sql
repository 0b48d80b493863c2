-- Access to nested JSON; a missing struct is NULL in all its fields.
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
  id BIGINT, city TEXT, lat DOUBLE, lon DOUBLE, placed BOOLEAN
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT id, shipping.city, shipping.geo.lat, shipping.geo.lon, shipping.city IS NOT NULL
FROM orders
WHERE shipping.geo.lat > -45.0 OR shipping.city = '東京' OR shipping.city IS NULL;

-- LIKE and text functions over ASCII and everything else.
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
  id BIGINT, joined TEXT, glued TEXT, chars BIGINT, bytes BIGINT, part TEXT, start TEXT, tail TEXT, trimmed TEXT, shouted TEXT, quiet TEXT, place BIGINT, swapped TEXT, field TEXT, backwards TEXT, padded TEXT, filled TEXT, twice TEXT, begins BOOLEAN, ends BOOLEAN, has BOOLEAN, later BOOLEAN
) WITH (connector = 'single_file', path = '$output', format = 'json', type = 'sink');

INSERT INTO output
SELECT
  id,
  concat(customer, '/', region),
  customer || ':' || note,
  char_length(note),
  octet_length(note),
  substr(note, 3, 5),
  left(note, 4),
  right(note, 4),
  btrim(note),
  upper(region),
  lower(customer),
  strpos(note, 'e'),
  replace(note, 'a', '<ä>'),
  split_part(note, ',', 2),
  reverse(customer),
  lpad(region, 8, '*-'),
  rpad(region, 8, 'ü'),
  repeat(left(note, 2), 2),
  starts_with(note, 'G'),
  note LIKE '%e',
  note LIKE '%\_%' OR customer LIKE '_nna' OR note LIKE '100\%',
  customer > 'Z'
FROM orders
WHERE note NOT LIKE '%control' AND (customer LIKE '%o%' OR customer ILIKE 'A%' OR note LIKE '%ü%' OR note LIKE '%_🎊%');

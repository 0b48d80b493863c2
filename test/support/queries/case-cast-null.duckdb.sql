SELECT
  id,
  CASE WHEN quantity < 10 THEN 'small' WHEN quantity < 50 THEN 'medium' WHEN quantity IS NULL THEN 'unknown' ELSE 'large' END AS size,
  CASE region WHEN 'north' THEN 1::BIGINT WHEN 'south' THEN 2::BIGINT END AS kind,
  CASE WHEN regexp_full_match(trim(code), '[+-]?[0-9]+') THEN TRY_CAST(trim(code) AS BIGINT) END AS parsed,
  CAST(trunc(price) AS BIGINT) AS truncated,
  CAST(amount AS DOUBLE) AS widened,
  CAST(quantity AS TEXT) AS spelled,
  CAST(active AS TEXT) AS flag,
  active IS NOT NULL AS known,
  active OR quantity > 50 AS either,
  active AND quantity > 50 AS both,
  active IS NOT DISTINCT FROM (quantity > 50) AS same,
  coalesce(customer, region, 'nobody') AS fallback,
  nullif(customer, '') AS emptied,
  CAST(active AS INTEGER) AS number
FROM $orders
WHERE (active IS DISTINCT FROM TRUE OR quantity > 20) AND NOT (region = 'east' AND active IS NOT DISTINCT FROM FALSE);

SELECT started, big, orders, big - CASE WHEN big > (-9223372036854775808)::BIGINT THEN 1 ELSE 0 END AS below, lowest, highest, CAST(big AS TEXT) AS spelled FROM (
  SELECT time_bucket(INTERVAL '5 minutes', ts, TIMESTAMP '1970-01-01') AS started, big, count(*) AS orders, min(big) AS lowest, max(big) AS highest
  FROM $orders
  WHERE big > 9007199254740991 OR big < -9007199254740991 OR big = 0 OR big IS NULL
  GROUP BY ALL
)
WHERE big <> 9223372036854775806 OR big IS NULL;

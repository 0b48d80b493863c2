SELECT
  time_bucket(INTERVAL '30 seconds', ts, TIMESTAMP '1970-01-01') AS started,
  region,
  count(DISTINCT customer) AS customers,
  count(DISTINCT quantity) AS quantities,
  count(*) AS orders,
  sum(DISTINCT quantity) AS quantity_sum,
  count(DISTINCT note) AS notes
FROM $orders
GROUP BY ALL;

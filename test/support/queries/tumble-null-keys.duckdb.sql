SELECT
  time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') AS started,
  time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') + INTERVAL '10 seconds' AS ended,
  customer,
  count(*) AS orders,
  count(price) AS priced,
  sum(amount) AS total,
  sum(quantity) AS quantity,
  min(amount) AS smallest,
  max(amount) AS largest,
  avg(amount) AS mean,
  sum(price) AS revenue,
  min(price) AS cheapest,
  max(price) AS dearest
FROM $orders
GROUP BY ALL;

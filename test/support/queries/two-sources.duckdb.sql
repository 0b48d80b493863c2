SELECT time_bucket(INTERVAL '20 seconds', ts, TIMESTAMP '1970-01-01') AS started, customer, count(*) AS events, sum(value) AS value, count(DISTINCT kind) AS kinds
FROM (
  SELECT ts, customer, amount AS value, 'order' AS kind FROM $orders
  UNION ALL
  SELECT ts, customer, cents AS value, method AS kind FROM $payments
)
GROUP BY ALL;

SELECT started, max(orders) AS busiest, count(*) AS customers, sum(orders) AS orders FROM (
  SELECT time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') AS started, customer, count(*) AS orders FROM $orders GROUP BY ALL
)
GROUP BY ALL;

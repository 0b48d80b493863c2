SELECT
  time_bucket(INTERVAL '1 minute', ts, TIMESTAMP '1970-01-01') AS started,
  region,
  left(customer, 1) AS initial,
  quantity > 50 AS big_order,
  count(*) AS orders,
  min(note) AS first_note,
  max(note) AS last_note,
  max(ts) AS newest,
  sum(CASE WHEN active THEN 1 ELSE 0 END) AS active
FROM $orders
WHERE id % 3 <> 0
GROUP BY ALL;

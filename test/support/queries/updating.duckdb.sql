SELECT
  customer, active, count(*) AS orders, sum(amount) AS total, min(amount) AS smallest, max(amount) AS largest, avg(price) AS mean,
  count(DISTINCT region) AS regions
FROM $orders
GROUP BY customer, active
HAVING count(*) > 20;

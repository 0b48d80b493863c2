SELECT orders % 10 AS orders_bucket, count(*) AS customers, sum(total) AS total, max(largest) AS largest, min(largest) AS smallest FROM (
  SELECT customer, quantity, count(*) AS orders, sum(amount) AS total, max(amount) AS largest
  FROM $orders
  GROUP BY customer, quantity
)
GROUP BY 1;

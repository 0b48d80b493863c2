SELECT started, customer, count(*) AS orders, avg(price) AS mean
FROM (SELECT *, time_bucket(INTERVAL '4 seconds', ts, TIMESTAMP '1970-01-01') - k * INTERVAL '4 seconds' AS started FROM $orders, range(0, 3) AS r(k))
WHERE started + INTERVAL '10 seconds' > ts
GROUP BY ALL
HAVING count(*) > 15 AND max(amount) > 900000;

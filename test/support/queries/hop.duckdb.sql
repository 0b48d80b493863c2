SELECT started, started + INTERVAL '20 seconds' AS ended, region, count(*) AS orders, sum(amount) AS total, max(price) AS dearest
FROM (SELECT *, time_bucket(INTERVAL '5 seconds', ts, TIMESTAMP '1970-01-01') - k * INTERVAL '5 seconds' AS started FROM $orders, range(0, 4) AS r(k))
GROUP BY ALL;

SELECT 'order' AS label, ts, amount AS value FROM $orders WHERE amount > 900000
UNION ALL
SELECT concat('payment ', method), ts, cents FROM $payments WHERE cents < 0
UNION ALL
SELECT 'minute', time_bucket(INTERVAL '1 minute', ts, TIMESTAMP '1970-01-01'), count(*) FROM $orders GROUP BY ALL;

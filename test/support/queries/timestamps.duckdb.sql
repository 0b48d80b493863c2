SELECT
  id,
  date_trunc('hour', ts) AS hour,
  date_trunc('day', ts)::TIMESTAMP AS day,
  date_trunc('week', ts)::TIMESTAMP AS week,
  date_trunc('month', ts)::TIMESTAMP AS month,
  extract(second FROM ts) AS second,
  date_part('minute', ts) AS minute,
  extract(dow FROM ts) AS weekday,
  extract(epoch FROM ts) AS epoch,
  ts + INTERVAL '1 day 2 hours' AS later,
  ts - INTERVAL '90 seconds' AS earlier,
  ts - INTERVAL '1 month' AS shifted,
  CAST(ts AS DATE) AS date,
  CAST(floor(extract(epoch FROM ts)) AS BIGINT) AS seconds,
  strftime(ts, '%Y-%m-%dT%H:%M:%S') AS spelled
FROM $orders
WHERE ts >= TIMESTAMP '2023-03-01 00:01:00' AND ts < TIMESTAMP '2023-03-01 00:50:00.5' AND extract(second FROM ts) < 45;

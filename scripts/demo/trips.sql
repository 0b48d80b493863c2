-- One morning of a bicycle-sharing system: what each station took in, half hour by half hour. The file ends, and so does the run.
CREATE TABLE trips (
  trip_id BIGINT, bike TEXT, from_station TEXT, to_station TEXT, minutes INT, member BOOLEAN, fare DOUBLE, ended_at TIMESTAMP,
  WATERMARK FOR ended_at AS ended_at - INTERVAL '30 seconds'
) WITH (connector = 'single_file', path = 'scripts/demo/trips.jsonl', format = 'json', type = 'source');

SELECT window.start AS half_hour, station, trips, longest, income
FROM (
  SELECT tumble(INTERVAL '30 minutes') AS window, to_station AS station, count(*) AS trips, max(minutes) AS longest, sum(fare) AS income
  FROM trips
  GROUP BY 1, 2
  HAVING count(*) >= 20
);

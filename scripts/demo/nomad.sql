-- Events at a steady pace, until all are made. One sink takes every tenth event, the other a changing total for each of 20 keys. Pace and
-- places are filled in by the demo: the batch answer is the same text without the pace.
CREATE TABLE events WITH (connector = 'impulse', event_rate = '$rate', event_time_interval = '1000', message_count = '$count');

CREATE TABLE picked (id BIGINT, square BIGINT) WITH (connector = 'single_file', path = '$folder/picked.jsonl', format = 'json', type = 'sink');
CREATE TABLE totals (k BIGINT, events BIGINT, total BIGINT)
WITH (connector = 'single_file', path = '$folder/totals.jsonl', format = 'debezium_json', type = 'sink');

INSERT INTO picked SELECT counter, counter * counter FROM events WHERE counter % 10 = 0;
INSERT INTO totals SELECT counter % 20, count(*), sum(counter) FROM events GROUP BY 1;

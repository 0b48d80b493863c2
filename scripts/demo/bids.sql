-- Live events of the Nexmark auction benchmark, 20,000 a second: the bids of each channel in windows of two seconds. It never ends by itself.
CREATE TABLE nexmark WITH (connector = 'nexmark', event_rate = '20000');

SELECT window.start AS since, channel, bids, highest
FROM (
  SELECT tumble(INTERVAL '2 seconds') AS window, bid.channel AS channel, count(*) AS bids, max(bid.price) AS highest
  FROM nexmark
  WHERE bid.channel IN ('Apple', 'Baidu', 'Facebook', 'Google')
  GROUP BY 1, 2
);

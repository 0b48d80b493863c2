SELECT o.started, o.customer, o.orders, o.amount, p.payments, p.cents
FROM (SELECT time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') AS started, customer, count(*) AS orders, sum(amount) AS amount FROM $orders GROUP BY ALL) AS o
LEFT JOIN (SELECT time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') AS started, customer, count(*) AS payments, sum(cents) AS cents FROM $payments GROUP BY ALL) AS p
ON o.started = p.started AND o.customer = p.customer;

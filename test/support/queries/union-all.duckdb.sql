SELECT origin, id, customer, value FROM (
  SELECT 'order' AS origin, id, customer, amount AS value FROM $orders WHERE quantity > 10
  UNION ALL
  SELECT 'payment' AS origin, id, customer, cents AS value FROM $payments
)
WHERE value > 1000 OR customer IS NULL;

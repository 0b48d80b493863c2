SELECT
  id,
  amount + quantity * 3 AS total,
  amount // 2 AS half,
  amount % 7 AS remainder,
  -amount AS negative,
  price * 2.5::DOUBLE - 1.0::DOUBLE AS scaled,
  sqrt(abs(price)) AS root,
  round(price) AS rounded,
  round(price, 1) AS cents,
  ceil(price) AS up,
  floor(price) AS down,
  (amount & 255) | 1024 AS bits,
  abs(amount) AS magnitude,
  price < 100.0::DOUBLE OR quantity BETWEEN 10 AND 20 AS cheap,
  greatest(amount, quantity::BIGINT, 500::BIGINT) AS highest,
  least(amount, quantity::BIGINT, 500::BIGINT) AS lowest,
  price / NULLIF(quantity, 0)::DOUBLE AS ratio
FROM $orders
WHERE quantity > 5 AND (price IS NULL OR price <> 0) AND amount NOT IN (1, 2, 3);

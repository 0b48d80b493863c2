SELECT id, ts, customer, region, quantity, amount, price, big, active, note, code FROM $orders;

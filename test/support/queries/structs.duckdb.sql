SELECT id, shipping.city AS city, shipping.geo.lat AS lat, shipping.geo.lon AS lon, shipping.city IS NOT NULL AS placed
FROM $orders
WHERE shipping.geo.lat > -45.0 OR shipping.city = '東京' OR shipping.city IS NULL;

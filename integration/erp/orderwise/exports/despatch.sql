-- DESPATCH: deliveries of our orders with lines and consignments, and orders that suppliers shipped
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: since (local time), order1 to order50 (ids). What is asked for by name comes with a moment far ahead,
-- and what is asked for by its moment comes with ids of nothing.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- The CASTs are SQL Server's need: a column takes the type of its first rows, two bare NULLs are an int, and text after an
-- int fails.
-- Unconfirmed: dh_number, dh_dm_id, dh_cancelled, and the two marked tables, whose names nobody has published; that a
-- delivery which was undone stays and is marked; that what a supplier has sent is booked in oli_qty_sent.

WITH wanted (order_id, reference, number) AS (
  SELECT h.oh_id, h.oh_ecommerce_number, h.oh_order_number
  FROM order_header h
  WHERE h.oh_ecommerce_number LIKE 'centra-%' AND h.oh_sot_id <> 4 AND (h.oh_id IN (
    @order1, @order2, @order3, @order4, @order5, @order6, @order7, @order8, @order9, @order10,
    @order11, @order12, @order13, @order14, @order15, @order16, @order17, @order18, @order19, @order20,
    @order21, @order22, @order23, @order24, @order25, @order26, @order27, @order28, @order29, @order30,
    @order31, @order32, @order33, @order34, @order35, @order36, @order37, @order38, @order39, @order40,
    @order41, @order42, @order43, @order44, @order45, @order46, @order47, @order48, @order49, @order50)
    OR h.oh_id IN (SELECT ohd_oh_id FROM order_header_detail WHERE ohd_last_amended_datetime >= @since)
    OR h.oh_id IN (SELECT dh_oh_id FROM delivery_header WHERE dh_datetime >= @since)))
SELECT 'delivery' AS kind, w.order_id AS order_id, w.reference AS reference, h.dh_id AS delivery_id,
  CAST(h.dh_number AS NVARCHAR(100)) AS number, h.dh_datetime AS sent_at, COALESCE(h.dh_cancelled, 0) AS cancelled,
  m.dm_id AS method,
  h.dh_consignment_number AS tracking, c.cod_tracking_url_prefix AS url_prefix, c.cod_tracking_url_suffix AS url_suffix,
  CAST(NULL AS INT) AS item, CAST(NULL AS NVARCHAR(100)) AS sku, CAST(NULL AS DECIMAL(18, 4)) AS quantity
FROM wanted w
JOIN delivery_header h ON h.dh_oh_id = w.order_id
LEFT JOIN delivery_method m ON m.dm_id = h.dh_dm_id
LEFT JOIN courier_detail c ON c.cod_id = m.dm_cod_id
UNION ALL
SELECT 'parcel', w.order_id, w.reference, h.dh_id, NULL, NULL, 0, NULL,
  p.dc_consignment_number, NULL, NULL, NULL, NULL, NULL
FROM wanted w
JOIN delivery_header h ON h.dh_oh_id = w.order_id
JOIN delivery_consignment p ON p.dc_dh_id = h.dh_id -- unconfirmed table: its name and its columns
UNION ALL
SELECT 'line', w.order_id, w.reference, h.dh_id, NULL, NULL, 0, NULL,
  NULL, NULL, NULL, i.oli_item_number, v.vad_variant_code, l.dli_qty_sent
FROM wanted w
JOIN delivery_header h ON h.dh_oh_id = w.order_id
JOIN delivery_line_item l ON l.dli_dh_id = h.dh_id -- unconfirmed table: its name and its columns
JOIN order_line_item i ON i.oli_id = l.dli_oli_id
JOIN variant_detail v ON v.vad_id = i.oli_vad_id
UNION ALL
SELECT 'direct', w.order_id, w.reference, NULL, w.number, d.ohd_last_amended_datetime, 0, d.ohd_dm_id,
  NULL, NULL, NULL, i.oli_item_number, v.vad_variant_code, i.oli_qty_sent
FROM wanted w
JOIN order_header_detail d ON d.ohd_oh_id = w.order_id
JOIN order_line_item i ON i.oli_oh_id = w.order_id
JOIN variant_detail v ON v.vad_id = i.oli_vad_id
WHERE i.oli_direct = 1 AND i.oli_qty_sent > 0 AND NOT EXISTS ( -- an order is complete, too, when what is left is cancelled
  SELECT 1 FROM order_line_item o WHERE o.oli_oh_id = w.order_id AND o.oli_direct = 1 AND o.oli_qty_tbsent > 0)
UNION ALL
SELECT 'export', NULL, 'DESPATCH 3', NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL

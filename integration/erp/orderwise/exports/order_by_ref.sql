-- ORDER_BY_REF: sales orders by our references, whole: heads, delivery, lines, discounts and surcharges, payments
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: ref1 to ref50.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- The CASTs are SQL Server's need: a column takes the type of its first rows, two bare NULLs are an int, and text after an
-- int fails.
-- Unconfirmed: the columns of delivery, amounts, discounts and payments; that amounts of lines are per unit.

SELECT 'order' AS kind,
  h.oh_id AS order_id, h.oh_ecommerce_number AS reference, h.oh_order_number AS number, h.oh_sot_id AS type,
  h.oh_session_id AS session, s.os_description AS status, COALESCE(h.oh_order_complete, 0) AS complete,
  COALESCE(h.oh_on_hold, 0) AS on_hold, h.oh_currency AS currency, h.oh_dm_id AS method,
  d.ohd_last_amended_datetime AS changed_at,
  h.oh_net AS net, h.oh_tax AS tax, h.oh_gross AS gross, NULL AS tax_code,
  CAST(NULL AS INT) AS item, CAST(NULL AS NVARCHAR(100)) AS sku, CAST(NULL AS DECIMAL(18, 4)) AS quantity,
  CAST(NULL AS INT) AS location, CAST(NULL AS NVARCHAR(100)) AS description,
  CAST(NULL AS BIT) AS is_discount, CAST(NULL AS BIT) AS is_gross
FROM order_header h
LEFT JOIN order_header_detail d ON d.ohd_oh_id = h.oh_id
LEFT JOIN order_status s ON s.os_id = h.oh_os_id
WHERE h.oh_sot_id <> 4 AND h.oh_ecommerce_number IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'delivery', h.oh_id, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL,
  h.oh_delivery_net, h.oh_delivery_tax, h.oh_delivery_gross, h.oh_delivery_tax_code, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL
FROM order_header h
WHERE h.oh_sot_id <> 4 AND h.oh_ecommerce_number IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'line', h.oh_id, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL,
  i.oli_item_net, i.oli_item_tax, i.oli_item_gross, i.oli_tax_code, i.oli_item_number, v.vad_variant_code,
  i.oli_qty_required, i.oli_sl_id, NULL, NULL, NULL
FROM order_header h
JOIN order_line_item i ON i.oli_oh_id = h.oh_id
LEFT JOIN variant_detail v ON v.vad_id = i.oli_vad_id
WHERE h.oh_sot_id <> 4 AND h.oh_ecommerce_number IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'dissur', h.oh_id, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL,
  x.od_price, NULL, NULL, x.od_tax_code, NULL, NULL, NULL, NULL, x.od_description, x.od_discount, x.od_gross
FROM order_header h
JOIN order_dissur x ON x.od_oh_id = h.oh_id
WHERE h.oh_sot_id <> 4 AND h.oh_ecommerce_number IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'payment', h.oh_id, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, p.op_pm_id, NULL,
  NULL, NULL, p.op_amount, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM order_header h
JOIN order_payment p ON p.op_oh_id = h.oh_id
WHERE h.oh_sot_id <> 4 AND h.oh_ecommerce_number IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'export', NULL, 'ORDER_BY_REF 3', NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL

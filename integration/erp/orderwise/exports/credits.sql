-- CREDITS: credit notes against our orders, and those under our references, with their lines
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: since (local time), ref1 to ref50. What is asked for by name comes with a moment far ahead,
-- and what is asked for by its moment comes with empty names.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- Unconfirmed: every name of the two tables credit_header and credit_line_item: nobody has published one but crli_id.

SELECT 'credit' AS kind, c.ch_id AS credit_id, c.ch_reference AS reference, c.ch_number AS number,
  COALESCE(c.ch_posted, 0) AS posted, c.ch_last_amended_datetime AS changed_at, c.ch_currency AS currency,
  h.oh_ecommerce_number AS order_reference, c.ch_net AS net, c.ch_tax AS tax, c.ch_gross AS gross,
  NULL AS line_id, NULL AS sku, NULL AS quantity, NULL AS description
FROM credit_header c
LEFT JOIN order_header h ON h.oh_id = c.ch_oh_id
WHERE c.ch_last_amended_datetime >= @since OR c.ch_reference IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'line', c.ch_id, NULL, NULL, 0, NULL, NULL, NULL, l.crli_net, l.crli_tax, l.crli_gross,
  l.crli_id, v.vad_variant_code, l.crli_qty, l.crli_description
FROM credit_header c
JOIN credit_line_item l ON l.crli_ch_id = c.ch_id
LEFT JOIN variant_detail v ON v.vad_id = l.crli_vad_id
WHERE c.ch_last_amended_datetime >= @since OR c.ch_reference IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'export', NULL, 'CREDITS 1', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL

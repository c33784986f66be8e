-- RETURNS: returns of our orders, and those under our references, with what became of every line
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: since (local time), ref1 to ref50. What is asked for by name comes with a moment far ahead,
-- and what is asked for by its moment comes with empty names.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- Unconfirmed: every name of the two tables return_header and return_line: nobody has published one.

SELECT 'return' AS kind, r.rh_id AS return_id, r.rh_reference AS reference, r.rh_number AS number, r.rh_status AS status,
  r.rh_last_amended_datetime AS changed_at, h.oh_ecommerce_number AS order_reference, NULL AS sku,
  NULL AS expected, NULL AS received, NULL AS restocked, NULL AS quarantined, NULL AS scrapped
FROM return_header r
LEFT JOIN order_header h ON h.oh_id = r.rh_oh_id
WHERE r.rh_last_amended_datetime >= @since OR r.rh_reference IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'line', r.rh_id, NULL, NULL, NULL, NULL, NULL, v.vad_variant_code,
  l.rl_qty_expected, l.rl_qty_received, l.rl_qty_restocked, l.rl_qty_quarantined, l.rl_qty_scrapped
FROM return_header r
JOIN return_line l ON l.rl_rh_id = r.rh_id
JOIN order_line_item i ON i.oli_id = l.rl_oli_id
JOIN variant_detail v ON v.vad_id = i.oli_vad_id
WHERE r.rh_last_amended_datetime >= @since OR r.rh_reference IN (
    @ref1, @ref2, @ref3, @ref4, @ref5, @ref6, @ref7, @ref8, @ref9, @ref10,
    @ref11, @ref12, @ref13, @ref14, @ref15, @ref16, @ref17, @ref18, @ref19, @ref20,
    @ref21, @ref22, @ref23, @ref24, @ref25, @ref26, @ref27, @ref28, @ref29, @ref30,
    @ref31, @ref32, @ref33, @ref34, @ref35, @ref36, @ref37, @ref38, @ref39, @ref40,
    @ref41, @ref42, @ref43, @ref44, @ref45, @ref46, @ref47, @ref48, @ref49, @ref50)
UNION ALL
SELECT 'export', NULL, 'RETURNS 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL

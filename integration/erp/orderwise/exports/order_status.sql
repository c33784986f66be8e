-- ORDER_STATUS: our sales orders that changed since a moment
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: since (local time).
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- Unconfirmed: oh_ecommerce_number, oh_session_id, oh_on_hold, oh_currency, oh_dm_id.

SELECT 'order' AS kind,
  h.oh_id AS order_id, h.oh_ecommerce_number AS reference, h.oh_order_number AS number, h.oh_sot_id AS type,
  h.oh_session_id AS session, s.os_description AS status, COALESCE(h.oh_order_complete, 0) AS complete,
  COALESCE(h.oh_on_hold, 0) AS on_hold, h.oh_currency AS currency, h.oh_dm_id AS method,
  d.ohd_last_amended_datetime AS changed_at,
  h.oh_net AS net, h.oh_tax AS tax, h.oh_gross AS gross
FROM order_header h
JOIN order_header_detail d ON d.ohd_oh_id = h.oh_id
LEFT JOIN order_status s ON s.os_id = h.oh_os_id
WHERE d.ohd_last_amended_datetime >= @since AND h.oh_ecommerce_number LIKE 'centra-%' AND h.oh_sot_id <> 4
UNION ALL
SELECT 'export', NULL, 'ORDER_STATUS 1', NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL

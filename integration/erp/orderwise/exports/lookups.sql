-- LOOKUPS: the ids that the mapping file names, and the texts of the order statuses.
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- It has no parameters. The names on the right of AS are Lockstep's: never change them.
-- Unconfirmed: sl_description, dm_description and the names of payment methods and tax rates.

SELECT 'location' AS kind, sl_id AS id, sl_description AS name FROM stock_location
UNION ALL
SELECT 'delivery method', dm_id, dm_description FROM delivery_method
UNION ALL
SELECT 'payment method', pm_id, pm_description FROM payment_method
UNION ALL
SELECT 'tax rate', vr_id, vr_vat_code FROM vat_rate
UNION ALL
SELECT 'status', os_id, os_description FROM order_status
UNION ALL
SELECT 'export', 1, 'LOOKUPS 1'

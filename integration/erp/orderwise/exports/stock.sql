-- STOCK: stock by location, and the kits that contain what moved
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: since (local time), sku1 to sku100. What is asked for by name comes with a moment far ahead,
-- and what is asked for by its moment comes with empty names.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last row says which definition answered: without it Lockstep takes no answer, an empty one either.
-- Unconfirmed: none of these names; whether an inactive bill of materials stays behind.

SELECT 'level' AS kind, v.vad_variant_code AS sku, l.vsl_sl_id AS location,
  l.vsl_free_stock_quantity AS free, l.vsl_overall_stock_quantity AS in_stock,
  l.vsl_free_stock_quantity AS available, -- your own definition of what can be sold may stand here
  NULL AS part, NULL AS quantity
FROM variant_detail v
JOIN variant_setting s ON s.vas_vad_id = v.vad_id
LEFT JOIN variant_stock_quantity q ON q.vasq_vad_id = v.vad_id
LEFT JOIN variant_stock_location l ON l.vsl_vad_id = v.vad_id
WHERE COALESCE(s.vas_discontinued_product, 0) = 0
  AND (q.vasq_stock_levels_last_calculated >= @since OR v.vad_variant_code IN (
    @sku1, @sku2, @sku3, @sku4, @sku5, @sku6, @sku7, @sku8, @sku9, @sku10,
    @sku11, @sku12, @sku13, @sku14, @sku15, @sku16, @sku17, @sku18, @sku19, @sku20,
    @sku21, @sku22, @sku23, @sku24, @sku25, @sku26, @sku27, @sku28, @sku29, @sku30,
    @sku31, @sku32, @sku33, @sku34, @sku35, @sku36, @sku37, @sku38, @sku39, @sku40,
    @sku41, @sku42, @sku43, @sku44, @sku45, @sku46, @sku47, @sku48, @sku49, @sku50,
    @sku51, @sku52, @sku53, @sku54, @sku55, @sku56, @sku57, @sku58, @sku59, @sku60,
    @sku61, @sku62, @sku63, @sku64, @sku65, @sku66, @sku67, @sku68, @sku69, @sku70,
    @sku71, @sku72, @sku73, @sku74, @sku75, @sku76, @sku77, @sku78, @sku79, @sku80,
    @sku81, @sku82, @sku83, @sku84, @sku85, @sku86, @sku87, @sku88, @sku89, @sku90,
    @sku91, @sku92, @sku93, @sku94, @sku95, @sku96, @sku97, @sku98, @sku99, @sku100))
UNION ALL
SELECT 'kit', k.vad_variant_code, NULL, NULL, NULL, NULL, c.vad_variant_code, m.vbc_quantity
FROM variant_bom b
JOIN variant_bom_component m ON m.vbc_vb_id = b.vb_id
JOIN variant_detail k ON k.vad_id = b.vb_vad_id
JOIN variant_setting s ON s.vas_vad_id = k.vad_id
JOIN variant_detail c ON c.vad_id = m.vbc_vad_id
LEFT JOIN variant_stock_quantity q ON q.vasq_vad_id = c.vad_id
WHERE b.vb_active = 1 AND s.vas_kit_variant = 1 AND COALESCE(s.vas_discontinued_product, 0) = 0
  AND COALESCE(b.vb_oli_id, 0) = 0 AND COALESCE(b.vb_pol_id, 0) = 0 AND COALESCE(b.vb_crli_id, 0) = 0
  AND (q.vasq_stock_levels_last_calculated >= @since
    OR EXISTS (SELECT 1 FROM variant_bom ib -- a kit within a kit: what is in the inner one moved
      JOIN variant_bom_component im ON im.vbc_vb_id = ib.vb_id
      JOIN variant_stock_quantity iq ON iq.vasq_vad_id = im.vbc_vad_id
      WHERE ib.vb_vad_id = m.vbc_vad_id AND ib.vb_active = 1 AND iq.vasq_stock_levels_last_calculated >= @since
        AND COALESCE(ib.vb_oli_id, 0) = 0 AND COALESCE(ib.vb_pol_id, 0) = 0 AND COALESCE(ib.vb_crli_id, 0) = 0)
    OR k.vad_variant_code IN (
    @sku1, @sku2, @sku3, @sku4, @sku5, @sku6, @sku7, @sku8, @sku9, @sku10,
    @sku11, @sku12, @sku13, @sku14, @sku15, @sku16, @sku17, @sku18, @sku19, @sku20,
    @sku21, @sku22, @sku23, @sku24, @sku25, @sku26, @sku27, @sku28, @sku29, @sku30,
    @sku31, @sku32, @sku33, @sku34, @sku35, @sku36, @sku37, @sku38, @sku39, @sku40,
    @sku41, @sku42, @sku43, @sku44, @sku45, @sku46, @sku47, @sku48, @sku49, @sku50,
    @sku51, @sku52, @sku53, @sku54, @sku55, @sku56, @sku57, @sku58, @sku59, @sku60,
    @sku61, @sku62, @sku63, @sku64, @sku65, @sku66, @sku67, @sku68, @sku69, @sku70,
    @sku71, @sku72, @sku73, @sku74, @sku75, @sku76, @sku77, @sku78, @sku79, @sku80,
    @sku81, @sku82, @sku83, @sku84, @sku85, @sku86, @sku87, @sku88, @sku89, @sku90,
    @sku91, @sku92, @sku93, @sku94, @sku95, @sku96, @sku97, @sku98, @sku99, @sku100))
UNION ALL
SELECT 'export', 'STOCK 2', NULL, NULL, NULL, NULL, NULL, NULL

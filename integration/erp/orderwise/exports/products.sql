-- PRODUCTS: every variant, in ranges of its id, or by its code.
-- Paste this into E-Commerce > API Export Definitions and write its id into [tenant.exports] of the mapping file.
-- Parameters: after, until (ids), sku1 to sku100. What is asked for by name comes with an empty range.
-- The names on the left of AS are OrderWise's, those on the right are Lockstep's: never change the latter.
-- The last rows tell the next id after the range, and which definition answered.
-- Unconfirmed: vad_description and vad_ean_code.

SELECT 'variant' AS kind, v.vad_id AS id, v.vad_variant_code AS sku, v.vad_description AS name,
  v.vad_ean_code AS ean, COALESCE(s.vas_discontinued_product, 0) AS discontinued,
  COALESCE(v.vad_sale_variant, 1) AS for_sale, COALESCE(s.vas_kit_variant, 0) AS kit,
  v.vad_last_amended_datetime AS changed_at
FROM variant_detail v
LEFT JOIN variant_setting s ON s.vas_vad_id = v.vad_id
WHERE (v.vad_id > @after AND v.vad_id <= @until) OR v.vad_variant_code IN (
    @sku1, @sku2, @sku3, @sku4, @sku5, @sku6, @sku7, @sku8, @sku9, @sku10,
    @sku11, @sku12, @sku13, @sku14, @sku15, @sku16, @sku17, @sku18, @sku19, @sku20,
    @sku21, @sku22, @sku23, @sku24, @sku25, @sku26, @sku27, @sku28, @sku29, @sku30,
    @sku31, @sku32, @sku33, @sku34, @sku35, @sku36, @sku37, @sku38, @sku39, @sku40,
    @sku41, @sku42, @sku43, @sku44, @sku45, @sku46, @sku47, @sku48, @sku49, @sku50,
    @sku51, @sku52, @sku53, @sku54, @sku55, @sku56, @sku57, @sku58, @sku59, @sku60,
    @sku61, @sku62, @sku63, @sku64, @sku65, @sku66, @sku67, @sku68, @sku69, @sku70,
    @sku71, @sku72, @sku73, @sku74, @sku75, @sku76, @sku77, @sku78, @sku79, @sku80,
    @sku81, @sku82, @sku83, @sku84, @sku85, @sku86, @sku87, @sku88, @sku89, @sku90,
    @sku91, @sku92, @sku93, @sku94, @sku95, @sku96, @sku97, @sku98, @sku99, @sku100)
UNION ALL
SELECT 'next', MIN(vad_id), NULL, NULL, NULL, 0, 0, 0, NULL FROM variant_detail WHERE vad_id > @until
UNION ALL
SELECT 'export', 0, 'PRODUCTS 1', NULL, NULL, 0, 0, 0, NULL

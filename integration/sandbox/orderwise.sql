-- OrderWise's own tables, as far as the sandbox needs them. One comment a table: what of its names was seen in the wild,
-- and what is unconfirmed. All date-times are the server's local time without a zone, as ISO text with milliseconds;
-- money and quantities are DECIMAL(18,4), flags 0 or 1.
-- Texts by which things are found compare as SQL Server's usual collation does (unconfirmed for a tenant): case and
-- trailing spaces make no difference.

-- Seen: vr_id, vr_vat_code, vr_vat_rate (a percentage here; its unit is unconfirmed).
CREATE TABLE vat_rate (vr_id INTEGER PRIMARY KEY, vr_vat_code TEXT UNIQUE, vr_description TEXT, vr_vat_rate NUMERIC);
-- Unconfirmed but for its numbers: 1 is GBP at two integrators.
CREATE TABLE currency (c_id INTEGER PRIMARY KEY, c_code TEXT UNIQUE);
-- Seen: dm_id, dm_cod_id; cod_id and the two parts of a tracking link. Unconfirmed: the descriptions' names.
CREATE TABLE courier_detail (cod_id INTEGER PRIMARY KEY, cod_description TEXT, cod_tracking_url_prefix TEXT,
  cod_tracking_url_suffix TEXT);
CREATE TABLE delivery_method (dm_id INTEGER PRIMARY KEY, dm_description TEXT UNIQUE, dm_cod_id INTEGER, dm_vr_id INTEGER);
-- Unconfirmed.
CREATE TABLE payment_method (pm_id INTEGER PRIMARY KEY, pm_description TEXT UNIQUE);
-- Seen: sl_id. Unconfirmed: sl_description.
CREATE TABLE stock_location (sl_id INTEGER PRIMARY KEY, sl_description TEXT UNIQUE);
-- Seen: os_id, os_description; the texts are each tenant's own.
CREATE TABLE order_status (os_id INTEGER PRIMARY KEY, os_description TEXT COLLATE Latin1_General_CI_AS UNIQUE);
-- The names of the columns are unconfirmed; the JSON keys of a customer were seen.
CREATE TABLE customer_detail (cd_id INTEGER PRIMARY KEY AUTOINCREMENT, cd_account_number TEXT COLLATE Latin1_General_CI_AS UNIQUE,
  cd_statement_name TEXT, cd_statement_email TEXT, cd_currency_id INTEGER, cd_on_hold INTEGER DEFAULT 0,
  cd_last_amended_datetime TEXT);

-- Seen: vad_id, vad_variant_code, vad_sale_variant, vad_last_amended_datetime, vad_input_datetime. Unconfirmed: the rest.
CREATE TABLE variant_detail (vad_id INTEGER PRIMARY KEY AUTOINCREMENT, vad_variant_code TEXT COLLATE Latin1_General_CI_AS UNIQUE, vad_description TEXT,
  vad_ean_code TEXT COLLATE Latin1_General_CI_AS, vad_sale_variant INTEGER DEFAULT 1, vad_vr_id INTEGER DEFAULT 1, vad_pd_id INTEGER,
  vad_input_datetime TEXT, vad_last_amended_datetime TEXT);
-- Seen: vas_discontinued_product, vas_kit_variant.
CREATE TABLE variant_setting (vas_vad_id INTEGER PRIMARY KEY, vas_discontinued_product INTEGER DEFAULT 0,
  vas_kit_variant INTEGER DEFAULT 0, vas_template_variant INTEGER DEFAULT 0, vas_disallow_sale INTEGER DEFAULT 0);
-- Seen, all but vafp_id.
CREATE TABLE variant_foreign_price (vafp_id INTEGER PRIMARY KEY AUTOINCREMENT, vafp_vad_id INTEGER, vafp_c_id INTEGER,
  vafp_rsp_exc_vat NUMERIC, vafp_rsp_inc_vat NUMERIC, vafp_vr_id INTEGER, vafp_price_per NUMERIC DEFAULT 1,
  vafp_base_price NUMERIC, vafp_input_datetime TEXT, vafp_last_amended_datetime TEXT);
CREATE INDEX price_of_variant ON variant_foreign_price (vafp_vad_id);
-- The sandbox's own: the dimensions and analysis slots of a variant, as JSON.
CREATE TABLE sandbox_variant_words (svw_vad_id INTEGER PRIMARY KEY, svw_dimensions TEXT, svw_analysis TEXT);

-- Seen, all. Template rows have vb_oli_id, vb_pol_id and vb_crli_id 0; an order line of a kit has a copy of its own.
CREATE TABLE variant_bom (vb_id INTEGER PRIMARY KEY AUTOINCREMENT, vb_vad_id INTEGER, vb_active INTEGER DEFAULT 1,
  vb_oli_id INTEGER DEFAULT 0, vb_pol_id INTEGER DEFAULT 0, vb_crli_id INTEGER DEFAULT 0);
CREATE INDEX bom_of_variant ON variant_bom (vb_vad_id, vb_oli_id);
CREATE INDEX bom_of_line ON variant_bom (vb_oli_id);
CREATE TABLE variant_bom_component (vbc_vb_id INTEGER, vbc_vad_id INTEGER, vbc_quantity NUMERIC);
CREATE INDEX component_of_bom ON variant_bom_component (vbc_vb_id);
CREATE INDEX bom_of_component ON variant_bom_component (vbc_vad_id);

-- Seen, all.
CREATE TABLE variant_stock_quantity (vasq_vad_id INTEGER PRIMARY KEY, vasq_free_stock_quantity NUMERIC DEFAULT 0,
  vasq_stock_levels_last_calculated TEXT);
CREATE INDEX stock_calculated ON variant_stock_quantity (vasq_stock_levels_last_calculated);
CREATE TABLE variant_stock_location (vsl_vad_id INTEGER, vsl_sl_id INTEGER, vsl_free_stock_quantity NUMERIC DEFAULT 0,
  vsl_overall_stock_quantity NUMERIC DEFAULT 0, PRIMARY KEY (vsl_vad_id, vsl_sl_id));

-- Seen: oh_id, oh_order_number, oh_sot_id, oh_os_id, oh_cust_order_ref, oh_order_complete. Unconfirmed: the rest.
-- oh_delivery_tax_code and the like hold a vr_id.
CREATE TABLE order_header (oh_id INTEGER PRIMARY KEY AUTOINCREMENT, oh_order_number TEXT COLLATE Latin1_General_CI_AS, oh_sot_id INTEGER,
  oh_os_id INTEGER, oh_ecommerce_number TEXT COLLATE Latin1_General_CI_AS, oh_session_id INTEGER, oh_cust_order_ref TEXT COLLATE Latin1_General_CI_AS, oh_cd_id INTEGER,
  oh_order_date TEXT, oh_input_datetime TEXT, oh_gross NUMERIC, oh_net NUMERIC, oh_tax NUMERIC,
  oh_delivery_gross NUMERIC, oh_delivery_net NUMERIC, oh_delivery_tax NUMERIC, oh_delivery_tax_code INTEGER,
  oh_currency TEXT, oh_order_complete INTEGER DEFAULT 0, oh_on_hold INTEGER DEFAULT 0, oh_dm_id INTEGER);
CREATE INDEX order_of_reference ON order_header (oh_ecommerce_number);
CREATE INDEX order_open ON order_header (oh_order_complete) WHERE oh_order_complete = 0;
-- Seen, all.
CREATE TABLE order_header_detail (ohd_oh_id INTEGER PRIMARY KEY, ohd_dm_id INTEGER, ohd_last_amended_datetime TEXT);
CREATE INDEX order_amended ON order_header_detail (ohd_last_amended_datetime);
-- Seen: the quantities, oli_sl_id, oli_direct, oli_vad_id, oli_original_oli_id. Unconfirmed: the amounts (each per unit).
CREATE TABLE order_line_item (oli_id INTEGER PRIMARY KEY AUTOINCREMENT, oli_oh_id INTEGER, oli_vad_id INTEGER,
  oli_item_number INTEGER, oli_qty_required NUMERIC, oli_qty_sent NUMERIC DEFAULT 0, oli_qty_tbsent NUMERIC,
  oli_item_net NUMERIC, oli_item_gross NUMERIC, oli_item_tax NUMERIC, oli_tax_code INTEGER, oli_sl_id INTEGER,
  oli_direct INTEGER DEFAULT 0, oli_original_oli_id INTEGER);
CREATE INDEX line_of_order ON order_line_item (oli_oh_id);
CREATE INDEX line_to_send ON order_line_item (oli_vad_id) WHERE oli_qty_tbsent <> 0;
-- Unconfirmed. od_price is what was sent; od_discount 1 a discount, 0 a surcharge; od_gross 1 when the price holds tax.
CREATE TABLE order_dissur (od_id INTEGER PRIMARY KEY AUTOINCREMENT, od_oh_id INTEGER, od_description TEXT,
  od_price NUMERIC, od_tax_code INTEGER, od_discount INTEGER DEFAULT 1, od_gross INTEGER DEFAULT 0);
CREATE INDEX dissur_of_order ON order_dissur (od_oh_id);
-- Unconfirmed.
CREATE TABLE order_payment (op_oh_id INTEGER, op_pm_id INTEGER, op_amount NUMERIC);
CREATE INDEX payment_of_order ON order_payment (op_oh_id);
-- Unconfirmed. oad_role is delivery, invoice or statement.
CREATE TABLE order_address (oad_oh_id INTEGER, oad_role TEXT, oad_name TEXT, oad_address_1 TEXT, oad_address_2 TEXT,
  oad_address_3 TEXT, oad_town TEXT, oad_county TEXT, oad_country TEXT, oad_country_code TEXT, oad_postcode TEXT,
  oad_email TEXT, oad_telephone TEXT);
CREATE INDEX address_of_order ON order_address (oad_oh_id);

-- Seen: dh_oh_id, dh_consignment_number, dh_datetime. Unconfirmed: the rest, and the two tables that follow.
CREATE TABLE delivery_header (dh_id INTEGER PRIMARY KEY AUTOINCREMENT, dh_oh_id INTEGER, dh_number TEXT,
  dh_consignment_number TEXT, dh_datetime TEXT, dh_dm_id INTEGER, dh_cancelled INTEGER DEFAULT 0);
CREATE INDEX delivery_of_order ON delivery_header (dh_oh_id);
CREATE INDEX delivery_sent ON delivery_header (dh_datetime);
CREATE TABLE delivery_consignment (dc_dh_id INTEGER, dc_consignment_number TEXT);
CREATE INDEX consignment_of_delivery ON delivery_consignment (dc_dh_id);
CREATE TABLE delivery_line_item (dli_dh_id INTEGER, dli_oli_id INTEGER, dli_qty_sent NUMERIC);
CREATE INDEX line_of_delivery ON delivery_line_item (dli_dh_id);

-- Unconfirmed, all four: that returns and credits exist was seen, no name of theirs.
CREATE TABLE return_header (rh_id INTEGER PRIMARY KEY AUTOINCREMENT, rh_number TEXT, rh_oh_id INTEGER, rh_reference TEXT COLLATE Latin1_General_CI_AS,
  rh_status TEXT, rh_last_amended_datetime TEXT);
CREATE TABLE return_line (rl_id INTEGER PRIMARY KEY AUTOINCREMENT, rl_rh_id INTEGER, rl_oli_id INTEGER,
  rl_qty_expected NUMERIC DEFAULT 0, rl_qty_received NUMERIC DEFAULT 0, rl_qty_restocked NUMERIC DEFAULT 0,
  rl_qty_quarantined NUMERIC DEFAULT 0, rl_qty_scrapped NUMERIC DEFAULT 0);
CREATE INDEX line_of_return ON return_line (rl_rh_id);
CREATE TABLE credit_header (ch_id INTEGER PRIMARY KEY AUTOINCREMENT, ch_number TEXT, ch_oh_id INTEGER, ch_reference TEXT COLLATE Latin1_General_CI_AS,
  ch_date TEXT, ch_net NUMERIC, ch_tax NUMERIC, ch_gross NUMERIC, ch_posted INTEGER DEFAULT 0, ch_currency TEXT,
  ch_last_amended_datetime TEXT);
CREATE TABLE credit_line_item (crli_id INTEGER PRIMARY KEY AUTOINCREMENT, crli_ch_id INTEGER, crli_oli_id INTEGER,
  crli_vad_id INTEGER, crli_qty NUMERIC, crli_net NUMERIC, crli_tax NUMERIC, crli_gross NUMERIC, crli_description TEXT,
  crli_tax_code INTEGER);
CREATE INDEX line_of_credit ON credit_line_item (crli_ch_id);

-- Ids begin far apart, so that one kind of id is never taken for another.
INSERT INTO sqlite_sequence (name, seq) VALUES ('order_header', 3600), ('order_line_item', 19000),
  ('delivery_header', 5500), ('variant_detail', 88000), ('variant_foreign_price', 310000), ('return_header', 700),
  ('return_line', 1700), ('credit_header', 900), ('credit_line_item', 2900), ('customer_detail', 1374);

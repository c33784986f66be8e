"""What an OrderWise tenant of the sandbox holds before its first order."""

from decimal import Decimal

from integration.sandbox import catalogue
from integration.sandbox import orderwise_catalogue as own
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_wire import four


def fill(ledger: Ledger) -> None:
    """Look-ups, customers, every SKU the ERP knows with its stock in Leeds, and the bills of its kits."""
    for tax in own.TAXES:
        ledger.insert(
            "vat_rate", vr_id=tax.id, vr_vat_code=tax.code, vr_description=tax.name, vr_vat_rate=four(tax.percent)
        )
    for code, number in catalogue.CURRENCY_IDS.items():
        ledger.insert("currency", c_id=number, c_code=code)
    for name, (number, prefix, suffix) in own.COURIERS.items():
        link = {"cod_tracking_url_prefix": prefix, "cod_tracking_url_suffix": suffix}
        ledger.insert("courier_detail", cod_id=number, cod_description=name, **link)
    for method in own.METHODS:
        courier = own.COURIERS[method.courier][0] if method.courier else None
        words = {"dm_description": method.name, "dm_cod_id": courier, "dm_vr_id": 1}
        ledger.insert("delivery_method", dm_id=method.id, **words)
    for number, name in own.PAYMENT_METHODS.items():
        ledger.insert("payment_method", pm_id=number, pm_description=name)
    for number, name in own.LOCATIONS.items():
        ledger.insert("stock_location", sl_id=number, sl_description=name)
    for number, text in own.STATUSES.items():
        ledger.insert("order_status", os_id=number, os_description=text)
    for account, name in own.CUSTOMERS:
        ledger.insert(
            "customer_detail",
            cd_account_number=account,
            cd_statement_name=name,
            cd_statement_email=f"{account.lower()}@example.com",
            cd_currency_id=1,
            cd_last_amended_datetime=ledger.now(),
        )
    _goods(ledger)


def _goods(ledger: Ledger) -> None:
    kits: list[tuple[int, catalogue.Good]] = []
    ids: dict[str, int] = {}
    for sku in (*catalogue.ERP_SKUS, *catalogue.SYNTHETIC):
        good = catalogue.GOODS[sku]
        name = f"{good.product_name} {good.variant_name} {good.size_name}"
        ids[sku] = variant(ledger, sku, name, good.ean, good.prices["GBP"], good.product_id)
        if good.is_bundle:
            kits.append((ids[sku], good))
        else:
            ledger.base.execute(
                "UPDATE variant_stock_location SET vsl_free_stock_quantity = ?1, vsl_overall_stock_quantity = ?1"
                " WHERE vsl_vad_id = ?2 AND vsl_sl_id = ?3",
                (catalogue.OPENING_STOCK, ids[sku], own.LEEDS),
            )
            ledger.update(
                "variant_stock_quantity", "vasq_vad_id", ids[sku], vasq_free_stock_quantity=catalogue.OPENING_STOCK
            )
    for id, good in kits:
        kit(ledger, id, {ids[sku]: quantity for sku, quantity in good.parts})


def variant(ledger: Ledger, sku: str, name: str, ean: str, pounds: Decimal = Decimal(0), product: int = 0) -> int:
    """A variant that can be sold, with no stock yet; its id. `pounds` is what the shop asks, tax included."""
    now = ledger.now()
    id = ledger.insert(
        "variant_detail",
        vad_variant_code=sku,
        vad_description=name,
        vad_ean_code=ean or None,
        vad_pd_id=product,
        vad_input_datetime=now,
        vad_last_amended_datetime=now,
    )
    ledger.insert("variant_setting", vas_vad_id=id)
    ledger.insert("sandbox_variant_words", svw_vad_id=id, svw_dimensions="{}", svw_analysis="{}")
    ledger.insert("variant_stock_quantity", vasq_vad_id=id, vasq_stock_levels_last_calculated=now)
    for place in own.LOCATIONS:
        ledger.insert("variant_stock_location", vsl_vad_id=id, vsl_sl_id=place)
    ledger.insert(
        "variant_foreign_price",
        vafp_vad_id=id,
        vafp_c_id=1,
        vafp_rsp_inc_vat=pounds,
        vafp_rsp_exc_vat=four(pounds / Decimal("1.2")),
        vafp_vr_id=1,
        vafp_base_price=four(pounds / Decimal("1.2")),
        vafp_input_datetime=now,
        vafp_last_amended_datetime=now,
    )
    return id


def kit(ledger: Ledger, id: int, parts: dict[int, int]) -> None:
    """Make a variant a kit of `parts` (variant id to pieces); its own row of stock is what could be built just now."""
    ledger.update("variant_setting", "vas_vad_id", id, vas_kit_variant=1)
    bom = ledger.insert("variant_bom", vb_vad_id=id)
    for part, quantity in parts.items():
        ledger.insert("variant_bom_component", vbc_vb_id=bom, vbc_vad_id=part, vbc_quantity=quantity)

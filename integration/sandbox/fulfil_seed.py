"""What a Fulfil tenant of the sandbox holds before its first order, taken from the shared catalogue."""

from decimal import Decimal

from integration.sandbox import catalogue
from integration.sandbox.fulfil_records import Records, Row

COMPANY = 1
CUSTOMERS, SUPPLIERS, LOST_FOUND, PRODUCTION = 9001, 9002, 9003, 9004
"""Locations outside of every warehouse."""
REVENUE, RECEIVABLE = 1, 2
"""Accounts."""


def fill(records: Records) -> None:
    """Company, currencies, countries, user, warehouses, channels, carriers, taxes, gateways, accounts, products and bills."""
    for code, number in catalogue.CURRENCY_IDS.items():
        words = {"name": code, "code": code, "digits": catalogue.DECIMALS[code], "rate": catalogue.BASE_RATES[code]}
        records.insert("currency.currency", words, number)
    base = catalogue.CURRENCY_IDS[catalogue.BASE_CURRENCY]
    records.insert("company.company", {"name": "Sandbox Apparel", "currency": base}, COMPANY)
    for country in catalogue.COUNTRIES.values():
        records.insert("country.country", {"name": country.name, "code": country.code}, country.id)
    for tax in catalogue.FULFIL_TAXES:
        words = {"name": tax.name, "rate": tax.rate, "type": "percentage", "active": True}
        records.insert("account.tax", words, tax.id)
    for code in catalogue.FULFIL_GATEWAYS:
        records.insert("payment_gateway.gateway", {"name": code.replace("_", " ").title(), "code": code})
    _places(records)
    _carriers(records)
    for sku in (*catalogue.ERP_SKUS, *catalogue.SYNTHETIC):
        good = catalogue.GOODS[sku]
        name = f"{good.product_name} {good.variant_name} {good.size_name}"
        product(records, sku, name, good.product_name, good.ean, good.prices[catalogue.BASE_CURRENCY])
    for sku in catalogue.ERP_SKUS:
        if catalogue.GOODS[sku].is_bundle:
            _bill(records, catalogue.GOODS[sku])
    for name, code, type, id in (("Sales", "4000", "revenue", REVENUE), ("Debtors", "1100", "receivable", RECEIVABLE)):
        records.insert("account.account", {"name": name, "code": code, "type": type, "active": True}, id)


def _bill(records: Records, good: catalogue.Good) -> None:
    """The bill of materials of a bundle."""
    ids = {row["code"]: row["id"] for row in records.rows["product.product"].values()}
    bom = records.insert("production.bom", {"name": good.product_name, "active": True})["id"]
    records.insert("production.bom.output", {"bom": bom, "product": ids[good.sku], "quantity": 1.0})
    for sku, quantity in good.parts:
        records.insert("production.bom.input", {"bom": bom, "product": ids[sku], "quantity": float(quantity)})
    records.get("product.product", ids[good.sku])["boms"] = [bom]


def product(
    records: Records, sku: str, name: str, template: str | None = None, upc: str = "", price: Decimal = Decimal(0)
) -> Row:
    """A variant with that code; its template is made when no other variant made it before."""
    title = template or name
    known = records.find("product.template", "name", title)
    parent = known[0] if known else records.insert("product.template", {"name": title, "type": "goods", "active": True})
    words = {"template": parent["id"], "code": sku, "variant_name": name, "upc": upc, "type": "goods"}
    return records.insert("product.product", words | {"list_price": price, "active": True, "salable": True})


def _places(records: Records) -> None:
    for place in catalogue.FULFIL_WAREHOUSES.values():
        words = {"name": place.name, "code": place.code, "type": "warehouse", "active": True}
        zones = dict.fromkeys(("storage_location", "output_location"), place.id * 100 + 2)
        zones |= {"input_location": place.id * 100 + 1, "quarantine_location": place.id * 100 + 3}
        records.insert("stock.location", words | zones, place.id)
        for id, name, code in ((1, "Input", "IN"), (2, "Storage", "STO"), (3, "Quarantine", "QRT")):
            words = {"name": f"{place.name} {name}", "code": f"{place.code}-{code}", "type": "storage", "active": True}
            records.insert("stock.location", words | {"parent": place.id}, place.id * 100 + id)
    for id, name, type in (
        (CUSTOMERS, "Customers", "customer"),
        (SUPPLIERS, "Suppliers", "supplier"),
        (LOST_FOUND, "Lost and found", "lost_found"),
        (PRODUCTION, "Production", "production"),
    ):
        records.insert("stock.location", {"name": name, "code": type.upper(), "type": type, "active": True}, id)
    for channel in catalogue.FULFIL_CHANNELS.values():
        building = catalogue.CENTRA_WAREHOUSES[catalogue.WAREHOUSE_OF_MARKET[channel.id]]
        records.insert(
            "sale.channel",
            {
                "name": channel.name,
                "code": channel.name.lower().replace(" ", "-"),
                "source": "manual",
                "active": True,
                "company": COMPANY,
                "warehouse": building.fulfil_id,
                "currency": catalogue.CURRENCY_IDS[channel.currency],
                "timezone": "UTC",
                "invoice_method": "shipment",
                "shipment_method": "order",
            },
            channel.id,
        )
    user(records, "Sandbox integration", list(catalogue.FULFIL_CHANNELS))


def user(records: Records, name: str, channels: list[int]) -> Row:
    """A user who may read and create on `channels`."""
    words = {"name": name, "email": None, "active": True, "company": COMPANY, "language": "en_US"}
    access = {"allowed_read_channels": list(channels), "allowed_create_channels": list(channels)}
    return records.insert("res.user", words | access)


def _carriers(records: Records) -> None:
    for service in catalogue.FULFIL_CARRIER_SERVICES:
        known = records.find("carrier", "name", service.carrier)
        carrier = known[0] if known else records.insert("carrier", {"name": service.carrier})
        words = {"code": service.code, "name": service.code.replace("-", " ").title(), "carrier": carrier["id"]}
        records.insert("carrier.service", words, service.id)
        link = {"channel": service.channel_id, "code": service.code, "carrier": carrier["id"]}
        records.insert("sale.channel.carrier", link | {"carrier_service": service.id}, service.id)

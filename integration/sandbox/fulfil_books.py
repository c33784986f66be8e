"""The oracle: everything the sandbox's Fulfil holds about orders, in plain words and in one piece."""

from collections import Counter
from typing import Any

from integration.sandbox.fulfil_records import Records, Row


def books(records: Records, requests: Counter[str]) -> Row:
    """`sales` (amounts as strings), `effects` (every create with its time) and `requests` by operation."""
    sales = [_sale(records, sale) for sale in records.rows["sale.sale"].values()]
    return {"sales": sales, "effects": list(records.effects), "requests": dict(requests)}


def _sale(records: Records, sale: Row) -> Row:
    currency = records.rows["currency.currency"].get(sale["currency"])
    return {
        "id": sale["id"],
        "number": sale["number"],
        "channel": sale["channel"],
        "channel_identifier": sale["channel_identifier"],
        "reference": sale["reference"],
        "state": sale["state"],
        "currency": currency["code"] if currency else None,
        "untaxed": _text(sale["untaxed_amount"]),
        "tax": _text(sale["tax_amount"]),
        "total": _text(sale["total_amount"]),
        "lines": [_line(records, line) for line in records.find("sale.line", "sale", sale["id"])],
        "has_channel_exception": bool(sale["has_channel_exception"]),
        "payments": [_payment(records, payment) for payment in records.find("sale.payment", "sale", sale["id"])],
        "shipments": {str(id): records.get("stock.shipment.out", id)["state"] for id in sale["shipments"]},
        "create_date": sale["create_date"].isoformat(),
    }


def _line(records: Records, line: Row) -> tuple[Any, ...]:
    """(sku, quantity, unit_price, amount, tax); the sku of a shipping line is None."""
    product = records.rows["product.product"].get(line["product"])
    amounts = (_text(line[name]) for name in ("unit_price", "amount", "tax_amount"))
    return (product["code"] if product else None, line["quantity"], *amounts)


def _payment(records: Records, payment: Row) -> tuple[str, str | None, str | None]:
    """(gateway code, amount, provider reference)."""
    gateway = records.get("payment_gateway.gateway", payment["gateway"])
    return (gateway["code"], _text(payment["amount"]), payment["provider_reference"])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

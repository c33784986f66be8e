"""The oracle: everything the sandbox's Fulfil holds about orders, stock, shipments, returns and invoices, in plain words.

Amounts are strings as exact as the ledger, quantities floats, moments and days ISO 8601.
"""

from collections import Counter
from typing import Any

from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_seed import LOST_FOUND
from integration.sandbox.fulfil_stock import Stock


def books(records: Records, stock: Stock, requests: Counter[str]) -> Row:
    """`sales`, `shipments`, `returns`, `invoices` (lists in order of id), `stock` by SKU, `effects` (every create with its
    time) and `requests` by operation.
    """
    return {
        "sales": [_sale(records, sale) for sale in records.rows["sale.sale"].values()],
        "stock": {row["code"]: _stock(stock, row) for row in records.rows["product.product"].values()},
        "shipments": [_shipment(records, row) for row in records.rows["stock.shipment.out"].values()],
        "returns": [_return(records, row) for row in records.rows["stock.shipment.out.return"].values()],
        "invoices": [_invoice(records, row) for row in records.rows["account.invoice"].values()],
        "effects": list(records.effects),
        "requests": dict(requests),
    }


def _stock(stock: Stock, product: Row) -> Row:
    """Over all warehouses, in each by its code, and what lies apart: in input, in quarantine, scrapped or lost (negative
    when found).
    """
    places = stock.warehouses()
    own = stock.levels(product, [[place["id"]] for place in places])
    lying = stock.lying(product["id"])
    by_warehouse = {
        place["code"]: {"on_hand": level.on_hand, "available": level.available}
        for place, level in zip(places, own, strict=True)
    }
    apart = {
        "input": sum(lying[place["input_location"]] for place in places),
        "quarantine": sum(lying[place["quarantine_location"]] for place in places),
        "lost": lying[LOST_FOUND],
    }
    found = {name: sum(getattr(level, name) for level in own) for name in ("on_hand", "available", "buildable")}
    return found | {"by_warehouse": by_warehouse} | (dict.fromkeys(apart, 0.0) if product["boms"] else apart)


def _shipment(records: Records, shipment: Row) -> Row:
    names = ("id", "number", "state", "sales", "warehouse", "on_hold")
    return {name: shipment[name] for name in names} | {
        "lines": _moves(records, shipment["outgoing_moves"]),
        "carrier": _name(records, "carrier", shipment["carrier"], "name"),
        "carrier_service": _name(records, "carrier.service", shipment["carrier_service"], "code"),
        "tracking": [
            _name(records, "shipment.tracking", package["tracking_number"], "tracking_number")
            for package in (records.get("stock.package", id) for id in shipment["packages"])
        ],
        "tracking_number": _name(records, "shipment.tracking", shipment["tracking_number"], "tracking_number"),
        "effective_date": _iso(shipment["effective_date"]),
        "write_date": _iso(shipment["write_date"]),
    }


def _return(records: Records, shipment: Row) -> Row:
    names = ("id", "number", "state", "sales", "warehouse")
    aimed = [records.get("stock.move", id) for id in shipment["inventory_moves"]]
    return {name: shipment[name] for name in names} | {
        "lines": _moves(records, shipment["incoming_moves"]),
        "dispositions": [
            (_name(records, "product.product", move["product"], "code"), move["quantity"], _word(records, move))
            for move in aimed
        ],
        "effective_date": _iso(shipment["effective_date"]),
        "write_date": _iso(shipment["write_date"]),
    }


def _moves(records: Records, ids: list[int]) -> list[tuple[str | None, float, str | None, str]]:
    """(sku, quantity, origin, state)."""
    moves = [records.get("stock.move", id) for id in ids]
    return [
        (_name(records, "product.product", m["product"], "code"), m["quantity"], m["origin"], m["state"]) for m in moves
    ]


def _word(records: Records, move: Row) -> str:
    """The disposition a move stands for."""
    place = records.get("stock.location", move["to_location"])
    if place["id"] == LOST_FOUND:
        return "scrap"
    parent = records.rows["stock.location"].get(place["parent"], {})
    return "quarantine" if parent.get("quarantine_location") == place["id"] else "restock"


def _invoice(records: Records, invoice: Row) -> Row:
    lines = records.find("account.invoice.line", "invoice", invoice["id"])
    return {name: invoice[name] for name in ("id", "number", "reference", "type", "state", "sales")} | {
        "currency": _name(records, "currency.currency", invoice["currency"], "code"),
        "untaxed": _text(invoice["untaxed_amount"]),
        "tax": _text(invoice["tax_amount"]),
        "total": _text(invoice["total_amount"]),
        "lines": [(*_line(records, line), line["origin"]) for line in lines],
        "invoice_date": _iso(invoice["invoice_date"]),
    }


def _name(records: Records, model: str, id: int | None, field: str) -> str | None:
    row = records.rows[model].get(id) if id else None
    return None if row is None else str(row[field])


def _iso(moment: Any) -> str | None:
    return None if moment is None else str(moment.isoformat())


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
        "has_return": bool(sale["has_return"]),
        "origin": sale["origin"],
        "shipment_returns": {
            str(id): records.get("stock.shipment.out.return", id)["state"] for id in sale["shipment_returns"]
        },
        "invoices": {str(id): records.get("account.invoice", id)["state"] for id in sale["invoices"]},
        "shipment_state": sale["shipment_state"],
        "invoice_state": sale["invoice_state"],
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

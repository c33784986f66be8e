"""OrderWise's books put into the rows that the inspection reads of every ERP: another system's words end here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tasks.books import Row, Rows

SERVER = ZoneInfo("Europe/London")
"""Its times are the server's, without a zone."""
DONE, CANCELLED = "Completed", "Cancelled"


def in_shared_rows(told: Row) -> dict[str, Any]:
    """`sales`, `shipments`, `returns`, `invoices`, `stock` and `effects` from the sandbox's books of an OrderWise."""
    orders = [order for order in told["orders"] if order["type"] == 1 and order["reference"]]
    return {
        "sales": [*map(_sale, orders), *_expected(told["returns"])],
        "shipments": list(map(_shipment, told["deliveries"])),
        "returns": list(map(_return, told["returns"])),
        "invoices": list(map(_memo, told["credits"])),
        "stock": {sku: _stock(row) for sku, row in told["stock"].items()},
        "effects": [{"model": "sale.sale", "channel_identifier": order["reference"]} for order in orders],
    }


def _sale(order: Row) -> Row:
    state = "cancelled" if order["status"] == CANCELLED else "done" if order["complete"] else "processing"
    return {
        "id": order["id"],
        "channel_identifier": order["reference"],
        "state": state,
        "currency": order["currency"],
        "total": order["gross"],
        "lines": [(line["sku"], line["quantity"]) for line in order["lines"]],
        "shipment_returns": {},
    }


def _expected(returns: Rows) -> Iterator[Row]:
    """What was keyed under one reference of ours, however many documents became of it."""
    for reference in dict.fromkeys(each["reference"] for each in returns if each["reference"]):
        ids = {str(each["id"]): each["status"] for each in returns if each["reference"] == reference}
        yield {"id": reference, "channel_identifier": reference, "state": "done", "shipment_returns": ids}


def _shipment(delivery: Row) -> Row:
    return {
        "id": f"{delivery['order']}-{delivery['id']}",
        "state": "cancelled" if delivery["cancelled"] else "done",
        "sales": [delivery["order"]],
        "write_date": _moment(delivery["at"]),
        "lines": [(sku, quantity) for sku, quantity, _ in delivery["lines"]],
    }


def _return(made: Row) -> Row:
    words = {"restocked": "restock", "quarantined": "quarantine", "scrapped": "scrap"}
    return {
        "id": made["id"],
        "state": {DONE: "done", CANCELLED: "cancel"}.get(made["status"], "received"),
        "write_date": _moment(made["amended_at"]),
        "dispositions": [
            (line["sku"], line[name], word) for line in made["lines"] for name, word in words.items() if line[name]
        ],
    }


def _memo(credit: Row) -> Row:
    return {
        "number": credit["number"],
        "reference": credit["reference"],
        "state": "posted" if credit["posted"] else "draft",
        "total": str(-Decimal(credit["gross"])),
        "currency": credit["currency"],
    }


def _stock(row: Row) -> Row:
    places = row["by_location"].items()
    return {"by_warehouse": {name: {"available": level["free"]} for name, level in places}}


def _moment(local: str) -> str:
    return datetime.fromisoformat(local).replace(tzinfo=SERVER).astimezone(UTC).isoformat()

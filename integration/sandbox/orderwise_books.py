"""The oracle: everything the sandbox's OrderWise holds about orders, deliveries, stock, returns and credits, in plain words.

Amounts are strings with four decimals, quantities numbers, moments the server's local time.
"""

from collections import Counter
from typing import Any

from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_orders import Orders
from integration.sandbox.orderwise_sessions import Sessions
from integration.sandbox.orderwise_wire import Row, four, shown


def books(ledger: Ledger, orders: Orders, sessions: Sessions, requests: Counter[str]) -> Row:
    """`orders`, `deliveries`, `returns` and `credits` (lists in order of id), `stock` by SKU, `waiting` (references not
    imported yet), `emails` (failed imports), `log` (what OrderWise changed) and `requests` by operation.
    """
    found = ledger.rows("SELECT * FROM order_header LEFT JOIN order_status ON os_id = oh_os_id ORDER BY oh_id")
    return {
        "orders": [_order(ledger, row) for row in found],
        "deliveries": [_delivery(ledger, row) for row in ledger.rows("SELECT * FROM delivery_header ORDER BY dh_id")],
        "returns": [_return(ledger, row) for row in ledger.rows("SELECT * FROM return_header ORDER BY rh_id")],
        "credits": [_credit(ledger, row) for row in ledger.rows("SELECT * FROM credit_header ORDER BY ch_id")],
        "stock": _stock(ledger),
        "waiting": [form.number for session in sessions.all.values() for form, _ in session.waiting],
        "emails": list(sessions.emails),
        "log": list(orders.log),
        "requests": dict(requests),
    }


def _order(ledger: Ledger, row: Row) -> Row:
    id = row["oh_id"]
    lines = ledger.rows(
        "SELECT order_line_item.*, vad_variant_code FROM order_line_item JOIN variant_detail ON vad_id = oli_vad_id"
        " WHERE oli_oh_id = ? ORDER BY oli_item_number, oli_id",
        id,
    )
    dissurs = ledger.rows("SELECT * FROM order_dissur WHERE od_oh_id = ? ORDER BY od_id", id)
    payments = ledger.rows("SELECT * FROM order_payment WHERE op_oh_id = ? ORDER BY rowid", id)
    addresses = ledger.rows("SELECT * FROM order_address WHERE oad_oh_id = ? ORDER BY rowid", id)
    deliveries = ledger.rows("SELECT dh_id FROM delivery_header WHERE dh_oh_id = ? ORDER BY dh_id", id)
    return {
        "id": id,
        "number": row["oh_order_number"],
        "reference": row["oh_ecommerce_number"],
        "session": row["oh_session_id"],
        "type": row["oh_sot_id"],
        "status": row["os_description"],
        "complete": bool(row["oh_order_complete"]),
        "on_hold": bool(row["oh_on_hold"]),
        "customer": row["oh_cd_id"],
        "currency": row["oh_currency"],
        "delivery_method": row["oh_dm_id"],
        "order_date": row["oh_order_date"],
        "input_at": row["oh_input_datetime"],
        **{name: _text(row[f"oh_{name}"]) for name in ("gross", "net", "tax")},
        **{f"delivery_{name}": _text(row[f"oh_delivery_{name}"]) for name in ("gross", "net", "tax")},
        "delivery_tax_code": row["oh_delivery_tax_code"],
        "lines": [_line(line) for line in lines],
        "dissurs": [
            {
                "description": each["od_description"],
                "price": _text(each["od_price"]),
                "tax_code": each["od_tax_code"],
                "discount": bool(each["od_discount"]),
                "gross": bool(each["od_gross"]),
            }
            for each in dissurs
        ],
        "payments": [(each["op_pm_id"], _text(each["op_amount"])) for each in payments],
        "addresses": {
            each["oad_role"]: {key.removeprefix("oad_"): value for key, value in each.items()} for each in addresses
        },
        "deliveries": [each["dh_id"] for each in deliveries],
    }


def _line(line: Row) -> Row:
    """Amounts of one piece."""
    return {
        "id": line["oli_id"],
        "sku": line["vad_variant_code"],
        "quantity": shown(line["oli_qty_required"]),
        "sent": shown(line["oli_qty_sent"]),
        **{name: _text(line[f"oli_item_{name}"]) for name in ("net", "gross", "tax")},
        "tax_code": line["oli_tax_code"],
        "location": line["oli_sl_id"],
        "direct": bool(line["oli_direct"]),
    }


def _delivery(ledger: Ledger, row: Row) -> Row:
    lines = ledger.rows(
        "SELECT vad_variant_code, dli_qty_sent, oli_id FROM delivery_line_item JOIN order_line_item ON oli_id = dli_oli_id"
        " JOIN variant_detail ON vad_id = oli_vad_id WHERE dli_dh_id = ? ORDER BY delivery_line_item.rowid",
        row["dh_id"],
    )
    numbers = ledger.rows("SELECT * FROM delivery_consignment WHERE dc_dh_id = ? ORDER BY rowid", row["dh_id"])
    method = ledger.value("SELECT dm_description FROM delivery_method WHERE dm_id = ?", row["dh_dm_id"])
    return {
        "id": row["dh_id"],
        "number": row["dh_number"],
        "order": row["dh_oh_id"],
        "at": row["dh_datetime"],
        "method": method,
        "cancelled": bool(row["dh_cancelled"]),
        "tracking": [each["dc_consignment_number"] for each in numbers],
        "lines": [(each["vad_variant_code"], shown(each["dli_qty_sent"]), each["oli_id"]) for each in lines],
    }


def _return(ledger: Ledger, row: Row) -> Row:
    lines = ledger.rows(
        "SELECT return_line.*, vad_variant_code FROM return_line JOIN order_line_item ON oli_id = rl_oli_id"
        " JOIN variant_detail ON vad_id = oli_vad_id WHERE rl_rh_id = ? ORDER BY rl_id",
        row["rh_id"],
    )
    names = ("expected", "received", "restocked", "quarantined", "scrapped")
    return {
        "id": row["rh_id"],
        "number": row["rh_number"],
        "order": row["rh_oh_id"],
        "reference": row["rh_reference"],
        "status": row["rh_status"],
        "amended_at": row["rh_last_amended_datetime"],
        "lines": [
            {"sku": line["vad_variant_code"], "line": line["rl_oli_id"]}
            | {name: shown(line[f"rl_qty_{name}"]) for name in names}
            for line in lines
        ],
    }


def _credit(ledger: Ledger, row: Row) -> Row:
    lines = ledger.rows(
        "SELECT credit_line_item.*, vad_variant_code FROM credit_line_item LEFT JOIN variant_detail ON vad_id = crli_vad_id"
        " WHERE crli_ch_id = ? ORDER BY crli_id",
        row["ch_id"],
    )
    return {
        "id": row["ch_id"],
        "number": row["ch_number"],
        "order": row["ch_oh_id"],
        "reference": row["ch_reference"],
        "date": row["ch_date"],
        "posted": bool(row["ch_posted"]),
        "currency": row["ch_currency"],
        **{name: _text(row[f"ch_{name}"]) for name in ("net", "tax", "gross")},
        "lines": [
            {
                "sku": line["vad_variant_code"],
                "line": line["crli_oli_id"],
                "quantity": shown(line["crli_qty"]),
                "description": line["crli_description"],
                **{name: _text(line[f"crli_{name}"]) for name in ("net", "tax", "gross")},
            }
            for line in lines
        ],
    }


def _stock(ledger: Ledger) -> Row:
    """Over all locations, and in each by its name; a kit's own row is as old as its last calculation."""
    found: dict[str, Any] = {}
    for row in ledger.rows(
        "SELECT vad_variant_code, vasq_free_stock_quantity, sl_description, vsl_free_stock_quantity,"
        " vsl_overall_stock_quantity FROM variant_stock_location JOIN variant_detail ON vad_id = vsl_vad_id"
        " JOIN variant_stock_quantity ON vasq_vad_id = vad_id JOIN stock_location ON sl_id = vsl_sl_id ORDER BY vad_id, sl_id"
    ):
        free = shown(row["vasq_free_stock_quantity"])
        here = found.setdefault(row["vad_variant_code"], {"free": free, "in_stock": 0, "by_location": {}})
        overall = shown(row["vsl_overall_stock_quantity"])
        here["in_stock"] += overall
        here["by_location"][row["sl_description"]] = {
            "free": shown(row["vsl_free_stock_quantity"]),
            "in_stock": overall,
        }
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(four(value))

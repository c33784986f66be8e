"""The truth about a Centra for tests and people to hold against what others believe.

`book` is one order; amounts are `Decimal` in major units, except under `stock`, `shipments`, `returns`, `refunds`,
`captures` and `emails`, where they are integers of the currency's minor units.
"""

from typing import Any

from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_orders import Order, Payment
from integration.sandbox.centra_parcels import Mail, Return, Shipment, minor
from integration.sandbox.centra_stock import pieces_of
from integration.sandbox.currencies import DECIMALS

Words = dict[str, Any]


def book(order: Order, mails: list[Mail]) -> Words:
    """One order as it stands."""
    totals = order.totals
    return {
        "number": order.number,
        "id": order.id,
        "status": order.status,
        "on_hold": order.on_hold,
        "waiting_for_payment": order.waiting_for_payment,
        "locked": order.locked,
        "store_id": order.store.id,
        "market_id": order.market.id,
        "market": order.market.name,
        "country": order.country.code,
        "currency": order.currency,
        "tax_inclusive": order.store.tax_inclusive,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "email": order.customer.email,
        "shipping_option": order.shipping_option.uri,
        "payment": order.payment,
        "grand_total": order.grand_total,
        "adds_up": order.grand_total == totals.grand_total,
        "line_values": totals.line_values,
        "shipping": totals.shipping,
        "handling": totals.handling,
        "discounts": totals.discounts,
        "tax": totals.tax_added + totals.tax_included,
        "shipping_tax": totals.shipping_tax,
        "lines": _lines(order),
        "vouchers": [
            {"code": voucher.code, "type": voucher.type, "value": value}
            for (voucher, _), value in zip(order.vouchers, totals.applied, strict=True)
        ],
        "payments": [
            {"entry_type": entry.entry_type, "status": entry.status, "value": entry.value} for entry in order.payments
        ],
        "stock": _held(order),
        "shipments": [_shipment(order, shipment) for shipment in order.shipments],
        "returns": [_return(order, made) for made in order.returns],
        "refunds": [_moved(order, entry) for entry in _once(order, "REFUND")],
        "captures": [_moved(order, entry) for entry in _once(order, "CAPTURE")],
        "emails": [{"kind": m.kind, "at": m.at, "shipment": m.shipment, "return": m.return_id} for m in mails],
    }


def _lines(order: Order) -> list[Words]:
    return [
        {
            "id": line.id,
            "sku": line.good.sku,
            "quantity": line.quantity,
            "cancelled": line.cancelled,
            "unit_price": line.unit_price,
            "percent": line.percent,
            "gross": value.gross,
            "net": value.net,
            "tax": value.tax,
            "shipped": line.shipped,
            "returned": line.returned,
            "allocated": line.allocated,
        }
        for line, value in zip(order.lines, order.totals.lines, strict=True)
    ]


def ledger(orders: Orders) -> Words:
    """Everything at once: `stock` by SKU (see `Stock.book`), `orders` as placed (pieces by stocked SKU, cancelled ones left
    out), and all `shipments`, `returns`, `refunds`, `captures` and `emails`, each with its order's number.
    """
    found: Words = {"stock": orders.stock.book(), "orders": []}
    found |= {name: [] for name in ("shipments", "returns", "refunds", "captures", "emails")}
    for number, order in orders.by_number.items():
        units: dict[str, int] = {}
        for line in order.lines:
            for sku, quantity in pieces_of(line, line.quantity).items():
                units[sku] = units.get(sku, 0) + quantity
        found["orders"].append(
            {"number": number, "status": order.status, "created_at": order.created_at, "units": units}
        )
        found["shipments"] += [{"order": number, **_shipment(order, shipment)} for shipment in order.shipments]
        found["returns"] += [{"order": number, **_return(order, made)} for made in order.returns]
        found["refunds"] += [{"order": number, **_moved(order, entry)} for entry in _once(order, "REFUND")]
        found["captures"] += [{"order": number, **_moved(order, entry)} for entry in _once(order, "CAPTURE")]
    found["emails"] = [
        {"order": m.order_number, "kind": m.kind, "at": m.at, "shipment": m.shipment, "return": m.return_id}
        for m in orders.parcels.mails
    ]
    return found


def _held(order: Order) -> dict[str, dict[str, int]]:
    """What an order takes from stock: SKU to pieces allocated and pieces in demand."""
    found: dict[str, dict[str, int]] = {}
    for line in order.lines:
        for name, quantity in (("allocated", line.allocated), ("demand", line.demand)):
            for sku, pieces in pieces_of(line, quantity).items():
                held = found.setdefault(sku, {"allocated": 0, "demand": 0})
                held[name] += pieces
    return found


def _shipment(order: Order, shipment: Shipment) -> Words:
    digits, costs = DECIMALS[order.currency], shipment.costs
    return {
        "id": shipment.id,
        "number": shipment.number,
        "good_to_go": shipment.good_to_go,
        "paid": shipment.paid_at is not None,
        "captured": shipment.captured_at is not None,
        "shipped": shipment.shipped_at is not None,
        "created_at": shipment.created_at,
        "shipped_at": shipment.shipped_at,
        "carrier": shipment.carrier,
        "service": shipment.service,
        "tracking": shipment.tracking,
        "grand_total": minor(shipment.grand_total, digits),
        "captured_amount": minor(shipment.captured, digits),
        "shipping": minor(costs.shipping, digits),
        "handling": minor(costs.handling, digits),
        "discounts": -minor(costs.discounts, digits),
        "tax": minor(costs.tax, digits),
        "lines": [
            {
                "id": line.id,
                "line": line.order_line_id,
                "sku": line.sku,
                "quantity": line.quantity,
                "returned": line.returned,
                "value": minor(line.value, digits),
            }
            for line in shipment.lines
        ],
    }


def _return(order: Order, made: Return) -> Words:
    digits, costs = DECIMALS[order.currency], made.costs
    return {
        "id": made.id,
        "shipment": made.shipment.number,
        "status": "COMPLETED" if made.completed_at else "PENDING",
        "stock": made.stock,
        "returned_to_stock": made.returned_to_stock,
        "created_at": made.created_at,
        "completed_at": made.completed_at,
        "grand_total": minor(made.grand_total, digits),
        "goods": minor(made.goods, digits),
        "shipping": minor(costs.shipping, digits),
        "handling": minor(costs.handling, digits),
        "voucher": minor(costs.discounts, digits),
        "tax": minor(costs.tax, digits),
        "return_cost": minor(made.cost, digits),
        "lines": [
            {"id": line.id, "line": line.shipment_line.id, "sku": line.shipment_line.sku, "quantity": line.quantity}
            for line in made.lines
        ],
    }


def _moved(order: Order, entry: Payment) -> Words:
    """One capture or refund; `status` SUCCESS, PENDING or FAILED."""
    return {
        "id": entry.id,
        "at": entry.at,
        "amount": minor(entry.value, DECIMALS[order.currency]),
        "status": entry.status,
        "shipment": entry.shipment,
        "return": entry.return_id,
        "note": entry.note,
    }


def _once(order: Order, kind: str) -> list[Payment]:
    """A request and its outcome are one; the request tells how it ended."""
    return [p for p in order.payments if p.entry_type in (kind, f"{kind}_REQUEST") and p.follows is None]

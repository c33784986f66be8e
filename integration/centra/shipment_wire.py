"""Centra's shipments and our `ShownShipment`; a dispatch in Centra's words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from integration.centra.nodes import Amount, BadNode, Reading, Size, Total, load
from integration.domain.money import Money, MoneyError
from integration.domain.shipment import Dispatch, ShippedLine, ShownShipment

PENDING_CAPTURES = ("CAPTURE_REQUEST", "CAPTURE_PENDING")


class _OrderLine(Reading):
    id = fields.Integer(required=True, strict=True)
    productSize = fields.Nested(Size, required=True)


class _Line(Reading):
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(0, 1_000_000))
    orderLine = fields.Nested(_OrderLine, required=True)


class _Carrier(Reading):
    carrierName = fields.String(load_default="", allow_none=True)
    serviceName = fields.String(load_default="", allow_none=True)


class _Shipment(Reading):
    id = fields.Integer(required=True, strict=True)
    number = fields.String(required=True)
    isGoodToGo = fields.Boolean(required=True)
    isPaid = fields.Boolean(required=True)
    isCaptured = fields.Boolean(required=True)
    isShipped = fields.Boolean(required=True)
    numberOfPackages = fields.Integer(load_default=0, allow_none=True)
    trackingNumber = fields.String(load_default="", allow_none=True)
    carrierInformation = fields.Nested(_Carrier, load_default=None, allow_none=True)
    grandTotal = fields.Nested(Total, required=True)
    lines = fields.List(fields.Nested(_Line), required=True)


class _Entry(Reading):
    status = fields.String(load_default="", allow_none=True)
    entryType = fields.String(load_default="", allow_none=True)
    value = Amount(required=True)


class _Order(Reading):
    number = fields.Integer(required=True, strict=True)
    paymentHistory = fields.List(fields.Nested(_Entry), load_default=list)
    shipments = fields.List(fields.Nested(_Shipment), required=True)


_ORDER = _Order()


def read_shipments(node: Mapping[str, Any]) -> list[ShownShipment]:
    """The shipments of an order from a node of `queries/shipments.graphql`, in the order they were made.

    Raises `BadNode` naming the field that cannot be read.
    """
    told = load(_ORDER, node, "shipments of an order")
    made = sorted(told["shipments"], key=lambda shipment: shipment["id"])
    pending = _pending(made, told["paymentHistory"])
    return [_shown(shipment, str(told["number"]), shipment["id"] in pending) for shipment in made]


def _pending(made: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]) -> set[int]:
    """The ids of shipments whose capture is requested and not settled.

    The history does not say which shipment an entry is for, so a pending request goes by its amount: to one that shows no
    capture first, the oldest of them, else to the newest that shows one (unconfirmed which Centra does meanwhile).
    """
    waiting = Counter[Decimal](
        abs(entry["value"])
        for entry in history
        if entry["entryType"] in PENDING_CAPTURES and entry["status"] == "PENDING"
    )
    found = set()
    for shipment in sorted(made, key=lambda s: (s["isCaptured"], -s["id"] if s["isCaptured"] else s["id"])):
        amount = shipment["grandTotal"]["value"]
        if waiting[amount] > 0:
            waiting[amount] -= 1
            found.add(shipment["id"])
    return found


def _shown(told: Mapping[str, Any], order_number: str, pending: bool) -> ShownShipment:
    carrier = told["carrierInformation"] or {}
    try:
        total = Money.of(told["grandTotal"]["value"], told["grandTotal"]["currency"]["code"])
    except MoneyError as error:
        raise BadNode(str(error)) from error
    return ShownShipment(
        ref=str(told["id"]),
        number=told["number"],
        order_number=order_number,
        lines=tuple(
            ShippedLine(str(line["orderLine"]["id"]), line["orderLine"]["productSize"]["SKU"], line["quantity"])
            for line in told["lines"]
        ),
        good_to_go=told["isGoodToGo"],
        paid=told["isPaid"],
        captured=told["isCaptured"],
        capture_pending=pending,
        shipped=told["isShipped"],
        carrier=carrier.get("carrierName") or "",
        service=carrier.get("serviceName") or "",
        tracking=told["trackingNumber"] or "",
        packages=told["numberOfPackages"] or 0,
        total=total,
    )


def pieces(lines: Sequence[ShippedLine]) -> Counter[str]:
    """How many pieces of each order line: what two shipments of the same goods have in common."""
    found = Counter[str]()
    for line in lines:
        found[line.order_line] += line.quantity
    return found


def shipment_input(dispatch: Dispatch, order_id: str, *, paid: bool) -> dict[str, Any]:
    """A `ShipmentCreateInput`: ready to go, nothing captured, nothing told to the customer."""
    lines = [{"orderLine": {"id": int(id)}, "quantity": quantity} for id, quantity in pieces(dispatch.lines).items()]
    return {"order": {"id": order_id}, "lines": lines, "isGoodToGo": True} | ({"isPaid": True} if paid else {})


def tracking_numbers(dispatch: Dispatch) -> list[str]:
    """Every tracking number once, in the order of the parcels."""
    return list(dict.fromkeys(parcel.tracking for parcel in dispatch.parcels if parcel.tracking))

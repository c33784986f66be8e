"""Centra's returns and our `Return`.

Confirmed at centra.dev: `ReturnFilter` knows order numbers, a return has no stamp of its last change and its lines have
quantities. Unconfirmed: that `returnedToStock` is false until a return is completed, whatever its stock action is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from integration.centra.nodes import BadNode, Reading, Size, Total, load
from integration.domain.money import Money, MoneyError
from integration.domain.order import Key
from integration.domain.returns import Return, ReturnLine

COMPLETED = "COMPLETED"


class _OrderLine(Reading):
    id = fields.Integer(required=True, strict=True)
    productSize = fields.Nested(Size, required=True)


class _Line(Reading):
    id = fields.Integer(required=True, strict=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))
    orderLine = fields.Nested(_OrderLine, required=True)


class _Order(Reading):
    number = fields.Integer(required=True, strict=True)


class _Return(Reading):
    id = fields.Integer(required=True, strict=True)
    createdAt = fields.AwareDateTime(required=True, format="iso")
    returnStatus = fields.String(required=True)
    returnedToStock = fields.Boolean(load_default=None, allow_none=True)
    grandTotal = fields.Nested(Total, required=True)
    order = fields.Nested(_Order, required=True)
    lines = fields.List(fields.Nested(_Line), required=True)


_NODE = _Return()


def read_return(instance: str, node: Mapping[str, Any]) -> Return:
    """A return from a node of `queries/returns.graphql`. Raises `BadNode` naming the field that cannot be read."""
    told = load(_NODE, node, "return")
    completed = told["returnStatus"] == COMPLETED
    try:
        amount = Money.of(told["grandTotal"]["value"], told["grandTotal"]["currency"]["code"])
    except MoneyError as error:
        raise BadNode(str(error)) from error
    return Return(
        key=Key(instance, "return", str(told["id"])),
        order_number=str(told["order"]["number"]),
        lines=tuple(
            ReturnLine(
                id=str(line["id"]),
                order_line=str(line["orderLine"]["id"]),
                sku=line["orderLine"]["productSize"]["SKU"],
                quantity=line["quantity"],
            )
            for line in told["lines"]
        ),
        completed=completed,
        restocks=told["returnedToStock"] if completed else (told["returnedToStock"] or None),
        amount=amount,
        opened_at=told["createdAt"],
    )


def return_stamp(node: Mapping[str, Any]) -> str:
    """What tells that a return changed; Centra itself keeps no stamp of it."""
    restocked = node.get("returnedToStock")
    stock = "?" if restocked is None else "y" if restocked else "n"
    total = (node.get("grandTotal") or {}).get("value")
    refunds = refund_mark(node.get("refundPaymentHistory") or ())
    return f"{node.get('returnStatus') or ''} {stock} {total}{refunds}"[:80]


def refund_mark(history: Sequence[Mapping[str, Any]]) -> str:
    """What tells that refunds were added to a payment history or settled; empty for none."""
    refunds = [entry for entry in history if str(entry.get("entryType")).startswith("REFUND")]
    if not refunds:
        return ""
    open_ones = sum(entry.get("status") == "PENDING" for entry in refunds)
    return f" {len(refunds)}r{open_ones}p{max(int(entry.get('id') or 0) for entry in refunds)}"

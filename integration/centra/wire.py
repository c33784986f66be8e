"""Centra's order node and our `Order`: field names are Centra's, everything unconfirmed is decided here, once.

Unconfirmed (centra.dev publishes no schema): that `totals.discounts` is negative and equals the sum of
`discountsApplied`; that vouchers stand there and not in line values; that `shippingTaxIncluded` is shipping's tax in
tax-exclusive stores too. `domain.pricing` proves these per order: where they do not hold, the order is not posted.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate

from integration.centra.nodes import Amount, Code, Named, Percent, Reading, Size, Total, where
from integration.domain.money import Money, MoneyError, total
from integration.domain.order import Address, Discount, Key, Order, OrderLine, Payment
from integration.errors import Rejected
from integration.http import parse_json
from integration.ports import Taking

MAX_LINES = 2_000
ENDED = frozenset({"SHIPPED", "ARCHIVED", "CANCELLED", "DELETED"})
"""Statuses after which Centra changes nothing of an order that we must follow."""
CANCELLED = frozenset({"CANCELLED", "DELETED"})
"""The integration API says CANCELLED, the storefront schema DELETED: both are read (conflict in the public sources)."""


class BadOrder(ValueError):
    """An order node that cannot be read; the text names the field and holds no value of it."""


class _Place(Reading):
    firstName = fields.String(load_default="", allow_none=True)
    lastName = fields.String(load_default="", allow_none=True)
    companyName = fields.String(load_default="", allow_none=True)
    address1 = fields.String(load_default="", allow_none=True)
    address2 = fields.String(load_default="", allow_none=True)
    city = fields.String(load_default="", allow_none=True)
    zipCode = fields.String(load_default="", allow_none=True)
    stateOrProvince = fields.String(load_default="", allow_none=True)
    state = fields.Nested(Code, allow_none=True, load_default=None)
    country = fields.Nested(Code, allow_none=True, load_default=None)
    email = fields.String(load_default="", allow_none=True)
    phoneNumber = fields.String(load_default="", allow_none=True)


class _Line(Reading):
    id = fields.Integer(required=True, strict=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(0, 1_000_000))
    taxPercent = Percent(required=True, allow_none=True)
    productName = fields.String(load_default="", allow_none=True)
    productSize = fields.Nested(Size, required=True)
    net = Amount(required=True)
    gross = Amount(required=True)


class _Totals(Reading):
    shipping = Amount(allow_none=True, load_default=None)
    handling = Amount(allow_none=True, load_default=None)
    discounts = Amount(allow_none=True, load_default=None)
    taxIncluded = Amount(allow_none=True, load_default=None)
    taxAdded = Amount(allow_none=True, load_default=None)
    taxDeducted = Amount(allow_none=True, load_default=None)
    shippingTaxIncluded = Amount(allow_none=True, load_default=None)


class _Voucher(Reading):
    name = fields.String(load_default="", allow_none=True)
    code = fields.String(load_default="", allow_none=True)
    type = fields.String(load_default="", allow_none=True)


class _Discount(Reading):
    value = Amount(required=True)
    voucher = fields.Nested(_Voucher, load_default=None, allow_none=True)


class _Payment(Reading):
    entryType = fields.String(load_default="", allow_none=True)
    status = fields.String(load_default="", allow_none=True)
    externalReference = fields.String(load_default="", allow_none=True)
    value = Amount(required=True)


class _ShippingGroup(Reading):
    shippingOption = fields.Nested(Named, allow_none=True, load_default=None)


class _Method(Reading):
    plugin = fields.String(load_default="", allow_none=True)


class _Customer(Reading):
    email = fields.String(load_default="", allow_none=True)


class _Node(Reading):
    id = fields.String(required=True)
    number = fields.Integer(required=True, strict=True)
    status = fields.String(required=True)
    isOnHold = fields.Boolean(required=True)
    isWaitingForPayment = fields.Boolean(load_default=False, allow_none=True)
    isInternal = fields.Boolean(load_default=False, allow_none=True)
    createdAt = fields.AwareDateTime(required=True, format="iso")
    store = fields.Nested(Named, required=True)
    market = fields.Nested(Named, allow_none=True, load_default=None)
    grandTotal = fields.Nested(Total, required=True)
    totals = fields.Nested(_Totals, required=True)
    shippingPriceGroup = fields.Nested(_ShippingGroup, allow_none=True, load_default=None)
    paymentMethod = fields.Nested(_Method, allow_none=True, load_default=None)
    paymentHistory = fields.List(fields.Nested(_Payment), load_default=list)
    discountsApplied = fields.List(fields.Nested(_Discount), load_default=list)
    shippingAddress = fields.Nested(_Place, allow_none=True, load_default=None)
    billingAddress = fields.Nested(_Place, allow_none=True, load_default=None)
    lines = fields.List(fields.Nested(_Line), required=True, validate=validate.Length(max=MAX_LINES))
    customer = fields.Nested(_Customer, allow_none=True, load_default=None)


_NODE = _Node()
_TOTALS = tuple(_Totals().fields)


def read_order(instance: str, node: Mapping[str, Any]) -> Order:
    """An order from a node of `queries/orders.graphql`. Raises `BadOrder` naming the field that cannot be read."""
    try:
        told = _NODE.load(dict(node))
        return _order(instance, told)
    except ValidationError as error:
        raise BadOrder(f"the order node cannot be read at {where(error.messages)}") from error
    except MoneyError as error:
        raise BadOrder(str(error)) from error


class _Sold(Reading):
    number = fields.Integer(required=True, strict=True)
    status = fields.String(required=True)
    createdAt = fields.AwareDateTime(required=True, format="iso")
    store = fields.Nested(Named, required=True)
    market = fields.Nested(Named, allow_none=True, load_default=None)
    grandTotal = fields.Nested(Total, required=True)
    discountsApplied = fields.List(fields.Nested(_Discount), load_default=list)


_SOLD = _Sold()


def read_taking(node: Mapping[str, Any]) -> Taking:
    """A line of the night's books from a node of `queries/takings.graphql`. Raises `Rejected` (SCHEMA_CHANGE)."""
    try:
        told = _SOLD.load(dict(node))
        currency = told["grandTotal"]["currency"]["code"]
        total = Money.of(told["grandTotal"]["value"], currency)
        discounts = tuple(_discount(each, currency) for each in told["discountsApplied"])
    except (ValidationError, MoneyError) as error:
        place = where(error.messages) if isinstance(error, ValidationError) else str(error)
        raise Rejected("SCHEMA_CHANGE", "centra:takings", f"an order's total cannot be read at {place}") from error
    cancelled = told["status"] in CANCELLED
    return Taking(str(told["number"]), _market(told), total, cancelled, told["createdAt"], discounts)


def _market(told: Mapping[str, Any]) -> str:
    return f"{told['store']['name']} / {(told['market'] or {'name': '(no market)'})['name']}"


def _order(instance: str, told: dict[str, Any]) -> Order:
    currency = told["grandTotal"]["currency"]["code"]
    totals = {name: Money.of(value or 0, currency) for name, value in told["totals"].items()}
    lines = tuple(_line(line, currency) for line in told["lines"] if line["quantity"] > 0)
    zero = Money.zero(currency)
    totals = {name: totals.get(name, zero) for name in _TOTALS}
    grand_total = Money.of(told["grandTotal"]["value"], currency)
    option = (told["shippingPriceGroup"] or {}).get("shippingOption") or {"name": ""}
    return Order(
        key=Key(instance, "order", str(told["number"])),
        source_id=told["id"],
        status=told["status"],
        on_hold=told["isOnHold"],
        waiting_for_payment=bool(told["isWaitingForPayment"]),
        internal=bool(told["isInternal"]),
        placed_at=told["createdAt"],
        store=told["store"]["name"],
        market=_market(told),
        currency=currency,
        prices_include_tax=_includes_tax(totals, lines, grand_total),
        lines=lines,
        shipping=totals["shipping"],
        shipping_tax=totals["shippingTaxIncluded"],
        handling=totals["handling"],
        discounts=tuple(_discount(d, currency) for d in told["discountsApplied"]),
        discount_total=-totals["discounts"],
        tax=totals["taxIncluded"] + totals["taxAdded"] - totals["taxDeducted"],
        grand_total=grand_total,
        shipping_option=option["name"],
        payment_method=(told["paymentMethod"] or {}).get("plugin") or "",
        payments=tuple(_payment(p, currency) for p in told["paymentHistory"]),
        ship_to=_place(told["shippingAddress"]),
        bill_to=_place(told["billingAddress"] or told["shippingAddress"]),
        customer_email=(told["customer"] or {}).get("email") or "",
        ended=told["status"] in ENDED,
        cancelled=told["status"] in CANCELLED or not lines,
    )


def _includes_tax(totals: Mapping[str, Money], lines: Sequence[OrderLine], grand_total: Money) -> bool:
    """Whether the store's prices contain tax. No tax at all may mean that everything was given away: then the goods tell."""
    if totals["taxAdded"] or totals["taxIncluded"]:
        return not totals["taxAdded"]
    goods = grand_total - totals["discounts"] - totals["shipping"] - totals["handling"]
    return goods != total([line.net for line in lines], goods.currency)


def _line(line: dict[str, Any], currency: str) -> OrderLine:
    return OrderLine(
        id=str(line["id"]),
        sku=line["productSize"]["SKU"],
        name=line["productName"] or "",
        quantity=line["quantity"],
        tax_percent=line["taxPercent"] or Decimal(0),
        net=Money.of(line["net"], currency),
        gross=Money.of(line["gross"], currency),
    )


def _discount(row: dict[str, Any], currency: str) -> Discount:
    voucher = row["voucher"] or {}
    amount = Money.of(row["value"], currency)
    return Discount(voucher.get("code") or "", voucher.get("name") or "", voucher.get("type") or "(no type)", -amount)


def _payment(row: dict[str, Any], currency: str) -> Payment:
    return Payment(
        kind=row["entryType"] or "",
        method="",
        reference=row["externalReference"] or "",
        amount=Money.of(row["value"], currency),
        settled=row["status"] == "SUCCESS",
    )


def _place(told: dict[str, Any] | None) -> Address:
    if told is None:
        return Address()
    return Address(
        name=" ".join(part for part in (told["firstName"], told["lastName"]) if part),
        company=told["companyName"] or "",
        line1=told["address1"] or "",
        line2=told["address2"] or "",
        city=told["city"] or "",
        postcode=told["zipCode"] or "",
        state=(told["state"] or {}).get("code") or told["stateOrProvince"] or "",
        country=(told["country"] or {}).get("code") or "",
        email=told["email"] or "",
        phone=told["phoneNumber"] or "",
    )


def to_bytes(node: Mapping[str, Any]) -> bytes:
    """A node for the vault: JSON whose amounts are strings of exact digits. `from_bytes` gives it back."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":"), default=_as_digits).encode()


def _as_digits(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def from_bytes(content: bytes) -> dict[str, Any]:
    node = parse_json(content)
    if not isinstance(node, dict):
        raise BadOrder("the stored order is not an object")
    return node


STAMPS = ("updatedAt", "status", "isOnHold", "isWaitingForPayment", "isInternal", "paymentHistory")
"""What may change in an order without changing what the ERP must be told."""


def substance(node: Mapping[str, Any]) -> bytes:
    """The part of a node that an ERP would have to be told of: two nodes with equal substance need no edit."""
    kept = {name: value for name, value in node.items() if name not in STAMPS}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str).encode()


def instant(value: datetime) -> str:
    """How a DateTimeTz variable is written."""
    return value.isoformat(timespec="seconds")

"""Centra's payment history and our `Refund`.

Confirmed at centra.dev: the kinds of entry, and that a refund's entry belongs to the return that triggered it.
Unconfirmed, and decided here: that the outcome of a request is an entry of its own, of the same amount, method and
return, later than the request; the sign of a refund; that every refund of a return stands in its order's history too
(one that does not is counted all the same).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from marshmallow import fields, validate

from integration.centra.nodes import Amount, BadNode, Percent, Reading, Size, Total, load
from integration.domain.credit import FAILED, PENDING, SETTLED, Refund, RefundedLine
from integration.domain.money import Money, MoneyError, tax_rate
from integration.domain.order import Key

REQUEST = "REFUND_REQUEST"


class _Entry(Reading):
    id = fields.Integer(required=True, strict=True)
    createdAt = fields.AwareDateTime(required=True, format="iso")
    entryType = fields.String(required=True)
    status = fields.String(required=True)
    externalReference = fields.String(load_default="", allow_none=True)
    paymentMethod = fields.String(load_default="", allow_none=True)
    value = fields.Nested(Total, required=True)


class _Line(Reading):
    id = fields.Integer(required=True, strict=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(0, 1_000_000))
    taxPercent = Percent(required=True, allow_none=True)
    productSize = fields.Nested(Size, required=True)
    net = Amount(required=True)
    gross = Amount(required=True)


class _OrderTotals(Reading):
    taxAdded = Amount(allow_none=True, load_default=None)


class _Order(Reading):
    number = fields.Integer(required=True, strict=True)
    grandTotal = fields.Nested(Total, required=True)
    totals = fields.Nested(_OrderTotals, load_default=None, allow_none=True)
    lines = fields.List(fields.Nested(_Line), required=True)


class _ReturnTotals(Reading):
    shipping = Amount(allow_none=True, load_default=None)
    handling = Amount(allow_none=True, load_default=None)
    returnCost = Amount(allow_none=True, load_default=None)
    discounts = Amount(allow_none=True, load_default=None)
    taxAdded = Amount(allow_none=True, load_default=None)


class _OrderLineId(Reading):
    id = fields.Integer(required=True, strict=True)


class _ReturnLine(Reading):
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))
    orderLine = fields.Nested(_OrderLineId, required=True)


class _Return(Reading):
    id = fields.Integer(required=True, strict=True)
    totals = fields.Nested(_ReturnTotals, required=True)
    lines = fields.List(fields.Nested(_ReturnLine), required=True)


_ENTRY, _ORDER, _RETURN = _Entry(), _Order(), _Return()


@dataclass
class _Movement:
    """One refund as its entries tell it: the first entry names it, the last says what became of it."""

    first: dict[str, Any]
    last: dict[str, Any]
    return_id: int | None

    @property
    def life(self) -> str:
        if self.last["status"] == "FAILED" or self.last["entryType"] == "REFUND_FAILED":
            return FAILED
        return SETTLED if self.last["status"] == "SUCCESS" else PENDING

    @property
    def at(self) -> datetime:
        at: datetime = self.last["createdAt"]
        return at


@dataclass(frozen=True)
class _Parts:
    """What a return pays for, as `Refund` wants it."""

    lines: tuple[RefundedLine, ...]
    shipping: Money
    handling: Money
    fee: Money
    vouchers: Money


def read_refunds(instance: str, node: Mapping[str, Any], returns: Iterable[Mapping[str, Any]]) -> list[Refund]:
    """Every refund of an order, each once, oldest first, from the nodes of `queries/refunds.graphql`.

    Named by the order and the id of its first entry, so that it keeps its name when it settles. Raises `BadNode` naming
    the field that cannot be read.
    """
    order = load(_ORDER, node, "refunded order")
    sources = sorted(returns, key=lambda each: int(each["id"]))
    try:
        movements = _movements(_history(node.get("paymentHistory") or ()), sources)
        if not movements:
            return []
        parts = _parts_of(order, [load(_RETURN, source, "refunded return") for source in sources])
        return [_refund(instance, order, movement, movements, parts) for movement in movements]
    except MoneyError as error:
        raise BadNode(str(error)) from error


def _history(told: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """The entries about refunds, by id."""
    refunds = [each for each in told if str(each.get("entryType")).startswith("REFUND")]
    entries = [load(_ENTRY, each, "payment history") for each in refunds]
    return {entry["id"]: entry for entry in entries if entry["value"]["value"]}


def _movements(history: dict[int, dict[str, Any]], returns: Sequence[Mapping[str, Any]]) -> list[_Movement]:
    """Refunds from their entries: an outcome is joined to the oldest request it fits."""
    of_return: dict[int, int] = {}
    for told in returns:
        for id, entry in _history(told.get("refundPaymentHistory") or ()).items():
            same = id if id in history else _twin(entry, history, of_return)
            history.setdefault(same, entry)
            of_return[same] = int(told["id"])
    found: list[_Movement] = []
    for id, entry in sorted(history.items()):
        joined = next((each for each in found if _answers(entry, of_return.get(id), each)), None)
        if joined:
            joined.last = entry
        else:
            found.append(_Movement(entry, entry, of_return.get(id)))
    return found


def _twin(entry: Mapping[str, Any], history: Mapping[int, Mapping[str, Any]], taken: Mapping[int, int]) -> int:
    """The id under which the order's history has an entry of a return, if it has it under another id at all."""
    told = (entry["externalReference"], abs(entry["value"]["value"]), entry["entryType"])
    for id, each in history.items():
        known = (each["externalReference"], abs(each["value"]["value"]), each["entryType"])
        if told[0] and told == known and id not in taken:
            return id
    return int(entry["id"])


def _answers(entry: Mapping[str, Any], return_id: int | None, movement: _Movement) -> bool:
    """Whether an entry is the outcome of a request that has none yet."""
    asked = movement.first
    return (
        asked is movement.last
        and asked["entryType"] == REQUEST
        and entry["entryType"] != REQUEST
        and movement.return_id == return_id
        and entry["paymentMethod"] == asked["paymentMethod"]
        and abs(entry["value"]["value"]) == abs(asked["value"]["value"])
    )


def _refund(
    instance: str, order: dict[str, Any], movement: _Movement, all_of_it: Sequence[_Movement], parts: dict[int, _Parts]
) -> Refund:
    """The one living refund of a return carries the return's parts. Where there are several, none does: nobody says
    which of them paid for what, and the difference to the amount stays visible.
    """
    value, return_id = movement.first["value"], movement.return_id
    zero = Money.zero(order["grandTotal"]["currency"]["code"])
    amount = zero + Money.of(abs(value["value"]), value["currency"]["code"])
    alive = [each for each in all_of_it if each.return_id == return_id and each.life != FAILED]
    mine = parts.get(return_id) if return_id is not None and alive == [movement] else None
    if mine is None:
        mine = _Parts((), zero, zero, zero, zero)
    return Refund(
        key=Key(instance, "refund", f"{order['number']}-{movement.first['id']}"),
        order_number=str(order["number"]),
        return_number="" if return_id is None else str(return_id),
        at=movement.at,
        life=movement.life,
        amount=amount,
        lines=mine.lines,
        shipping=mine.shipping,
        handling=mine.handling,
        fee=mine.fee,
        vouchers=mine.vouchers,
        goodwill=amount if return_id is None else zero,
        method=movement.first["paymentMethod"] or "",
    )


def _parts_of(order: dict[str, Any], returns: Sequence[dict[str, Any]]) -> dict[int, _Parts]:
    """The parts of every return of an order, by return. Pieces of one line are shared out in the order of the returns, so
    that all its pieces together are worth exactly the line.
    """
    currency = order["grandTotal"]["currency"]["code"]
    sold = {line["id"]: line for line in order["lines"]}
    back = Counter[int]()
    exclusive = bool((order["totals"] or {}).get("taxAdded"))
    found = {}
    for made in returns:
        lines = []
        for line in made["lines"]:
            id = line["orderLine"]["id"]
            if id not in sold:
                raise BadNode(f"return {made['id']} names an order line that the order has not")
            lines.append(_returned(sold[id], back[id], line["quantity"], currency))
            back[id] += line["quantity"]
        found[made["id"]] = _closed(made["totals"], lines, currency, exclusive=exclusive)
    return found


def _returned(line: dict[str, Any], before: int, quantity: int, currency: str) -> RefundedLine:
    def share(value: Decimal) -> Money:
        return _first(Money.of(value, currency), before + quantity, line) - _first(
            Money.of(value, currency), before, line
        )

    return RefundedLine(
        order_line=str(line["id"]),
        sku=line["productSize"]["SKU"],
        quantity=quantity,
        tax_percent=line["taxPercent"] or Decimal(0),
        net=share(line["net"]),
        gross=share(line["gross"]),
    )


def _first(value: Money, pieces: int, line: dict[str, Any]) -> Money:
    """What the first pieces of a line are worth."""
    whole: int = line["quantity"]
    some = min(pieces, whole)
    return value.allocate([some, whole - some])[0] if whole else Money.zero(value.currency)


def _closed(totals: dict[str, Any], lines: list[RefundedLine], currency: str, *, exclusive: bool) -> _Parts:
    """A return's parts with their tax. Where prices exclude tax, Centra's total of it is spread by what each part bears;
    shipping and handling at the highest rate among the lines, for Centra does not say theirs.
    """
    told = {name: Money.of(value or 0, currency) for name, value in totals.items()}
    shipping, handling = told["shipping"], told["handling"]
    fee, vouchers = (-each if each.minor < 0 else each for each in (told["returnCost"], told["discounts"]))
    if exclusive:
        rates = [tax_rate(line.tax_percent) for line in lines]
        highest = max(rates, default=Fraction(0))
        weights = [line.net.minor * rate for line, rate in zip(lines, rates, strict=True)]
        weights += [shipping.minor * highest, handling.minor * highest]
        if any(weights):
            *taxes, carriage, service = told["taxAdded"].allocate(weights)
            lines = [_taxed(line, tax) for line, tax in zip(lines, taxes, strict=True)]
            shipping, handling = shipping + carriage, handling + service
    return _Parts(tuple(lines), shipping, handling, fee, vouchers)


def _taxed(line: RefundedLine, tax: Money) -> RefundedLine:
    return RefundedLine(line.order_line, line.sku, line.quantity, line.tax_percent, line.net, line.net + tax)

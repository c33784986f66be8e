"""Money going back: a refund of the storefront, what may be refunded at all, and what a credit memo must say.

Amounts are what the customer sees, tax included, and positive. Nothing here knows of goods: a return is another document.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from integration.domain.money import Money, total
from integration.domain.order import Key, Order

SETTLED, PENDING, FAILED = "settled", "pending", "failed"


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """Goods of a refund: whole pieces of an order line and their final values, all positive."""

    order_line: str
    sku: str
    quantity: int
    tax_percent: Decimal
    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that the storefront paid back, positive. `life`: settled, pending, failed.

    `lines`, `shipping`, `handling`, less `fee` (kept by the shop) and `vouchers` (given back as vouchers), add up to
    `amount` for the refund of a return; an amount without a return is `goodwill`: no lines, never "all lines".
    """

    key: Key
    order_number: str
    return_number: str
    at: datetime
    life: str
    amount: Money
    lines: tuple[RefundedLine, ...]
    shipping: Money
    handling: Money
    fee: Money
    vouchers: Money
    goodwill: Money
    method: str


CAPTURES = ("CAPTURE", "CAPTURE_REQUEST")
"""The entries of a payment history that took money: some providers are asked first. Whether a request that succeeded has a
capture beside it is unconfirmed, so the larger sum of the two kinds counts.
"""


def captured(order: Order) -> Money:
    """The money that the provider has taken for an order."""
    sums = [[p.amount for p in order.payments if p.kind == kind and p.settled] for kind in CAPTURES]
    return max((total(amounts, order.currency) for amounts in sums), key=lambda taken: taken.minor)


def components(refund: Refund) -> list[tuple[str, Money]]:
    """The parts of a refund by name, signed as they count; what is zero is left out."""
    parts = [(f"{line.quantity} × {line.sku}", line.gross) for line in refund.lines]
    parts += [("shipping", refund.shipping), ("handling", refund.handling), ("goodwill", refund.goodwill)]
    parts += [("return fee", -refund.fee), ("given back as vouchers", -refund.vouchers)]
    return [(name, amount) for name, amount in parts if amount]


def arithmetic(refund: Refund) -> str:
    """The sum of the parts in words where it is not the amount paid back; empty where it is."""
    parts = components(refund)
    found = total([amount for _, amount in parts], refund.amount.currency)
    if found == refund.amount:
        return ""
    shown = ", ".join(f"{name} {amount}" for name, amount in parts) or "no parts at all"
    return f"{shown}: together {found}, and {refund.amount} was paid back"


def in_words(refund: Refund) -> str:
    """What a person would key to book a refund: every part with its net, its tax rate and its total."""
    told = [
        f"{line.quantity} × {line.sku} (order line {line.order_line}): {line.gross} at {line.tax_percent.normalize():f} %, "
        f"net {line.net}"
        for line in refund.lines
    ]
    goods = {f"{line.quantity} × {line.sku}" for line in refund.lines}
    told += [f"{name} {amount}" for name, amount in components(refund) if name not in goods]
    return f"{'; '.join(told) or 'nothing'}; total {refund.amount}"


def excess(refund: Refund, known: Iterable[Refund], order: Order, taken: Money) -> str:
    """Why this refund, with those before it, is more than may be paid back; empty where it is not.

    `known` are all refunds of the order, `taken` the money taken for it. What failed does not count; what is pending does,
    for it may still settle.
    """
    counting = sorted((r for r in known if r.life != FAILED), key=lambda r: (r.at, r.key.number))
    upto = [r for r in counting if (r.at, r.key.number) <= (refund.at, refund.key.number)]
    paid_back = total([r.amount for r in upto], order.currency)
    if paid_back.minor > taken.minor:
        return f"{paid_back} has been refunded in {len(upto)} refund(s), {taken} was captured"
    twice = [r.key.number for r in upto if refund.return_number and r.return_number == refund.return_number]
    if len(twice) > 1:
        return f"return {refund.return_number} was refunded {len(twice)} times: refunds {', '.join(twice)}"
    return _over_a_line(upto, order) or _over_a_charge(upto, order)


def _over_a_line(upto: Sequence[Refund], order: Order) -> str:
    """By the side of the price that the shop shows: where that is net, tax is rounded per document and not per line."""
    sold = {line.id: line for line in order.lines}
    side = "gross" if order.prices_include_tax else "net"
    for id in sorted({line.order_line for r in upto for line in r.lines}):
        back = [line for r in upto for line in r.lines if line.order_line == id]
        quantity, value = (
            sum(line.quantity for line in back),
            total([getattr(line, side) for line in back], order.currency),
        )
        line = sold.get(id)
        if line is None:
            return f"order line {id} ({back[0].sku}) was refunded and is not in the order"
        if quantity > line.quantity:
            return f"{quantity} × {line.sku} of order line {id} were refunded, {line.quantity} were sold"
        if value.minor > getattr(line, side).minor:
            return f"{value} of order line {id} ({line.sku}) was refunded, it was sold for {getattr(line, side)}"
    return ""


def _over_a_charge(upto: Sequence[Refund], order: Order) -> str:
    """Shipping, handling and vouchers: at most what the order has of each, with its tax where prices exclude it."""
    most = {"shipping": order.shipping, "handling": order.handling, "vouchers": order.discount_total}
    if not order.prices_include_tax:
        most |= {"shipping": order.shipping + order.shipping_tax, "handling": order.handling + order.tax}
    for name, limit in most.items():
        back = total([getattr(r, name) for r in upto], order.currency)
        if back.minor > limit.minor:
            return f"{back} of {name} was refunded, the order has {limit}"
    return ""

"""A refund as the rows of a credit memo: exact to the minor unit, and told apart again when the memo is read back.

A credit memo is an `account.invoice` of type "out" with negative quantities (Tryton 4.0). Goods are known by their product,
everything else by a word in `note` ("shipping", "handling", "goodwill", "fee", "vouchers"), or by the description where a
person keyed the memo. What the storefront took off for order-wide vouchers is put back where the sales order has it: inside
the prices of goods and shipping, by the same kinds, so the memo takes back what was booked. Only a voucher that paid is a
row of its own, without tax: the customer gets it back as a voucher and not as money.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from integration.domain.credit import Refund
from integration.domain.money import Money, MoneyError, tax_rate, total, unit_prices
from integration.domain.order import Order
from integration.domain.pricing import SHIPPING, TENDER
from integration.domain.proof import Value
from integration.errors import Rejected
from mappings import Mapping as Mapped

TITLES = {
    "shipping": "Shipping",
    "handling": "Handling",
    "goodwill": "Goodwill",
    "fee": "Return fee",
    "vouchers": "Given back as a voucher",
}
_WORDS = {title.casefold(): word for word, title in TITLES.items()}
GOODS = "goods"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a memo; `net` and `tax` positive where money goes back, negative where it is kept. No percent: no tax."""

    note: str
    component: str
    order_line: str
    sku: str
    title: str
    quantity: int
    percent: Decimal | None
    net: Money
    tax: Money


def parts_of(refund: Refund, order: Order, mapping: Mapped) -> list[Part]:
    """The parts, which add up to the refund. Raises `Unmapped`; `Rejected` (CREDIT_MISMATCH) where they do not add up."""
    try:
        parts = _parts(refund, order, mapping)
    except MoneyError as error:
        raise Rejected("CREDIT_MISMATCH", "centra:refund parts", str(error)) from error
    found = total([part.net + part.tax for part in parts], refund.amount.currency)
    if found != refund.amount:
        named = ", ".join(f"{part.note} {part.net.decimal}+{part.tax.decimal}" for part in parts) or "nothing"
        message = f"parts of the refund ({named}) sum to {found}, {refund.amount} was paid back"
        raise Rejected("CREDIT_MISMATCH", "centra:refund parts", message)
    return parts


def _parts(refund: Refund, order: Order, mapping: Mapped) -> list[Part]:
    country = order.ship_to.country
    goods, shipping, paid = _vouchers(refund, order, mapping)
    titles = {line.id: line.name for line in order.lines}
    parts = [
        Part(
            note=f"order line {line.order_line}",
            component=GOODS,
            order_line=line.order_line,
            sku=line.sku,
            title=titles.get(line.order_line, line.sku),
            quantity=line.quantity,
            percent=line.tax_percent,
            net=line.net,
            tax=line.gross - line.net,
        )
        for line in refund.lines
    ]
    if goods:
        lowered = goods.allocate([max(0, line.gross.minor) for line in refund.lines])
        parts = [_lowered(part, share) for part, share in zip(parts, lowered, strict=True)]
    if refund.shipping - shipping:
        parts.append(_shipping(refund.shipping - shipping, shipping, order, mapping.charge_percent(country)))
    charges = {"handling": refund.handling, "fee": -refund.fee}
    parts += [_charge(name, gross, mapping.charge_percent(country)) for name, gross in charges.items() if gross]
    if refund.goodwill:
        parts.append(_charge("goodwill", refund.goodwill, mapping.goodwill_percent(country)))
    if paid:
        parts.append(_charge("vouchers", -paid, None))
    return parts


def _vouchers(refund: Refund, order: Order, mapping: Mapped) -> tuple[Money, Money, Money]:
    """What the refund lost to vouchers, as the order has them: off goods, off shipping, and given back as vouchers.

    The storefront tells one sum; it is divided by the order's own vouchers, in proportion. An order without any has paid
    with none, so what it is given back as a voucher is new credit.
    """
    nothing = Money.zero(refund.amount.currency)
    kinds = [(mapping.voucher_kind(discount.type), discount.amount.minor) for discount in order.discounts]
    kinds = [(kind, weight) for kind, weight in kinds if weight and (kind != SHIPPING or refund.shipping)]
    if not refund.vouchers or not kinds:
        return nothing, nothing, refund.vouchers
    shares = refund.vouchers.allocate([weight for _, weight in kinds])
    by_kind: dict[str, Money] = {}
    for (kind, _), share in zip(kinds, shares, strict=True):
        by_kind[kind] = by_kind.get(kind, nothing) + share
    shipping = min(by_kind.get(SHIPPING, nothing), refund.shipping, key=lambda amount: amount.minor)
    paid = by_kind.get(TENDER, nothing)
    return refund.vouchers - shipping - paid, shipping, paid


def _lowered(part: Part, share: Money) -> Part:
    """A part whose gross is less by `share`; its tax follows by its rate."""
    if not share:
        return part
    gross = part.net + part.tax - share
    net = _net(gross, part.percent)
    return replace(part, net=net, tax=gross - net)


def _charge(name: str, gross: Money, percent: Decimal | None) -> Part:
    net = _net(gross, percent)
    return Part(name, name, "", "", TITLES[name], 1, percent, net, gross - net)


def _shipping(gross: Money, lowered: Money, order: Order, percent: Decimal) -> Part:
    """Shipping with the very tax that the sale had on it, in proportion; by its rate where a voucher had lowered it."""
    part = _charge("shipping", gross, percent)
    whole = order.shipping if order.prices_include_tax else order.shipping + order.shipping_tax
    if lowered or not whole:
        return part
    tax = order.shipping_tax.share(Fraction(gross.minor, whole.minor))
    return replace(part, net=gross - tax, tax=tax)


def _net(gross: Money, percent: Decimal | None) -> Money:
    return gross if percent is None else gross.share(1 / (1 + tax_rate(percent)) if percent else Fraction(1))


def rows_of(parts: Iterable[Part], order: Order, mapping: Mapped) -> list[dict[str, object]]:
    """The memo's rows, signed as an invoice: what goes back has a negative quantity, what is kept a positive one."""
    decimals = int(str(mapping.options["unit_price_decimals"]))
    return [row for part in parts for row in _rows(part, order.ship_to.country, mapping, decimals)]


def _rows(part: Part, country: str, mapping: Mapped, decimals: int) -> list[dict[str, object]]:
    """One row, or two at neighbouring prices where no single one gives the net exactly."""
    sign = 1 if (part.net + part.tax).minor < 0 else -1
    net, tax = (part.net, part.tax) if sign < 0 else (-part.net, -part.tax)
    prices = unit_prices(net, part.quantity, decimals)
    amounts = [Money.of(price * quantity, net.currency) for quantity, price in prices]
    taxes = tax.allocate([amount.minor for amount in amounts] if net else [1] + [0] * (len(prices) - 1))
    return [
        {
            "note": part.note,
            "component": part.component,
            "order_line": part.order_line,
            "sku": part.sku,
            "description": part.title,
            "quantity": sign * quantity,
            "unit_price": price,
            "amount": sign * amount.decimal,
            "tax_amount": sign * share.decimal,
            "tax": _tax(part.percent, country, mapping),
        }
        for (quantity, price), amount, share in zip(prices, amounts, taxes, strict=True)
    ]


def _tax(percent: Decimal | None, country: str, mapping: Mapped) -> dict[str, object] | None:
    if percent is None:
        return None
    return {"name": mapping.tax_name(country, percent), "rate": percent / 100}


def our_components(rows: Sequence[Mapping[str, Any]], currency: str) -> dict[str, Value]:
    """What the read-back must show, amounts positive where money goes back."""
    untaxed = total([Money.of(row["amount"], currency) for row in rows], currency)
    tax = total([Money.of(row["tax_amount"], currency) for row in rows], currency)
    found = _components(((row["sku"], row["note"], row["quantity"], row["amount"]) for row in rows), currency)
    return found | {"untaxed": -untaxed, "tax": -tax, "total": -(untaxed + tax)}


def their_components(memo: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    """The same components from an invoice and its lines."""
    currency = str(memo["currency.code"])
    told = ((row["product.code"], _word_of(row), row["quantity"], row["amount"]) for row in lines)
    return _components(told, currency) | {
        name: -Money.of(memo[f"{name}_amount"], currency) for name in ("untaxed", "tax", "total")
    }


def _word_of(row: Mapping[str, Any]) -> str:
    """Which part without goods a line is."""
    told = (str(row["note"] or ""), _WORDS.get(str(row["description"] or "").casefold(), ""))
    return next((word for word in told if word in TITLES), f"(row {row['id']})")


def _components(rows: Iterable[tuple[Any, str, Any, Any]], currency: str) -> dict[str, Value]:
    """Of rows (SKU, word, signed quantity, signed amount): pieces and net by SKU, net by word."""
    pieces: dict[str, Decimal] = {}
    nets: dict[str, Money] = {}
    for sku, word, quantity, amount in rows:
        name = f"line {sku}" if sku else word
        nets[name] = nets.get(name, Money.zero(currency)) - Money.of(amount, currency)
        if sku:
            pieces[name] = pieces.get(name, Decimal(0)) - Decimal(str(quantity))
    found: dict[str, Value] = {"currency": currency}
    found |= {f"{name} quantity": int(n) if n == n.to_integral_value() else str(n) for name, n in pieces.items()}
    return found | {f"{name} net": net for name, net in nets.items()}

"""Carry every order-level discount into the parts it belongs to, without changing a total.

The storefront publishes lines before vouchers, vouchers as totals, and one total of tax. An ERP line wants a net price
after every discount. `price()` moves each voucher into lines or shipping by largest remainder and distributes exactly
the storefront's own tax; no part is invented to make a sum come out. Where the storefront's values contradict each
other beyond rounding, `Inconsistent` shows the arithmetic.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from integration.domain.money import Money, MoneyError, tax_rate, total
from integration.domain.order import Discount, Order

GOODS, SHIPPING, TENDER = "goods", "shipping", "tender"
KINDS = (GOODS, SHIPPING, TENDER)
"""What a voucher does: lowers goods, lowers shipping, or pays (and so changes neither price nor tax)."""


class Inconsistent(ValueError):
    """The storefront's own values do not add up; the text is the arithmetic and holds no personal data."""

    def __init__(self, arithmetic: str, residual: Money) -> None:
        super().__init__(arithmetic)
        self.residual = residual


@dataclass(frozen=True, slots=True)
class Part:
    """A priced part of an order: a line, shipping or handling, after discounts."""

    id: str
    sku: str
    name: str
    quantity: int
    tax_percent: object
    net: Money
    tax: Money
    discount: Money


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """Parts that sum to the order: `sum(net + tax) == total`, and `total - tenders == the storefront's grand total`."""

    order: Order
    lines: tuple[Part, ...]
    shipping: Part | None
    handling: Part | None
    discounts: tuple[tuple[Discount, str], ...]
    tenders: tuple[Discount, ...]
    total: Money

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.lines, *(p for p in (self.shipping, self.handling) if p))

    @property
    def untaxed(self) -> Money:
        return total([p.net for p in self.parts], self.order.currency)

    @property
    def tax(self) -> Money:
        return total([p.tax for p in self.parts], self.order.currency)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A part on its way: `base` as displayed (gross where prices include tax), `tax` the storefront's, if it said."""

    part: Part
    base: Money
    tax: Money | None


def price(order: Order, kinds: dict[str, str], charge_percent: object) -> PricedOrder:
    """Price an order. `kinds` maps each discount's type to one of `KINDS`; `charge_percent` taxes shipping, handling.

    Raises `Inconsistent` when the values contradict each other, `KeyError` for a type that `kinds` does not know.
    """
    sorted_discounts = tuple((d, kinds[d.type]) for d in order.discounts)
    _check_discounts(order)
    lines = [_line_draft(order, i) for i in range(len(order.lines))]
    shipping = _charge_draft("shipping", order.shipping, order.shipping_tax, charge_percent)
    handling = _charge_draft("handling", order.handling, None, charge_percent)
    for discount, kind in sorted_discounts:
        if kind == GOODS:
            lines = _spread(discount.amount, lines, discount)
        elif kind == SHIPPING and (shipping or discount.amount):
            if shipping is None:
                raise Inconsistent(f"a shipping discount of {discount.amount} without shipping", discount.amount)
            (shipping,) = _spread(discount.amount, [shipping], discount)
    drafts = [*lines, *(d for d in (shipping, handling) if d)]
    parts = _with_tax(order, drafts)
    tenders = tuple(d for d, kind in sorted_discounts if kind == TENDER)
    payable = order.grand_total + total([t.amount for t in tenders], order.currency)
    return _closed(
        PricedOrder(
            order=order,
            lines=tuple(parts[: len(lines)]),
            shipping=parts[len(lines)] if shipping else None,
            handling=parts[-1] if handling else None,
            discounts=sorted_discounts,
            tenders=tenders,
            total=payable,
        )
    )


def _check_discounts(order: Order) -> None:
    named = total([d.amount for d in order.discounts], order.currency)
    if named != order.discount_total:
        raise Inconsistent(
            f"vouchers sum to {named}, the order's discount total is {order.discount_total}",
            named - order.discount_total,
        )


def _line_draft(order: Order, i: int) -> _Draft:
    line = order.lines[i]
    nothing = Money.zero(order.currency)
    part = Part(line.id, line.sku, line.name, line.quantity, line.tax_percent, nothing, nothing, nothing)
    return _Draft(part, line.gross if order.prices_include_tax else line.net, line.tax)


def _charge_draft(name: str, base: Money, tax: Money | None, percent: object) -> _Draft | None:
    if not base:
        return None
    nothing = Money.zero(base.currency)
    return _Draft(Part(name, "", name, 1, percent, nothing, nothing, nothing), base, tax)


def _spread(amount: Money, drafts: list[_Draft], discount: Discount) -> list[_Draft]:
    """Lower the drafts by a discount, in proportion to what they still cost."""
    try:
        shares = amount.allocate([max(0, d.base.minor) for d in drafts])
    except MoneyError as error:
        raise Inconsistent(f"voucher {discount.type} of {amount} on goods of no value", amount) from error
    lowered = []
    for draft, share in zip(drafts, shares, strict=True):
        if share.minor > draft.base.minor:
            raise Inconsistent(f"voucher {discount.type} takes {share} from a part of {draft.base}", share - draft.base)
        part = replace(draft.part, discount=draft.part.discount + share)
        lowered.append(_Draft(part, draft.base - share, None if share else draft.tax))
    return lowered


def _expected_tax(order: Order, draft: _Draft) -> Fraction:
    """The exact tax of a part in minor units, by its rate."""
    rate = tax_rate(draft.part.tax_percent)
    return draft.base.minor * (rate / (1 + rate) if order.prices_include_tax else rate)


def _with_tax(order: Order, drafts: list[_Draft]) -> list[Part]:
    """Give every part its tax: the storefront's own where it stands, the rest of its total by largest remainder."""
    nothing = Money.zero(order.currency)
    open_ones = [d for d in drafts if d.tax is None]
    rest = order.tax - total([d.tax for d in drafts if d.tax is not None], order.currency)
    exact = [_expected_tax(order, d) for d in open_ones]
    if abs(rest.minor - sum(exact, Fraction(0))) > Fraction(len(open_ones) + 1, 2) or (not open_ones and rest):
        raise Inconsistent(
            f"tax of the parts is {order.tax - rest} plus {float(sum(exact)):.1f} minor units expected on "
            f"{len(open_ones)} discounted part(s), the order's tax is {order.tax}",
            rest,
        )
    shares = iter(rest.allocate(exact) if any(exact) else [rest, *(nothing for _ in exact[1:])] if exact else [])
    parts = []
    for draft in drafts:
        tax = next(shares) if draft.tax is None else draft.tax
        net = draft.base - tax if order.prices_include_tax else draft.base
        parts.append(replace(draft.part, net=net, tax=tax))
    return parts


def _closed(priced: PricedOrder) -> PricedOrder:
    """The priced order, once its parts are known to sum to the storefront's total."""
    found = priced.untaxed + priced.tax
    if found != priced.total:
        named = ", ".join(f"{p.id} {p.net.decimal}+{p.tax.decimal}" for p in priced.parts)
        raise Inconsistent(
            f"parts ({named}) sum to {found}, the order says {priced.total} "
            f"(grand total {priced.order.grand_total} and {len(priced.tenders)} tender(s))",
            found - priced.total,
        )
    return priced

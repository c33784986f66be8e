"""Carry every order-level discount into the parts it belongs to, without changing a total.

The storefront publishes lines before vouchers, vouchers as totals, and one total of tax. An ERP line wants a net price
after every discount. `price()` moves each voucher into lines or shipping by largest remainder and distributes exactly
the storefront's own tax; no part is invented to make a sum come out. A voucher that an ERP is to show stays beside the
parts, which then cost what they did before it. Where the storefront's values contradict each other beyond rounding,
`Inconsistent` shows the arithmetic.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from integration.domain.money import Money, MoneyError, digits, tax_rate, total
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
class Reduction:
    """What a discount beside the parts, the order's at `place`, takes off all that is taxed at one rate; taxed at that rate."""

    place: int
    tax_percent: Decimal
    net: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """Parts that, less the `reductions` beside them, sum to the order: `untaxed + tax == total`, and
    `total - tenders == the storefront's grand total`.
    """

    order: Order
    lines: tuple[Part, ...]
    shipping: Part | None
    handling: Part | None
    discounts: tuple[tuple[Discount, str], ...]
    tenders: tuple[Discount, ...]
    total: Money
    reductions: tuple[Reduction, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.lines, *(p for p in (self.shipping, self.handling) if p))

    @property
    def untaxed(self) -> Money:
        currency = self.order.currency
        return total([p.net for p in self.parts], currency) - total([r.net for r in self.reductions], currency)

    @property
    def tax(self) -> Money:
        currency = self.order.currency
        return total([p.tax for p in self.parts], currency) - total([r.tax for r in self.reductions], currency)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A part on its way: `base` as displayed (gross where prices include tax), `tax` the storefront's, if it said; `shown` when
    a discount beside it is on it.
    """

    part: Part
    base: Money
    tax: Money | None
    shown: bool = False


def price(order: Order, kinds: dict[str, str], charge_percent: object, *, beside: Collection[int] = ()) -> PricedOrder:
    """Price an order. `kinds` maps each discount's type to one of `KINDS`; `charge_percent` taxes shipping, handling. The
    discounts at the places `beside` lower no part: they become `reductions`.

    Raises `Inconsistent` when the values contradict each other, `KeyError` for a type that `kinds` does not know.
    """
    sorted_discounts = tuple((d, kinds[d.type]) for d in order.discounts)
    _check_discounts(order)
    lines = [_line_draft(order, i) for i in range(len(order.lines))]
    shipping = _charge_draft("shipping", order.shipping, order.shipping_tax, charge_percent)
    handling = _charge_draft("handling", order.handling, None, charge_percent)
    reductions: list[Reduction] = []
    for place, (discount, kind) in enumerate(sorted_discounts):
        if kind == SHIPPING and discount.amount and shipping is None:
            raise Inconsistent(f"a shipping discount of {discount.amount} without shipping", discount.amount)
        lowered = {GOODS: lines, SHIPPING: [shipping] if shipping else []}.get(kind, [])
        if place in beside:
            reductions += _reductions(place, lowered, _shares(lowered, discount), order)
            lowered = [replace(draft, shown=True) for draft in lowered]
        elif lowered:
            lowered = _spread(lowered, discount)
        if kind == GOODS:
            lines = lowered
        elif kind == SHIPPING and shipping:
            (shipping,) = lowered
    drafts = [*lines, *(d for d in (shipping, handling) if d)]
    parts = _with_tax(order, drafts, reductions)
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
            reductions=tuple(reductions),
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


def _shares(drafts: Sequence[_Draft], discount: Discount) -> Sequence[Money]:
    """What a discount takes off each draft, in proportion to what they still cost."""
    amount = discount.amount
    try:
        shares = amount.allocate([max(0, d.base.minor) for d in drafts])
    except MoneyError as error:
        raise Inconsistent(f"voucher {discount.type} of {amount} on goods of no value", amount) from error
    for draft, share in zip(drafts, shares, strict=True):
        if share.minor > draft.base.minor:
            raise Inconsistent(f"voucher {discount.type} takes {share} from a part of {draft.base}", share - draft.base)
    return shares


def _spread(drafts: Sequence[_Draft], discount: Discount) -> list[_Draft]:
    """The drafts, lowered by a discount."""
    lowered = []
    for draft, share in zip(drafts, _shares(drafts, discount), strict=True):
        part = replace(draft.part, discount=draft.part.discount + share)
        lowered.append(replace(draft, part=part, base=draft.base - share, tax=None if share else draft.tax))
    return lowered


def _reductions(place: int, drafts: Sequence[_Draft], shares: Sequence[Money], order: Order) -> list[Reduction]:
    """A discount by tax rate, each taxed by its rate."""
    sums: dict[Decimal, Money] = {}
    for draft, share in zip(drafts, shares, strict=True):
        percent = digits(draft.part.tax_percent).normalize()
        sums[percent] = sums.get(percent, Money.zero(order.currency)) + share
    found = []
    for percent, base in sorted(sums.items()):
        rate = tax_rate(percent)
        tax = base.share(rate / (1 + rate) if order.prices_include_tax else rate)
        found.append(Reduction(place, percent, base - tax if order.prices_include_tax else base, tax))
    return [reduction for reduction in found if reduction.net or reduction.tax]


def _expected_tax(order: Order, draft: _Draft) -> Fraction:
    """The exact tax of a part in minor units, by its rate."""
    rate = tax_rate(draft.part.tax_percent)
    return draft.base.minor * (rate / (1 + rate) if order.prices_include_tax else rate)


def _with_tax(order: Order, drafts: list[_Draft], reductions: Sequence[Reduction]) -> list[Part]:
    """Give every part its tax: the storefront's own where it stands, the rest of its total by largest remainder.

    A part that a discount beside it lowers keeps the storefront's own too, unless the discount's rounded tax leaves a rest.
    """
    nothing = Money.zero(order.currency)
    due = order.tax + total([reduction.tax for reduction in reductions], order.currency)
    own = [d.tax for d in drafts if d.tax is not None]
    if reductions and (len(own) < len(drafts) or total(own, order.currency) != due):
        drafts = [replace(d, tax=None) if d.shown else d for d in drafts]
    open_ones = [d for d in drafts if d.tax is None]
    rest = due - total([d.tax for d in drafts if d.tax is not None], order.currency)
    exact = [_expected_tax(order, d) for d in open_ones]
    slack = Fraction(len(open_ones) + len(reductions) + 1, 2)
    if abs(rest.minor - sum(exact, Fraction(0))) > slack or (not open_ones and rest):
        raise Inconsistent(
            f"tax of the parts is {due - rest} plus {float(sum(exact)):.1f} minor units expected on "
            f"{len(open_ones)} discounted part(s), the order's tax is {due}",
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

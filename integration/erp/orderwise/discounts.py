"""Vouchers that OrderWise shows as discounts of its own, under the names it has for them; all others lie in the prices.

Seen in one integrator's orders for six years: a discount's name is matched letter by letter, its price is without tax, and it
has a tax code, so one is sent for each tax rate. Unconfirmed: the names of its fields in JSON, and that OrderWise rounds as
here. Where it does not, the discount that it then makes of its own shows in the proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from integration.domain.money import Money, exponent, tax_rate
from integration.domain.order import Discount, Order
from integration.domain.pricing import TENDER, Part, PricedOrder
from integration.erp.orderwise.profile import IN_PRICES, Profile, profile_of
from integration.errors import Unmapped
from mappings import Mapping as Mapped

DECIMALS = 4
"""OrderWise's amounts are DECIMAL(18,4)."""
NEARLY_HALF = Fraction(49, 100)
"""Of a minor unit: how far a price may lie from an amount that it is to round to."""


@dataclass(frozen=True, slots=True)
class Dissur:
    """One discount of OrderWise; `price` is without tax and may have four decimals."""

    name: str
    tax_percent: Decimal
    price: Decimal


def names(order: Order, mapping: Mapped, profile: Profile) -> Mapping[int, str]:
    """OrderWise's names of the vouchers that it is to show, by their place in the order: by a voucher's code, else its type.

    Raises `Unmapped` for one that lowers prices, has no name, and must have one.
    """
    found = {}
    for place, discount in enumerate(order.discounts):
        if mapping.voucher_kind(discount.type) == TENDER or not discount.amount:
            continue
        name = profile.discounts.get(discount.code) or profile.discounts.get(discount.type)
        if name:
            found[place] = name
        elif profile.unnamed_discounts != IN_PRICES:
            key = discount.code or discount.type
            raise Unmapped("ORDER_DISCOUNT_UNMAPPED", file=profile.file, table="tenant.discounts", key=key)
    return found


def has_name(discount: Discount, mapping: Mapped) -> bool:
    """Whether a mapping has OrderWise's own name for the very code of a voucher. Raises `BrokenMapping`."""
    return discount.code in profile_of(mapping).discounts


def dissurs(found: PricedOrder, named: Mapping[int, str]) -> list[Dissur] | None:
    """What is sent for the discounts beside an order's parts; `None` where OrderWise could not come to the order's total.

    It taxes handling by its rate, so handling must not bear the odd unit that discounts leave.
    """
    if found.handling is not None and found.handling.tax != tax_by_rate(found.handling):
        return None
    sums: dict[tuple[str, Decimal], tuple[Money, Money]] = {}
    for each in found.reductions:
        key, nothing = (named[each.place], each.tax_percent), Money.zero(each.net.currency)
        net, tax = sums.get(key, (nothing, nothing))
        sums[key] = (net + each.net, tax + each.tax)
    rows = []
    for (name, percent), (net, tax) in sorted(sums.items()):
        price = _price(net, tax, tax_rate(percent))
        if price is None:
            return None
        rows.append(Dissur(name, percent, price))
    return rows if adds_up(found, rows, [_exact(part) for part in found.lines]) else None


def tax_by_rate(part: Part) -> Money:
    """The tax that OrderWise puts on a part whose tax it is not told."""
    return part.net.share(tax_rate(part.tax_percent))


def _price(net: Money, tax: Money, rate: Fraction) -> Decimal | None:
    """A price without tax that is `net`, and with tax `net + tax`, both rounded; the amount itself where it does."""
    unit = Fraction(1, 10 ** exponent(net.currency))
    exact, gross, step = Fraction(net.decimal), Fraction((net + tax).decimal), Fraction(1, 10**DECIMALS)
    near = min(max(gross / (1 + rate), exact - NEARLY_HALF * unit), exact + NEARLY_HALF * unit)
    for price in (net.decimal, Decimal(round(near / step)).scaleb(-DECIMALS)):
        if abs(Fraction(price) - exact) < unit / 2 and abs(Fraction(price) * (1 + rate) - gross) < unit / 2:
            return price
    return None


def adds_up(found: PricedOrder, rows: Sequence[Dissur], lines: Sequence[tuple[Fraction, Fraction]]) -> bool:
    """Whether the order's totals come out where nothing is rounded before the end, too; `lines` are net and gross of each, as
    its prices have them.
    """
    unit = Fraction(1, 10 ** exponent(found.order.currency))
    parts = [*lines]
    if found.shipping is not None:
        parts.append(_exact(found.shipping))
    if found.handling is not None:  # OrderWise taxes it by its rate
        net = Fraction(found.handling.net.decimal)
        parts.append((net, net * (1 + tax_rate(found.handling.tax_percent))))
    parts += [(-Fraction(row.price), -Fraction(row.price) * (1 + tax_rate(row.tax_percent))) for row in rows]
    off_net = sum((net for net, _ in parts), -Fraction(found.untaxed.decimal))
    off_gross = sum((gross for _, gross in parts), -Fraction(found.total.decimal))
    return abs(off_net) < unit / 2 and abs(off_gross) < unit / 2


def _exact(part: Part) -> tuple[Fraction, Fraction]:
    return Fraction(part.net.decimal), Fraction((part.net + part.tax).decimal)

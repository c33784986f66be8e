"""The arithmetic of one order: what its lines, discounts, taxes and total come to, exactly.

The components (`totals.lineValues`, `shipping`, `handling`, `discounts`, `taxAdded`, `taxIncluded`) are documented; how
Centra gets from one to the other is **unconfirmed**. The model here:

* A tax-inclusive store quotes gross, a tax-exclusive store net: prices, shipping, handling and goods discounts alike.
* Tax is rounded half up, once per line: `gross * p / (100 + p)` inclusive, `net * p / 100` exclusive.
* A line's own value knows nothing of order-level vouchers. Goods vouchers come off the goods one after the other, each
  spread over the lines in proportion to what is left of them (largest remainder, so the shares add up), and tax is
  charged on what remains. Free shipping does the same to the shipping.
* A gift card pays: it lowers the grand total and no tax.
* `grand total = line values + shipping + handling + discounts (negative) + tax added`, always.

Inside, everything is an integer of the currency's minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

GOODS_VOUCHERS = ("PERCENTAGE", "FIXED_AMOUNT")


@dataclass(frozen=True)
class PricedLine:
    """`quantity` pieces at `unit_price` (major units, the store's own side of tax) taxed at `percent`."""

    quantity: int
    unit_price: Decimal
    percent: Decimal


@dataclass(frozen=True)
class Discount:
    """An order-level voucher: `amount` is a percentage for PERCENTAGE, else major units; unused by FREE_SHIPPING."""

    type: str
    amount: Decimal = Decimal(0)


@dataclass(frozen=True)
class LineValue:
    """One line before order-level discounts, major units."""

    gross: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Totals:
    """One order, major units. `discounts` is negative; `applied` has one negative value per discount given."""

    lines: tuple[LineValue, ...]
    line_values: Decimal
    shipping: Decimal
    handling: Decimal
    discounts: Decimal
    tax_added: Decimal
    tax_included: Decimal
    shipping_tax: Decimal
    grand_total: Decimal
    applied: tuple[Decimal, ...]


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` >= 0 in proportion to `weights` >= 0: whole units, exact sum, largest remainders first."""
    whole = sum(weights)
    if not whole:
        return [0 for _ in weights]
    shares = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(amount * weights[index] % whole), index))
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def _half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def tax_of(amount: int, percent: Decimal, inclusive: bool) -> int:
    """The tax in (inclusive) or on (exclusive) an amount, minor units, half up."""
    if not percent or not amount:
        return 0
    return _half_up(amount * percent / (100 + percent if inclusive else 100))


def _taken_from_goods(discount: Discount, left: list[int], digits: int) -> int:
    """What one goods voucher takes, lowering `left` line by line; never more than is there."""
    whole = sum(left)
    if discount.type == "PERCENTAGE":
        taken = min(whole, _half_up(whole * discount.amount / 100))
    else:
        taken = min(whole, _half_up(discount.amount.scaleb(digits)))
    for index, share in enumerate(spread(taken, left)):
        left[index] -= share
    return taken


def line_value(value: int, percent: Decimal, inclusive: bool, digits: int) -> LineValue:
    """A value in minor units, on the store's side of tax, seen from both sides."""
    tax = tax_of(value, percent, inclusive)
    gross, net = (value, value - tax) if inclusive else (value + tax, value)
    return LineValue(Decimal(gross).scaleb(-digits), Decimal(net).scaleb(-digits), Decimal(tax).scaleb(-digits))


def price(
    lines: Sequence[PricedLine],
    shipping: Decimal,
    handling: Decimal,
    percent: Decimal,
    discounts: Sequence[Discount],
    inclusive: bool,
    digits: int,
) -> Totals:
    """Everything about an order's money.

    `percent` is the tax on shipping and handling (the country's standard rate), `digits` the currency's decimals.
    Amounts must have no more than `digits` decimals.
    """
    values = [_half_up((line.quantity * line.unit_price).scaleb(digits)) for line in lines]
    carriage, service = _half_up(shipping.scaleb(digits)), _half_up(handling.scaleb(digits))
    goods_left, carriage_left = list(values), carriage
    taken: dict[int, int] = {}
    for index, discount in enumerate(discounts):
        if discount.type in GOODS_VOUCHERS:
            taken[index] = _taken_from_goods(discount, goods_left, digits)
        elif discount.type == "FREE_SHIPPING":
            taken[index], carriage_left = carriage_left, 0
    carriage_tax = tax_of(carriage_left, percent, inclusive)
    tax = carriage_tax + tax_of(service, percent, inclusive)
    tax += sum(tax_of(left, line.percent, inclusive) for left, line in zip(goods_left, lines, strict=True))
    added = 0 if inclusive else tax
    due = sum(goods_left) + carriage_left + service + added
    for index, discount in enumerate(discounts):
        if discount.type == "GIFT_CARD":
            taken[index] = min(due, _half_up(discount.amount.scaleb(digits)))
            due -= taken[index]
    applied = tuple(-taken[index] for index in range(len(discounts)))

    def major(minor: int) -> Decimal:
        return Decimal(minor).scaleb(-digits)

    return Totals(
        lines=tuple(
            line_value(value, line.percent, inclusive, digits) for value, line in zip(values, lines, strict=True)
        ),
        line_values=major(sum(values)),
        shipping=major(carriage),
        handling=major(service),
        discounts=major(sum(applied)),
        tax_added=major(added),
        tax_included=major(tax if inclusive else 0),
        shipping_tax=major(carriage_tax),
        grand_total=major(due),
        applied=tuple(major(value) for value in applied),
    )

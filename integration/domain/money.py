"""Money: whole minor units of an ISO currency, and the only place that rounds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

_DIGITS = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,60})?")
_MOST_LARGE, _MOST_SMALL, _MOST_DIGITS = 15, -30, 28
"""Powers of ten and digits of a Decimal: JSON may say 1e99999999, which no ledger holds and which takes minutes to expand."""


class MoneyError(ValueError):
    """An amount or currency that cannot be money; the text says why and is safe to show."""


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Decimals of a currency's minor unit by ISO 4217: GBP 2, JPY 0, KWD 3. Raises `MoneyError` for no such currency."""
    from iso4217 import Currency  # reads ISO's list when first asked: 60 ms that `lockstep --help` need not pay

    try:
        decimals = Currency(currency).exponent
    except ValueError:
        decimals = None
    if decimals is None:
        raise MoneyError(f"{currency!r} is not an ISO 4217 currency with a minor unit")
    return int(decimals)


def _honest(value: Decimal) -> bool:
    """Finite, and of a size and precision that amounts have."""
    in_size = value.is_finite() and _MOST_SMALL <= value.adjusted() < _MOST_LARGE
    return in_size and len(value.as_tuple().digits) <= _MOST_DIGITS


def digits(value: object) -> Decimal:
    """An exact Decimal from digits. Floats are refused: 19.99 * 100 is 1998.9999999999998 in one."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, Decimal) and _honest(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MOST_LARGE:
        return Decimal(value)
    raise MoneyError(f"not an exact amount: a {type(value).__name__}")


def _half_up(value: Decimal | Fraction) -> int:
    """Round to a whole number, halves away from zero: the rule of every amount in this product."""
    if isinstance(value, Decimal):
        return int(value.to_integral_value(rounding=ROUND_HALF_UP))
    whole = (abs(value) + Fraction(1, 2)).__floor__()
    return whole if value >= 0 else -whole


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole minor units, e.g. `Money(1999, "GBP")` is 19.99 pounds."""

    minor: int
    currency: str

    @classmethod
    def of(cls, value: object, currency: str) -> "Money":
        """Money from exact digits in major units.

        Digits beyond the minor unit are rounded half up. Centra's schema gives amounts as floats, so a tail such as
        `67.30000000000001` is its spelling of 67.30; whether the amounts still add up is checked afterwards, by sum.
        """
        return cls(_half_up(digits(value).scaleb(exponent(currency))), currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError("money is a whole number of minor units")

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not add up")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    @property
    def decimal(self) -> Decimal:
        """The amount in major units with exactly the currency's decimals."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def share(self, part: Fraction) -> "Money":
        """`part` of the amount, rounded half up."""
        return Money(_half_up(Fraction(self.minor) * part), self.currency)

    def allocate(self, weights: Sequence[int | Fraction]) -> tuple["Money", ...]:
        """Split by non-negative weights so that the parts sum to the whole: largest remainder, earlier part first.

        Raises `MoneyError` when there is an amount to split and nothing to split it over.
        """
        total = sum((Fraction(w) for w in weights), Fraction(0))
        if total == 0:
            if self.minor:
                raise MoneyError(f"nothing to split {self} over")
            return tuple(Money(0, self.currency) for _ in weights)
        exact = [abs(self.minor) * Fraction(w) / total for w in weights]
        whole = [share.__floor__() for share in exact]
        left = abs(self.minor) - sum(whole)
        order = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
        for i in order[:left]:
            whole[i] += 1
        sign = 1 if self.minor >= 0 else -1
        return tuple(Money(sign * part, self.currency) for part in whole)


def total(amounts: Sequence[Money], currency: str) -> Money:
    """The sum of amounts of one currency; zero of that currency for none."""
    return sum(amounts, Money.zero(currency))


def tax_rate(percent: object) -> Fraction:
    """A tax percentage (25, "8.875") as an exact fraction of one. Refuses floats and rates outside 0 to 100 %."""
    rate = Fraction(digits(percent)) / 100
    if not 0 <= rate <= 1:
        raise MoneyError(f"a tax rate of {percent} % is not between 0 and 100 %")
    return rate


def unit_prices(net: Money, quantity: int, decimals: int) -> tuple[tuple[int, Decimal], ...]:
    """`(quantity, price per unit)` parts whose products, each rounded half up, are exactly `net`.

    One part when a price of at most `decimals` digits exists, the nearest one, so that what the lines of an order are off by
    before they are rounded is little and goes both ways; else two parts at neighbouring prices, which always do (a cent over
    three pieces is one piece at 0.01 and two at nothing). A price is not an amount, so it is a Decimal.
    """
    if quantity <= 0:
        raise MoneyError(f"a line of {quantity} units has no unit price")
    places = exponent(net.currency)
    step = Decimal(1).scaleb(-max(decimals, places))
    exact = net.decimal / quantity
    below = exact.quantize(step, rounding=ROUND_FLOOR)
    for price in sorted((below, below + step), key=lambda price: abs(price - exact)):
        if Money.of(price * quantity, net.currency) == net:
            return ((quantity, price),)
    low, extra = divmod(net.minor, quantity)
    cheap, dear = (Decimal(m).scaleb(-places) for m in (low, low + 1))
    return ((quantity - extra, cheap), (extra, dear))

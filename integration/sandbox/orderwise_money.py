"""What an order's parts add up to, and what OrderWise makes of totals that say something else."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from integration.sandbox.currencies import rounded
from integration.sandbox.orderwise_order_form import Dissur, Form, Line
from integration.sandbox.orderwise_wire import Refused, four

Rate = Callable[[int], Decimal]
"""A tax rate's id to its fraction."""


@dataclass(frozen=True)
class Priced:
    """A line with everything settled: ids, and what one piece costs."""

    line: Line
    variant: int
    net: Decimal
    gross: Decimal
    tax_rate: int
    place: int


@dataclass(frozen=True)
class Totals:
    """Of a whole order, or of its delivery, in major units."""

    net: Decimal
    gross: Decimal

    @property
    def tax(self) -> Decimal:
        return self.gross - self.net

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.net + other.net, self.gross + other.gross)


def of_piece(line: Line, rate: Decimal, net_leads: bool, computed: bool) -> Totals:
    """What one piece costs; what was not said of net and gross follows from the rate. Raises the 400 without a price."""
    net, gross = line.net, line.gross
    if net is None and gross is None:
        raise Refused(400, f"Line {line.number}: no price for {line.code}.")
    if net is None:
        assert gross is not None
        net = gross / (1 + rate)
    elif gross is None or (computed and net_leads):
        gross = net * (1 + rate)
    elif computed:
        net = gross / (1 + rate)
    return Totals(four(net), four(gross))


def of_delivery(form: Form, rate: Decimal | None) -> Totals:
    """Carriage; what was not said follows from the rate, or from the tax."""
    net, gross = form.delivery_net, form.delivery_gross
    if gross is None:
        gross = Decimal(0) if net is None else net + form.delivery_tax if form.delivery_tax is not None else None
    if net is None and form.delivery_tax is not None and gross is not None:
        net = gross - form.delivery_tax
    if gross is None:
        gross = (net or Decimal(0)) * (1 + (rate or Decimal(0)))
    return Totals(four(gross / (1 + (rate or Decimal(0)))) if net is None else net, gross)


def of_parts(form: Form, lines: list[Priced], delivery: Totals, rate: Rate, currency: str, per_line: bool) -> Totals:
    """Lines, delivery and dissurs added up."""
    cut: Callable[[Decimal], Decimal] = (
        (lambda amount: rounded(amount, currency)) if per_line else lambda amount: amount
    )
    sum = delivery
    for priced in lines:
        sum += Totals(cut(priced.net * priced.line.quantity), cut(priced.gross * priced.line.quantity))
    for dissur in form.dissurs:
        sum += of_dissur(dissur, rate(dissur.tax_rate) if dissur.tax_rate else Decimal(0), cut)
    return Totals(rounded(sum.net, currency), rounded(sum.gross, currency))


def of_dissur(dissur: Dissur, rate: Decimal, cut: Callable[[Decimal], Decimal]) -> Totals:
    """What it adds: a discount is negative."""
    sign = -1 if dissur.discount else 1
    net = cut(dissur.price / (1 + rate)) if dissur.gross else dissur.price
    gross = dissur.price if dissur.gross else cut(dissur.price * (1 + rate))
    return Totals(sign * net, sign * gross)


def difference(form: Form, parts: Totals) -> Totals | None:
    """What the parts are more than the header says; None where they agree. What the header does not say agrees."""
    gross = Decimal(0) if form.gross is None else parts.gross - form.gross
    net = Decimal(0)
    if form.net is not None:
        net = parts.net - form.net
    elif form.tax is not None and form.gross is not None:
        net = parts.net - (form.gross - form.tax)
    return Totals(net, gross) if net or gross else None


def balancing(found: Totals, tax_rate: int | None) -> Dissur:
    """OrderWise's own discount, so that an order adds up to what its header says."""
    amount = found.gross or found.net
    return Dissur("Balancing discount", abs(amount), tax_rate, discount=amount > 0, gross=bool(found.gross))

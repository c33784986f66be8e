"""The records behind Centra's shipments, returns and e-mails. Amounts are `Decimal` in major units of the order's
currency, on the store's own side of tax (gross where it quotes gross); times are aware UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

StockPolicy = Literal["release", "remove"] | int
"""What happens to pieces that come back or are not wanted any more: released where they belong, removed from stock, or
sent to the warehouse with this id."""

ZERO = Decimal(0)


def minor(amount: Decimal, digits: int) -> int:
    """Whole minor units; amounts have no finer ones."""
    return int(amount.scaleb(digits))


def share(amount: Decimal, given: Decimal, weight: Decimal, whole: Decimal, digits: int) -> Decimal:
    """What is still due of `amount` when `weight` of `whole` has been reached and `given` was given before.

    Cumulative, so that the shares of one whole add up to the minor unit; never below zero.
    """
    if not whole:
        return ZERO
    reached = int(minor(amount, digits) * min(Fraction(1), Fraction(weight) / Fraction(whole)))
    return Decimal(max(0, reached - minor(given, digits))).scaleb(-digits)


@dataclass(frozen=True)
class Mail:
    """An e-mail Centra sent; `kind` is "confirmed", "shipped", "returned" or "refunded". Never the address."""

    kind: str
    order_number: int
    at: datetime
    shipment: str | None = None
    return_id: int | None = None


@dataclass
class ShipmentLine:
    """`quantity` pieces of one order line in one shipment; `returned` of them are on returns."""

    id: int
    order_line_id: int
    sku: str
    quantity: int
    unit_price: Decimal
    percent: Decimal
    returned: int = 0

    @property
    def value(self) -> Decimal:
        return self.quantity * self.unit_price


@dataclass
class Costs:
    """What a shipment or return carries besides goods; all at least zero, `discounts` too (they are taken away).

    `tax` is what of the order's tax belongs here, in or on the other amounts; `off` the minor units by which the order's
    grand total is wrong.
    """

    shipping: Decimal = ZERO
    handling: Decimal = ZERO
    discounts: Decimal = ZERO
    tax: Decimal = ZERO
    off: Decimal = ZERO


@dataclass
class Shipment:
    """State is three flags with times (documented); `captured` is the captured money assigned to it."""

    id: int
    number: str
    order_number: int
    lines: list[ShipmentLine]
    costs: Costs
    tax_inclusive: bool
    created_at: datetime
    updated_at: datetime
    address: dict[str, str]
    good_to_go: bool = False
    paid_at: datetime | None = None
    captured_at: datetime | None = None
    shipped_at: datetime | None = None
    captured: Decimal = ZERO
    message: str | None = None
    packages: int | None = None
    tracking: str | None = None
    return_tracking: str | None = None
    carrier: str | None = None
    service: str | None = None
    internal_cost: tuple[Decimal, str] | None = None

    @property
    def grand_total(self) -> Decimal:
        costs = self.costs
        goods = sum((line.value for line in self.lines), ZERO)
        added = ZERO if self.tax_inclusive else costs.tax
        return goods + costs.shipping + costs.handling - costs.discounts + added + costs.off

    @property
    def net_total(self) -> Decimal:
        return self.grand_total - self.costs.tax

    def line(self, id: int) -> ShipmentLine | None:
        return next((line for line in self.lines if line.id == id), None)


@dataclass
class ReturnLine:
    """`quantity` pieces of one shipment line that come back."""

    id: int
    shipment_line: ShipmentLine
    quantity: int


@dataclass
class Return:
    """Goods that come back from one shipment. `costs.discounts` is Centra's voucher value, `cost` the deduction Centra
    calls `returnCost`; both lower the refund.
    """

    id: int
    order_number: int
    shipment: Shipment
    lines: list[ReturnLine]
    costs: Costs
    stock: StockPolicy
    created_at: datetime
    cost: Decimal = ZERO
    comment: str = ""
    completed_at: datetime | None = None

    @property
    def goods(self) -> Decimal:
        return sum((line.quantity * line.shipment_line.unit_price for line in self.lines), ZERO)

    @property
    def grand_total(self) -> Decimal:
        """The money that goes back: goods + shipping + handling - return cost - voucher (documented)."""
        costs = self.costs
        added = ZERO if self.shipment.tax_inclusive else costs.tax
        return self.goods + costs.shipping + costs.handling - costs.discounts - self.cost + added + costs.off

    @property
    def returned_to_stock(self) -> bool:
        """Unconfirmed: true once completed, unless the pieces were removed from stock."""
        return self.completed_at is not None and self.stock != "remove"


@dataclass
class Parcels:
    """Every shipment and return of one Centra, by id, and every e-mail in the order sent."""

    shipments: dict[int, Shipment] = field(default_factory=dict)
    returns: dict[int, Return] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)

    def returns_of(self, shipment: Shipment) -> Iterable[Return]:
        return (made for made in self.returns.values() if made.shipment is shipment)

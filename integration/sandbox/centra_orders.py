"""The records behind Centra's orders, and the basket an order is placed with.

Amounts are `Decimal` in major units of the order's currency; times are aware UTC.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.catalogue import COUNTRIES, MARKETS, STORES, Country, Market, ShippingOption, Store, Voucher
from integration.sandbox.centra_money import Discount, PricedLine, Totals, price
from integration.sandbox.centra_parcels import Return, Shipment
from integration.sandbox.currencies import DECIMALS
from integration.sandbox.goods import GOODS, Good

ADDRESS_FIELDS = (
    "firstName", "lastName", "companyName", "attention", "address1", "address2", "city", "zipCode", "stateOrProvince",
    "email", "phoneNumber", "cellPhoneNumber", "faxNumber", "vatNumber",
)  # fmt: skip


class Refused(ValueError):
    """Centra understood and says no; becomes `userErrors`. `path` is the place in the input."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.path = list(path)


@dataclass(frozen=True)
class BasketLine:
    """`quantity` pieces of a SKU; `unit_price` after campaigns, the list price when left out."""

    sku: str
    quantity: int
    unit_price: Decimal | None = None
    comment: str = ""


@dataclass(frozen=True)
class VoucherUse:
    """A voucher by its code; `amount` for gift cards and fixed amounts in the order's currency."""

    code: str
    amount: Decimal | None = None


@dataclass(frozen=True)
class Basket:
    """All there is to say about an order before it has a number.

    `address` has Centra's field names (`ADDRESS_FIELDS`) and no country. `shipping_price` defaults to the option's
    price. `off_by` (minor units) makes an order whose grand total is not the sum of its parts.
    """

    market_id: int
    country: str
    lines: tuple[BasketLine, ...]
    address: Mapping[str, str]
    email: str
    shipping_option: str = "standard"
    shipping_price: Decimal | None = None
    handling: Decimal = Decimal(0)
    vouchers: tuple[VoucherUse, ...] = ()
    payment: str = "card"
    on_hold: bool = False
    waiting_for_payment: bool = False
    registered: bool = False
    comment: str = ""
    off_by: int = 0

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> "Basket":
        """A basket from JSON with the same names; raises `KeyError` or `TypeError` for words it does not know."""
        lines = tuple(BasketLine(**{**line, "unit_price": _amount(line.get("unit_price"))}) for line in words["lines"])
        vouchers = tuple(VoucherUse(use["code"], _amount(use.get("amount"))) for use in words.get("vouchers", ()))
        amounts = {name: _amount(words[name]) for name in ("shipping_price", "handling") if name in words}
        return cls(**{**words, "lines": lines, "vouchers": vouchers, **amounts})


def _amount(word: object) -> Decimal | None:
    return None if word is None else Decimal(str(word))


@dataclass
class Line:
    """One order line; `quantity` is what is still wanted, cancelled pieces are counted beside it.

    `shipped` pieces are on shipments, `completed` ones of them have left the building; `allocated` ones hold stock and
    `demand` ones wait for it. A piece of a bundle is a whole set.
    """

    id: int
    good: Good
    quantity: int
    unit_price: Decimal
    original_price: Decimal
    percent: Decimal
    comment: str = ""
    cancelled: int = 0
    shipped: int = 0
    completed: int = 0
    returned: int = 0
    allocated: int = 0
    demand: int = 0

    @property
    def unshipped(self) -> int:
        return self.quantity - self.shipped

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """What one piece takes from stock: (SKU, pieces); a bundle holds none of its own."""
        return self.good.parts or ((self.good.sku, 1),)


@dataclass
class Payment:
    """One entry of the payment history; `entry_type` and `status` in Centra's words.

    `follows` is the request this entry is the outcome of: one capture or refund, though two entries.
    """

    id: int
    at: datetime
    status: str
    entry_type: str
    reference: str
    method: str
    value: Decimal
    shipment: str | None = None
    return_id: int | None = None
    follows: int | None = None
    note: str = ""


@dataclass
class Customer:
    """A customer record; one e-mail address may own two, one of them registered."""

    id: int
    email: str
    first_name: str
    last_name: str
    registered: bool


@dataclass
class Order:
    """A direct-to-consumer order. `off_by` minor units separate a wrong grand total from the right one."""

    id: str
    number: int
    market: Market
    country: Country
    lines: list[Line]
    shipping_option: ShippingOption
    shipping_price: Decimal
    handling: Decimal
    vouchers: list[tuple[Voucher, Decimal]]
    payment: str
    customer: Customer
    shipping_address: dict[str, str]
    billing_address: dict[str, str]
    created_at: datetime
    updated_at: datetime
    status: str = "PENDING"
    on_hold: bool = False
    waiting_for_payment: bool = False
    locked: bool = False
    internal: bool = False
    comment: str = ""
    off_by: int = 0
    payments: list[Payment] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    shipments_made: int = 0
    returns: list[Return] = field(default_factory=list)
    history: list[tuple[datetime, str]] = field(default_factory=list)
    version: int = 0
    shown: dict[str, Any] | None = None
    """The order as GraphQL last showed it; dropped at every change."""
    _totals: Totals | None = None

    @property
    def store(self) -> Store:
        return STORES[self.market.store_id]

    @property
    def currency(self) -> str:
        return self.market.currency

    @property
    def totals(self) -> Totals:
        """The order's money as it stands; computed once per change."""
        if self._totals is None:
            self._totals = price(
                [PricedLine(line.quantity, line.unit_price, line.percent) for line in self.lines],
                self.shipping_price,
                self.handling,
                self.country.tax_percent("standard"),
                [Discount(voucher.type, amount) for voucher, amount in self.vouchers],
                self.store.tax_inclusive,
                DECIMALS[self.currency],
            )
        return self._totals

    @property
    def grand_total(self) -> Decimal:
        return self.totals.grand_total + Decimal(self.off_by).scaleb(-DECIMALS[self.currency])

    def touch(self, at: datetime, text: str) -> None:
        """Note a change: newer `updated_at`, nothing cached, one line of history."""
        self.version += 1
        self.updated_at = at
        self.shown = None
        self._totals = None
        self.history.append((at, text))

    def paid(self, *entry_types: str) -> Decimal:
        """The sum of the successful or pending payment entries of these types."""
        return sum((p.value for p in self.payments if p.entry_type in entry_types and p.status != "FAILED"), Decimal(0))

    def moved(self, kind: str, shipment: str | None = None) -> Decimal:
        """Money under way or arrived, all or one shipment's: each "CAPTURE" or "REFUND" once, no failures."""
        kinds = (kind, f"{kind}_REQUEST")
        under_way = (p for p in self.payments if p.entry_type in kinds and p.follows is None and p.status != "FAILED")
        return sum((p.value for p in under_way if shipment in (None, p.shipment)), Decimal(0))

    @property
    def capturable(self) -> Decimal:
        """What is authorised, not released and not captured."""
        return self.paid("AUTH") + self.paid("CANCEL") - self.moved("CAPTURE")

    def line(self, line_id: int) -> Line:
        for line in self.lines:
            if line.id == line_id:
                return line
        raise Refused(f"Could not find OrderLine with ID {line_id}")


def order_id(seed: int, number: int) -> str:
    """32 hex digits, the same for the same seed and number."""
    return hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=16).hexdigest()


def as_parts(line: BasketLine, currency: str) -> Iterable[BasketLine]:
    """A bundle as its contents: each piece bears its share of the bundle's price, by list price, exactly."""
    bundle = GOODS[line.sku]
    whole = line.unit_price if line.unit_price is not None else bundle.prices[currency]
    pieces = [sku for sku, quantity in bundle.parts for _ in range(quantity)]
    digits = DECIMALS[currency]
    weights = [int(GOODS[sku].prices[currency].scaleb(digits)) for sku in pieces]
    total, done, bases = sum(weights), 0, []
    minor = int(whole.scaleb(digits))
    for index, weight in enumerate(weights):
        share = minor - done if index == len(weights) - 1 else minor * weight // total
        bases.append(share)
        done += share
    for (sku, share), times in Counter(zip(pieces, bases, strict=True)).items():
        yield replace(line, sku=sku, quantity=line.quantity * times, unit_price=Decimal(share).scaleb(-digits))


def market_and_country(basket: Basket) -> tuple[Market, Country]:
    """The basket's market and country; raises `Refused` when the market does not sell there."""
    market = MARKETS.get(basket.market_id)
    if market is None or basket.country not in market.countries:
        raise Refused(f"Market {basket.market_id} does not sell to {basket.country}")
    return market, COUNTRIES[basket.country]

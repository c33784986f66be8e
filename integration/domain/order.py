"""A sales order as the storefront took it: facts and final values, nothing calculated here."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from integration.domain.money import Money


class Key(NamedTuple):
    """What a message carries and a job is found by: (Centra instance, kind of document, its number)."""

    instance: str
    kind: str
    number: str

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of {self.instance}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where goods or invoices go. Personal data: lives in the vault and in requests, nowhere else."""

    name: str = ""
    company: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    postcode: str = ""
    state: str = ""
    country: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line. `net` and `gross` are the storefront's own, after its product discounts and before vouchers."""

    id: str
    sku: str
    name: str
    quantity: int
    tax_percent: Decimal
    net: Money
    gross: Money

    @property
    def tax(self) -> Money:
        return self.gross - self.net


@dataclass(frozen=True, slots=True)
class Discount:
    """A voucher applied to the whole order; `amount` is positive. Its kind is the mapping's to say."""

    code: str
    name: str
    type: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Payment:
    """One entry of the payment history; `settled` when the provider said success."""

    kind: str
    method: str
    reference: str
    amount: Money
    settled: bool


@dataclass(frozen=True, slots=True)
class Order:
    """A released or not yet released order. Money is in `currency`; `shipping` and `handling` are as displayed."""

    key: Key
    source_id: str
    status: str
    on_hold: bool
    waiting_for_payment: bool
    internal: bool
    placed_at: datetime
    store: str
    market: str
    currency: str
    prices_include_tax: bool
    lines: tuple[OrderLine, ...]
    shipping: Money
    shipping_tax: Money
    handling: Money
    discounts: tuple[Discount, ...]
    discount_total: Money
    tax: Money
    grand_total: Money
    shipping_option: str
    payment_method: str
    payments: tuple[Payment, ...]
    ship_to: Address
    bill_to: Address
    customer_email: str = ""
    cancelled: bool = False
    ended: bool = False
    """The storefront will change nothing of it any more."""

    @property
    def number(self) -> str:
        return self.key.number

"""Goods coming back: what the storefront announced and what the warehouse found."""

from dataclasses import dataclass
from datetime import datetime

from integration.domain.money import Money
from integration.domain.order import Key

RESTOCK, QUARANTINE, SCRAP = "restock", "quarantine", "scrap"
DISPOSITIONS = (RESTOCK, QUARANTINE, SCRAP)


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """`quantity` pieces of an order line that the customer sends back."""

    id: str
    order_line: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Return:
    """A return as the storefront has it. `restocks` is fixed when it is made: whether completing it raises stock.

    `None` where the storefront does not say. `amount` is what the storefront would pay back for it.
    """

    key: Key
    order_number: str
    lines: tuple[ReturnLine, ...]
    completed: bool
    restocks: bool | None
    amount: Money
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class InspectedLine:
    """`quantity` pieces and what the warehouse decided; `disposition` is empty until it has inspected them."""

    sku: str
    quantity: int
    disposition: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """An expected return as the ERP reads it back. `life`: expected, received, inspected, cancelled."""

    reference: str
    ref: str
    number: str
    life: str
    lines: tuple[InspectedLine, ...]
    received_at: datetime | None
    stamp: str

"""Goods coming back: what the storefront announced, what the warehouse found, and whether the two agree.

Whole pieces throughout. Nothing here knows of money: a refund is another document, and either may come first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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


EXPECTED, ARRIVED, AGREED = "expected", "arrived", "agreed"
WITHDRAWN, DIFFERENT, CONFLICTING = "withdrawn", "different", "conflicting"

Components = Callable[[str], Mapping[str, int]]
"""The stocked pieces in one SKU: itself, or a bundle's parts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What both systems' books come to, in words an agent can read out.

    `expected`: nothing has arrived; `arrived`: not all of it has been received and inspected; `agreed`: all of it has,
    and the warehouse did what the storefront will do; `withdrawn`: the ERP expects nothing any more; `different`: other
    pieces than announced; `conflicting`: the warehouse decided otherwise than the storefront's stock action.
    """

    verdict: str
    words: str


def pieces(lines: Iterable[ReturnLine | InspectedLine], components: Components) -> Counter[str]:
    """Pieces by SKU, bundles as their parts."""
    found: Counter[str] = Counter()
    for line in lines:
        for sku, each in components(line.sku).items():
            found[sku] += each * line.quantity
    return +found


def in_words(counted: Mapping[str, int]) -> str:
    """`2 × SKU-A and 1 × SKU-B`."""
    told = [f"{quantity} × {sku}" for sku, quantity in sorted(counted.items())]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "nothing"


def hold_against(document: Return, receipts: Sequence[Receipt], components: Components) -> Finding:
    """Hold a return against its receipts in the ERP; one announcement may have several, as parcels come in."""
    announced = pieces(document.lines, components)
    living = [receipt for receipt in receipts if receipt.life != "cancelled"]
    if not living:
        return Finding(WITHDRAWN, f"the ERP does not expect it any more; Centra still has {in_words(announced)} coming")
    booked = pieces([line for receipt in living for line in receipt.lines], components)
    if booked != announced:
        return Finding(DIFFERENT, f"Centra announced {in_words(announced)}, the ERP has {in_words(booked)}")
    here = [line for receipt in living if receipt.life != "expected" for line in receipt.lines]
    seen = [line for receipt in living if receipt.life == "inspected" for line in receipt.lines if line.disposition]
    arrived, inspected = pieces(here, components), pieces(seen, components)
    if not arrived:
        return Finding(EXPECTED, f"{in_words(announced)} announced, nothing has arrived yet")
    if inspected != announced:
        return Finding(
            ARRIVED, f"of {in_words(announced)}, {in_words(arrived)} arrived and {in_words(inspected)} inspected"
        )
    restocked = pieces([line for line in seen if line.disposition == RESTOCK], components)
    return _disposed(document.restocks, restocked, _put_aside(seen, components), announced)


def _put_aside(seen: Iterable[InspectedLine], components: Components) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for line in seen:
        if line.disposition != RESTOCK:
            found.setdefault(line.disposition, Counter()).update(pieces([line], components))
    return found


def _disposed(
    restocks: bool | None, restocked: Counter[str], aside: Mapping[str, Counter[str]], announced: Counter[str]
) -> Finding:
    """Whether completing the return makes of the storefront's stock what the warehouse made of its own."""
    elsewhere = "; ".join(f"{in_words(counted)} to {place}" for place, counted in sorted(aside.items()))
    if not aside and restocks is not False:
        return Finding(AGREED, f"received and inspected: {in_words(restocked)} restocked")
    if not restocked and restocks is False:
        return Finding(AGREED, f"received and inspected: {elsewhere}; Centra restocks nothing either")
    did = f"the warehouse restocked {in_words(restocked)}" + (f" and put {elsewhere}" if elsewhere else "")
    if restocks is False:
        return Finding(CONFLICTING, f"{did}; Centra's return restocks nothing: it would be {in_words(restocked)} short")
    over = announced - restocked
    if restocks:
        would = f"Centra's return restocks {in_words(announced)}: {in_words(over)} too many"
    else:
        would = (
            f"if Centra's return restocks, that is {in_words(over)} too many, and Centra does not say whether it does"
        )
    return Finding(CONFLICTING, f"{did}; {would}")

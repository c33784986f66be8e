"""The brake of the stock push: when too many SKUs fall or leap at once, they wait for a person.

A level that is held stays in the storefront as it is; the storefront goes on deducting its own orders. What an ERP leaves
out of its answer is never nothing: it is held, or listed as an orphan.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from integration.domain.stock import leaps
from integration.store import Transaction, exceptions, levels, listings, schedule
from mappings import Stock

WINDOW = timedelta(minutes=10)
"""What leapt in this time counts together: a mass change may come in many small batches."""
LEAST = 20
"""Fewer SKUs than this are no mass change, whatever their share."""
RELEASED_FOR = timedelta(minutes=30)
"""How long a person's word lets leaps pass: long enough to push a catalogue."""
PREVIEW = 10
TYPE = "STOCK_MASS_CHANGE_BRAKE"
UNDECLARED = 30
"""The percentage of a connection that pushes no stock and so declares none."""
LEAPS, FEWER, LACKING, UNLISTED = "mass change", "fewer SKUs", "fewer products", "fewer SKUs in the storefront"
"""Causes: figures that leap together, and an ERP's stock, its products, or the storefront's SKUs of which a large part is
suddenly not told of.
"""
SIZE = "catalogue size"
"""The cursor that holds how many SKUs the last full compare was told of."""


class Braked(Protocol):
    """What the brake must know of a feed."""

    @property
    def connection(self) -> str: ...
    @property
    def stock(self) -> Stock: ...
    def at(self) -> str:
        """The place's id."""

    def named(self, sku: str) -> str: ...
    def case(self, tx: Transaction, type: str, cause: str, message: str) -> None: ...


def held(
    tx: Transaction, feed: Braked, rows: Sequence[Any], changes: Mapping[str, tuple[int, int]], judged: int
) -> Collection[str]:
    """Those SKUs of a batch that must wait. `changes`: what shoppers see now and would see; `judged`: SKUs looked at."""
    if released(tx, feed.connection):
        return ()
    leaping = [row.sku for row in rows if row.shown_at is not None and leaps(*changes[row.sku])]
    if not leaping:
        return ()
    before, of = levels.leapt(tx, feed.connection, tx.now - WINDOW, [row.sku for row in rows])
    if is_on(tx, feed.connection) or is_mass(len(leaping) + before, judged + of, feed.stock):
        shown = [f"{feed.named(sku)}: {changes[sku][0]} to {max(0, changes[sku][1])}" for sku in leaping[:PREVIEW]]
        told = f"{len(leaping) + before} of {judged + of} SKUs fall to nothing or change by more than half"
        _hold(tx, feed, leaping, f"{told}: {', '.join(shown)}")
        return set(leaping)
    levels.write(tx, feed.connection, feed.at(), [{"sku": sku, "leapt_at": tx.now} for sku in leaping])
    return ()


def absent(tx: Transaction, feed: Braked, rows: Sequence[Any], asked: int) -> None:
    """SKUs that the ERP left out of its answer: nothing is pushed for them."""
    if not rows:
        return
    skus = [row.sku for row in rows]
    if is_mass(sum(row.figure is not None for row in rows), asked, feed.stock) and not released(tx, feed.connection):
        _hold(tx, feed, skus, f"{feed.connection} left {len(skus)} of {asked} SKUs out of its answer")
    else:
        levels.write(tx, feed.connection, feed.at(), [{"sku": sku, "state": "orphan"} for sku in skus])
        levels.settle(tx, feed.connection, feed.at(), skus)


def _hold(tx: Transaction, feed: Braked, skus: Sequence[str], message: str) -> None:
    levels.write(tx, feed.connection, feed.at(), [{"sku": sku, "state": "held", "leapt_at": tx.now} for sku in skus])
    more = "Centra keeps what it shows and deducts its own orders. If it is right: lockstep stock --release"
    feed.case(tx, TYPE, LEAPS, f"{message}. {more} {feed.connection}")


def is_mass(some: int, of: int, stock: Stock | None) -> bool:
    """Whether so many of so many are too many to be believed at once."""
    return some >= LEAST and some * 100 > of * (stock.brake_percent if stock else UNDECLARED)


def is_on(tx: Transaction, connection: str, cause: str = LEAPS) -> bool:
    return (connection, cause) in exceptions.open_causes(tx, TYPE)


def shrunk(tx: Transaction, connection: str, told: int, stock: Stock) -> str:
    """Why a full compare that was told of so many SKUs must not be believed; empty where it is, and remembered then.

    Somebody may add a filter to what the ERP is asked: what that leaves out is not gone.
    """
    before = int(schedule.read_cursor(tx, connection, SIZE) or 0)
    if is_mass(before - told, before, stock):
        return (
            f"{connection} tells of {told} SKUs and told of {before} before: was a filter added to what it is asked? What it "
            f"leaves out keeps its last level. If it is right: lockstep stock --release {connection}"
        )
    schedule.move_cursor(tx, connection, SIZE, str(told))
    return ""


def released(tx: Transaction, connection: str) -> bool:
    """Whether a person has let a mass change pass, not long ago."""
    until = schedule.read_cursor(tx, connection, "brake-released")
    return until is not None and datetime.fromisoformat(until) > tx.now


def release(tx: Transaction, connection: str) -> None:
    """Let what leaps pass for a while; where stock or products shrank, let the next compare tell of as few as it likes."""
    if is_on(tx, connection, FEWER):
        schedule.move_cursor(tx, connection, SIZE, "0")
    if is_on(tx, connection, LACKING):
        listings.forget(tx, connection, tx.now)
    schedule.move_cursor(tx, connection, "brake-released", (tx.now + RELEASED_FOR).isoformat())

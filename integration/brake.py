"""The brake of the stock push: when too many SKUs fall or leap at once, they wait for a person.

A level that is held stays in the storefront as it is; the storefront goes on deducting its own orders. What an ERP leaves
out of its answer is never nothing: it is held, or listed as an orphan.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from integration.domain.stock import leaps
from integration.store import Transaction, exceptions, levels, schedule
from mappings import Stock

WINDOW = timedelta(minutes=10)
"""What leapt in this time counts together: a mass change may come in many small batches."""
LEAST = 20
"""Fewer SKUs than this are no mass change, whatever their share."""
RELEASED_FOR = timedelta(minutes=30)
"""How long a person's word lets leaps pass: long enough to push a catalogue."""
PREVIEW = 10
TYPE = "STOCK_MASS_CHANGE_BRAKE"


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
    if is_on(tx, feed.connection) or _too_many(len(leaping) + before, judged + of, feed):
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
    if _too_many(sum(row.figure is not None for row in rows), asked, feed) and not released(tx, feed.connection):
        _hold(tx, feed, skus, f"{feed.connection} left {len(skus)} of {asked} SKUs out of its answer")
    else:
        levels.write(tx, feed.connection, feed.at(), [{"sku": sku, "state": "orphan"} for sku in skus])
        levels.settle(tx, feed.connection, feed.at(), skus)


def _hold(tx: Transaction, feed: Braked, skus: Sequence[str], message: str) -> None:
    levels.write(tx, feed.connection, feed.at(), [{"sku": sku, "state": "held", "leapt_at": tx.now} for sku in skus])
    more = "Centra keeps what it shows and deducts its own orders. If it is right: lockstep stock --release"
    feed.case(tx, TYPE, "mass change", f"{message}. {more} {feed.connection}")


def _too_many(leaping: int, of: int, feed: Braked) -> bool:
    return leaping >= LEAST and leaping * 100 > of * feed.stock.brake_percent


def is_on(tx: Transaction, connection: str) -> bool:
    return any(where == connection for where, _ in exceptions.open_causes(tx, TYPE))


def released(tx: Transaction, connection: str) -> bool:
    """Whether a person has let a mass change pass, not long ago."""
    until = schedule.read_cursor(tx, connection, "brake-released")
    return until is not None and datetime.fromisoformat(until) > tx.now


def release(tx: Transaction, connection: str) -> None:
    """Let what leaps pass for a while."""
    schedule.move_cursor(tx, connection, "brake-released", (tx.now + RELEASED_FOR).isoformat())

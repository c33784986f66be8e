"""After the sale: every way of learning that something came back, goods or money.

    announced, receipts ──▶ return row ──▶ take_return        overdue: goods that do not come, or are not inspected
    refunds, old_refunds,
    memos ────────────────▶ refund row ──▶ take_refund        uncredited: refunds whose memo is late

Each reads numbers and change stamps, marks, commits, and only then moves its cursor.
"""

from datetime import timedelta

from integration import aftersales
from integration.wiring import World
from tasks.feed import feed
from tasks.intake import connections, storefronts

OLD_EVERY = timedelta(minutes=10)
"""A thousand orders each time: 140,000 a day, so that an order of the last 90 days is read about once a day."""
MEMOS_EVERY = timedelta(minutes=5)
WATCH_EVERY = timedelta(minutes=15)


@feed("returns", every=lambda world: world.settings.poll_every, systems=storefronts)
def announced(instance: str, world: World) -> None:
    """Returns made in Centra, and those that wait for goods and were not looked at for an hour."""
    aftersales.announced(instance, world)


@feed("returns", every=lambda world: world.settings.poll_every, systems=connections, polls=True)
def receipts(connection: str, world: World) -> None:
    """What the ERP's warehouse booked in or inspected."""
    aftersales.receipts(connection, world)


@feed("returns", every=lambda world: WATCH_EVERY, systems=connections)
def overdue(connection: str, world: World) -> None:
    """Goods that do not come, or are not inspected."""
    aftersales.overdue(connection, world)


@feed("finance", every=lambda world: 2 * world.settings.poll_every, systems=storefronts)
def refunds(instance: str, world: World) -> None:
    """Payment histories of orders and returns that were worked on lately."""
    aftersales.refunds(instance, world)


@feed("finance", every=lambda world: OLD_EVERY, systems=storefronts)
def old_refunds(instance: str, world: World) -> None:
    """Payment histories of orders that are over, in turn: nobody tells of a refund on those."""
    aftersales.old_refunds(instance, world)


@feed("finance", every=lambda world: MEMOS_EVERY, systems=connections, polls=True)
def memos(connection: str, world: World) -> None:
    """Credit memos that changed in the ERP: edits by hand, and what no refund explains."""
    aftersales.memos(connection, world)


@feed("finance", every=lambda world: WATCH_EVERY, systems=connections)
def uncredited(connection: str, world: World) -> None:
    """Refunds whose memo is late."""
    aftersales.uncredited(connection, world)

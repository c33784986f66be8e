"""The night: every business day is counted in both systems, settled and reported, in pieces that hold no slot for long.

    reconcile_day ──▶ settle_day ──▶ report_day
      both systems      ledger         exceptions

`nights` (a feed, rung by the sweeper and by beat) marks the days that are over; redundant beats mark the same row.
"""

from datetime import timedelta

from integration import nights as books
from integration.store.ledger import Job
from integration.wiring import World
from tasks.feed import feed
from tasks.intake import connections
from tasks.step import step

LOOK_EVERY = timedelta(minutes=10)


@feed("finance", every=lambda world: LOOK_EVERY, systems=connections, sweeps=True)
def nights(connection: str, world: World) -> None:
    """Business days that are over and were not counted: last night's, and any that was missed."""
    books.call_days(connection, world)


@step("finance", kind="day")
def reconcile_day(job: Job, world: World) -> None:
    """Count and sum orders, shipments and refunds in both systems by market, and name what differs."""
    books.reconcile(job, world)


@step("finance", kind="day")
def settle_day(job: Job, world: World) -> None:
    """Give each difference its class by fact; heal what nobody told us of; count again while it is on its way."""
    books.settle(job, world)


@step("finance", kind="day")
def report_day(job: Job, world: World) -> None:
    """Open a case for what has no reason; close those of this day that have one now."""
    books.report(job, world)

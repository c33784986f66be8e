"""Orders have the right of way: who works for a lower lane lets an order pass, also where both share processors and a ledger.

Queues decide who is served next; they do not stop what was begun. So a task of a lower lane looks when it begins and before
every write to the ledger, and with it before every claim and every call that costs a budget, whether an order is under way,
and rests until it is through: never for long, so that neither a day full of orders nor a system that keeps one for long
stops the books. An order that only a shop knows of is in nobody's ledger yet: for it a lower lane steps aside a moment
between two writes, and looks more seldom than others whether it may write itself.
"""

import time
from typing import Any

from celery.signals import task_prerun

from integration.budget import LANES
from integration.store import LOOKS_EVERY, Store, counts
from tasks.celery import world

RESTS = 0.01
AT_MOST = 0.25
"""Seconds that a task waits for orders before one write."""
STEPS_ASIDE = 0.002
"""Seconds: longer than the time between two looks of who waits to write."""
WAITS_BEHIND = 0.005
"""Seconds between two looks of a lower lane that waits to write."""
IN_ALL = 1.0
"""Seconds that a task waits for orders: an order that a slow system keeps for long does not keep all that others do."""


class Courtesy:
    """How one task of a lower lane lets orders pass."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.left = IN_ALL

    def let_orders_pass(self) -> None:
        """Step aside, and wait while an order is under way."""
        time.sleep(STEPS_ASIDE)  # noqa: TID251 - another process waits to write, in real time
        began = time.monotonic()
        until = began + min(AT_MOST, self.left)
        while time.monotonic() < until and counts.order_under_way(self.store):
            time.sleep(RESTS)  # noqa: TID251 - the order is in other processes, in real time
        self.left -= time.monotonic() - began


@task_prerun.connect
def begin(task: Any, **_: Any) -> None:
    """A worker does one task at a time: what it writes from here on is written for this task's lane."""
    store = world().store
    lower = str(task.name).partition(".")[0] in LANES[1:]
    store.looks_every = WAITS_BEHIND if lower else LOOKS_EVERY
    store.before_write = Courtesy(store).let_orders_pass if lower else at_once
    store.before_write()


def at_once() -> None:
    """An order's own task lets nobody pass."""

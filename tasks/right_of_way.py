"""Orders have the right of way: who works for a lower lane lets an order pass, also where both share processors and a ledger.

Queues decide who is served next; they do not stop what was begun. So a task of a lower lane looks when it begins and before
every write to the ledger, and with it before every claim and every call that costs a budget, whether an order is under way,
and rests until it is through: never for long, so that a day full of orders slows the books and does not stop them.
"""

import time
from typing import Any

from celery.signals import task_prerun

from integration.budget import LANES
from integration.store import Store, counts
from tasks.celery import world

LOOKS_EVERY = 0.01
AT_MOST = 0.25
"""Seconds that a task waits for orders before one write."""


@task_prerun.connect
def begin(task: Any, **_: Any) -> None:
    """A worker does one task at a time: what it writes from here on is written for this task's lane."""
    store = world().store
    lower = str(task.name).partition(".")[0] in LANES[1:]
    store.before_write = (lambda: let_orders_pass(store)) if lower else at_once
    store.before_write()


def at_once() -> None:
    """An order's own task lets nobody pass."""


def let_orders_pass(store: Store) -> None:
    """Wait while an order is under way."""
    until = time.monotonic() + AT_MOST
    while counts.order_under_way(store) and time.monotonic() < until:
        time.sleep(LOOKS_EVERY)  # noqa: TID251 - the order is in other processes, in real time

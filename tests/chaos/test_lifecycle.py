"""The whole lifecycle with real processes and both ERPs: whatever is killed or away, every order, dispatch, return and refund
ends exactly once or in one exception, and nothing is oversold.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping

import pytest
from chaos.blows import LIFECYCLE, SETTINGS, Chaos, orderwise_at_once, with_logs

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.books import Books
from tasks.demo_books import markets_of, read_books
from tasks.demo_clerk import Clerk
from tasks.demo_summary import merged
from tasks.inspection import inspect
from tasks.inspection_goods import inspect_goods, oversold
from tasks.inspection_money import inspect_money
from tasks.stack import Stack

ORDERS = 40
CHAOS_SECONDS = 25.0
PATIENCE = 240.0
"""Seconds until everything must be well: a document takes a dozen calls, on as much of two cores as is left."""
PROCESSES = ("web", "orders", "lanes", "finance", "sweep", "dead-letters")
LIFE = ("--warehouse", "4000", "--customers", "400000", "--scarce", "6", "--empty-shelves", "--both", "50")
"""Warehouses that ship within seconds, customers whose weeks are seconds, SKUs that sell out, and as many orders of each ERP."""


@pytest.mark.timeout(PATIENCE + 180)
@pytest.mark.parametrize("seed", [int(os.environ.get("LOCKSTEP_CHAOS_SEED", "20260504"))])
def test_every_document_ends_exactly_once_or_in_one_exception_whatever_is_killed(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    names, mapped = ("fulfil", "orderwise"), {"orderwise": orderwise_at_once()}
    stack = Stack(processes=PROCESSES, sandbox_first=True, connections=names, mapped=mapped, **SETTINGS)
    day = ("--day", str(ORDERS), "--speed", str(86_400 / CHAOS_SECONDS), "--seed", str(seed), "--mishaps", "2")
    stack.sandbox_words = [*day, *LIFE, *stack.webhook_words()]
    with stack:
        chaos = Chaos(stack, seed, ("orders", "lanes", "lanes", "finance"), LIFECYCLE)
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        _wait_for_opening(stack)
        began = time.monotonic()
        chaos.strike(chaos.orderwise_away)
        while time.monotonic() - began < CHAOS_SECONDS:
            chaos.strike()
            time.sleep(chaos.random.uniform(0.3, 1.2))
            stack.supervisor.restart_dead()
        chaos.heal()
        ended = time.monotonic()
        books, broken = _wait_until_well(stack, store)
        store.close()
        every = {name: _kinds(each) for name, each in books.items()}
        with capsys.disabled():
            print(
                f"\nlifecycle under chaos: {dict(chaos.done)}, {chaos.destroyed} messages destroyed; well"
                f" {time.monotonic() - ended:.0f} s after the last blow: {every}"
            )
        assert not broken, with_logs(broken, stack.folder)
        for name, kinds in every.items():
            assert oversold(books[name]) == {}
            for kind in ("order", "shipment"):
                assert kinds[f"{kind} proven"], f"a run without a proven {kind} in {name} has not seen both ERPs"
        whole = sum(every.values(), Counter[str]())
        assert whole["order proven"] > ORDERS / 2
        for kind in ("return", "refund"):
            assert whole[f"{kind} proven"], f"a run without a proven {kind} has not seen the whole lifecycle"
        assert chaos.done["kill_worker"], "a chaos run that killed no worker has shown nothing"
        assert chaos.done["wipe_broker"] + chaos.done["restart_broker"], "nor one that left the broker alone"


def _wait_for_opening(stack: Stack) -> None:
    """The shop opens when our push has filled its shelves, or a while later without."""
    while not stack.ask(stack.centra_url, "/_sandbox/orders"):
        stack.supervisor.restart_dead()
        time.sleep(0.25)


def _wait_until_well(stack: Stack, store: Store) -> tuple[Mapping[str, Books], dict[str, list[str]]]:
    """Until nothing moves and no promise is broken; what is broken when patience ends stays so in the answer. Meanwhile
    somebody keys into OrderWise what has no call there.
    """
    deadline, quiet, clerk = time.monotonic() + PATIENCE, 0, Clerk(stack, leaves=0)
    while True:
        stack.supervisor.restart_dead()
        quiet = quiet + 1 if not clerk.work(store) and _at_rest(stack, store) else 0
        late = time.monotonic() > deadline
        if quiet >= 8 or late:
            books = read_books(stack, store)
            told = merged([_held_against(each) for each in books.values()])
            broken = {name: sentences[:5] for name, sentences in told.items() if sentences}
            if late or not broken:
                return books, broken
        time.sleep(0.5)


def _at_rest(stack: Stack, store: Store) -> bool:
    """Nothing moves: in our ledger, in the warehouses, or known to Centra alone. Stock never rests: it is looked at as often as
    the ERPs are polled.
    """
    with store.read() as tx:
        if counts.moving(tx, but=["stock"]):
            return False
        known = counts.by_state(tx)
    doors = [(stack.url_of(name), f"/_sandbox/{what}") for name in stack.texts for what in ("shipments", "returns")]
    if any(stack.ask(*door) for door in doors):
        return False
    told = stack.ask(stack.centra_url, "/_sandbox/ledger")
    ours = {kind: sum(n for (its, _), n in known.items() if its == kind) for kind in ("order", "return", "refund")}
    return all(len(told[f"{kind}s"]) <= ours[kind] for kind in ours)


def _kinds(books: Books) -> Counter[str]:
    """Documents of a connection's orders by kind and state."""
    ours = {number for number, order in books.orders.items() if order["market_id"] in markets_of(books.connection)}
    mine = [job for job in books.jobs if str(job["number"] if job["kind"] == "order" else job["order_number"]) in ours]
    return Counter(sorted(f"{job['kind']} {job['state']}" for job in mine))


def _held_against(books: Books) -> dict[str, list[str]]:
    """What breaks each promise, by both systems' own books."""
    orders = [job for job in books.jobs if job["kind"] == "order"]
    cases = [case for case in books.cases if case["kind"] == "order"]
    return inspect(books.centra, books.erp, orders, cases) | inspect_goods(books) | inspect_money(books)

"""The whole lifecycle with real processes: whatever is killed, every order, dispatch, return and refund ends exactly once or in
one exception, and nothing is oversold.
"""

import os
import time
from collections import Counter

import pytest
from chaos.blows import LIFECYCLE, SETTINGS, Chaos, with_logs

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.books import Books
from tasks.demo_books import read_books
from tasks.inspection import inspect
from tasks.inspection_goods import inspect_goods, oversold
from tasks.inspection_money import inspect_money
from tasks.stack import Stack

ORDERS = 40
CHAOS_SECONDS = 25.0
PATIENCE = 240.0
"""Seconds until everything must be well: a document takes a dozen calls, on as much of two cores as is left."""
PROCESSES = ("web", "orders", "lanes", "finance", "sweep", "dead-letters")
LIFE = ("--warehouse", "4000", "--customers", "400000", "--scarce", "6", "--empty-shelves")
"""A warehouse that ships within seconds, customers whose weeks are seconds, and SKUs that sell out."""


@pytest.mark.timeout(PATIENCE + 180)
@pytest.mark.parametrize("seed", [int(os.environ.get("LOCKSTEP_CHAOS_SEED", "20260504"))])
def test_every_document_ends_exactly_once_or_in_one_exception_whatever_is_killed(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(processes=PROCESSES, sandbox_first=True, **SETTINGS)
    day = ("--day", str(ORDERS), "--speed", str(86_400 / CHAOS_SECONDS), "--seed", str(seed), "--mishaps", "2")
    stack.sandbox_words = [*day, *LIFE, *stack.webhook_words()]
    with stack:
        chaos = Chaos(stack, seed, ("orders", "lanes", "lanes", "finance"), LIFECYCLE)
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        _wait_for_opening(stack)
        began = time.monotonic()
        while time.monotonic() - began < CHAOS_SECONDS:
            chaos.strike()
            time.sleep(chaos.random.uniform(0.3, 1.2))
            stack.supervisor.restart_dead()
        chaos.heal()
        ended = time.monotonic()
        books, broken = _wait_until_well(stack, store)
        store.close()
        kinds = Counter(f"{job['kind']} {job['state']}" for job in books.jobs)
        with capsys.disabled():
            print(
                f"\nlifecycle under chaos: {dict(chaos.done)}, {chaos.destroyed} messages destroyed; well"
                f" {time.monotonic() - ended:.0f} s after the last blow: {dict(sorted(kinds.items()))}"
            )
        assert not broken, with_logs(broken, stack.folder)
        assert oversold(books) == {}
        assert kinds["order proven"] > ORDERS / 2
        for kind in ("shipment", "return", "refund"):
            assert kinds[f"{kind} proven"], f"a run without a proven {kind} has not seen the whole lifecycle"
        assert chaos.done["kill_worker"], "a chaos run that killed no worker has shown nothing"
        assert chaos.done["wipe_broker"] + chaos.done["restart_broker"], "nor one that left the broker alone"


def _wait_for_opening(stack: Stack) -> None:
    """The shop opens when our push has filled its shelves, or a while later without."""
    while not stack.ask(stack.centra_url, "/_sandbox/orders"):
        stack.supervisor.restart_dead()
        time.sleep(0.25)


def _wait_until_well(stack: Stack, store: Store) -> tuple[Books, dict[str, list[str]]]:
    """Until nothing moves and no promise is broken; what is broken when patience ends stays so in the answer."""
    deadline, quiet = time.monotonic() + PATIENCE, 0
    while True:
        stack.supervisor.restart_dead()
        quiet = quiet + 1 if _at_rest(stack, store) else 0
        late = time.monotonic() > deadline
        if quiet >= 8 or late:
            books = read_books(stack, store)["fulfil"]
            broken = {name: sentences[:5] for name, sentences in _held_against(books).items() if sentences}
            if late or not broken:
                return books, broken
        time.sleep(0.5)


def _at_rest(stack: Stack, store: Store) -> bool:
    """Nothing moves: in our ledger, in the warehouse, or known to Centra alone. Stock never rests: it is looked at as often
    as the ERP is polled.
    """
    with store.read() as tx:
        if counts.moving(tx) > 1:
            return False
        known = counts.by_state(tx)
    if any(stack.ask(stack.fulfil_url, f"/_sandbox/{what}") for what in ("shipments", "returns")):
        return False
    told = stack.ask(stack.centra_url, "/_sandbox/ledger")
    ours = {kind: sum(n for (its, _), n in known.items() if its == kind) for kind in ("order", "return", "refund")}
    return all(len(told[f"{kind}s"]) <= ours[kind] for kind in ours)


def _held_against(books: Books) -> dict[str, list[str]]:
    """What breaks each promise, by both systems' own books."""
    orders = [job for job in books.jobs if job["kind"] == "order"]
    cases = [case for case in books.cases if case["kind"] == "order"]
    return inspect(books.centra, books.erp, orders, cases) | inspect_goods(books) | inspect_money(books)

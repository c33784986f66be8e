"""Real processes, both ERPs, a real broker, real signals: whatever is killed, each order ends exactly once or in one exception."""

import os
import time

import pytest
from chaos.blows import SETTINGS, Chaos, orderwise_at_once, with_logs

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.books import Books
from tasks.demo_books import read_books
from tasks.demo_summary import merged
from tasks.inspection import inspect
from tasks.stack import Stack

ORDERS = 1_000 if os.environ.get("LOCKSTEP_TEST_TIER") == "ci" else 300
CHAOS_SECONDS = ORDERS / 12
PERCENT = 33
"""So many orders of a hundred are OrderWise's."""
PROCESSES = ("web", "orders", "lanes", "sweep", "dead-letters")


def _at_rest(store: Store, orders: int) -> bool:
    """No order moves. Stock never rests: it is looked at as often as the ERP is polled, and judged elsewhere."""
    with store.read() as tx:
        return counts.moving(tx, but=["stock"]) == 0 and sum(counts.orders_by_state(tx).values()) >= orders


@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", [int(os.environ.get("LOCKSTEP_CHAOS_SEED", "20260504"))])
def test_every_order_ends_exactly_once_or_in_one_exception_whatever_is_killed(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    day = ["--day", str(ORDERS), "--speed", str(86_400 / CHAOS_SECONDS), "--seed", str(seed), "--mishaps", "3"]
    day += ["--both", str(PERCENT)]
    names, mapped = ("fulfil", "orderwise"), {"orderwise": orderwise_at_once()}
    stack = Stack(processes=PROCESSES, connections=names, mapped=mapped, **SETTINGS)
    stack.sandbox_words = [*day, *stack.webhook_words()]
    with stack:
        chaos = Chaos(stack, seed, ("orders", "lanes"))
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        began = time.monotonic()
        while time.monotonic() - began < CHAOS_SECONDS:
            chaos.strike()
            time.sleep(chaos.random.uniform(0.3, 1.2))
            stack.supervisor.restart_dead()
        chaos.heal()
        ended = time.monotonic()
        healed = _wait_for_rest(stack, store)
        books = read_books(stack, store)
        store.close()
        jobs = {str(job["number"]) for each in books.values() for job in each.jobs if job["kind"] == "order"}
        proven = {name: _proven(each) for name, each in books.items()}
        broken = merged([_held_against(each) for each in books.values()])
        restarts = {
            name: process.starts - 1 for name, process in stack.supervisor.processes.items() if process.starts > 1
        }
        with capsys.disabled():
            print(
                f"\nchaos: {len(jobs)} orders, proven {proven}, {dict(chaos.done)}, {chaos.destroyed} messages destroyed, restarts {restarts}, "
                f"at rest {healed - ended:.0f} s after the last blow"
            )
        evidence = {name: sentences[:5] for name, sentences in broken.items() if sentences}
        assert not evidence, with_logs(evidence, stack.folder)
        assert len(jobs) >= ORDERS
        assert proven["orderwise"] > ORDERS / 5, "a run in which few orders were OrderWise's has not seen both ERPs"
        assert chaos.done["kill_worker"], "a chaos run that killed no worker has shown nothing"
        assert chaos.done["wipe_broker"] + chaos.done["restart_broker"], "nor one that left the broker alone"


def _wait_for_rest(stack: Stack, store: Store) -> float:
    deadline = time.monotonic() + 180
    quiet = 0
    while quiet < 10 and time.monotonic() < deadline:
        stack.supervisor.restart_dead()
        quiet = quiet + 1 if _at_rest(store, ORDERS) else 0
        time.sleep(0.5)
    return time.monotonic()


def _proven(books: Books) -> int:
    return sum(job["kind"] == "order" and job["state"] == "proven" for job in books.jobs)


def _held_against(books: Books) -> dict[str, list[str]]:
    """What breaks each promise about orders, by both systems' own books."""
    orders = [job for job in books.jobs if job["kind"] == "order"]
    cases = [case for case in books.cases if case["kind"] == "order"]
    return inspect(books.centra, books.erp, orders, cases)

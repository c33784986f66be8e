"""Real processes, a real broker, real signals: whatever is killed, each order ends exactly once or in one exception."""

import os
import time

import pytest
from chaos.blows import SETTINGS, Chaos, with_logs

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.inspection import inspect
from tasks.stack import Stack

ORDERS = 1_000 if os.environ.get("LOCKSTEP_TEST_TIER") == "ci" else 300
CHAOS_SECONDS = ORDERS / 12
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
    stack = Stack(processes=PROCESSES, **SETTINGS)
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
        orders = stack.ask(stack.centra_url, "/_sandbox/books")
        fulfil = stack.ask(stack.fulfil_url, "/_sandbox/books")
        with store.read() as tx:
            jobs, cases = counts.all_orders(tx), counts.open_cases(tx)
        store.close()
        broken = inspect(orders, fulfil, jobs, [case for case in cases if case["number"]])
        restarts = {
            name: process.starts - 1 for name, process in stack.supervisor.processes.items() if process.starts > 1
        }
        with capsys.disabled():
            print(
                f"\nchaos: {len(orders)} orders, {dict(chaos.done)}, {chaos.destroyed} messages destroyed, restarts {restarts}, "
                f"at rest {healed - ended:.0f} s after the last blow"
            )
        evidence = {name: sentences[:5] for name, sentences in broken.items() if sentences}
        assert not evidence, with_logs(evidence, stack.folder)
        assert len(jobs) >= ORDERS
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

"""Real processes, a real broker, real signals: whatever is killed, each order ends exactly once or in one exception."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.inspection import inspect
from tasks.stack import Stack

ORDERS = 1_000 if os.environ.get("LOCKSTEP_TEST_TIER") == "ci" else 300
CHAOS_SECONDS = ORDERS / 12
PROCESSES = ("web", "orders", "lanes", "sweep", "dead-letters")
SETTINGS = {
    "LOCKSTEP_LEASE_SECONDS": "12",
    "LOCKSTEP_HTTP_READ_SECONDS": "3",
    "LOCKSTEP_POLL_SECONDS": "8",
    "LOCKSTEP_REREAD_SECONDS": "30",
    "LOCKSTEP_PROVE_PATIENCE_SECONDS": "4",
    "LOCKSTEP_BREAKER_SECONDS": "3",
    "LOCKSTEP_BRAND_PLAN": "unlimited",
    "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "30",
}
FAULTS = ("timeout-after", "error-after", "drop-after", "error-before", "html", "throttled", "unavailable")


class Chaos:
    """What a seed does to a stack, and how often."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.destroyed = 0
        self.stopped: list[tuple[float, str]] = []
        self.menu: list[tuple[int, Callable[[], None]]] = [
            (20, self.kill_worker),
            (12, self.pause_worker),
            (12, self.wipe_broker),
            (8, self.restart_broker),
            (5, self.kill_sweeper),
            (5, self.kill_receiver),
            (5, self.kill_drainer),
            (20, self.remote_fault),
        ]

    def strike(self) -> None:
        self.wake_paused()
        acts = [act for _, act in self.menu]
        act = self.random.choices(acts, [weight for weight, _ in self.menu])[0]
        act()
        self.done[act.__name__] += 1

    def wake_paused(self, *, everyone: bool = False) -> None:
        for until, name in list(self.stopped):
            if everyone or time.monotonic() >= until:
                self.stack.supervisor.processes[name].signal(signal.SIGCONT)
                self.stopped.remove((until, name))

    def heal(self) -> None:
        """No more blows: faults that wait for their call are called off, sleepers wake."""
        self.wake_paused(everyone=True)
        self.stack.ask(self.stack.fulfil_url, "/_sandbox/faults", method="DELETE")

    def _a_worker(self) -> str:
        return self.random.choice(("orders", "lanes"))

    def kill_worker(self) -> None:
        self.stack.supervisor.processes[self._a_worker()].kill()

    def pause_worker(self) -> None:
        """Longer than the lease now and then: a zombie comes back and must find that its work is no longer its own."""
        name = self._a_worker()
        self.stack.supervisor.processes[name].signal(signal.SIGSTOP)
        self.stopped.append((time.monotonic() + self.random.uniform(1, 16), name))

    def wipe_broker(self) -> None:
        with redis.Redis(port=self.stack.broker_port) as client:
            self.destroyed += sum(client.llen(queue) for queue in ("orders", "orders.dlq"))
            client.flushall()

    def restart_broker(self) -> None:
        self.stack.supervisor.processes["broker"].kill()
        for file in (self.stack.folder / "appendonlydir").glob("*"):
            file.unlink()

    def kill_sweeper(self) -> None:
        self.stack.supervisor.processes["sweep"].kill()

    def kill_receiver(self) -> None:
        self.stack.supervisor.processes["web"].kill()

    def kill_drainer(self) -> None:
        self.stack.supervisor.processes["dead-letters"].kill()

    def remote_fault(self) -> None:
        plan = {"fault": self.random.choice(FAULTS), "operation": "create_order", "times": self.random.randint(1, 4)}
        self.stack.ask(self.stack.fulfil_url, "/_sandbox/faults", plan)


def _at_rest(store: Store, orders: int) -> bool:
    with store.read() as tx:
        return counts.moving(tx) == 0 and sum(counts.orders_by_state(tx).values()) >= orders


@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", [int(os.environ.get("LOCKSTEP_CHAOS_SEED", "20260504"))])
def test_every_order_ends_exactly_once_or_in_one_exception_whatever_is_killed(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    day = ["--day", str(ORDERS), "--speed", str(86_400 / CHAOS_SECONDS), "--seed", str(seed), "--mishaps", "3"]
    stack = Stack(processes=PROCESSES, **SETTINGS)
    stack.sandbox_words = [*day, *stack.webhook_words()]
    with stack:
        chaos = Chaos(stack, seed)
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
        assert not evidence, _with_logs(evidence, stack.folder)
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


def _with_logs(evidence: dict[str, list[str]], folder: Path) -> str:
    tails = {path.name: path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))}
    return f"{evidence}\n" + "\n".join(f"--- {name}\n{text}" for name, text in tails.items())

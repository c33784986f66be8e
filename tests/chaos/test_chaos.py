"""Real processes, a real broker, real signals: whatever is killed, every order, dispatch, return and refund ends exactly
once or in one exception, and nothing is oversold.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from integration.budget import LANES
from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.books import Books
from tasks.demo_summary import read_books
from tasks.inspection import inspect
from tasks.inspection_goods import inspect_goods, oversold
from tasks.inspection_money import inspect_money
from tasks.stack import Stack

ORDERS = 1_000 if os.environ.get("LOCKSTEP_TEST_TIER") == "ci" else 300
CHAOS_SECONDS = ORDERS / 12
PATIENCE = 120 + ORDERS
"""Seconds until everything must have come to rest: a document takes a dozen calls, on as much of two cores as is left."""
STOCK = 1
"""The one document that never rests: a connection's stock is looked at as often as the ERP is polled."""
PROCESSES = ("web", "orders", "lanes", "finance", "sweep", "dead-letters")
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
LIFE = {"--warehouse": "4000", "--customers": "400000", "--scarce": "6"}
"""A warehouse that ships within seconds, customers whose weeks are seconds, and SKUs that sell out. About a third of what
was shipped comes back or is refunded, which bounds the time."""
FAULTS = ("timeout-after", "error-after", "drop-after", "error-before", "html", "throttled", "unavailable")
OPERATIONS = (
    *[("fulfil", "create_order")] * 3,
    *(("fulfil", operation) for operation in ("return_order", "create_invoice", "post")),
    *(("centra", f"{verb}Shipment") for verb in ("create", "capture", "complete")),
    *(("centra", operation) for operation in ("setStock", "completeReturn")),
)


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
        for base in (self.stack.fulfil_url, self.stack.centra_url):
            self.stack.ask(base, "/_sandbox/faults", method="DELETE")

    def _a_worker(self) -> str:
        return self.random.choice(("orders", "lanes", "lanes", "finance"))

    def kill_worker(self) -> None:
        self.stack.supervisor.processes[self._a_worker()].kill()

    def pause_worker(self) -> None:
        """Longer than the lease now and then: a zombie comes back and must find that its work is no longer its own."""
        name = self._a_worker()
        self.stack.supervisor.processes[name].signal(signal.SIGSTOP)
        self.stopped.append((time.monotonic() + self.random.uniform(1, 16), name))

    def wipe_broker(self) -> None:
        with redis.Redis(port=self.stack.broker_port) as client:
            self.destroyed += sum(client.llen(queue) for lane in LANES for queue in (lane, f"{lane}.dlq"))
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
        where, operation = self.random.choice(OPERATIONS)
        plan = {"fault": self.random.choice(FAULTS), "operation": operation, "times": self.random.randint(1, 4)}
        base = self.stack.centra_url if where == "centra" else self.stack.fulfil_url
        self.stack.ask(base, "/_sandbox/faults", plan)


def _at_rest(stack: Stack, store: Store) -> bool:
    """Nothing moves: in our ledger, in the warehouse, or known to Centra alone."""
    with store.read() as tx:
        if counts.moving(tx) > STOCK:
            return False
        known = counts.by_state(tx)
    if any(stack.ask(stack.fulfil_url, f"/_sandbox/{what}") for what in ("shipments", "returns")):
        return False
    told = stack.ask(stack.centra_url, "/_sandbox/ledger")
    ours = {kind: sum(n for (its, _), n in known.items() if its == kind) for kind in ("order", "return", "refund")}
    return all(len(told[f"{kind}s"]) <= ours[kind] for kind in ours)


@pytest.mark.timeout(PATIENCE + 300)
@pytest.mark.parametrize("seed", [int(os.environ.get("LOCKSTEP_CHAOS_SEED", "20260504"))])
def test_every_document_ends_exactly_once_or_in_one_exception_whatever_is_killed(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    day = ["--day", str(ORDERS), "--speed", str(86_400 / CHAOS_SECONDS), "--seed", str(seed), "--mishaps", "3"]
    stack = Stack(processes=PROCESSES, sandbox_first=True, **SETTINGS)
    life = [word for pair in LIFE.items() for word in pair]
    stack.sandbox_words = [*day, *life, "--empty-shelves", *stack.webhook_words()]
    with stack:
        chaos = Chaos(stack, seed)
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        _wait_for_opening(stack)
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
        restarts = {
            name: process.starts - 1 for name, process in stack.supervisor.processes.items() if process.starts > 1
        }
        kinds = Counter(f"{job['kind']} {job['state']}" for job in books.jobs)
        with capsys.disabled():
            print(
                f"\nchaos: {len(books.orders)} orders, {dict(chaos.done)}, {chaos.destroyed} messages destroyed, "
                f"restarts {restarts}, at rest {healed - ended:.0f} s after the last blow\n{dict(sorted(kinds.items()))}"
            )
        evidence = {name: sentences[:5] for name, sentences in _broken(books).items() if sentences}
        assert not evidence, _with_logs(evidence, stack.folder)
        assert oversold(books) == {}
        assert kinds["order proven"] > ORDERS / 2
        assert kinds["shipment proven"], "a run without a dispatch has not seen the whole lifecycle"
        assert kinds["return proven"], "nor one in which nothing came back"
        assert kinds["refund proven"], "nor one in which nothing was paid back"
        assert chaos.done["kill_worker"], "a chaos run that killed no worker has shown nothing"
        assert chaos.done["wipe_broker"] + chaos.done["restart_broker"], "nor one that left the broker alone"


def _broken(books: Books) -> dict[str, list[str]]:
    """What breaks each promise, by both systems' own books."""
    orders = [job for job in books.jobs if job["kind"] == "order"]
    cases = [case for case in books.cases if case["kind"] == "order"]
    return inspect(books.centra, books.fulfil, orders, cases) | inspect_goods(books) | inspect_money(books)


def _wait_for_opening(stack: Stack) -> None:
    """The shop opens when our push has filled its shelves, or a while later without."""
    while not stack.ask(stack.centra_url, "/_sandbox/orders"):
        stack.supervisor.restart_dead()
        time.sleep(0.25)


def _wait_for_rest(stack: Stack, store: Store) -> float:
    deadline = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < 10 and time.monotonic() < deadline:
        stack.supervisor.restart_dead()
        quiet = quiet + 1 if _at_rest(stack, store) else 0
        time.sleep(0.5)
    return time.monotonic()


def _with_logs(evidence: dict[str, list[str]], folder: Path) -> str:
    tails = {path.name: path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))}
    return f"{evidence}\n" + "\n".join(f"--- {name}\n{text}" for name, text in tails.items())

"""What is done to a stack of real processes: kills, stops, wiped brokers, and remote systems that fail."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import redis

import mappings
from integration.budget import LANES
from tasks.stack import Stack

SETTINGS = {
    "LOCKSTEP_LEASE_SECONDS": "12",
    "LOCKSTEP_HTTP_READ_SECONDS": "3",
    "LOCKSTEP_POLL_SECONDS": "8",
    "LOCKSTEP_REREAD_SECONDS": "30",
    "LOCKSTEP_PROVE_PATIENCE_SECONDS": "4",
    "LOCKSTEP_BREAKER_SECONDS": "3",
    "LOCKSTEP_BRAND_PLAN": "unlimited",
    "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "30",
    "LOCKSTEP_ORDERWISE_REQUESTS_PER_SECOND": "30",
}
FAULTS = ("timeout-after", "error-after", "drop-after", "error-before", "html", "throttled", "unavailable")
POSTING = (("fulfil", "create_order"), ("orderwise", "create_order"))
LIFECYCLE = (
    *[("fulfil", "create_order")] * 3,
    *(("fulfil", operation) for operation in ("return_order", "create_invoice", "post")),
    *(("centra", f"{verb}Shipment") for verb in ("create", "capture", "complete")),
    *(("centra", operation) for operation in ("setStock", "completeReturn")),
    *[("orderwise", "create_order")] * 3,
    ("orderwise", "export_definition"),
)
"""Every write of every lane, and what all of OrderWise is read by."""
AWAY = ("unavailable", "slow")
"""How a whole ERP is away for a while; silent it is by its calls' own faults, each of which holds a thread of the sandbox."""


AT_ONCE = {'trigger = "schedule"': 'trigger = "event"', "queue_minutes = 15": "queue_minutes = 1"}
"""What OrderWise's mapping says otherwise than the example: its schedule is tried in the simulation, where a minute costs nothing."""


class Chaos:
    """What a seed does to a stack, and how often: kills among `workers`, faults of `calls`, each (system, operation)."""

    def __init__(
        self, stack: Stack, seed: int, workers: Sequence[str], calls: Sequence[tuple[str, str]] = POSTING
    ) -> None:
        self.stack, self.workers, self.calls = stack, workers, calls
        self.urls = {"centra": stack.centra_url} | {name: stack.url_of(name) for name in stack.texts}
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.destroyed = 0
        self.stopped: list[tuple[float, str]] = []
        self.away_until = 0.0
        self.menu: list[tuple[int, Callable[[], None]]] = [
            (20, self.kill_worker),
            (12, self.pause_worker),
            (12, self.wipe_broker),
            (8, self.restart_broker),
            (5, self.kill_sweeper),
            (5, self.kill_receiver),
            (5, self.kill_drainer),
            (20, self.remote_fault),
            *[(10, self.orderwise_away)] * ("orderwise" in stack.texts),
        ]

    def strike(self, act: Callable[[], None] | None = None) -> None:
        """One blow: this one, or any."""
        self.wake_paused()
        if self.away_until and time.monotonic() >= self.away_until:
            self._back()
        if act is None:
            (act,) = self.random.choices([act for _, act in self.menu], [weight for weight, _ in self.menu])
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
        for url in self.urls.values():
            self.stack.ask(url, "/_sandbox/faults", method="DELETE")

    def _a_worker(self) -> str:
        return self.random.choice(self.workers)

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
        system, operation = self.random.choice(self.calls)
        plan = {"fault": self.random.choice(FAULTS), "operation": operation, "times": self.random.randint(1, 4)}
        self.stack.ask(self.urls[system], "/_sandbox/faults", plan)

    def orderwise_away(self) -> None:
        """Whatever is asked of it: for some seconds it is down or slow. The other ERP's orders go on."""
        plan = {"fault": self.random.choice(AWAY), "times": 1_000, "seconds": 2}
        self.stack.ask(self.urls["orderwise"], "/_sandbox/faults", plan)
        self.away_until = time.monotonic() + self.random.uniform(3, 8)

    def _back(self) -> None:
        self.stack.ask(self.urls["orderwise"], "/_sandbox/faults", method="DELETE")
        self.away_until = 0.0


def orderwise_at_once() -> str:
    """The example's mapping of OrderWise with `AT_ONCE`."""
    text = Path(mappings.__file__).with_name("orderwise.toml").read_text("utf-8")
    for theirs, ours in AT_ONCE.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


def with_logs(evidence: dict[str, list[str]], folder: Path) -> str:
    """The evidence, and the end of every process's log."""
    tails = {path.name: path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))}
    return f"{evidence}\n" + "\n".join(f"--- {name}\n{text}" for name, text in tails.items())

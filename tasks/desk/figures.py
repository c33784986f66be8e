"""What the ledger says in figures: on Flower's /metrics, and as the count in the navigation.

One reading serves everybody for five seconds. It is taken in a thread; while the ledger is away there are no figures,
because old ones would lie, and `lockstep_ledger_up` says so.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import structlog
from flower.views import monitor
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from integration import health
from integration.budget import LANES
from integration.store import letters
from integration.wiring import World

TRUE_FOR = 30.0
"""Seconds after which a reading is not shown to Prometheus any more, whatever keeps the next one."""
GOOD_FOR = 5.0
"""Seconds that a reading is used: however often somebody scrapes, the ledger is asked this often."""

log = structlog.get_logger()

Series = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """Every series by its labels, and the number of open cases."""

    open_cases: int
    series: Mapping[str, Series]


HELP = {
    "lockstep_open_exceptions": ("Open exceptions by type", ["type"]),
    "lockstep_open_money_minor": ("Money at risk in open exceptions, in minor units", ["type", "currency"]),
    "lockstep_lane_oldest_seconds": ("How long the oldest due work of a lane has been waiting", ["lane"]),
    "lockstep_lane_due": ("Work of a lane that is due and that nobody holds", ["lane"]),
    "lockstep_orders": ("Orders by state", ["state"]),
    "lockstep_dead_letters": ("Dead letters read from a lane's queue so far", ["lane"]),
    "lockstep_heartbeat_age_seconds": ("Seconds since a process last said that it works", ["process"]),
    "lockstep_breaker_open": ("1 while calls to a system are stopped by an outage", ["system"]),
}
"""Metric to (help, labels). No label ever names a document or a person."""


def read_figures(world: World) -> Reading:
    """One look at the ledger."""
    now = health.status(world)
    with world.store.read() as tx:
        dead = letters.counts(tx)
    kinds = now["exceptions"]
    series: dict[str, Series] = {
        "lockstep_open_exceptions": {(kind["type"],): kind["open"] for kind in kinds},
        "lockstep_open_money_minor": {
            (kind["type"], money["currency"]): money["minor"] for kind in kinds for money in kind["money"]
        },
        "lockstep_lane_oldest_seconds": {(lane["lane"],): lane["oldest_seconds"] or 0 for lane in now["lanes"]},
        "lockstep_lane_due": {(lane["lane"],): lane["due"] for lane in now["lanes"]},
        "lockstep_orders": {(state,): count for state, count in now["orders"].items()},
        "lockstep_dead_letters": {(lane,): dead.get(lane, 0) for lane in LANES},
        "lockstep_heartbeat_age_seconds": {(beat["process"],): beat["age_seconds"] for beat in now["heartbeats"]},
        "lockstep_breaker_open": {(row["system"],): int(row["open"]) for row in now["breakers"]},
    }
    return Reading(sum(kind["open"] for kind in kinds), series)


class Figures:
    """The last reading, taken anew when it is too old; a Prometheus collector, and what the navigation asks."""

    def __init__(self, world: Callable[[], World], read: Callable[[World], Reading] = read_figures) -> None:
        self._take = lambda: read(world())
        self._thread = ThreadPoolExecutor(1, "desk-figures")  # one: a slow ledger holds up no other page
        self._lock = Lock()
        self._taking: Future[None] | None = None
        self._taken_at = float("-inf")
        self._reading: Reading | None = None

    def refresh(self) -> "Future[None]":
        """See to it that the reading is fresh; the future ends when it is. Callers share one look at the ledger."""
        with self._lock:
            running = self._taking is not None and not self._taking.done()
            if self._taking is None or (not running and time.monotonic() - self._taken_at > GOOD_FOR):
                self._taking = self._thread.submit(self._look)
            return self._taking

    def _look(self) -> None:
        try:
            self._reading = self._take()
        except Exception as error:  # noqa: BLE001 - whatever it was, Flower's own metrics must still be answered
            self._reading = None
            log.warning("desk.no-figures", error=type(error).__name__)
        self._taken_at = time.monotonic()

    def open_cases(self) -> int:
        """Open cases as last read, at once: a page of Flower's never waits for our ledger."""
        self.refresh()
        return self._reading.open_cases if self._reading else 0

    def collect(self) -> Iterator[Metric]:
        """Gauges for Prometheus, from the last reading."""
        reading = self._reading if time.monotonic() - self._taken_at < TRUE_FOR else None
        up = GaugeMetricFamily("lockstep_ledger_up", "1 when the ledger could be read")
        up.add_metric([], float(reading is not None))
        yield up
        for name, (told, labels) in HELP.items():
            gauge = GaugeMetricFamily(name, told, labels=labels)
            for values, figure in (reading.series[name] if reading else {}).items():
                gauge.add_metric(list(values), float(figure))
            yield gauge

    def describe(self) -> list[Any]:
        """Nothing is read at registration."""
        return []


class MetricsPage(monitor.Metrics):
    """GET /metrics: Flower's own, after our reading has been refreshed in its thread, or could not be in time."""

    async def get(self) -> None:
        await asyncio.wait([asyncio.wrap_future(self.settings["desk"].refresh())], timeout=GOOD_FOR)
        await super().get()

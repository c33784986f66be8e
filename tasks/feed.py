"""A feed: a read of one system that only marks rows. Rung by the sweeper once a slot; harmless when doubled or lost.

Feeds are tasks `<lane>.<function>` that take `(system, "feed", slot)`: a key like any other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sentry_sdk
import structlog
from celery import Task

from integration.domain.order import Key
from integration.errors import LockstepError, Rejected, Unavailable, Unknown
from integration.store import StoreDown, Transaction, exceptions, schedule
from integration.wiring import World
from tasks import refusals
from tasks.celery import CHAINS, TASKS, app, world
from tasks.refusals import Reader
from tasks.step import Bug, outage, place_of

log = structlog.get_logger()

Feed = Callable[[str, World], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """A feed and its terms: once every `every(world)`, for each system of `systems(world)`; one that `polls` an ERP as rarely
    as its mapping asks for.
    """

    name: str
    function: Feed
    every: Callable[[World], timedelta]
    systems: Callable[[World], list[str]]
    sweeps: bool
    polls: bool

    def slot(self, world: World, now: datetime, *, peak: bool, at_least: timedelta = timedelta(0)) -> str:
        """The slot of a moment; a sweep's slots are longer in a peak, a poll's are `at_least` so long."""
        seconds = self.every(world).total_seconds() * (PEAK_STRETCH if peak and self.sweeps else 1)
        if self.polls:
            seconds = max(seconds, at_least.total_seconds())
        return str(int(now.timestamp() // seconds))


PEAK_STRETCH = 6
"""How many times rarer a sweep runs while somebody has declared a peak: what it finds can wait for an hour or two."""
FEEDS: dict[str, Reading] = {}


def feed(
    lane: str,
    *,
    every: Callable[[World], timedelta],
    systems: Callable[[World], list[str]],
    sweeps: bool = False,
    polls: bool = False,
) -> Callable[[Feed], Feed]:
    """Make a function a feed of a lane. One that `sweeps` finds what others missed, and may wait in a peak; one that `polls`
    asks an ERP what has changed.
    """

    def register(function: Feed) -> Feed:
        reading = Reading(function.__name__, function, every, systems, sweeps, polls)
        FEEDS[reading.name] = reading
        TASKS["feed", reading.name] = f"{lane}.{reading.name}"
        CHAINS["feed", reading.name] = (reading.name,)

        @app.task(name=f"{lane}.{reading.name}", bind=True, throws=(LockstepError,), max_retries=0)
        def task(self: Task, system: str, kind: str, slot: str) -> None:
            run_feed(reading, system, world())

        return function

    return register


def run_feed(reading: Reading, system: str, world: World) -> None:
    """Run a feed. An outage waits for the next slot; a refusal becomes a case of the connection; a bug is raised."""
    try:
        if system not in reading.systems(world):  # a forged message, or a connection that is gone
            log.warning("feed.unknown", feed=reading.name)
            return
        _run_once(reading, system, world)
    except StoreDown as error:
        log.error("ledger.away", feed=reading.name, system=system, error=str(error))


def _run_once(reading: Reading, system: str, world: World) -> None:
    reader = Reader(system, reading.name)
    try:
        reading.function(system, world)
    except StoreDown:
        raise
    except (Unavailable, Unknown) as error:  # a confirmation in doubt is no harm: the same events come again
        log.warning("feed.waits", feed=reading.name, system=system, error=str(error))
        if isinstance(error, Unavailable) and error.connection_wide:
            with world.store.write("outage") as tx:
                outage(error, world)(tx)
    except Rejected as error:
        log.error("feed.refused", feed=reading.name, system=system, type=error.type, error=str(error))
        with world.store.write("feed.refused") as tx:
            _open_case(tx, world, system, error.type, error.cause, str(error))
            refusals.remember(tx, reader, error.type, error.cause)
    except Exception as error:  # noqa: BLE001 - a door: whatever it is, a case is opened for it
        place = place_of(error)
        words = f"a fault of ours in feed {reading.name}: {place}"
        with world.store.write("feed.case") as tx:
            _open_case(tx, world, system, "DEAD_LETTER", f"{reading.name}: {place}", words)
        sentry_sdk.capture_exception(error)
        raise Bug(place) from None  # its own words may hold personal data; the worker logs what is raised here
    else:
        _answered(reader, world)


def _answered(reader: Reader, world: World) -> None:
    """Looked at before anything is locked: a feed is hardly ever refused."""
    with world.store.read() as tx:
        was_refused = refusals.was_refused(tx, reader)
    if was_refused:
        with world.store.write("feed.answered") as tx:
            refusals.answered(tx, reader)


def _open_case(tx: Transaction, world: World, system: str, type: str, cause: str, message: str) -> None:
    exceptions.open_case(tx, world.case(type, cause, message, connection=system))


def ring_due(world: World) -> int:
    """Ring every feed whose slot has begun and was not rung: two sweepers ring it once."""
    with world.store.read() as tx:
        now, peak = tx.now, schedule.is_peak(tx)
    rests = {mapping.connection: mapping.poll_every for mapping in world.connections()}
    systems = {named: named(world) for named in dict.fromkeys(reading.systems for reading in FEEDS.values())}
    slots: dict[tuple[str, str], tuple[Reading, str]] = {}
    for reading in FEEDS.values():
        for system in systems[reading.systems]:
            slot = reading.slot(world, now, peak=peak, at_least=rests.get(system, timedelta(0)))
            slots[f"{reading.name}:{system}", slot] = reading, system
    with world.store.read() as tx:
        begun = schedule.begun(tx, {run for run, _ in slots}, {slot for _, slot in slots})
    rung = 0
    for (run, slot), (reading, system) in slots.items():
        if (run, slot) in begun:
            continue
        with world.store.write("slot") as tx:
            first = schedule.begin_run(tx, run, slot)
        if first:
            world.ring(reading.name, Key(system, "feed", slot))
            rung += 1
    return rung

"""One thread, one seed, a virtual clock: actors are greenlets that switch only where they wait.

A crash is a kill -9: the actor is never resumed, so no `finally` of it ever runs. It lies in the graveyard, because
dropping the last reference would raise `GreenletExit` inside it and run the very handlers that a kill does not.
"""

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import greenlet
import structlog

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


class Actor(greenlet.greenlet):
    """Somebody who acts in virtual time. `mortal` says what is to happen after a crash; without it none can happen."""

    def __init__(self, name: str, work: Callable[[], Any], mortal: Callable[["Actor"], None] | None) -> None:
        super().__init__(work)
        self.name = name
        self.mortal = mortal
        self.crashed = False
        self.ticket = 0


class Scheduler:
    """Runs whoever is due next. `roll_back` undoes what a crashed actor had not committed."""

    def __init__(self, seed: int, *, listener: Callable[[float, str, str], None] | None = None) -> None:
        self.random = Random(f"{seed}:sched")
        self.now = 0.0
        self.steps = 0
        self.passed: Counter[str] = Counter()
        """How often each crash point was passed."""
        self.crashed_at: Counter[str] = Counter()
        self.kills_at: Callable[[str], bool] = lambda point: False
        self.stops_at: Callable[[str], bool] = lambda point: False
        self.in_transaction: Callable[[], bool] = lambda: False
        self.roll_back: Callable[[], None] = lambda: None
        self._listener = listener
        self._trace = hashlib.sha256()
        self._agenda: list[tuple[float, float, int, Actor, int]] = []
        self._count = itertools.count()
        self._main = greenlet.getcurrent()
        self._living: dict[Actor, None] = {}
        self._over = False

    # ------------------------------------------------------------------------------------------------ what is told

    def tell(self, event: str) -> None:
        """An event of the story: it belongs to the trace by which two runs of a seed are compared."""
        name = self.actor.name if self.actor else "world"
        self._trace.update(f"{self.now:.6f} {name} {event}\n".encode())
        if self._listener:
            self._listener(self.now, name, event)

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    @property
    def actor(self) -> Actor | None:
        current = greenlet.getcurrent()
        return current if isinstance(current, Actor) else None

    # ------------------------------------------------------------------------------------------------ what actors do

    def spawn(
        self, name: str, work: Callable[[], Any], *, delay: float = 0.0, mortal: Callable[[Actor], None] | None = None
    ) -> Actor:
        actor = Actor(name, work, mortal)
        actor.parent = self._main  # or the end of an actor would resume whoever spawned it, asleep or dead
        self._living[actor] = None
        self._resume(actor, delay)
        return actor

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass for the current actor; outside of any actor (while a world is built) none passes."""
        actor = self.actor
        if actor is None or self._over:
            return
        if self.in_transaction():
            raise AssertionError(f"{actor.name} waits inside a transaction: every other actor would wait for it")
        self._resume(actor, seconds)
        self._main.switch()

    def park(self, timeout: float | None = None) -> None:
        """Wait until somebody wakes this actor, or the time is over."""
        actor = self.actor
        assert actor is not None
        actor.ticket += 1
        if timeout is not None:
            self._resume(actor, timeout)
        self._main.switch()

    def wake(self, actor: Actor) -> None:
        self._resume(actor, 0.0)

    def point(self, name: str) -> None:
        """A seam of the production code: a place to be killed, to be stopped for minutes, or to be overtaken."""
        actor = self.actor
        if actor is None or self._over:
            return
        if actor.mortal:
            self.passed[name] += 1
        if actor.mortal and self.kills_at(name):
            self._crash(actor, name)
        if name.endswith(".before-commit"):
            return
        if actor.mortal and self.stops_at(name):
            seconds = self.random.uniform(30, 400)
            self.tell(f"stopped for {seconds:.0f} s at {name}")
            self.sleep(seconds)
        else:
            self.sleep(self.random.expovariate(20))

    def _crash(self, actor: Actor, name: str) -> None:
        self.crashed_at[name] += 1
        self.tell(f"killed at {name}")
        actor.crashed = True
        self.roll_back()
        assert actor.mortal is not None
        actor.mortal(actor)
        self._main.switch()

    def _resume(self, actor: Actor, delay: float) -> None:
        actor.ticket += 1
        entry = (self.now + delay, self.random.random(), next(self._count), actor, actor.ticket)
        heapq.heappush(self._agenda, entry)

    # ------------------------------------------------------------------------------------------------ the run

    def run(self, until: float, after_step: Callable[[], None], *, done: Callable[[], bool] = lambda: False) -> bool:
        """Go on to `until`, or until `done` says so; which of the two came first."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, _, actor, ticket = heapq.heappop(self._agenda)
            if actor.crashed or actor.dead or ticket != actor.ticket:
                continue
            self.now = max(self.now, at)
            self.steps += 1
            actor.switch()
            if actor.dead:
                self._living.pop(actor, None)
            after_step()
            if done():
                return True
        self.now = max(self.now, until)
        return False

    def close(self) -> None:
        """After the last check nothing matters any more: let every actor go, the dead ones too, and free their memory."""
        self._over = True
        for actor in list(self._living):
            if not actor.dead:
                with suppress(Exception):
                    actor.throw(greenlet.GreenletExit)
        self._living.clear()
        self._agenda.clear()


class SimClock:
    """The one clock of both sides."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._timers = itertools.count(1)

    def now(self) -> datetime:
        return START + timedelta(seconds=self._scheduler.now)

    def sleep(self, seconds: float) -> None:
        self._scheduler.sleep(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self._scheduler.spawn(f"timer-{next(self._timers)}", act, delay=seconds)


@contextmanager
def told_to(scheduler: Scheduler) -> Iterator[None]:
    """The product's own log becomes part of the story, and is written nowhere else."""

    def tell(_logger: Any, _method: str, words: dict[str, Any]) -> dict[str, Any]:
        about = {
            name: value for name, value in words.items() if value and name not in ("event", "key", "error", "note")
        }
        shown = " ".join(map(str, [words.get("key", ""), *about.values()])).strip()
        scheduler.tell(": ".join([words["event"], shown, *(words[why] for why in ("note", "error") if words.get(why))]))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[tell])
    try:
        yield
    finally:
        structlog.configure(**before)

"""Workers in virtual time: threads of which one runs at a time, on a clock that jumps to the next who has something to do.

The queues are lists in lane order, as on one Redis; the workers are the Procfile's. Work takes no time here: only quotas
and waits do, so what is measured is what they alone cost.
"""

import heapq
import math
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from stage import StageClock

from integration.budget import LANES
from integration.domain.order import Key
from integration.wiring import World
from tasks import feed, step, sweep
from tasks.celery import CHAINS, TASKS

WORKERS = (*[("orders",)] * 2, *[("orders", "shipments", "returns", "stock")] * 2, ("finance",))
"""The lanes of every worker process, in order of precedence."""
IDLE = 0.1
"""Seconds after which an idle worker looks again."""


class TurnClock(StageClock):
    """A clock whose `sleep` gives the turn to whoever wakes first."""

    def __init__(self) -> None:
        super().__init__()
        self._agenda: list[tuple[datetime, int, Callable[[], None] | threading.Event]] = []
        self._numbers = count()
        self._mine = threading.local()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.instant + timedelta(seconds=seconds), next(self._numbers), act))

    def sleep(self, seconds: float) -> None:
        turn: threading.Event | None = getattr(self._mine, "turn", None)
        if turn is None:  # outside of `run`: nobody else is there
            self._pass(until=self.instant + timedelta(seconds=seconds))
            return
        heapq.heappush(self._agenda, (self.instant + timedelta(seconds=seconds), next(self._numbers), turn))
        turn.clear()
        self._pass()
        turn.wait()

    def _pass(self, until: datetime | None = None) -> None:
        """Let what is due happen, until it is somebody's turn."""
        while self._agenda and (until is None or self._agenda[0][0] <= until):
            at, _, what = heapq.heappop(self._agenda)
            self.instant = max(self.instant, at)
            if isinstance(what, threading.Event):
                what.set()
                return
            what()
        if until is not None:
            self.instant = until

    def run(self, works: list[Callable[[], None]]) -> None:
        """Run these side by side until each returns."""
        ended = [threading.Event() for _ in works]

        def begin(work: Callable[[], None], turn: threading.Event, end: threading.Event) -> None:
            self._mine.turn = turn
            turn.wait()
            try:
                work()
            finally:
                end.set()
                self._pass()

        for work, end in zip(works, ended, strict=True):
            turn = threading.Event()
            threading.Thread(target=begin, args=(work, turn, end), daemon=True).start()
            heapq.heappush(self._agenda, (self.instant, next(self._numbers), turn))
        self._pass()
        for end in ended:
            end.wait()


class Day:
    """The queues, and the processes around them."""

    def __init__(self, world: World, clock: TurnClock) -> None:
        self.world, self.clock = world, clock
        self.queues: dict[str, deque[tuple[tuple[str, ...], Key, int]]] = {lane: deque() for lane in LANES}
        self.refused: list[str] = []
        self._over = False

    def ring(self, link: str, key: Key) -> None:
        self.publish(CHAINS[key.kind, link], key)

    def publish(self, links: tuple[str, ...], key: Key, retries: int = 0) -> None:
        lane = TASKS[key.kind, links[0]].split(".")[0]
        self.queues[lane].append((links, key, retries))

    def until(self, done: Callable[[], bool], most: timedelta) -> None:
        """Let everybody work until `done` or for so long. Raises `TimeoutError`."""
        end, self._over, was_done = self.clock.now() + most, False, False

        def sweeper() -> None:
            nonlocal was_done
            while not self._over:
                sweep.tick(self.world)
                self.clock.sleep(self.world.settings.sweep_every.total_seconds())
                was_done = done()
                self._over = was_done or self.clock.now() >= end

        self.clock.run([sweeper, *[lambda lanes=lanes: self._worker(lanes) for lanes in WORKERS]])
        if not was_done:
            raise TimeoutError(f"not done within {most} of virtual time")

    def _worker(self, lanes: tuple[str, ...]) -> None:
        while not self._over:
            lane = next((lane for lane in lanes if self.queues[lane]), None)
            if lane is None:
                self.clock.sleep(IDLE)
            else:
                self._work(*self.queues[lane].popleft())

    def _work(self, links: tuple[str, ...], key: Key, retries: int) -> None:
        """One task, as `tasks.step` runs it: a retry comes back in whole seconds, an end goes on with the chain."""
        name = links[0]
        if name in feed.FEEDS:
            feed.run_feed(feed.FEEDS[name], key.instance, self.world)
            return
        verdict: Any = step.run(step.LINKS[key.kind, name], key, self.world, task_id=f"{name}-{key}", retries=retries)
        if verdict.retry_in is not None:
            self.clock.later(math.ceil(verdict.retry_in.total_seconds()), lambda: self.publish(links, key, retries + 1))
        elif verdict.died is not None:
            self.refused.append(f"{name} {key}: {verdict.died}")
        elif links[1:]:
            self.publish(links[1:], key)

"""The sandbox's own idea of time, so that a simulation can hand it another one."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a sandbox app needs of time."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Run `act` once, `seconds` from now."""


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()


class HandClock:
    """A clock that stands still until `pass_time` moves it; what is due then happens in order, in the caller's thread."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._ids = itertools.count()

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), next(self._ids), act))

    def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass, and everything that falls due within them happen at its own moment."""
        until = self._now + timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= until:
            at, _, act = heapq.heappop(self._due)
            self._now = max(self._now, at)
            act()
        self._now = max(self._now, until)

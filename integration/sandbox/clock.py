"""The sandbox's own idea of time, so that a simulation can hand it another one."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
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

"""When a released order goes to the ERP: at once, or on a schedule once nothing in it has changed for a while."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

AT_ONCE, ON_SCHEDULE = "event", "schedule"
TRIGGERS = (AT_ONCE, ON_SCHEDULE)
_MINUTE, _TWO_DAYS = timedelta(minutes=1), timedelta(days=2)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Schedule:
    """`settle` without a change and an order is settled; so long `at_most` after it was placed it goes as it is.

    Runs are `every` so often, from midnight UTC. None is in the `closed` hours of the connection's time zone, each a
    (from, to) of local times that may pass midnight.
    """

    trigger: str
    settle: timedelta
    at_most: timedelta
    every: timedelta
    closed: tuple[tuple[time, time], ...] = ()

    def run_for(self, placed_at: datetime, changed_at: datetime, zone: str) -> datetime | None:
        """The run that takes an order last changed at an instant; `None` where orders go at once."""
        if self.trigger == AT_ONCE:
            return None
        return self._opened(min(changed_at + self.settle, max(changed_at, placed_at + self.at_most)), ZoneInfo(zone))

    def open_for(self, wait: timedelta, since: datetime, zone: str) -> datetime:
        """When an ERP has been open for so long at a stretch: what waits in it does not go on while it is closed. Two days on at
        the latest, for it may never be open for so long.
        """
        at, left = since, wait
        while self.closed and left > timedelta(0) and at - since < _TWO_DAYS:
            step = min(left, _MINUTE)
            left = wait if self._is_closed(at, ZoneInfo(zone)) else left - step
            at += step
        return at + left

    def _opened(self, settled: datetime, zone: ZoneInfo) -> datetime:
        """The first run at or after an instant. Ends because the closed hours are less than a day."""
        run = self._run(settled)
        while self._is_closed(run, zone):
            run += self.every
        return run

    def _is_closed(self, at: datetime, zone: ZoneInfo) -> bool:
        return any(_within(at.astimezone(zone).time(), hours) for hours in self.closed)

    def _run(self, instant: datetime) -> datetime:
        late = (instant - _EPOCH) % self.every
        return instant + (self.every - late if late else late)


def _within(at: time, hours: tuple[time, time]) -> bool:
    start, end = hours
    return start <= at < end if start <= end else at >= start or at < end

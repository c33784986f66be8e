"""How long an ERP has been open: what waits in it rests while it is closed."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from integration.domain.settling import AT_ONCE, Schedule

NIGHT = Schedule(AT_ONCE, timedelta(0), timedelta(0), timedelta(minutes=15), ((time(22), time(6)),))
ALWAYS = Schedule(AT_ONCE, timedelta(0), timedelta(0), timedelta(minutes=15))


@pytest.mark.parametrize(
    ("since", "minutes", "until"),
    [
        ("04 21:40", 15, "04 21:55"),
        ("04 21:50", 15, "05 06:15"),  # ten minutes are no whole wait
        ("04 23:00", 15, "05 06:15"),
        ("05 06:00", 15, "05 06:15"),
        ("04 23:00", 0, "04 23:00"),
    ],
)
def test_a_wait_that_closed_hours_fall_into_begins_anew_when_they_end(since: str, minutes: int, until: str) -> None:
    start, end = (datetime.strptime(f"2026-05-{at}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC) for at in (since, until))
    wait = timedelta(minutes=minutes)
    assert NIGHT.open_for(wait, start, "UTC") == end
    assert ALWAYS.open_for(wait, start, "UTC") == start + wait


def test_closed_hours_are_those_of_the_erps_time_zone() -> None:
    late = datetime(2026, 5, 4, 20, 50, tzinfo=UTC)
    assert NIGHT.open_for(timedelta(minutes=15), late, "Europe/London") == datetime(2026, 5, 5, 5, 15, tzinfo=UTC)


def test_an_erp_that_is_never_open_for_so_long_is_waited_for_two_days() -> None:
    ten_minutes_a_day = replace(NIGHT, closed=((time(0), time(12)), (time(12, 10), time(0))))
    since = datetime(2026, 5, 4, 9, tzinfo=UTC)
    waited = ten_minutes_a_day.open_for(timedelta(minutes=15), since, "UTC") - since
    assert timedelta(days=2) <= waited <= timedelta(days=2, minutes=15)

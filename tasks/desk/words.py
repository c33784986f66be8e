"""Figures as words: how long, how late, how much. Pure; the pages call these from their templates."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from integration.domain.money import Money, MoneyError

SOON = timedelta(minutes=30)
"""A deadline nearer than this is shown as urgent before it has passed."""


def span(length: timedelta) -> str:
    """A length of time with its two largest units: `3 d 4 h`, `1 h 40 min`, `12 min`, `under a minute`."""
    minutes = int(abs(length).total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    told = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(told[:2]) or "under a minute"


def lateness(act_by: datetime, now: datetime) -> str:
    """`late by 12 min` or `due in 1 h 40 min`."""
    return f"late by {span(now - act_by)}" if act_by < now else f"due in {span(act_by - now)}"


def urgency(act_by: datetime, now: datetime) -> str:
    """`late`, `soon` or `calm`: the colour of a deadline."""
    if act_by < now:
        return "late"
    return "soon" if act_by - now < SOON else "calm"


def instant(at: datetime | None) -> str:
    """`21 Nov 2026, 22:19 UTC`; a dash for none."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC" if at else "–"


def money(minor: int, currency: str) -> str:
    """`1,402.50 EUR`; empty where there is no currency, and honest minor units where we do not know it."""
    if not currency:
        return ""
    try:
        return f"{Money(int(minor), currency).decimal:,} {currency}"
    except MoneyError:
        return f"{minor:,} minor units of {currency}"


def count(number: int, noun: str) -> str:
    """`1 order`, `12 orders`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def steps(action: str) -> list[str]:
    """The playbook's `1. … 2. …` as a list; one step where it is not numbered."""
    parts = re.split(r"(?:^|\s)\d+\.\s+", action.strip())
    return [part.strip() for part in parts if part.strip()]


def pieces(text: str) -> list[tuple[str, bool]]:
    """Text cut at its backticks: (words, whether they are code). The template escapes both."""
    return [(part, bool(i % 2)) for i, part in enumerate(text.split("`")) if part]


def sentence(text: str) -> str:
    """Words of the business layer as a sentence on a page."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"

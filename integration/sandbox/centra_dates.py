"""Dates as Centra reads and writes them.

Read: ISO 8601, `YYYY-MM-DD HH:MM:SS` (in the instance's zone), `@epoch` and the PHP words people use (`now`, `today`,
`yesterday`, `-1 hour`); documented as tolerant, the exact grammar is PHP's and larger. Write: ISO 8601 with the
instance's offset, or the PHP letters of `format:`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_RELATIVE = re.compile(r"([+-]?\s*\d+)\s*(second|sec|minute|min|hour|day|week)s?( ago)?")
_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400, "week": 604800}
_LETTERS: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "m": lambda at: f"{at.month:02}",
    "n": lambda at: str(at.month),
    "d": lambda at: f"{at.day:02}",
    "j": lambda at: str(at.day),
    "H": lambda at: f"{at.hour:02}",
    "G": lambda at: str(at.hour),
    "i": lambda at: f"{at.minute:02}",
    "s": lambda at: f"{at.second:02}",
    "u": lambda at: f"{at.microsecond:06}",
    "v": lambda at: f"{at.microsecond // 1000:03}",
    "P": lambda at: at.isoformat()[-6:],
    "O": lambda at: at.strftime("%z"),
    "T": lambda at: at.strftime("%Z"),
    "U": lambda at: str(int(at.timestamp())),
    "c": lambda at: at.isoformat(timespec="seconds"),
}


def read_date(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The instant a date word means, UTC; raises `ValueError` naming the word."""
    word, here = text.strip().lower(), now.astimezone(zone)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    fixed = {
        "now": here,
        "today": midnight,
        "midnight": midnight,
        "yesterday": midnight - timedelta(days=1),
        "tomorrow": midnight + timedelta(days=1),
    }
    if word in fixed:
        return fixed[word].astimezone(UTC)
    if relative := _RELATIVE.fullmatch(word.removeprefix("now").strip()):
        seconds = int(relative[1].replace(" ", "")) * _UNITS[relative[2]]
        return (now + timedelta(seconds=-seconds if relative[3] else seconds)).astimezone(UTC)
    if word.startswith("@"):
        return datetime.fromtimestamp(float(word[1:]), UTC)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'"{text}" is not a date') from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def write_date(at: datetime, zone: ZoneInfo, form: str | None = None) -> str:
    """An instant in the instance's zone: ISO 8601 to the second, or by PHP letters (a backslash quotes one)."""
    here = at.astimezone(zone)
    if form is None:
        return here.isoformat(timespec="seconds")
    written, quoted = [], False
    for letter in form:
        if letter == "\\" and not quoted:
            quoted = True
            continue
        written.append(letter if quoted or letter not in _LETTERS else _LETTERS[letter](here))
        quoted = False
    return "".join(written)

"""Fulfil's typed JSON and its error bodies.

A Decimal travels as `{"__class__": "Decimal", "decimal": "60.00"}`, dates and times as an `iso_string` with their
parts beside it; date-times are naive and mean UTC. A client may send either form or neither part (shapes: the
official fulfil-client 3.2.0). Error bodies: UserError as that client parses it, 401/403/404/429 as werkzeug writes them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"

REASONS = {
    200: "OK", 201: "CREATED", 204: "NO CONTENT", 302: "FOUND", 400: "BAD REQUEST", 401: "UNAUTHORIZED",
    403: "FORBIDDEN", 404: "NOT FOUND", 405: "METHOD NOT ALLOWED", 414: "REQUEST URI TOO LONG",
    429: "TOO MANY REQUESTS", 500: "INTERNAL SERVER ERROR", 503: "SERVICE UNAVAILABLE",
}  # fmt: skip

DESCRIPTIONS = {
    400: "The browser (or proxy) sent a request that this server could not understand.",
    401: "The server could not verify that you are authorized to access the URL requested.",
    403: "You don't have the permission to access the requested resource.",
    404: "The requested URL was not found on the server.",
    405: "The method is not allowed for the requested URL.",
    429: "This user has exceeded an allotted request count. Try again later.",
}


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)


class Refused(Exception):
    """A call that ends in an error answer; nothing of it was done."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, reply.body.decode())
        self.reply = reply


def answer(value: Any, status: int = 200) -> Reply:
    """`value` as typed JSON."""
    return Reply(status, json.dumps(value, default=_typed).encode())


def user_error(message: str) -> Refused:
    """400 for people: a business rule said no. The `code` and the wording of most messages are unconfirmed."""
    return Refused(answer({"type": "UserError", "code": "E1000", "message": message, "description": ""}, 400))


def http_error(status: int, description: str | None = None) -> Refused:
    """werkzeug's body for `status`: 400, 401, 403, 404, 405 or 429."""
    words = {"code": status, "name": REASONS[status].title(), "description": description or DESCRIPTIONS[status]}
    return Refused(answer(words, status))


def page_too_large(limit: int) -> Refused:
    """429 that no waiting cures: more rows were asked for than a page may hold."""
    return Refused(answer({"message": f"Page size cannot exceed {limit}"}, 429))


def parsed(text: bytes) -> Any:
    """A JSON body (or query value) with its typed objects made Python's; fractions become `Decimal`, never float.

    Raises `Refused` 400 for anything that is not JSON, and for NaN and the infinities.
    """
    try:
        return json.loads(text, object_hook=_python, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError) as error:
        raise http_error(400, f"The body is not valid JSON: {error}") from error


def naive(moment: datetime) -> datetime:
    """`moment` as Fulfil keeps it: UTC without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _python(words: dict[str, Any]) -> Any:
    read = _READERS.get(words.get("__class__", ""))
    return read(words) if read else words


def _datetime(words: dict[str, Any]) -> datetime:
    if words.get("iso_string"):
        return naive(datetime.fromisoformat(words["iso_string"]))
    return datetime(*(words.get(part, 0) for part in _DATETIME_PARTS))  # noqa: DTZ001  Fulfil's own are naive


def _date(words: dict[str, Any]) -> date:
    if words.get("iso_string"):
        return date.fromisoformat(words["iso_string"])
    return date(words["year"], words["month"], words["day"])


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Decimal": lambda words: Decimal(words["decimal"]),
    "datetime": _datetime,
    "date": _date,
    "Model": lambda words: words["id"],
}
_DATETIME_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def _typed(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": format(value, "f")}
    if isinstance(value, datetime):
        parts = {part: getattr(value, part) for part in _DATETIME_PARTS}
        return {"__class__": "datetime", "iso_string": value.isoformat(), **parts}
    if isinstance(value, date):
        parts = {"year": value.year, "month": value.month, "day": value.day}
        return {"__class__": "date", "iso_string": value.isoformat(), **parts}
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def model(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A record as a typed Model object."""
    return {"__class__": "Model", "model_name": name, "id": row["id"], "rec_name": row["rec_name"]}

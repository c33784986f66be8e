"""Fulfil's `/api/v2`: positional calls, typed JSON, and errors by status *and* body (fulfil-client; developers.fulfil.io)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http, Refused

MOST_ROWS = 500
"""Larger pages are answered with a 429 that must not be retried (seen live by integrators)."""


def encode(value: Any) -> Any:
    """Our values as Fulfil's typed JSON: Decimal and datetime become `__class__` objects; quantities stay numbers."""
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": format(value, "f")}
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None)
        return {"__class__": "datetime", "iso_string": naive.isoformat()}
    if isinstance(value, date):
        return {"__class__": "date", "iso_string": value.isoformat()}
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return value


def decode(value: Any) -> Any:
    """Fulfil's typed JSON as our values; datetimes mean UTC. A `Model` object becomes its id."""
    if isinstance(value, list):
        return [decode(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind == "Decimal":
        return Decimal(value["decimal"])
    if kind == "datetime":
        return _datetime(value)
    if kind == "date":
        told = value.get("iso_string")
        return date.fromisoformat(told) if told else date(value["year"], value["month"], value["day"])
    if kind == "Model":
        return value["id"]
    return {key: decode(inner) for key, inner in value.items()}


def _datetime(value: Mapping[str, Any]) -> datetime:
    told = value.get("iso_string")
    if told:
        read = datetime.fromisoformat(told)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    year, month, day, hour, minute, second, micro = (
        int(value[name]) for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")
    )
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)


class UserError(Exception):
    """A business rule of Fulfil said no. `words` are its own, for a human."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.words = status, words


class FulfilClient:
    """Calls `PUT /api/v2/model/<model>/<method>`. Every call costs one request."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def call(self, model: str, method: str, arguments: Sequence[object], *, lane: str, writes: bool = False) -> Any:
        """The decoded answer. Raises `UserError`, `Rejected`, `Unavailable`, `Unknown`."""
        path = f"/api/v2/model/{model}/{method}"
        return self._put(path, encode(list(arguments)), f"{model}.{method}", lane=lane, writes=writes)

    def act(self, model: str, record: str, action: str, words: Mapping[str, object] | None = None, *, lane: str) -> Any:
        """A workflow method of one record: `PUT /model/{m}/{id}/{action}`, with `[words]` where it takes any."""
        path = f"/api/v2/model/{model}/{record}/{action}"
        body = None if words is None else encode([words])
        return self._put(path, body, f"{model}.{action}", lane=lane, writes=True)

    def _put(self, path: str, body: Any, what: str, *, lane: str, writes: bool) -> Any:
        try:
            reply = self.http.call("PUT", path, body, lane=lane, writes=writes, costs={"requests": 1})
        except Refused as refused:
            raise self._refused(what, refused, writes=writes) from refused
        try:
            return decode(reply.document)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            message = f"Fulfil answered {what} in a form we do not know"
            raise (Unknown(message) if writes else Unavailable(message, system=self.http.gate.system)) from error

    def _refused(self, what: str, refused: Refused, *, writes: bool) -> Exception:
        """A read that is forbidden concerns the connection; a write may be forbidden for one channel alone."""
        words = words_of(refused.document) or refused.text
        if refused.status in (400, 409, 422) or (refused.status == 404 and writes):
            return UserError(refused.status, words)
        if refused.status == 403 and not writes:
            self.http.gate.unauthorised()
            return Unavailable(
                f"Fulfil does not let us read with {what}",
                retry_after=self.http.gate.terms.auth_open_for,
                system=self.http.gate.system,
                connection_wide="CONNECTION_AUTH",
            )
        if refused.status == 403:
            return Rejected("CONNECTION_AUTH", f"fulfil:{what}", f"Fulfil does not let us call {what}", evidence=words)
        if refused.status == 429:
            return Rejected("SCHEMA_CHANGE", f"fulfil:{what}", f"Fulfil finds our {what} invalid", evidence=words)
        return Rejected(
            "SCHEMA_CHANGE", f"fulfil:{what}", f"Fulfil answered {what} with {refused.status}", evidence=words
        )

    def search_read(
        self, model: str, domain: Sequence[object], fields: Sequence[str], *, lane: str
    ) -> Iterator[dict[str, Any]]:
        """Every row of a search, in pages by ascending id, so that rows added meanwhile cannot shift a page."""
        after = 0
        while True:
            page = self.call(
                model,
                "search_read",
                [[*domain, ["id", ">", after]], 0, MOST_ROWS, [["id", "ASC"]], ["id", *fields]],
                lane=lane,
            )
            if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
                raise Unavailable(f"Fulfil answered {model}.search_read without rows", system=self.http.gate.system)
            yield from page
            if len(page) < MOST_ROWS or page[-1]["id"] <= after:
                return
            after = page[-1]["id"]


def words_of(document: Any) -> str:
    """The human text of an error body: it may stand in any of these places."""
    if not isinstance(document, dict):
        return ""
    for name in ("message", "description", "error", "error_description", "detail"):
        told = document.get(name)
        if isinstance(told, dict):
            told = told.get("message")
        if isinstance(told, str) and told:
            return told[:1000]
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("message", ""))[:1000]
    return ""

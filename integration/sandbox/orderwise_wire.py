"""OrderWise's JSON: amounts are plain numbers with up to four decimals, names are read in any case, and what an error's body
looks like is nowhere said.
"""

import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
HTML_TYPE = "text/html"

REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)


class Refused(Exception):
    """A call that ends in an error answer; nothing of it was done. A `bare` one has no body whatever the switch says."""

    def __init__(self, status: int, message: str, bare: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.bare = status, message, bare

    def reply(self, form: str) -> Reply:
        """As the switch `error_body` has it."""
        if self.bare or form == "empty":
            return Reply(self.status)
        if form == "plain":
            return Reply(self.status, self.message.encode(), TEXT_TYPE)
        return answer({"message": self.message}, self.status)


def answer(value: Any, status: int = 200) -> Reply:
    """`value` as JSON."""
    return Reply(status, json.dumps(value, ensure_ascii=False, default=_number).encode())


def parsed(body: bytes) -> Any:
    """A JSON body with every name in lower case and fractions as `Decimal`; raises the 400 for anything else."""
    try:
        return json.loads(body, object_pairs_hook=_lowered, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The request body is not valid JSON: {error}") from error


def four(value: Decimal | float | str) -> Decimal:
    """A DECIMAL(18,4)."""
    return Decimal(str(value)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def shown(value: Any) -> Any:
    """A value of a table as it travels: sums of fractions are cut to four decimals, whole numbers have none."""
    if isinstance(value, float):
        return int(value) if value == int(value) else round(value, 4)
    return value


def _lowered(pairs: list[tuple[str, Any]]) -> Row:
    return {name.lower(): value for name, value in pairs}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return shown(float(value))
    raise TypeError(f"{type(value).__name__} has no JSON form here")

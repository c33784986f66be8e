"""The paths of OWAPI that were seen, in any case below the tenant's directory, and what a user group needs for each."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_wire import Refused, Reply, Row


@dataclass(frozen=True)
class Request:
    """A call: what `{id}` of its path was, its query with names in lower case, and its body."""

    id: int
    query: dict[str, str]
    body: Any

    def whole(self, name: str, default: int) -> int:
        """A number of the query; raises the 400."""
        text = self.query.get(name, str(default))
        if not text.lstrip("-").isdigit():
            raise Refused(400, f"{name} is not a number.")
        return int(text)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"


Act = Callable[[Request, Plan | None], Reply]


@dataclass(frozen=True)
class Route:
    """One call: `operation` is its name for faults and counts, `area` the tick it needs."""

    verb: str
    path: re.Pattern[str]
    operation: str
    area: str
    act: Act


def route(verb: str, path: str, operation: str, area: str, act: Act) -> Route:
    """`path` with `{id}` for a number."""
    pattern = re.compile("/" + path.replace("{id}", r"(?P<id>\d+)") + "/?", re.IGNORECASE)
    return Route(verb, pattern, operation, area, act)


def find(routes: list[Route], verb: str, path: str) -> tuple[Route, int]:
    """The call at `path` (below the directory) and its id; raises the 404 or 405."""
    there = False
    for each in routes:
        found = each.path.fullmatch(path)
        if found and each.verb == verb:
            return each, int(found.groupdict().get("id") or 0)
        there = there or bool(found)
    raise Refused(405, "The requested resource does not support this method.") if there else Refused(404, "Not found.")


def query_of(text: str) -> dict[str, str]:
    return {name.lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}


def number_of(operation: str, id: int, body: Any) -> str | None:
    """What document a call is about: an order's own number, a definition's or record's id."""
    if operation in ("create_order", "create_credit") and isinstance(body, dict):
        head: Row = body.get("orderheader") or {}
        return str(head.get("ecommerceordernumber"))
    return str(id) if id else None

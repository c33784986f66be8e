"""API export definitions: SQL that the customer saved in OrderWise, run by its id. Whatever it selects is the answer."""

import re
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_wire import Refused, Row, shown

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?")
_PARAMETER = re.compile(r"@(\w+)")
_ASIDE = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'", re.DOTALL)
_NOT_TSQL = re.compile(
    r"\bLIMIT\b|\|\||==|\b(?:IFNULL|DATE|DATETIME|STRFTIME|JULIANDAY|GROUP_CONCAT|PRINTF|SUBSTR|LENGTH|TYPEOF)\s*\(",
    re.IGNORECASE,
)
"""What SQLite knows and SQL Server does not."""


@dataclass
class Definition:
    """One of them; `renamed` maps a column of the SQL to what somebody called it afterwards."""

    id: int
    sql: str
    name: str = ""
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> set[str]:
        """Their names, without the @."""
        return set(_PARAMETER.findall(_ASIDE.sub(" ", self.sql)))


class Exports:
    """The definitions there are, by id."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.all: dict[int, Definition] = {}

    def paste(self, id: int, sql: str, name: str = "") -> Row:
        """Save a definition, over an older one. It is tried at once: raises `ValueError` with SQL's own complaint."""
        made = Definition(id, sql, name)
        foreign = _NOT_TSQL.search(_ASIDE.sub(" ", sql))
        if foreign:
            raise ValueError(f"export definition {id}: SQL Server has no {foreign[0].strip('( ')}")
        try:
            self._ledger.read_only(sql, dict.fromkeys(made.parameters))
        except sqlite3.Error as error:
            raise ValueError(f"export definition {id}: {error}") from error
        self.all[id] = made
        return {"id": id, "parameters": sorted(made.parameters)}

    def rename(self, id: int, column: str, to: str) -> None:
        """Somebody edits the SQL so that a column has another name; pasting it again heals it."""
        self.all[id].renamed[column] = to

    def run(self, id: int, body: Any) -> list[Row]:
        """The rows as they travel; `body` is `[{name, value}]`. An unknown id is a 404 (the number is unconfirmed)."""
        made = self.all.get(id)
        if made is None:
            raise Refused(404, f"Export definition {id} was not found.")
        given = _given(body)
        missing = sorted(made.parameters - given.keys())
        if missing:
            raise Refused(500, f'Must declare the scalar variable "@{missing[0]}".')
        try:
            found = self._ledger.read_only(made.sql, {name: given[name] for name in made.parameters})
        except sqlite3.Error as error:
            raise Refused(500, str(error)) from error
        return [{made.renamed.get(name, name): shown(value) for name, value in row.items()} for row in found]


def _given(body: Any) -> Row:
    """Parameters by name without the @; the list with one empty name that an integrator sends means none."""
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise Refused(400, "The body must be an array of parameters.")
    return {str(each.get("name") or "").removeprefix("@"): _bound(each.get("value")) for each in body}


def _bound(value: Any) -> Any:
    """A date-time as the books write it: SQL Server compares moments, SQLite texts. An offset does not convert."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value if isinstance(value, str | int | None) else float(value)
    if found["zone"] not in (None, "Z"):
        raise Refused(500, "Conversion failed when converting date and/or time from character string.")
    return datetime.fromisoformat(value.removesuffix("Z")).isoformat(timespec="milliseconds")

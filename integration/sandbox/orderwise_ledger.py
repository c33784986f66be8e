"""OrderWise's books: an SQLite database in memory, with OrderWise's own tables (`orderwise.sql`)."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from integration.sandbox.clock import Clock
from integration.sandbox.orderwise_wire import Row, four

_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


class Ledger:
    """Not locked: the app locks around every act. Names of tables and columns are code, never a caller's words."""

    def __init__(self, clock: Clock, zone: str) -> None:
        self._clock, self._zone = clock, ZoneInfo(zone)
        self._inside = False
        self.base = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.base.create_collation("Latin1_General_CI_AS", _compare)
        self.base.executescript(Path(__file__).with_name("orderwise.sql").read_text("utf-8"))

    def now(self) -> str:
        """The server's local time."""
        return self.local(self._clock.now())

    def local(self, moment: datetime) -> str:
        return moment.astimezone(self._zone).replace(tzinfo=None).isoformat(timespec="milliseconds")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        found = self.base.execute(sql, [_kept(value) for value in values])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, sql: str, *values: Any) -> Row | None:
        """The first of them, if any."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row; None when there is none."""
        found = self.base.execute(sql, [_kept(value) for value in values]).fetchone()
        return found[0] if found else None

    def insert(self, table: str, **columns: Any) -> int:
        """The id of the new row."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # names are this code's own
        done = self.base.execute(sql, [_kept(value) for value in columns.values()])
        return int(done.lastrowid or 0)

    def update(self, table: str, key: str, id: int, **columns: Any) -> None:
        sets = ", ".join(f"{name} = ?" for name in columns)
        sql = f"UPDATE {table} SET {sets} WHERE {key} = ?"  # noqa: S608  # names are this code's own
        self.base.execute(sql, [*(_kept(value) for value in columns.values()), id])

    def read_only(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """What somebody's SELECT finds; `parameters` by name without the @. Raises `sqlite3.Error` for anything else."""
        self.base.set_authorizer(lambda act, *_: sqlite3.SQLITE_OK if act in _READS else sqlite3.SQLITE_DENY)
        try:
            found = self.base.execute(sql, dict(parameters))
            if found.description is None:
                raise sqlite3.ProgrammingError("there is no SELECT")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]
        finally:
            self.base.set_authorizer(None)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One act that happens wholly or not at all; an act inside an act is part of it, and undone by itself."""
        if self._inside:
            self.base.execute("SAVEPOINT act")
            try:
                yield
            except BaseException:
                self.base.execute("ROLLBACK TO act")
                raise
            finally:
                self.base.execute("RELEASE act")
            return
        self.base.execute("BEGIN")
        self._inside = True
        try:
            yield
        except BaseException:
            self.base.execute("ROLLBACK")
            raise
        else:
            self.base.execute("COMMIT")
        finally:
            self._inside = False


def _compare(one: str, other: str) -> int:
    """As SQL Server's usual collation: case and trailing spaces make no difference."""
    left, right = one.rstrip(" ").casefold(), other.rstrip(" ").casefold()
    return (left > right) - (left < right)


def _kept(value: Any) -> Any:
    """SQLite has no decimals; four of them survive as a float."""
    return float(four(value)) if isinstance(value, Decimal) else value

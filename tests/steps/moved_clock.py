"""A stage on either database whose clock the test moves: on PostgreSQL the server itself tells the stage's time.

The ledger's instants come from `clock_timestamp()` there. A function of that name in front of PostgreSQL's own reads a
table of one row, and moving the stage's clock writes it; so an hour's outage takes no hour on PostgreSQL either.
"""

from datetime import datetime
from typing import Any

import psycopg
from stage import START, Stage, StageClock

from integration.store.tables import metadata


class ServerClock(StageClock):
    """A stage's clock that PostgreSQL tells too."""

    line: psycopg.Connection[Any]

    @property
    def instant(self) -> datetime:
        return self.__dict__["instant"]

    @instant.setter
    def instant(self, value: datetime) -> None:
        self.__dict__["instant"] = value
        self.line.execute("UPDATE stage_clock SET at = %s", (value,))


def open_stage(database_url: str, **terms: Any) -> Stage:
    """A stage on a database of either kind: an empty one, or on PostgreSQL one that a stage has used before."""
    if database_url.startswith("sqlite"):
        return Stage(database_url, **terms)
    line = psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True)
    _empty(line) if _used(line) else _prepare(line, database_url.rpartition("/")[2])
    made = Stage(database_url, **terms)
    made.clock.__class__ = ServerClock
    made.clock.line = line
    return made


def _used(line: psycopg.Connection[Any]) -> bool:
    return bool(line.execute("SELECT to_regclass('public.stage_clock') IS NOT NULL").fetchone()[0])


def _prepare(line: psycopg.Connection[Any], name: str) -> None:
    line.execute("CREATE TABLE stage_clock (at timestamptz NOT NULL)")
    line.execute("INSERT INTO stage_clock VALUES (%s)", (START,))
    line.execute(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE "
        "AS 'SELECT at FROM public.stage_clock'"
    )
    line.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog".encode())


def _empty(line: psycopg.Connection[Any]) -> None:
    """As after `_prepare`, only quicker: the tables stay, the guards go, for `Store.create` makes them anew."""
    line.execute("DROP FUNCTION lockstep_refuse, lockstep_erp_ref_once CASCADE")
    line.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE".encode())
    line.execute("UPDATE stage_clock SET at = %s", (START,))


def close_stage(stage: Stage) -> None:
    stage.store.close()
    if isinstance(stage.clock, ServerClock):
        stage.clock.line.close()

"""The ledger in SQL: the only importer of SQLAlchemy.

`Store.write()` is one transaction: `BEGIN IMMEDIATE` on SQLite, so that a claim never discovers at commit that it lost.
`Store.read()` is a snapshot. Every business fact of Lockstep passes through one of these two.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.pool import StaticPool

from integration.errors import Unavailable
from integration.settings import SettingsError
from integration.store.guards import GUARDS
from integration.store.tables import metadata

SCHEMA = "0001"
"""The revision of `migrations/` that this code speaks."""

LOCKED_FOR = 20.0
"""Seconds that a writer waits for others on SQLite."""
LOOKS_EVERY = 0.001


class Clock(Protocol):
    """What the store needs of time on SQLite."""

    def now(self) -> datetime: ...


class StoreDown(Unavailable):
    """The ledger cannot be reached or written: nothing was recorded, so nothing may be promised."""


class Transaction:
    """An open transaction: SQL, and the instant it happens at."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.execute = connection.execute
        self.scalar = connection.scalar
        self.connection = connection
        self._clock = clock
        self._now: datetime | None = None

    @property
    def now(self) -> datetime:
        """The server's clock on PostgreSQL, the world's on SQLite; the same instant all through a transaction."""
        if self._now is None:
            server = self.connection.dialect.name == "postgresql"
            told: Any = self.connection.scalar(select(func.clock_timestamp())) if server else self._clock.now()
            self._now = told.astimezone(UTC)
        return self._now

    @property
    def dialect(self) -> Any:
        """SQLAlchemy's module of this database's dialect."""
        return postgresql if self.connection.dialect.name == "postgresql" else sqlite

    def insert(self, table: Any) -> Any:
        """An INSERT that knows ON CONFLICT in this database's dialect."""
        return self.dialect.insert(table)


class Store:
    """A database that holds the ledger.

    `point` is called with a name before and after each commit of `write(name)`: tests crash there. `before_write` is called
    before each transaction that writes: who works for a lower lane lets orders pass there. `looks_every`: seconds between two
    looks of a writer that waits for another one on SQLite; of those who wait, whoever looks most often comes next.
    Raises `StoreDown` when the database is gone, full or locked for longer than its busy time-out.
    """

    def __init__(self, url: str, clock: Clock, point: Callable[[str], None] = lambda name: None) -> None:
        self.url = url
        self.clock = clock
        self.point = point
        self.before_write: Callable[[], object] = lambda: None
        self.looks_every = LOOKS_EVERY
        self.engine = _engine(url)

    @contextlib.contextmanager
    def write(self, name: str = "write", *, durable: bool = True) -> Iterator[Transaction]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Not `durable`: a power cut may undo it, together with nothing that was durable after it. For what is worth nothing
        without the work that follows: a claim, a spent unit of a quota.
        """
        self.before_write()
        try:
            with self.engine.connect() as connection, _flushing(connection, durable), connection.begin():
                self.begin(connection, writes=True)
                if not durable and connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield Transaction(connection, self.clock)
                self.point(f"{name}.before-commit")
        except DBAPIError as error:
            raise _store_down(error) from error
        except PoolExhausted as error:
            raise StoreDown("every connection to the ledger is in use", system="store") from error
        self.point(f"{name}.after-commit")

    @contextlib.contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that only looks."""
        try:
            with self.engine.connect() as connection, connection.begin():
                self.begin(connection, writes=False)
                yield Transaction(connection, self.clock)
        except DBAPIError as error:
            raise _store_down(error) from error
        except PoolExhausted as error:
            raise StoreDown("every connection to the ledger is in use", system="store") from error

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """On SQLite we begin ourselves: an engine that listens for events of SQLAlchemy's takes twice as long for all it does."""
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            if writes:
                _begin_to_write(connection, driver, self.looks_every)
            else:
                driver.execute("BEGIN")

    def now(self) -> datetime:
        """The store's clock: see `Transaction.now`."""
        if self.engine.dialect.name == "sqlite":
            return self.clock.now()
        with self.read() as tx:
            return tx.now

    def create(self) -> None:
        """Create every table at once, for throw-away databases; a lasting one is made by `migrate`."""
        metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            for statement in GUARDS[self.engine.dialect.name]:
                connection.exec_driver_sql(
                    statement.replace("%", "%%") if self.engine.dialect.name == "postgresql" else statement
                )

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError("LOCKSTEP_DATABASE_URL is not a database address") from error
    if parsed.get_backend_name() == "sqlite":
        options: dict[str, Any] = {"connect_args": {"timeout": LOCKED_FOR, "check_same_thread": False}}
        if not parsed.database or parsed.database == ":memory:":
            options["poolclass"] = StaticPool
        engine = create_engine(parsed, **options)
        event.listen(engine, "connect", _sqlite_connected)
        return engine
    return create_engine(
        parsed,
        pool_size=5,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": "-c statement_timeout=30000 -c lock_timeout=15000"},
    )


@contextlib.contextmanager
def _flushing(connection: Connection, durable: bool) -> Iterator[None]:
    """On SQLite, a commit that is not durable is written and not waited for; the next durable one flushes it too."""
    driver: Any = connection.connection.dbapi_connection
    if durable or connection.dialect.name != "sqlite":
        yield
        return
    driver.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=FULL")


def _sqlite_connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin on its own: `Store.begin` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={int(LOCKED_FOR * 1000)}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_to_write(connection: Connection, driver: Any, looks_every: float) -> None:
    """SQLite itself looks ever more rarely whether it may write, in the end every tenth of a second: longer than an order takes."""
    driver.execute("PRAGMA busy_timeout=0")
    try:
        gives_up = time.monotonic() + LOCKED_FOR
        while _is_busy(driver) and time.monotonic() < gives_up:
            time.sleep(looks_every)  # noqa: TID251 - another process holds the lock, in real time
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is wrong, in an error of SQLAlchemy's
    finally:
        driver.execute(f"PRAGMA busy_timeout={int(LOCKED_FOR * 1000)}")


def _is_busy(driver: Any) -> bool:
    """Begin to write, unless somebody else is writing. What else goes wrong is left to whoever tries again."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # without why, as after a crash
    return False


def _store_down(error: DBAPIError) -> Exception:
    """Outages become `StoreDown`; a constraint or syntax error is our bug and stays what it is."""
    word = type(error.orig).__name__
    if word in {"OperationalError", "InterfaceError", "DatabaseError"} or error.connection_invalidated:
        return StoreDown(f"the ledger's database cannot be used: {error.orig}", system="store")
    return error

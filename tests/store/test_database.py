"""The database beneath: its settings, its schema, and what happens when it is full, gone or another one."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from servers import Postgres
from sqlalchemy import text
from stage import Stage, StageClock
from store.conftest import key

from integration.settings import SettingsError
from integration.store import Store, StoreDown, ledger, migrate
from integration.store.guards import GUARDS
from integration.store.tables import metadata


@pytest.fixture
def empty(database_url: str) -> Store:
    made = Store(database_url, StageClock())
    yield made
    made.close()


def test_an_empty_database_is_brought_to_exactly_our_tables(empty: Store) -> None:
    assert migrate.revision(empty) is None
    migrate.upgrade(empty)
    migrate.upgrade(empty)  # safe to repeat
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    migrate.require_current(empty)


def test_a_migrated_database_has_the_guards_of_a_created_one(empty: Store) -> None:
    migrate.upgrade(empty)
    query = (
        "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        if empty.engine.dialect.name == "sqlite"
        else "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    )
    with empty.read() as tx:
        found = tx.scalar(text(query))
    assert found == sum("CREATE TRIGGER" in statement for statement in GUARDS[empty.engine.dialect.name])


@pytest.mark.parametrize("found", [None, "0000", "9999"])
def test_a_database_at_another_schema_is_refused_with_what_to_do(empty: Store, found: str | None) -> None:
    if found:
        migrate.upgrade(empty)
        with empty.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    with pytest.raises(SettingsError, match=f"{found or 'none'}.*lockstep migrate"):
        migrate.require_current(empty)


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'lockstep.db'}", StageClock())
    with store.read() as tx:
        told = {name: tx.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")}
        busy = tx.scalar(text("PRAGMA busy_timeout"))
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert busy >= 5_000
    store.close()


def test_a_naive_instant_has_no_place_in_the_store(empty: Store) -> None:
    from datetime import datetime

    from integration.store.columns import Instant

    with pytest.raises(ValueError, match="naive"):
        Instant().process_bind_param(datetime(2026, 1, 1), empty.engine.dialect)


def fill(stage: Stage, on: bool) -> None:
    """The disk is full: the file may not grow by a page."""
    stage.store.engine.dispose()  # the pragma is a connection's own
    with stage.store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if on else 1_000_000
    from sqlalchemy import event

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    stage.store.engine.dispose()
    if on:
        stage.limit = limit
        event.listen(stage.store.engine, "connect", limit)
    else:
        event.remove(stage.store.engine, "connect", stage.limit)


def mark_on_and_on(store: Store) -> None:
    for n in range(500):
        ledger.mark(store, [key(f"{n}{'0' * 40}")], "webhook")


def test_a_full_disk_loses_nothing_and_the_orders_go_on_when_there_is_room(tmp_path: Path) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    numbers = [stage.order() for _ in range(20)]
    stage.hint(*numbers[:10])
    fill(stage, on=True)
    with pytest.raises(StoreDown, match="full"):
        mark_on_and_on(stage.store)
    with stage.store.read() as tx:
        assert ledger.find(tx, key(numbers[0])) is not None
    stage.work()  # every link finds the ledger full and leaves its order to the sweeper
    assert len(stage.fulfil.books()["effects"]) <= len(numbers)
    fill(stage, on=False)
    with stage.store.write() as tx:
        tx.execute(text("UPDATE job SET state = 'observed', clean_seq = dirty_seq WHERE length(number) > 30"))
    stage.sweep(12)
    assert {stage.row(number).state for number in numbers} == {"proven"}
    made = [e["channel_identifier"] for e in stage.fulfil.books()["effects"] if e["model"] == "sale.sale"]
    assert sorted(made) == sorted(f"centra-{number}" for number in numbers)
    stage.store.close()


def test_a_sqlite_file_that_cannot_be_opened_is_a_store_that_is_down(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'lockstep.db'}", StageClock())
    with pytest.raises(StoreDown, match="cannot be used"), store.write():
        pass
    store.close()


def test_a_postgresql_that_is_gone_is_a_store_that_is_down_and_comes_back_by_itself(postgres: Postgres) -> None:
    store = Store(postgres.fresh_database(), StageClock())
    store.create()
    ledger.mark(store, [key(1)], "webhook")
    with store.engine.connect() as line, store.engine.connect() as other:
        pid = line.execute(text("SELECT pg_backend_pid()")).scalar()
        other.execute(text(f"SELECT pg_terminate_backend({pid})"))
        with pytest.raises(Exception, match="terminat"):
            line.execute(text("SELECT 1"))
        line.invalidate()
    ledger.mark(store, [key(1)], "webhook")
    with store.read() as tx:
        assert ledger.find(tx, key(1)).dirty_seq == 2
    store.close()


def mark_and_be_cut_off(store: Store) -> None:
    with store.write() as tx:
        ledger.mark_in(tx, [key(1)], "webhook")
        pid = tx.scalar(text("SELECT pg_backend_pid()"))
        with store.engine.connect() as other:
            other.execute(text(f"SELECT pg_terminate_backend({pid})"))
        ledger.mark_in(tx, [key(2)], "webhook")


def test_a_postgresql_whose_line_is_cut_in_mid_transaction_commits_nothing(postgres: Postgres) -> None:
    store = Store(postgres.fresh_database(), StageClock())
    store.create()
    with pytest.raises(StoreDown):
        mark_and_be_cut_off(store)
    with store.read() as tx:
        assert ledger.find(tx, key(1)) is None
    store.close()


def test_an_unreachable_postgresql_is_a_store_that_is_down() -> None:
    store = Store("postgresql+psycopg://lockstep@127.0.0.1:1/none", StageClock())
    with pytest.raises(StoreDown), store.read():
        pass
    store.close()


def test_a_constraint_that_fails_is_our_bug_and_not_an_outage(empty: Store) -> None:
    empty.create()
    with pytest.raises(Exception, match=r"(?i)constraint") as raised, empty.write() as tx:
        tx.execute(text("INSERT INTO cursor (system, stream, at) VALUES ('a', 'b', '2026-01-01')"))
    assert not isinstance(raised.value, StoreDown)


def test_what_a_power_cut_may_undo_changes_nothing_for_what_comes_after(database_url: str) -> None:
    store = Store(database_url, StageClock())
    store.create()
    asked = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}[store.engine.dialect.name]
    found = []
    for durable in (True, False, True):
        with store.write(durable=durable) as tx:
            found.append(str(tx.scalar(text(asked))))
    store.close()
    assert found in (["2", "1", "2"], ["on", "off", "on"])

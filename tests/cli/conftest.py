"""A stage with orders that stand where a person meets them, and `lockstep` typed at it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stage import Stage

from integration.sandbox.catalogue import UNKNOWN_SKUS, UNMAPPED_MARKET
from integration.sandbox.centra_orders import BasketLine
from integration.store import SCHEMA, exceptions
from integration.store.exceptions import Case
from tasks.cli import main

Lockstep = Callable[..., Result]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    yield made
    made.store.close()


@pytest.fixture
def migrated(stage: Stage) -> Stage:
    """The stage's database as `lockstep migrate` would have left it."""
    with stage.store.write() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        tx.connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{SCHEMA}')")
    return stage


@pytest.fixture
def environment(migrated: Stage) -> dict[str, str]:
    """What a process of its own needs to work on the stage's database."""
    given = migrated.settings.variables
    return {name: value for name, value in given.items() if name.startswith("LOCKSTEP_")}


@dataclass
class Morning:
    """Order numbers by what became of them, and the ids of the open cases."""

    proven: str
    norwegian: list[str]
    unknown_sku: str
    held: str

    def case(self, stage: Stage, number: str) -> int:
        return next(int(row.id) for row in stage.open_cases() if row.number == number)


def play(stage: Stage) -> Morning:
    morning = Morning(
        proven=stage.order(),
        norwegian=[stage.order(market_id=UNMAPPED_MARKET, country="NO") for _ in range(2)],
        unknown_sku=stage.order(lines=[BasketLine(min(UNKNOWN_SKUS), 1)]),
        held=stage.order(confirm=False),
    )
    stage.hint(morning.proven, *morning.norwegian, morning.unknown_sku, morning.held)
    stage.work()
    stage.sweep(2)
    return morning


@pytest.fixture
def morning(stage: Stage) -> Morning:
    """One order proven, two of a market nobody mapped, one with an unknown SKU, one not released yet."""
    return play(stage)


@pytest.fixture
def outage(stage: Stage) -> int:
    """The id of a case that concerns a connection and no order."""
    rule = stage.world.playbook.rule("CONNECTION_DOWN")
    case = Case(
        "CONNECTION_DOWN", "fulfil", "fulfil is unreachable", rule.owner, stage.settings.lease, connection="fulfil"
    )
    with stage.store.write() as tx:
        return exceptions.open_case(tx, case)


@pytest.fixture
def lockstep(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Lockstep:
    """`lockstep("status", "--json")` as typed by ann."""
    monkeypatch.setattr("tasks.celery.world", lambda: stage.world)
    monkeypatch.setattr("integration.telemetry.configure", lambda *_, **__: None)  # it would keep the runner's stderr
    monkeypatch.setenv("LOCKSTEP_ACTOR", "ann")

    def typed(*words: object, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], input=answer)

    return typed

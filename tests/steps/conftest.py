"""A stage on each kind of database, closed behind the test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Postgres
from stage import Stage
from steps.moved_clock import close_stage, open_stage

OpenStage = Callable[..., Stage]
NINTH = 9


@pytest.fixture(scope="session")
def stage_database(postgres: Postgres) -> str:
    """One PostgreSQL database for all stages, one after the other: making one takes longer than a test."""
    return postgres.fresh_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lockstep.db'}"
    return str(request.getfixturevalue("stage_database"))


@pytest.fixture
def stages(database_url: str) -> Iterator[OpenStage]:
    """`stages(fulfil=FulfilSwitches(...))` opens the test's stage; it is closed afterwards."""
    opened: list[Stage] = []

    def start(**terms: Any) -> Stage:
        opened.append(open_stage(database_url, **terms))
        return opened[-1]

    yield start
    for stage in opened:
        close_stage(stage)


@pytest.fixture
def stage(stages: OpenStage) -> Stage:
    return stages()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL one variant of every ninth test: what they differ in is seldom the database's, and what the store asks of
    it is tested whole in `tests/store`. With LOCKSTEP_TEST_TIER=whole, one variant of each.
    """
    here, places, left = Path(__file__).parent, set(), []
    every = 1 if os.environ.get("LOCKSTEP_TEST_TIER") == "whole" else NINTH
    for item in items:
        spec = getattr(item, "callspec", None)
        if item.path.parent == here and spec is not None and spec.params.get("database_url") == "postgresql":
            place = (item.path, item.function.__name__)
            if place in places or len(places) % every:
                left.append(item)
            places.add(place)
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]

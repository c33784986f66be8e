"""A stage on each kind of database, closed behind the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stage import Stage
from steps.moved_clock import close_stage, open_stage

OpenStage = Callable[..., Stage]


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

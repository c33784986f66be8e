"""`lockstep nights`: the books of a day, of every connection."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cli.conftest import Lockstep
from stage import Stage

from integration.sandbox.centra_orders import BasketLine

SHIRT = "LS106NVM"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}", erps=("fulfil", "orderwise"))
    numbers = [made.order(market_id=market, lines=[BasketLine(SHIRT, 1)]) for market in (1, 8)]
    made.hint(*numbers)
    made.work()
    made.sweep(60, every=60)
    yield made
    made.store.close()


def test_today_is_counted_when_asked_and_both_connections_are_told(stage: Stage, lockstep: Lockstep) -> None:
    told = lockstep("nights", "--so-far").output
    assert "fulfil: the finance lane counts 2026-05-04" in told
    assert "orderwise: the finance lane counts 2026-05-04" in told
    stage.sweep(3)
    told = lockstep("nights").output
    assert "fulfil, 2026-05-04" in told
    assert "orderwise, 2026-05-04" in told
    assert told.count("nothing differs") == 2
    both = json.loads(lockstep("nights", "--json").output)
    assert [(each["connection"], each["sums"][0]["erp_count"]) for each in both] == [("fulfil", 1), ("orderwise", 1)]


def test_one_connection_can_be_asked_alone(stage: Stage, lockstep: Lockstep) -> None:
    stage.clock.sleep(timedelta(hours=18).total_seconds())
    stage.sweep(4)
    (alone,) = json.loads(lockstep("nights", "2026-05-04", "--connection", "orderwise", "--json").output)
    assert (alone["connection"], alone["day"]) == ("orderwise", "2026-05-04")


def test_a_day_without_books_and_an_unknown_connection_are_said(stage: Stage, lockstep: Lockstep) -> None:
    refused = lockstep("nights", "2026-01-01")
    assert refused.exit_code != 0
    assert "fulfil has no books of 2026-01-01 yet" in refused.output
    assert "no connection has books of 2026-01-01 yet" in refused.output
    assert "there is fulfil, orderwise" in lockstep("nights", "--connection", "acme").output

"""How often things are done: in a peak what can wait does, and an ERP is asked as rarely as its mapping wishes."""

from collections import Counter

import pytest
from stage import Stage, example
from steps.conftest import OpenStage
from steps.stockroom import PLAIN, at, count, counted, free, hint, stocked

from integration import outlook
from integration.sandbox.centra_orders import BasketLine
from tasks import feed, sweep

SLOW, SOLD, FEW = PLAIN[:3]


def test_in_a_peak_what_hardly_sells_waits_within_its_promise_and_all_else_goes_at_once(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 100, SLOW, SOLD)
    counted(stage, 5, FEW)
    number = stage.order(lines=[BasketLine(SOLD, 2)])
    stage.hint(number)
    stage.work()
    hint(stage, SOLD)
    outlook.set_peak(stage.world, on=True, actor="ann", reason="sale")
    for sku, pieces in ((SLOW, 90), (SOLD, 90), (FEW, 4)):
        count(stage, pieces, sku)
    hint(stage, SLOW, SOLD, FEW)
    assert (free(stage, SLOW), free(stage, FEW)) == (100, 4)
    assert free(stage, SOLD) < 90
    assert at(stage, SLOW).waits_since is not None
    stage.sweep(times=20, every=30)
    assert free(stage, SLOW) == 90
    assert [case.type for case in stage.open_cases() if case.type == "STOCK_PUSH_STALE"] == []


def test_without_a_peak_nothing_waits(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 100, SLOW)
    count(stage, 90, SLOW)
    hint(stage, SLOW)
    assert free(stage, SLOW) == 90


@pytest.mark.parametrize(("name", "slots"), [("compare", 1), ("movements", 6)])
def test_in_a_peak_sweeps_run_six_times_more_rarely_and_polls_as_often_as_ever(
    stages: OpenStage, name: str, slots: int
) -> None:
    stage, reading = stages(stock=True), feed.FEEDS[name]
    seen = set()
    for _ in range(6):
        seen.add(reading.slot(stage.world, stage.store.now(), peak=True))
        stage.clock.sleep(reading.every(stage.world).total_seconds())
    assert len(seen) == slots


def test_an_erp_is_polled_as_rarely_as_its_mapping_asks_and_the_other_as_often_as_ever() -> None:
    stage = Stage(erps=("fulfil", "orderwise"), stock=True)
    text = example("orderwise").replace("[options]", "[options]\npoll_minutes = 5")
    stage.apply(text, "orderwise")
    asked: Counter[tuple[str, str]] = Counter()
    for _ in range(20):
        stage.clock.sleep(60)
        sweep.tick(stage.world)
        asked.update((name, key.instance) for name, key in stage.queue if name in ("movements", "dispatches"))
        stage.work()
    assert asked["movements", "fulfil"] == asked["dispatches", "fulfil"] == 20
    assert asked["movements", "orderwise"] in (4, 5)
    assert asked["dispatches", "orderwise"] in (4, 5)

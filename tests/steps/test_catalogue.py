"""The storefront's catalogue is read in slices: a reading that is cut off goes on at its page, and there is one at a time."""

from datetime import timedelta

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import run_feed
from steps.stockroom import PLAIN, SKU, at, count, free, hint

from integration import stocktake
from integration.centra import stock as centra_stock
from integration.domain.order import Key
from integration.store import levels, schedule

Pages = list[int]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Pages of three sizes, and which of them were asked for and answered."""
    monkeypatch.setattr(centra_stock, "MOST", 3)
    answered: Pages = []
    really = centra_stock.Stock.variants

    def variants(client: centra_stock.Stock, page: int):
        found = really(client, page)
        answered.append(page)
        return found

    monkeypatch.setattr(centra_stock.Stock, "variants", variants)
    return answered


def is_read(stage: Stage) -> bool:
    with stage.store.read() as tx:
        return schedule.read_cursor(tx, "brand", "catalogue") is not None


def known(stage: Stage, *skus: str) -> set[str]:
    with stage.store.read() as tx:
        return set(levels.refs(tx, "brand", skus or PLAIN))


def on_order(stage: Stage) -> list[str]:
    """The rings for the catalogue that wait in the queue."""
    return [name for name, _ in stage.queue if name == "catalogue"]


@pytest.mark.scenario("STK-20")
def test_a_catalogue_that_spends_its_budget_goes_on_at_its_page_and_then_stock_is_pushed(
    stages: OpenStage, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centra_stock, "MOST", 1)
    stage = stages(stock=True, LOCKSTEP_BRAND_PLAN="growth")
    run_feed(stage, "places", "fulfil")
    run_feed(stage, "catalogue")
    assert pages, "it began"
    assert not is_read(stage), "the window's calls are spent before the last page"
    count(stage, 7)
    hint(stage)
    stage.sweep(20)
    assert is_read(stage)
    assert pages == list(range(1, pages[-1] + 1))
    assert known(stage) == set(PLAIN)
    assert (at(stage).state, free(stage)) == ("shown", 7)


def test_a_catalogue_gives_its_slot_back_after_a_while_and_rings_to_go_on(
    stages: OpenStage, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(stock=True)
    monkeypatch.setattr(stocktake, "READ_FOR", timedelta(microseconds=1))
    slices = 0
    stage.world.ring("catalogue", Key("brand", "feed", "wanted"))
    while not is_read(stage):
        assert on_order(stage) == ["catalogue"]
        stage.queue.clear()
        stage.centra.faults.plan("slow", seconds=1.0)
        run_feed(stage, "catalogue")
        slices += 1
        assert len(pages) == slices
    assert slices > 10
    assert on_order(stage) == []
    assert known(stage) == set(PLAIN)


def test_a_catalogue_that_is_being_read_is_not_begun_a_second_time(
    stages: OpenStage, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(stock=True)
    run_feed(stage, "places", "fulfil")
    really, asked_for = centra_stock.Stock.variants, []

    def variants(client: centra_stock.Stock, page: int):
        found = really(client, page)
        if page == 3 and not asked_for:
            asked_for.append(page)
            hint(stage)  # the push wants the catalogue: it is being read
            assert on_order(stage) == []
            run_feed(stage, "catalogue")  # a ring of before: it goes on at this page, and so the other one ends
        return found

    monkeypatch.setattr(centra_stock.Stock, "variants", variants)
    run_feed(stage, "catalogue")
    assert is_read(stage)
    assert asked_for == [3]
    last = max(pages)
    assert sorted(pages) == sorted([*range(1, last + 1), 3])
    assert known(stage) == set(PLAIN)


def test_a_later_reading_that_is_cut_off_goes_on_with_the_next_look_and_notices_what_is_gone(
    stages: OpenStage, pages: Pages
) -> None:
    stage = stages(stock=True)
    run_feed(stage, "catalogue")
    run_feed(stage, "places", "fulfil")
    with stage.store.write() as tx:
        levels.put_variants(tx, "brand", [("GONE-1", "1:1:1")])
    stage.clock.sleep(2 * 3600)
    pages.clear()
    stage.centra.faults.plan("unavailable", operation="productSizes", skip=4, times=20)
    run_feed(stage, "catalogue")
    assert pages == [1, 2, 3, 4]
    assert known(stage, "GONE-1", SKU) == {"GONE-1", SKU}, "nobody is gone before the last page"
    stage.centra.faults.clear()
    stage.clock.sleep(60)
    run_feed(stage, "compare", "fulfil")
    stage.work()
    assert pages == list(range(1, pages[-1] + 1))
    assert known(stage, "GONE-1", SKU) == {SKU}


def test_a_catalogue_without_an_end_is_refused_and_begins_anew(
    stages: OpenStage, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(stock=True)
    monkeypatch.setattr(stocktake, "MOST_PAGES", 5)
    run_feed(stage, "catalogue")
    assert [case.type for case in stage.open_cases()] == ["SCHEMA_CHANGE"]
    assert not is_read(stage)
    run_feed(stage, "catalogue")
    assert pages == [1, 2, 3, 4, 5] * 2

"""A change of many figures at once is held until a person has looked, or until it is over."""

import pytest
from steps.conftest import OpenStage
from steps.looking import run_feed
from steps.stockroom import MANY, at, count, counted, free, hint, stock_case, stock_cases, stocked

from integration import stock, waterfall
from integration.sandbox.centra_orders import BasketLine
from integration.store import reference


@pytest.mark.scenario("STK-22")
def test_zeros_for_everything_are_held_and_centra_keeps_its_levels(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 50, *MANY)
    for sku in MANY:
        count(stage, 0, sku)
    hint(stage, *MANY)
    assert {free(stage, sku) for sku in MANY} == {50}
    (case,) = [c for c in stage.open_cases() if c.type == "STOCK_MASS_CHANGE_BRAKE"]
    assert "40 of 40 SKUs" in case.message
    assert f"{MANY[0]} in 1: 50 to 0" in case.message
    stage.order(lines=[BasketLine(MANY[0], 3)])
    assert free(stage, MANY[0]) == 47  # the storefront's own deductions go on


@pytest.mark.scenario("STK-22")
def test_an_empty_answer_for_everything_is_no_zero(stages: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stocked(stages)
    counted(stage, 50, *MANY)
    monkeypatch.setattr(stock.Feed, "figures", lambda feed, skus: {})
    hint(stage, *MANY)
    assert {free(stage, sku) for sku in MANY} == {50}
    assert "left 40 of 40 SKUs out of its answer" in stock_case(stage, "STOCK_MASS_CHANGE_BRAKE").message
    monkeypatch.undo()
    stage.clock.sleep(300)
    run_feed(stage, "stale", "fulfil")
    stage.sweep(2)
    run_feed(stage, "stale", "fulfil")
    assert stock_cases(stage) == {}


@pytest.mark.scenario("STK-22")
def test_a_few_skus_that_the_erp_leaves_out_are_not_pushed_either(
    stages: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stocked(stages)
    counted(stage, 50)
    monkeypatch.setattr(stock.Feed, "figures", lambda feed, skus: {})
    hint(stage)
    assert (free(stage), at(stage).state) == (50, "orphan")


def test_the_brake_lets_go_when_the_figures_come_back(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 50, *MANY)
    for pieces in (0, 49):
        for sku in MANY:
            count(stage, pieces, sku)
        stage.clock.sleep(300)
        hint(stage, *MANY)
    stage.sweep(2)
    run_feed(stage, "stale", "fulfil")
    assert {free(stage, sku) for sku in MANY} == {49}
    assert stock_cases(stage) == {}


def test_a_person_lets_a_mass_change_pass_and_the_next_one_waits_again(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 50, *MANY)
    for sku in MANY:
        count(stage, 10, sku)
    hint(stage, *MANY)
    assert waterfall.release(stage.world, "fulfil", actor="ann", reason="stock-take") == len(MANY)
    stage.work()
    assert {free(stage, sku) for sku in MANY} == {10}
    assert stock_cases(stage) == {}
    with stage.store.read() as tx:
        assert reference.audit_trail(tx)[-1].reason == "stock-take"
    stage.clock.sleep(31 * 60)
    for sku in MANY:
        count(stage, 0, sku)
    hint(stage, *MANY)
    assert {free(stage, sku) for sku in MANY} == {10}


def test_a_mass_change_that_drips_in_small_batches_is_held_too(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 50, *MANY)
    stage.clock.sleep(11 * 60)
    for start in range(0, 40, 8):
        for sku in MANY[start : start + 8]:
            count(stage, 0, sku)
        hint(stage, *MANY[start : start + 8])
    assert [free(stage, sku) for sku in MANY] == [0] * 16 + [50] * 24
    assert set(stock_cases(stage)) == {"STOCK_MASS_CHANGE_BRAKE"}


def test_goods_that_arrive_for_what_was_sold_out_are_no_mass_change(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 0, *MANY)
    for sku in MANY:
        count(stage, 100, sku)
    hint(stage, *MANY)
    assert {free(stage, sku) for sku in MANY} == {100}

"""A read that is refused is one case, and only the same read, answered again, closes it."""

import pytest
from stage import Stage
from steps.looking import history, run_feed

from integration import stock

DESPATCH, STOCK = 46, 41
"""Export definitions of the example mapping: what has left, and what is there."""


@pytest.fixture
def stage() -> Stage:
    return Stage(erps=("orderwise",))


def refused(stage: Stage) -> list[str]:
    return [case.cause for case in stage.open_cases() if case.type == "SCHEMA_CHANGE"]


def an_order_goes(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep(times=8, every=600)
    assert stage.row(number).state == "proven"


@pytest.mark.scenario("PLT-17")
def test_a_column_that_is_gone_stays_one_case_while_other_reads_of_the_same_erp_are_answered(stage: Stage) -> None:
    stage.orderwise.rename_column(DESPATCH, "tracking", "consignment")
    run_feed(stage, "dispatches", "orderwise")
    (case,) = stage.open_cases()
    assert case.cause == f"orderwise:export despatch {DESPATCH} tracking"
    an_order_goes(stage)
    assert refused(stage) == [case.cause]
    assert [verb for verb, _ in history(stage, case.id) if verb in ("resolved", "re-opened")] == []


def test_the_read_that_was_refused_closes_its_case_when_it_is_answered(stage: Stage) -> None:
    stage.orderwise.rename_column(DESPATCH, "tracking", "consignment")
    run_feed(stage, "dispatches", "orderwise")
    stage.orderwise.rename_column(DESPATCH, "tracking", "tracking")
    run_feed(stage, "dispatches", "orderwise")
    assert refused(stage) == []


def test_a_page_and_a_feed_that_are_refused_the_same_read_are_one_case(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep(times=8, every=600)
    (order,) = stage.orderwise.books()["orders"]
    stage.orderwise.ship(order["reference"], tracking=["1Z1"])
    run_feed(stage, "dispatches", "orderwise")
    assert [row.state for row in stage.rows("shipment")] == ["seen"]
    stage.orderwise.rename_column(DESPATCH, "tracking", "consignment")
    stage.sweep(times=4)
    assert len(refused(stage)) == 1
    stage.orderwise.rename_column(DESPATCH, "tracking", "tracking")
    stage.sweep(times=30, every=60)
    assert refused(stage) == []
    assert [row.state for row in stage.rows("shipment")] == ["proven"]


def test_a_stock_push_that_was_refused_its_figures_goes_on_by_itself_when_they_are_told_again() -> None:
    stage = Stage(erps=("orderwise",), stock=True)
    run_feed(stage, "catalogue")
    run_feed(stage, "places", "orderwise")
    run_feed(stage, "compare", "orderwise")
    stage.sweep(times=6)
    sku = stage.sku()
    stage.orderwise.rename_column(STOCK, "free", "freeStock")
    stage.orderwise.adjust(sku, -3)
    with stage.store.write("test.hint") as tx:
        stock.hint(tx, "orderwise", [sku])
    stage.sweep(times=6)
    assert refused(stage) != []
    stage.orderwise.rename_column(STOCK, "free", "free")
    stage.sweep(times=20, every=60)
    assert refused(stage) == []
    assert [row.state for row in stage.rows("stock")] == ["proven"]

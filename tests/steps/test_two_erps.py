"""Fulfil and OrderWise in one installation: each market's orders, stock, dispatches and refunds go its own way."""

from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS
from stage import Stage, example

from integration import casework
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.orderwise_catalogue import LEEDS, LEEDS_RETURNS
from integration.store import reference


@pytest.fixture
def stage():
    made = Stage(erps=("fulfil", "orderwise"), stock=True)
    yield made
    made.store.close()


LINES = [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]


def cases(stage: Stage) -> list[Any]:
    """Open cases but for the two SKUs that no ERP has ever heard of."""
    return [case for case in stage.open_cases() if case.cause not in UNKNOWN_SKUS]


def settle(stage: Stage, number: str, state: str = "proven", rounds: int = 60) -> None:
    """Sweep, a minute at a time, until an order is where it should be."""
    for _ in range(rounds):
        if stage.row(number).state == state:
            return
        stage.sweep(every=60)
    raise AssertionError(f"{number} is {stage.row(number).state}: {stage.row(number).reason}")


def test_each_market_posts_to_its_own_erp_and_both_are_proven(stage):
    there, here = stage.order(market_id=1, lines=LINES), stage.order(market_id=8, lines=LINES)
    stage.hint(there, here)
    stage.work()
    settle(stage, there)
    settle(stage, here)
    assert [stage.row(number).connection for number in (there, here)] == ["fulfil", "orderwise"]
    assert [order["reference"] for order in stage.orderwise.books()["orders"]] == [f"centra-{here}"]
    assert [sale["channel_identifier"] for sale in stage.fulfil.books()["sales"]] == [f"centra-{there}"]
    assert cases(stage) == []


def test_two_storefronts_share_one_pool_and_the_shop_shows_what_is_left_of_it(stage):
    numbers = [stage.order(market_id=market, lines=[BasketLine(SHIRT, 2)]) for market in (8, 9)]
    stage.hint(*numbers)
    stage.work()
    for number in numbers:
        settle(stage, number)
    stage.orderwise.adjust(SHIRT, 50, LEEDS)
    stage.sweep(30, every=60)
    assert stage.orderwise.books()["stock"][SHIRT]["by_location"]["Leeds"]["free"] == 46
    assert stage.centra.book.stock.free(5, SHIRT) == 46


def test_a_status_without_a_meaning_is_one_case_and_the_mapping_cures_it(stage):
    number = stage.order(market_id=8, lines=LINES)
    stage.hint(number)
    stage.work()
    stage.orderwise.faults.plan("timeout-after", operation="create_order")
    for _ in range(60):
        if stage.orderwise.books()["orders"]:
            break
        stage.sweep(every=60)
    stage.orderwise.set_status(f"centra-{number}", "Awaiting the moon")
    settle(stage, number, "dead")
    (case,) = cases(stage)
    assert (case.type, case.connection) == ("ORDER_STATUS_UNMAPPED", "orderwise")
    assert "Awaiting the moon" in case.message
    text = example("orderwise").replace("[tenant.statuses]", '[tenant.statuses]\n"Awaiting the moon" = "processing"')
    with stage.store.write("apply") as tx:
        reference.apply_mapping(tx, "orderwise", text, actor="test")
    settle(stage, number)
    assert cases(stage) == []


def test_items_that_one_erp_cannot_tell_are_its_own_orders_case_and_keep_no_order_of_the_other(stage):
    id = stage.world.erp("orderwise").profile.exports["products"]
    stage.orderwise.rename_column(id, "ean", "barcode")
    here, there = stage.order(market_id=8, lines=LINES), stage.order(market_id=1, lines=LINES)
    stage.hint(here)
    stage.work()
    stage.clock.sleep(45 * 60)  # it has settled: both are taken and go in one page
    stage.hint(here, there)
    stage.work()
    settle(stage, there, rounds=1)
    settle(stage, here, "dead", rounds=1)
    (case,) = [case for case in cases(stage) if case.job_id]
    assert (case.type, case.number, case.cause) == ("SCHEMA_CHANGE", here, f"orderwise:export products {id} ean")
    assert [case for case in cases(stage) if case.connection == "brand"] == []
    stage.orderwise.rename_column(id, "ean", "ean")
    casework.replay(stage.world, [case.id], "ann", "our SQL is pasted in again")
    stage.work()
    settle(stage, here, rounds=3)


def test_one_storefront_sells_what_lies_in_two_stock_locations_though_its_lines_name_one(stage):
    text = example("orderwise").replace("warehouses = [12] ", f"warehouses = [12, {LEEDS_RETURNS}] ")
    stage.apply(text, "orderwise")
    stage.orderwise.adjust(SHIRT, 1, LEEDS)
    stage.orderwise.adjust(SHIRT, 10, LEEDS_RETURNS)
    stage.sweep(30, every=60)
    assert stage.centra.book.stock.free(5, SHIRT) == 11
    number = stage.order(market_id=8, lines=[BasketLine(SHIRT, 4)])
    stage.hint(number)
    stage.work()
    settle(stage, number)
    stage.sweep(30, every=60)
    there = stage.orderwise.books()["stock"][SHIRT]["by_location"]
    assert there["Leeds"]["free"] == -3  # OrderWise moves units between its locations itself
    assert stage.centra.book.stock.free(5, SHIRT) == 7

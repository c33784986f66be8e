"""Stock when something is wrong: a silent storefront, foreign hands, an ERP in maintenance, SKUs that one side lacks."""

from datetime import timedelta

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import run_feed
from steps.stockroom import (
    KEY,
    MANY,
    PLAIN,
    SKU,
    at,
    count,
    counted,
    free,
    hint,
    shelf,
    stock_case,
    stock_cases,
    stocked,
    the_job,
    with_stock,
    writes,
)

from integration import stock, stocktake
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.centra_switches import CentraSwitches
from integration.store import exceptions, levels, schedule


def compared(stage: Stage) -> None:
    """Let a night's compare run, and what it marks."""
    stage.clock.sleep(24 * 3600)
    run_feed(stage, "compare", "fulfil")
    stage.work()
    stage.sweep(2)


def test_a_call_without_an_answer_is_read_back_and_not_sent_again_when_it_took_effect(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    before = writes(stage)
    stage.centra.faults.plan("drop-after", operation="setStock")
    count(stage, 4)
    hint(stage)
    stage.sweep(2)
    assert (free(stage), at(stage).state, writes(stage)) == (4, "shown", before + 1)


def test_a_call_that_came_to_nothing_is_made_again(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    stage.centra.faults.plan("timeout-before", operation="setStock")
    count(stage, 4)
    hint(stage)
    stage.sweep(3)
    assert (free(stage), at(stage).state) == (4, "shown")


def test_a_worker_that_lost_its_lease_writes_nothing(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    before, point = writes(stage), stage.world.point

    def stolen(name: str) -> None:
        if name == "stock.before-send":
            raise AssertionError("it was about to write")
        if name == "levels.reckoned.before-commit":
            return
        if name == "push.claimed":
            with stage.store.write() as tx:
                from integration.store.tables import job

                tx.execute(job.update().where(job.c.kind == "stock").values(fence=job.c.fence + 1, owner="other"))

    stage.world.point = stolen
    count(stage, 4)
    hint(stage)
    stage.world.point = point
    assert writes(stage) == before
    assert free(stage) == 10


def test_a_worker_that_was_stopped_and_writes_an_old_figure_over_a_newer_one_has_it_read_again(
    stages: OpenStage,
) -> None:
    stage = stocked(stages)
    counted(stage, 20)
    count(stage, 9)
    slept = []

    def stopped(name: str) -> None:
        if name == "stock.before-send" and not slept:
            slept.append(name)
            stage.clock.sleep(stage.settings.lease.total_seconds() + 1)
            count(stage, 4)
            hint(stage)
            assert free(stage) == 4, "another worker has told the newer figure"

    stage.world.point = stopped
    hint(stage)
    assert slept
    assert free(stage) == 9, "the old figure was written over it"
    stage.world.ring("take", KEY)
    stage.work()
    assert free(stage) == 4


def test_one_sku_that_centra_refuses_does_not_keep_the_others_of_its_batch(stages: OpenStage) -> None:
    stage = stocked(stages)
    skus = PLAIN[:8]
    for sku in skus:
        count(stage, 4990, sku)
    with stage.store.write() as tx:
        levels.put_variants(tx, "brand", [(skus[3], f"999999:1:{size_of(stage, skus[3])}")])
    hint(stage, *skus)
    assert {sku: free(stage, sku) for sku in skus if sku != skus[3]} == {sku: 4990 for sku in skus if sku != skus[3]}
    assert stock_cases(stage) == {"STOCK_SKU_ORPHAN": [skus[3]]}
    assert the_job(stage).state == "proven"


def size_of(stage: Stage, sku: str) -> str:
    with stage.store.read() as tx:
        return levels.refs(tx, "brand", [sku])[sku].rpartition(":")[2]


def test_a_figure_that_centra_kept_higher_is_a_case_with_the_pieces_that_are_overcommitted(stages: OpenStage) -> None:
    """Between reckoning and writing an order takes the pieces: Centra keeps what is allocated, in silence."""
    stage = stocked(stages)
    counted(stage, 10)
    count(stage, 2)
    point = stage.world.point

    def sell(name: str) -> None:
        if name == "stock.before-send":
            stage.world.point = point
            stage.order(lines=[BasketLine(SKU, 5)])

    stage.world.point = sell
    hint(stage)
    assert free(stage) == 0
    assert set(stock_cases(stage)) == {"STOCK_OVERSOLD", "STOCK_CLAMPED"}
    assert "told 2 pieces" in stock_case(stage, "STOCK_CLAMPED").message
    assert "kept 5: 3 are overcommitted" in stock_case(stage, "STOCK_CLAMPED").message
    count(stage, 20)
    stage.clock.sleep(300)
    run_feed(stage, "stale", "fulfil")
    stage.sweep()
    assert stock_cases(stage) == {}


def all_cases(stage: Stage) -> list:
    with stage.store.read() as tx:
        return exceptions.listed(tx, state="all")


def test_a_storefront_that_will_not_show_a_figure_is_a_case_after_three_tries_and_heals_by_itself(
    stages: OpenStage,
) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    count(stage, 6)
    stage.centra.faults.plan("clamp", operation="setStock", times=3)
    hint(stage)
    assert free(stage) == 0
    assert stock_cases(stage) == {"STOCK_DRIFT_UNEXPLAINED": [f"{SKU} in 1"]}
    stage.clock.sleep(300)
    run_feed(stage, "stale", "fulfil")
    stage.sweep(2)
    assert free(stage) == 6
    assert "STOCK_DRIFT_UNEXPLAINED" not in stock_cases(stage)


@pytest.mark.scenario("STK-08")
def test_a_manual_edit_in_centra_is_found_named_and_overwritten(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    stage.centra.set_physical(SKU, 25)
    compared(stage)
    assert free(stage) == 10
    (named,) = [c for c in all_cases(stage) if c.type == "STOCK_FOREIGN_WRITE"]
    assert "from 10 to 25" in named.message
    assert (named.cause, named.state) == (f"{SKU} in 1", "resolved")


@pytest.mark.scenario("STK-09")
def test_a_sku_on_one_side_only_is_listed_until_both_have_it(stages: OpenStage) -> None:
    stage = stocked(stages)
    stage.fulfil.add_product("ONLY-ERP")
    compared(stage)
    told = {c.cause: c.message for c in stage.open_cases() if c.type == "STOCK_SKU_ORPHAN"}
    assert set(told) == {"ONLY-ERP", *UNKNOWN_SKUS}
    assert "Centra does not sell it" in told["ONLY-ERP"]
    assert "fulfil has no stock of it" in told[UNKNOWN_SKUS[0]]
    stage.fulfil.add_product(UNKNOWN_SKUS[0])
    stage.apply(with_stock().replace("[stock.places.1]", '[stock.excluded]\n"ONLY-" = "packaging"\n\n[stock.places.1]'))
    compared(stage)
    stage.sweep(3)
    assert [c.cause for c in stage.open_cases() if c.type == "STOCK_SKU_ORPHAN"] == [UNKNOWN_SKUS[1]]
    assert at(stage, UNKNOWN_SKUS[0]).state == "shown"


def test_a_sku_that_is_new_in_centra_is_missed_once_and_then_found(stages: OpenStage) -> None:
    stage = stocked(stages)
    with stage.store.write() as tx:
        levels.put_variants(tx, "brand", [])
        tx.execute(levels.variant.delete().where(levels.variant.c.sku == SKU))
    count(stage, 7)
    hint(stage)
    assert at(stage).state == "orphan"
    stage.clock.sleep(2 * 3600)
    hint(stage)
    stage.sweep(2)
    assert (at(stage).state, free(stage)) == ("shown", 7)


@pytest.mark.scenario("STK-17")
def test_a_threshold_that_was_set_in_centra_stops_the_push_until_it_is_declared(stages: OpenStage) -> None:
    stage = stocked(stages, with_stock(buffer=2))
    counted(stage, 10)
    assert free(stage) == 8
    stage.centra.set_threshold(1, 3)
    run_feed(stage, "places", "fulfil")
    (case,) = [c for c in stage.open_cases() if c.type == "STOCK_SEMANTICS_MISMATCH"]
    assert "of 10 available and a buffer of 2 they see 5, not 8" in case.message
    count(stage, 4)
    hint(stage)
    stage.sweep(3)
    assert free(stage) == 8
    stage.centra.set_threshold(1, 0)
    run_feed(stage, "places", "fulfil")
    stage.sweep(3)
    assert stock_cases(stage) == {}
    assert free(stage) == 2


@pytest.mark.scenario("STK-19")
def test_a_movement_that_was_committed_late_is_found_by_the_overlap_or_the_nightly_compare(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    run_feed(stage, "movements", "fulfil")
    stage.clock.sleep(600)
    run_feed(stage, "movements", "fulfil")
    move_of_count(stage, 6, minutes=8)
    stage.clock.sleep(60)
    run_feed(stage, "movements", "fulfil")
    stage.sweep()
    assert free(stage) == 6
    move_of_count(stage, 3, minutes=60)
    stage.clock.sleep(60)
    run_feed(stage, "movements", "fulfil")
    stage.work()
    assert free(stage) == 6
    compared(stage)
    assert free(stage) == 3


def move_of_count(stage: Stage, pieces: int, *, minutes: int) -> None:
    """A count whose rows carry an older timestamp, as a long transaction leaves them."""
    before = set(stage.fulfil._records.rows["stock.move"])
    count(stage, pieces)
    for id in set(stage.fulfil._records.rows["stock.move"]) - before:
        row = stage.fulfil._records.rows["stock.move"][id]
        for name in ("create_date", "write_date"):
            row[name] = row[name] and row[name] - timedelta(minutes=minutes)


@pytest.mark.scenario("STK-20")
def test_a_compare_that_is_cut_off_goes_on_where_it_was_and_orders_pass_it(
    stages: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integration.erp.fulfil import stock as fulfil_stock

    stage = stocked(stages)
    for sku in MANY:
        count(stage, 4_000, sku)
    monkeypatch.setattr(fulfil_stock, "MOST_ROWS", 25)
    monkeypatch.setattr(stocktake, "COMPARED_FOR", timedelta(microseconds=1))
    asked = []
    figures = stock.Feed.figures
    monkeypatch.setattr(stock.Feed, "figures", lambda feed, skus: asked.append(list(skus)) or figures(feed, skus))

    def pages(times: int) -> None:
        for _ in range(times):
            stage.clock.sleep(60)
            stage.queue.clear()
            stage.fulfil.faults.plan("slow", seconds=1.0)
            run_feed(stage, "compare", "fulfil")

    pages(2)
    number = stage.order()
    stage.queue.clear()
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "proven"
    pages(6)
    seen = [sku for skus in asked for sku in skus]
    assert {sku: seen.count(sku) for sku in PLAIN} == dict.fromkeys(PLAIN, seen.count(PLAIN[0]))
    with stage.store.read() as tx:
        assert schedule.read_cursor(tx, "fulfil", "compare").endswith("done")


@pytest.mark.scenario("STK-25")
def test_a_nightly_touch_of_everything_pushes_only_what_changed_and_asks_centra_nothing_else(stages: OpenStage) -> None:
    stage = stocked(stages)
    compared(stage)
    before, asked = writes(stage), stage.centra.requests["productSizes"]
    for sku in MANY[:3]:
        count(stage, 4_900, sku)
    with stage.store.write() as tx:
        (key,) = stock.hint(tx, "fulfil", PLAIN, look=False)
    stage.world.ring("take", key)
    stage.work()
    assert writes(stage) == before + 1
    assert stage.centra.requests["productSizes"] - asked == 2
    (change,) = stage.centra.book.stock.changes[-1:]
    assert {line.sku for line in change.lines} == set(MANY[:3])


def test_a_change_that_centra_does_not_show_in_time_is_a_case_and_so_is_an_erp_that_says_nothing(
    stages: OpenStage,
) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    run_feed(stage, "movements", "fulfil")
    stage.centra.faults.plan("unavailable", times=10_000)
    count(stage, 4)
    hint(stage)
    stage.clock.sleep(16 * 60)
    run_feed(stage, "stale", "fulfil")
    assert sorted(stock_cases(stage)["STOCK_PUSH_STALE"]) == ["levels", "movements"]
    stage.centra.faults.clear()
    run_feed(stage, "movements", "fulfil")
    stage.sweep(20, every=60)
    run_feed(stage, "stale", "fulfil")
    assert stock_cases(stage) == {}
    assert free(stage) == 4


@pytest.mark.parametrize("below", ["clamp-silently", "clamp-warning", "refuse"])
def test_whatever_centra_does_below_its_allocations_it_is_never_told_less(stages: OpenStage, below: str) -> None:
    stage = stocked(stages, centra=CentraSwitches(set_stock_below_allocated=below))
    counted(stage, 10)
    stage.order(lines=[BasketLine(SKU, 8)])
    count(stage, 3)
    hint(stage)
    assert shelf(stage) == {"physical": 8, "allocated": 8, "demand": 0, "free": 0}
    assert stock_cases(stage) == {"STOCK_OVERSOLD": [f"{SKU} in 1"]}

"""What the ERP has to sell is what shoppers can buy: every piece is deducted once, by one of the two systems or by us."""

from datetime import timedelta
from typing import Any

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import assert_proven, run_feed
from steps.stockroom import (
    KEY,
    SKU,
    at,
    count,
    counted,
    free,
    hint,
    levels_of,
    pieces_of,
    shelf,
    stock_cases,
    stocked,
    with_stock,
    writes,
)

from integration import stock
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.fulfil_seed import SUPPLIERS
from integration.store import ledger, levels
from integration.store.tables import job
from tasks import step

BUNDLE, PARTS = "BX501ST1", {"LS104NVM": 1, "LS106NVM": 2}
KINDS = ("physical", "free to allocate")


def buy(stage: Stage, pieces: int = 1, sku: str = SKU, **terms: object) -> str:
    return stage.order(lines=[BasketLine(sku, pieces)], **terms)


def post(stage: Stage, *numbers: str) -> None:
    stage.hint(*numbers)
    stage.work()


ZONES = "warehouses = [{0}]\nzones = [{0}02]"


def on_hand(quantity_type: str) -> str:
    """A mapping by what is on hand, in the zones whose goods can be sold."""
    text = with_stock(figure="on hand", quantity_type=quantity_type, other_channels=False)
    for warehouse in (4, 65, 66, 67):
        text = text.replace(f"warehouses = [{warehouse}]", ZONES.format(warehouse))
    return text


@pytest.mark.scenario("STK-01")
@pytest.mark.parametrize("quantity_type", KINDS)
@pytest.mark.parametrize("figure", ["available", "on hand"])
def test_an_order_is_deducted_once_at_every_moment_of_its_life(
    stages: OpenStage, quantity_type: str, figure: str
) -> None:
    stage = stocked(stages, on_hand(quantity_type) if figure == "on hand" else with_stock(quantity_type=quantity_type))
    counted(stage, 10)
    assert free(stage) == 10
    number = buy(stage, 3)
    hint(stage)
    assert (free(stage), pieces_of(stage, number) if stage.row(number) else {}) == (7, {})
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)
    hint(stage)
    assert (free(stage), at(stage).shown, at(stage).state) == (7, 7, "shown")
    assert shelf(stage) == {"physical": 10, "allocated": 3, "demand": 0, "free": 7}


@pytest.mark.scenario("STK-02")
@pytest.mark.parametrize("quantity_type", KINDS)
def test_an_order_in_its_settle_window_is_never_given_back_by_a_scheduled_push(
    stages: OpenStage, quantity_type: str
) -> None:
    stage = stocked(stages, with_stock(quantity_type=quantity_type))
    counted(stage, 5)
    number = buy(stage, 2)
    stage.centra.hold(int(number))
    post(stage, number)
    assert stage.row(number).state == "held"
    for _ in range(3):
        stage.clock.sleep(60)
        hint(stage)
        assert free(stage) == 3
    assert at(stage).unposted == 2


@pytest.mark.scenario("STK-02")
def test_an_order_that_centra_has_not_allocated_is_kept_off_the_shelf_by_our_ledger(stages: OpenStage) -> None:
    """Until it confirms an order Centra may hold nothing for it; then only our ledger knows."""
    stage = stocked(stages)
    counted(stage, 5)
    with stage.store.write() as tx:
        (key,) = ledger.mark_in(tx, [stage_key("90001")], "webhook", market="Europe / United Kingdom")
        row = ledger.find(tx, key)
        levels.put_units(tx, row.id, {SKU: 2})
    hint(stage)
    assert (at(stage).unposted, at(stage).desired, free(stage)) == (2, 3, 3)


def stage_key(number: str):
    from integration.domain.order import Key

    return Key("brand", "order", number)


def test_posting_closes_the_loop_without_asking_centra_for_anything(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    before = stage.centra.requests["productSizes"]
    number = buy(stage, 3)
    post(stage, number)
    stage.world.ring("take", KEY)
    stage.work()
    level = at(stage)
    assert (level.figure, level.known, level.state, level.dirty_seq) == (7, 3, "shown", level.clean_seq)
    assert writes(stage) == 1
    assert stage.centra.requests["productSizes"] - before == 0


def test_an_order_proved_after_the_figure_was_asked_for_is_not_known_to_it(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    number = buy(stage, 3)
    stage.clock.sleep(1)
    post(stage, number)
    with stage.store.write() as tx:
        these = levels.level.update().where(levels.level.c.place == "1")
        tx.execute(these.values(figure=10, figure_at=at(stage).shown_at, state="read"))
    stage.clock.sleep(1)
    run_link(stage, "push")
    assert (at(stage).known, at(stage).unposted, free(stage)) == (0, 3, 7)


def run_link(stage: Stage, name: str) -> None:
    from integration.domain.order import Key

    with stage.store.write() as tx:
        state = {"push": "ready", "prove": "posted"}[name]
        tx.execute(job.update().where(job.c.kind == "stock").values(state=state, not_before=None))
    stage.queue.clear()
    step.run(step.LINKS["stock", name], Key("brand", "stock", "fulfil"), stage.world, task_id=name)


def test_an_order_whose_life_in_centra_is_over_is_not_taken_for_one_that_centra_still_holds(stages: OpenStage) -> None:
    """Else the next sale that nobody told us of would hide behind it."""
    stage = stocked(stages)
    counted(stage, 10)
    number = buy(stage, 3)
    post(stage, number)
    hint(stage)
    assert at(stage).known == 3
    with stage.store.write() as tx:
        tx.execute(job.update().where(job.c.number == number, job.c.kind == "order").values(closed_at=tx.now))
    hint(stage)
    assert (at(stage).known, free(stage)) == (0, 4)


@pytest.mark.scenario("STK-23")
@pytest.mark.parametrize("quantity_type", KINDS)
def test_the_pieces_of_a_cancelled_order_come_back_once(stages: OpenStage, quantity_type: str) -> None:
    stage = stocked(stages, with_stock(quantity_type=quantity_type))
    counted(stage, 10)
    number = buy(stage, 3)
    post(stage, number)
    hint(stage)
    assert free(stage) == 7
    stage.clock.sleep(2)
    stage.centra.cancel(int(number))
    seen = []
    for _ in range(2):
        hint(stage)
        seen.append(free(stage))
    post(stage, number)
    stage.sweep(2)
    hint(stage)
    seen.append(free(stage))
    assert stage.row(number).state == "cancelled"
    assert max(seen) == seen[-1] == 10
    assert pieces_of(stage, number) == {}


def test_completing_a_dispatch_never_gives_a_piece_back_and_afterwards_none_is_missing(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    number = buy(stage, 3)
    post(stage, number)
    (waiting,) = stage.fulfil.waiting_shipments()
    stage.clock.sleep(2)
    stage.fulfil.ship(waiting["id"], tracking=["1Z1"])
    lowest = []
    for _ in range(12):
        stage.sweep()
        hint(stage)
        assert free(stage) <= 7
        lowest.append(free(stage))
    (row,) = stage.rows("shipment")
    assert row.state == "proven", row.reason
    assert free(stage) == 7
    assert shelf(stage)["physical"] == 7


def test_between_dispatch_and_completion_the_pieces_of_a_dispatch_count_as_sold(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    number = buy(stage, 3)
    post(stage, number)
    with stage.store.write() as tx:
        known = {"connection": "fulfil", "order_number": number}
        from integration.domain.order import Key

        (key,) = ledger.mark_in(tx, [Key("brand", "shipment", "fulfil-1")], "poll", **known)
        levels.put_units(tx, ledger.find(tx, key).id, {SKU: 2})
    hint(stage)
    assert (at(stage).known, free(stage)) == (3, 7)  # Centra holds all three until it is told
    with stage.store.write() as tx:
        tx.execute(job.update().where(job.c.kind == "shipment").values(done_at=tx.now))
    hint(stage)
    assert (at(stage).known, free(stage)) == (1, 5)  # and may give up two at any moment from now on


def test_what_left_after_the_figure_was_read_is_taken_off_what_is_on_hand(stages: OpenStage) -> None:
    stage = stocked(stages, on_hand("physical"))
    counted(stage, 10)
    with stage.store.write() as tx:
        from integration.domain.order import Key

        known = {"connection": "fulfil", "order_number": "1"}
        (key,) = ledger.mark_in(tx, [Key("brand", "shipment", "fulfil-1")], "poll", **known)
        tx.execute(job.update().where(job.c.kind == "shipment").values(first_seen_at=tx.now + timedelta(minutes=1)))
        levels.put_units(tx, ledger.find(tx, key).id, {SKU: 2})
    hint(stage)
    assert free(stage) == 8


@pytest.mark.scenario("STK-04")
def test_an_older_reading_never_replaces_a_newer_one(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 5)
    newer = at(stage)
    with stage.store.write() as tx:
        before = newer.figure_at - timedelta(seconds=5)
        assert levels.put_figures(tx, "fulfil", "1", {SKU: 9}, before, {}) == set()
    assert at(stage).figure == 5
    with stage.store.write() as tx:
        tx.execute(levels.level.update().values(pushed_figure_at=newer.figure_at + timedelta(seconds=5), state="read"))
        levels.confirm(tx, "fulfil", "1", [SKU])
    assert at(stage).pushed_figure_at > newer.figure_at
    assert at(stage).state == "read"


def test_a_figure_that_grew_old_is_read_again_before_it_is_pushed(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    count(stage, 30)
    stage.centra.faults.plan("unavailable", operation="setStock", times=3)
    hint(stage)
    assert free(stage) == 10
    stage.centra.faults.plans.clear()
    count(stage, 4)
    stage.sweep(8, every=60)
    assert free(stage) == 4
    assert max(line.quantity for change in stage.centra.book.stock.changes for line in change.lines) < 20


@pytest.mark.scenario("STK-07")
def test_a_hint_that_comes_while_a_shelf_is_read_has_it_read_again(
    stages: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A return is completed in Centra just then, which puts its pieces back by itself: the ERP's figure does not move any more."""
    stage = stocked(stages, with_stock())
    counted(stage, 10)
    assert free(stage) == 10
    read, late = stock.Feed.shelves, [True]

    def shelves(feed: stock.Feed, refs: Any) -> Any:
        found = read(feed, refs)
        if late and SKU in refs:
            late.clear()
            stage.centra.set_physical(SKU, 12, 1)
            with stage.store.write("hint") as tx:
                stock.hint(tx, "fulfil", [SKU])
        return found

    monkeypatch.setattr(stock.Feed, "shelves", shelves)
    hint(stage)
    hint(stage, look=False)
    assert not late
    assert free(stage) == 10


def test_markets_that_share_a_place_share_its_last_piece(stages: OpenStage) -> None:
    stage = stocked(stages)
    count(stage, 1, warehouse=65)
    hint(stage, urgency=0)
    numbers = [
        buy(stage, market_id=2, country="DE"),
        buy(stage, market_id=3, country="SE"),
    ]
    post(stage, *numbers)
    hint(stage)
    assert free(stage, place=2) == 0
    assert shelf(stage, place=2)["physical"] >= 0
    assert stock_cases(stage) == {"STOCK_OVERSOLD": [f"{SKU} in 2"]}
    count(stage, 5, warehouse=65)
    hint(stage)
    assert stock_cases(stage) == {}


@pytest.mark.scenario("STK-10")
def test_negative_availability_shows_nothing_and_is_a_case_when_orders_depend_on_it(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 2)
    number = buy(stage, 2)
    post(stage, number)
    count(stage, 0)
    hint(stage)
    level = at(stage)
    assert (level.figure, level.desired, free(stage)) == (-2, 0, 0)
    assert stock_cases(stage) == {"STOCK_OVERSOLD": [f"{SKU} in 1"]}


@pytest.mark.scenario("STK-12")
def test_what_another_channel_sold_is_deducted_by_the_erp_and_not_again_by_us(stages: OpenStage) -> None:
    from integration.sandbox.fulfil_example import Session, order

    stage = stocked(stages)
    count(stage, 10, warehouse=65)
    hint(stage)
    wholesale = Session(stage.fulfil.app)
    stage.clock.sleep(1)
    assert (
        wholesale.put("model/sale.channel/create_order", [7, order("W1", (SKU, 4, "45.00"), shipping=None)]).status
        == 200
    )
    run_feed(stage, "movements", "fulfil")
    stage.sweep(2)
    level = at(stage, place=2)
    assert (level.figure, level.unposted, free(stage, place=2)) == (6, 0, 6)


@pytest.mark.scenario("STK-13")
def test_a_transfer_counts_only_where_the_goods_can_be_sold(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    before = free(stage, place=2)
    goods = stage.fulfil._states.stock
    product = goods.product(SKU)["id"]
    places = [goods.warehouse(id)["storage_location"] for id in (4, 65)]
    stage.clock.sleep(1)
    move = goods.make(product, 4.0, *places, state="assigned")
    run_feed(stage, "movements", "fulfil")
    stage.sweep(2)
    assert (free(stage), free(stage, place=2)) == (6, before)
    goods.change(move, state="done")
    stage.clock.sleep(1)
    run_feed(stage, "movements", "fulfil")
    stage.sweep(2)
    assert (free(stage), free(stage, place=2)) == (6, before + 4)


@pytest.mark.scenario("STK-16")
@pytest.mark.parametrize("figure", ["available", "on hand"])
def test_what_is_not_inspected_or_lies_in_quarantine_is_not_sold(stages: OpenStage, figure: str) -> None:
    stage = stocked(stages, on_hand("physical") if figure == "on hand" else "")
    counted(stage, 10)
    goods = stage.fulfil._states.stock
    for zone in ("input_location", "quarantine_location"):
        move = goods.make(goods.product(SKU)["id"], 5.0, SUPPLIERS, goods.warehouse(4)[zone], state="assigned")
        goods.change(move, state="done")
    assert stage.fulfil.books()["stock"][SKU]["by_warehouse"]["LON"]["on_hand"] == 20
    hint(stage)
    assert free(stage) == 10


@pytest.mark.parametrize("quantity_type", KINDS)
def test_a_bundle_sells_its_parts_and_is_never_pushed_itself(stages: OpenStage, quantity_type: str) -> None:
    stage = stocked(stages, with_stock(quantity_type=quantity_type))
    counted(stage, 10, *PARTS)
    number = buy(stage, 2, BUNDLE)
    post(stage, number)
    hint(stage, BUNDLE)
    assert pieces_of(stage, number) == {sku: 2 * each for sku, each in PARTS.items()}
    assert levels_of(stage, BUNDLE) == {}
    assert {sku: free(stage, sku) for sku in PARTS} == {"LS104NVM": 8, "LS106NVM": 6}


def test_cancelled_pieces_of_an_order_are_not_counted(stages: OpenStage) -> None:
    stage = stocked(stages)
    number = buy(stage, 3)
    stage.centra.hold(int(number))
    post(stage, number)
    assert pieces_of(stage, number) == {SKU: 3}
    stage.clock.sleep(2)
    stage.centra.edit(int(number), quantities={SKU: 1})
    post(stage, number)
    assert pieces_of(stage, number) == {SKU: 1}


def test_demand_that_stock_stands_behind_is_allocated_by_centra(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 1)
    number = buy(stage, 3)
    assert shelf(stage)["demand"] == 2
    post(stage, number)
    count(stage, 8)
    hint(stage)
    assert shelf(stage) == {"physical": 8, "allocated": 3, "demand": 0, "free": 5}


@pytest.mark.scenario("STK-18")
def test_a_sale_that_a_person_stopped_shows_nothing_until_its_time_is_over(stages: OpenStage) -> None:
    from integration import waterfall

    stage = stocked(stages)
    counted(stage, 10)
    until = stage.store.now() + timedelta(hours=1)
    waterfall.stop(stage.world, "fulfil", SKU, until, actor="ann", reason="recall")
    stage.work()
    assert free(stage) == 0
    hint(stage)
    assert free(stage) == 0
    stage.sweep(14, every=300)
    assert free(stage) == 10
    assert at(stage).stopped_until is None


def test_orders_of_a_connection_that_declares_no_stock_mark_nothing(stages: OpenStage) -> None:
    stage = stages()
    post(stage, stage.order())
    assert stage.rows("stock") == []


def test_an_unconfirmed_storefront_allocates_at_placement_and_nothing_changes(stages: OpenStage) -> None:
    stage = stocked(stages, centra=CentraSwitches(allocate_on="placement"))
    counted(stage, 10)
    buy(stage, 3, confirm=False)
    hint(stage)
    assert free(stage) == 7

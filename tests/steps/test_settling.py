"""On a schedule an order goes once nothing in it has changed for a while, and takes from stock from its first second."""

from datetime import datetime, timedelta

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import TEXT, asked_to_create, assert_proven, book
from steps.stockroom import SKU, counted, free, hint, stocked

from integration.domain.money import Money
from integration.outlook import outlook
from integration.sandbox.centra_orders import BasketLine

SCHEDULE = """
[schedule]
trigger = "schedule"
settle_minutes = 30
at_most_minutes = 120
every_minutes = 15
"""


def minutes(stage: Stage, since: datetime) -> float:
    return (stage.clock.now() - since).total_seconds() / 60


def scheduled(stages: OpenStage, more: str = "") -> Stage:
    stage = stages()
    stage.apply(TEXT + SCHEDULE + more)
    return stage


def told(stage: Stage, number: str) -> None:
    stage.hint(number)
    stage.work()


def pass_until_posted(stage: Stage, number: str) -> None:
    for _ in range(400):
        if stage.row(number).state == "proven":
            return
        stage.clock.sleep(60)
        stage.sweep()
    raise AssertionError(stage.row(number).reason)


def test_a_settled_order_goes_at_the_first_run_after_its_window(stages: OpenStage) -> None:
    stage = scheduled(stages)
    number = stage.order()
    placed = stage.clock.now()
    told(stage, number)
    row = stage.row(number)
    assert (row.state, asked_to_create(stage)) == ("held", 0)
    assert row.reason.startswith(f"settling: unchanged since {placed:%Y-%m-%d %H:%M} UTC"), (
        "Centra's own zone is not ours"
    )
    assert f"goes at {row.not_before:%H:%M} UTC" in row.reason
    (waits,) = outlook(stage.world)["settling"]
    assert (waits["connection"], waits["orders"], waits["amount"]) == ("fulfil", 1, str(Money(row.total_minor, "GBP")))
    assert waits["goes_at"] == row.not_before
    pass_until_posted(stage, number)
    assert_proven(stage, number)
    assert 30 <= minutes(stage, placed) <= 30 + 15 + 2
    assert stage.row(number).posted_at.minute % 15 <= 2, "posted by a run"


def test_a_change_begins_the_window_anew_and_the_changed_order_is_what_goes(stages: OpenStage) -> None:
    stage = scheduled(stages)
    number = stage.order()
    told(stage, number)
    stage.clock.sleep(25 * 60)
    stage.centra.edit(int(number), quantities={stage.sku(): 5})
    changed = stage.clock.now()
    told(stage, number)
    pass_until_posted(stage, number)
    assert minutes(stage, changed) >= 30
    assert asked_to_create(stage) == 1
    assert [line["quantity"] for line in book(stage, number)["lines"]] == [5]
    assert_proven(stage, number)


def test_an_order_that_never_rests_goes_at_its_greatest_age(stages: OpenStage) -> None:
    stage = scheduled(stages)
    number = stage.order()
    placed = stage.clock.now()
    while stage.row(number) is None or stage.row(number).state in ("seen", "held"):
        assert minutes(stage, placed) < 140, "it waits for ever"
        stage.centra.edit(int(number), quantities={stage.sku(): 2 + int(minutes(stage, placed)) % 3})
        told(stage, number)
        stage.clock.sleep(10 * 60)
        stage.sweep()
    assert 120 <= minutes(stage, placed) <= 140
    pass_until_posted(stage, number)
    assert asked_to_create(stage) == 1


def test_an_order_cancelled_in_its_window_is_never_sent(stages: OpenStage) -> None:
    stage = scheduled(stages)
    number = stage.order()
    told(stage, number)
    stage.clock.sleep(600)
    stage.centra.cancel(int(number))
    told(stage, number)
    stage.clock.sleep(7200)
    stage.sweep(2)
    assert (stage.row(number).state, asked_to_create(stage)) == ("cancelled", 0)


def test_no_run_falls_into_the_hours_in_which_the_erp_is_closed(stages: OpenStage) -> None:
    stage = scheduled(stages, 'closed = ["12:00-14:10"]\n')
    noon = stage.clock.now().replace(hour=10, minute=50) + timedelta(days=1)  # 11:50 in London in summer
    stage.clock.sleep((noon - stage.clock.now()).total_seconds())
    number = stage.order()
    told(stage, number)
    pass_until_posted(stage, number)
    assert f"{stage.row(number).posted_at:%H:%M}" >= "13:15"
    assert minutes(stage, noon) < 160


@pytest.mark.scenario("STK-02")
def test_pieces_of_an_order_in_its_window_stay_deducted_however_often_stock_is_pushed(stages: OpenStage) -> None:
    stage = stocked(stages, TEXT + SCHEDULE)
    counted(stage, 20)
    before = free(stage)
    number = stage.order(lines=[BasketLine(SKU, 3)])
    told(stage, number)
    for _ in range(3):
        hint(stage, look=True)
        assert free(stage) == before - 3
        stage.clock.sleep(300)
    pass_until_posted(stage, number)
    stage.sweep(3)
    assert free(stage) == before - 3, "the ERP deducts it now, and nobody else"

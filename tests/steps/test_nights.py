"""The night: both systems are counted past our own queues, and what differs has a name and a reason."""

from datetime import date, timedelta
from typing import Any

import pytest
from stage import Stage
from steps.parcels import shipped

from integration import nights
from integration.domain.order import Key
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.store import ledger, schedule, tallies


@pytest.fixture
def stage() -> Any:
    return Stage()


def proven(stage: Stage, count: int = 3) -> list[str]:
    numbers = [stage.order() for _ in range(count)]
    stage.hint(*numbers)
    stage.work()
    stage.sweep(3)
    assert {stage.row(n).state for n in numbers} == {"proven"}
    return numbers


def night(stage: Stage, hours: float = 18) -> None:
    """Let the business day end, settle and be counted."""
    stage.clock.sleep(timedelta(hours=hours).total_seconds())
    stage.sweep(4)


def day_row(stage: Stage, day: str = "2026-05-04") -> Any:
    with stage.store.read() as tx:
        return ledger.find(tx, Key("brand", "day", f"fulfil-{day}"))


def sums(stage: Stage, day: str = "2026-05-04") -> dict[tuple[str, str], tuple[int, int, int, int]]:
    with stage.store.read() as tx:
        return {
            (r.kind, r.market): (r.storefront_count, r.storefront_sum, r.erp_count, r.erp_sum)
            for r in tallies.of_day(tx, "fulfil", day)
        }


def test_a_day_that_is_equal_in_both_systems_is_closed_without_a_case(stage: Stage) -> None:
    proven(stage)
    night(stage)
    row = day_row(stage)
    assert row.state == "proven", row.reason
    counted = sums(stage)["orders", "Europe / United Kingdom"]
    assert counted[0] == counted[2] == 3
    assert counted[1] == counted[3] > 0
    assert stage.open_cases() == []


def test_an_order_that_nobody_told_us_of_is_named_by_the_night_and_posted(stage: Stage) -> None:
    proven(stage, 1)
    lost = stage.order()
    with stage.store.read() as tx:
        assert ledger.find(tx, Key("brand", "order", lost)) is None
    stage.clock.sleep(timedelta(hours=18).total_seconds())
    keys = nights.call_days("fulfil", stage.world)
    assert [key.number for key in keys] == ["fulfil-2026-05-04"]
    for key in keys:
        stage.world.ring("reconcile", key)
    stage.work()
    with stage.store.read() as tx:
        (difference,) = tallies.differences(tx, "fulfil", "2026-05-04")
    assert (difference.number, difference._mapping["class"]) == (lost, "timing")
    stage.sweep(80, every=60)
    assert stage.row(lost).state == "proven"
    assert day_row(stage).state == "proven"
    assert sums(stage)["orders", "Europe / United Kingdom"][2] == 2


def test_what_nobody_can_explain_is_a_case_with_its_money_until_both_are_equal_again(stage: Stage) -> None:
    (number,) = proven(stage, 1)
    sale = stage.fulfil._records.rows["sale.sale"][1]
    assert sale["channel_identifier"] == f"centra-{number}"
    rightful = sale["total_amount"]
    sale["total_amount"] = rightful + 1  # and no stamp tells of it
    stage.clock.sleep(timedelta(hours=30).total_seconds())
    stage.sweep(6)
    (case,) = [case for case in stage.open_cases() if case.type == "RECON_UNEXPLAINED"]
    assert case.cause == "2026-05-04 orders Europe / United Kingdom"
    assert (case.money_minor, case.currency, case.owner) == (100, "GBP", "Finance")
    sale["total_amount"] = rightful
    stage.world.ring("reconcile", mark(stage))
    stage.work()
    stage.sweep(3)
    assert [case for case in stage.open_cases() if case.type == "RECON_UNEXPLAINED"] == []


def mark(stage: Stage) -> Key:
    (key,) = ledger.mark(stage.store, [Key("brand", "day", "fulfil-2026-05-04")], "operator")
    return key


def test_an_order_that_is_an_exception_is_explained_by_it(stage: Stage) -> None:
    proven(stage, 1)
    number = stage.order(lines=[BasketLine(min(UNKNOWN_SKUS), 1)])
    stage.hint(number)
    stage.work()
    night(stage, hours=30)
    with stage.store.read() as tx:
        (difference,) = tallies.differences(tx, "fulfil", "2026-05-04")
    assert difference.number == number
    assert difference._mapping["class"] == "exception"
    assert "ORDER_UNKNOWN_SKU" in difference.reason
    assert day_row(stage).state == "proven"


@pytest.mark.scenario("TIM-03")
@pytest.mark.scenario("TIM-05")
@pytest.mark.parametrize(("name", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-05-04", 24)])
def test_a_business_day_is_as_long_as_the_tenants_clock_makes_it(stage: Stage, name: str, hours: int) -> None:
    (mapping,) = stage.world.connections()
    day = nights.day_of(mapping, name)
    assert day.until - day.since == timedelta(hours=hours)
    following = nights.day_of(mapping, (date.fromisoformat(name) + timedelta(days=1)).isoformat())
    assert following.since == day.until, "no gap and no double hour"


def test_a_missed_night_is_made_up_for_and_redundant_beats_count_a_day_once(stage: Stage) -> None:
    proven(stage, 1)
    stage.clock.sleep(timedelta(days=3).total_seconds())
    first, second = (nights.call_days("fulfil", stage.world) for _ in range(2))
    assert [key.number for key in first] == ["fulfil-2026-05-04", "fulfil-2026-05-05", "fulfil-2026-05-06"]
    assert second == []


def test_a_count_that_takes_long_goes_on_in_another_task_where_it_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven(stage, 3)
    monkeypatch.setattr(nights, "SLICE", timedelta(seconds=-1))
    monkeypatch.setattr("integration.centra.adapter.PAGE", 1)
    stage.clock.sleep(timedelta(hours=18).total_seconds())
    (key,) = nights.call_days("fulfil", stage.world)
    runs = 0
    while day_row(stage).state == "seen":
        stage.clock.sleep(1)
        stage.world.ring("reconcile", key)
        stage.work()
        runs += 1
        assert runs < 20
    assert runs > 3
    assert sums(stage)["orders", "Europe / United Kingdom"][0] == 3


def test_what_leaves_the_warehouse_while_the_day_is_counted_has_nothing_counted_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = sorted(proven(stage, 3))
    for number in others:
        shipped(stage, number)
    monkeypatch.setattr(nights, "SLICE", timedelta(seconds=-1))
    monkeypatch.setattr(nights, "BATCH", 1)
    nights.call_days("fulfil", stage.world, so_far=True)
    key = Key("brand", "day", "fulfil-2026-05-04")
    left = False
    for _ in range(40):
        stage.clock.sleep(1)
        stage.world.ring("reconcile", key)
        stage.work()
        with stage.store.read() as tx:
            cursor = schedule.read_cursor(tx, "fulfil", "night 2026-05-04") or ""
        if cursor.startswith("shipments ") and not left:
            stage.fulfil.ship(f"centra-{first}")  # it sorts before the one that was counted
            left = True
        if left and cursor == nights.FROM_THE_START:
            break
    assert left
    assert sums(stage)["shipments", "Europe / United Kingdom"][::2] == (2, 2)

"""The order's story: what a support agent reads out."""

import json
from datetime import timedelta
from typing import Any

import pytest
from stage import ADDRESS, Stage

from integration import casework, health, story
from integration.store import documents, spending


def read(stage: Stage, number: str, *, live: bool = False) -> str:
    return "\n".join(story.tell(stage.world, "brand", number, live=live).lines())


def test_a_proven_order_is_told_from_arrival_to_proof(stage: Stage, morning: Any) -> None:
    told = story.tell(stage.world, "brand", morning.proven)
    assert (
        told.headline
        == "Order 1 of brand (40.95 GBP, Europe / United Kingdom) stands in fulfil, equal to the minor unit."
    )
    assert told.arrived == ["webhook: 2026-05-04 09:00:00 UTC, once"]
    assert "it goes to fulfil, by version 1 of its mapping" in told.decided
    assert "status CONFIRMED, as of 2026-05-04 09:00:00 UTC" in told.systems["Centra"]
    assert any("equal to Centra in every part" in line for line in told.systems["fulfil"])
    assert (told.late, told.next) == ([], "nobody: it is finished")
    texts = [text for _, text in told.timeline]
    assert [t.split(":")[0] for t in texts if ": done" in t] == ["take", "post", "prove"]


def test_a_stopped_order_says_why_who_acts_and_by_when(stage: Stage, morning: Any) -> None:
    told = story.tell(stage.world, "brand", morning.norwegian[0])
    assert "stands still" in told.headline
    assert told.decided[0].endswith("fulfil.toml has no entry for 'Europe / Norway' in [markets]")
    assert told.next.startswith(
        "Ecommerce, by 2026-05-04 09:30:00 UTC: This market has no home in the ERP (exception 1). 1."
    )
    casework.assign(stage.world, 1, "bob", "ann")
    assert story.tell(stage.world, "brand", morning.norwegian[0]).next.startswith("bob of Ecommerce, by")


def test_what_is_late_is_said(stage: Stage, morning: Any) -> None:
    stage.clock.sleep(3 * 3600)
    (late,) = story.tell(stage.world, "brand", morning.norwegian[0]).late
    assert late == "Ecommerce was to act by 2026-05-04 09:30:00 UTC, 2 h ago"


def test_a_released_order_that_is_not_proven_is_late_without_a_case_too(stage: Stage) -> None:
    number = stage.order()
    stage.fulfil.faults.plan("throttled", "create_order", seconds=3600)
    stage.hint(number)
    stage.work()
    stage.clock.sleep(1800)
    told = story.tell(stage.world, "brand", number)
    assert told.late == ["released 30 min ago and not yet proven in the ERP"]
    assert told.next.startswith("Lockstep, at 2026-05-04 10:00")


def test_a_held_order_waits_for_centra(stage: Stage, morning: Any) -> None:
    told = story.tell(stage.world, "brand", morning.held)
    assert told.next.startswith("Centra: its status in Centra is PENDING")
    assert told.systems["fulfil"] == ["nothing was sent to it"]


def test_an_order_that_waits_for_an_outage_names_it(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    with stage.store.write() as tx:
        spending.close_until(tx, "brand", tx.now + timedelta(minutes=1), why="CONNECTION_DOWN", opens=True)
    assert "as soon as brand can be reached again" in story.tell(stage.world, "brand", number).next


def test_an_order_in_doubt_says_until_when(stage: Stage) -> None:
    number = stage.order()
    stage.fulfil.faults.plan("timeout-before", "create_order")
    stage.hint(number)
    stage.work()
    assert "sales order centra-1 was sent, and no clear answer came; until" in read(stage, number)


def test_asked_live_both_systems_speak(stage: Stage, morning: Any) -> None:
    told = read(stage, morning.proven, live=True)
    assert "now: CONFIRMED, 40.95 GBP; as we read it" in told
    assert "now: SO00001 (id 1) is processing" in told
    assert "now: it has nothing under centra-4" in read(stage, morning.unknown_sku, live=True)
    assert "now: not asked, the order has no ERP yet" in read(stage, morning.norwegian[0], live=True)


def test_asked_live_a_system_that_is_away_is_part_of_the_story(stage: Stage, morning: Any) -> None:
    stage.fulfil.revoke()
    told = read(stage, morning.proven, live=True)
    assert "now: could not be asked: " in told


def test_without_live_nobody_is_asked(stage: Stage, morning: Any) -> None:
    before = stage.transport.requests
    read(stage, morning.proven)
    assert stage.transport.requests == before


def test_an_erasure_is_told(stage: Stage, morning: Any) -> None:
    with stage.store.write() as tx:
        documents.erase(tx, stage.row(morning.proven).id)
    assert "the customer's data was erased here 2026-05-04 09:01:00 UTC" in read(stage, morning.proven)


def test_no_word_of_the_customer_is_in_any_story(stage: Stage, morning: Any) -> None:
    words = [value for name, value in ADDRESS.items() if name != "country"]
    for row in stage.rows():
        told = story.tell(stage.world, "brand", row.number, kind=row.kind, live=True)
        text = "\n".join(told.lines()) + json.dumps(told.document(), default=str)
        assert not [word for word in words if word in text and word != "London"]


def test_an_unknown_order_is_said_to_be_unknown(stage: Stage) -> None:
    with pytest.raises(story.UnknownOrder, match="no order 99 of brand"):
        story.tell(stage.world, "brand", "99")


# -------------------------------------------------------------------------------------------------------------- health


def test_lanes_say_what_is_due_and_for_how_long(stage: Stage, morning: Any) -> None:
    numbers = [stage.order() for _ in range(2)]
    stage.hint(numbers[0])
    stage.clock.sleep(90)
    stage.hint(numbers[1], morning.proven)
    orders, *others = health.status(stage.world)["lanes"]
    assert orders == {"lane": "orders", "due": 3, "oldest_seconds": 90, "working": 0, "resting": 1, "dead": 3}
    assert [(lane["lane"], lane["due"]) for lane in others] == [
        (n, 0) for n in ("shipments", "returns", "stock", "finance")
    ]


def test_exceptions_are_summed_by_type_and_money_by_currency(stage: Stage, morning: Any) -> None:
    stage.clock.sleep(3600)
    norway, sku = health.status(stage.world)["exceptions"]
    assert (norway["type"], norway["open"], norway["overdue"]) == ("ORDER_MARKET_UNMAPPED", 2, 2)
    assert norway["money"] == [{"minor": 109_000, "currency": "NOK", "amount": "1090.00"}]
    assert (sku["open"], sku["overdue"], sku["owner"]) == (1, 0, "Merchandising")


def test_orders_are_counted_in_every_state(stage: Stage, morning: Any) -> None:
    orders = health.status(stage.world)["orders"]
    assert {state: n for state, n in orders.items() if n} == {"proven": 1, "dead": 3, "held": 1}
    assert orders["closed"] == 0


def test_budgets_show_what_each_lane_spent(tmp_path: Any) -> None:
    stage = Stage(
        f"sqlite:///{tmp_path / 'b.db'}", LOCKSTEP_BRAND_PLAN="growth", LOCKSTEP_FULFIL_REQUESTS_PER_SECOND="10"
    )
    try:
        number = stage.order()
        stage.hint(number)
        stage.work()
        budgets = health.status(stage.world)["budgets"]
        (centra,) = [
            b for b in budgets if (b["system"], b["measure"], b["window_seconds"]) == ("brand", "requests", 10)
        ]
        assert centra["units"] == 60
        assert centra["by_lane"] == {"orders": centra["used"]}
        assert centra["used"] > 0
        assert {b["system"] for b in budgets} == {"brand", "fulfil"}
    finally:
        stage.store.close()


def test_an_open_breaker_is_told_from_a_throttle(stage: Stage) -> None:
    with stage.store.write() as tx:
        spending.close_until(tx, "brand", tx.now + timedelta(minutes=1), why="", opens=False)
        spending.close_until(tx, "fulfil", tx.now + timedelta(minutes=1), why="CONNECTION_DOWN", opens=True)
    brand, fulfil = health.status(stage.world)["breakers"]
    assert (brand["open"], brand["throttled"]) == (False, True)
    assert (fulfil["open"], fulfil["throttled"], fulfil["why"]) == (True, False, "CONNECTION_DOWN")


def test_pages_and_casework_speak_both_databases(database_url: str) -> None:
    stage = Stage(database_url)
    try:
        number = stage.order(market_id=7, country="NO")
        stage.hint(number)
        stage.work()
        (case,) = stage.open_cases()
        plan = casework.plan(stage.world, case.type, case.cause)
        assert casework.replay(stage.world, plan.ids, "ann", plan_token=plan.token)
        stage.work()
        assert health.status(stage.world)["lanes"][0]["dead"] == 1
        assert health.status(stage.world)["exceptions"][0]["money"][0]["amount"] == "545.00"
        casework.resolve(stage.world, case.id, "not needed any more", "a test", "ann")
        told = story.tell(stage.world, "brand", number)
        assert "was closed by a person" in told.headline
    finally:
        stage.store.close()

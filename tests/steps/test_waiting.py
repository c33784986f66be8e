"""What is not released waits, says why in words, and goes on when it is; what is history is left alone."""

from collections.abc import Callable

import pytest
from stage import Stage
from steps.looking import TEXT, asked_to_create, assert_proven, attempts, run_feed


def internal(stage: Stage, number: str, on: bool) -> None:
    stage.centra.book.find(int(number)).internal = on
    stage.centra.book.note(stage.centra.book.find(int(number)), "internal flag")


Act = Callable[[Stage, str], None]
WAITS = [
    pytest.param({"on_hold": True}, "on hold", lambda s, n: s.centra.release(int(n)), id="on hold"),
    pytest.param({"waiting_for_payment": True}, "payment", lambda s, n: s.centra.pay(int(n)), id="unpaid"),
    pytest.param(
        {"confirm": False}, "status in Centra is PENDING", lambda s, n: s.centra.confirm(int(n)), id="pending"
    ),
]


@pytest.mark.scenario("ORD-14")
@pytest.mark.parametrize(("terms", "word", "release"), WAITS)
def test_an_unreleased_order_waits_with_its_reason_and_is_posted_when_released(
    stage: Stage, terms: dict[str, object], word: str, release: Act
) -> None:
    number = stage.order(**terms)
    stage.hint(number)
    stage.work()
    row = stage.row(number)
    assert row.state == "held"
    assert word in row.reason
    assert (row.attempts, asked_to_create(stage)) == (0, 0)
    stage.clock.sleep(5)
    release(stage, number)
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)


def test_an_internal_order_waits(stage: Stage) -> None:
    number = stage.order()
    internal(stage, number, True)
    stage.hint(number)
    stage.work()
    assert (stage.row(number).state, "internal" in stage.row(number).reason) == ("held", True)
    stage.clock.sleep(5)
    internal(stage, number, False)
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)


def test_an_order_released_without_any_signal_is_found_by_reading_it_again(stage: Stage) -> None:
    number = stage.order(on_hold=True)
    stage.hint(number)
    stage.work()
    stage.clock.sleep(5)
    stage.centra.release(int(number))
    stage.clock.sleep(stage.settings.reread_every.total_seconds())
    stage.sweep(2)
    assert_proven(stage, number)


def test_an_order_nobody_told_us_of_is_found_by_the_poll(stage: Stage) -> None:
    number = stage.order()
    stage.sweep(4)
    assert_proven(stage, number)


@pytest.mark.scenario("ORD-12")
def test_an_order_put_on_hold_after_its_posting_stays_proven(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.clock.sleep(5)
    stage.centra.hold(int(number))
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)


def test_orders_placed_before_the_start_are_observed_and_never_posted(stage: Stage) -> None:
    stage.apply(TEXT.replace("2026-01-01T00:00:00Z", "2026-05-04T10:00:00Z"))
    old = stage.order()
    stage.hint(old)
    stage.work()
    assert stage.row(old).state == "observed"
    assert "before this connection's start" in stage.row(old).reason
    stage.clock.sleep(2 * 3600)
    new = stage.order()
    stage.hint(old, new)
    stage.work()
    assert stage.row(old).state == "observed"
    assert stage.sales(old) == []
    assert_proven(stage, new)


def test_an_old_order_of_an_unmapped_market_is_history_too(stage: Stage) -> None:
    stage.apply(TEXT.replace("2026-01-01T00:00:00Z", "2026-05-04T10:00:00Z"))
    number = stage.order(market_id=7, country="NO")
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "observed"
    assert stage.open_cases() == []


def test_a_hint_for_an_order_that_centra_does_not_know_is_observed_and_opens_nothing(stage: Stage) -> None:
    stage.hint("424242")
    stage.work()
    assert stage.row("424242").state == "observed"
    assert stage.open_cases() == []


@pytest.mark.scenario("ORD-27")
def test_an_order_that_centra_has_lost_is_a_case(stage: Stage) -> None:
    number = stage.order(on_hold=True)
    stage.hint(number)
    stage.work()
    order = stage.centra.book.by_number.pop(int(number))
    stage.centra.book.by_id.pop(order.id)
    stage.clock.sleep(5)
    stage.hint(number)
    stage.work()
    (case,) = stage.open_cases()
    assert (case.type, case.owner) == ("ORDER_VANISHED", "Ecommerce")


def test_an_order_that_nothing_happened_to_is_not_read_again_by_the_poll(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    before = len(attempts(stage, number))
    for _ in range(3):
        run_feed(stage, "poll")
        stage.work()
    assert len(attempts(stage, number)) == before


@pytest.mark.scenario("PLT-19")
def test_an_order_that_cannot_be_read_is_a_case_and_the_others_of_its_page_go_on(stage: Stage) -> None:
    good, bad = stage.order(), stage.order()
    line = stage.centra.book.find(int(bad)).lines[0]
    line.percent = line.percent * 100_000
    stage.hint(good, bad)
    stage.work()
    assert_proven(stage, good)
    (case,) = stage.open_cases()
    assert (case.type, case.number) in {("SCHEMA_CHANGE", bad), ("ORDER_TOTAL_INCONSISTENT", bad)}

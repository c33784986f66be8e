"""A call without an answer: found and adopted, or waited out and sent once more; never twice."""

from datetime import timedelta

import pytest
from stage import Stage
from steps.looking import asked_to_create, assert_case, assert_proven, attempts, created, run_feed, sent

from integration.erp.fulfil.adapter import SEARCH_LAG


def doubtful(stage: Stage, fault: str, **terms: float) -> str:
    """An order whose posting ended in a fault."""
    stage.fulfil.faults.plan(fault, operation="create_order", **terms)
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert stage.fulfil.faults.fired[fault] == 1
    return number


@pytest.mark.scenario("ORD-03")
@pytest.mark.parametrize("fault", ["timeout-after", "error-after", "drop-after", "duplicate-race"])
def test_an_order_that_fulfil_took_without_saying_so_is_found_and_adopted(stage: Stage, fault: str) -> None:
    number = doubtful(stage, fault)
    assert stage.row(number).state == "ready"
    assert sent(stage, number).state == "unknown"
    assert created(stage, number) == 1
    stage.sweep(2)
    assert_proven(stage, number)
    assert (created(stage, number), asked_to_create(stage)) == (1, 1)
    assert ("post", "unknown") in attempts(stage, number)


@pytest.mark.scenario("ORD-04")
@pytest.mark.parametrize("fault", ["timeout-before", "error-before", "html", "not-json", "redirect"])
def test_an_order_that_never_arrived_is_sent_again_once_and_only_after_the_waiting_time(
    stage: Stage, fault: str
) -> None:
    number = doubtful(stage, fault)
    until = sent(stage, number).unknown_until
    assert until - sent(stage, number).intent_at >= SEARCH_LAG + timedelta(
        seconds=stage.world.erp("fulfil").client.http.timeouts.total
    )
    while stage.clock.now() < until:
        assert asked_to_create(stage) == 1
        stage.sweep(every=4)
    stage.sweep(3)
    assert_proven(stage, number)
    assert (created(stage, number), asked_to_create(stage)) == (1, 2)


def test_while_in_doubt_the_order_says_so_in_words_and_uses_no_further_attempt(stage: Stage) -> None:
    number = doubtful(stage, "timeout-before")
    stage.sweep(every=10)
    row = stage.row(number)
    assert "in doubt" in row.reason
    assert "absence proves nothing" in row.reason
    assert row.attempts == 1
    assert stage.open_cases() == []


@pytest.mark.parametrize("seconds", [40, 60, 120, 300])
def test_a_call_that_takes_effect_long_after_everybody_gave_up_makes_no_second_order(
    stage: Stage, seconds: float
) -> None:
    number = doubtful(stage, "late", seconds=seconds)
    stage.sweep(15)
    assert_proven(stage, number)
    assert created(stage, number) == 1
    assert len(stage.sales(number)) == 1


def test_an_accepted_order_that_no_search_shows_yet_is_waited_for(stage: Stage) -> None:
    number = doubtful(stage, "search-lag", seconds=25)
    assert stage.row(number).state == "posted"
    assert "not yet visible" in stage.row(number).reason
    stage.sweep(3)
    assert_proven(stage, number)
    assert asked_to_create(stage) == 1


def test_an_accepted_order_that_is_not_there_after_a_minute_is_missing(stage: Stage) -> None:
    number = doubtful(stage, "search-lag", seconds=900)
    stage.sweep(4)
    assert_case(stage, number, "ORDER_MISSING_IN_ERP")
    assert asked_to_create(stage) == 1


def test_an_order_that_is_missing_and_shows_up_after_all_is_proven_by_the_back_check(stage: Stage) -> None:
    number = doubtful(stage, "search-lag", seconds=120)
    stage.sweep(4)
    assert_case(stage, number, "ORDER_MISSING_IN_ERP")
    stage.clock.sleep(60)
    run_feed(stage, "back_check", "fulfil")
    stage.sweep(2)
    assert_proven(stage, number)


def test_ten_unknown_outcomes_in_a_row_end_with_a_person(stage: Stage) -> None:
    stage.fulfil.faults.plan("timeout-before", operation="create_order", times=50)
    number = stage.order()
    stage.hint(number)
    stage.work()
    for _ in range(80):
        if stage.row(number).state == "dead":
            break
        stage.sweep()
    assert_case(stage, number, "ORDER_IN_DOUBT")
    assert stage.sales(number) == []
    assert asked_to_create(stage) <= 10


def test_a_duplicate_answered_by_the_look_up_never_becomes_the_answer(stage: Stage) -> None:
    """The effect's answer is written once, whatever a late look-up says."""
    from integration.store import effects

    number = doubtful(stage, "timeout-after")
    stage.sweep(2)
    answer = sent(stage, number).answer
    with stage.store.write() as tx:
        assert effects.answer(tx, stage.row(number).id, "sales order", "77777") == answer
    assert sent(stage, number).answer == answer

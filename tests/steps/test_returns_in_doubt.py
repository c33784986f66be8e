"""A call without an answer, in the goods' life: found and adopted, or waited out; nothing is announced or completed twice."""

import pytest
from stage import Stage
from steps.back import (
    back,
    come_back,
    completed,
    dead,
    effect_of,
    follow,
    goods_row,
    return_sales,
    run_link,
    send_back,
    sold,
    stand,
    tried,
)
from steps.conftest import OpenStage
from steps.looking import book, run_feed

from integration.domain.order import Key
from integration.sandbox.fulfil_switches import FulfilSwitches

AFTER = ["timeout-after", "error-after", "drop-after", "duplicate-race"]


def doubtful(stage: Stage, fault: str, **terms: float) -> tuple[str, str]:
    """A return whose announcement ended in a fault."""
    number = sold(stage)
    stage.fulfil.faults.plan(fault, operation="return_order", **terms)
    made = send_back(stage, number)
    follow(stage)
    assert stage.fulfil.faults.fired[fault] == 1
    return number, made


@pytest.mark.scenario("RET-13")
@pytest.mark.parametrize("fault", AFTER)
def test_a_return_that_fulfil_took_without_saying_so_is_found_and_adopted(stage: Stage, fault: str) -> None:
    _, made = doubtful(stage, fault)
    stage.sweep(4)
    assert goods_row(stage, made).state == "opened"
    assert (len(return_sales(stage, made)), stage.fulfil.requests["return_order"]) == (1, 1)
    assert ("open", "unknown") in tried(stage, goods_row(stage, made))


@pytest.mark.parametrize("replay", ["return-old", "refuse", "another"])
def test_whatever_fulfil_makes_of_a_second_call_it_never_gets_one_for_a_return_that_is_there(
    stages: OpenStage, replay: str
) -> None:
    stage = stages(fulfil=FulfilSwitches(return_replay=replay))
    _, made = doubtful(stage, "timeout-after")
    stage.sweep(6)
    assert (len(return_sales(stage, made)), stage.fulfil.requests["return_order"]) == (1, 1)
    assert goods_row(stage, made).state == "opened"


@pytest.mark.parametrize("fault", ["timeout-before", "html", "not-json"])
def test_a_return_that_never_arrived_is_sent_again_once_and_only_after_the_waiting_time(
    stage: Stage, fault: str
) -> None:
    _, made = doubtful(stage, fault)
    until = effect_of(stage, goods_row(stage, made), "expected return").unknown_until
    while stage.clock.now() < until:
        assert stage.fulfil.requests["return_order"] == 1
        stage.sweep(every=7)
    stage.sweep(4)
    assert goods_row(stage, made).state == "opened"
    assert (len(return_sales(stage, made)), stage.fulfil.requests["return_order"]) == (1, 2)


def test_an_announcement_that_takes_effect_long_after_everybody_gave_up_makes_no_second_return(stage: Stage) -> None:
    _, made = doubtful(stage, "late", seconds=40)
    stage.sweep(12)
    assert goods_row(stage, made).state == "opened"
    assert len(return_sales(stage, made)) == 1


def test_an_announcement_that_no_search_shows_yet_is_waited_for(stage: Stage) -> None:
    _, made = doubtful(stage, "search-lag", seconds=100)
    assert goods_row(stage, made).state == "held"
    stage.sweep(6)
    assert goods_row(stage, made).state == "opened"
    assert stage.fulfil.requests["return_order"] == 1


@pytest.mark.scenario("RET-08")
def test_a_return_deleted_while_its_announcement_was_in_doubt_is_withdrawn_once_it_is_certain(stage: Stage) -> None:
    number = sold(stage)
    stage.fulfil.faults.plan("timeout-after", operation="return_order")
    made = send_back(stage, number)
    run_feed(stage, "announced")
    stage.sweep(2, every=1)
    stage.centra.cancel_return(int(made))
    run_feed(stage, "events")
    stage.sweep(12)
    assert goods_row(stage, made).state == "cancelled"
    assert [sale["state"] for sale in return_sales(stage, made)] == ["cancel"]


@pytest.mark.parametrize("fault", ["timeout-after", "error-after", "drop-after"])
def test_a_completion_that_centra_took_without_saying_so_is_not_asked_for_twice(stage: Stage, fault: str) -> None:
    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.centra.faults.plan(fault, operation="completeReturn")
    come_back(stage, made)
    stage.sweep(3)
    back(stage, made)
    assert stage.centra.faults.fired[fault] == 1
    assert (completed(stage, number, made), stage.centra.requests["completeReturn"]) == (True, 1)


@pytest.mark.parametrize("fault", ["timeout-before", "error-before"])
def test_a_completion_that_never_arrived_is_asked_for_again(stage: Stage, fault: str) -> None:
    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.centra.faults.plan(fault, operation="completeReturn")
    come_back(stage, made)
    stage.sweep(6)
    back(stage, made)
    assert (completed(stage, number, made), stage.centra.requests["completeReturn"]) == (True, 2)


def test_a_completion_that_centra_refuses_is_a_case_and_replaying_completes_it(stage: Stage) -> None:
    from integration import casework

    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.centra.faults.plan("user-error", operation="completeReturn")
    come_back(stage, made)
    stage.sweep(3)
    case = dead(stage, goods_row(stage, made), "RETURN_STALLED")
    assert not completed(stage, number, made)
    casework.replay(stage.world, [case.id], "ann")
    stage.sweep(3)
    back(stage, made)
    assert [each["status"] for each in book(stage, number)["returns"]] == ["COMPLETED"]


def test_a_return_that_fulfil_refuses_is_a_case_with_its_words(stage: Stage) -> None:
    _, made = doubtful(stage, "user-error")
    case = dead(stage, goods_row(stage, made), "RETURN_REJECTED_BY_ERP")
    assert case.document_id is not None
    assert return_sales(stage, made) == []


@pytest.mark.parametrize("point", ["intent.after-commit", "effect.after-send", "answer.before-commit"])
def test_a_worker_that_dies_at_any_point_of_announcing_leaves_one_return(stage: Stage, point: str) -> None:
    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise Died

    number = sold(stage)
    made = send_back(stage, number)
    run_feed(stage, "announced")
    stage.sweep(1, every=1)
    stage.store.point = stage.world.point = die
    with pytest.raises(Died):
        stage.sweep(2, every=1)
    stage.store.point = stage.world.point = lambda name: None
    stage.sweep(16)
    assert goods_row(stage, made).state == "opened", goods_row(stage, made).reason
    assert len(return_sales(stage, made)) == 1


def test_completing_looks_for_itself_whatever_brought_the_return_there(stage: Stage) -> None:
    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.fulfil.receive_return(f"return-{made}")
    key = Key("brand", "return", made)
    stand(stage, key, state="received")  # as if the taking of it had been wrong
    run_link(stage, "complete", key)
    assert (goods_row(stage, made).state, completed(stage, number, made)) == ("held", False)
    assert stage.centra.requests["completeReturn"] == 0
    stage.sweep(2)
    assert goods_row(stage, made).state == "opened"


def test_a_return_deleted_at_the_moment_of_its_completion_is_not_completed(stage: Stage) -> None:
    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.fulfil.receive_return(f"return-{made}", "restock")
    key = Key("brand", "return", made)
    stand(stage, key, state="received")
    stage.centra.cancel_return(int(made))
    run_link(stage, "complete", key)
    assert goods_row(stage, made).state == "held"
    stage.sweep(3)
    dead(stage, goods_row(stage, made), "RETURN_CANCELLED_LATE")

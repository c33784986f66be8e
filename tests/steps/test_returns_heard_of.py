"""How a return is learnt of, by whom and how often, and what the ERP or Centra make of it afterwards."""

import pytest
from stage import Stage
from steps.back import (
    back,
    centra_return,
    come_back,
    dead,
    follow,
    goods_row,
    memos,
    return_sales,
    send_back,
    sold,
)
from steps.conftest import OpenStage
from steps.looking import run_feed

from integration.domain.order import Key
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.store import ledger


def returned(stage: Stage, *pieces: int) -> tuple[str, str]:
    """An order that was sold, and a return of one piece of it that the ERP expects."""
    number = sold(stage, *pieces or (2,))
    made = send_back(stage, number)
    follow(stage)
    assert goods_row(stage, made).state == "opened", goods_row(stage, made).reason
    return number, made


@pytest.mark.scenario("TIM-01")
def test_returns_made_in_one_second_are_all_found_by_the_poll(stage: Stage) -> None:
    number = sold(stage, 5)
    stage.centra.faults.plan("error-before", "events", times=10_000)
    made = [send_back(stage, number) for _ in range(5)]
    run_feed(stage, "announced")
    run_feed(stage, "announced")
    stage.sweep(2)
    assert {goods_row(stage, each).state for each in made} == {"opened"}


def test_a_second_telling_of_a_return_changes_nothing(stage: Stage) -> None:
    _, made = returned(stage)
    ledger.mark(stage.store, [Key("brand", "return", made)], "webhook")
    follow(stage)
    assert len(return_sales(stage, made)) == 1
    assert stage.fulfil.requests["return_order"] == 1


def test_a_return_that_centra_does_not_know_is_observed(stage: Stage) -> None:
    ledger.mark(stage.store, [Key("brand", "return", "404")], "webhook")
    stage.sweep()
    assert goods_row(stage, "404").state == "observed"


@pytest.mark.parametrize("process", ["after-seconds", "stay-draft"])
def test_a_return_that_the_erp_leaves_in_draft_is_not_open(stages: OpenStage, process: str) -> None:
    stage = stages()
    number = sold(stage)
    stage.fulfil.switches.change({"process": process, "process_seconds": 60.0})
    made = send_back(stage, number)
    follow(stage)
    assert goods_row(stage, made).state == "held"
    stage.sweep(30, every=30)
    if process == "stay-draft":
        dead(stage, goods_row(stage, made), "RETURN_MISMATCH")
    else:
        assert goods_row(stage, made).state == "opened"


def test_a_return_reopened_in_centra_after_we_completed_it_is_a_case(stage: Stage) -> None:
    number, made = returned(stage)
    come_back(stage, made)
    back(stage, made)
    with stage.centra.guard:
        stage.centra.returns.uncomplete(stage.centra.returns.find(int(made)))
    stage.clock.sleep(900)
    run_feed(stage, "events")
    follow(stage)
    case = dead(stage, goods_row(stage, made), "RETURN_STOCK_CONFLICT")
    assert "reopened" in case.message
    assert centra_return(stage, number, made)["completed_at"] is None
    assert memos(stage, number) == []


@pytest.mark.parametrize("response", ["object", "list", "id", "null"])
def test_whatever_the_erp_answers_an_announcement_with_it_is_open(stages: OpenStage, response: str) -> None:
    stage = stages(fulfil=FulfilSwitches(return_response=response))
    number = sold(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.sweep(3)
    assert goods_row(stage, made).state == "opened"
    assert (len(return_sales(stage, made)), stage.fulfil.requests["return_order"]) == (1, 1)

"""A call of shipment update without an answer: looked up before anything is sent again; every fact happens once."""

import threading

import pytest
from stage import Stage
from steps.looking import case_by_id, run_feed
from steps.parcels import (
    asked,
    bought,
    dead,
    effect_of,
    follow,
    goods,
    leave,
    mails,
    parcel,
    shipped,
    shown,
    taken,
    told,
)

from integration import casework
from integration.domain.order import Key
from tasks import step

WRITES = {"createShipment": "shipment", "captureShipment": "capture", "completeShipment": "completion"}
STATE = {"createShipment": "ready", "captureShipment": "created", "completeShipment": "captured"}
DONE = ("timeout-after", "error-after", "drop-after")
NOT_DONE = ("timeout-before", "error-before", "html", "not-json", "redirect")


class Killed(BaseException):
    """The worker is gone."""


def once(stage: Stage, number: str, made: str) -> None:
    """One shipment, one capture, one e-mail."""
    told(stage, made)
    assert (len(shown(stage, number)), len(taken(stage, number)), mails(stage, number)) == (1, 1, 1)


@pytest.mark.parametrize("fault", DONE)
@pytest.mark.parametrize("operation", WRITES)
def test_what_centra_did_without_saying_so_is_found_and_not_asked_for_again(
    stage: Stage, operation: str, fault: str
) -> None:
    number = bought(stage)
    stage.centra.faults.plan(fault, operation)
    made = shipped(stage, number, {0: 2})
    assert stage.centra.faults.fired[fault] == 1
    stage.sweep(3)
    once(stage, number, made)
    assert asked(stage, operation) == 1
    assert effect_of(stage, made, WRITES[operation]).tries == 1


@pytest.mark.parametrize("fault", NOT_DONE)
@pytest.mark.parametrize("operation", WRITES)
def test_what_never_arrived_is_sent_again_only_when_its_absence_proves_something(
    stage: Stage, operation: str, fault: str
) -> None:
    number = bought(stage)
    stage.centra.faults.plan(fault, operation)
    made = leave(stage, number)
    run_feed(stage, "dispatches", "fulfil")
    stage.sweep()
    assert stage.centra.faults.fired[fault] == 1
    sent = effect_of(stage, made, WRITES[operation])
    assert sent.state == "unknown"
    while stage.clock.now() < sent.unknown_until:
        assert asked(stage, operation) == 1
        assert parcel(stage, made).state == STATE[operation]
        stage.sweep(every=4)
    stage.sweep(4)
    once(stage, number, made)
    assert asked(stage, operation) == 2


@pytest.mark.parametrize("seconds", [40, 100, 300])
@pytest.mark.parametrize("operation", WRITES)
def test_a_call_that_takes_effect_long_after_everybody_gave_up_happens_once(
    stage: Stage, operation: str, seconds: float
) -> None:
    number = bought(stage)
    stage.centra.faults.plan("late", operation, seconds=seconds)
    made = shipped(stage, number)
    stage.sweep(15)
    once(stage, number, made)


POINTS = (
    *("intent.before-commit", "intent.after-commit", "effect.before-send", "effect.after-send"),
    *("answer.before-commit", "answer.after-commit"),
)


@pytest.mark.parametrize("passing", [1, 2, 3], ids=["create", "capture", "complete"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_anywhere_in_a_write_leaves_one_shipment_one_capture_and_one_e_mail(
    stage: Stage, point: str, passing: int
) -> None:
    number = bought(stage)
    killed(stage, number, point, passing)


@pytest.mark.parametrize("link", ["take", "create", "capture", "complete", "prove"])
@pytest.mark.parametrize("moment", ["claim.{}.after-commit", "settle.{}.before-commit", "settle.{}.after-commit"])
def test_a_worker_killed_between_the_links_leaves_one_shipment_one_capture_and_one_e_mail(
    stage: Stage, link: str, moment: str
) -> None:
    number = bought(stage)
    killed(stage, number, moment.format(link), 1)


def killed(stage: Stage, number: str, point: str, passing: int) -> None:
    """Its worker dies at the n-th passing of a point of this dispatch; another one goes on when the lease has ended."""
    left = [passing]

    def reach(name: str) -> None:
        left[0] -= name == point
        if name == point and left[0] == 0:
            raise Killed

    made = leave(stage, number)
    run_feed(stage, "dispatches", "fulfil")
    stage.world.point = stage.store.point = reach
    with pytest.raises(Killed):
        stage.sweep(4)
    stage.world.point = stage.store.point = lambda name: None
    stage.queue.clear()
    stage.sweep(10)
    once(stage, number, made)


def test_two_equal_halves_of_an_order_are_shown_one_after_the_other_when_the_first_is_in_doubt(stage: Stage) -> None:
    number = bought(stage, 4)
    stage.centra.faults.plan("timeout-before", "createShipment")
    halves = [leave(stage, number, {0: 2}, tracking=["A1"]), leave(stage, number, {0: 2}, tracking=["A2"])]
    run_feed(stage, "dispatches", "fulfil")
    stage.sweep()
    first = effect_of(stage, halves[0], "shipment")
    assert first.state == "unknown"
    assert effect_of(stage, halves[1], "shipment") is None
    assert "another dispatch of its order" in parcel(stage, halves[1]).reason
    assert asked(stage, "createShipment") == 1
    stage.sweep(8)
    told(stage, *halves)
    assert goods(stage, number) == [{stage.sku(): 2}, {stage.sku(): 2}]
    assert sorted(made["tracking"] for made in shown(stage, number)) == ["A1", "A2"]
    assert mails(stage, number) == 2


@pytest.mark.parametrize("fault", ["timeout-after", "late"])
def test_of_two_equal_halves_each_finds_its_own_shipment(stage: Stage, fault: str) -> None:
    number = bought(stage, 4)
    for _ in range(2):
        stage.centra.faults.plan(fault, "createShipment", seconds=35.0)
    halves = [leave(stage, number, {0: 2}, tracking=["A1"]), leave(stage, number, {0: 2}, tracking=["A2"])]
    follow(stage)
    stage.sweep(12)
    told(stage, *halves)
    assert len(shown(stage, number)) == asked(stage, "createShipment") == 2
    assert len({effect_of(stage, half, "shipment").answer for half in halves}) == 2
    assert sum(taken(stage, number)) == parcel(stage, halves[0]).total_minor + parcel(stage, halves[1]).total_minor


def test_two_workers_at_the_two_halves_of_an_order_make_two_shipments(stage: Stage) -> None:
    number = bought(stage, 4)
    halves = [leave(stage, number, {0: 2}, tracking=["A1"]), leave(stage, number, {0: 2}, tracking=["A2"])]
    run_feed(stage, "dispatches", "fulfil")
    step.run(step.LINKS["shipment", "take"], Key("brand", "shipment", halves[0]), stage.world, task_id="take")
    start = threading.Barrier(2)
    raised: list[BaseException] = []

    def worker(half: str) -> None:
        start.wait()
        try:
            for link in ("create", "capture", "complete"):
                step.run(step.LINKS["shipment", link], Key("brand", "shipment", half), stage.world, task_id=half)
        except BaseException as error:
            raised.append(error)
            raise

    threads = [threading.Thread(target=worker, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert raised == []
    stage.sweep(4)
    told(stage, *halves)
    assert (len(shown(stage, number)), len(taken(stage, number)), mails(stage, number)) == (2, 2, 2)


@pytest.mark.scenario("SHP-06")
@pytest.mark.parametrize("operation", ["createShipment", "completeShipment"])
def test_an_answer_with_user_errors_is_no_success_and_a_replay_goes_on_from_there(stage: Stage, operation: str) -> None:
    number = bought(stage)
    stage.centra.faults.plan("user-error", operation)
    made = shipped(stage, number)
    case = dead(stage, made, "SHIPMENT_NOT_ACKED")
    assert mails(stage, number) == 0
    assert case.money_minor == parcel(stage, made).total_minor > 0
    casework.replay(stage.world, [case.id], "ann", "Centra was asked")
    stage.work()
    stage.sweep(2)
    once(stage, number, made)
    assert case_by_id(stage, case.id).state == "resolved"


@pytest.mark.scenario("PLT-11")
def test_data_beside_errors_is_a_doubt_and_not_an_answer(stage: Stage) -> None:
    number = bought(stage)
    stage.centra.faults.plan("partial", "createShipment")
    made = shipped(stage, number)
    stage.sweep(8)
    once(stage, number, made)

"""What left is not what was ordered, or is not any more: a person decides, and nobody is told twice or wrongly."""

from typing import Any

import pytest
from stage import Stage
from steps.looking import book, case_by_id, run_feed
from steps.parcels import (
    bought,
    case_of,
    dead,
    follow,
    leave,
    mails,
    parcel,
    shipped,
    shown,
    stand,
    taken,
    told,
    units,
)

from integration import casework
from integration.domain.order import Key
from integration.sandbox.centra_shipments import Wanted
from integration.store import ledger


def waiting_moves(stage: Stage, number: str) -> list[dict[str, Any]]:
    """The moves of an order's one shipment, as Fulfil's own rows."""
    records = stage.fulfil._records
    (shipment,) = stage.sales(number)[0]["shipments"]
    row = records.get("stock.shipment.out", int(shipment))
    return [records.get("stock.move", id) for id in row["outgoing_moves"]]


def change(stage: Stage, made: str, **words: Any) -> None:
    """Change a dispatch in Fulfil behind everybody's back."""
    stage.clock.sleep(2)
    records = stage.fulfil._records
    records.update("stock.shipment.out", records.get("stock.shipment.out", int(made.removeprefix("fulfil-"))), words)


def set_status(stage: Stage, number: str, status: str) -> None:
    """What Centra calls an order, by hand."""
    with stage.centra.guard:
        order = stage.centra.book.find(int(number))
        order.status = status
        order.touch(stage.centra.book.now(), "by hand")


@pytest.mark.scenario("SHP-08")
def test_more_pieces_than_were_ordered_park_and_nothing_is_told(stage: Stage) -> None:
    number = bought(stage, 3)
    waiting_moves(stage, number)[0]["quantity"] = 4.0
    made = shipped(stage, number)
    case = dead(stage, made, "SHIPMENT_QTY_CONFLICT")
    assert "4 of" in case.message
    assert "3 are ordered" in case.message
    assert case.money_minor > 0
    assert (shown(stage, number), mails(stage, number), taken(stage, number)) == ([], 0, [])
    assert units(stage, made) == {stage.sku(): 4}


@pytest.mark.scenario("SHP-08")
def test_another_product_than_was_ordered_parks(stage: Stage) -> None:
    number = bought(stage, 1)
    other = next(p for p in stage.fulfil._records.rows["product.product"].values() if p["code"] == stage.sku(5))
    waiting_moves(stage, number)[0]["product"] = other["id"]
    made = shipped(stage, number)
    case = dead(stage, made, "SHIPMENT_QTY_CONFLICT")
    assert stage.sku() in case.message
    assert stage.sku(5) in case.message
    assert shown(stage, number) == []


@pytest.mark.scenario("SHP-08")
def test_the_second_of_two_dispatches_may_take_no_more_than_is_left(stage: Stage) -> None:
    number = bought(stage, 3)
    first = shipped(stage, number, {0: 2}, tracking=["A1"])
    waiting = stage.fulfil._records.rows["stock.shipment.out"][2]["outgoing_moves"]
    stage.fulfil._records.get("stock.move", waiting[0])["quantity"] = 2.0
    second = shipped(stage, number, tracking=["A2"])
    told(stage, first)
    case = dead(stage, second, "SHIPMENT_QTY_CONFLICT")
    assert "3 are ordered, and 2 are on other shipments" in case.message
    assert mails(stage, number) == 1


def test_a_shipment_that_somebody_made_in_centra_by_hand_is_not_made_again(stage: Stage) -> None:
    number = bought(stage, 2)
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        stage.centra.shipments.create(order, Wanted([(order.lines[0].id, 2)]))
    made = shipped(stage, number)
    dead(stage, made, "SHIPMENT_QTY_CONFLICT")
    assert len(shown(stage, number)) == 1


def test_a_shipment_that_was_there_before_is_never_taken_for_ours(stage: Stage) -> None:
    number = bought(stage, 4)
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        stage.centra.shipments.create(order, Wanted([(order.lines[0].id, 2)]))
    stage.centra.faults.plan("timeout-before", "createShipment")
    made = shipped(stage, number, {0: 2})
    stage.sweep(8)
    assert [s["shipped"] for s in shown(stage, number)] == [False, True]
    assert parcel(stage, made).state == "proven"


@pytest.mark.scenario("ORD-08")
def test_goods_that_left_for_a_cancelled_order_are_a_case_that_says_stop_the_parcel(stage: Stage) -> None:
    number = bought(stage)
    (waiting,) = stage.fulfil.pack(f"centra-{number}")
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.work()
    stage.sweep()
    assert [case.type for case in stage.open_cases()] == ["ORDER_CANCEL_TOO_LATE"]
    stage.fulfil.ship(waiting, tracking=["A1"])
    follow(stage)
    made = f"fulfil-{waiting}"
    case = dead(stage, made, "SHIPMENT_OF_CANCELLED")
    assert "Stop the parcel" in stage.world.playbook.rule(case.type).action
    assert (shown(stage, number), mails(stage, number), taken(stage, number)) == ([], 0, [])
    change(stage, made, state="cancel")
    follow(stage)
    assert parcel(stage, made).state == "cancelled"
    assert case_by_id(stage, case.id).resolution.startswith("obsolete")
    assert units(stage, made) == {}


@pytest.mark.scenario("SHP-05")
@pytest.mark.parametrize("act", ["void", "relabel", "other carrier"])
def test_a_parcel_changed_after_the_customer_was_told_is_a_case_and_no_second_capture_or_e_mail(
    stage: Stage, act: str
) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=["OLD1"])
    told(stage, made)
    before, id = shown(stage, number), int(made.removeprefix("fulfil-"))
    stage.clock.sleep(60)
    if act == "void":
        stage.fulfil.void(id)
    else:
        service = "royal-mail-24" if act == "other carrier" else None
        stage.fulfil.relabel(id, ["NEW1"], service)
    follow(stage)
    case = dead(stage, made, "SHIPMENT_REVERSED")
    assert case.owner == "Operations"
    assert "tracking" in case.message
    assert ("service" in case.message) == (act == "other carrier")
    assert shown(stage, number) == before
    assert (mails(stage, number), len(taken(stage, number))) == (1, 1)
    stage.clock.sleep(60)
    stage.fulfil.relabel(id, ["OLD1"], "royal-mail-48")
    follow(stage)
    told(stage, made)
    assert case_by_id(stage, case.id).state == "resolved"
    assert (mails(stage, number), len(taken(stage, number))) == (1, 1)


@pytest.mark.scenario("SHP-05")
def test_a_re_label_that_was_corrected_in_centra_by_hand_closes_its_case_by_itself(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=["OLD1"])
    stage.clock.sleep(60)
    stage.fulfil.relabel(int(made.removeprefix("fulfil-")), ["NEW1"])
    follow(stage)
    case = dead(stage, made, "SHIPMENT_REVERSED")
    with stage.centra.guard:
        stage.centra.orders[int(number)].shipments[0].tracking = "NEW1"
    run_feed(stage, "recheck_shipments", "fulfil")
    stage.sweep(2)
    told(stage, made)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


@pytest.mark.scenario("SHP-05")
def test_a_shipment_cancelled_in_the_erp_after_it_was_told_is_a_case_and_a_person_may_end_it(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number)
    change(stage, made, state="cancel")
    follow(stage)
    case = dead(stage, made, "SHIPMENT_REVERSED")
    assert (len(taken(stage, number)), mails(stage, number)) == (1, 1)
    casework.resolve(stage.world, case.id, "something else", "stopped at the dock, refunded by CX", "ann")
    ledger.mark(stage.store, [Key("brand", "shipment", made)], "operator")
    stage.sweep(3)
    assert parcel(stage, made).state == "closed"
    assert stage.open_cases() == []


def test_a_re_label_before_the_customer_was_told_is_simply_told(stage: Stage) -> None:
    number = bought(stage, payment="paypal")
    stage.centra.faults.plan("throttled", "completeShipment", seconds=300)
    made = shipped(stage, number, tracking=["OLD1"])
    assert parcel(stage, made).state == "captured"
    stage.fulfil.relabel(int(made.removeprefix("fulfil-")), ["NEW1"], "royal-mail-24")
    follow(stage)
    stage.sweep(15)
    told(stage, made)
    (there,) = shown(stage, number)
    assert (there["tracking"], there["service"]) == ("NEW1", "Tracked 24")
    assert (mails(stage, number), len(taken(stage, number))) == (1, 1)


def test_a_dispatch_that_has_no_whole_line_of_the_order_is_a_case(stage: Stage) -> None:
    number = bought(stage)
    waiting_moves(stage, number)[0]["quantity"] = 0.0
    made = leave(stage, number)
    follow(stage)
    assert made
    if parcel(stage, made) is not None:
        dead(stage, made, "SHIPMENT_INCOMPLETE")
    assert shown(stage, number) == []


def test_a_line_that_was_cancelled_in_centra_and_yet_left_parks_its_dispatch(stage: Stage) -> None:
    number = bought(stage, 2, 1)
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        stage.centra.book.edit(order, {"quantities": {stage.sku(1): 0}})
    stage.clock.sleep(2)
    stand(stage, number, state="proven", source_version="as edited", posted_version="as edited")
    made = shipped(stage, number)
    if parcel(stage, made).state == "dead":
        assert stage.sku(1) in case_of(stage, made, "SHIPMENT_QTY_CONFLICT").message
    assert (shown(stage, number), mails(stage, number)) == ([], 0)


def test_centra_that_calls_an_order_complete_too_early_is_told(stage: Stage) -> None:
    number = bought(stage, 2, 2)
    made = shipped(stage, number, {0: 2}, tracking=["A1"])
    told(stage, made)
    set_status(stage, number, "SHIPPED")
    ledger.mark(stage.store, [Key("brand", "shipment", made)], "operator")
    stage.sweep(2)
    case = case_of(stage, made, "ORDER_COMPLETION_MISMATCH")
    assert "2 pieces of it are on no shipment" in case.message
    assert parcel(stage, made).state == "proven"
    set_status(stage, number, "PROCESSING")
    run_feed(stage, "recheck_shipments", "fulfil")
    stage.sweep(2)
    told(stage, made)
    assert case_by_id(stage, case.id).state == "resolved"


def test_centra_that_does_not_call_an_order_complete_is_told(stage: Stage) -> None:
    number = bought(stage, payment="paypal")
    made = shipped(stage, number)
    assert book(stage, number)["status"] == "SHIPPED"
    set_status(stage, number, "PROCESSING")
    ledger.mark(stage.store, [Key("brand", "shipment", made)], "operator")
    stage.sweep(2)
    assert "still calls the order PROCESSING" in case_of(stage, made, "ORDER_COMPLETION_MISMATCH").message

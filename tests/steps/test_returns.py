"""Goods come back: expected in the ERP to the piece, completed in Centra only once they were received and inspected."""

from datetime import timedelta

import pytest
from stage import Stage
from steps.back import (
    all_memos,
    back,
    by_hand,
    come_back,
    completed,
    dead,
    follow,
    goods_line,
    goods_row,
    in_centra,
    in_fulfil,
    money_rows,
    return_sales,
    row_of,
    run_link,
    send_back,
    sold,
    stand,
    the_case,
    told_by,
    tried,
    units,
    with_rule,
)
from steps.conftest import OpenStage
from steps.looking import TEXT, run_feed, without
from steps.parcels import bought, leave, shipped

from integration import casework
from integration.domain.order import Key
from integration.sandbox.centra_orders import BasketLine


def returned(stage: Stage, *pieces: int) -> tuple[str, str]:
    """An order that was sold, and a return of one piece of it that the ERP expects."""
    number = sold(stage, *pieces or (2,))
    made = send_back(stage, number)
    follow(stage)
    assert goods_row(stage, made).state == "opened", goods_row(stage, made).reason
    return number, made


@pytest.mark.scenario("RET-13")
def test_a_return_is_announced_with_every_field_to_the_piece_and_at_no_value(stage: Stage) -> None:
    number = sold(stage, 3)
    made = send_back(stage, number, {0: 2})
    follow(stage)
    row = goods_row(stage, made)
    assert (row.state, row.order_number, row.connection) == ("opened", number, "fulfil")
    assert units(stage, row) == {stage.sku(): 2}
    (sale,) = return_sales(stage, made)
    assert [(sku, quantity, price) for sku, quantity, price, _, _ in sale["lines"]] == [(stage.sku(), -2.0, "0")]
    assert f"2 × {stage.sku()} announced, nothing has arrived yet" in row.reason
    assert tried(stage, row)[-1] == ("open", "done")


def test_goods_that_were_restocked_complete_the_return_in_centra(stage: Stage) -> None:
    number, made = returned(stage)
    assert not completed(stage, number, made)
    come_back(stage, made)
    back(stage, made)
    assert completed(stage, number, made)
    assert goods_row(stage, made).reason == f"completed in Centra: received and inspected: 1 × {stage.sku()} restocked"


def test_received_is_not_inspected(stage: Stage) -> None:
    number, made = returned(stage)
    stage.fulfil.receive_return(f"return-{made}")
    follow(stage)
    row = goods_row(stage, made)
    assert (row.state, completed(stage, number, made)) == ("opened", False)
    assert row.released_at is not None
    stage.fulfil.inspect_return(f"return-{made}", "restock")
    follow(stage)
    back(stage, made)


def test_stock_rises_in_centra_when_the_return_is_completed_and_is_then_what_the_erp_has(stages: OpenStage) -> None:
    stage = stages(stock=True)
    number = sold(stage, 2)
    before = in_centra(stage), in_fulfil(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.fulfil.receive_return(f"return-{made}")
    follow(stage)
    assert in_centra(stage) == before[0]
    stage.fulfil.inspect_return(f"return-{made}", "restock")
    follow(stage, times=6)
    back(stage, made)
    assert (in_centra(stage), in_fulfil(stage)) == (before[0] + 1, before[1] + 1)
    assert "return" in told_by(stage, row_of(stage, "stock", "fulfil"))  # and not only by the ERP's own movement


@pytest.mark.scenario("RET-01")
def test_a_refund_that_completes_the_return_in_centra_before_the_goods_are_back_raises_no_stock_for_long(
    stages: OpenStage,
) -> None:
    stage = stages(stock=True)
    number = sold(stage, 2)
    before = in_centra(stage)
    made = send_back(stage, number)
    follow(stage)
    stage.centra.refund_return(int(made))
    stage.clock.sleep(10)
    assert completed(stage, number, made)
    assert in_centra(stage) == before + 1  # Centra's own doing, as it is documented for its REST API
    follow(stage, times=6)
    assert in_centra(stage) == before
    assert "Centra has completed it already, so its stock was pushed again" in goods_row(stage, made).reason
    stage.clock.sleep(timedelta(days=10).total_seconds())
    come_back(stage, made)
    stage.sweep(4)
    back(stage, made)
    assert in_centra(stage) == before + 1
    (memo,) = all_memos(stage)
    assert memo["reference"] == f"refund-{money_rows(stage, number)[0].number}"


@pytest.mark.scenario("RET-03")
def test_a_mixed_inspection_is_a_conflict_that_counts_pieces_and_is_never_completed(stage: Stage) -> None:
    number = sold(stage, 3)
    made = send_back(stage, number, {0: 2})
    follow(stage)
    come_back(stage, made, {stage.sku(): {"restock": 1, "quarantine": 1}})
    case = dead(stage, goods_row(stage, made), "RETURN_STOCK_CONFLICT")
    assert f"restocked 1 × {stage.sku()} and put 1 × {stage.sku()} to quarantine" in case.message
    assert f"1 × {stage.sku()} too many" in case.message
    stage.sweep(20, every=600)
    assert not completed(stage, number, made)


@pytest.mark.scenario("RET-11")
def test_goods_that_are_scrapped_complete_a_return_that_removes_them_only_by_hand(stage: Stage) -> None:
    """Centra does not say before completion what its stock action is, so a person looks."""
    number = sold(stage, 2)
    made = send_back(stage, number, stock="remove")
    follow(stage)
    come_back(stage, made, "scrap")
    case = dead(stage, goods_row(stage, made), "RETURN_STOCK_CONFLICT")
    assert "Centra does not say whether it does" in case.message
    stage.centra.complete_return(int(made))
    follow(stage)
    back(stage, made)
    assert goods_row(stage, made).reason.endswith("1 × " + stage.sku() + " to scrap; Centra restocks nothing either")


@pytest.mark.scenario("RET-11")
def test_goods_that_are_fine_and_a_return_that_removes_them_are_a_conflict_once_centra_says_so(
    stages: OpenStage,
) -> None:
    stage = stages(stock=True)
    number = sold(stage, 2)
    before = in_centra(stage)
    made = send_back(stage, number, stock="remove")
    follow(stage)
    come_back(stage, made)
    stage.sweep(4)
    case = dead(stage, goods_row(stage, made), "RETURN_STOCK_CONFLICT")
    assert f"it would be 1 × {stage.sku()} short" in case.message
    assert in_centra(stage) == before + 1  # the push made it right; the case says why it was wrong


def test_what_did_not_come_is_waited_for_and_completed_with_the_rest(stage: Stage) -> None:
    number = sold(stage, 3)
    made = send_back(stage, number, {0: 2})
    follow(stage)
    come_back(stage, made, quantities={stage.sku(): 1})
    row = goods_row(stage, made)
    assert row.state == "opened"
    assert "1 × " + stage.sku() + " arrived" in row.reason
    assert not completed(stage, number, made)
    come_back(stage, made)
    back(stage, made)


def test_a_parcel_that_does_not_come_is_a_case_and_is_still_waited_for(stage: Stage) -> None:
    number, made = returned(stage)
    stage.clock.sleep(timedelta(days=31).total_seconds())
    run_feed(stage, "overdue", "fulfil")
    case = the_case(stage, goods_row(stage, made), "RETURN_NOT_RECEIVED")
    assert "not all of it has arrived" in case.message
    assert goods_row(stage, made).state == "opened"
    come_back(stage, made)
    back(stage, made)
    assert completed(stage, number, made)


def test_goods_that_nobody_inspects_are_a_case_that_follows_the_first_one(stage: Stage) -> None:
    _, made = returned(stage)
    stage.clock.sleep(timedelta(days=31).total_seconds())
    run_feed(stage, "overdue", "fulfil")
    stage.fulfil.receive_return(f"return-{made}")
    follow(stage)
    assert stage.open_cases() == []  # it has arrived: the first promise is kept, if late
    stage.clock.sleep(timedelta(days=4).total_seconds())
    run_feed(stage, "overdue", "fulfil")
    the_case(stage, goods_row(stage, made), "INSPECTION_OVERDUE")
    stage.fulfil.inspect_return(f"return-{made}", "restock")
    follow(stage)
    back(stage, made)


@pytest.mark.scenario("RET-08")
def test_a_return_deleted_in_centra_is_withdrawn_in_the_erp_if_nothing_has_arrived(stage: Stage) -> None:
    _, made = returned(stage)
    stage.centra.cancel_return(int(made))
    run_feed(stage, "events")
    follow(stage)
    assert goods_row(stage, made).state == "cancelled"
    (sale,) = return_sales(stage, made)
    assert sale["state"] == "cancel"
    assert set(sale["shipment_returns"].values()) == {"cancel"}


@pytest.mark.scenario("RET-08")
def test_a_return_deleted_after_the_goods_came_counts_the_pieces_for_a_person(stage: Stage) -> None:
    _, made = returned(stage)
    stage.fulfil.receive_return(f"return-{made}")
    stage.centra.cancel_return(int(made))
    run_feed(stage, "events")
    follow(stage)
    case = dead(stage, goods_row(stage, made), "RETURN_CANCELLED_LATE")
    assert f"after 1 × {stage.sku()} had come back" in case.message
    (sale,) = return_sales(stage, made)
    assert sale["state"] != "cancel"


def test_a_deletion_that_nobody_told_of_is_found_by_reading_again(stage: Stage) -> None:
    run_feed(stage, "events")
    _, made = returned(stage)
    stage.centra.cancel_return(int(made))
    stage.centra.faults.plan("error-before", "events", times=10_000)
    stage.clock.sleep(3700)
    follow(stage)
    assert goods_row(stage, made).state == "cancelled"


def test_a_return_deleted_before_the_erp_knew_of_it_is_nobodys_business(stage: Stage) -> None:
    number = sold(stage)
    made = send_back(stage, number)
    stage.fulfil.faults.plan("unavailable", "return_order", times=100)
    follow(stage)
    stage.centra.cancel_return(int(made))
    run_feed(stage, "events")
    stage.sweep(10)  # a 503 on a write proves nothing: absence is waited out
    assert goods_row(stage, made).state == "cancelled"
    assert return_sales(stage, made) == []


@pytest.mark.scenario("RET-14")
def test_one_parcel_with_the_goods_of_two_shipments_is_two_returns_either_of_which_may_be_first(stage: Stage) -> None:
    number = bought(stage, 1, 1)
    shipped(stage, number, {0: 1})
    shipped(stage, number, {1: 1})
    stage.clock.sleep(10)
    follow(stage)
    items = {stage.sku(0): 1, stage.sku(1): 1}
    first, second = (str(made) for made in stage.centra.return_items(int(number), items))
    follow(stage)
    stage.fulfil.receive_return(f"return-{first}", "restock")
    stage.fulfil.receive_return(f"return-{second}")
    follow(stage)
    back(stage, first)
    assert (completed(stage, number, second), goods_row(stage, second).state) == (False, "opened")
    stage.fulfil.inspect_return(f"return-{second}", "restock")
    follow(stage)
    back(stage, first, second)
    assert [units(stage, goods_row(stage, made)) for made in (first, second)] == [{sku: 1} for sku in items]


@pytest.mark.scenario("RET-04")
def test_a_parcel_that_nobody_announced_is_a_case_of_the_connection_and_no_credit(stage: Stage) -> None:
    number = sold(stage)
    sale = stage.sales(number)[0]["id"]
    line = {"order_line_id": goods_line(stage, number), "return_quantity": 1, "unit_price": "0"}
    by_hand(stage, "sale.sale", sale, "return_order", {"reference": "by hand", "lines": [line]})
    stage.fulfil.receive_return(stage.fulfil.expected_returns()[0]["id"], "restock")
    follow(stage)
    (case,) = stage.open_cases()
    assert (case.type, case.job_id) == ("RECEIPT_WITHOUT_RETURN", None)
    assert f"of order {number}, and no return of Centra's announced it" in case.message
    follow(stage)
    assert len(stage.open_cases()) == 1
    casework.resolve(stage.world, case.id, "something else", "sent back to the other shop", "ann")
    follow(stage)
    assert stage.open_cases() == []
    assert all_memos(stage) == []


@pytest.mark.scenario("RET-06")
def test_an_exchange_is_two_documents_that_net_to_nothing_and_each_stock_moves_once(stages: OpenStage) -> None:
    stage = stages(stock=True)
    number = sold(stage, 1)
    before = in_fulfil(stage, 0), in_fulfil(stage, 1)
    made = send_back(stage, number)
    follow(stage)
    another = stage.order(lines=[BasketLine(stage.sku(1), 1)])
    stage.hint(another)
    stage.work()
    come_back(stage, made)
    leave(stage, another, None)
    follow(stage, times=6)
    back(stage, made)
    assert (money_rows(stage, number), all_memos(stage)) == ([], [])
    assert (in_fulfil(stage, 0), in_fulfil(stage, 1)) == (before[0] + 1, before[1] - 1)


def test_a_return_whose_order_is_not_proven_waits_for_it_and_goes_on_at_once(stage: Stage) -> None:
    number = sold(stage)
    order = stage.row(number)
    stand(stage, Key("brand", "order", number), state="cancelling", done_at=None)  # as one whose sale is not certain
    made = send_back(stage, number)
    run_feed(stage, "announced")
    run_link(stage, "take", Key("brand", "return", made))
    held = goods_row(stage, made)
    assert (held.state, held.not_before > stage.clock.now()) == ("held", True)
    assert held.reason.startswith(f"waits: order {number} is not proven in the ERP yet")
    stand(stage, Key("brand", "order", number), state="posted", done_at=order.done_at)
    run_link(stage, "prove", Key("brand", "order", number))
    stage.sweep(4)
    assert goods_row(stage, made).state == "opened"


def test_a_return_from_before_the_connections_start_is_only_observed(stage: Stage) -> None:
    number = sold(stage)
    stage.apply(TEXT.replace("start_at = 2026-01-01T00:00:00Z", "start_at = 2026-05-05T00:00:00Z"))
    made = send_back(stage, number)
    follow(stage)
    assert (goods_row(stage, made).state, return_sales(stage, made)) == ("observed", [])


def test_a_place_without_a_meaning_stops_only_its_own_return_and_the_mapping_releases_it(stage: Stage) -> None:
    stage.apply(without('"London Quarantine"'))
    number = sold(stage, 3)
    first, second = (send_back(stage, number) for _ in range(2))
    follow(stage)
    stage.fulfil.receive_return(f"return-{first}", "quarantine")
    stage.fulfil.receive_return(f"return-{second}", "restock")
    follow(stage)
    back(stage, second)
    case = dead(stage, goods_row(stage, first), "RETURN_DISPOSITION_UNMAPPED")
    assert "'London Quarantine'" in case.message
    stage.apply(TEXT)
    run_feed(stage, "release", "fulfil")
    follow(stage)
    dead(stage, goods_row(stage, first), "RETURN_STOCK_CONFLICT")  # now it is known to be in quarantine


def test_more_goods_than_were_announced_are_a_mismatch(stage: Stage) -> None:
    number, made = returned(stage)
    (shipment,) = stage.fulfil.books()["returns"]
    move = stage.fulfil._records.get("stock.shipment.out.return", shipment["id"])["incoming_moves"][0]
    with stage.fulfil._changing():
        row = stage.fulfil._records.get("stock.move", move)
        stage.fulfil._records.update("stock.move", row, {"quantity": 2.0})
    stage.fulfil.receive_return(f"return-{made}")
    follow(stage)
    case = dead(stage, goods_row(stage, made), "RETURN_MISMATCH")
    assert case.message.startswith(f"Centra announced 1 × {stage.sku()}, the ERP has 2 × {stage.sku()}")
    assert not completed(stage, number, made)


def test_a_return_that_somebody_cancels_in_the_erp_is_a_mismatch(stage: Stage) -> None:
    _, made = returned(stage)
    (expected,) = stage.fulfil.expected_returns()
    by_hand(stage, "stock.shipment.out.return", expected["id"], "cancel")
    follow(stage)
    case = dead(stage, goods_row(stage, made), "RETURN_MISMATCH")
    assert "does not expect it any more" in case.message


# ------------------------------------------------------------------------------------------------- by hand


def test_with_announcing_off_the_case_says_all_there_is_to_key_and_what_is_keyed_goes_on_by_itself(
    stage: Stage,
) -> None:
    stage.apply(with_rule("returns", 'announce = "off"'))
    number = sold(stage, 3)
    made = send_back(stage, number, {0: 2})
    follow(stage)
    case = dead(stage, goods_row(stage, made), "RETURN_NOT_ANNOUNCED")
    sale = stage.sales(number)[0]["id"]
    assert f"2 × {stage.sku()} of order line" in case.message
    assert case.message.endswith(f"under the reference return-{made}, against sales order {sale} (centra-{number})")
    assert return_sales(stage, made) == []
    line = {"order_line_id": goods_line(stage, number), "return_quantity": 2, "unit_price": "0"}
    form = {"channel_identifier": f"return-{made}", "reference": f"return-{made}", "lines": [line]}
    by_hand(stage, "sale.sale", sale, "return_order", form)
    follow(stage)
    assert goods_row(stage, made).state == "opened"
    assert stage.open_cases() == []
    come_back(stage, made)
    back(stage, made)


def test_with_inspection_off_nothing_is_completed_and_a_person_says_what_was_found(stage: Stage) -> None:
    stage.apply(with_rule("returns", 'inspection = "off"'))
    number, made = returned(stage)
    come_back(stage, made)
    case = dead(stage, goods_row(stage, made), "RETURN_TO_INSPECT")
    assert f"1 × {stage.sku()} arrived" in case.message
    assert not completed(stage, number, made)

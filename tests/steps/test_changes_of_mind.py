"""A cancel or an edit before, during or after the post ends equal in both systems, or in one case."""

import pytest
from stage import ADDRESS, Stage
from steps.conftest import OpenStage
from steps.looking import (
    TEXT,
    asked_to_create,
    assert_case,
    assert_proven,
    book,
    case_by_id,
    created,
    run_feed,
    sent,
    total,
    without_market,
)

from integration import casework
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.store import ledger


def take(stage: Stage, fault: str = "", **terms: float) -> str:
    if fault:
        stage.fulfil.faults.plan(fault, operation="create_order", **terms)
    number = stage.order()
    stage.hint(number)
    stage.work()
    if fault:
        assert stage.fulfil.faults.fired[fault] == 1
    return number


def cancel(stage: Stage, number: str) -> None:
    stage.clock.sleep(2)
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.work()
    stage.sweep()


def edit(stage: Stage, number: str, **words: object) -> None:
    stage.clock.sleep(2)
    stage.centra.edit(int(number), **words)
    stage.hint(number)
    stage.work()


def living(stage: Stage, number: str) -> int:
    return sum(sale["state"] != "cancel" for sale in stage.sales(number))


# ------------------------------------------------------------------------------------------------------------- cancel


@pytest.mark.parametrize("status", ["CANCELLED", "DELETED"])
def test_an_order_cancelled_before_it_was_sent_is_never_sent(stages: OpenStage, status: str) -> None:
    stage = stages(centra=CentraSwitches(cancelled_status=status))
    number = stage.order(on_hold=True)
    stage.hint(number)
    stage.work()
    cancel(stage, number)
    assert stage.row(number).state == "cancelled"
    assert asked_to_create(stage) == 0
    assert stage.open_cases() == []


def test_an_order_that_was_dead_and_is_cancelled_closes_its_case(stage: Stage) -> None:
    number = stage.order(off_by=1)
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_TOTAL_INCONSISTENT")
    cancel(stage, number)
    assert stage.row(number).state == "cancelled"
    assert "obsolete" in case_by_id(stage, case.id).resolution


@pytest.mark.scenario("ORD-07")
def test_an_order_cancelled_while_its_post_was_in_doubt_and_had_happened_is_cancelled_in_both(stage: Stage) -> None:
    number = take(stage, "timeout-after")
    cancel(stage, number)
    stage.sweep(4)
    assert stage.row(number).state == "cancelled"
    assert (created(stage, number), living(stage, number)) == (1, 0)
    assert stage.open_cases() == []


@pytest.mark.scenario("ORD-07")
def test_an_order_cancelled_while_its_post_was_in_doubt_and_never_happened_is_certain_before_it_is_closed(
    stage: Stage,
) -> None:
    number = take(stage, "timeout-before")
    until = sent(stage, number).unknown_until
    cancel(stage, number)
    while stage.clock.now() < until:
        assert stage.row(number).state == "cancelling"
        stage.sweep(every=5)
    stage.sweep(2)
    assert stage.row(number).state == "cancelled"
    assert "never got it" in stage.row(number).reason
    assert (created(stage, number), asked_to_create(stage)) == (0, 1)


@pytest.mark.scenario("ORD-07")
def test_a_post_that_takes_effect_after_its_order_was_cancelled_is_cancelled_too(stage: Stage) -> None:
    number = take(stage, "late", seconds=200)
    cancel(stage, number)
    stage.sweep(4)
    assert (stage.row(number).state, stage.sales(number)) == ("cancelled", [])
    stage.sweep(4)
    assert living(stage, number) == 1
    stage.sweep(12)
    assert living(stage, number) == 0
    assert stage.row(number).state == "cancelled"
    assert stage.open_cases() == []


def test_an_order_cancelled_after_its_post_is_cancelled_in_the_erp(stage: Stage) -> None:
    number = take(stage)
    assert_proven(stage, number)
    cancel(stage, number)
    stage.sweep(2)
    assert (stage.row(number).state, living(stage, number)) == ("cancelled", 0)
    assert stage.open_cases() == []


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before", "error-after", "unavailable"])
def test_a_cancel_without_an_answer_is_looked_up_and_finished(stage: Stage, fault: str, before: int) -> None:
    number = take(stage)
    stage.fulfil.faults.plan(fault, operation="cancel", skip=before)  # of the shipment, then of the sale
    cancel(stage, number)
    assert stage.fulfil.faults.fired[fault] == 1
    stage.sweep(8)
    assert (stage.row(number).state, living(stage, number)) == ("cancelled", 0)
    assert stage.open_cases() == []


@pytest.mark.scenario("ORD-08")
def test_an_order_cancelled_after_it_was_packed_is_a_case_for_operations(stage: Stage) -> None:
    number = take(stage)
    (shipment,) = stage.sales(number)[0]["shipments"]
    stage.fulfil.pack(int(shipment))
    cancel(stage, number)
    case = assert_case(stage, number, "ORDER_CANCEL_TOO_LATE")
    assert case.owner == "Operations"
    assert living(stage, number) == 1


@pytest.mark.scenario("ORD-08")
def test_a_fulfil_that_never_cancels_a_processing_order_is_the_same_case(stages: OpenStage) -> None:
    stage = stages(fulfil=FulfilSwitches(cancel_processing="never"))
    number = take(stage)
    cancel(stage, number)
    stage.sweep(30)
    case = assert_case(stage, number, "ORDER_CANCEL_TOO_LATE")
    assert case.occurrences <= 2  # what our own try changed in Fulfil is looked at once, not at every back-check


# --------------------------------------------------------------------------------------------------------------- edit


def test_an_order_edited_before_its_post_is_posted_as_it_is_now(stage: Stage) -> None:
    number = stage.order(on_hold=True)
    stage.hint(number)
    stage.work()
    edit(stage, number, quantities={stage.sku(): 5})
    stage.centra.release(int(number))
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)
    assert total(stage, number) == book(stage, number)["grand_total"]


@pytest.mark.scenario("ORD-10")
def test_an_order_edited_while_its_post_was_in_doubt_and_never_happened_is_posted_as_it_is_now(stage: Stage) -> None:
    number = take(stage, "timeout-before")
    edit(stage, number, quantities={stage.sku(): 3})
    edit(stage, number, quantities={stage.sku(): 4}, shippingAddress={"city": "Leeds"})
    stage.sweep(6)
    assert_proven(stage, number)
    assert total(stage, number) == book(stage, number)["grand_total"]
    assert created(stage, number) == 1


@pytest.mark.scenario("ORD-10")
@pytest.mark.parametrize("words", [{"quantities": {"X": 3}}, {"shippingAddress": {"city": "Leeds"}}])
def test_an_order_edited_while_its_post_was_in_doubt_and_had_happened_is_a_case_not_a_second_order(
    stage: Stage, words: dict[str, dict[str, object]]
) -> None:
    number = take(stage, "timeout-after")
    if "quantities" in words:
        words = {"quantities": {stage.sku(): 3}}
    edit(stage, number, **words)
    stage.sweep(5)
    assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    assert created(stage, number) == 1


@pytest.mark.scenario("ORD-10")
@pytest.mark.scenario("MON-18")
def test_an_order_edited_after_its_post_is_a_case_and_undoing_the_edit_closes_it(stage: Stage) -> None:
    number = take(stage)
    edit(stage, number, quantities={stage.sku(): 3})
    case = assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    assert case.owner == "CX"
    assert "quantity" in case.message
    edit(stage, number, quantities={stage.sku(): 2})
    stage.sweep(2)
    assert_proven(stage, number)
    assert case_by_id(stage, case.id).state == "resolved"
    assert asked_to_create(stage) == 1


@pytest.mark.scenario("ORD-10")
def test_an_address_edited_after_the_post_is_a_case_though_no_amount_changed(stage: Stage) -> None:
    number = take(stage)
    edit(stage, number, shippingAddress=ADDRESS | {"address1": "9 Low Street"})
    case = assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    assert "Low Street" not in case.message


def test_an_order_edited_and_then_cancelled_is_cancelled_in_both_and_has_no_case(stage: Stage) -> None:
    number = take(stage)
    edit(stage, number, quantities={stage.sku(): 3})
    assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    cancel(stage, number)
    stage.sweep(2)
    assert (stage.row(number).state, living(stage, number)) == ("cancelled", 0)
    assert stage.open_cases() == []


def test_a_status_or_payment_that_changes_is_no_edit(stage: Stage) -> None:
    number = take(stage)
    stage.clock.sleep(2)
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        stage.centra.book.capture(order)
    stage.clock.sleep(60)
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)
    assert stage.open_cases() == []


# --------------------------------------------------------------------------------------------------------- re-mapping


@pytest.mark.scenario("MAP-03")
@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before"])
def test_an_order_in_doubt_stays_with_its_erp_though_its_market_has_moved_to_another(
    stages: OpenStage, fault: str
) -> None:
    stage = stages(
        LOCKSTEP_OTHER_URL="https://other.test",
        LOCKSTEP_OTHER_TOKEN="sandbox-token",
        LOCKSTEP_OTHER_REQUESTS_PER_SECOND="0",
    )
    other = Fulfil(stage.clock, FulfilSwitches(), 2)
    stage.transport.apps["other.test"] = other.app
    number = take(stage, fault)
    stage.apply(without_market("Europe / United Kingdom"))
    stage.apply(TEXT, "other")
    stage.hint(number)
    stage.work()
    stage.sweep(6)
    assert_proven(stage, number)
    assert stage.row(number).connection == "fulfil"
    assert other.books()["sales"] == []
    later = stage.order()
    stage.hint(later)
    stage.work()
    assert stage.row(later).connection == "other"
    assert stage.sales(later) == []


def test_a_mapping_changed_in_flight_is_not_used_by_orders_that_were_taken_under_the_old_one(stage: Stage) -> None:
    number = take(stage, "timeout-before")
    version = stage.row(number).mapping_version
    stage.apply(TEXT.replace('"royal-mail-48"', '"royal-mail-24"', 1))
    stage.sweep(6)
    assert_proven(stage, number)
    assert stage.row(number).mapping_version == version


ELSEWHERE = TEXT.replace("warehouse = 4 ", "warehouse = 65 ", 1).replace(
    '"DE", "FR", "NL", "IE"', '"GB", "DE", "FR", "NL", "IE"', 1
)
"""The mapping with its first market served from another warehouse."""


@pytest.mark.scenario("MAP-03")
@pytest.mark.parametrize("undone", [True, False])
def test_an_order_that_died_after_its_post_is_proved_by_the_mapping_that_it_was_posted_with(
    stage: Stage, undone: bool
) -> None:
    number = take(stage)
    version = stage.row(number).mapping_version
    edit(stage, number, quantities={stage.sku(): 3})
    case = assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    stage.apply(ELSEWHERE)
    if undone:
        edit(stage, number, quantities={stage.sku(): 2})
        stage.sweep(2)
        assert_proven(stage, number)
    else:
        casework.replay(stage.world, [case.id], "ann")
        stage.work()
        assert "quantity" in assert_case(stage, number, "ORDER_EDIT_BLOCKED").message
        assert "warehouse" not in case_by_id(stage, case.id).message
    assert stage.row(number).mapping_version == version


@pytest.mark.scenario("MAP-03")
def test_a_replay_of_an_order_in_doubt_keeps_its_mapping_and_one_that_surely_was_not_sent_takes_the_newest(
    stage: Stage,
) -> None:
    stage.fulfil.faults.plan("user-error", operation="create_order")
    refused = stage.order()
    stage.hint(refused)
    stage.work()
    case = assert_case(stage, refused, "ORDER_REJECTED_BY_ERP")
    number = take(stage, "timeout-before")
    version = stage.row(number).mapping_version
    newest = stage.apply(TEXT.replace('"royal-mail-48"', '"royal-mail-24"', 1))
    casework.replay(stage.world, [case.id], "ann")
    with stage.store.write() as tx:
        ledger.wake(tx, [stage.row(number).id], "operator", "replayed by a test")
    stage.sweep(6)
    assert_proven(stage, number, refused)
    assert (stage.row(number).mapping_version, stage.row(refused).mapping_version) == (version, newest)


def test_an_edit_that_no_erp_could_be_told_is_an_edit_and_says_what_is_wrong_with_it(stage: Stage) -> None:
    number = take(stage)
    edit(stage, number, shippingAddress=ADDRESS | {"address1": ""})
    case = assert_case(stage, number, "ORDER_EDIT_BLOCKED")
    assert "lacks country, place or street" in case.message
    edit(stage, number, shippingAddress=ADDRESS)
    stage.sweep(2)
    assert_proven(stage, number)


def test_the_back_check_leaves_other_peoples_sales_alone(stage: Stage) -> None:
    number = take(stage)
    records = stage.fulfil._records
    copy = dict(records.rows["sale.sale"][1])
    for name in ("id", "rec_name", "create_date", "write_date"):
        copy.pop(name, None)
    for identifier in ("shopify-17", "centra-x1", "centra-", "CENTRA-5"):
        records.insert("sale.sale", copy | {"channel_identifier": identifier})
    stage.clock.sleep(5)
    for _ in range(2):
        run_feed(stage, "back_check", "fulfil")
        stage.sweep(1)
    assert len(stage.rows()) == 1
    assert_proven(stage, number)
    assert stage.open_cases() == []

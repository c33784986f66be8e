"""The money of what left: its own fact, beside the shipment; the sum of the captures is the order's total."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import book, case_by_id, evidence, run_feed
from steps.parcels import (
    asked,
    bought,
    case_of,
    dead,
    follow,
    mails,
    parcel,
    shipped,
    shown,
    taken,
    told,
)

from integration import casework, shipments
from integration.domain.order import Key
from integration.sandbox.centra_orders import VoucherUse
from integration.sandbox.centra_switches import CentraSwitches
from integration.store import ledger, views
from integration.store.ledger import Job
from integration.wiring import World


@pytest.mark.scenario("SHP-12")
def test_a_refused_capture_leaves_the_shipment_true_and_is_finance_s_until_it_is_taken(stage: Stage) -> None:
    number = bought(stage, payment="paypal")
    stage.centra.faults.plan("capture-fails", "captureShipment")
    made = shipped(stage, number)
    case = case_of(stage, made, "CAPTURE_FAILED")
    assert (case.owner, parcel(stage, made).state) == ("Finance", "created")
    assert case.money_minor == shown(stage, number)[0]["grand_total"] == parcel(stage, made).total_minor
    assert "the customer is not told" in case.message
    assert "refused the capture" in evidence(stage, case)
    assert [s["shipped"] for s in shown(stage, number)] == [False]
    stage.clock.sleep(3000)
    stage.sweep()
    assert asked(stage, "captureShipment") == 1
    stage.clock.sleep(600)
    stage.sweep(3)
    told(stage, made)
    assert (asked(stage, "captureShipment"), len(taken(stage, number)), mails(stage, number)) == (2, 1, 1)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


@pytest.mark.scenario("SHP-12")
def test_an_expired_authorisation_is_asked_for_five_times_and_then_waits_for_a_person(stage: Stage) -> None:
    number = bought(stage, payment="paypal")
    stage.centra.faults.plan("capture-fails", "captureShipment", times=100)
    made = shipped(stage, number)
    stage.sweep(70, every=3600)
    case = dead(stage, made, "CAPTURE_FAILED")
    assert asked(stage, "captureShipment") == 5
    assert case.occurrences == 5
    stage.sweep(30, every=3600)
    assert asked(stage, "captureShipment") == 5
    stage.centra.faults.clear()
    with stage.centra.guard:
        stage.centra.shipments.capture(stage.centra.orders[int(number)].shipments[0])
    casework.replay(stage.world, [case.id], "ann", "captured in Centra by hand")
    stage.work()
    stage.sweep(2)
    told(stage, made)
    assert (len(taken(stage, number)), mails(stage, number)) == (1, 1)


@pytest.mark.scenario("SHP-12")
@pytest.mark.parametrize("hours", [0, 70])
def test_a_refused_capture_that_somebody_takes_by_hand_needs_no_word_to_us(stage: Stage, hours: int) -> None:
    number = bought(stage, payment="paypal")
    stage.centra.faults.plan("capture-fails", "captureShipment", times=100)
    made = shipped(stage, number)
    stage.sweep(hours, every=3600)
    case = case_of(stage, made, "CAPTURE_FAILED")
    stage.centra.faults.clear()
    run_feed(stage, "captures", "fulfil")
    stage.sweep(1)
    assert case_by_id(stage, case.id).state == "open", "nobody has paid yet"
    with stage.centra.guard:
        stage.centra.shipments.capture(stage.centra.orders[int(number)].shipments[0])
    run_feed(stage, "captures", "fulfil")
    stage.sweep(3)
    told(stage, made)
    assert (len(taken(stage, number)), mails(stage, number)) == (1, 1)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


@pytest.mark.scenario("SHP-17")
@pytest.mark.parametrize("payment", ["card", "klarna"])
def test_a_capture_that_is_pending_for_days_waits_beside_a_shipment_that_is_told(
    stages: OpenStage, payment: str
) -> None:
    stage = stages(centra=CentraSwitches(capture_settles_after=3 * 86400))
    number = bought(stage, payment=payment)
    made = shipped(stage, number)
    told(stage, made)
    assert parcel(stage, made).source_status == "capture pending"
    assert mails(stage, number) == 1
    stage.sweep(20, every=3600)
    assert stage.open_cases() == []
    stage.sweep(10, every=3600)
    case = case_of(stage, made, "CAPTURE_WAITING")
    assert (case.owner, case.money_minor) == ("Finance", taken(stage, number)[0])
    assert parcel(stage, made).state == "proven"
    stage.sweep(3, every=3600)
    assert case_by_id(stage, case.id).state == "open"
    stage.sweep(45, every=3600)
    assert parcel(stage, made).source_status == "captured"
    assert case_by_id(stage, case.id).resolution.startswith("verified")
    assert (asked(stage, "captureShipment"), mails(stage, number)) == (1, 1)


@pytest.mark.scenario("SHP-17")
def test_where_a_request_does_not_count_as_paid_the_customer_is_told_as_soon_as_it_has_settled(
    stages: OpenStage,
) -> None:
    stage = stages(centra=CentraSwitches(capture_settles_after=40, captured_on_request=False))
    number = bought(stage, payment="card")
    made = shipped(stage, number)
    row = parcel(stage, made)
    assert (row.state, "Centra completes no unpaid shipment" in row.reason) == ("captured", True)
    assert mails(stage, number) == 0
    stage.sweep(6)
    told(stage, made)
    assert (asked(stage, "captureShipment"), mails(stage, number)) == (1, 1)


@pytest.mark.scenario("SHP-17")
@pytest.mark.parametrize("counts_as_paid", [True, False])
def test_a_capture_that_fails_when_it_settles_is_asked_for_again_and_nobody_is_told_twice(
    stages: OpenStage, counts_as_paid: bool
) -> None:
    stage = stages(centra=CentraSwitches(capture_settles_after=600, captured_on_request=counts_as_paid))
    number = bought(stage, payment="card")
    stage.centra.faults.plan("settlement-fails", "settlement")
    made = shipped(stage, number)
    stage.sweep(10, every=120)
    case = case_of(stage, made, "CAPTURE_FAILED")
    assert ("the customer knows" in case.message) == counts_as_paid
    assert case.money_minor == parcel(stage, made).total_minor
    stage.sweep(20, every=600)
    told(stage, made)
    assert parcel(stage, made).source_status == "captured"
    assert (asked(stage, "captureShipment"), len(taken(stage, number)), mails(stage, number)) == (2, 1, 1)
    assert case_by_id(stage, case.id).state == "resolved"


@pytest.mark.scenario("SHP-01")
@pytest.mark.parametrize(
    ("market", "country", "vouchers"),
    [
        (1, "GB", ["WELCOME10"]),
        (1, "GB", ["GIFTCARD"]),
        (2, "DE", ["STAFF333"]),
        (4, "US", ["WELCOME10"]),
        (5, "JP", ["STAFF333"]),
        (6, "KW", ["WELCOME10"]),
    ],
)
def test_whatever_the_first_parcel_bears_of_costs_discounts_and_tax_the_captures_add_up_to_the_order(
    stage: Stage, market: int, country: str, vouchers: list[str]
) -> None:
    used = [VoucherUse(code, Decimal(25) if code == "GIFTCARD" else None) for code in vouchers]
    number = bought(stage, 3, 2, 1, market_id=market, country=country, vouchers=used)
    mades = [shipped(stage, number, {n: pieces}, tracking=[f"T{n}"]) for n, pieces in ((2, 1), (0, 3), (1, 2))]
    follow(stage)
    stage.sweep(3)
    told(stage, *mades)
    row = stage.row(number)
    assert sum(taken(stage, number)) == row.total_minor
    assert sum(parcel(stage, made).total_minor for made in mades) == row.total_minor
    assert stage.open_cases() == []


@pytest.mark.parametrize("pieces", [{0: 2}, {1: 1}, None])
def test_the_money_that_waits_is_known_to_the_minor_unit_before_anything_was_sent(
    stage: Stage, pieces: dict[int, int] | None
) -> None:
    number = bought(stage, 2, 3, payment="paypal")
    stage.centra.faults.plan("user-error", "createShipment")
    made = shipped(stage, number, pieces)
    waits = dead(stage, made, "SHIPMENT_NOT_ACKED").money_minor
    casework.replay(stage.world, [stage.open_cases()[0].id], "ann", "")
    stage.work()
    stage.sweep(2)
    told(stage, made)
    assert taken(stage, number) == [waits]


@pytest.mark.scenario("SHP-01")
def test_captures_that_do_not_add_up_are_a_case_with_the_arithmetic_and_close_when_they_do(stage: Stage) -> None:
    number = bought(stage, 1, 2, payment="paypal")
    first = shipped(stage, number, {0: 1}, tracking=["A1"])
    second = shipped(stage, number, tracking=["A2"])
    told(stage, first, second)
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        extra = stage.centra.book.payments.entry(order, "CAPTURE", "SUCCESS", Decimal("5.00"))
        order.touch(stage.centra.book.now(), "captured by hand")
    ledger.mark(stage.store, [Key("brand", "shipment", second)], "operator")
    stage.sweep(2)
    told(stage, first)
    case = case_of(stage, second, "CAPTURE_MISMATCH")
    asks = [Decimal(made["grand_total"]).scaleb(-2) for made in shown(stage, number)]
    assert f"the shipments ask {asks[0]} + {asks[1]} = {sum(asks)} GBP" in case.message
    assert "5.00 GBP" in case.message
    assert case.money_minor == parcel(stage, second).total_minor
    assert parcel(stage, second).state == "proven"
    with stage.centra.guard:
        extra.status = "FAILED"
        order.touch(stage.centra.book.now(), "by hand")
    run_feed(stage, "recheck_shipments", "fulfil")
    stage.sweep(2)
    told(stage, first, second)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


def test_a_capture_that_settles_between_our_two_reads_is_no_difference(
    stages: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(centra=CentraSwitches(capture_settles_after=30))
    number = bought(stage, payment="klarna")
    storefront, read_back = stage.world.storefronts["brand"], shipments.read_back
    shipments_of = storefront.shipments

    def settles_meanwhile(numbers: Sequence[str]) -> object:
        stage.clock.sleep(31)
        return shipments_of(numbers)

    def slowly(page: Sequence[Job], world: World) -> shipments.Reading:
        with monkeypatch.context() as patch:
            patch.setattr(storefront, "shipments", settles_meanwhile)
            return read_back(page, world)

    monkeypatch.setattr(shipments, "read_back", slowly)
    made = shipped(stage, number)
    told(stage, made)
    assert (parcel(stage, made).source_status, len(taken(stage, number))) == ("captured", 1)
    with stage.store.read() as tx:
        assert views.cases(tx, range(10)) == [], "none was opened, not even to be closed by the next look"


def test_an_order_that_costs_nothing_is_shown_and_told_without_a_capture(stage: Stage) -> None:
    number = bought(stage, vouchers=[VoucherUse("PRESS100")], shipping_price=Decimal(0))
    assert book(stage, number)["grand_total"] == 0
    made = shipped(stage, number, service="royal-mail-48")
    stage.sweep(2)
    told(stage, made)
    assert (taken(stage, number), mails(stage, number)) == ([], 1)


def test_an_order_that_was_captured_before_is_not_captured_again(stage: Stage) -> None:
    number = bought(stage, payment="paypal")
    with stage.centra.guard:
        stage.centra.book.capture(stage.centra.book.find(int(number)))
    stage.clock.sleep(5)
    made = shipped(stage, number)
    told(stage, made)
    assert taken(stage, number) == [int(book(stage, number)["grand_total"] * 100)]
    assert mails(stage, number) == 1
    assert parcel(stage, made).done_at - parcel(stage, made).occurred_at < timedelta(minutes=2)

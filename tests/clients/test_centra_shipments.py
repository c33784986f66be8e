"""Centra's shipments through our adapter: made, captured and completed once each, whatever the wire does."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
import responses

from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.errors import Rejected, Unavailable, Unknown
from integration.ports import EffectClass
from integration.sandbox.centra_orders import Basket, BasketLine
from integration.sandbox.goods import GOODS

GOOD = sorted(sku for sku, good in GOODS.items() if not good.is_bundle)
ADDRESS = {"firstName": "Ann", "address1": "1 High Street", "city": "London", "zipCode": "N1"}
REFS = count(500)
PARCELS = (Parcel("1Z9"),)


def place(shop, *quantities, **terms):
    lines = tuple(BasketLine(GOOD[n], quantity) for n, quantity in enumerate(quantities))
    number = shop.place_order(Basket(1, "GB", lines, ADDRESS, "ann@example.com", **terms))
    shop.confirm(number)
    return shop.orders[number]


def dispatch_of(order, *quantities, parcels=PARCELS, at=None):
    lines = [
        ShippedLine(str(line.id), line.good.sku, quantity)
        for line, quantity in zip(order.lines, quantities, strict=False)
        if quantity
    ]
    ref = str(next(REFS))
    return Dispatch(ref, f"CS{ref}", str(order.number), "done", tuple(lines), "DHL", tuple(parcels), at, "stamp")


def show(centra, order, dispatch, bound=()):
    return centra.create_shipment(dispatch, order.id, bound=bound).send()


def shown(centra, order):
    return centra.shipments([str(order.number)])[str(order.number)]


def mails(shop, kind="shipped"):
    return [mail for mail in shop.book.parcels.mails if mail.kind == kind]


def test_a_dispatch_is_shown_ready_to_go_and_nothing_is_captured_or_told(shop, centra):
    order = place(shop, 2, 1)
    ref = show(centra, order, dispatch_of(order, 2, 1))
    (shipment,) = shown(centra, order)
    assert (shipment.ref, shipment.order_number) == (ref, str(order.number))
    assert [(line.sku, line.quantity) for line in shipment.lines] == [(GOOD[0], 2), (GOOD[1], 1)]
    assert shipment.good_to_go
    assert not any((shipment.paid, shipment.captured, shipment.capture_pending, shipment.shipped))
    assert shipment.total.decimal == order.grand_total
    assert mails(shop) == []


@pytest.mark.scenario("SHP-01")
def test_a_split_order_is_shown_parcel_by_parcel_and_its_captures_add_up(shop, centra):
    order = place(shop, 3, 1, payment="paypal")
    for quantities in ((1, 0), (2, 0), (0, 1)):
        dispatch = dispatch_of(order, *quantities, parcels=(Parcel(f"1Z{quantities}"),))
        ref = show(centra, order, dispatch)
        centra.capture_shipment(ref, str(order.number)).send()
        assert order.status == "PROCESSING"
        centra.complete_shipment(ref, dispatch, "DHL", "Parcel").send()
    assert [[line.quantity for line in shipment.lines] for shipment in shown(centra, order)] == [[1], [2], [1]]
    assert sum(shipment.total.decimal for shipment in shown(centra, order)) == order.grand_total
    assert order.paid("CAPTURE") == order.grand_total
    assert order.status == "SHIPPED"
    assert len(mails(shop)) == 3


def test_a_shipment_in_doubt_is_found_by_its_lines_and_never_taken_for_another_ones(shop, centra):
    order = place(shop, 3)
    first, second = dispatch_of(order, 1), dispatch_of(order, 1)
    assert centra.create_shipment(first, order.id, bound=()).find() == []
    ref = show(centra, order, first)
    assert centra.create_shipment(first, order.id, bound=()).find() == [ref]
    assert centra.create_shipment(second, order.id, bound={ref}).find() == []
    assert centra.create_shipment(dispatch_of(order, 2), order.id, bound=()).find() == []
    other = show(centra, order, second, bound={ref})
    assert centra.create_shipment(second, order.id, bound={ref}).find() == [other]


@pytest.mark.parametrize("fault", ["error-after", "timeout-after", "drop-after"])
def test_a_shipment_whose_answer_was_lost_is_unknown_and_found(shop, centra, fault):
    order = place(shop, 2)
    write = centra.create_shipment(dispatch_of(order, 2), order.id, bound=())
    shop.faults.plan(fault, "createShipment")
    with pytest.raises(Unknown):
        write.send()
    assert shop.faults.fired[fault] == 1
    assert write.find() == [shipment.ref for shipment in shown(centra, order)]
    assert write.effect_class is EffectClass.LOOK_UP


@pytest.mark.scenario("SHP-06")
def test_user_errors_are_never_success(shop, centra):
    order = place(shop, 2)
    shop.faults.plan("user-error", "createShipment")
    with pytest.raises(Rejected) as raised:
        show(centra, order, dispatch_of(order, 2))
    assert (raised.value.type, raised.value.cause) == ("SHIPMENT_NOT_ACKED", "centra:create_shipment")
    assert raised.value.evidence
    assert shown(centra, order) == []


@pytest.mark.scenario("SHP-08")
def test_more_than_was_ordered_is_refused_with_centras_words_as_evidence(shop, centra):
    order = place(shop, 2)
    with pytest.raises(Rejected) as raised:
        show(centra, order, dispatch_of(order, 3))
    assert raised.value.type == "SHIPMENT_NOT_ACKED"
    assert "unshipped" in raised.value.evidence


def test_what_somebody_has_shown_already_by_hand_is_adopted(shop, centra):
    order = place(shop, 2)
    ref = show(centra, order, dispatch_of(order, 2))
    assert show(centra, order, dispatch_of(order, 2)) == ref
    with pytest.raises(Rejected):
        show(centra, order, dispatch_of(order, 2), bound={ref})
    with pytest.raises(Rejected):
        show(centra, order, dispatch_of(order, 1))


@pytest.mark.parametrize("payment", ["paypal", "klarna"])
@pytest.mark.parametrize("on_request", [True, False])
def test_a_capture_counts_when_it_is_taken_or_requested_and_is_found_again(shop, centra, payment, on_request):
    shop.switches.captured_on_request = on_request
    order = place(shop, 2, payment=payment)
    ref = show(centra, order, dispatch_of(order, 2))
    write = centra.capture_shipment(ref, str(order.number))
    assert write.find() == []
    assert write.send() == ref
    assert write.find() == [ref]
    assert write.send() == ref, "already captured is captured"
    (shipment,) = shown(centra, order)
    assert shipment.capture_pending is (payment == "klarna")
    assert shipment.captured is (payment == "paypal" or on_request)
    shop.clock.pass_time(60)
    (shipment,) = shown(centra, order)
    assert (shipment.captured, shipment.capture_pending) == (True, False)
    assert order.paid("CAPTURE") == order.grand_total


def test_a_pending_capture_goes_to_the_shipment_that_shows_none(shop, centra):
    shop.switches.captured_on_request = False
    order = place(shop, 4, payment="klarna", shipping_price=Decimal(0))
    first, second = (show(centra, order, dispatch_of(order, 2), bound) for bound in ((), ("x",)))
    centra.capture_shipment(first, str(order.number)).send()
    assert [shipment.capture_pending for shipment in shown(centra, order)] == [True, False]
    shop.clock.pass_time(60)
    centra.capture_shipment(second, str(order.number)).send()
    assert [shipment.captured for shipment in shown(centra, order)] == [True, False]
    assert [shipment.capture_pending for shipment in shown(centra, order)] == [False, True]


@pytest.mark.scenario("SHP-12")
def test_a_capture_the_provider_refuses_is_an_exception_and_the_shipment_stays(shop, centra):
    order = place(shop, 2)
    ref = show(centra, order, dispatch_of(order, 2))
    shop.faults.plan("psp-refuses", "captureShipment")
    write = centra.capture_shipment(ref, str(order.number))
    with pytest.raises(Rejected) as raised:
        write.send()
    assert (raised.value.type, raised.value.cause) == ("CAPTURE_FAILED", "centra:capture_shipment")
    assert "provider" in raised.value.evidence
    assert write.find() == []
    assert [shipment.ref for shipment in shown(centra, order)] == [ref]
    assert write.send() == ref


@pytest.mark.scenario("SHP-17")
def test_a_capture_that_settles_as_failed_shows_as_not_captured(shop, centra):
    order = place(shop, 2, payment="klarna")
    ref = show(centra, order, dispatch_of(order, 2))
    shop.faults.plan("settlement-fails", "settlement")
    assert centra.capture_shipment(ref, str(order.number)).send() == ref
    shop.clock.pass_time(60)
    (shipment,) = shown(centra, order)
    assert (shipment.captured, shipment.capture_pending) == (False, False)


FREE = {"shipment": {"id": 7, "isCaptured": True}, "paymentHistoryEntry": None}
CLEAN = {"shipment": {"id": 7, "isCaptured": False}, "paymentHistoryEntry": None}


def entry(kind, status, captured=False):
    return {
        "shipment": {"id": 7, "isCaptured": captured},
        "paymentHistoryEntry": {"entryType": kind, "status": status},
    }


@pytest.mark.parametrize(
    ("payload", "taken"),
    [
        (FREE, True),
        (entry("CAPTURE", "SUCCESS"), True),
        (entry("CAPTURE_REQUEST", "PENDING"), True),
        (entry("CAPTURE_PENDING", "PENDING"), True),
        (CLEAN, False),
        (entry("CAPTURE", "FAILED", captured=True), False),
        (entry("CAPTURE_FAILED", "FAILED"), False),
        (entry("AUTH", "SUCCESS"), False),
        (entry("CAPTURE_REQUEST", "FAILED"), False),
        ({"shipment": None, "paymentHistoryEntry": None}, False),
    ],
)
@pytest.mark.scenario("SHP-17")
def test_a_clean_answer_can_hide_a_capture_that_failed(lonely_centra, payload, taken):
    told = payload | {"userErrors": [], "userWarnings": [{"message": "no money", "path": None}]}
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"captureShipment": told}})
        write = lonely_centra.capture_shipment("7", "12")
        if taken:
            assert write.send() == "7"
        else:
            with pytest.raises(Rejected) as raised:
                write.send()
            assert (raised.value.type, raised.value.evidence) == ("CAPTURE_FAILED", "no money")


@pytest.mark.parametrize("wording", ["Shipment 1-1 is already captured", "ALREADY FULLY CAPTURED"])
def test_already_captured_is_success_in_any_wording_seen(lonely_centra, wording):
    told = {"userErrors": [{"message": wording}], "userWarnings": []}
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"captureShipment": told}})
        assert lonely_centra.capture_shipment("7", "12").send() == "7"


def complete(centra, order, dispatch, carrier="DHL", service="Parcel"):
    ref = show(centra, order, dispatch)
    centra.capture_shipment(ref, str(order.number)).send()
    return centra.complete_shipment(ref, dispatch, carrier, service)


def test_a_completed_shipment_tells_carrier_service_and_every_parcel_and_the_customer_once(shop, centra):
    order = place(shop, 2)
    parcels = (Parcel("1Z1"), Parcel(""), Parcel("1Z2"), Parcel("1Z1"))
    at = shop.clock.now() - timedelta(hours=3)
    write = complete(centra, order, dispatch_of(order, 2, parcels=parcels, at=at))
    assert write.find() == []
    ref = write.send()
    (shipment,) = shown(centra, order)
    assert (shipment.carrier, shipment.service, shipment.tracking) == ("DHL", "Parcel", "1Z1, 1Z2")
    assert (shipment.packages, shipment.shipped) == (4, True)
    assert shop.book.parcels.shipments[int(ref)].shipped_at == at
    assert write.find() == [ref]
    assert write.send() == ref, "already shipped is shipped"
    assert len(mails(shop)) == 1


@pytest.mark.scenario("SHP-10")
def test_what_has_no_tracking_is_completed_without_any(shop, centra):
    order = place(shop, 2)
    complete(centra, order, dispatch_of(order, 2, parcels=())).send()
    (shipment,) = shown(centra, order)
    assert (shipment.tracking, shipment.packages, shipment.shipped) == ("", 0, True)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=20), timedelta(hours=2), None])
@pytest.mark.scenario("SHP-15")
def test_a_dispatch_of_this_minute_or_of_the_future_is_completed_now(shop, centra, ahead):
    order = place(shop, 2)
    at = None if ahead is None else shop.clock.now() + ahead
    ref = complete(centra, order, dispatch_of(order, 2, at=at)).send()
    assert shop.book.parcels.shipments[int(ref)].shipped_at == shop.clock.now()


def test_a_shipment_that_is_not_paid_is_not_completed(shop, centra):
    order = place(shop, 2)
    dispatch = dispatch_of(order, 2)
    with pytest.raises(Rejected) as raised:
        centra.complete_shipment(show(centra, order, dispatch), dispatch, "DHL", "Parcel").send()
    assert (raised.value.type, raised.value.cause) == ("SHIPMENT_NOT_ACKED", "centra:complete_shipment")
    assert "not paid" in raised.value.evidence
    assert mails(shop) == []


def test_a_shipment_whose_money_is_taken_elsewhere_needs_no_capture(shop, centra):
    order = place(shop, 2)
    dispatch = dispatch_of(order, 2)
    ref = centra.create_shipment(dispatch, order.id, bound=(), paid=True).send()
    centra.complete_shipment(ref, dispatch, "DHL", "Parcel").send()
    (shipment,) = shown(centra, order)
    assert (shipment.paid, shipment.captured, shipment.shipped) == (True, False, True)


def test_a_clean_answer_that_completed_nothing_is_no_success(lonely_centra):
    told = {"shipment": {"id": 7, "isShipped": False}, "userErrors": [], "userWarnings": [{"message": "not yet"}]}
    dispatch = Dispatch("1", "CS1", "12", "done", (), "DHL", (), datetime(2026, 5, 4, tzinfo=UTC), "")
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"completeShipment": told}})
        with pytest.raises(Rejected) as raised:
            lonely_centra.complete_shipment("7", dispatch, "DHL", "").send()
    assert raised.value.evidence == "not yet"


def test_a_shipment_without_an_id_is_unknown(lonely_centra):
    told = {"shipment": None, "userErrors": [], "userWarnings": []}
    dispatch = Dispatch("1", "CS1", "12", "done", (ShippedLine("3", "A", 1),), "DHL", (), None, "")
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"createShipment": told}})
        with pytest.raises(Unknown):
            lonely_centra.create_shipment(dispatch, "abc", bound=()).send()


def test_a_page_of_orders_is_one_request_and_an_unreadable_order_is_left_out_and_never_thought_empty(lonely_centra):
    rows = [
        {"number": 12, "paymentHistory": [], "shipments": []},
        {"number": 13, "paymentHistory": [], "shipments": [{"id": "secret-words"}]},
    ]
    dispatch = Dispatch("1", "CS1", "13", "done", (ShippedLine("3", "A", 1),), "DHL", (), None, "")
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"orders": rows}})
        assert lonely_centra.shipments(["12", "13", "14"]) == {"12": []}
        assert len(mock.calls) == 1
        with pytest.raises(Rejected) as raised:
            lonely_centra.create_shipment(dispatch, "abc", bound=()).find()
    assert raised.value.type == "SCHEMA_CHANGE"
    assert "secret-words" not in str(raised.value)


def test_no_orders_are_no_request(lonely_centra):
    with responses.RequestsMock():
        assert lonely_centra.shipments([]) == {}
        assert lonely_centra.shipments(["99999999999"]) == {}


@pytest.mark.parametrize("fault", ["error-before", "timeout-after", "partial"])
def test_shipments_that_cannot_be_read_are_not_thought_absent(shop, centra, fault):
    order = place(shop, 2)
    shop.faults.plan(fault, "orders")
    with pytest.raises(Unavailable):
        centra.shipments([str(order.number)])
    assert shop.faults.fired[fault] == 1

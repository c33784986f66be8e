"""Shipments and captures: what may be shipped, what it costs, when it is paid, and what is told about it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.sandbox.call import graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine, VoucherUse
from integration.sandbox.centra_shipments import Wanted
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.currencies import DECIMALS
from integration.sandbox.generator import Generator

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SKU, OTHER = "LS101NVS", "KD202NVS"
BASKET = Basket(
    market_id=1,
    country="GB",
    lines=(BasketLine(SKU, 3), BasketLine(OTHER, 2)),
    address={"firstName": "Ada", "lastName": "Byron", "address1": "1 High Street", "city": "Leeds"},
    email="ada@example.com",
    payment="paypal",
)
ERRORS = "userErrors { message path } userWarnings { message path }"
SHIPMENT = """shipment { id number isGoodToGo isPaid isCaptured isShipped grandTotal { value }
  totals { shipping { value } discounts { value } } lines { quantity lineValue { value } orderLine { id shippedQuantity } }
  order { number status } }"""
CREATE = f"mutation($i: ShipmentCreateInput!) {{ createShipment(input: $i) {{ {SHIPMENT} {ERRORS} }} }}"
UPDATE = (
    f"mutation($d: Int!, $i: ShipmentUpdateInput!) {{ updateShipment(id: $d, input: $i) {{ {SHIPMENT} {ERRORS} }} }}"
)
CAPTURE = f"""mutation($d: Int!) {{ captureShipment(id: $d) {{ {SHIPMENT} {ERRORS}
  paymentHistoryEntry {{ entryType status value {{ value }} }} }} }}"""
COMPLETE = f"mutation($d: Int!, $i: ShipmentCompleteInput!) {{ completeShipment(id: $d, input: $i) {{ {SHIPMENT} {ERRORS} }} }}"
DELETE = f"mutation($d: Int!) {{ deleteShipment(id: $d) {{ {ERRORS} }} }}"


@pytest.fixture
def clock():
    return HandClock(START)


@pytest.fixture
def centra(clock):
    return Centra(clock)


@pytest.fixture
def number(centra):
    return place(centra)


def place(centra, **words):
    number = centra.place_order(replace(BASKET, **words))
    centra.confirm(number)
    return number


def run(centra, text, variables=None, **more):
    words = graphql(centra.app, text, variables, **more).json()
    assert "errors" not in words, words["errors"]
    return next(iter(words["data"].values()))


def create(centra, number, *quantities, **words):
    """Ship the first lines in these quantities, everything when none is given."""
    lines = centra.orders[number].lines
    wanted = quantities or [line.unshipped for line in lines]
    rows = [{"orderLine": {"id": line.id}, "quantity": n} for line, n in zip(lines, wanted, strict=False) if n]
    return run(centra, CREATE, {"i": {"order": {"number": number}, "lines": rows, **words}})


def refusal(answer):
    assert answer["userErrors"], answer
    return answer["userErrors"][0]["message"]


def book(centra, number=1):
    return next(b for b in centra.books() if b["number"] == number)


def test_the_sequence_integrators_use_ships_a_paid_order(centra, number):
    made = create(centra, number, capture=True)["shipment"]
    assert (made["number"], made["isCaptured"], made["isPaid"], made["isGoodToGo"]) == ("1-1", True, True, False)
    assert made["order"]["status"] == "PROCESSING"
    assert run(centra, UPDATE, {"d": made["id"], "i": {"isGoodToGo": True}})["shipment"]["isGoodToGo"]
    done = run(centra, COMPLETE, {"d": made["id"], "i": {"sendEmail": True}})["shipment"]
    assert (done["isShipped"], done["order"]["status"]) == (True, "SHIPPED")
    truth = book(centra)
    assert truth["captures"][0]["amount"] == truth["shipments"][0]["grand_total"] == int(truth["grand_total"] * 100)
    assert [(mail["kind"], mail["shipment"]) for mail in truth["emails"]] == [("confirmed", None), ("shipped", "1-1")]
    assert truth["stock"] == {SKU: {"allocated": 0, "demand": 0}, OTHER: {"allocated": 0, "demand": 0}}
    assert centra.ledger()["stock"][SKU]["warehouses"][1]["physical"] == 4997


def test_every_word_of_the_input_is_kept(centra, number):
    parcel = {
        "carrier": "PostNord", "service": "MyPack", "packagesNumber": 2, "trackingNumber": "1Z9",
        "returnTrackingNumber": "R1", "internalShippingCost": {"value": 12.5, "currencyIsoCode": "SEK"},
    }  # fmt: skip
    answer = create(
        centra, number, isGoodToGo=True, isPaid=True, shippedAt="-1 hour", sendEmail=True, shipmentInfo=parcel,
        additionalMessage="hello", createdAt="2026-03-01 10:00:00", allocateDemand=True,
    )  # fmt: skip
    assert (answer["userErrors"], answer["userWarnings"]) == ([], [])
    text = """{ orders { shipments { createdAt shippedAt paidAt capturedAt additionalMessage numberOfPackages trackingNumber
      returnTrackingNumber internalShippingCost { value currency { code } } shippingAddress { city country { code } }
      carrierInformation { carrierName serviceName } gross: grandTotal(includingTax: true) { value }
      net: grandTotal(includingTax: false) { value } order { number } } } }"""
    assert run(centra, text)[0]["shipments"] == [
        {
            "createdAt": "2026-03-01T10:00:00+01:00", "shippedAt": "2026-03-02T06:00:00+01:00",
            "paidAt": "2026-03-02T07:00:00+01:00", "capturedAt": None, "additionalMessage": "hello",
            "numberOfPackages": 2, "trackingNumber": "1Z9", "returnTrackingNumber": "R1",
            "internalShippingCost": {"value": 12.5, "currency": {"code": "SEK"}},
            "shippingAddress": {"city": "Leeds", "country": {"code": "GB"}},
            "carrierInformation": {"carrierName": "PostNord", "serviceName": "MyPack"},
            "gross": {"value": 159.93}, "net": {"value": 136.6}, "order": {"number": 1},
        }
    ]  # fmt: skip
    assert [mail["kind"] for mail in book(centra)["emails"]] == ["confirmed", "shipped"]


def test_only_confirmed_orders_and_what_is_unshipped_can_be_shipped(centra, number):
    pending = centra.place_order(BASKET)
    assert "PENDING" in refusal(create(centra, pending))
    assert "unshipped 3" in refusal(create(centra, number, 4))
    assert "greater than 0" in refusal(create(centra, number, -1))
    assert "lines or deliveryGroup" in refusal(run(centra, CREATE, {"i": {"order": {"number": number}}}))
    assert "DeliveryGroup" in refusal(create(centra, number, deliveryGroup={"id": 3}))
    assert "OrderLine" in refusal(
        run(centra, CREATE, {"i": {"order": {"number": 1}, "lines": [{"orderLine": {"id": 0}, "quantity": 1}]}})
    )
    assert not create(centra, number, 2)["userErrors"]
    assert "unshipped 1" in refusal(create(centra, number, 2))
    assert not create(centra, number, 1)["userErrors"]
    assert "already fully shipped" in refusal(create(centra, number, 1))
    assert len(book(centra)["shipments"]) == 2


def test_what_is_not_allocated_cannot_be_shipped(centra):
    centra.set_physical(SKU, 2)
    number = place(centra)
    assert "allocated" in refusal(create(centra, number, 3, allocateDemand=True))
    assert not create(centra, number, 2)["userErrors"]
    assert "allocated" in refusal(create(centra, number, 1))
    centra.set_physical(SKU, 3)
    assert not create(centra, number, 1)["userErrors"]


def test_a_held_order_is_shipped_or_not_by_switch(centra, number):
    centra.switches.ship_held_orders = "refuse"
    centra.hold(number)
    assert "hold" in refusal(create(centra, number))
    centra.switches.ship_held_orders = "allow"
    assert not create(centra, number)["userErrors"]


def test_completing_needs_good_to_go_and_paid_and_happens_once(centra, number):
    made = create(centra, number)["shipment"]["id"]
    assert "not good to go" in refusal(run(centra, COMPLETE, {"d": made, "i": {}}))
    run(centra, UPDATE, {"d": made, "i": {"isGoodToGo": True}})
    assert "not paid" in refusal(run(centra, COMPLETE, {"d": made, "i": {}}))
    run(centra, UPDATE, {"d": made, "i": {"isPaid": True}})
    assert "future" in refusal(run(centra, COMPLETE, {"d": made, "i": {"shippedAt": "tomorrow"}}))
    assert not run(centra, COMPLETE, {"d": made, "i": {}})["userErrors"]
    assert "already shipped" in refusal(run(centra, COMPLETE, {"d": made, "i": {"sendEmail": True}}))
    assert '"shipped"' in refusal(run(centra, UPDATE, {"d": made, "i": {"isGoodToGo": False}}))
    assert [mail["kind"] for mail in book(centra)["emails"]] == ["confirmed"]
    assert "Could not find Shipment with ID 99" in refusal(run(centra, COMPLETE, {"d": 99, "i": {}}))


def test_the_first_shipment_bears_all_costs_unless_its_policy_says_none(centra):
    number = place(centra, handling=Decimal("2.50"), vouchers=(VoucherUse("FIVEOFF"),))
    first = create(centra, number, 1)["shipment"]
    assert (first["totals"]["shipping"]["value"], first["totals"]["discounts"]["value"]) == (4.95, -5)
    assert first["grandTotal"]["value"] == 45 + 4.95 + 2.5 - 5
    other = place(centra, handling=Decimal("2.50"), vouchers=(VoucherUse("FIVEOFF"),))
    none = {"allRemaining": False}
    plain = create(
        centra, other, 1, shippingCostPolicy=none, handlingCostPolicy=none, discountValuePolicy=none
    )["shipment"]  # fmt: skip
    assert plain["grandTotal"]["value"] == 45
    rest = create(centra, other)["shipment"]
    assert plain["grandTotal"]["value"] + rest["grandTotal"]["value"] == float(book(centra, other)["grand_total"])


def test_a_discount_larger_than_the_first_shipment_is_spread(centra):
    number = place(centra, vouchers=(VoucherUse("PRESS100"), VoucherUse("FREESHIP")))
    first, second = create(centra, number, 1, capture=True), create(centra, number, capture=True)
    assert (first["shipment"]["grandTotal"]["value"], second["shipment"]["grandTotal"]["value"]) == (0, 0)
    assert first["shipment"]["isCaptured"]
    assert second["shipment"]["isPaid"]
    assert book(centra)["captures"] == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 10**6), min_size=1, max_size=3))
def test_the_shipments_of_any_order_add_up_to_its_grand_total(seed, cuts):
    centra, generator = Centra(HandClock(START)), Generator(seed)
    number = centra.place_order(replace(generator.basket(), off_by=seed % 2))
    centra.confirm(number)
    order = centra.orders[number]
    for cut in (*cuts, None):
        wanted = [(line.id, line.unshipped if cut is None else cut % (line.unshipped + 1)) for line in order.lines]
        lines = [(line_id, quantity) for line_id, quantity in wanted if quantity]
        if lines:
            shipment, _ = centra.shipments.create(order, Wanted(lines))
            assert shipment.grand_total >= 0
    truth = book(centra)
    assert sum(s["grand_total"] for s in truth["shipments"]) == int(
        truth["grand_total"].scaleb(DECIMALS[order.currency])
    )
    assert sum(s["tax"] for s in truth["shipments"]) == int(truth["tax"].scaleb(DECIMALS[order.currency]))


@pytest.mark.parametrize("fault", ["capture-fails", "psp-refuses"])
def test_a_failed_capture_is_a_warning_of_create_and_an_error_of_capture(centra, number, fault):
    centra.faults.plan(fault, "createShipment")
    answer = create(centra, number, capture=True)
    assert answer["userErrors"] == []
    assert answer["userWarnings"][0]["path"] == ["input", "capture"]
    made = answer["shipment"]
    assert (made["isCaptured"], made["isPaid"]) == (False, False)
    centra.faults.plan(fault, "captureShipment", number=str(number))
    failed = run(centra, CAPTURE, {"d": made["id"]})
    assert "refused the capture" in refusal(failed)
    assert failed["shipment"] is None
    good = run(centra, CAPTURE, {"d": made["id"]})
    assert good["paymentHistoryEntry"] == {"entryType": "CAPTURE", "status": "SUCCESS", "value": {"value": 159.93}}
    assert [c["status"] for c in book(centra)["captures"]] == ["FAILED", "FAILED", "SUCCESS"]
    assert "already captured" in refusal(run(centra, CAPTURE, {"d": made["id"]}))
    assert centra.faults.fired[fault] == 2


def test_nothing_is_captured_above_the_authorisation(centra, number):
    centra.edit(number, quantities={SKU: 9})
    answer = create(centra, number, capture=True)
    assert "authorized" in answer["userWarnings"][0]["message"]
    assert not answer["shipment"]["isCaptured"]


def test_money_captured_before_goes_to_the_shipments_without_the_provider(centra, number):
    run(centra, f"mutation {{ captureOrder(order: {{number: 1}}) {{ {ERRORS} }} }}")
    first, second = create(centra, number, 1), create(centra, number, capture=True)
    assert first["shipment"]["isCaptured"]
    assert second["shipment"]["isCaptured"]
    assert len(book(centra)["captures"]) == 1


@pytest.mark.parametrize("payment", ["card", "klarna"])
def test_a_slow_capture_is_a_request_that_settles_later(centra, clock, payment):
    number = place(centra, payment=payment)
    made = create(centra, number, capture=True)["shipment"]
    assert made["isCaptured"]
    text = "{ orders { paymentHistory(where: {entryType: [CAPTURE, CAPTURE_REQUEST]}) { entryType status } } }"
    assert run(centra, text)[0]["paymentHistory"] == [{"entryType": "CAPTURE_REQUEST", "status": "PENDING"}]
    clock.pass_time(6)
    assert run(centra, text)[0]["paymentHistory"] == [
        {"entryType": "CAPTURE_REQUEST", "status": "SUCCESS"},
        {"entryType": "CAPTURE", "status": "SUCCESS"},
    ]
    assert [(c["amount"], c["status"], c["shipment"]) for c in book(centra)["captures"]] == [(15993, "SUCCESS", "1-1")]


def test_a_settlement_that_fails_takes_the_capture_back(centra, clock):
    number = place(centra, payment="klarna")
    made = create(centra, number, capture=True)["shipment"]
    centra.faults.plan("settlement-fails", number=str(number))
    clock.pass_time(6)
    truth = book(centra)["shipments"][0]
    assert (truth["captured"], truth["paid"], truth["captured_amount"]) == (False, False, 0)
    assert [c["status"] for c in book(centra)["captures"]] == ["FAILED"]
    assert not run(centra, CAPTURE, {"d": made["id"]})["userErrors"]
    clock.pass_time(6)
    assert book(centra)["shipments"][0]["captured"]


def test_a_settlement_of_a_whole_order_that_fails_takes_back_what_its_shipments_had(centra, clock):
    number = place(centra, payment="klarna")
    run(centra, f"mutation {{ captureOrder(order: {{number: 1}}) {{ {ERRORS} }} }}")
    create(centra, number)
    centra.faults.plan("settlement-fails", "settlement")
    clock.pass_time(6)
    assert not book(centra)["shipments"][0]["paid"]


def test_with_the_switch_a_requested_capture_shows_only_when_it_has_settled(clock):
    centra = Centra(clock, CentraSwitches(captured_on_request=False))
    number = place(centra, payment="card")
    made = create(centra, number, capture=True)["shipment"]
    assert not made["isCaptured"]
    assert "already requested" in refusal(run(centra, CAPTURE, {"d": made["id"]}))
    clock.pass_time(6)
    assert book(centra)["shipments"][0]["paid"]


def test_an_order_is_shipped_when_the_rest_is_cancelled_and_every_shipment_is_done(centra, number):
    made = create(centra, number, 3, capture=True, isGoodToGo=True)["shipment"]["id"]
    run(centra, COMPLETE, {"d": made, "i": {}})
    assert book(centra)["status"] == "PROCESSING"
    line = {
        "line": {"id": centra.orders[number].lines[1].id},
        "quantity": 2,
        "stockAction": "RELEASE_BACK_TO_WAREHOUSE",
    }
    text = f"""mutation($i: DirectToConsumerOrderUpdateInput!) {{ updateDirectToConsumerOrder(order: {{number: 1}}, input: $i) {{
      order {{ status }} {ERRORS} }} }}"""
    assert run(centra, text, {"i": {"cancelLines": [line]}})["order"]["status"] == "SHIPPED"


def test_a_shipment_is_deleted_only_before_it_is_paid_or_shipped(centra, number):
    made = create(centra, number, 3)["shipment"]["id"]
    assert run(centra, DELETE, {"d": made})["userErrors"] == []
    assert (book(centra)["status"], book(centra)["shipments"]) == ("CONFIRMED", [])
    paid = create(centra, number, capture=True)["shipment"]
    assert paid["number"] == "1-2"
    assert "could not be deleted" in refusal(run(centra, DELETE, {"d": paid["id"]}))


def test_an_order_with_shipments_is_not_cancelled(centra, number):
    create(centra, number, 1)
    text = f'mutation {{ cancelDirectToConsumerOrder(id: "{centra.orders[number].id}") {{ {ERRORS} }} }}'
    assert "shipments" in refusal(run(centra, text))


def test_shipped_quantity_counts_at_creation_or_at_completion_by_switch(centra, number):
    create(centra, number, 1)
    text = "{ orders { lines { shippedQuantity } } }"
    assert run(centra, text)[0]["lines"][0]["shippedQuantity"] == 1
    centra.switches.shipped_quantity = "completed"
    centra.hold(number)
    assert run(centra, text)[0]["lines"][0]["shippedQuantity"] == 0


def test_every_step_is_told_as_an_event_and_by_webhook(clock):
    calls = []
    centra = Centra(clock, deliver=lambda url, body, headers, timeout: calls.append(body) or 200)
    centra.register_webhook("http://shop.example", "s", 1)
    run(
        centra,
        "mutation { setEventListeners(input: [{objectType: Shipment}, {objectType: Order}]) { userErrors { message } } }",
    )
    number = place(centra)
    made = create(centra, number, capture=True)["shipment"]["id"]
    run(centra, UPDATE, {"d": made, "i": {"isGoodToGo": True}})
    run(centra, COMPLETE, {"d": made, "i": {}})
    clock.pass_time(1)
    text = """{ events(where: {objectType: [%s]}) { changeType objectReference object {
      ... on Shipment { number isShipped } ... on Order { id status } } } }"""
    found = run(centra, text % "Shipment")
    assert [event["changeType"] for event in found] == ["CREATED", "UPDATED", "UPDATED", "COMPLETED"]
    assert found[0]["object"] == {"number": "1-1", "isShipped": True}, "the object is as it is now"
    assert "COMPLETED" in [event["changeType"] for event in run(centra, text % "Order")]
    told = [event for body in calls for event in json.loads(parse_qs(body.decode())["payload"][0])["events"]]
    actions = [(event["action"], event["id"]) for event in told if event["type"] == "shipment"]
    assert actions == [("create", made), ("update", made), ("good_to_go", made), ("update", made)]
    assert [event["action"] for event in told if event["type"] == "order"].count("update") >= 4


def test_a_token_of_another_store_does_not_see_a_shipment(centra, number):
    made = create(centra, number)["shipment"]["id"]
    centra.grant("asia", store=3)
    assert "Could not find Shipment" in refusal(run(centra, CAPTURE, {"d": made}, token="asia"))


def test_wire_faults_and_user_errors_befall_the_new_operations_too(centra, number):
    made = create(centra, number)["shipment"]["id"]
    centra.faults.plan("error-after", "captureShipment", number=str(number))
    assert graphql(centra.app, CAPTURE, {"d": made}).status == 500
    assert book(centra)["shipments"][0]["captured"]
    centra.faults.plan("user-error", "deleteShipment")
    assert "not possible right now" in refusal(run(centra, DELETE, {"d": made}))

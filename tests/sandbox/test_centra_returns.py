"""Returns and refunds: what can come back, where it goes, what is paid back and what is told about it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.sandbox.call import call, graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine, Refused, VoucherUse
from integration.sandbox.centra_returns import Sought
from integration.sandbox.centra_shipments import Wanted
from integration.sandbox.clock import HandClock
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
RETURN = """return { id returnStatus returnedToStock grandTotal { value } refundPaymentHistory { entryType status value { value } } }"""
CREATE = f"mutation($i: ReturnCreateInput!) {{ createReturn(input: $i) {{ {RETURN} {ERRORS} }} }}"
COMPLETE = f"mutation($d: Int!) {{ completeReturn(id: $d, input: {{sendEmail: true}}) {{ {RETURN} {ERRORS} }} }}"
REOPEN = f"mutation($d: Int!) {{ uncompleteReturn(id: $d) {{ {RETURN} {ERRORS} }} }}"
DELETE = f"mutation($d: Int!) {{ deleteReturn(id: $d) {{ {RETURN} {ERRORS} }} }}"
REFUND = f"""mutation($d: Int!) {{ refundReturn(id: $d, input: {{sendEmail: true}}) {{ {RETURN} {ERRORS}
  paymentHistoryEntry {{ entryType status value {{ value }} }} }} }}"""
RELEASE = {"releaseItemsBackToWarehouse": True}


@pytest.fixture
def clock():
    return HandClock(START)


@pytest.fixture
def centra(clock):
    return Centra(clock)


@pytest.fixture
def number(centra):
    return shipped(centra)


def shipped(centra, *cuts, **words):
    """A shipped order; `cuts` are pieces of the first line in one shipment each, the rest goes in the last."""
    number = centra.place_order(replace(BASKET, **words))
    centra.confirm(number)
    order = centra.orders[number]
    first = order.lines[0].id
    for lines in (*([(first, cut)] for cut in cuts), None):
        left = [(line.id, line.unshipped) for line in order.lines if line.unshipped]
        shipment, warnings = centra.shipments.create(order, Wanted(lines or left, good_to_go=True, capture=True))
        assert not warnings
        centra.shipments.complete(shipment, None, send_email=False, changes={})
    return number


def run(centra, text, variables=None, **more):
    words = graphql(centra.app, text, variables, **more).json()
    assert "errors" not in words, words["errors"]
    return next(iter(words["data"].values()))


def create(centra, number, *quantities, policy=None, **words):
    shipment = centra.orders[number].shipments[0]
    lines = [
        {"shipmentLine": {"id": line.id}, "quantity": n}
        for line, n in zip(shipment.lines, quantities, strict=False)
        if n
    ]
    given = {"shipment": {"id": shipment.id}, "lines": lines, "returnStockActionPolicy": policy or RELEASE, **words}
    return run(centra, CREATE, {"i": given})


def refusal(answer):
    assert answer["userErrors"], answer
    return answer["userErrors"][0]["message"]


def book(centra, number=1):
    return next(b for b in centra.books() if b["number"] == number)


def london(centra, sku=SKU):
    return centra.ledger()["stock"][sku]["warehouses"][1]["physical"]


def pounds(value):
    return {"value": {"value": value, "currencyIsoCode": "GBP"}}


def test_a_return_starts_pending_and_brings_its_pieces_back_when_completed(centra, number):
    made = create(centra, number, 2)["return"]
    assert made == {
        "id": 1, "returnStatus": "PENDING", "returnedToStock": False, "grandTotal": {"value": 90},
        "refundPaymentHistory": [],
    }  # fmt: skip
    assert london(centra) == 4997
    done = run(centra, COMPLETE, {"d": 1})["return"]
    assert (done["returnStatus"], done["returnedToStock"]) == ("COMPLETED", True)
    assert london(centra) == 4999
    assert "already completed" in refusal(run(centra, COMPLETE, {"d": 1}))
    assert [(mail["kind"], mail["return"]) for mail in book(centra)["emails"]][1:] == [("returned", 1)]


def test_pieces_are_removed_or_go_to_another_warehouse_as_the_policy_says(centra, number):
    removed = create(centra, number, 1, policy={"removeItemsFromStock": True})["return"]["id"]
    assert run(centra, COMPLETE, {"d": removed})["return"]["returnedToStock"] is False
    moved = create(centra, number, 1, policy={"sendItemsToDifferentWarehouse": {"id": 2}})["return"]["id"]
    run(centra, COMPLETE, {"d": moved})
    assert london(centra) == 4997
    assert centra.ledger()["stock"][SKU]["warehouses"][2]["physical"] == 5001


def test_exactly_one_stock_policy_is_wanted(centra, number):
    both = {"releaseItemsBackToWarehouse": True, "removeItemsFromStock": True}
    assert "Exactly one" in refusal(create(centra, number, 1, policy=both))
    assert "Warehouse" in refusal(create(centra, number, 1, policy={"sendItemsToDifferentWarehouse": {"id": 9}}))


def test_what_was_not_shipped_or_is_back_already_cannot_come_back(centra, number):
    assert "3 that can be returned" in refusal(create(centra, number, 4))
    assert "greater than 0" in refusal(create(centra, number, -1))
    assert "needs lines" in refusal(create(centra, number))
    create(centra, number, 2)
    assert "1 that can be returned" in refusal(create(centra, number, 2))
    lines = run(centra, "{ orders { lines { returnedQuantity } } }")[0]["lines"]
    assert [line["returnedQuantity"] for line in lines] == [2, 0]
    other = centra.place_order(BASKET)
    centra.confirm(other)
    line = centra.orders[other].lines[0].id
    centra.shipments.create(centra.orders[other], Wanted([(line, 1)]))
    assert "not shipped" in refusal(create(centra, other, 1))


def test_costs_come_back_by_value_or_all_that_remains_and_never_more(centra):
    number = shipped(centra, handling=Decimal("2.50"), vouchers=(VoucherUse("FIVEOFF"),))
    whole = {"fromShipment": True}
    first = create(centra, number, 1, shippingCost=pounds(1.95), handlingCost=whole, voucherValue=pounds(2))["return"]
    assert first["grandTotal"]["value"] == 45 + 1.95 + 2.5 - 2
    assert "between 0 and 3.00" in refusal(create(centra, number, 1, shippingCost=pounds(3.01)))
    assert "GBP" in refusal(
        create(centra, number, 1, shippingCost={"value": {"value": 1, "currencyIsoCode": "SEK"}})
    )  # fmt: skip
    assert "Exactly one" in refusal(create(centra, number, 1, shippingCost={**whole, **pounds(1)}))
    rest = create(centra, number, 2, 2, shippingCost=whole, handlingCost=whole, voucherValue=whole)["return"]
    assert first["grandTotal"]["value"] + rest["grandTotal"]["value"] == pytest.approx(
        float(book(centra)["grand_total"])
    )
    text = """{ returns { totals { shipping { value } shippingTaxRules { taxIncluded { value } } handling { value }
      returnCost { value } discounts { value } } } }"""
    assert run(centra, text)[0]["totals"] == {
        "shipping": {"value": 1.95}, "shippingTaxRules": [{"taxIncluded": {"value": 0.33}}], "handling": {"value": 2.5},
        "returnCost": {"value": 0}, "discounts": {"value": -2},
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 10**6), max_size=3))
def test_returns_of_a_whole_order_pay_back_exactly_what_was_charged(seed, cuts):
    centra, basket = Centra(HandClock(START)), Generator(seed).basket()
    number = centra.place_order(replace(basket, payment="paypal", off_by=seed % 2))
    centra.confirm(number)
    order = centra.orders[number]
    everything = [(line.id, line.quantity) for line in order.lines]
    shipment, _ = centra.shipments.create(order, Wanted(everything, good_to_go=True, capture=True))
    centra.shipments.complete(shipment, None, send_email=False, changes={})
    for cut in (*cuts, None):
        left = [(line.id, line.quantity - line.returned) for line in shipment.lines]
        lines = [(id, n if cut is None else cut % max(1, n)) for id, n in left]
        lines = [(id, n) for id, n in lines if n]
        if lines:
            rest = {"shipping": None, "handling": None, "voucher": None} if cut is None else {"voucher": "share"}
            centra.returns.create(shipment, Sought(lines, **rest))
    returned = sum(made.grand_total for made in order.returns)
    assert returned == shipment.grand_total == order.grand_total


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_customers_send_back_piece_by_piece_is_never_refunded_above_what_was_paid(seed):
    centra, basket = Centra(HandClock(START)), Generator(seed).basket()
    number = centra.place_order(replace(basket, payment="paypal"))
    centra.confirm(number)
    order = centra.orders[number]
    for line in order.lines:
        shipment, _ = centra.shipments.create(order, Wanted([(line.id, line.quantity)], good_to_go=True, capture=True))
        centra.shipments.complete(shipment, None, send_email=False, changes={})
    for line in order.lines:
        for quantity in (1, line.quantity - 1):
            for id in centra.return_items(number, {line.good.sku: quantity}) if quantity else ():
                if centra.returns.find(id).grand_total:
                    centra.refund_return(id)
    assert order.moved("REFUND") <= order.moved("CAPTURE")


def test_a_refund_pays_the_return_completes_it_and_stands_in_both_histories(centra, number):
    made = create(centra, number, 1)["return"]["id"]
    answer = run(centra, REFUND, {"d": made})
    entry = {"entryType": "REFUND", "status": "SUCCESS", "value": {"value": 45}}
    assert answer["paymentHistoryEntry"] == entry
    assert answer["return"]["refundPaymentHistory"] == [entry]
    assert answer["return"]["returnStatus"] == "COMPLETED"
    text = "{ orders { paymentHistory(where: {entryType: [REFUND]}) { entryType status value { value } } } }"
    assert run(centra, text)[0]["paymentHistory"] == [entry]
    assert "already refunded" in refusal(run(centra, REFUND, {"d": made}))
    assert "could not be deleted" in refusal(run(centra, DELETE, {"d": made}))
    assert [(r["amount"], r["status"], r["return"]) for r in book(centra)["refunds"]] == [(4500, "SUCCESS", made)]
    assert [mail["kind"] for mail in book(centra)["emails"]] == ["confirmed", "refunded"]


def test_a_slow_refund_is_a_request_that_settles_later_or_fails(centra, clock):
    number = shipped(centra, payment="klarna")
    made = create(centra, number, 1)["return"]["id"]
    assert "0 is captured" in refusal(run(centra, REFUND, {"d": made})), "the capture has not settled yet"
    clock.pass_time(6)
    assert run(centra, REFUND, {"d": made})["paymentHistoryEntry"]["entryType"] == "REFUND_REQUEST"
    centra.faults.plan("settlement-fails", "settlement")
    clock.pass_time(6)
    assert book(centra)["returns"][0]["status"] == "PENDING"
    again = run(centra, REFUND, {"d": made})["return"]
    assert (again["returnStatus"], again["refundPaymentHistory"][-1]["status"]) == ("PENDING", "PENDING")
    clock.pass_time(6)
    assert book(centra)["returns"][0]["status"] == "COMPLETED"
    assert [r["status"] for r in book(centra)["refunds"]] == ["FAILED", "FAILED", "SUCCESS"]


def test_a_refused_refund_is_a_user_error_with_a_failed_entry(centra, number):
    made = create(centra, number, 1)["return"]["id"]
    centra.faults.plan("psp-refuses", "refundReturn", number=str(number))
    assert "refused the refund" in refusal(run(centra, REFUND, {"d": made}))
    assert book(centra)["refunds"][0]["status"] == "FAILED"
    assert not run(centra, REFUND, {"d": made})["userErrors"]


def test_a_refund_may_be_shown_as_a_negative_value(centra, number):
    centra.switches.refund_values = "negative"
    made = create(centra, number, 1)["return"]["id"]
    assert run(centra, REFUND, {"d": made})["paymentHistoryEntry"]["value"]["value"] == -45


def test_a_completed_return_is_reopened_unless_its_pieces_are_sold_again(centra, number):
    made = create(centra, number, 3)["return"]["id"]
    run(centra, COMPLETE, {"d": made})
    assert run(centra, REOPEN, {"d": made})["return"]["returnStatus"] == "PENDING"
    assert london(centra) == 4997
    run(centra, COMPLETE, {"d": made})
    centra.set_physical(SKU, 3)
    centra.confirm(centra.place_order(BASKET))
    assert "allocated again" in refusal(run(centra, REOPEN, {"d": made}))
    assert "not completed" in refusal(run(centra, REOPEN, {"d": create(centra, number, 0, 1)["return"]["id"]}))


def test_a_pending_return_is_deleted_and_its_pieces_can_come_back_again(centra, number):
    made = create(centra, number, 3)["return"]["id"]
    assert run(centra, DELETE, {"d": made}) == {"return": None, "userErrors": [], "userWarnings": []}
    assert book(centra)["returns"] == []
    assert not create(centra, number, 3)["userErrors"]
    assert "Could not find Return with ID 1" in refusal(run(centra, DELETE, {"d": made}))


def test_returns_are_listed_with_their_lines_and_filtered(centra, clock, number):
    create(centra, number, 1, comment="too small")
    clock.pass_time(3600)
    create(centra, number, 0, 2)
    text = """query($w: ReturnFilter) { returns(where: $w, limit: 10, page: 1) { id createdAt comment store { id }
      shipment { number } order { number } lines { quantity shipmentLine { quantity } orderLine { productSize { SKU } } }
      ... on DirectToConsumerReturn { customer { id email } } } }"""
    first, second = run(centra, text)
    assert first["lines"] == [
        {"quantity": 1, "shipmentLine": {"quantity": 3}, "orderLine": {"productSize": {"SKU": SKU}}}
    ]
    assert (first["comment"], first["shipment"], first["order"]) == ("too small", {"number": "1-1"}, {"number": 1})
    customer = first["customer"]["id"]
    for where, ids in (
        ({"createdAt": {"from": "-30 minutes"}}, [2]),
        ({"id": [1, 7]}, [1]),
        ({"customerId": customer}, [1, 2]),
        ({"customerId": customer + 1}, []),
        ({"storeType": "WHOLESALE"}, []),
    ):
        assert [row["id"] for row in run(centra, text, {"w": where})] == ids
    centra.grant("asia", store=3)
    assert run(centra, text, token="asia") == []
    assert "Could not find Return" in refusal(run(centra, DELETE, {"d": second["id"]}, token="asia"))


def test_the_back_office_returns_from_every_shipment_with_shipping_and_a_cost(centra):
    number = shipped(centra, 1, 1, vouchers=(VoucherUse("WELCOME10"),))
    ids = centra.return_items(number, {SKU: 3, OTHER: 1}, shipping=Decimal("4.95"), return_cost=Decimal(2))
    assert ids == [1, 2, 3]
    made = book(centra)["returns"]
    assert [row["shipment"] for row in made] == ["1-1", "1-2", "1-3"]
    assert [(row["shipping"], row["return_cost"]) for row in made] == [(495, 200), (0, 0), (0, 0)]
    assert made[0]["voucher"] == 1550, "the first shipment bore the whole discount"
    for id in ids:
        centra.refund_return(id)
    assert sum(row["grand_total"] for row in made) == sum(row["amount"] for row in book(centra)["refunds"])
    with pytest.raises(Refused, match="not so much"):
        centra.return_items(number, {SKU: 1})
    assert len(book(centra)["returns"]) == 3


def test_a_cost_above_the_refund_is_refused(centra, number):
    with pytest.raises(Refused, match="more than"):
        centra.return_items(number, {OTHER: 1}, return_cost=Decimal(10))


def test_free_shipping_is_no_discount_of_the_goods(centra):
    number = shipped(centra, vouchers=(VoucherUse("FREESHIP"),))
    centra.return_items(number, {SKU: 1})
    assert book(centra)["returns"][0]["grand_total"] == 4500


def test_money_goes_back_without_goods(centra, number):
    centra.refund(number, Decimal("4.95"), "goodwill")
    assert [(r["amount"], r["return"], r["note"]) for r in book(centra)["refunds"]] == [(495, None, "goodwill")]
    text = "{ orders { paymentHistory(where: {entryType: [REFUND]}) { value { value } } } }"
    assert run(centra, text)[0]["paymentHistory"] == [{"value": {"value": 4.95}}]
    for amount in ("0", "-1", "1.001", "500"):
        with pytest.raises(Refused):
            centra.refund(number, Decimal(amount))


def test_returns_are_told_as_events_and_by_webhook(clock):
    calls = []
    centra = Centra(clock, deliver=lambda url, body, headers, timeout: calls.append(body) or 200)
    centra.register_webhook("http://shop.example", "s", 1)
    run(centra, "mutation { setEventListeners(input: [{objectType: Return}]) { userErrors { message } } }")
    number = shipped(centra)
    run(centra, COMPLETE, {"d": create(centra, number, 1)["return"]["id"]})
    centra.cancel_return(create(centra, number, 1)["return"]["id"])
    clock.pass_time(1)
    found = run(centra, "{ events { changeType objectReference object { ... on Return { id returnStatus } } } }")
    assert [(event["changeType"], event["objectReference"]) for event in found] == [
        ("CREATED", "1"),
        ("COMPLETED", "1"),
        ("CREATED", "2"),
        ("DELETED", "2"),
    ]
    assert found[0]["object"] == {"id": 1, "returnStatus": "COMPLETED"}
    assert found[2]["object"] is None
    told = [event for body in calls for event in json.loads(parse_qs(body.decode())["payload"][0])["events"]]
    assert [(event["action"], event["id"]) for event in told if event["type"] == "return"] == [
        ("create", 1),
        ("update", 1),
        ("create", 2),
        ("delete", 2),
    ]


def test_returns_and_refunds_are_made_over_http(centra, number):
    def post(path, words=None):
        return call(centra.app, "POST", f"/_sandbox/{path}", json.dumps(words or {}).encode())

    shown = post("orders/1/return", {"items": {SKU: 1}, "shipping": 4.95, "return_cost": 1, "stock": "remove"}).json()
    assert shown["returns"][0]["grand_total"] == 4500 + 495 - 100
    assert post("returns/1/complete").json()[0]["status"] == "COMPLETED"
    assert post("returns/1/refund").status == 200
    assert post("returns/1/cancel").status == 400
    assert post("returns/1/burn").status == 400
    assert post("orders/1/refund", {"amount": "1.50", "note": "sorry"}).json()["refunds"][1]["amount"] == 150
    assert post("orders/1/return", {"items": {SKU: 9}}).status == 400

"""Writing to Centra: the state machine, holds, cancellations, shipping cost, locks, captures, edits."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integration.sandbox.call import graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine, Refused, VoucherUse
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.goods import GOODS

BASKET = Basket(
    market_id=1,
    country="GB",
    lines=(BasketLine("LS101NVS", 3), BasketLine("KD202NVS", 2, Decimal("7.99"))),
    address={"firstName": "Ada", "lastName": "Byron", "address1": "1 High Street", "city": "Leeds"},
    email="ada@example.com",
)
ERRORS = "userErrors { message path } userWarnings { message path }"


@pytest.fixture
def clock():
    return HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))


@pytest.fixture
def centra(clock):
    return Centra(clock)


@pytest.fixture
def number(centra):
    placed = centra.place_order(BASKET)
    centra.confirm(placed)
    return placed


def run(centra, text, variables=None):
    words = graphql(centra.app, text, variables).json()
    assert "errors" not in words, words["errors"]
    return next(iter(words["data"].values()))


def update(centra, number, words):
    return run(
        centra,
        f"mutation($i: DirectToConsumerOrderUpdateInput!) {{ updateDirectToConsumerOrder(order: {{number: {number}}}, input: $i) {{"
        f" order {{ status isOnHold grandTotal {{ value }} shippingAddress {{ city }} totals {{ shipping {{ value }} }}"
        f" lines(includeFullyCancelled: true) {{ id quantity cancelledQuantity }} }} {ERRORS} }} }}",
        {"i": words},
    )


def test_an_order_begins_pending_and_is_confirmed_once(centra):
    number = centra.place_order(BASKET)
    text = f"mutation {{ confirmOrder(input: {{order: {{number: {number}}}}}) {{ order {{ status }} {ERRORS} }} }}"
    assert run(centra, text)["order"] == {"status": "CONFIRMED"}
    again = run(centra, text)
    assert again["order"] is None
    assert "CONFIRMED" in again["userErrors"][0]["message"]


def test_an_unknown_order_is_not_found_in_the_vendors_words(centra):
    text = f"mutation {{ confirmOrder(input: {{order: {{number: 99}}}}) {{ {ERRORS} }} }}"
    assert run(centra, text)["userErrors"][0]["message"].startswith("Could not find Order with ID")


def test_hold_is_a_flag_over_the_status(centra, number):
    assert update(centra, number, {"isOnHold": True, "holdStatusChangeReason": "look"})["order"]["isOnHold"]
    released = update(centra, number, {"isOnHold": False})["order"]
    assert (released["isOnHold"], released["status"]) == (False, "CONFIRMED")


def test_cancelled_pieces_leave_the_line_and_the_total(centra, number):
    line = centra.orders[number].lines[0].id
    cancel = {"line": {"id": line}, "quantity": 3, "stockAction": "RELEASE_BACK_TO_WAREHOUSE"}
    before = centra.books()[0]["grand_total"]
    order = update(centra, number, {"cancelLines": [cancel]})["order"]
    assert order["lines"][0] == {"id": line, "quantity": 0, "cancelledQuantity": 3}
    assert before - centra.books()[0]["grand_total"] == 3 * GOODS["LS101NVS"].prices["GBP"]
    shown = run(centra, f"{{ orders(where: {{number: {number}}}) {{ lines {{ id }} }} }}")
    assert line not in [row["id"] for row in shown[0]["lines"]]


@pytest.mark.parametrize(("line", "quantity"), [(0, 1), (None, 4), (None, -1)])
def test_cancelling_more_than_is_unshipped_or_of_another_order_is_refused(centra, number, line, quantity):
    line = centra.orders[number].lines[0].id if line is None else line
    cancel = {"line": {"id": line}, "quantity": quantity, "stockAction": "REMOVE_FROM_STOCK"}
    refused = update(centra, number, {"cancelLines": [cancel]})
    assert refused["userErrors"]
    assert refused["order"] is None


def test_shipping_cost_goes_down_only_and_only_while_confirmed(centra, number):
    lower = update(centra, number, {"shippingCost": {"value": 2.5, "currencyIsoCode": "GBP"}})
    assert lower["order"]["totals"]["shipping"]["value"] == 2.5
    assert "Shipping cost changed from 4.95 to 2.50" in centra.orders[number].history[-1][1]
    assert update(centra, number, {"shippingCost": {"value": 3, "currencyIsoCode": "GBP"}})["userErrors"]
    assert update(centra, number, {"shippingCost": {"value": 1, "currencyIsoCode": "SEK"}})["userErrors"]
    pending = centra.place_order(BASKET)
    assert update(centra, pending, {"shippingCost": {"value": 1, "currencyIsoCode": "GBP"}})["userErrors"]


def test_an_address_changes_and_its_country_cannot(centra, number):
    assert update(centra, number, {"shippingAddress": {"city": "York"}})["order"]["shippingAddress"]["city"] == "York"
    text = 'mutation { updateDirectToConsumerOrder(order: {number: 1}, input: {shippingAddress: {country: "SE"}}) { order { id } } }'
    assert "country" in graphql(centra.app, text).json()["errors"][0]["message"]


def cancel(centra, number):
    return run(
        centra,
        f'mutation {{ cancelDirectToConsumerOrder(id: "{centra.orders[number].id}", input: {{comment: "fraud",'
        f" cancelAuthorization: true}}) {{ order {{ status }} {ERRORS} }} }}",
    )


def test_a_cancelled_order_keeps_its_quantities_and_frees_its_stock(centra, number):
    assert sum(centra.book.allocated.values()) == 5
    assert cancel(centra, number)["order"] == {"status": "CANCELLED"}
    assert [line["quantity"] for line in centra.books()[0]["lines"]] == [3, 2]
    assert sum(centra.book.allocated.values()) == 0
    assert "is CANCELLED" in cancel(centra, number)["userErrors"][0]["message"]


def test_a_provider_that_will_not_cancel_is_a_warning_and_the_order_is_cancelled(centra, number):
    centra.faults.plan("psp-refuses", "cancelDirectToConsumerOrder")
    answer = cancel(centra, number)
    assert answer["order"] == {"status": "CANCELLED"}
    assert answer["userWarnings"]


CAPTURE = f"mutation {{ captureOrder(order: {{number: 1}}) {{ paymentHistoryEntry {{ entryType status value {{ value }} }} {ERRORS} }} }}"


def test_a_card_capture_is_a_request_that_settles_later_and_bars_cancelling(centra, clock, number):
    entry = run(centra, CAPTURE)["paymentHistoryEntry"]
    assert (entry["entryType"], entry["status"]) == ("CAPTURE_REQUEST", "PENDING")
    clock.pass_time(6)
    kinds = [(p["entry_type"], p["status"]) for p in centra.books()[0]["payments"]]
    assert kinds == [("AUTH", "SUCCESS"), ("CAPTURE_REQUEST", "SUCCESS"), ("CAPTURE", "SUCCESS")]
    assert "already captured" in run(centra, CAPTURE)["userErrors"][0]["message"]
    assert "captured" in cancel(centra, number)["userErrors"][0]["message"]


def test_an_order_raised_above_its_authorisation_cannot_be_captured(centra, number):
    centra.edit(number, quantities={"LS101NVS": 9})
    assert "authorisation" in run(centra, CAPTURE)["userErrors"][0]["message"]


def test_a_refused_capture_is_a_user_error(centra, number):
    centra.faults.plan("psp-refuses", "captureOrder")
    assert run(centra, CAPTURE)["userErrors"]
    assert run(centra, CAPTURE)["paymentHistoryEntry"]["status"] == "PENDING"


def test_a_lock_keeps_people_out_and_the_api_in(centra, number):
    text = f"mutation {{ setOrdersLock(input: {{orders: [{{number: {number}}}], isLocked: true}}) {{ orders {{ isLocked }} }} }}"
    assert run(centra, text)["orders"] == [{"isLocked": True}]
    with pytest.raises(Refused, match="locked"):
        centra.edit(number, quantities={"LS101NVS": 1})
    assert update(centra, number, {"isOnHold": True})["order"]["isOnHold"]


def test_an_edit_changes_quantities_adds_lines_and_moves_the_address(centra, number):
    centra.edit(
        number, quantities={"LS101NVS": 1}, add=[{"sku": "FD401NVS", "quantity": 2}], shippingAddress={"city": "Bath"}
    )
    book = centra.books()[0]
    assert [(line["sku"], line["quantity"]) for line in book["lines"]] == [
        ("LS101NVS", 1),
        ("KD202NVS", 2),
        ("FD401NVS", 2),
    ]
    assert centra.orders[number].shipping_address["city"] == "Bath"


def test_demand_becomes_allocation_when_an_order_is_confirmed(centra):
    number = centra.place_order(BASKET)
    assert (sum(centra.book.demand.values()), sum(centra.book.allocated.values())) == (5, 0)
    centra.confirm(number)
    assert (sum(centra.book.demand.values()), sum(centra.book.allocated.values())) == (0, 5)


def test_a_total_can_be_wrong_on_purpose(centra):
    right = centra.place_order(BASKET)
    wrong = centra.place_order(replace(BASKET, off_by=-1))
    first, second = centra.books()
    assert first["grand_total"] - second["grand_total"] == Decimal("0.01")
    assert (first["adds_up"], second["adds_up"]) == (True, False)
    assert (right, wrong) == (1, 2)


def test_vouchers_stand_in_discounts_applied_and_not_in_the_lines(centra):
    centra.place_order(replace(BASKET, vouchers=(VoucherUse("WELCOME10"), VoucherUse("GIFTCARD", Decimal(20)))))
    text = """{ orders { totals { lineValues { value } discounts { value } } grandTotal { value }
      discountsApplied { value { value } ... on AppliedVoucher { voucher { code type } } } } }"""
    order = run(centra, text)[0]
    assert [row["voucher"]["type"] for row in order["discountsApplied"]] == ["PERCENTAGE", "GIFT_CARD"]
    assert [row["value"]["value"] for row in order["discountsApplied"]] == [-15.10, -20]
    assert order["totals"] == {"lineValues": {"value": 150.98}, "discounts": {"value": -35.1}}
    assert order["grandTotal"] == {"value": 120.83}


def test_a_bundle_is_one_line_or_its_parts_at_the_same_price(clock):
    basket = replace(BASKET, lines=(BasketLine("BX503ST1", 2),))
    whole, split = Centra(clock), Centra(clock, CentraSwitches(bundle_lines="parts"))
    whole.place_order(basket)
    split.place_order(basket)
    assert len(whole.books()[0]["lines"]) == 1
    assert len(split.books()[0]["lines"]) > 1
    assert whole.books()[0]["line_values"] == split.books()[0]["line_values"]
    assert whole.book.demand == split.book.demand


def test_one_email_can_be_two_customers(centra):
    centra.place_order(BASKET)
    centra.place_order(replace(BASKET, registered=True))
    rows = run(centra, "{ orders { ... on DirectToConsumerOrder { customer { id email } } } }")
    assert len({row["customer"]["id"] for row in rows}) == 2


def test_what_is_not_built_says_so(centra):
    text = "mutation { setIdConversions(input: []) { userErrors { message } } }"
    assert "not in this sandbox yet" in graphql(centra.app, text).json()["errors"][0]["message"]

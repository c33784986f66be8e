"""What people do in OrderWise's sandbox: despatch, label again, undo, cancel, change, take back, credit."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_example import Client, order

POST = "sales/order?session_id=21"
SHIRT, SOCKS = "LS101NVS", "LS106NVM"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 7, 1, 10, tzinfo=UTC))


@pytest.fixture
def orderwise(clock: HandClock) -> OrderWise:
    return OrderWise(clock)


@pytest.fixture
def client(orderwise: OrderWise) -> Client:
    client = Client(orderwise.app)
    client.post(POST, order("centra-1", (SHIRT, 3, "37.50"), (SOCKS, 2, "5.00")))
    return client


def first(orderwise: OrderWise, kind: str = "orders") -> dict[str, Any]:
    return orderwise.books()[kind][0]


def leeds(orderwise: OrderWise, sku: str, place: str = "Leeds") -> tuple[float, float]:
    here = orderwise.books()["stock"][sku]["by_location"][place]
    return here["free"], here["in_stock"]


# --------------------------------------------------------------------------------------------------------------- despatch


def test_several_deliveries_with_several_consignments_complete_an_order(orderwise, client):
    orderwise.ship("centra-1", {SHIRT: 1}, ["A1", "A2"])
    assert (first(orderwise)["status"], first(orderwise)["complete"]) == ("Partially despatched", False)
    orderwise.ship("centra-1", tracking=["B1"], method="DHL Express")
    assert (first(orderwise)["status"], first(orderwise)["complete"]) == ("Completed", True)
    one, two = orderwise.books()["deliveries"]
    assert (one["tracking"], one["method"]) == (["A1", "A2"], "Royal Mail Tracked 48")
    assert (two["tracking"], two["method"]) == (["B1"], "DHL Express")
    assert [(sku, pieces) for sku, pieces, _ in one["lines"]] == [(SHIRT, 1)]
    assert [(sku, pieces) for sku, pieces, _ in two["lines"]] == [(SHIRT, 2), (SOCKS, 2)]
    assert leeds(orderwise, SHIRT) == (4997, 4997)


def test_more_than_is_left_cannot_be_sent_and_nothing_of_it_is(orderwise, client):
    with pytest.raises(ValueError, match="not enough left"):
        orderwise.ship("centra-1", {SHIRT: 4})
    assert orderwise.books()["deliveries"] == []
    assert leeds(orderwise, SHIRT) == (4997, 5000)


def test_a_despatch_is_found_by_sql_one_row_a_delivery(orderwise, client, clock):
    orderwise.paste_export(
        60,
        "SELECT oh_ecommerce_number AS reference, os_description AS status, dh_id AS delivery,"
        " cod_tracking_url_prefix AS prefix FROM order_header"
        " JOIN order_header_detail ON ohd_oh_id = oh_id JOIN order_status ON os_id = oh_os_id"
        " LEFT JOIN delivery_header ON dh_oh_id = oh_id LEFT JOIN delivery_method ON dm_id = dh_dm_id"
        " LEFT JOIN courier_detail ON cod_id = dm_cod_id"
        " WHERE ohd_last_amended_datetime >= @since ORDER BY oh_id, dh_id",
    )
    assert [row["delivery"] for row in client.run(60, since="2026-07-01").words] == [None]
    clock.pass_time(3600)
    orderwise.ship("centra-1", {SHIRT: 1})
    orderwise.ship("centra-1", {SHIRT: 1})
    rows = client.run(60, since="2026-07-01T12:00:00").words
    assert [row["status"] for row in rows] == ["Partially despatched"] * 2
    assert rows[0]["prefix"] == "https://track.example.invalid/royal-mail/"
    assert client.run(60, since="2026-07-01T12:00:01").words == []


def test_what_a_supplier_sends_completes_an_order_without_a_delivery(orderwise, client):
    body = order("centra-2", (SHIRT, 1, "37.50"))
    body["orderLines"][0]["direct"] = True
    client.post(POST, body)
    assert leeds(orderwise, SHIRT) == (4997, 5000)
    with pytest.raises(ValueError, match="not enough left"):
        orderwise.ship("centra-2")
    orderwise.supplier_ships("centra-2")
    kept = orderwise.books()["orders"][1]
    assert (kept["status"], kept["deliveries"]) == ("Completed", [])
    assert leeds(orderwise, SHIRT) == (4997, 5000)


def test_a_line_that_a_supplier_is_to_send_takes_no_stock_of_ours(orderwise, client):
    assert leeds(orderwise, SHIRT) == (4997, 5000)
    orderwise.order_direct("centra-1", SHIRT)
    assert leeds(orderwise, SHIRT) == (5000, 5000)
    with pytest.raises(ValueError, match="no line"):
        orderwise.order_direct("centra-1", SHIRT)


def test_the_last_delivery_is_labelled_again_or_undone(orderwise, client):
    orderwise.ship("centra-1", {SHIRT: 1}, ["A1"])
    orderwise.ship("centra-1", None, ["B1"])
    orderwise.relabel("centra-1", ["B2", "B3"], method=5)
    assert [each["tracking"] for each in orderwise.books()["deliveries"]] == [["A1"], ["B2", "B3"]]
    orderwise.void("centra-1")
    assert [each["cancelled"] for each in orderwise.books()["deliveries"]] == [False, True]
    assert (first(orderwise)["status"], first(orderwise)["complete"]) == ("Partially despatched", False)
    assert leeds(orderwise, SHIRT) == (4997, 4999)


def test_a_person_cancels_until_the_warehouse_has_begun(orderwise, client):
    orderwise.pack("centra-1")
    with pytest.raises(ValueError, match="being picked"):
        orderwise.cancel("centra-1")
    client.post(POST, order("centra-2", (SHIRT, 1, "37.50")))
    orderwise.cancel("centra-2")
    assert [each["status"] for each in orderwise.books()["orders"]] == ["Being picked", "Cancelled"]
    assert leeds(orderwise, SHIRT) == (4997, 5000)


def test_the_rest_of_an_order_can_be_cancelled(orderwise, client):
    orderwise.ship("centra-1", {SHIRT: 1})
    orderwise.cancel("centra-1")
    assert first(orderwise)["status"] == "Completed"
    assert [(line["quantity"], line["sent"]) for line in first(orderwise)["lines"]] == [(3, 1), (2, 0)]
    assert leeds(orderwise, SOCKS) == (5000, 5000)


def test_a_person_changes_a_line_and_the_totals_follow(orderwise, client):
    orderwise.amend("centra-1", SHIRT, quantity=2)
    orderwise.amend("centra-1", SOCKS, net="4.00", gross="4.80")
    kept = first(orderwise)
    assert (kept["net"], kept["gross"], kept["tax"]) == ("87.0000", "104.4000", "17.4000")
    assert leeds(orderwise, SHIRT) == (4998, 5000)


def test_an_order_on_hold_does_not_wait_to_be_shipped(orderwise, client):
    assert [row["lines"] for row in orderwise.waiting_shipments()] == [[(SHIRT, 3), (SOCKS, 2)]]
    orderwise.hold("centra-1")
    assert orderwise.waiting_shipments() == []
    orderwise.hold("centra-1", held=False)
    assert len(orderwise.waiting_shipments()) == 1


def test_a_status_can_be_one_that_nobody_has_seen(orderwise, client):
    orderwise.set_status("centra-1", "With Dave")
    assert client.get(f"sales/order/{first(orderwise)['id']}/status").words["orderStatus"] == "With Dave"


def test_the_doors_do_what_the_methods_do(orderwise, client):
    assert client.post("/_sandbox/orders/centra-1/ship", {"lines": {SHIRT: 1}, "tracking": ["A1"]}).status == 200
    assert client.post("/_sandbox/counts", {"sku": SOCKS, "quantity": 5, "location": "Leeds"}).status == 200
    assert client.get("/_sandbox/books").words["stock"][SOCKS]["by_location"]["Leeds"] == {"free": 3, "in_stock": 5}
    assert client.post("/_sandbox/switches", {"error_body": "loud"}).status == 400
    assert client.post("/_sandbox/sessions/21/change", {"active": "yes"}).status == 400
    assert client.post("/_sandbox/sessions/21/change", {"active": False}).status == 200
    assert client.post("/_sandbox/nothing").status == 404


# ----------------------------------------------------------------------------------------------------- returns and credits


def test_returned_goods_lie_apart_until_they_are_judged(orderwise, client):
    orderwise.ship("centra-1")
    orderwise.raise_return("centra-1", {SHIRT: 2}, "centra-r9")
    orderwise.receive_return("centra-r9")
    assert leeds(orderwise, SHIRT, "Leeds returns") == (2, 2)
    orderwise.inspect_return("centra-r9", {SHIRT: {"restock": 1, "scrap": 1}})
    (line,) = first(orderwise, "returns")["lines"]
    assert (line["restocked"], line["quarantined"], line["scrapped"]) == (1, 0, 1)
    assert leeds(orderwise, SHIRT, "Leeds returns") == (0, 0)
    assert leeds(orderwise, SHIRT) == (4998, 4998)


def test_quarantined_goods_stay_where_returns_lie(orderwise, client):
    orderwise.ship("centra-1")
    orderwise.raise_return("centra-1", {SOCKS: 1}, "centra-r9")
    orderwise.receive_return("centra-r9", "quarantine")
    assert leeds(orderwise, SOCKS, "Leeds returns") == (1, 1)
    assert first(orderwise, "returns")["status"] == "Completed"


def test_no_more_comes_back_than_was_sent(orderwise, client):
    orderwise.ship("centra-1", {SHIRT: 2})
    orderwise.raise_return("centra-1", {SHIRT: 1}, "centra-r1")
    with pytest.raises(ValueError, match="available to return"):
        orderwise.raise_return("centra-1", {SHIRT: 2}, "centra-r2")
    assert len(orderwise.books()["returns"]) == 1


def test_what_did_not_arrive_stays_expected(orderwise, client):
    orderwise.ship("centra-1")
    orderwise.raise_return("centra-1", {SHIRT: 3}, "centra-r9")
    orderwise.receive_return("centra-r9", "restock", {SHIRT: 1})
    assert [(row["state"], row["lines"]) for row in orderwise.expected_returns()] == [("draft", [(SHIRT, 2)])]
    assert leeds(orderwise, SHIRT) == (4998, 4998)


def test_a_verdict_must_add_up(orderwise, client):
    orderwise.ship("centra-1")
    orderwise.raise_return("centra-1", {SHIRT: 2}, "centra-r9")
    with pytest.raises(ValueError, match="does not say what becomes"):
        orderwise.receive_return("centra-r9", {"restock": 1})
    assert first(orderwise, "returns")["status"] == "Awaiting receipt"


def test_a_returned_kit_comes_back_as_its_parts(orderwise, client):
    client.post(POST, order("centra-2", ("BX501ST1", 1, "107.50")))
    orderwise.ship("centra-2")
    orderwise.raise_return("centra-2", None, "centra-r2")
    orderwise.receive_return("centra-r2", "restock")
    assert leeds(orderwise, SOCKS) == (4998, 5000)


def test_a_person_credits_at_the_orders_own_prices(orderwise, client):
    orderwise.credit("centra-1", {SHIRT: 1}, reference="centra-r9", charges=("4.00", "4.80", "1"))
    made = first(orderwise, "credits")
    assert (made["net"], made["tax"], made["gross"], made["posted"]) == ("41.5000", "8.3000", "49.8000", True)
    assert [(line["sku"], line["description"], line["gross"]) for line in made["lines"]] == [
        (SHIRT, None, "45.0000"),
        (None, "Charges", "4.8000"),
    ]


def test_everything_can_be_credited_without_a_reference(orderwise, client):
    orderwise.credit("centra-1", posted=False)
    made = first(orderwise, "credits")
    assert (made["reference"], made["gross"], made["posted"]) == (None, "147.0000", False)

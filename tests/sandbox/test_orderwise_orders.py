"""Orders into OrderWise's sandbox: what is kept, what is refused, what waits, and what it does to totals that do not add up."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.faults import Drop, Hang
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_example import Client, order

POST = "sales/order?session_id=21"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 7, 1, 10, tzinfo=UTC))


@pytest.fixture
def orderwise(clock: HandClock) -> OrderWise:
    return OrderWise(clock)


@pytest.fixture
def client(orderwise: OrderWise) -> Client:
    return Client(orderwise.app)


def only(orderwise: OrderWise) -> dict:
    (found,) = orderwise.books()["orders"]
    return found


def test_an_order_is_kept_as_it_was_sent_and_its_ids_are_answered(orderwise, client):
    got = client.post(POST, order("centra-100"))
    kept = only(orderwise)
    assert got.status == 201
    assert got.words == {"orderId": kept["id"], "orderNumber": kept["number"], "eCommerceOrderNumber": "centra-100"}
    assert (kept["gross"], kept["net"], kept["tax"]) == ("94.8000", "79.0000", "15.8000")
    assert (kept["delivery_gross"], kept["delivery_net"], kept["delivery_tax"]) == ("4.8000", "4.0000", "0.8000")
    (line,) = kept["lines"]
    assert (line["sku"], line["quantity"], line["net"], line["gross"], line["tax_code"]) == (
        "LS101NVS",
        2,
        "37.5000",
        "45.0000",
        1,
    )
    assert kept["payments"] == [(1, "94.8000")]
    assert kept["addresses"]["delivery"]["postcode"] == "LS1 1AA"
    assert (kept["order_date"], kept["input_at"]) == ("2026-03-01T09:20:23.000", "2026-07-01T11:00:00.000")
    assert kept["dissurs"] == []


def test_names_are_read_in_any_case_and_unknown_ones_are_ignored(orderwise, client):
    body = order("centra-1")
    loud = json.loads(json.dumps(body).replace("orderHeader", "ORDERHEADER").replace("variantCode", "VariantCode"))
    assert client.post(POST, loud | {"nobodyKnows": 1}).status == 201
    assert only(orderwise)["reference"] == "centra-1"


def test_a_variant_code_is_found_whatever_its_case_and_trailing_spaces(orderwise, client):
    orderwise.add_product("VP255R ")
    assert client.post(POST, order("centra-1", ("vp255r", 1, "5.00"))).status == 201
    assert only(orderwise)["lines"][0]["sku"] == "VP255R "


def test_the_status_of_an_order_is_the_tenants_text(orderwise, client):
    id = client.post(POST, order("centra-1")).words["orderId"]
    path = f"sales/order/{id}/status?include_lines=true&include_delivery=true"
    assert client.get(path).words["orderStatus"] == "Awaiting despatch"
    orderwise.ship("centra-1")
    assert client.get(path).words["orderStatus"] == "Completed"
    assert client.get("sales/order/1/status").status == 404


@pytest.mark.parametrize("session", ["", "?session_id=99", "?session_id=x"])
def test_without_a_session_that_exists_nothing_is_imported(orderwise, client, session):
    assert client.post(f"sales/order{session}", order("centra-1")).status == 400
    assert orderwise.books()["orders"] == []


@pytest.mark.parametrize("settings", [{"active": False}, {"transfer_type": "FTP"}])
def test_a_session_must_be_active_and_a_web_service(orderwise, client, settings):
    orderwise.change_session(21, **settings)
    assert client.post(POST, order("centra-1")).status == 400


# ----------------------------------------------------------------------------------------------------------- refused whole


@pytest.mark.parametrize(
    ("where", "name", "value", "said"),
    [
        ("orderLines", "variantCode", "ZZ901NVS", "ZZ901NVS"),
        ("orderLines", "taxRateId", None, "tax code"),
        ("orderLines", "taxRateId", 77, "Tax rate 77"),
        ("orderLines", "stockLocationId", 99, "location 99"),
        ("orderLines", "quantity", 0, "positive"),
        ("orderHeader", "deliveryMethodId", 99, "method 99"),
        ("orderHeader", "deliveryTaxCodeId", None, "delivery"),
        ("orderHeader", "eCommerceOrderNumber", "", "eCommerceOrderNumber"),
        ("orderHeader", "orderDate", "2026-03-01T09:20:23+01:00", "Conversion failed"),
        ("customer", "id", 4, "Customer 4"),
        ("payments", "paymentMethodId", 9, "method 9"),
    ],
)
def test_one_bad_word_refuses_the_whole_order(orderwise, client, where, name, value, said):
    body = order("centra-1", ("LS101NVS", 1, "37.50"), ("LS102NVS", 1, "49.00"))
    part = body[where][-1] if isinstance(body[where], list) else body[where]
    part[name] = value
    got = client.post(POST, body)
    assert got.status == 400
    assert said in got.words["message"]
    assert orderwise.books()["orders"] == []
    assert orderwise.books()["stock"]["LS101NVS"]["free"] == 5000


def test_a_number_is_taken_once_in_a_session_and_free_in_another(orderwise, client):
    assert client.post(POST, order("centra-1")).status == 201
    assert client.post(POST, order("centra-1")).status == 400
    assert client.post("sales/order?session_id=22", order("centra-1")).status == 201
    orderwise.switches.change({"duplicate": "another"})
    assert client.post(POST, order("centra-1")).status == 201
    assert [each["reference"] for each in orderwise.books()["orders"]] == ["centra-1"] * 3


def test_a_discontinued_variant_is_refused_unless_the_session_overrides(orderwise, client):
    orderwise.change_product("LS101NVS", discontinued=True)
    assert client.post(POST, order("centra-1")).status == 400
    orderwise.change_session(21, override_variant_disallow=True)
    assert client.post(POST, order("centra-1")).status == 201


def test_tax_fall_backs_of_the_session_tax_as_orderwise_thinks(orderwise, client):
    orderwise.change_session(21, use_variant_tax_code=True, use_delivery_method_tax_code=True)
    body = order("centra-1", tax=(2, "0"), deliveryTaxCodeId=None)
    body["orderLines"][0]["taxRateId"] = None
    assert client.post(POST, body).status == 201
    assert (only(orderwise)["lines"][0]["tax_code"], only(orderwise)["delivery_tax_code"]) == (1, 1)


# ------------------------------------------------------------------------------------------------------ queued, and mailed


def test_a_queued_order_is_there_after_the_sessions_next_run(orderwise, client, clock):
    orderwise.switches.change({"import_mode": "queued"})
    got = client.post(POST, order("centra-1"))
    assert (got.status, got.words) == (201, {"eCommerceOrderNumber": "centra-1"})
    assert (orderwise.books()["orders"], orderwise.books()["waiting"]) == ([], ["centra-1"])
    clock.pass_time(299)
    assert orderwise.books()["orders"] == []
    clock.pass_time(1)
    assert only(orderwise)["reference"] == "centra-1"
    assert orderwise.books()["waiting"] == []


def test_a_queued_order_that_fails_is_mailed_and_the_others_come_in(orderwise, client):
    orderwise.switches.change({"import_mode": "queued"})
    for number, sku in (
        ("centra-1", "LS101NVS"),
        ("centra-2", "ZZ901NVS"),
        ("centra-3", "LS101NVS"),
        ("centra-1", "LS101NVS"),
    ):
        assert client.post(POST, order(number, (sku, 1, "5.00"))).status == 201
    orderwise.run_import(21)
    books = orderwise.books()
    assert [each["reference"] for each in books["orders"]] == ["centra-1", "centra-3"]
    assert [each["reference"] for each in books["emails"]] == ["centra-2", "centra-1"]
    assert "ZZ901NVS" in books["emails"][0]["text"]


def test_an_unknown_sku_may_be_accepted_and_mailed(orderwise, client, clock):
    orderwise.switches.change({"unknown_sku": "e-mail"})
    assert client.post(POST, order("centra-1", ("ZZ901NVS", 1, "5.00"))).words == {"eCommerceOrderNumber": "centra-1"}
    clock.pass_time(300)
    assert orderwise.books()["orders"] == []
    assert [each["reference"] for each in orderwise.books()["emails"]] == ["centra-1"]


@pytest.mark.parametrize(("words", "body"), [("id", b"3601"), ("empty", b"")])
def test_what_is_answered_is_a_switch(orderwise, client, words, body):
    orderwise.switches.change({"create_response": words, "create_status": 200})
    got = client.post(POST, order("centra-1"))
    assert (got.status, got.body) == (200, body)


# ----------------------------------------------------------------------------------------------------------------- totals


def test_totals_that_do_not_add_up_become_a_discount_of_orderwises_own(orderwise, client):
    assert client.post(POST, order("centra-1", orderGross=94.79, orderTax=15.79)).status == 201
    kept = only(orderwise)
    assert kept["gross"] == "94.7900"
    assert kept["dissurs"] == [
        {"description": "Balancing discount", "price": "0.0100", "tax_code": 1, "discount": True, "gross": True}
    ]
    assert orderwise.books()["log"][0]["reference"] == "centra-1"


def test_a_header_that_asks_for_more_becomes_a_surcharge(orderwise, client):
    client.post(POST, order("centra-1", orderGross=95.00, orderTax=16.00))
    (made,) = only(orderwise)["dissurs"]
    assert (made["price"], made["discount"]) == ("0.2000", False)


def test_a_tax_that_does_not_add_up_is_balanced_too(orderwise, client):
    client.post(POST, order("centra-1", orderNet=79.01, orderTax=15.79))
    (made,) = only(orderwise)["dissurs"]
    assert (made["price"], made["discount"], made["gross"]) == ("0.0100", False, False)


@pytest.mark.parametrize(("switch", "status", "orders"), [("refuse", 400, 0), ("keep", 201, 1)])
def test_totals_that_do_not_add_up_may_be_refused_or_kept(orderwise, client, switch, status, orders):
    orderwise.switches.change({"totals_mismatch": switch})
    assert client.post(POST, order("centra-1", orderGross=94.79)).status == status
    assert [each["dissurs"] for each in orderwise.books()["orders"]] == [[]] * orders


def test_discounts_and_surcharges_are_part_of_the_total(orderwise, client):
    body = order("centra-1", orderGross=94.80 - 6.00 + 1.20, orderNet=79.00 - 5.00 + 1.00, orderTax=15.00)
    body["dissurs"] = [
        {"description": "SUMMER10", "price": 5.00, "taxRateId": 1, "grossDiscount": False},
        {"description": "Gift wrap", "price": 1.20, "taxRateId": 1, "discount": False, "grossDiscount": True},
    ]
    assert client.post(POST, body).status == 201
    assert [each["description"] for each in only(orderwise)["dissurs"]] == ["SUMMER10", "Gift wrap"]


def test_lines_are_rounded_one_by_one_or_together(orderwise, client):
    """Three lines of 3 x 0.3333 net are 3.00 by the line and 3.00 together; of 2 x 0.3333 they are 2.01 and 2.00."""
    body = order("centra-1", *[("LS101NVS", 2, "0.3333")] * 3, tax=(2, "0"), delivery="0")
    for line in body["orderLines"]:
        line["itemGross"] = line["itemNet"]
    body["orderHeader"] |= {"orderGross": 2.01, "orderNet": 2.01, "orderTax": 0}
    client.post(POST, body)
    assert only(orderwise)["dissurs"] == []
    orderwise.switches.change({"totals_rounding": "order"})
    body["orderHeader"] |= {"eCommerceOrderNumber": "centra-2"}
    client.post(POST, body)
    assert orderwise.books()["orders"][1]["dissurs"][0]["price"] == "0.0100"


def test_a_gross_price_may_be_computed_anew(orderwise, client):
    orderwise.switches.change({"line_gross": "computed"})
    body = order("centra-1", ("LS101NVS", 1, "37.49"))
    body["orderLines"][0]["itemGross"] = 45.00
    client.post(POST, body)
    assert only(orderwise)["lines"][0]["gross"] == "44.9880"


def test_system_pricing_ignores_what_the_shop_charged(orderwise, client):
    body = order("centra-1")
    body["orderLines"][0] |= {"calculateLineSystemPrice": True, "itemNet": 1.00, "itemGross": 1.20}
    client.post(POST, body)
    assert only(orderwise)["lines"][0]["net"] == "37.5000"


# ----------------------------------------------------------------------------------------------------------------- faults


def test_a_fault_happens_to_the_order_it_was_planned_for(orderwise, client):
    orderwise.faults.plan("recalculated", operation="create_order", number="centra-2")
    client.post(POST, order("centra-1"))
    client.post(POST, order("centra-2"))
    assert [each["lines"][0]["net"] for each in orderwise.books()["orders"]] == ["37.5000", "37.5100"]
    assert orderwise.faults.fired == {"recalculated": 1}


def test_a_lost_answer_leaves_the_order_there(orderwise, client):
    orderwise.faults.plan("timeout-after", operation="create_order")
    with pytest.raises(Hang):
        client.post(POST, order("centra-1"))
    orderwise.faults.plan("drop-after", operation="create_order")
    with pytest.raises(Drop):
        client.post(POST, order("centra-2"))
    assert [each["reference"] for each in orderwise.books()["orders"]] == ["centra-1", "centra-2"]


def test_a_late_order_comes_in_after_the_caller_gave_up(orderwise, client, clock):
    orderwise.faults.plan("late", operation="create_order", seconds=90.0)
    with pytest.raises(Hang):
        client.post(POST, order("centra-1"))
    assert orderwise.books()["orders"] == []
    clock.pass_time(90)
    assert only(orderwise)["reference"] == "centra-1"


def test_one_order_may_be_queued_or_fail_at_the_run(orderwise, client, clock):
    orderwise.faults.plan("queued", operation="create_order")
    orderwise.faults.plan("import-fails", operation="create_order")
    for number in ("centra-1", "centra-2", "centra-3"):
        client.post(POST, order(number))
    assert [each["reference"] for each in orderwise.books()["orders"]] == ["centra-3"]
    clock.pass_time(300)
    assert [each["reference"] for each in orderwise.books()["orders"]] == ["centra-3", "centra-1"]
    assert [each["reference"] for each in orderwise.books()["emails"]] == ["centra-2"]


def test_a_race_is_refused_and_the_order_is_there(orderwise, client):
    orderwise.faults.plan("duplicate-race", operation="create_order")
    assert client.post(POST, order("centra-1")).status == 400
    assert only(orderwise)["reference"] == "centra-1"


@pytest.mark.parametrize(
    ("fault", "status"), [("unavailable", 503), ("throttled", 429), ("unauthorised", 401), ("error-before", 500)]
)
def test_faults_of_the_wire_change_nothing(orderwise, client, fault, status):
    assert client.post(POST, order("centra-1"), **{"X-Sandbox-Fault": fault}).status == status
    assert orderwise.books()["orders"] == []


def test_orders_that_come_in_side_by_side_are_all_kept_once(orderwise):
    clients = [Client(orderwise.app) for _ in range(4)]

    def post(number: int) -> int:
        return clients[number % 4].post(POST, order(f"centra-{number // 2}")).status

    with ThreadPoolExecutor(4) as pool:
        answered = Counter(pool.map(post, range(40)))
    assert answered == {201: 20, 400: 20}
    assert len({each["reference"] for each in orderwise.books()["orders"]}) == 20
    assert orderwise.books()["stock"]["LS101NVS"]["free"] == 4960


# ------------------------------------------------------------------------------------------------------ credits by an order


def credit(number: str) -> dict:
    return order(number, ("LS101NVS", 1, "37.50"), delivery="0", systemOrderType=4)


def test_an_order_of_type_4_is_a_credit_only_where_the_switch_has_it(orderwise, client):
    assert client.post(POST, credit("centra-r1")).status == 400
    orderwise.switches.change({"credit_by_order": True})
    got = client.post(POST, credit("centra-r1"))
    (made,) = orderwise.books()["credits"]
    assert got.words["orderId"] == made["id"]
    assert (made["reference"], made["net"], made["gross"], made["posted"]) == ("centra-r1", "37.5000", "45.0000", True)
    assert client.post(POST, credit("centra-r1")).status == 400
    assert orderwise.books()["orders"] == []


@pytest.mark.parametrize(("rounding", "line"), [("line", "10.0100"), ("order", "10.0050")])
def test_a_credit_is_rounded_as_an_order_is_and_its_totals_are_whole_minor_units(orderwise, client, rounding, line):
    orderwise.switches.change({"credit_by_order": True, "totals_rounding": rounding})
    client.post(POST, order("centra-r1", ("LS101NVL", 3, "3.335"), delivery="0", systemOrderType=4))
    (made,) = orderwise.books()["credits"]
    assert ([each["net"] for each in made["lines"]], made["net"]) == ([line], "10.0100")


def test_a_sum_without_goods_is_credited_with_its_tax(orderwise, client):
    orderwise.switches.change({"credit_by_order": True})
    body = credit("centra-r1")
    body["orderLines"] = []
    kept = {"description": "Goodwill", "price": 12.0, "taxRateId": 1, "grossDiscount": True, "discount": False}
    client.post(POST, body | {"dissurs": [kept]})
    (made,) = orderwise.books()["credits"]
    assert (made["net"], made["tax"], made["gross"]) == ("10.0000", "2.0000", "12.0000")


def test_a_credit_can_be_refused_cost_more_than_was_said_or_wait_for_the_sessions_run(orderwise, client):
    orderwise.switches.change({"credit_by_order": True})
    for fault in ("refused", "recalculated", "queued", "import-fails"):
        orderwise.faults.plan(fault, operation="create_credit")
    assert client.post(POST, credit("centra-r1")).status == 400
    assert client.post(POST, credit("centra-r2")).status == 201
    assert "orderId" not in client.post(POST, credit("centra-r3")).words
    assert [each["net"] for each in orderwise.books()["credits"]] == ["37.5100"]
    assert orderwise.run_import(21)
    assert [each["reference"] for each in orderwise.books()["credits"]] == ["centra-r2", "centra-r3"]
    assert "orderId" not in client.post(POST, credit("centra-r4")).words
    assert orderwise.run_import(21) == []
    assert [each["reference"] for each in orderwise.books()["emails"]] == ["centra-r4"]

"""create_order of Fulfil's sandbox: what is accepted, refused, remembered, and what an order becomes."""

from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Answer, Session, order, typed

CREATE = "model/sale.channel/create_order"


@pytest.fixture
def fulfil() -> Fulfil:
    return Fulfil(RealClock())


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    return Session(fulfil.app)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The example order with one value changed; `path` like "sale_lines.0.sku"."""
    document = order("1")
    place: Any = document
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return document


def refusal(answer: Answer) -> str:
    assert answer.status == 400, answer.body
    assert answer.words["type"] == "UserError"
    assert answer.words.keys() == {"type", "code", "message", "description"}
    return answer.words["message"]


# ------------------------------------------------------------------------------------------ an accepted order


def test_an_order_becomes_a_processing_sale_with_a_shipment(fulfil: Fulfil, session: Session) -> None:
    answer = session.put(CREATE, [1, order("100", ("LS101NVS", 2, "45.00"), ("KD201GRM", 1, "12.3456"))])
    assert answer.words == {"__class__": "Model", "model_name": "sale.sale", "id": 1, "rec_name": "SO00001 (#100)"}
    (sale,) = fulfil.books()["sales"]
    assert sale["state"] == "processing"
    assert sale["currency"] == "GBP"
    assert (sale["untaxed"], sale["tax"], sale["total"]) == ("106.35", "21.27", "127.62")
    assert sale["lines"] == [
        ("LS101NVS", 2.0, "45.00", "90.00", "18.00"),
        ("KD201GRM", 1.0, "12.3456", "12.35", "2.47"),
        (None, 1.0, "4.00", "4.00", "0.80"),
    ]
    assert sale["payments"] == [("adyen", "127.62", "psp-100")]
    assert sale["has_channel_exception"] is False
    (shipment,) = session.put(
        "model/stock.shipment.out/search_read", [[], 0, 5, None, ["state", "warehouse", "sales"]]
    ).value
    assert shipment == {"id": 1, "state": "waiting", "warehouse": 4, "sales": [1]}


def test_what_was_sent_can_be_read_back(session: Session) -> None:
    session.put(CREATE, [1, order("100")])
    fields = ["channel_tax_amount", "tax_amount", "payment_total", "confirmation_time", "party.email", "priority"]
    fields += ["shipment_address.country.code", "carrier_service.code", "invoice_state", "shipment_state"]
    domain = [["channel", "=", 1], ["channel_identifier", "=", "100"]]
    (sale,) = session.put("model/sale.sale/search_read", [domain, 0, 2, None, fields]).value
    assert str(sale["channel_tax_amount"]) == str(sale["tax_amount"]) == "18.80"
    assert str(sale["payment_total"]) == "112.80"
    assert sale["confirmation_time"].isoformat() == "2026-03-01T07:20:23"
    assert sale["party.email"] == "ann@example.com"
    assert sale["priority"] == "2"
    assert sale["shipment_address.country.code"] == "GB"
    assert sale["carrier_service.code"] == "royal-mail-48"
    assert (sale["invoice_state"], sale["shipment_state"]) == ("none", "waiting")
    fields = ["product.code", "taxes", "tax_amount", "channel_identifier", "shipment_cost", "description"]
    goods, shipping = session.put("model/sale.line/search_read", [[["sale", "=", 1]], 0, 5, None, fields]).value
    assert goods["channel_identifier"] == "100-1"
    assert goods["taxes"] == [10]
    assert (goods["shipment_cost"], shipping["shipment_cost"]) == (False, True)
    assert shipping["description"] == "Delivery"


@pytest.mark.parametrize("amount", ["112.80", 112.8, typed("112.80"), typed("112.8000")])
def test_amounts_may_be_objects_strings_or_numbers(fulfil: Fulfil, session: Session, amount: Any) -> None:
    assert session.put(CREATE, [1, changed("amount", amount)]).status == 200
    assert fulfil.books()["sales"][0]["state"] == "processing"


@pytest.mark.parametrize(
    ("channel", "currency", "tax", "price", "carrier", "total"),
    [
        (5, "JPY", ("JP Consumption Tax", "0.10"), "1234", "yamato-takkyubin", "2719"),
        (6, "KWD", ("KW Zero", "0"), "1.2345", "aramex-domestic", "6.469"),
    ],
)
def test_amounts_keep_the_decimals_of_their_currency(
    fulfil: Fulfil,
    session: Session,
    channel: int,
    currency: str,
    tax: tuple[str, str],
    price: str,
    carrier: str,
    total: str,
) -> None:
    document = order("1", ("LS101NVS", 2, price), currency=currency, tax=tax, shipping=(carrier, "4"))
    assert session.put(CREATE, [channel, document]).status == 200
    assert fulfil.books()["sales"][0]["total"] == total


def test_goods_of_two_warehouses_become_two_shipments(session: Session) -> None:
    document = order("1", ("LS101NVS", 2, "45.00"), ("LS102NVM", 1, "59.00"))
    document["sale_lines"][1]["warehouse"] = 65
    session.put(CREATE, [1, document])
    rows = session.put(
        "model/stock.shipment.out/search_read", [[], 0, 5, None, ["warehouse.code", "total_quantity"]]
    ).value
    assert [(row["warehouse.code"], row["total_quantity"]) for row in rows] == [("LON", 2.0), ("RTM", 1.0)]


def test_only_successful_payments_are_recorded(fulfil: Fulfil, session: Session) -> None:
    document = order("1")
    document["payments"].append({"amount": "5", "provider_reference": "p", "method": "klarna", "state": "pending"})
    session.put(CREATE, [1, document])
    assert fulfil.books()["sales"][0]["payments"] == [("adyen", "112.80", "psp-1")]


def test_customers_are_merged_by_email_and_equal_addresses_are_used_again(session: Session) -> None:
    session.put(CREATE, [1, order("1", email="Ann@Example.com")])
    other = order("2")
    other["customer"]["name"] = "Somebody Else"
    other["shipping_address"] = other["shipping_address"] | {"city": "Village"}
    session.put(CREATE, [1, other])
    session.put(CREATE, [1, order("3", email="bo@example.com")])
    parties = session.put("model/party.party/search_read", [[], 0, 5, None, ["name", "addresses"]]).value
    assert [(party["name"], len(party["addresses"])) for party in parties] == [("Ann Example", 2), ("Ann Example", 1)]


# ------------------------------------------------------------------------------------------------- idempotency


def test_an_order_sent_again_is_answered_with_the_same_sale(fulfil: Fulfil, session: Session) -> None:
    first = session.put(CREATE, [1, order("1")])
    again = session.put(CREATE, [1, order("1", ("LS102NVM", 9, "1.00"))])
    assert first.words == again.words
    assert len(fulfil.books()["sales"]) == 1
    assert fulfil.books()["sales"][0]["total"] == "112.80"
    assert sum(effect["model"] == "sale.sale" for effect in fulfil.books()["effects"]) == 1


def test_the_key_belongs_to_its_channel(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    session.put(CREATE, [2, order("1", currency="EUR", tax=("DE VAT Standard", "0.19"), shipping=None)])
    assert [sale["channel"] for sale in fulfil.books()["sales"]] == [1, 2]


def test_a_replay_updates_where_the_switch_says_so(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.replay = "update"
    session.put(CREATE, [1, order("1")])
    session.put(CREATE, [1, order("1", ("LS102NVM", 1, "10.00"), shipping=None)])
    (sale,) = fulfil.books()["sales"]
    assert sale["lines"] == [("LS102NVM", 1.0, "10.00", "10.00", "2.00")]
    assert sale["total"] == "12.00"


@pytest.mark.parametrize(
    ("shape", "read"), [("object", lambda w: w["id"]), ("list", lambda w: w[0]["id"]), ("id", lambda w: w)]
)
def test_the_answer_has_the_shape_of_the_switch(
    fulfil: Fulfil, session: Session, shape: Any, read: Callable[[Any], int]
) -> None:
    fulfil.switches.response = shape
    assert read(session.put(CREATE, [1, order("1")]).words) == 1


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sale_lines.0.sku", "ZZ901NVS", 'Product with code "ZZ901NVS" was not found.'),
        ("sale_lines.0.tax_lines.0.name", "Moon Tax", "Moon Tax (tax) of rate 0.200000 was not found."),
        ("sale_lines.0.tax_lines.0.rate", 0.21, "UK VAT Standard (tax) of rate 0.210000 was not found."),
        ("shipping_lines.0.carrier_service_code", "pigeon", "Shipping carrier is not configured for code: pigeon"),
        (
            "shipping_lines.0.carrier_service_code",
            "ups-ground",
            "Shipping carrier is not configured for code: ups-ground",
        ),
        ("currency_code", "XXX", "'XXX'"),
        ("billing_address.country_code", "XX", "'XX'"),
        ("status", "paid", "status"),
        ("financial_status", "open", "financial_status"),
        ("fulfillment_status", "open", "fulfillment_status"),
        ("sale_lines.0.fulfil_strategy", "teleport", "teleport"),
        ("sale_lines", [], "sale_lines"),
        ("channel_identifier", "", "channel_identifier"),
        ("customer", {}, "customer"),
        ("customer.contacts", [["smoke", "puff"]], "contact"),
        ("amount", None, "amount"),
        ("amount", True, "amount"),
        ("amount", "ten", "ten"),
        ("sale_lines.0.sku", None, "variant_identifier"),
        ("sale_lines.0.sku", {"a": 1}, "was not found"),
        ("sale_lines.0.quantity", None, "quantity"),
        ("sale_lines.0.quantity", "1e400000000", "quantity"),
        ("sale_lines.0.unit_price", None, "unit_price"),
        ("sale_lines.0.unit_price", "1.23456", "4 decimal digits"),
        ("sale_lines.0.amount", "89.99", "differs from 90.00"),
        ("sale_lines.0.channel_identifier", None, "channel_identifier"),
        ("payments.0.method", "cowries", "cowries"),
        ("confirmed_at", "yesterday", "yesterday"),
        ("discounts", [{"amount": 1}], "discounts"),
        ("sale_lines.0.colour", "red", "colour"),
        ("sale_lines", {"a": 1}, "sale_lines"),
    ],
)
def test_an_order_that_is_wrong_is_refused_with_the_reason(
    fulfil: Fulfil, session: Session, path: str, value: Any, message: str
) -> None:
    assert message in refusal(session.put(CREATE, [1, changed(path, value)]))
    assert fulfil.books()["sales"] == []
    assert fulfil.books()["effects"] == []


def test_carrier_codes_ignore_case_and_prices_ignore_trailing_zeros(session: Session) -> None:
    document = changed("shipping_lines.0.carrier_service_code", "ROYAL-MAIL-48")
    document["sale_lines"][0]["unit_price"] = typed("45.000000")
    assert session.put(CREATE, [1, document]).status == 200


def test_a_variant_identifier_does_instead_of_a_sku(fulfil: Fulfil, session: Session) -> None:
    document = order("1")
    document["sale_lines"][0]["variant_identifier"] = document["sale_lines"][0].pop("sku")
    session.put(CREATE, [1, document])
    assert fulfil.books()["sales"][0]["lines"][0][0] == "LS101NVS"


def test_a_missing_sku_can_be_created_and_an_inactive_one_is_missing(fulfil: Fulfil, session: Session) -> None:
    product = fulfil.add_product("ZZ901NVS", "Sample Sale Cap")
    assert session.put(CREATE, [1, changed("sale_lines.0.sku", "ZZ901NVS")]).status == 200
    session.put(f"model/product.product/{product}", {"active": False})
    assert "ZZ901NVS" in refusal(session.put(CREATE, [1, order("2", ("ZZ901NVS", 1, "1.00"))]))


def test_channel_and_permission_come_before_everything(fulfil: Fulfil, session: Session) -> None:
    assert session.put(CREATE, [99, order("1")]).status == 404
    fulfil.forbid(1)
    assert session.put(CREATE, [1, order("1")]).status == 403
    fulfil.allow(1)
    assert session.put(CREATE, [1, order("1")]).status == 200
    assert "channel id" in refusal(session.put(CREATE, [1]))


# ------------------------------------------------------------------------------------------------ the switches


def test_a_total_that_does_not_match_leaves_a_draft_with_an_exception(fulfil: Fulfil, session: Session) -> None:
    assert session.put(CREATE, [1, changed("amount", "112.79")]).status == 200
    (sale,) = fulfil.books()["sales"]
    assert (sale["state"], sale["has_channel_exception"], sale["shipments"]) == ("draft", True, {})
    (row,) = session.put(
        "model/channel.exception/search_read", [[], 0, 5, None, ["origin", "log", "is_resolved"]]
    ).value
    assert row["origin"] == "sale.sale,1"
    assert "112.79" in row["log"]
    assert row["is_resolved"] is False


def test_a_total_that_does_not_match_is_refused_or_accepted_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.total_mismatch = "refuse"
    assert "112.80" in refusal(session.put(CREATE, [1, changed("amount", "112.79")]))
    fulfil.switches.total_mismatch = "accept"
    session.put(CREATE, [1, changed("amount", "112.79")])
    (sale,) = fulfil.books()["sales"]
    assert (sale["state"], sale["total"]) == ("processing", "112.80")


def test_a_line_that_does_not_match_is_kept_at_fulfils_own_figure_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.line_mismatch = "accept"
    session.put(CREATE, [1, changed("sale_lines.0.amount", "89.99")])
    assert fulfil.books()["sales"][0]["lines"][0][3] == "90.00"


def test_taxes_are_as_given_or_computed_by_switch(fulfil: Fulfil, session: Session) -> None:
    document = changed("sale_lines.0.tax_lines.0.amount", "17.99")
    document["amount"] = "112.79"
    session.put(CREATE, [1, document])
    fulfil.switches.tax_amount = "computed"
    session.put(CREATE, [1, document | {"channel_identifier": "2", "amount": "112.80"}])
    given, computed = fulfil.books()["sales"]
    assert (given["tax"], given["state"]) == ("18.79", "processing")
    assert (computed["tax"], computed["state"]) == ("18.80", "processing")
    (row,) = session.put("model/sale.sale/read", [[2], ["channel_tax_amount", "tax_amount"]]).value
    assert (str(row["channel_tax_amount"]), str(row["tax_amount"])) == ("18.79", "18.80")


def test_more_decimals_unknown_words_and_unknown_gateways_pass_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.change({"unit_price_digits": 6, "unknown_keys": "ignore", "unknown_gateway": "ignore"})
    document = order("1", ("LS101NVS", 1, "1.234567"))
    document["discounts"] = []
    document["payments"][0]["method"] = "cowries"
    assert session.put(CREATE, [1, document]).status == 200
    assert fulfil.books()["sales"][0]["payments"] == []


def test_an_order_stays_in_draft_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.process = "stay-draft"
    session.put(CREATE, [1, order("1")])
    (sale,) = fulfil.books()["sales"]
    assert (sale["state"], sale["has_channel_exception"], sale["shipments"]) == ("draft", False, {})


@pytest.mark.parametrize("words", [{"no_switch": 1}, {"process": "never"}, {"page_size": "5"}, {"retry_after": 1}])
def test_a_switch_that_does_not_exist_is_refused_and_nothing_changes(fulfil: Fulfil, words: dict[str, Any]) -> None:
    before = fulfil.switches.words()
    with pytest.raises(ValueError, match=next(iter(words))):
        fulfil.switches.change({"response": "id", **words})
    assert fulfil.switches.words() == before

"""Fulfil's client and adapter: typed JSON, answers in every form, paging, and refusals as business types."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import responses
from domain.order_shapes import order_of
from hypothesis import given
from hypothesis import strategies as st
from wsgi_transport import WsgiTransport

import mappings
from integration.erp.fulfil import client as fulfil_client
from integration.erp.fulfil.adapter import Fulfil, connect, headers
from integration.erp.fulfil.client import FulfilClient, UserError, decode, encode, words_of
from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http, new_session
from integration.ports import Draft
from integration.sandbox import fulfil as sandbox
from integration.sandbox.clock import HandClock

MAPPING = mappings.parse((Path(mappings.__file__).parent / "fulfil.toml").read_text(), "fulfil.toml")

PLAIN = (
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False, places=4)
)
DATES = st.dates() | st.datetimes(timezones=st.just(UTC))
KEYS = st.text().filter(lambda key: key != "__class__")
VALUES = st.recursive(
    PLAIN | DATES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10
)


@given(VALUES)
def test_every_value_comes_back_from_typed_json(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_travels_as_plain_digits_and_never_as_a_float(value):
    told = encode(value)
    assert told["__class__"] == "Decimal"
    assert "E" not in told["decimal"].upper()
    assert Decimal(told["decimal"]) == value


def test_dates_and_models_are_read_in_each_of_their_forms():
    parts = {"year": 2026, "month": 5, "day": 4}
    clock = {"hour": 9, "minute": 1, "second": 2, "microsecond": 3}
    assert decode({"__class__": "date", **parts}) == date(2026, 5, 4)
    assert decode({"__class__": "datetime", **parts, **clock}) == datetime(2026, 5, 4, 9, 1, 2, 3, UTC)
    assert decode({"__class__": "datetime", "iso_string": "2026-05-04T09:00:00"}) == datetime(2026, 5, 4, 9, tzinfo=UTC)
    assert decode({"__class__": "datetime", "iso_string": "2026-05-04T11:00:00+02:00"}) == datetime(
        2026, 5, 4, 9, tzinfo=UTC
    )
    assert decode([{"__class__": "Model", "id": 7, "model_name": "sale.sale"}]) == [7]


def test_an_instant_of_another_zone_is_sent_as_utc():
    told = encode(datetime.fromisoformat("2026-05-04T11:00:00+02:00"))
    assert told == {"__class__": "datetime", "iso_string": "2026-05-04T09:00:00"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"message": "a"}, "a"), ({"description": "b"}, "b"), ({"error": "c"}, "c"), ({"error": {"message": "d"}}, "d"),
        ({"error_description": "e"}, "e"), ({"detail": "f"}, "f"), ({"errors": [{"message": "g"}]}, "g"),
        ({"message": "", "description": "h"}, "h"), ({"message": 5, "detail": "i"}, "i"), ({"error": {}}, ""),
        ({"errors": []}, ""), ({"errors": ["x"]}, ""), ({}, ""), ([], ""), (None, ""), ("text", ""), (5, ""),
        ({"message": "x" * 5_000}, "x" * 1_000),
    ],
)  # fmt: skip
def test_the_human_text_is_found_wherever_it_stands(document, words):
    assert words_of(document) == words


# --------------------------------------------------------------------------------------------- answers, by hand


@pytest.fixture
def fulfil(gate, clock):
    http = Http("https://fulfil.test", headers=headers("t"), session=new_session(), gate=gate, sleep=clock.sleep)
    return connect("fulfil", http, MAPPING)


@pytest.fixture
def wire():
    with responses.RequestsMock() as mock:
        yield mock


CREATE = "https://fulfil.test/api/v2/model/sale.channel/create_order"
SEARCH = "https://fulfil.test/api/v2/model/sale.sale/search_read"


def draft(**terms):
    return Fulfil("fulfil", None).compose(order_of([(3, "9.99", 20)], shipping="4.95", **terms), MAPPING)


@pytest.mark.parametrize("answer", [12, [12], {"id": 12}, [{"id": 12}], {"__class__": "Model", "id": 12}])
def test_the_id_of_a_new_order_is_read_in_each_form(fulfil, wire, answer):
    wire.put(CREATE, json=answer)
    assert fulfil.order_write(draft()).send() == "12"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [1, 2],
        {},
        "12",
        True,
        [True],
        {"id": None},
        1.5,
        {"__class__": "Decimal"},
        {"__class__": "Decimal", "decimal": "x"},
        {"__class__": "Model"},
        {"__class__": "date", "iso_string": "soon"},
    ],
)
def test_an_accepted_order_without_a_readable_id_is_unknown(fulfil, wire, answer):
    wire.put(CREATE, json=answer)
    with pytest.raises(Unknown):
        fulfil.order_write(draft()).send()


@pytest.mark.parametrize(
    "answer", [None, {}, "x", [1], [None], {"__class__": "Decimal", "decimal": "x"}, {"__class__": "Model"}]
)
def test_a_search_without_readable_rows_is_unavailable_and_never_an_empty_list(fulfil, wire, answer):
    wire.put(SEARCH, json=answer)
    with pytest.raises(Unavailable):
        fulfil.order_write(draft()).find()


def refuse(fulfil, wire, words, status=400, **terms):
    wire.put(CREATE, json={"message": words}, status=status)
    with pytest.raises(Rejected) as raised:
        fulfil.order_write(draft(**terms)).send()
    return raised.value


@pytest.mark.parametrize(
    ("words", "type", "cause"),
    [
        ("UK VAT Standard (tax) of rate 0.200000 was not found.", "ORDER_TAX_UNMAPPED", "fulfil.toml:[taxes] UK VAT Standard"),
        ("Shipping carrier is not configured for code: royal-mail-48", "ORDER_SHIPPING_UNMAPPED", "fulfil.toml:[carriers] royal-mail-48"),
        ('Product with code "SKU1" was not found.', "ORDER_UNKNOWN_SKU", "SKU1 refused"),
        ("Ann Example may not buy.", "ORDER_REJECTED_BY_ERP", "fulfil:create_order"),
        ("", "ORDER_REJECTED_BY_ERP", "fulfil:create_order"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refusal_has_a_business_type_and_keeps_their_words_as_evidence(fulfil, wire, words, type, cause, status):
    error = refuse(fulfil, wire, words, status)
    assert (error.type, error.cause) == (type, cause)
    assert words in error.evidence
    assert "Ann" not in str(error)
    assert "Ann" not in error.cause


@pytest.mark.parametrize("status", [400, 409])
def test_a_key_taken_at_the_same_moment_is_looked_up_and_not_refused(fulfil, wire, status):
    wire.put(CREATE, json={"message": "The channel identifier must be UNIQUE per channel"}, status=status)
    with pytest.raises(Unknown):
        fulfil.order_write(draft()).send()


@pytest.mark.parametrize(("status", "type"), [(403, "CONNECTION_AUTH"), (405, "SCHEMA_CHANGE")])
def test_other_refusals_are_not_about_this_order(fulfil, wire, status, type):
    error = refuse(fulfil, wire, "no", status)
    assert error.type == type
    assert error.cause == "fulfil:sale.channel.create_order"


def test_a_channel_that_is_not_there_is_a_fault_of_the_mapping(fulfil, wire):
    error = refuse(fulfil, wire, "no", 404)
    assert error.type == "ORDER_MARKET_UNMAPPED"
    assert "channel" in error.cause


def test_a_429_about_the_page_is_a_changed_contract(fulfil, wire):
    wire.put(SEARCH, json={"message": "Page size cannot exceed 500"}, status=429)
    with pytest.raises(Rejected) as raised:
        fulfil.order_write(draft()).find()
    assert raised.value.type == "SCHEMA_CHANGE"


@pytest.mark.parametrize(
    "reference", ["", "centra-", "1001", "shopify-1001", "centra-1001x", "centra-²", "centra-١٢", "Centra-1"]
)
def test_a_strangers_reference_names_no_order_of_ours(reference):
    assert Fulfil("fulfil", None).number_of(reference) == ""


@given(st.integers(0, 10**12))
def test_a_reference_gives_its_number_back(number):
    ours = Fulfil("fulfil", None)
    assert ours.number_of(ours.reference(str(number))) == str(number)


# ------------------------------------------------------------------------------------------------ against the sandbox


@pytest.fixture
def tenant(clock):
    return sandbox.Fulfil(HandClock(clock.now()))


@pytest.fixture
def live(tenant, gate, clock):
    transport = WsgiTransport({"fulfil.test": tenant.app}, wait=clock.sleep)
    http = Http(
        "https://fulfil.test",
        headers=headers(sandbox.TOKEN),
        session=new_session(transport),
        gate=gate,
        sleep=clock.sleep,
    )
    return connect("fulfil", http, MAPPING)


class Interrupted(FulfilClient):
    """Something happens in the tenant before each page but the first."""

    def __init__(self, http, act):
        super().__init__(http)
        self.act, self.pages = act, 0

    def call(self, *args, **terms):
        self.pages += 1
        if self.pages > 1:
            self.act()
        return super().call(*args, **terms)


@pytest.mark.scenario("PLT-12")
def test_all_of_1200_rows_are_read_once_though_rows_come_and_go_between_pages(tenant, live):
    for n in range(1_200):
        tenant.add_product(f"PAGE-{n:04}")
    added = iter(range(10_000))

    def meanwhile():
        for _ in range(3):
            tenant.add_product(f"PAGE-NEW-{next(added)}")

    client = Interrupted(live.client.http, meanwhile)
    rows = list(client.search_read("product.product", [["code", "like", "PAGE-%"]], ("code",), lane="orders"))
    codes = [row["code"] for row in rows]
    assert len(codes) == len(set(codes))
    assert set(codes) >= {f"PAGE-{n:04}" for n in range(1_200)}
    assert client.pages == 3


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_page_that_is_exactly_full_does_not_end_the_reading(tenant, live, monkeypatch, size):
    monkeypatch.setattr(fulfil_client, "MOST_ROWS", size)
    for n in range(7):
        tenant.add_product(f"FULL-{n}")
    rows = list(live.client.search_read("product.product", [["code", "like", "FULL-%"]], ("code",), lane="orders"))
    assert [row["code"] for row in rows] == [f"FULL-{n}" for n in range(7)]


def test_a_remote_that_repeats_its_page_for_ever_is_left(fulfil, wire, monkeypatch):
    monkeypatch.setattr(fulfil_client, "MOST_ROWS", 2)
    wire.put(SEARCH, json=[{"id": 1}, {"id": 2}])
    rows = list(fulfil.client.search_read("sale.sale", [], (), lane="orders"))
    assert len(wire.calls) == 2
    assert {row["id"] for row in rows} == {1, 2}


def test_items_are_found_by_exact_spelling_and_only_when_active(tenant, live):
    from integration.sandbox.goods import ERP_SKUS

    known = ERP_SKUS[0]
    found = live.items([known, known.lower(), f"{known} ", "NO-SUCH"])
    assert found[known]
    assert [found[s] for s in (known.lower(), f"{known} ", "NO-SUCH")] == [None] * 3


def sellable(**terms):
    """A draft whose SKU the tenant knows."""
    from dataclasses import replace

    from integration.sandbox.goods import ERP_SKUS

    order = order_of([(3, "9.99", 20), (7, "1.01", 0)], shipping="4.95", **terms)
    lines = tuple(replace(line, sku=sku) for line, sku in zip(order.lines, ERP_SKUS, strict=False))
    return Fulfil("fulfil", None).compose(replace(order, lines=lines), MAPPING)


@pytest.mark.parametrize("form", ["object", "list", "id"])
def test_an_order_is_posted_once_found_by_reference_and_read_back_equal(tenant, live, form):
    tenant.switches.response = form
    wanted = sellable(discounts=[("PERCENTAGE", "33.3")])
    write = live.order_write(wanted)
    ref = write.send()
    assert write.send() == ref
    assert write.find() == [ref]
    (standing,) = live.standing([wanted.reference])[wanted.reference]
    assert standing.components == wanted.components
    assert (standing.ref, standing.life) == (ref, "processing")


def test_a_reference_nobody_has_is_an_empty_list(live):
    assert live.standing(["centra-404"]) == {"centra-404": []}
    assert live.order_write(draft()).find() == []


def test_a_duplicate_race_is_unknown_and_the_look_up_finds_the_order(tenant, live):
    tenant.faults.plan("duplicate-race", "create_order")
    write = live.order_write(sellable())
    with pytest.raises(Unknown):
        write.send()
    assert tenant.faults.fired["duplicate-race"] == 1
    assert len(write.find()) == 1


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("error-before", Unknown),
        ("error-after", Unknown),
        ("timeout-before", Unknown),
        ("timeout-after", Unknown),
        ("drop-after", Unknown),
        ("unavailable", Unknown),
        ("html", Unknown),
        ("not-json", Unknown),
        ("redirect", Unknown),
        ("throttled", Unavailable),
        ("throttled-date", Unavailable),
        ("throttled-timestamp", Unavailable),
        ("throttled-silent", Unavailable),
        ("unauthorised", Unavailable),
        ("forbidden", Rejected),
        ("user-error", Rejected),
        ("page-size", Rejected),
    ],
)
def test_every_fault_of_a_write_says_whether_it_may_have_happened(tenant, live, fault, failure):
    tenant.faults.plan(fault, "create_order")
    with pytest.raises(failure):
        live.order_write(sellable()).send()
    assert tenant.faults.fired[fault] == 1
    if failure is not Unknown:
        assert tenant.books()["sales"] == []


def test_a_refused_business_rule_of_an_unknown_kind_is_not_lost(live):
    with pytest.raises(UserError):
        live.client.call("sale.channel", "create_order", [1, {}], lane="orders", writes=True)


def test_what_changed_since_is_ours_only(tenant, live, clock):
    wanted = sellable()
    live.order_write(wanted).send()
    tenant_time = clock.now()
    assert [s.reference for s in live.changed_since(tenant_time - timedelta(minutes=1))] == [wanted.reference]
    assert list(live.changed_since(tenant_time + timedelta(minutes=1))) == []


def test_a_sale_is_cancelled_with_its_shipments_and_again_without_harm(tenant, live):
    wanted = sellable()
    ref = live.order_write(wanted).send()
    cancel = live.cancel_write(wanted.reference, ref)
    assert cancel.find() == []
    assert cancel.send() == ref
    assert cancel.send() == ref
    assert cancel.find() == [ref]


def test_a_packed_sale_is_too_late_to_cancel(tenant, live):
    wanted = sellable()
    ref = live.order_write(wanted).send()
    (sale,) = live.client.search_read("sale.sale", [["id", "=", int(ref)]], ("shipments",), lane="orders")
    tenant.pack(sale["shipments"][0])
    with pytest.raises(Rejected) as raised:
        live.cancel_write(wanted.reference, ref).send()
    assert raised.value.type == "ORDER_CANCEL_TOO_LATE"


def test_the_same_order_has_the_same_fingerprint_and_another_has_not():
    assert draft().fingerprint == draft().fingerprint
    assert isinstance(draft(), Draft)
    assert draft().fingerprint != draft(discounts=[("PERCENTAGE", 10)]).fingerprint

"""Centra's client and adapter: three kinds of error, and the sandbox on the other side."""

from datetime import timedelta
from importlib.resources import files

import pytest
import responses
from graphql import build_schema, parse, validate

import integration.centra
import integration.sandbox
from integration.budget import Gate, Quota
from integration.centra.client import CentraClient
from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http, new_session
from integration.sandbox import centra as sandbox
from integration.sandbox.generator import Generator
from integration.store import spending

DOCUMENTS = sorted(p.name for p in (files(integration.centra) / "queries").iterdir() if p.name.endswith(".graphql"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_valid_against_the_schema(name):
    schema = build_schema((files(integration.sandbox) / "centra.graphql").read_text("utf-8"))
    document = parse((files(integration.centra) / "queries" / name).read_text("utf-8"))
    assert validate(schema, document) == []


def test_there_are_documents_and_each_is_used_by_name():
    parts = [part for part in files(integration.centra).iterdir() if part.name.endswith(".py")]
    source = "".join(part.read_text("utf-8") for part in parts)
    for name in DOCUMENTS:
        assert f'"{name.removesuffix(".graphql")}"' in source
    assert len(DOCUMENTS) >= 12


@pytest.fixture
def client(gate, clock):
    http = Http("https://brand.test", headers={}, session=new_session(), gate=gate, sleep=clock.sleep)
    return CentraClient(http)


@pytest.fixture
def wire():
    with responses.RequestsMock() as mock:
        yield mock


def told(wire, document, status=200):
    wire.post("https://brand.test/graphql", json=document, status=status)


PARTIAL = {
    "errors": [{"message": "secret words", "path": ["orders", 0, "market"]}],
    "data": {"orders": [{"number": 1}]},
}
FORBIDDEN = {"errors": [{"message": "You need Order:read", "extensions": {"category": "authorization"}}], "data": None}
INVALID = {"errors": [{"message": "Cannot query field nope", "locations": [{"line": 1, "column": 1}]}]}


@pytest.mark.parametrize(("cost", "told_to_wait"), [(900, True), (300, False)])
def test_what_a_query_says_it_cost_is_spent_and_weighs_the_next_guess(store, clock, wire, cost, told_to_wait):
    gate = Gate(store, "remote", (Quota("complexity", 1_000, timedelta(seconds=10)),))
    http = Http("https://brand.test", headers={}, session=new_session(), gate=gate, sleep=clock.sleep)
    client = CentraClient(http)
    told(wire, {"data": {"orders": []}, "extensions": {"complexity": cost}})
    client.read("orders", {}, lane="orders", complexity=400)
    with store.read() as tx:
        assert sum(spending.used_by_lane(tx, "remote", "complexity/10000ms", 0).values()) == max(cost, 400)
    if told_to_wait:
        with pytest.raises(Unavailable, match="complexity budget"):
            client.read("orders", {}, lane="orders", complexity=400)
        return
    told(wire, {"data": {"orders": []}, "extensions": {"complexity": cost}})
    client.read("orders", {}, lane="orders", complexity=400)
    with store.read() as tx:
        assert sum(spending.used_by_lane(tx, "remote", "complexity/10000ms", 0).values()) == 400 + cost


def test_partial_data_beside_errors_is_never_used(client, wire):
    told(wire, PARTIAL)
    with pytest.raises(Unavailable) as raised:
        client.read("orders", {}, lane="orders")
    assert "secret words" not in str(raised.value)


def test_a_mutation_answered_in_part_is_unknown(client, wire):
    told(wire, {"errors": [{"message": "x", "path": ["confirmEvents"]}], "data": {"confirmEvents": None}})
    with pytest.raises(Unknown):
        client.change("confirm_events", {"ids": [1]}, lane="orders")


@pytest.mark.parametrize("status", [200, 403])
def test_a_missing_permission_concerns_the_connection(client, wire, status):
    told(wire, FORBIDDEN, status)
    with pytest.raises(Unavailable) as raised:
        client.read("orders", {}, lane="orders")
    assert raised.value.connection_wide == "CONNECTION_AUTH"
    with pytest.raises(Unavailable, match="no call before"):
        client.read("orders", {}, lane="orders")


@pytest.mark.parametrize("status", [200, 400])
def test_a_request_centra_does_not_understand_is_a_changed_contract_with_its_words_as_evidence(client, wire, status):
    told(wire, INVALID, status)
    with pytest.raises(Rejected) as raised:
        client.read("orders", {}, lane="orders")
    assert (raised.value.type, raised.value.cause) == ("SCHEMA_CHANGE", "centra:orders")
    assert "nope" in raised.value.evidence
    assert "nope" not in str(raised.value)


def test_user_errors_are_a_refusal_with_their_words_as_evidence(client, wire):
    errors = [{"message": "Ann has no event 7", "path": ["input"]}]
    told(wire, {"data": {"confirmEvents": {"userErrors": errors, "userWarnings": []}}})
    with pytest.raises(Rejected) as raised:
        client.change("confirm_events", {"ids": [7]}, lane="orders")
    assert "Ann" not in str(raised.value)
    assert raised.value.evidence == "Ann has no event 7"


def test_user_warnings_alone_are_no_failure(client, wire):
    told(wire, {"data": {"confirmEvents": {"userErrors": [], "userWarnings": [{"message": "gone"}]}}})
    assert client.change("confirm_events", {"ids": [7]}, lane="orders")["userWarnings"]


@pytest.mark.parametrize("document", [[], {}, "x", 1, None, {"data": None}, {"data": []}, {"hello": 1}])
def test_an_answer_that_is_no_graphql_is_no_answer(client, wire, document):
    told(wire, document)
    with pytest.raises(Unavailable):
        client.read("orders", {}, lane="orders")
    with pytest.raises(Unknown):
        client.change("confirm_events", {"ids": [1]}, lane="orders")


@pytest.mark.parametrize(
    "data",
    [{}, {"confirmEvents": None}, {"confirmEvents": {}}, {"confirmEvents": {"userErrors": None}}, {"a": {}, "b": {}}],
)
def test_a_mutation_without_its_payload_is_unknown(client, wire, data):
    told(wire, {"data": data})
    with pytest.raises(Unknown):
        client.change("confirm_events", {"ids": [1]}, lane="orders")


@pytest.mark.parametrize("errors", [["text"], "text", [None], {"message": "x"}, [{"extensions": "x"}], [[]]])
def test_errors_in_a_strange_form_are_errors_all_the_same(client, wire, errors):
    told(wire, {"errors": errors, "data": {"orders": []}})
    with pytest.raises((Rejected, Unavailable)):
        client.read("orders", {}, lane="orders")


# ------------------------------------------------------------------------------------------------ against the sandbox


def test_orders_are_fetched_by_number_and_missing_ones_left_out(shop, centra):
    numbers = [str(shop.place_order(Generator(1).basket())) for _ in range(3)]
    found = centra.fetch([*numbers, "999999"])
    assert sorted(found) == sorted(numbers)
    assert all(f.order.number == n and not f.problem for n, f in found.items())


@pytest.mark.parametrize("number", ["2147483648", "99999999999", "²", "١٢", "-1", "", "1.5", "x"])
def test_what_can_be_no_order_number_does_not_spoil_the_page(shop, centra, number):
    known = str(shop.place_order(Generator(1).basket()))
    assert list(centra.fetch([number, known])) == [known]
    assert [s.number for s in centra.stamps([number, known])] == [known]
    assert centra.fetch([number]) == {}
    assert centra.stamps([number]) == []


def test_what_was_fetched_reads_the_same_from_the_vault(shop, centra):
    numbers = [str(shop.place_order(Generator(s).basket())) for s in range(30)]
    for fetched in centra.fetch(numbers).values():
        assert centra.reread(fetched.content) == fetched.order


def test_a_change_of_stamp_or_status_is_no_change_of_substance_and_an_edit_is(shop, centra):
    number = shop.place_order(Generator(1).basket())
    before = centra.fetch([str(number)])[str(number)]
    shop.clock.pass_time(5)
    shop.confirm(number)
    confirmed = centra.fetch([str(number)])[str(number)]
    assert confirmed.stamp != before.stamp
    assert confirmed.fingerprint == before.fingerprint
    shop.edit(number, shippingAddress={"address1": "2 Other Street"})
    assert centra.fetch([str(number)])[str(number)].fingerprint != before.fingerprint


def test_a_window_is_read_page_by_page_to_its_end(shop, centra, clock):
    numbers = {str(shop.place_order(Generator(s).basket())) for s in range(230)}
    since, until = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=1)
    seen, page, more = [], 1, True
    while more:
        sightings, more = centra.placed_between(since, until, page)
        seen += [s.number for s in sightings]
        page += 1
    assert page == 4
    assert sorted(seen) == sorted(numbers)


def test_events_come_again_until_confirmed(shop, centra):
    centra.listen()
    number = str(shop.place_order(Generator(1).basket()))
    first = centra.events()
    assert {e.number for e in first} == {number}
    assert centra.events() == first
    centra.confirm_events([e.id for e in first])
    assert centra.events() == []


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("error-before", Unavailable),
        ("error-after", Unavailable),
        ("timeout-after", Unavailable),
        ("drop-after", Unavailable),
        ("unavailable", Unavailable),
        ("throttled-timestamp", Unavailable),
        ("html", Unavailable),
        ("not-json", Unavailable),
        ("redirect", Unavailable),
        ("unauthorised", Unavailable),
        ("forbidden", Unavailable),
        ("partial", Unavailable),
        ("permission-removed", Unavailable),
    ],
)
def test_every_fault_of_the_wire_is_a_failure_of_the_read_and_did_fire(shop, centra, fault, failure):
    number = str(shop.place_order(Generator(1).basket()))
    shop.faults.plan(fault, "orders")
    with pytest.raises(failure):
        centra.fetch([number])
    assert shop.faults.fired[fault] == 1


@pytest.mark.parametrize("status", [401, 200])
def test_a_wrong_token_is_a_matter_of_the_connection_in_either_form(shop, centra, status):
    shop.switches.bad_token_status = status
    shop.revoke(sandbox.DEFAULT_TOKEN)
    with pytest.raises(Unavailable) as raised:
        centra.check()
    assert raised.value.connection_wide == "CONNECTION_AUTH"


def test_the_check_tells_the_quotas(centra):
    assert "reachable; requests 60/60 per 10 s" in centra.check()

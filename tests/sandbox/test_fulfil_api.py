"""Fulfil's sandbox over its API: who may call, what travels, the calls every model has."""

from datetime import datetime
from decimal import Decimal

import pytest

from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"


@pytest.fixture
def fulfil() -> Fulfil:
    return Fulfil(RealClock())


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    return Session(fulfil.app)


# ------------------------------------------------------------------------------------------------- who may call


def test_a_token_is_accepted_in_either_header(fulfil: Fulfil) -> None:
    assert Session(fulfil.app).get("test").status == 200
    assert Session(fulfil.app, None).get("test", HTTP_AUTHORIZATION="Bearer sandbox-token").status == 200


@pytest.mark.parametrize("headers", [{}, {"HTTP_X_API_KEY": "wrong"}, {"HTTP_AUTHORIZATION": "Basic sandbox-token"}])
def test_a_call_without_a_good_token_is_401_in_werkzeugs_words(fulfil: Fulfil, headers: dict[str, str]) -> None:
    answer = Session(fulfil.app, None).get("test", **headers)
    assert answer.status == 401
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.words["code"] == 401
    assert answer.words["name"] == "Unauthorized"


def test_a_revoked_token_is_refused_until_it_is_granted_again(fulfil: Fulfil, session: Session) -> None:
    fulfil.revoke()
    assert session.get("test").status == 401
    fulfil.grant("sandbox-token")
    assert session.get("test").status == 200


def test_preferences_tell_the_company_and_the_channels(session: Session) -> None:
    preferences = session.put("model/res.user/get_preferences", [True]).value
    assert preferences["company"] == 1
    assert preferences["allowed_read_channels"] == [1, 2, 3, 4, 5, 6, 7]


def test_a_user_sees_only_the_sales_of_its_channels(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    fulfil.grant("swedish", [3])
    swedish = Session(fulfil.app, "swedish")
    assert swedish.put("model/sale.sale/search", [[]]).value == []
    assert swedish.put("model/sale.line/search", [[]]).value == []
    assert swedish.put(CREATE, [1, order("2")]).status == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("model/no.model/search", 404),
        ("model/sale.sale/no_method", 404),
        ("model/sale.sale/1/no_action", 404),
        ("nothing", 404),
        ("/elsewhere", 404),
    ],
)
def test_what_does_not_exist_is_404(session: Session, path: str, status: int) -> None:
    answer = session.put(path, [[]])
    assert answer.status == status
    assert answer.words["name"] == "Not Found"


def test_a_wrong_verb_is_405(session: Session) -> None:
    assert session.delete("model/sale.sale").status == 405
    assert session.get("model/sale.sale/search").status == 405


@pytest.mark.parametrize(
    "body", [b"{", b'[{"a": NaN}]', b'{"__class__": "Decimal", "decimal": "x"}', b"\xff", b"[" * 100_000]
)
def test_a_body_that_is_not_json_is_400(session: Session, body: bytes) -> None:
    answer = session.put("model/sale.sale/search", body)
    assert answer.status == 400
    assert answer.words["name"] == "Bad Request"


def test_a_query_too_long_is_414_in_html(session: Session) -> None:
    answer = session.get("model/sale.sale?ids=" + ",".join(map(str, range(2000))))
    assert answer.status == 414
    assert not answer.headers["Content-Type"].startswith("application/json")


# ------------------------------------------------------------------------------------------------ what travels


def test_amounts_dates_and_times_travel_as_typed_objects(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    fields = ["total_amount", "sale_date", "create_date", "write_date", "lines", "party"]
    (sale,) = session.put("model/sale.sale/search_read", [[], 0, 10, None, fields]).words
    assert sale["total_amount"] == {"__class__": "Decimal", "decimal": "112.80"}
    assert sale["sale_date"] == {"__class__": "date", "iso_string": "2026-03-01", "year": 2026, "month": 3, "day": 1}
    assert sale["create_date"].keys() > {"iso_string", "year", "hour", "microsecond"}
    assert "+" not in sale["create_date"]["iso_string"]
    assert sale["write_date"] is None
    assert sale["lines"] == [1, 2]
    assert sale["party"] == 1
    (line, _) = session.put("model/sale.line/search_read", [[], 0, 10, None, ["quantity"]]).words
    assert isinstance(line["quantity"], float)


def test_a_time_may_be_sent_as_parts_or_with_a_zone(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    parts = {"__class__": "datetime", "year": 2020, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    zoned = {"__class__": "datetime", "iso_string": "2020-01-01T00:00:00+02:00"}
    for moment in (parts, zoned):
        assert session.put("model/sale.sale/search", [[["create_date", ">", moment]]]).value == [1]


def test_write_date_is_null_until_the_first_update(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    assert session.get("model/sale.sale/1").value["write_date"] is None
    assert session.put("model/sale.sale/1", {"comment": "call first"}).status == 200
    assert isinstance(session.get("model/sale.sale/1").value["write_date"], datetime)


# ------------------------------------------------------------------------------------ the calls every model has


def test_search_answers_ids_and_search_count_a_bare_number(session: Session) -> None:
    assert session.put("model/sale.channel/search", [[["currency.code", "=", "SEK"]], 0, None, None]).words == [3]
    assert session.put("model/sale.channel/search_count", [[]]).words == 7
    assert session.put("model/sale.channel/search_count", {"filters": [["id", ">", 4]]}).words == 3


def test_search_read_takes_an_array_or_an_object(session: Session) -> None:
    by_position = session.put("model/sale.channel/search_read", [[], 1, 2, [["id", "desc"]], ["name"]])
    words = {"filters": [], "offset": 1, "limit": 2, "order": [["id", "DESC"]], "fields": ["name"]}
    by_name = session.put("model/sale.channel/search_read", words)
    assert by_position.value == by_name.value == [{"id": 6, "name": "Web Kuwait"}, {"id": 5, "name": "Web Japan"}]


def test_a_context_in_the_query_is_accepted(session: Session) -> None:
    assert session.put('model/sale.channel/search_count?context={"company":1}', [[]]).words == 7


def test_read_answers_the_fields_asked_and_404_for_a_record_that_is_not_there(session: Session) -> None:
    channel = {"id": 1, "name": "Web UK", "warehouse.code": "LON", "currency": 1}
    assert session.put("model/sale.channel/read", [[1], ["name", "warehouse.code", "currency"]]).value == [channel]
    assert session.put("model/sale.channel/read", [[99], ["name"]]).status == 404


def test_create_answers_ids_and_post_answers_201_with_names(session: Session) -> None:
    assert session.put("model/party.party/create", [[{"name": "Ann"}, {"name": "Bo"}]]).words == [1, 2]
    answer = session.post("model/party.party", [{"name": "Cy"}])
    assert answer.status == 201
    assert answer.words == [{"id": 3, "rec_name": "Cy"}]
    assert session.post("model/party.party", {"name": "Di"}).words == [{"id": 4, "rec_name": "Di"}]


def test_write_changes_and_delete_removes(session: Session) -> None:
    session.put("model/party.party/create", [[{"name": "Ann"}, {"name": "Bo"}]])
    assert session.put("model/party.party/write", [[1, 2], {"email": "x@example.com"}]).words is None
    assert session.put("model/party.party/search_count", [[["email", "=", "x@example.com"]]]).words == 2
    assert session.put("model/party.party/delete", [[1]]).status == 200
    answer = session.delete("model/party.party/2")
    assert (answer.status, answer.body) == (204, b"")
    assert session.get("model/party.party/2").status == 404


def test_parts_are_written_with_commands(session: Session) -> None:
    lines = [["create", [{"product": 1, "quantity": 2}, {"product": 2, "quantity": 1}]]]
    session.put("model/sale.sale/create", [[{"channel": 1, "lines": lines}]])
    assert session.get("model/sale.sale/1?fields=lines").value == {"id": 1, "lines": [1, 2]}
    session.put("model/sale.sale/write", [[1], {"lines": [["write", [1], {"quantity": 5}], ["delete", [2]]]}])
    assert session.get("model/sale.sale/1?fields=lines").value["lines"] == [1]
    assert session.get("model/sale.line/1").value["quantity"] == 5
    session.put("model/sale.sale/write", [[1], {"lines": [["remove", [1]]]}])
    assert session.get("model/sale.sale/1?fields=lines").value["lines"] == []
    session.put("model/sale.sale/write", [[1], {"lines": [["add", [1]]]}])
    assert session.get("model/sale.sale/1?fields=lines").value["lines"] == [1]
    session.put("model/sale.line/write", [[1], {"taxes": [["add", [10, 11]], ["remove", [10]]]}])
    assert session.get("model/sale.line/1").value["taxes"] == [11]


def test_a_refused_call_leaves_nothing_behind(session: Session, fulfil: Fulfil) -> None:
    lines = [["create", [{"product": 1}, {"no_such_field": 2}]]]
    answer = session.put("model/sale.sale/create", [[{"channel": 1, "channel_identifier": "X", "lines": lines}]])
    assert answer.status == 400
    assert answer.words["type"] == "UserError"
    assert session.put("model/sale.sale/search", [[["channel_identifier", "=", "X"]]]).words == []
    assert session.put("model/sale.line/search", [[]]).words == []
    assert fulfil.books()["effects"] == []


def test_a_refused_write_restores_what_it_had_changed(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    for sale_or_both in ([[1, 99]], [[1]]):
        session.put("model/sale.sale/write", [*sale_or_both, {"reference": "new", "lines": [["write", [999], {}]]}])
    assert session.put("model/sale.sale/search", [[["reference", "=", "#1"]]]).words == [1]
    assert session.put("model/sale.sale/search", [[["reference", "=", "new"]]]).words == []


NONSENSE = [
    None, 5, "text", {}, [], [None], [5], ["x"], [[]], [[5]], [[None]], [["x"], 5], [[], "a", "b"], [[], 0, 1, 5],
    [[], 0, 1, [[5]], 5], [[], 0, 1, None, 5], [{"a": []}], [{}, {}], [1, {}], [1, []], [[1], {"lines": 5}],
    [[1], {"lines": [["create", 5]]}], [[1], {"lines": [["add", [None]]]}], [[{"lines": [[1, 2, 3, 4, 5]]}]],
    [[["OR"]]], [[["AND", 5]]], [[[[[[]]]]]], {"filters": 5}, {"limit": []}, {"order": 5}, {"fields": 5, "limit": 1},
]  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE)
def test_nonsense_is_answered_and_changes_nothing(fulfil: Fulfil, session: Session, body: object) -> None:
    session.put(CREATE, [1, order("1")])
    before = fulfil.books()["sales"]
    for method in (
        "search",
        "search_read",
        "search_count",
        "read",
        "create",
        "write",
        "delete",
        "cancel",
        "1",
        "1/quote",
    ):
        assert session.put(f"model/sale.sale/{method}", body).status in (200, 400, 404, 500)
    assert session.put(CREATE, body).status in (400, 404, 500)
    assert session.post("model/sale.sale", body).status in (201, 400, 404, 500)
    assert fulfil.books()["sales"][:1] == before


def test_a_state_cannot_be_written(session: Session) -> None:
    answer = session.put("model/sale.sale/create", [[{"channel": 1, "state": "open"}]])
    assert answer.words["message"] == "Cannot create record with state 'open'. Allowed states: draft"
    session.put("model/sale.sale/create", [[{"channel": 1}]])
    assert session.put("model/sale.sale/1", {"state": "done"}).status == 400


def test_the_key_of_a_sale_is_unique_however_it_is_made(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    answer = session.put("model/sale.sale/create", [[{"channel": 1, "channel_identifier": "1"}]])
    assert answer.words["message"] == "Channel identifier for a channel should be unique"
    assert session.put("model/sale.sale/create", [[{"channel": 2, "channel_identifier": "1"}]]).status == 200


def test_a_live_sale_cannot_be_deleted(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    assert session.delete("model/sale.sale/1").status == 400
    assert session.get("model/sale.sale/1").status == 200


# --------------------------------------------------------------------------------------------------------- GET


def test_a_list_gives_only_id_and_name_unless_fields_are_asked(session: Session) -> None:
    assert session.get("model/sale.channel?per_page=1").value == [{"id": 1, "rec_name": "Web UK"}]
    assert session.get("model/sale.channel?per_page=1&page=2&fields=code,source").value == [
        {"id": 2, "code": "web-europe", "source": "manual"}
    ]
    assert session.get("model/sale.channel?per_page=1&field=code&field=name").value[0].keys() == {"id", "code", "name"}


def test_a_list_can_be_filtered_in_three_ways(session: Session) -> None:
    assert [row["id"] for row in session.get('model/sale.channel?filter=[["name","like","Web U%25"]]').value] == [1]
    assert [row["id"] for row in session.get("model/sale.channel?ids=2,3").value] == [2, 3]
    assert [row["id"] for row in session.get("model/stock.location?code=NJ").value] == [66]
    assert [row["id"] for row in session.get('model/sale.channel?order=[["id","DESC"]]&per_page=2').value] == [7, 6]
    assert session.get("model/sale.channel?per_page=x").status == 400


def test_one_record_comes_whole_unless_fields_are_asked(session: Session) -> None:
    product = session.get("model/product.product/1").value
    assert product["code"] == "LS101NVS"
    assert product["rec_name"] == "[LS101NVS] Linen Shirt Navy Small"
    assert product["list_price"] == Decimal("594.00")
    assert session.get("model/product.product/1?fields=code").value == {"id": 1, "code": "LS101NVS"}

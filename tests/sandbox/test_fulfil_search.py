"""Domains, orders, pages and dotted fields of Fulfil's sandbox."""

from typing import Any

import pytest

from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"


@pytest.fixture(scope="module")
def session() -> Session:
    """Three sales: 1 and 2 in channel 1, 3 in channel 2; sale 2 is in draft with an exception."""
    fulfil = Fulfil(RealClock())
    session = Session(fulfil.app)
    session.put(CREATE, [1, order("A-1", ("LS101NVS", 1, "10.00"), ("LS102NVM", 3, "5.00"))])
    session.put(CREATE, [1, order("A-2", ("BK301NVS", 2, "7.50"))], HTTP_X_SANDBOX_FAULT="channel-exception")
    session.put(CREATE, [2, order("A-1", currency="EUR", tax=("DE VAT Standard", "0.19"), shipping=None)])
    return session


def found(session: Session, domain: Any, model: str = "sale.sale", order: Any = None) -> list[int]:
    answer = session.put(f"model/{model}/search", [domain, 0, None, order])
    assert answer.status == 200, answer.body
    return answer.value


@pytest.mark.parametrize(
    ("domain", "ids"),
    [
        ([], [1, 2, 3]),
        ([["channel", "=", 1]], [1, 2]),
        (["channel", "=", 1], [1, 2]),
        ([["channel", "=", 1], ["channel_identifier", "=", "A-1"]], [1]),
        ([["channel_identifier", "in", ["A-1", "nothing"]]], [1, 3]),
        ([["id", "in", [3, 1, 99]]], [1, 3]),
        ([["id", "not in", [3, 1]]], [2]),
        ([["channel_identifier", "in", []]], []),
        ([["state", "!=", "processing"]], [2]),
        ([["id", "<", 2]], [1]),
        ([["id", "<=", 2]], [1, 2]),
        ([["id", ">", 2]], [3]),
        ([["id", ">=", 2]], [2, 3]),
        ([["write_date", "=", None]], [1, 2, 3]),
        ([["total_amount", ">", {"__class__": "Decimal", "decimal": "50"}]], [3]),
        (["OR", [["state", "=", "draft"]], [["channel", "=", 2]]], [2, 3]),
        (["OR", ["state", "=", "draft"], ["channel", "=", 2]], [2, 3]),
        ([["state", "=", "processing"], ["OR", ["channel", "=", 2], ["id", "=", 2]]], [3]),
        (["AND", ["channel", "=", 1], ["state", "=", "draft"]], [2]),
        ([["channel_identifier", "like", "A-%"]], [1, 2, 3]),
        ([["channel_identifier", "like", "a-%"]], []),
        ([["channel_identifier", "ilike", "a-_"]], [1, 2, 3]),
        ([["channel_identifier", "not ilike", "%-1"]], [2]),
        ([["channel", "=", "Web UK"]], [1, 2]),
        ([["channel.currency.code", "=", "EUR"]], [3]),
        ([["lines.product.code", "=", "BK301NVS"]], [2]),
        ([["shipments.state", "=", "waiting"]], [1, 3]),
        ([["shipments", "=", 1]], [1]),
        ([["lines", "in", [1]]], [1]),
    ],
)
def test_a_domain_selects(session: Session, domain: Any, ids: list[int]) -> None:
    assert found(session, domain) == ids


def test_lines_are_found_by_their_sales_and_by_a_path_through_them(session: Session) -> None:
    assert found(session, [["sale", "in", [1, 3]]], "sale.line") == [1, 2, 3, 6]
    assert found(session, [["sale.channel_identifier", "=", "A-2"]], "sale.line") == [4, 5]
    assert found(session, [["product.code", "=", "LS102NVM"]], "sale.line") == [2]


def test_a_clause_through_a_reference_names_the_model_as_its_fourth_element(session: Session) -> None:
    assert found(session, [["origin.state", "=", "draft", "sale.sale"]], "channel.exception") == [1]
    assert found(session, [["origin", "=", "sale.sale,2"]], "channel.exception") == [1]
    assert session.put("model/channel.exception/search", [[["origin.state", "=", "draft"]]]).status == 400
    (row,) = session.put("model/channel.exception/search_read", [[], 0, 1, None, ["origin.number"]]).value
    assert row["origin.number"] == "SO00002"


def test_inactive_products_are_hidden_unless_the_domain_names_active() -> None:
    session = Session(Fulfil(RealClock()).app)
    session.put("model/product.product/1", {"active": False})
    assert found(session, [["code", "=", "LS101NVS"]], "product.product") == []
    assert found(session, [["code", "=", "LS101NVS"], ["active", "in", [True, False]]], "product.product") == [1]
    context = 'model/product.product/search?context={"active_test":false}'
    assert session.put(context, [[["code", "=", "LS101NVS"]]]).value == [1]


@pytest.mark.parametrize(
    "domain",
    [
        [["no_such_field", "=", 1]],
        [["id", "~", 1]],
        [["id", "<", "text"]],
        [["id", "in", 5]],
        [["state", "in", [{}]]],
        [["state.name", "=", "x"]],
        "text",
        [5],
    ],
)
def test_a_domain_that_makes_no_sense_is_a_user_error(session: Session, domain: Any) -> None:
    answer = session.put("model/sale.sale/search", [domain])
    assert answer.status == 400
    assert answer.words["type"] == "UserError"


def test_rows_come_in_the_order_asked_with_nulls_as_the_largest(session: Session) -> None:
    assert found(session, [], order=[["channel", "DESC"], ["id", "desc"]]) == [3, 2, 1]
    assert found(session, [], order=[["channel.name", "ASC"], ["id", "DESC"]]) == [3, 2, 1]
    assert found(session, [["sale", "=", 1]], "sale.line", [["product", "DESC"], ["id", "ASC"]]) == [3, 2, 1]


def test_fields_are_read_through_a_many2one_and_missing_links_read_as_null(session: Session) -> None:
    fields = ["product.code", "product.template.name", "sale.channel_identifier"]
    rows = session.put("model/sale.line/search_read", [[["sale", "=", 1]], 0, 10, None, fields]).value
    assert [row["product.code"] for row in rows] == ["LS101NVS", "LS102NVM", None]
    assert rows[0]["product.template.name"] == "Linen Shirt"
    assert {row["sale.channel_identifier"] for row in rows} == {"A-1"}


@pytest.mark.parametrize("field", ["lines.quantity", "shipments.state", "state.name", "no_such_field"])
def test_a_field_through_an_x2many_cannot_be_read(session: Session, field: str) -> None:
    answer = session.put("model/sale.sale/search_read", [[], 0, 1, None, [field]])
    assert answer.status == 400
    assert answer.words["type"] == "UserError"


# ------------------------------------------------------------------------------------------------------- pages


def test_more_rows_than_a_page_holds_are_refused_for_good(session: Session) -> None:
    for method, args in [
        ("search", [[], 0, 501, None]),
        ("search_read", [[], 0, 501, None, ["id"]]),
        ("search_read", {"filters": [], "limit": 501}),
        ("read", [[1] * 501, ["id"]]),
    ]:
        answer = session.put(f"model/sale.sale/{method}", args)
        assert answer.status == 429
        assert answer.words == {"message": "Page size cannot exceed 500"}
        assert "Retry-After" not in answer.headers
    assert session.get("model/sale.sale?per_page=501").status == 429


def test_a_search_without_a_limit_gives_every_id() -> None:
    session = Session(Fulfil(RealClock()).app)
    session.put("model/party.party/create", [[{"name": f"P{n}"} for n in range(600)]])
    assert len(found(session, [], "party.party")) == 600
    assert session.put("model/party.party/search_read", [[], 0, None, None, ["name"]]).status == 429
    pages = [session.put("model/party.party/search", [[], n, 500, [["id", "ASC"]]]).value for n in (0, 500)]
    assert [len(page) for page in pages] == [500, 100]

"""The doors of OrderWise's e-commerce sessions: who may knock, what is read, and what nobody can make them do."""

import base64
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET

import pytest
from orderwise_shop import LOGIN, Shop, session_stage
from sqlalchemy import select
from stage import Stage

from integration.erp.orderwise import sessions
from integration.store import _engine
from integration.store.tables import level

SKU = "LS101NVS"
LOG = b"<Type>Log</Type>"


@pytest.fixture(scope="module")
def shared():
    """A stage for tests that leave no row behind."""
    return session_stage(stock=True)


@pytest.fixture
def stage():
    made = session_stage(stock=True)
    yield made
    made.store.close()


def basic(login=LOGIN):
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def post(stage, door, told, headers=None, **terms):
    body = b"ExportData=" + quote_plus(told).encode() if isinstance(told, str) else told
    where = f"/orderwise/orderwise/{terms.get('session', 28)}/{door}"
    return Shop(stage).call(terms.get("method", "POST"), where, body, basic() if headers is None else headers)


def hinted(stage):
    with stage.store.read() as tx:
        return {row.sku for row in tx.execute(select(level.c.sku))}


def stock_of(*skus, free=3):
    return (
        "<stock>"
        + "".join(f"<variant><code>{s}</code><freeStock>{free}</freeStock></variant>" for s in skus)
        + "</stock>"
    )


def test_no_orders_is_an_empty_document_that_nobody_may_keep(shared):
    status, headers, body = post(shared, "orders", b"", method="GET")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/xml; charset=utf-8", "no-store")
    assert ET.fromstring(body).find("SalesOrders") is not None
    assert "Location" not in headers
    assert post(shared, "orders", b"")[0] == 200


@pytest.mark.parametrize("door", ["orders", "success", "despatch", "stock"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("orderwise:wrong"),
        basic("orderwise:"),
        basic("a-long-password"),
        basic(LOGIN + " "),
        {"Authorization": "Bearer " + base64.b64encode(LOGIN.encode()).decode()},
        {"Authorization": "Basic " + LOGIN},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic"},
    ],
)
def test_a_login_that_is_not_exactly_right_is_refused_alike_and_asked_for(shared, door, headers):
    status, told, body = post(shared, door, "1~2", headers)
    assert (status, body) == (401, b"not authorised\n")
    assert told["WWW-Authenticate"].startswith("Basic ")


def test_several_logins_are_taken_while_one_is_being_changed():
    stage = Stage(erps=("orderwise",), LOCKSTEP_ORDERWISE_WEBHOOK_SECRETS=f"nocolon {LOGIN} orderwise:newer")
    told = [post(stage, "stock", stock_of(SKU), basic(login))[0] for login in (LOGIN, "orderwise:newer", "nocolon")]
    assert told == [200, 200, 401]


@pytest.mark.parametrize(
    "path",
    [
        "/orderwise/orderwise/28",
        "/orderwise/orderwise/28/",
        "/orderwise/orderwise/28/orders/",
        "/orderwise/orderwise/27/orders",
        "/orderwise/orderwise//orders",
        "/orderwise/other/28/orders",
        "/orderwise/brand/28/orders",
        "/orderwise/OrderWise/28/orders",
        "/orderwise/orderwise/28/customers",
        "/orderwise/",
    ],
)
def test_a_door_that_nobody_opened_is_not_there(shared, path):
    assert Shop(shared).call("GET", path, b"", basic())[0] == 404


def test_without_a_login_of_the_connection_there_is_no_door_and_orders_only_go_by_the_session_where_the_mapping_says_so():
    closed = Stage(erps=("orderwise",))
    assert post(closed, "stock", stock_of(SKU))[0] == 404
    posting = Stage(erps=("orderwise",), LOCKSTEP_ORDERWISE_WEBHOOK_SECRETS=LOGIN)
    assert [post(posting, door, "1")[0] for door in ("orders", "success")] == [404, 404]
    assert [post(posting, door, stock_of(SKU))[0] for door in ("despatch", "stock")] == [200, 200]
    unsigned = Stage(erps=("orderwise",), LOCKSTEP_ORDERWISE_UNSIGNED_WEBHOOKS="yes")
    assert post(unsigned, "stock", stock_of(SKU), {})[0] == 401  # that setting is about webhooks; a session has a login


def test_an_erp_of_another_kind_has_no_session(shared):
    stage = Stage(LOCKSTEP_FULFIL_WEBHOOK_SECRETS=LOGIN)
    assert Shop(stage).call("GET", "/orderwise/fulfil/1/orders", b"", basic())[0] == 404


@pytest.mark.parametrize(
    ("door", "method"),
    [("orders", "PUT"), ("orders", "HEAD"), ("success", "GET"), ("stock", "GET"), ("despatch", "DELETE")],
)
def test_only_the_methods_of_a_door_are_taken(shared, door, method):
    assert post(shared, door, b"", method=method)[0] == 405


ENTITIES = """<!DOCTYPE stock [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;">]><stock><code>&b;</code></stock>"""
MALFORMED = {
    "half a document": stock_of(SKU)[:-9],
    "no document": "",
    "text": "OK",
    "entities": ENTITIES,
    "a DOCTYPE alone": f"<!DOCTYPE stock>{stock_of(SKU)}",
    "a DOCTYPE elsewhere": f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">{stock_of(SKU)}',
    "an unknown entity": "<stock><code>&b;</code></stock>",
    "deep": "<a>" * 60 + "</a>" * 60,
    "endless": f"<x><code>{'x' * 129}</code><orderNo>{'1' * 129}</orderNo></x>",
    "NUL": stock_of("a\0b"),
    "two documents": stock_of(SKU) * 2,
    "no form": stock_of(SKU).encode(),
    "another field": b"Data=1",
    "two fields": b"ExportData=1&ExportData=2",
    "not UTF-8": b"ExportData=%FF%FE",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("door", ["stock", "despatch"])
def test_what_cannot_be_read_is_400_and_leaves_nothing(shared, door, name):
    assert post(shared, door, MALFORMED[name])[0] == 400
    assert hinted(shared) == set()
    assert not shared.queue


@pytest.mark.parametrize("told", ["~".join(str(n) for n in range(5_001)), "1" * 129, b"numbers=1"])
def test_a_list_of_numbers_that_is_none_is_400(shared, told):
    assert post(shared, "success", told)[0] == 400


def test_a_body_larger_than_any_export_is_not_read(shared):
    assert post(shared, "stock", b" " * (sessions.MAX_BODY + 1))[0] == 413


def test_stock_is_a_hint_and_no_figure_of_it_is_kept(stage):
    status, headers, body = post(stage, "stock", stock_of(SKU, "LS106NVM", SKU))
    assert (status, headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert LOG in body
    with stage.store.read() as tx:
        rows = tx.execute(select(level)).all()
    assert {row.sku for row in rows} == {SKU, "LS106NVM"}
    assert {(row.state, row.figure, row.desired) for row in rows} == {("hinted", None, None)}
    assert [(link, key.kind) for link, key in stage.queue] == [("take", "stock")]


@pytest.mark.parametrize("door", ["stock", "despatch"])
def test_the_same_document_again_is_no_news(stage, door):
    told = stock_of(SKU) if door == "stock" else "<orders><order><orderNo>centra-1</orderNo></order></orders>"
    for _ in range(3):
        assert post(stage, door, told)[0] == 200
    assert len(stage.queue) == 1
    assert post(stage, door, told.replace("1", "2"))[0] == 200
    assert len(stage.queue) == 2


def test_a_document_is_read_as_unicode_whatever_it_declares(stage):
    declared = '\ufeff<?xml version="1.0" encoding="utf-16"?>' + stock_of("É1").replace("code>", "x:code>")
    assert post(stage, "stock", declared.replace("<stock>", '<stock xmlns:x="urn:x">'))[0] == 200
    assert hinted(stage) == {"É1"}


def test_while_the_ledger_is_away_it_is_to_come_again(stage):
    engine = stage.store.engine
    stage.store.engine = _engine("sqlite:////nowhere/at/all.db")
    told = [post(stage, door, "centra-1")[0] for door in ("orders", "success", "stock")]
    assert told == [503, 503, 503]
    stage.store.engine = engine
    assert post(stage, "success", "centra-1")[0] == 200


def test_the_sandboxs_own_session_is_answered_as_it_wants(stage):
    shop = Shop(stage)
    stage.orderwise.adjust(SKU, 7)
    done = shop.run()
    assert done.replies["stock"][0][0] == "Log"
    assert SKU in hinted(stage)
    shop.run(login="orderwise:wrong")
    assert shop.answers[-1][0] == 401
    stage.orderwise.faults.plan("garbled", operation="session")
    shop.run()
    assert [status for status, _, _ in shop.answers[-2:]] == [400, 400]

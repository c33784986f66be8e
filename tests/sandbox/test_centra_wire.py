"""Centra on the wire: tokens, rate limits, faults, the control routes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from integration.sandbox.call import call, graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.faults import Drop, Hang
from integration.sandbox.generator import Generator

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
READ = "{ orders { number market { id } } }"
HOLD = """mutation { updateDirectToConsumerOrder(order: {number: 1}, input: {isOnHold: true}) {
  order { isOnHold } userErrors { message } } }"""


@pytest.fixture
def clock():
    return HandClock(START)


@pytest.fixture
def centra(clock):
    made = Centra(clock)
    made.confirm(made.place_order(Generator(1).basket()))
    return made


def control(centra, method, path, words=None):
    body = b"" if words is None else json.dumps(words).encode()
    return call(centra.app, method, f"/_sandbox/{path}", body)


def test_a_bad_token_is_401_or_200_by_switch(centra):
    assert graphql(centra.app, READ, token="wrong").status == 401
    centra.switches.bad_token_status = 200
    answer = graphql(centra.app, READ, token="wrong")
    assert (answer.status, "errors" in answer.json()) == (200, True)


def test_a_token_expires(centra, clock):
    centra.grant("short", expires=START + timedelta(days=30))
    assert graphql(centra.app, READ, token="short").status == 200
    clock.pass_time(30 * 86_400)
    assert graphql(centra.app, READ, token="short").status == 401


def test_the_token_may_come_as_a_cookie(centra):
    body = json.dumps({"query": READ}).encode()
    assert call(centra.app, "POST", "/graphql", body, {"Cookie": "graphql-access=sandbox-centra-token"}).status == 200


def test_what_is_no_graphql_request_is_refused(centra):
    token = {"Authorization": "Bearer sandbox-centra-token"}
    assert call(centra.app, "POST", "/graphql", b"[]", token).status == 400
    assert call(centra.app, "POST", "/graphql", b"{", token).status == 400
    assert call(centra.app, "GET", "/graphql", b"", token).status == 405
    assert call(centra.app, "POST", "/elsewhere", b"", token).status == 404


@pytest.mark.parametrize(
    ("form", "expected"),
    [("seconds", "1"), ("timestamp", str(int(START.timestamp()) + 1)), ("http-date", "Mon, 02 Mar 2026 06:00:01 GMT")],
)
def test_the_growth_plan_allows_sixty_requests_in_ten_seconds(clock, form, expected):
    centra = Centra(clock, CentraSwitches(limits="growth", retry_after=form))
    statuses = [graphql(centra.app, READ).status for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert graphql(centra.app, READ).headers["retry-after"] == expected
    clock.pass_time(10)
    assert graphql(centra.app, READ).status == 200


def test_mutations_have_a_smaller_bucket(clock):
    centra = Centra(clock, CentraSwitches(limits="growth"))
    statuses = [graphql(centra.app, HOLD).status for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    assert graphql(centra.app, READ).status == 200


def test_rate_limits_show_six_rows_that_add_up(clock):
    centra = Centra(clock, CentraSwitches(limits="growth"))
    text = "{ rateLimits { type intervalSeconds quota usedQuota remainingQuota } }"
    rows = graphql(centra.app, text).json()["data"]["rateLimits"]
    assert len(rows) == 6
    assert all(row["quota"] == row["usedQuota"] + row["remainingQuota"] for row in rows)
    used = {(row["type"], row["intervalSeconds"]): row["usedQuota"] for row in rows}
    assert used["REQUEST_COUNT", "TEN_SECONDS"] == 1


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        ("error-before", 500, False),
        ("error-after", 500, True),
        ("unavailable", 503, False),
        ("throttled", 429, False),
        ("throttled-date", 429, False),
        ("throttled-timestamp", 429, False),
        ("throttled-silent", 429, False),
        ("html", 200, False),
        ("not-json", 200, False),
        ("redirect", 302, False),
        ("unauthorised", 401, False),
        ("forbidden", 403, False),
        ("slow", 200, True),
    ],
)
def test_a_wire_fault_answers_as_its_name_says(centra, fault, status, done):
    centra.faults.plan(fault, "updateDirectToConsumerOrder")
    assert graphql(centra.app, HOLD).status == status
    assert centra.orders[1].on_hold == done
    assert centra.faults.fired[fault] == 1


def test_a_call_without_an_answer_may_have_done_its_work_now_later_or_never(centra, clock):
    for fault, done in (("timeout-before", False), ("late", False), ("timeout-after", True)):
        centra.release(1)
        with pytest.raises(Hang):
            graphql(centra.app, HOLD, **{"X-Sandbox-Fault": fault})
        assert centra.orders[1].on_hold == done
        if fault == "late":
            clock.pass_time(2)
            assert centra.orders[1].on_hold


def test_a_cut_connection_has_done_its_work(centra):
    centra.faults.plan("drop-after")
    with pytest.raises(Drop) as cut:
        graphql(centra.app, HOLD)
    assert b"isOnHold" in cut.value.body
    assert centra.orders[1].on_hold


def test_a_fault_waits_for_its_order(centra):
    centra.place_order(Generator(2).basket())
    centra.faults.plan("error-before", number="2")
    assert graphql(centra.app, HOLD).status == 200
    text = "query($n: [Int!]) { orders(where: {number: $n}) { id } }"
    assert graphql(centra.app, text, {"n": [1]}).status == 200
    assert graphql(centra.app, text, {"n": [2]}).status == 500
    centra.faults.plan("error-before", number="1")
    assert graphql(centra.app, f'{{ order(id: "{centra.orders[1].id}") {{ id }} }}').status == 500


def test_partial_data_comes_with_errors_and_a_null(centra):
    words = graphql(centra.app, READ, **{"X-Sandbox-Fault": "partial"}).json()
    assert words["data"]["orders"][0]["market"] is None
    assert words["errors"][0]["path"] == ["orders", 0, "market"]


def test_a_user_error_does_nothing(centra):
    words = graphql(centra.app, HOLD, **{"X-Sandbox-Fault": "user-error"}).json()
    assert words["data"]["updateDirectToConsumerOrder"]["userErrors"]
    assert not centra.orders[1].on_hold


def test_a_removed_permission_looks_like_a_missing_one(centra):
    words = graphql(centra.app, READ, **{"X-Sandbox-Fault": "permission-removed"}).json()
    assert words["errors"][0]["message"] == "You need Order:read permission to access orders."


def test_faults_are_planned_listed_and_cleared_over_http(centra):
    assert control(centra, "POST", "faults", {"fault": "slow", "operation": "orders", "seconds": 0.5}).status == 200
    assert control(centra, "GET", "faults").json()["planned"][0]["seconds"] == 0.5
    assert control(centra, "DELETE", "faults").json()["planned"] == []
    assert "no fault named" in control(centra, "POST", "faults", {"fault": "fire"}).json()["error"]


def test_orders_are_placed_and_moved_over_http(centra):
    basket = {
        "market_id": 3, "country": "SE", "email": "a@example.com", "address": {"firstName": "Åsa", "city": "Uppsala"},
        "lines": [{"sku": "FD402NVS", "quantity": 2, "unit_price": 99.5}], "vouchers": [{"code": "FREESHIP"}],
    }  # fmt: skip
    number = control(centra, "POST", "orders", basket).json()["numbers"][0]
    for verb in ("confirm", "hold", "release", "edit", "cancel"):
        answer = control(centra, "POST", f"orders/{number}/{verb}", {"comment": "x"} if verb == "edit" else {})
        assert answer.status == 200
    book = control(centra, "GET", f"orders/{number}").json()
    assert (book["status"], book["grand_total"]) == ("CANCELLED", "199.00")
    assert control(centra, "POST", f"orders/{number}/confirm", {}).status == 400
    assert control(centra, "GET", "orders/99").status == 404
    assert control(centra, "GET", "nothing").status == 404


def test_generated_orders_are_placed_over_http(centra):
    numbers = control(centra, "POST", "orders", {"generate": 3, "seed": 9, "market_id": 6}).json()["numbers"]
    books = [book for book in control(centra, "GET", "books").json() if book["number"] in numbers]
    assert [(book["currency"], book["status"]) for book in books] == [("KWD", "CONFIRMED")] * 3


def test_switches_are_turned_over_http_and_unknown_ones_named(centra):
    assert control(centra, "POST", "switches", {"limits": "growth"}).json()["limits"] == "growth"
    assert "no switch named" in control(centra, "POST", "switches", {"colour": "red"}).json()["error"]
    assert "growth" in control(centra, "POST", "switches", {"limits": "none"}).json()["error"]
    assert centra.switches.limits == "growth"


def test_tokens_are_granted_and_revoked_over_http(centra):
    control(centra, "POST", "tokens", {"token": "t", "permissions": ["Store:read"]})
    assert "errors" in graphql(centra.app, READ, token="t").json()
    control(centra, "DELETE", "tokens", {"token": "t"})
    assert graphql(centra.app, READ, token="t").status == 401

"""OrderWise's side of the inspection: its sandbox's own books in the shared rows, and each promise broken in them is named."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_example import Client, order
from tasks.books import Books
from tasks.books_orderwise import in_shared_rows
from tasks.demo_books import ground, of_connection
from tasks.demo_summary import merged
from tasks.inspection import inspect
from tasks.inspection_goods import inspect_goods, oversold, telling_times
from tasks.inspection_money import by_currency, inspect_money, money

SHIRT = "LS101NVS"
START = datetime(2026, 7, 1, 10, tzinfo=UTC)
"""In summer, when the server's clock is an hour ahead."""


@pytest.fixture(scope="module")
def a_day() -> dict[str, Any]:
    """An order of two shirts for 94.80 that left, a shirt that came back and 45.00 that were refunded, as OrderWise has it."""
    clock = HandClock(START)
    orderwise = OrderWise(clock)
    Client(orderwise.app).post("sales/order?session_id=28", order("centra-1", (SHIRT, 2, "37.50")))
    orderwise.ship("centra-1")
    orderwise.raise_return("centra-1", {SHIRT: 1}, "return-5")
    clock.pass_time(60)
    orderwise.receive_return("return-5", "restock")
    orderwise.credit("centra-1", {SHIRT: 1}, "refund-1-77")
    return orderwise.books()


@pytest.fixture
def erp(a_day: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(a_day)


@pytest.fixture
def told() -> dict[str, Any]:
    """The same day by Centra's account and in our ledger."""
    return {
        "centra": [
            {
                "number": 1, "status": "SHIPPED", "market_id": 8, "market": "Outlet / United Kingdom", "currency": "GBP",
                "grand_total": "94.80", "vouchers": [], "on_hold": False, "waiting_for_payment": False,
            }
        ],
        "whole": {
            "orders": [{"number": 1, "units": {SHIRT: 2}}],
            "stock": {SHIRT: {"warehouses": {"5": {"free": 4999, "demand": 0}, "1": {"free": 7, "demand": 0}}}},
            "shipments": [
                {"order": 1, "number": "1-1", "shipped": True, "lines": [{"sku": SHIRT, "quantity": 2}]}
            ],
            "emails": [{"order": 1, "kind": "shipped", "shipment": "1-1", "at": "2026-07-01T10:00:20+00:00"}],
            "returns": [
                {"order": 1, "id": 5, "status": "COMPLETED", "stock": "release", "completed_at": "2026-07-01T10:01:05+00:00"}
            ],
            "refunds": [{"order": 1, "id": 77, "amount": 4500, "status": "SUCCESS", "return": 5}],
            "captures": [{"order": 1, "amount": 9480, "status": "SUCCESS"}],
        },
        "jobs": [
            {"kind": kind, "number": number, "state": "proven", "order_number": of, "reason": "", "owner": None}
            for kind, number, of in (
                ("order", "1", None), ("shipment", "orderwise-1-1", "1"), ("return", "5", "1"), ("refund", "1-77", "1"),
            )
        ],
        "cases": [],
    }  # fmt: skip


def read(told: dict[str, Any], erp: dict[str, Any]) -> Books:
    return Books(erp=in_shared_rows(erp), ground=ground("orderwise"), connection="orderwise", **copy.deepcopy(told))


def broken(told: dict[str, Any], erp: dict[str, Any]) -> set[str]:
    """The names of the invariants that do not hold."""
    books = read(told, erp)
    orders, cases = ([row for row in rows if row["kind"] == "order"] for rows in (books.jobs, books.cases))
    found = inspect(books.centra, books.erp, orders, cases) | inspect_goods(books) | inspect_money(books)
    return {name for name, sentences in found.items() if sentences}


def test_a_day_that_went_well_breaks_nothing_and_its_sums_are_equal(told, erp) -> None:
    assert broken(told, erp) == set()
    assert money(read(told, erp)) == {("Outlet / United Kingdom", "GBP"): (4980, 4980)}
    (after,) = telling_times(read(told, erp))
    assert after.total_seconds() == 20, "its local time is an hour ahead of Centra's"


def test_a_second_sales_order_and_one_that_centra_never_had_are_named(told, erp) -> None:
    erp["orders"].append(erp["orders"][0] | {"id": 99, "complete": False})
    assert {"at_most_one_sales_order", "proven_means_equal"} <= broken(told, erp)
    erp["orders"][-1]["reference"] = "centra-7"
    assert "no_phantoms" in broken(told, erp)


def test_another_total_in_orderwise_is_named(told, erp) -> None:
    erp["orders"][0]["gross"] = "94.7900"
    assert broken(told, erp) == {"proven_means_equal", "money_in_is_money_out"}


def test_an_order_cancelled_in_centra_alone_is_named(told, erp) -> None:
    told["centra"][0]["status"] = "CANCELLED"
    assert "cancelled_in_both" in broken(told, erp)
    erp["orders"][0]["status"] = "Cancelled"
    assert "cancelled_in_both" not in broken(told, erp)


def test_a_delivery_that_centra_does_not_show_or_that_was_undone_is_named(told, erp) -> None:
    told["whole"]["shipments"][0]["lines"][0]["quantity"] = 1
    assert "every_dispatch_shown_once" in broken(told, erp)
    told["whole"]["shipments"][0]["lines"][0]["quantity"] = 2
    erp["deliveries"][0]["cancelled"] = True
    assert "every_dispatch_shown_once" in broken(told, erp)


def test_a_return_that_was_completed_before_or_against_its_inspection_is_named(told, erp) -> None:
    erp["returns"][0]["status"] = "Awaiting inspection"
    assert broken(told, erp) == {"stock_rises_after_inspection"}
    erp["returns"][0]["status"] = "Completed"
    erp["returns"][0]["lines"][0] |= {"restocked": 0, "quarantined": 1}
    assert broken(told, erp) == {"stock_rises_after_inspection"}
    told["whole"]["returns"][0]["completed_at"] = "2026-07-01T10:00:30+00:00"
    erp["returns"][0]["lines"][0] |= {"restocked": 1, "quarantined": 0}
    assert broken(told, erp) == {"stock_rises_after_inspection"}


def test_a_credit_that_is_missing_doubled_unequal_or_unposted_is_named(told, erp) -> None:
    both = {"every_refund_one_memo", "money_in_is_money_out"}
    credit = erp["credits"][0]
    for credits in ([], [credit, credit], [credit | {"gross": "44.9900"}], [credit | {"posted": False}]):
        assert broken(told, erp | {"credits": credits}) == both, credits


def test_leeds_shows_what_orderwise_can_send_and_no_more(told, erp) -> None:
    level = told["whole"]["stock"][SHIRT]["warehouses"]["5"]
    level["free"] = 5000
    assert broken(told, erp) == {"stock_in_centra_is_the_formula"}
    told["centra"].append(told["centra"][0] | {"number": 2, "status": "CONFIRMED", "market_id": 9, "on_hold": True})
    told["whole"]["orders"].append({"number": 2, "units": {SHIRT: 5001}})
    told["jobs"].append(told["jobs"][0] | {"number": "2", "state": "held"})
    level["free"] = 0
    assert oversold(read(told, erp)) == {("Leeds", SHIRT): 2}, (
        "what settles is sold, although OrderWise does not know it"
    )
    assert broken(told, erp) == {"nothing_oversold"}


def test_each_connection_is_held_to_its_own_orders_and_both_to_those_that_nobody_mapped(told, erp) -> None:
    theirs = told["centra"][0] | {"number": 2, "market_id": 1, "market": "United Kingdom"}
    homeless = told["centra"][0] | {"number": 3, "market_id": 7, "market": "Norway"}
    centra = [*told["centra"], theirs, homeless]
    whole = told["whole"] | {"orders": [{"number": n, "units": {}} for n in (1, 2, 3)]}
    seen = told["jobs"][2] | {"number": "2", "order_number": None}
    more = [told["jobs"][0] | {"number": "2"}, told["jobs"][2] | {"number": "6", "order_number": "2"}, seen]
    jobs = [*told["jobs"], *more]
    cases = [{"kind": kind, "number": n, "type": "X"} for kind, n in (("return", "6"), ("order", "3"), (None, None))]
    ours = of_connection("orderwise", centra, whole, in_shared_rows(erp), jobs, cases)
    assert [order["number"] for order in ours.centra] == [1, 3] == [row["number"] for row in ours.whole["orders"]]
    assert [job["number"] for job in ours.jobs] == ["1", "orderwise-1-1", "5", "1-77", "2"]
    assert [case["number"] for case in ours.cases] == ["3", None]
    others = of_connection("fulfil", centra, whole, {}, jobs, cases)
    assert [order["number"] for order in others.centra] == [2, 3]
    assert others.whole["refunds"] == []
    assert others.whole["stock"] == whole["stock"]
    assert [(job["kind"], job["number"]) for job in others.jobs] == [("order", "2"), ("return", "6"), ("return", "2")]


def test_what_both_connections_say_of_one_order_is_said_once_and_sums_are_of_both() -> None:
    said = [{"no_phantoms": ["3: twice"], "nothing_oversold": []}, {"no_phantoms": ["3: twice", "4: once"]}]
    assert merged(said) == {"no_phantoms": ["3: twice", "4: once"], "nothing_oversold": []}
    sums = by_currency({("Outlet", "GBP"): (1, 2), ("UK", "EUR"): (3, 3)}, {("UK", "GBP"): (10, 20)})
    assert sums == {"GBP": {"centra": 11, "erp": 22}, "EUR": {"centra": 3, "erp": 3}}

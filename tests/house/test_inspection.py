"""The demo's inspection, held against small books written by hand: what is right passes, each broken promise is named."""

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tasks.books import Books, Ground
from tasks.inspection_goods import inspect_goods, late_shipments, oversold, telling_times
from tasks.inspection_money import by_currency, inspect_money, money, refunds_without_memo, refused_captures

GROUND = Ground(building={1: "LON"}, place={1: "LON"}, parts={"SET": {"SHIRT": 1, "SOCKS": 2}})


def books() -> dict[str, Any]:
    """One order of a set and a shirt: sold for 100, shipped, paid; the shirt came back and 30 were refunded."""
    return {
        "centra": [
            {
                "number": 1, "status": "SHIPPED", "market_id": 1, "market": "United Kingdom", "currency": "GBP",
                "grand_total": "100.00", "vouchers": [],
            }
        ],
        "whole": _centra(),
        "erp": _fulfil(),
        "jobs": [
            {"kind": "order", "number": "1", "state": "proven", "order_number": None, "reason": ""},
            {"kind": "shipment", "number": "fulfil-20", "state": "proven", "order_number": "1", "reason": ""},
            {"kind": "return", "number": "5", "state": "proven", "order_number": "1", "reason": ""},
            {"kind": "refund", "number": "1-77", "state": "proven", "order_number": "1", "reason": ""},
        ],
        "cases": [],
    }  # fmt: skip


def _centra() -> dict[str, Any]:
    return {
        "orders": [{"number": 1, "units": {"SHIRT": 2, "SOCKS": 2}}],
        "stock": {
            "SHIRT": {"warehouses": {"1": {"free": 9, "demand": 0}}},
            "SOCKS": {"warehouses": {"1": {"free": 8, "demand": 0}}},
        },
        "shipments": [
            {
                "order": 1, "number": "1-1", "shipped": True,
                "lines": [{"sku": "SET", "quantity": 1}, {"sku": "SHIRT", "quantity": 1}],
            }
        ],
        "emails": [{"order": 1, "kind": "shipped", "shipment": "1-1", "at": "2026-05-04T12:00:20+00:00"}],
        "returns": [
            {
                "order": 1, "id": 5, "status": "COMPLETED", "stock": "release",
                "completed_at": "2026-05-04T13:00:00+00:00",
            }
        ],
        "refunds": [{"order": 1, "id": 77, "amount": 3000, "status": "SUCCESS", "return": 5}],
        "captures": [{"order": 1, "amount": 10000, "status": "SUCCESS"}],
    }  # fmt: skip


def _fulfil() -> dict[str, Any]:
    return {
        "sales": [
            {
                "id": 10, "channel_identifier": "centra-1", "state": "done", "currency": "GBP", "total": "100.00",
                "lines": [["SET", 1.0], ["SHIRT", 1.0], [None, 1.0]], "shipment_returns": {},
            },
            {
                "id": 11, "channel_identifier": "return-5", "state": "done", "currency": "GBP", "total": "0",
                "lines": [["SHIRT", -1.0]], "shipment_returns": {"30": "done"},
            },
        ],
        "shipments": [
            {
                "id": 20, "state": "done", "sales": [10], "write_date": "2026-05-04T12:00:00",
                "lines": [["SET", 1.0, "sale.line,1", "done"], ["SHIRT", 1.0, "sale.line,2", "done"]],
            }
        ],
        "returns": [
            {
                "id": 30, "state": "done", "write_date": "2026-05-04T12:59:59.500000",
                "dispositions": [["SHIRT", 1.0, "restock"]],
            }
        ],
        "invoices": [
            {"number": "I1", "reference": "SO1", "state": "draft", "total": "100.00", "currency": "GBP"},
            {"number": "C1", "reference": "refund-1-77", "state": "posted", "total": "-30.00", "currency": "GBP"},
        ],
        "stock": {
            "SHIRT": {"by_warehouse": {"LON": {"available": 9.0}}},
            "SOCKS": {"by_warehouse": {"LON": {"available": 8.0}}},
            "SET": {"by_warehouse": {"LON": {"available": 0.0}}},
        },
    }  # fmt: skip


def broken(told: dict[str, Any]) -> set[str]:
    """The names of the invariants that do not hold."""
    read = Books(ground=GROUND, **copy.deepcopy(told))
    return {name for name, sentences in (inspect_goods(read) | inspect_money(read)).items() if sentences}


def case(kind: str, number: str, **about: Any) -> dict[str, Any]:
    return {"kind": kind, "number": number, "owner": "CX", "type": "X", "cause": "", "message": ""} | about


def test_a_day_that_went_well_breaks_nothing() -> None:
    assert broken(books()) == set()


def test_a_dispatch_without_its_shipment_or_with_other_lines_is_named_unless_it_is_an_exception() -> None:
    told = books()
    told["whole"]["shipments"][0]["shipped"] = False
    assert broken(told) >= {"every_dispatch_shown_once", "one_email_a_shipment"}
    told["whole"]["emails"].clear()
    told["cases"].append(case("shipment", "fulfil-20"))
    assert broken(told) == set()
    told["whole"]["stock"]["SHIRT"]["warehouses"]["1"]["free"] = 7
    assert broken(told) == set(), "what left and is not shown may be kept off the shelf"
    told["whole"]["stock"]["SHIRT"]["warehouses"]["1"]["free"] = 6
    assert broken(told) == {"stock_in_centra_is_the_formula"}
    told["whole"]["stock"]["SHIRT"]["warehouses"]["1"]["free"] = 9
    told["whole"]["shipments"].clear()
    assert broken(told) == set()
    told = books()
    told["whole"]["shipments"][0]["lines"].pop()
    assert broken(told) >= {"every_dispatch_shown_once"}


def test_a_shipment_that_no_dispatch_explains_is_named_and_so_is_a_second_email() -> None:
    told = books()
    told["erp"]["shipments"][0]["state"] = "packed"
    assert broken(told) == {"every_dispatch_shown_once"}
    told = books()
    told["whole"]["emails"] *= 2
    assert broken(told) == {"one_email_a_shipment"}


def test_a_return_completed_before_its_inspection_or_against_it_is_named() -> None:
    told = books()
    told["erp"]["returns"][0]["state"] = "received"
    assert broken(told) == {"stock_rises_after_inspection"}
    told["erp"]["returns"][0] |= {"state": "done", "write_date": "2026-05-04T13:00:05"}
    assert broken(told) == {"stock_rises_after_inspection"}
    told = books()
    told["erp"]["returns"][0]["dispositions"][0][2] = "quarantine"
    assert broken(told) == {"stock_rises_after_inspection"}
    told["cases"].append(case("return", "5"))
    assert broken(told) == set()


def test_pieces_sold_beyond_what_fulfil_had_are_counted_where_it_does_not_know_the_order() -> None:
    told = books()
    told["centra"].append(told["centra"][0] | {"number": 2, "status": "CONFIRMED"})
    told["whole"]["orders"].append({"number": 2, "units": {"SOCKS": 10}})
    read = Books(ground=GROUND, **told)
    assert oversold(read) == {("LON", "SOCKS"): 2}
    assert "nothing_oversold" in broken(told)
    told["centra"][1]["status"] = "CANCELLED"
    assert oversold(Books(ground=GROUND, **told)) == {}


def test_stock_in_centra_is_fulfils_figure_less_what_fulfil_does_not_know() -> None:
    told = books()
    told["centra"].append(told["centra"][0] | {"number": 2, "status": "CONFIRMED"})
    told["whole"]["orders"].append({"number": 2, "units": {"SOCKS": 3}})
    assert broken(told) == {"stock_in_centra_is_the_formula"}
    told["whole"]["stock"]["SOCKS"]["warehouses"]["1"]["free"] = 5
    assert broken(told) == set()


def test_an_order_of_a_market_without_a_mapping_may_be_kept_back_everywhere() -> None:
    told = books()
    told["centra"].append(told["centra"][0] | {"number": 2, "status": "CONFIRMED", "market_id": 7})
    told["whole"]["orders"].append({"number": 2, "units": {"SOCKS": 3}})
    ground = replace(GROUND, building={1: "LON", 7: "RTM"}, homeless=[7])
    for shown in (5, 8):
        told["whole"]["stock"]["SOCKS"]["warehouses"]["1"]["free"] = shown
        assert not any(inspect_goods(Books(ground=ground, **told)).values())
    for shown in (4, 9):
        told["whole"]["stock"]["SOCKS"]["warehouses"]["1"]["free"] = shown
        (broken,) = inspect_goods(Books(ground=ground, **told))["stock_in_centra_is_the_formula"]
        assert broken == f"SOCKS in LON: {shown} for sale in Centra, 5 to 8 by the formula"


def test_captures_that_do_not_add_up_are_named() -> None:
    told = books()
    told["whole"]["captures"][0]["amount"] = 9999
    assert broken(told) == {"captures_add_up"}
    told["whole"]["captures"].append({"order": 1, "amount": 1, "status": "FAILED"})
    assert broken(told) == {"captures_add_up"}
    told["cases"].append(case("shipment", "fulfil-20"))
    assert broken(told) == set()


def test_a_refused_capture_is_explained_by_an_order_that_was_made_larger_than_what_was_authorised() -> None:
    told = books()
    told["centra"][0]["payments"] = [{"entry_type": "AUTH", "status": "SUCCESS", "value": "100.00"}]
    told["whole"]["captures"] = [{"order": 1, "amount": 10000, "status": "FAILED", "shipment": "1-1"}]
    assert refused_captures(Books(ground=GROUND, **told)) == ([], ["1-1"])
    told["centra"][0]["payments"][0]["value"] = "99.99"
    assert refused_captures(Books(ground=GROUND, **told)) == (["1-1"], [])
    told["whole"]["captures"].append({"order": 1, "amount": 10000, "status": "SUCCESS", "shipment": "1-1"})
    assert refused_captures(Books(ground=GROUND, **told)) == ([], [])


def test_a_refund_has_one_posted_memo_that_is_equal_or_an_exception() -> None:
    told = books()
    told["erp"]["invoices"][1]["state"] = "draft"
    assert broken(told) == {"every_refund_one_memo", "money_in_is_money_out"}
    assert len(refunds_without_memo(Books(ground=GROUND, **told))) == 1
    told["cases"].append(case("refund", "1-77"))
    assert broken(told) == set()
    told = books()
    told["erp"]["invoices"].append(told["erp"]["invoices"][1] | {"number": "C2"})
    assert broken(told) == {"every_refund_one_memo", "money_in_is_money_out"}
    told = books()
    told["erp"]["invoices"][1]["reference"] = "by hand"
    assert broken(told) == {"every_refund_one_memo", "money_in_is_money_out"}


def test_money_is_what_was_sold_less_what_went_back_for_what_neither_waits_nor_is_an_exception() -> None:
    told = books()
    assert money(Books(ground=GROUND, **told)) == {("United Kingdom", "GBP"): (7000, 7000)}
    assert by_currency(money(Books(ground=GROUND, **told))) == {"GBP": {"centra": 7000, "erp": 7000}}
    told["cases"].append(case("refund", "1-77"))
    assert money(Books(ground=GROUND, **told)) == {("United Kingdom", "GBP"): (10000, 10000)}
    told["cases"] = [case("order", "1")]
    assert money(Books(ground=GROUND, **told)) == {}
    told = books()
    told["erp"]["sales"][0]["total"] = "99.99"
    assert broken(told) == {"money_in_is_money_out"}


def test_an_exception_that_nobody_owns_is_named() -> None:
    told = books()
    told["cases"].append(case("order", "", owner=""))
    assert broken(told) == {"every_exception_has_an_owner"}


def test_a_customer_told_after_the_promise_or_never_is_late_unless_the_dispatch_is_an_exception() -> None:
    told, minute = books(), timedelta(minutes=1)
    assert late_shipments(Books(ground=GROUND, **told), minute) == []
    assert telling_times(Books(ground=GROUND, **told)) == [minute / 3]
    assert len(late_shipments(Books(ground=GROUND, **told), minute / 6)) == 1
    told["whole"]["emails"].clear()
    assert len(late_shipments(Books(ground=GROUND, **told), minute)) == 1
    told["cases"].append(case("shipment", "fulfil-20"))
    assert late_shipments(Books(ground=GROUND, **told), minute) == []

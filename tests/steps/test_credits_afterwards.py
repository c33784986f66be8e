"""Memos that people key, change or lose, refunds that nobody tells of, and calls without an answer."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from stage import Stage
from steps.back import (
    all_memos,
    at_the_provider,
    by_hand,
    cases_of,
    credited,
    dead,
    effect_of,
    fail,
    follow,
    memos,
    money_row,
    money_rows,
    paid_back,
    row_of,
    run_link,
    sold,
    stand,
    with_rule,
)
from steps.looking import book, run_feed

from integration import aftersales, casework
from integration.domain.order import Key
from integration.store import ledger

# ------------------------------------------------------------------------------------------------- by hand


def keyed(stage: Stage, row: Any, amount: str, tax: str) -> int:
    """A memo as a person keys it in the ERP, with our reference; posted."""
    client = stage.world.erp("fulfil").client
    (sale,) = client.search_read(
        "sale.sale", [["id", "=", stage.sales(row.order_number)[0]["id"]]], ("party",), lane="x"
    )
    (rate,) = client.search_read("account.tax", [["name", "=", "UK VAT Standard"]], ("name",), lane="x")
    line = {
        "type": "line",
        "description": "Goodwill",
        "note": "goodwill",
        "quantity": -1,
        "unit_price": Decimal(amount),
    }
    line |= {"taxes": [["add", [rate["id"]]]], "tax_amount": -Decimal(tax)}
    words = {"type": "out", "party": sale["party"], "reference": f"refund-{row.number}", "lines": [["create", [line]]]}
    currency = next(client.search_read("currency.currency", [["code", "=", "GBP"]], ("code",), lane="x"))
    made = client.call("account.invoice", "create", [[words | {"currency": currency["id"]}]], lane="x", writes=True)
    by_hand(stage, "account.invoice", made[0] if isinstance(made, list) else made, "post")
    return int(made[0] if isinstance(made, list) else made)


def on_the_work_list(stage: Stage) -> tuple[str, Any]:
    stage.apply(with_rule("credit", 'strategy = "off"'))
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    row = money_row(stage, number)
    case = dead(stage, row, "CREDIT_MISSING")
    sale = stage.sales(number)[0]["id"]
    assert f"under the reference refund-{row.number}, against sales order {sale} (centra-{number}): " in case.message
    assert case.message.endswith(": Goodwill 6.00 GBP at 20 %, net 5.00 GBP; total 6.00 GBP")
    assert all_memos(stage) == []
    return number, row


def test_with_memos_off_the_case_says_every_part_and_closes_when_an_equal_memo_is_there(stage: Stage) -> None:
    number, row = on_the_work_list(stage)
    keyed(stage, row, "5.00", "1.00")
    follow(stage, times=4)
    credited(stage, money_row(stage, number), "6.00")


def test_a_memo_keyed_wrong_is_a_mismatch_that_names_the_part(stage: Stage) -> None:
    number, row = on_the_work_list(stage)
    keyed(stage, row, "5.01", "1.00")
    follow(stage, times=4)
    case = dead(stage, money_row(stage, number), "CREDIT_MISMATCH")
    assert "goodwill net: we have 5.00 GBP, they have 5.01 GBP" in case.message


def test_a_refund_that_fails_after_its_memo_was_keyed_is_reversing_work_until_the_memo_is_cancelled(
    stage: Stage,
) -> None:
    number, row = on_the_work_list(stage)
    memo = keyed(stage, row, "5.00", "1.00")
    follow(stage, times=4)
    fail(stage, number)
    stage.hint(number)
    stage.work()
    follow(stage)
    for again in (False, True):
        if again:
            (case,) = stage.open_cases()
            casework.replay(stage.world, [case.id], "ann", "is it over?")
            follow(stage)
        case = dead(stage, money_row(stage, number), "CREDIT_REVERSAL")
        assert "reverse it by a document that names it" in case.message
    stage.clock.sleep(2)
    by_hand(stage, "account.invoice", memo, "cancel")
    stage.clock.sleep(300)
    follow(stage, times=4)
    assert stage.open_cases() == []


# --------------------------------------------------------------------------------- what the ERP did afterwards


@pytest.mark.scenario("CRN-17")
def test_a_memo_in_the_erp_that_no_refund_explains_is_financess_and_pays_nobody(stage: Stage) -> None:
    number = sold(stage, 2)
    client = stage.world.erp("fulfil").client
    sale = stage.sales(number)[0]["id"]
    invoices = [i["id"] for i in stage.fulfil.books()["invoices"] if sale in i["sales"]]
    for id in invoices:
        by_hand(stage, "account.invoice", id, "post")
    before = book(stage, number)["payments"]
    session, *_ = client._put(
        "/api/v2/wizard/account.invoice.credit/create", [{"active_ids": invoices}], "x", lane="finance", writes=True
    )
    args = [session, {"start": {"with_refund": False}}, "credit", {}]
    client._put("/api/v2/wizard/account.invoice.credit/execute", args, "x", lane="finance", writes=True)
    follow(stage)
    (case,) = stage.open_cases()
    assert case.type == "CREDIT_WITHOUT_REFUND"
    assert f"credits order {number}, and no refund of Centra's explains it" in case.message
    assert book(stage, number)["payments"] == before
    follow(stage)
    assert len(stage.open_cases()) == 1


def test_a_memo_that_somebody_cancels_after_it_was_proved_is_missing_again(stage: Stage) -> None:
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    memo = credited(stage, money_row(stage, number), "6.00")
    stage.clock.sleep(2)
    by_hand(stage, "account.invoice", memo["id"], "cancel")
    follow(stage)
    case = dead(stage, money_row(stage, number), "CREDIT_MISSING")
    assert f"{memo['number']} was cancelled in the ERP" in case.message
    keyed(stage, money_row(stage, number), "5.00", "1.00")
    stage.clock.sleep(60)
    follow(stage, times=4)
    again = money_row(stage, number)
    assert (again.state, again.erp_ref) == ("proven", str(memo["id"]))  # the first answer is on record for good


def test_two_memos_for_one_refund_are_a_case(stage: Stage) -> None:
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    credited(stage, money_row(stage, number), "6.00")
    keyed(stage, money_row(stage, number), "5.00", "1.00")
    stage.clock.sleep(60)
    follow(stage, times=4)
    dead(stage, money_row(stage, number), "EFFECT_DUPLICATE_SUSPECT")


def test_a_memo_that_fulfil_recalculates_is_not_posted(stage: Stage) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan("recalculated", operation="create_invoice")
    paid_back(stage, number, "6.00")
    follow(stage)
    dead(stage, money_row(stage, number), "CREDIT_MISMATCH")
    assert all(memo["state"] != "posted" for memo in all_memos(stage))


# ------------------------------------------------------------------------------------- how it is learnt of


def test_a_refund_on_an_order_that_is_over_and_of_which_nobody_tells_is_found_by_the_sweep(stage: Stage) -> None:
    number = sold(stage, 2)
    stage.sweep(3, every=600)
    at_the_provider(stage, number, "REFUND", "6.00")
    run_feed(stage, "refunds")
    assert money_rows(stage, number) == []
    run_feed(stage, "old_refunds")
    stage.sweep(4)
    credited(stage, money_row(stage, number), "6.00")


def test_the_sweep_goes_round_and_round_a_page_at_a_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftersales, "PAGE", 1)
    monkeypatch.setattr(aftersales, "PAGES", 1)
    numbers = [sold(stage, 1) for _ in range(3)]
    asked: list[str] = []
    real = stage.world.storefronts["brand"].refunds
    monkeypatch.setattr(stage.world.storefronts["brand"], "refunds", lambda told: asked.extend(told) or real(told))
    for _ in range(5):
        run_feed(stage, "old_refunds")
    assert asked[:3] == numbers
    assert asked[3:] == numbers[: len(asked) - 3]


def test_a_refund_told_of_twice_is_one_memo(stage: Stage) -> None:
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    row = money_row(stage, number)
    ledger.mark(stage.store, [Key("brand", "refund", row.number)], "operator")
    follow(stage)
    credited(stage, money_row(stage, number), "6.00")
    assert len(all_memos(stage)) == 1


def test_a_refund_that_an_operator_named_before_anybody_knew_its_order_is_credited_once_it_is_known(
    stage: Stage,
) -> None:
    number = sold(stage, 2)
    run_feed(stage, "refunds")
    paid_back(stage, number, "6.00")
    named = f"{number}-{stage.centra.book.find(int(number)).payments[-2].id}"
    ledger.mark(stage.store, [Key("brand", "refund", named)], "operator")
    stage.sweep(1, every=1)
    assert row_of(stage, "refund", named).state == "observed"
    follow(stage)
    assert row_of(stage, "refund", named).order_number == number
    credited(stage, money_row(stage, number), "6.00")


def test_a_memo_that_is_late_and_nobodys_case_becomes_one(stage: Stage) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan("unavailable", "create_invoice", times=1000)
    paid_back(stage, number, "6.00")
    follow(stage)
    stand(stage, Key("brand", "refund", money_row(stage, number).number), state="ready", attempts=0)
    stage.clock.sleep(timedelta(hours=25).total_seconds())
    run_feed(stage, "uncredited", "fulfil")
    (case,) = cases_of(stage, money_row(stage, number))
    assert case.type == "CREDIT_MISSING"
    assert "for too long" in case.cause


def test_an_order_whose_refunds_are_not_readable_is_a_case_of_that_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = sold(stage, 2)
    monkeypatch.setattr(stage.world.storefronts["brand"], "refunds", lambda told: {})
    run_feed(stage, "old_refunds")
    (case,) = stage.open_cases()
    assert (case.type, case.number, case.cause) == ("SCHEMA_CHANGE", number, "centra:refunds")


# ------------------------------------------------------------------------------------------------- in doubt


@pytest.mark.parametrize("fault", ["timeout-after", "error-after", "drop-after"])
def test_a_memo_that_fulfil_made_without_saying_so_is_not_made_twice(stage: Stage, fault: str) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan(fault, operation="create_invoice")
    paid_back(stage, number, "6.00")
    follow(stage)
    stage.sweep(12, every=60)
    credited(stage, money_row(stage, number), "6.00")
    assert len(all_memos(stage)) == 1
    assert stage.fulfil.faults.fired[fault] == 1


@pytest.mark.parametrize("fault", ["timeout-before", "html"])
def test_a_memo_that_never_arrived_is_made_after_the_waiting_time(stage: Stage, fault: str) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan(fault, operation="create_invoice")
    paid_back(stage, number, "6.00")
    follow(stage)
    assert effect_of(stage, money_row(stage, number), "credit memo").state == "unknown"
    stage.sweep(12, every=60)
    credited(stage, money_row(stage, number), "6.00")
    assert len(all_memos(stage)) == 1


@pytest.mark.scenario("CRN-12")
def test_a_refund_that_fails_while_its_memo_is_in_doubt_gets_none_if_there_is_none(stage: Stage) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan("timeout-before", operation="create_invoice")
    paid_back(stage, number, "6.00")
    follow(stage)
    fail(stage, number)
    stage.sweep(16, every=60)
    row = money_row(stage, number)
    assert (row.state, all_memos(stage)) == ("observed", []), row.reason


def test_posting_reckons_for_itself_whatever_brought_the_refund_there(stage: Stage) -> None:
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    at_the_provider(stage, number, "REFUND", "40.95")
    run_feed(stage, "refunds")
    first, second = money_rows(stage, number)
    for row in (first, second):
        key = Key("brand", "refund", row.number)
        run_link(stage, "take", key)
    assert dead(stage, money_rows(stage, number)[1], "REFUND_EXCEEDS")
    key = Key("brand", "refund", second.number)
    stand(stage, key, state="ready")  # as if the taking of it had been wrong
    run_link(stage, "post", key)
    dead(stage, money_rows(stage, number)[1], "REFUND_EXCEEDS")
    assert memos(stage, second.number) == []

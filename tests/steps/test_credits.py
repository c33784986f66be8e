"""Money goes back: exactly one memo for every refund, equal part by part; nothing is credited that was not paid back."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from stage import Stage
from steps.back import (
    all_memos,
    at_the_provider,
    by_hand,
    come_back,
    credited,
    dead,
    fail,
    follow,
    in_fulfil,
    memos,
    money_row,
    money_rows,
    paid_back,
    refund_return,
    row_of,
    send_back,
    sold,
    stand,
    the_case,
    with_rule,
)
from steps.conftest import OpenStage
from steps.looking import TEXT, book, run_feed, without
from steps.parcels import bought

from integration.domain.order import Key
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.store import proofs


def proof_of(stage: Stage, row: Any) -> str:
    with stage.store.read() as tx:
        return str(proofs.latest(tx, row.id).document)


def test_the_refund_of_a_return_is_one_memo_of_its_lines_at_the_rate_of_the_sale(stage: Stage) -> None:
    number = sold(stage, 2)
    made = send_back(stage, number)
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    memo = credited(stage, money_row(stage, number), "18.00")
    (line,) = memo["lines"]
    assert (line[0], line[1]) == (stage.sku(), -1.0)
    assert money_row(stage, number).return_number == made
    assert memo["sales"] or memo["reference"]
    assert '"line' in proof_of(stage, money_row(stage, number))


@pytest.mark.scenario("CRN-02")
def test_a_lost_parcel_is_paid_back_in_full_and_moves_no_stock(stage: Stage) -> None:
    number = sold(stage, 2)
    before = in_fulfil(stage), in_fulfil(stage, figure="on_hand")
    paid_back(stage, number, "40.95", "lost parcel")
    follow(stage)
    credited(stage, money_row(stage, number), "40.95")
    assert (in_fulfil(stage), in_fulfil(stage, figure="on_hand")) == before
    assert stage.fulfil.books()["returns"] == []


@pytest.mark.scenario("CRN-03")
def test_an_amount_without_lines_is_goodwill_on_its_account_with_its_countrys_tax_and_never_all_lines(
    stage: Stage,
) -> None:
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    memo = credited(stage, money_row(stage, number), "6.00")
    (line,) = memo["lines"]
    assert (line[0], line[1], Decimal(memo["untaxed"]), Decimal(memo["tax"])) == (None, -1.0, Decimal(-5), Decimal(-1))


@pytest.mark.scenario("CRN-03")
def test_shipping_comes_back_only_where_the_return_says_so(stage: Stage) -> None:
    number = sold(stage, 2)
    without_shipping, with_shipping = send_back(stage, number), send_back(stage, number, shipping=Decimal("4.95"))
    follow(stage)
    for made in (without_shipping, with_shipping):
        refund_return(stage, made)
    follow(stage)
    first, second = money_rows(stage, number)
    credited(stage, first, "18.00")
    memo = credited(stage, second, "22.95")
    assert [line[0] for line in memo["lines"]] == [stage.sku(), None]


def test_a_return_fee_lowers_the_memo(stage: Stage) -> None:
    number = sold(stage, 2)
    made = send_back(stage, number, return_cost=Decimal("3.00"))
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    memo = credited(stage, money_row(stage, number), "15.00")
    assert sorted(line[1] for line in memo["lines"]) == [-1.0, 1.0]


@pytest.mark.scenario("CRN-16")
@pytest.mark.scenario("CRN-03")
def test_goodwill_in_a_country_without_a_rate_waits_for_the_mapping_and_guesses_nothing(stage: Stage) -> None:
    head, mark, rest = TEXT.partition("[credit.goodwill_tax]")
    stage.apply(head + mark + without("GB", text=rest))
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    case = dead(stage, money_row(stage, number), "ORDER_TAX_UNMAPPED")
    assert "credit.goodwill_tax" in case.message
    assert all_memos(stage) == []
    stage.apply(TEXT)
    run_feed(stage, "release", "fulfil")
    follow(stage)
    credited(stage, money_row(stage, number), "6.00")


@pytest.mark.scenario("CRN-04")
def test_three_partial_refunds_of_a_line_are_three_memos_and_the_pennies_add_up(stage: Stage) -> None:
    number = sold(stage, 3, vouchers=[VoucherUse("STAFF333")])
    for _ in range(3):
        made = send_back(stage, number)
        follow(stage, times=2)
        refund_return(stage, made)
    follow(stage)
    follow(stage)
    rows = money_rows(stage, number)
    assert [row.state for row in rows] == ["proven"] * 3, [row.reason for row in rows]
    assert sum(row.total_minor for row in rows) == sum(each["amount"] for each in book(stage, number)["refunds"])
    assert sum(Decimal(memo["total"]) for memo in all_memos(stage)) == -sum(Decimal(r.total_minor) for r in rows) / 100


@pytest.mark.scenario("CRN-06")
def test_an_order_paid_by_gift_card_and_card_gives_back_the_card_as_money_and_the_rest_as_a_voucher(
    stage: Stage,
) -> None:
    number = sold(stage, 2, vouchers=[VoucherUse("GIFTCARD", Decimal(10))])
    made = send_back(stage, number, {0: 2})
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    row = money_row(stage, number)
    money = Decimal(book(stage, number)["refunds"][0]["amount"]) / 100
    memo = credited(stage, row, str(money))
    assert money < Decimal("36.00")
    goods = [line for line in memo["lines"] if line[0]]
    card = [line for line in memo["lines"] if not line[0]]
    assert sum(Decimal(line[3]) + Decimal(line[4]) for line in goods) == Decimal("-36.00")
    assert [Decimal(line[4]) for line in card] == [Decimal(0)]  # a liability: no tax comes back with it


@pytest.mark.scenario("CRN-08")
def test_a_closed_period_is_a_case_and_the_memo_is_posted_when_it_is_opened_again(stages: OpenStage) -> None:
    from integration import casework

    stage = stages()
    number = sold(stage, 2)
    stage.fulfil.switches.change({"closed_until": "2026-05-31"})
    paid_back(stage, number, "6.00")
    follow(stage)
    case = dead(stage, money_row(stage, number), "CREDIT_PERIOD_CLOSED")
    assert [memo["state"] for memo in memos(stage, money_row(stage, number).number)] == ["draft"]
    stage.fulfil.switches.change({"closed_until": ""})
    casework.replay(stage.world, [case.id], "ann")
    follow(stage)
    credited(stage, money_row(stage, number), "6.00")


@pytest.mark.scenario("CRN-08")
def test_a_memo_that_finance_moves_into_the_open_period_is_found_and_proved(stages: OpenStage) -> None:
    stage = stages()
    number = sold(stage, 2)
    stage.fulfil.switches.change({"closed_until": "2026-05-31"})
    paid_back(stage, number, "6.00")
    follow(stage)
    (draft,) = memos(stage, money_row(stage, number).number)
    client = stage.world.erp("fulfil").client
    stage.clock.sleep(2)
    client.call("account.invoice", "write", [[draft["id"]], {"invoice_date": date(2026, 6, 1)}], lane="x", writes=True)
    by_hand(stage, "account.invoice", draft["id"], "post")
    stage.clock.sleep(300)
    follow(stage, times=4)
    credited(stage, money_row(stage, number), "6.00")


@pytest.mark.scenario("CRN-09")
@pytest.mark.parametrize(("market", "country"), [(5, "JP"), (6, "KW"), (4, "US"), (3, "SE"), (2, "DE")])
def test_a_memo_is_in_the_orders_currency_to_its_own_minor_unit(stage: Stage, market: int, country: str) -> None:
    lines = [BasketLine("LS107NVM", 3), BasketLine("FD402NVS", 1)]
    number = bought_and_sold(stage, lines, market_id=market, country=country)
    made = str(stage.centra.return_items(int(number), {"LS107NVM": 1})[0])
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    row = money_row(stage, number)
    (paid,) = book(stage, number)["refunds"]
    assert (row.state, row.total_minor, row.currency) == ("proven", paid["amount"], book(stage, number)["currency"])
    (memo,) = memos(stage, row.number)
    assert memo["currency"] == row.currency


def bought_and_sold(stage: Stage, lines: list[BasketLine], **terms: object) -> str:
    from steps.parcels import shipped

    number = stage.order(lines=lines, **terms)
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "proven", stage.row(number).reason
    stage.clock.sleep(2)
    shipped(stage, number)
    stage.clock.sleep(10)
    follow(stage)
    return number


@pytest.mark.scenario("CRN-13")
def test_what_was_taxed_at_the_sales_rate_is_given_back_at_it_whatever_the_rate_is_by_now(stage: Stage) -> None:
    number = sold(stage, 2)
    head, mark, rest = TEXT.partition("\n[shipping_tax]")
    assert '\nGB = "20"\n' in rest
    stage.apply(head + mark + rest.replace('\nGB = "20"\n', '\nGB = "0"\n', 1))
    made = send_back(stage, number, shipping=Decimal("4.95"), return_cost=Decimal("3.00"))
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    memo = credited(stage, money_row(stage, number), "19.95")
    (sale,) = stage.sales(number)
    (sold_at,) = [line for line in sale["lines"] if line[0] is None]
    given_back, fee = [line for line in memo["lines"] if line[0] is None]
    assert [-Decimal(part) for part in given_back[3:5]] == [Decimal(part) for part in sold_at[3:5]]
    assert [Decimal(part) for part in fee[3:5]] == [Decimal("2.50"), Decimal("0.50")]


# ------------------------------------------------------------------------------------- what must not be credited


@pytest.mark.scenario("CRN-10")
def test_the_same_money_paid_back_twice_stops_the_second_memo_with_the_arithmetic(stage: Stage) -> None:
    number = sold(stage, 2)
    made = send_back(stage, number, {0: 2}, shipping=Decimal("4.95"))
    follow(stage)
    refund_return(stage, made)
    follow(stage)
    credited(stage, money_row(stage, number), "40.95")
    at_the_provider(stage, number, "REFUND", "40.95")  # its own desk never asks Centra how much is left
    stage.hint(number)
    stage.work()
    follow(stage)
    first, second = money_rows(stage, number)
    case = dead(stage, second, "REFUND_EXCEEDS")
    assert "81.90 GBP has been refunded in 2 refund(s), 40.95 GBP was captured" in case.message
    assert (first.state, len(all_memos(stage))) == ("proven", 1)


def test_where_money_is_taken_elsewhere_the_orders_total_is_the_limit(stage: Stage) -> None:
    stage.apply(with_rule("shipments", 'capture = "elsewhere"'))
    number = sold(stage, 2)
    assert not [p for p in book(stage, number)["payments"] if p["entry_type"].startswith("CAPTURE")]
    at_the_provider(stage, number, "REFUND", "40.95")
    stage.hint(number)
    stage.work()
    follow(stage)
    credited(stage, money_row(stage, number), "40.95")
    at_the_provider(stage, number, "REFUND", "0.01")
    stage.hint(number)
    stage.work()
    follow(stage)
    dead(stage, money_rows(stage, number)[1], "REFUND_EXCEEDS")


@pytest.mark.scenario("CRN-15")
def test_an_order_cancelled_before_it_shipped_credits_nothing_though_its_money_had_been_taken(stage: Stage) -> None:
    number = bought(stage, 2)
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.work()
    stage.sweep(3)
    assert stage.row(number).state == "cancelled", stage.row(number).reason
    for kind in ("CAPTURE", "REFUND"):  # the capture had been on its way
        at_the_provider(stage, number, kind, "40.95")
    stage.hint(number)
    stage.work()
    follow(stage)
    row = money_row(stage, number)
    assert (row.state, all_memos(stage)) == ("observed", [])
    assert "was cancelled before anything was shipped or invoiced" in row.reason


@pytest.mark.scenario("RET-06")
def test_a_return_without_a_refund_credits_nothing(stage: Stage) -> None:
    number = sold(stage, 2)
    made = send_back(stage, number)
    follow(stage)
    come_back(stage, made)
    stage.sweep(10, every=600)
    assert (money_rows(stage, number), all_memos(stage)) == ([], [])


def test_a_pending_refund_waits_and_is_a_case_after_its_promise_and_then_is_credited(stages: OpenStage) -> None:
    stage = stages()
    number = sold(stage, 2)
    stage.centra.switches.capture_settles_after = timedelta(days=6).total_seconds()
    stage.centra.refund(int(number), Decimal("6.00"), "slow provider")
    paid = stage.clock.now()
    follow(stage)
    row = money_row(stage, number)
    assert (row.state, row.source_status, all_memos(stage)) == ("held", "pending", [])
    stage.clock.sleep(timedelta(days=5, hours=1).total_seconds())
    stage.sweep(2)
    case = the_case(stage, money_row(stage, number), "REFUND_PENDING")
    assert f"{paid:%Y-%m-%d %H:%M} UTC" in case.message, "Centra's own zone is not ours"
    assert money_row(stage, number).state == "held"
    stage.clock.sleep(timedelta(days=1).total_seconds())
    stage.sweep(4)
    credited(stage, money_row(stage, number), "6.00")


def test_a_refund_that_fails_before_its_memo_is_only_observed(stage: Stage) -> None:
    number = sold(stage, 2)
    stage.centra.faults.plan("settlement-fails", operation="settlement")
    paid_back(stage, number, "6.00")
    follow(stage)
    row = money_row(stage, number)
    assert (row.state, row.source_status, all_memos(stage)) == ("observed", "failed", [])


@pytest.mark.scenario("CRN-12")
def test_a_refund_that_fails_after_its_memo_is_reversing_work_that_names_the_memo(stage: Stage) -> None:
    row = reversed_after_memo(stage)
    case = dead(stage, row, "CREDIT_REVERSAL")
    (memo,) = memos(stage, row.number)
    assert memo["number"] in case.message
    assert memo["state"] == "posted"  # nothing is deleted, and nothing reversed by itself
    stage.clock.sleep(2)
    by_hand(stage, "account.invoice", memo["id"], "cancel")
    stage.clock.sleep(300)
    follow(stage, times=4)
    assert row_of(stage, "refund", row.number).state == "cancelled"
    assert stage.open_cases() == []


def reversed_after_memo(stage: Stage) -> Any:
    """A refund that was settled and credited, and that its provider then takes back."""
    number = sold(stage, 2)
    paid_back(stage, number, "6.00")
    follow(stage)
    credited(stage, money_row(stage, number), "6.00")
    fail(stage, number)
    stage.hint(number)
    stage.work()
    follow(stage)
    return money_row(stage, number)


# -------------------------------------------------------------------------------------- orders that are not there


def test_a_refund_of_an_order_that_is_not_proven_waits_for_it_and_is_a_case_after_a_while(stage: Stage) -> None:
    number = sold(stage, 2)
    done = stage.row(number).done_at
    order = Key("brand", "order", number)
    stand(stage, order, state="dead", done_at=None)
    paid_back(stage, number, "6.00")
    follow(stage)
    row = money_row(stage, number)
    assert (row.state, row.order_number) == ("held", number)
    assert row.reason.startswith(f"waits: order {number} is not proven in the ERP yet")
    stage.clock.sleep(timedelta(hours=5).total_seconds())
    stage.sweep(2)
    the_case(stage, money_row(stage, number), "CREDIT_WAITS_FOR_ORDER")
    stand(stage, order, state="proven", done_at=done)
    stage.clock.sleep(1000)
    stage.sweep(4)
    credited(stage, money_row(stage, number), "6.00")


def test_an_order_that_a_person_closed_is_credited_by_a_person(stage: Stage) -> None:
    number = sold(stage, 2)
    stand(stage, Key("brand", "order", number), state="seen")
    with stage.store.write() as tx:
        tx.connection.exec_driver_sql(
            "DROP TRIGGER job_erp_ref_once" + (" ON job" if stage.store.engine.dialect.name == "postgresql" else "")
        )
    stand(stage, Key("brand", "order", number), state="closed", erp_ref=None, reason="entered by hand as SO99")
    paid_back(stage, number, "6.00")
    follow(stage)
    case = dead(stage, money_row(stage, number), "CREDIT_MISSING")
    assert "entered by hand as SO99" in case.message
    assert "goodwill 6.00 GBP; total 6.00 GBP" in case.message

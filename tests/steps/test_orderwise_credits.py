"""Credits posted into OrderWise by orders of type 4, whatever befalls the call: one credit of the refund, or one exception."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS
from stage import Stage, example
from steps.back import cases_of, money_row, paid_back
from steps.looking import run_feed

from integration import casework
from integration.sandbox.centra_orders import BasketLine

BEFORE = ("error-before", "timeout-before", "not-json", "throttled")
AFTER = ("error-after", "timeout-after", "drop-after", "late", "slow")


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(erps=("orderwise",))
    made.orderwise.switches.change({"credit_by_order": True})
    told = example("orderwise", stock=False).replace('trigger = "schedule"', 'trigger = "event"')
    assert told.count('strategy = "off"') == 1
    made.apply(told.replace('strategy = "off"', 'strategy = "credit order"'), "orderwise")
    yield made
    made.store.close()


def refunded(stage: Stage, fault: str = "", times: int = 1) -> Any:
    """The row of a goodwill of 12.00 on an order that has left, when all is done that can be done within two hours."""
    number = stage.order(lines=[BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)])
    stage.hint(number)
    stage.sweep(2)
    stage.orderwise.ship(f"centra-{number}")
    run_feed(stage, "dispatches", "orderwise")
    stage.sweep(4)
    if fault:
        stage.orderwise.faults.plan(fault, "create_credit", times=times)
    paid_back(stage, number, "12.00")
    run_feed(stage, "refunds", "brand")
    stage.sweep(10, every=600)
    assert not fault or stage.orderwise.faults.fired[fault] == times
    return money_row(stage, number)


def credits(stage: Stage) -> list[dict[str, Any]]:
    return list(stage.orderwise.books()["credits"])


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER, "queued"])
def test_whatever_befalls_the_call_there_is_one_credit_of_the_refund_to_the_minor_unit(
    stage: Stage, fault: str
) -> None:
    row = refunded(stage, fault)
    assert (row.state, cases_of(stage, row)) == ("proven", []), row.reason
    (made,) = credits(stage)
    assert [Decimal(made[name]) for name in ("net", "tax", "gross")] == [Decimal(10), Decimal(2), Decimal(12)]
    assert (made["reference"], made["posted"]) == (f"refund-{row.number}", True)


@pytest.mark.parametrize(
    ("fault", "type", "made"), [("refused", "CREDIT_REJECTED_BY_ERP", 0), ("recalculated", "CREDIT_MISMATCH", 1)]
)
def test_a_credit_that_is_refused_or_costs_another_penny_is_one_exception_with_an_owner(
    stage: Stage, fault: str, type: str, made: int
) -> None:
    row = refunded(stage, fault)
    assert row.state == "dead"
    (case,) = cases_of(stage, row)
    assert (case.type, bool(case.owner), len(credits(stage))) == (type, True, made)


def test_a_credit_that_was_accepted_and_never_imported_is_posted_again_by_nobody_but_a_person(stage: Stage) -> None:
    row = refunded(stage, "import-fails")
    (case,) = cases_of(stage, row)
    assert (row.state, case.type, credits(stage)) == ("dead", "EFFECT_IN_DOUBT", [])
    assert "was accepted without an id and is not there" in case.message
    casework.replay(stage.world, [case.id], "ann", "its import has failed")
    stage.sweep(10, every=600)
    row = money_row(stage, row.order_number)
    assert (row.state, cases_of(stage, row), len(credits(stage))) == ("proven", [], 1)


def test_an_orderwise_that_knows_no_number_again_still_gets_a_credit_once(stage: Stage) -> None:
    stage.orderwise.switches.change({"duplicate": "another"})
    assert refunded(stage, "timeout-after").state == "proven"
    assert len(credits(stage)) == 1

"""What OrderWise has no call for: the work-list says all that a person needs to key, and what was keyed reads back equal."""

import json
import urllib.error
from collections.abc import Callable
from decimal import Decimal
from email.message import Message
from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS
from stage import Stage

from integration import casework
from integration.erp.orderwise.client import sql_of
from integration.sandbox.call import call
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.store import exceptions
from tasks import demo_clerk
from tasks.demo_clerk import Clerk, asked_for, credit_of, return_of

Asked = tuple[str, dict[str, Any]]


@pytest.fixture
def stage():
    made = Stage(erps=("orderwise",))
    yield made
    made.store.close()


def until(stage: Stage, holds: Callable[[], Any]) -> Any:
    """Sweep, a minute at a time, until it is true."""
    for _ in range(90):
        if found := holds():
            return found
        stage.sweep(every=60)
    raise AssertionError([(row.kind, row.state, row.reason) for kind in ("order", "shipment", "return", "refund")
                          for row in stage.rows(kind)])  # fmt: skip


def shown(stage: Stage, **terms: Any) -> str:
    """An order that was posted, has left, is shown in Centra and paid for."""
    number = stage.order(lines=[BasketLine(SHIRT, 3), BasketLine(SOCKS, 2)], **terms)
    stage.hint(number)
    until(stage, lambda: stage.row(number).state == "proven")
    stage.orderwise.ship(f"centra-{number}")
    until(stage, lambda: [row for row in stage.rows("shipment") if row.state == "proven"])
    stage.sweep(3, every=60)  # its money is captured
    return number


def keyed(
    stage: Stage, type: str, reads: Callable[[str], Asked | None], spelt: Callable[[str], str] | None = None
) -> None:
    """A person keys what the open case of a type says, and nothing else, and presses Replay. `spelt`: as they spell a reference."""
    (case,) = until(stage, lambda: [case for case in stage.open_cases() if case.type == type])
    asked = reads(case.message)
    assert asked, case.message
    if spelt:
        asked[1]["reference"] = spelt(asked[1]["reference"])
    answer = call(stage.orderwise.app, "POST", asked[0], json.dumps(asked[1]).encode())
    assert answer.status == 200, answer.body
    casework.replay(stage.world, [case.id], "clerk", "keyed by hand")
    stage.work()


@pytest.mark.parametrize("market", [8, 9])
def test_a_return_keyed_from_its_case_is_received_and_its_refund_credited_from_the_other_one(
    stage: Stage, market: int
) -> None:
    number = shown(stage, market_id=market)
    (made,) = stage.centra.return_items(int(number), {SHIRT: 2, SOCKS: 1}, return_cost=Decimal("1.90"))
    keyed(stage, "RETURN_NOT_ANNOUNCED", return_of)
    stage.orderwise.receive_return(f"return-{made}", "restock")
    until(stage, lambda: stage.rows("return")[0].state == "proven")
    stage.centra.refund_return(made)
    keyed(stage, "CREDIT_MISSING", credit_of)
    until(stage, lambda: stage.rows("refund")[0].state == "proven")
    assert stage.open_cases() == []


def test_what_was_keyed_in_another_spelling_is_found_and_is_keyed_no_second_time(stage: Stage) -> None:
    number = shown(stage)
    (made,) = stage.centra.return_items(int(number), {SHIRT: 1})
    keyed(stage, "RETURN_NOT_ANNOUNCED", return_of, lambda reference: f"{reference.upper()} ")
    (there,) = stage.orderwise.books()["returns"]
    assert there["reference"] == f"RETURN-{made} "
    stage.orderwise.receive_return(there["id"], "restock")
    until(stage, lambda: stage.rows("return")[0].state == "proven")
    stage.centra.refund_return(made)
    keyed(stage, "CREDIT_MISSING", credit_of, lambda reference: f"{reference.capitalize()} ")
    until(stage, lambda: stage.rows("refund")[0].state == "proven")
    assert (len(stage.orderwise.books()["credits"]), stage.open_cases()) == (1, [])


def test_goodwill_is_credited_from_its_case(stage: Stage) -> None:
    number = shown(stage)
    stage.centra.refund(int(number), Decimal("7.77"), "goodwill")
    keyed(stage, "CREDIT_MISSING", credit_of)
    until(stage, lambda: stage.rows("refund")[0].state == "proven")
    assert stage.open_cases() == []


def test_a_credit_without_a_currency_is_a_case_of_its_own_and_ends_when_it_can_be_read(stage: Stage) -> None:
    number = shown(stage)
    sql, id = sql_of("credits"), stage.world.erp("orderwise").profile.exports["credits"]
    stage.orderwise.paste_export(
        id, sql.replace("c.ch_currency AS", "CASE c.ch_gross WHEN 5 THEN NULL ELSE c.ch_currency END AS")
    )
    stage.centra.refund(int(number), Decimal("5.00"), "goodwill")
    keyed(stage, "CREDIT_MISSING", credit_of)
    (case,) = until(stage, lambda: [case for case in stage.open_cases() if case.type == "CREDIT_MISMATCH"])
    assert "currency: we have GBP" in case.message
    stage.centra.refund(int(number), Decimal("7.77"), "goodwill")
    keyed(stage, "CREDIT_MISSING", credit_of)
    until(stage, lambda: [row.state for row in stage.rows("refund")] == ["dead", "proven"])
    stage.orderwise.paste_export(id, sql)
    casework.replay(stage.world, [case.id], "clerk", "OrderWise tells its currency now")
    until(stage, lambda: {row.state for row in stage.rows("refund")} == {"proven"})
    assert stage.open_cases() == []


def test_what_a_voucher_took_off_goods_is_off_the_amounts_to_key_and_what_was_keyed_so_is_the_refund(
    stage: Stage,
) -> None:
    number = shown(stage, vouchers=(VoucherUse("LOYAL15"),))
    (made,) = stage.centra.return_items(int(number), {SHIRT: 1})
    stage.centra.refund_return(made)
    keyed(stage, "RETURN_NOT_ANNOUNCED", return_of)
    keyed(stage, "CREDIT_MISSING", credit_of)
    until(stage, lambda: stage.rows("refund")[0].state == "proven")


def test_a_credit_that_gives_a_voucher_back_is_left_to_finance() -> None:
    said = "under the reference refund-1-2, against sales order 3601 (centra-1): Given back as a voucher -5.00 GBP without tax"
    assert credit_of(f"{said}; Goodwill 7.00 GBP at 20 %, net 5.83 GBP; total 2.00 GBP") is None


def test_a_cancellation_keyed_from_its_case_is_followed_in_both(stage: Stage) -> None:
    number = stage.order(lines=[BasketLine(SHIRT, 3)])
    stage.hint(number)
    until(stage, lambda: stage.row(number).state == "proven")
    stage.orderwise.hold(f"centra-{number}")  # the warehouse was told before the parcel left
    stage.centra.cancel(int(number), "changed my mind")
    words = {"type": "ORDER_CANCEL_TOO_LATE", "number": number}
    keyed(stage, words["type"], lambda message: asked_for(words | {"message": message}))
    until(stage, lambda: stage.row(number).state == "cancelled")
    assert stage.orderwise.books()["orders"][0]["status"] == "Cancelled"
    assert stage.open_cases() == []


class Shop:
    """What the clerk of the demo has in hand: OrderWise's screens, and a button Replay that shows nothing new."""

    orderwise_url = "https://orderwise.test"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def ask(self, base: str, path: str, body: Any) -> Any:
        answer = call(self.stage.orderwise.app, "POST", path, json.dumps(body).encode())
        if answer.status != 200:
            raise urllib.error.HTTPError(base + path, answer.status, "refused", Message(), None)

    def lockstep(self, *words: str) -> str:
        return ""


def test_only_what_the_plan_leaves_counts_as_planned_and_not_what_the_clerk_could_not_key(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_clerk, "AGAIN", 0.0)
    number = stage.order(lines=[BasketLine(SHIRT, 3)])
    stage.hint(number)
    until(stage, lambda: stage.row(number).state == "proven")
    stage.orderwise.hold(f"centra-{number}")
    said = "1 × LS101NVM of order line 1, under the reference return-1, against sales order 999999"
    about = {"instance": "brand", "connection": "orderwise"}
    cases = {
        "says nothing to key": ("RETURN_NOT_ANNOUNCED", "goods came back", {}),
        "left by the plan": ("RETURN_NOT_ANNOUNCED", said, {}),
        "refused by OrderWise": ("RETURN_NOT_ANNOUNCED", said, {}),
        "keyed and never seen": ("ORDER_CANCEL_TOO_LATE", "cancel it", {"job_id": stage.row(number).id}),
    }
    with stage.store.write() as tx:
        ids = {
            name: exceptions.open_case(tx, stage.world.case(type, name, message, **about, **more))
            for name, (type, message, more) in cases.items()
        }
    clerk = Clerk(Shop(stage))
    looks = [clerk.work(stage.store) for _ in range(demo_clerk.PRESSES)]
    assert looks == [True] * (demo_clerk.PRESSES - 1) + [False]
    assert clerk.spared == {ids["left by the plan"]: "RETURN_NOT_ANNOUNCED"}
    assert clerk.given_up == set(ids.values()) - clerk.spared.keys()

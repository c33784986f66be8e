"""Accepted is not proven: what the ERP makes of an order is read back, now and later."""

from dataclasses import replace

import pytest
from stage import Stage
from steps.looking import (
    assert_case,
    assert_proven,
    book,
    case_by_id,
    case_of,
    created,
    history,
    run_feed,
)

from integration import orders
from integration.domain.order import Key
from integration.sandbox.call import call
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.fulfil_access import TOKEN
from integration.store import ledger, proofs


def posted(stage: Stage, fault: str = "", **terms: object) -> str:
    if fault:
        stage.fulfil.faults.plan(fault, operation="create_order")
    number = stage.order(**terms)
    stage.hint(number)
    stage.work()
    if fault:
        assert stage.fulfil.faults.fired[fault] == 1
    return number


def back_check(stage: Stage) -> None:
    run_feed(stage, "back_check", "fulfil")
    stage.sweep(2)


def by_hand(stage: Stage, number: str, *methods: str, **words: object) -> None:
    """A person in Fulfil calls methods of an order's sale, then changes it."""
    stage.clock.sleep(2)
    sale = max(stage.sales(number), key=lambda s: s["id"])
    for method in methods:
        answer = call(
            stage.fulfil.app, "PUT", f"/api/v2/model/sale.sale/{sale['id']}/{method}", headers={"X-API-KEY": TOKEN}
        )
        assert answer.status == 200, answer.body
    if words:
        row = stage.fulfil._records.get("sale.sale", sale["id"])
        stage.fulfil._records.update("sale.sale", row, words)


@pytest.mark.scenario("ORD-05")
def test_an_order_held_back_by_a_channel_exception_is_a_case_at_once(stage: Stage) -> None:
    number = posted(stage, "channel-exception")
    case = assert_case(stage, number, "ORDER_STUCK_IN_ERP")
    assert case.money_minor == stage.row(number).total_minor
    assert case.currency == "GBP"
    assert stage.sales(number)[0]["state"] == "draft"


def test_a_stuck_order_that_operations_frees_in_fulfil_closes_its_case_by_itself(stage: Stage) -> None:
    number = posted(stage, "channel-exception")
    case = assert_case(stage, number, "ORDER_STUCK_IN_ERP")
    by_hand(stage, number, "quote", "confirm", "process", has_channel_exception=False)
    back_check(stage)
    assert_proven(stage, number)
    assert case_by_id(stage, case.id).state == "resolved"


def test_an_order_that_stays_a_draft_for_ten_minutes_is_stuck(stage: Stage) -> None:
    stage.fulfil.switches.change({"process": "stay-draft"})
    number = posted(stage)
    stage.sweep(19)
    assert stage.row(number).state == "posted"
    stage.sweep(2)
    assert_case(stage, number, "ORDER_STUCK_IN_ERP")


@pytest.mark.scenario("MON-03")
@pytest.mark.parametrize("seed", [1, 3])
def test_an_erp_that_recalculates_is_caught_and_the_component_named(stage: Stage, seed: int) -> None:
    for _ in range(seed):
        stage.fulfil._routes._orders._random.random()  # another line, or its tax
    number = posted(stage, "recalculated", lines=[BasketLine("LS101NVM", 2), BasketLine("KD202NVS", 1)])
    case = assert_case(stage, number, "ORDER_ERP_RECALCULATED")
    assert any(word in case.cause for word in ("line net", "untaxed", "tax"))
    assert "GBP" in case.message
    with stage.store.read() as tx:
        proof = proofs.latest(tx, stage.row(number).id)
    assert not proof.equal
    assert created(stage, number) == 1


def test_a_recalculated_order_that_is_corrected_in_the_erp_is_proved_and_not_posted_twice(stage: Stage) -> None:
    number = posted(stage, "recalculated")
    case = assert_case(stage, number, "ORDER_ERP_RECALCULATED")
    sale = stage.sales(number)[0]
    records = stage.fulfil._records
    draft = stage.world.erp("fulfil").compose(*orders.reread(_job(stage, number), stage.world)[:2])
    for line in records.find("sale.line", "sale", sale["id"]):
        words = {part["channel_identifier"]: part for part in draft.request["order"]["sale_lines"]}
        words |= {part["channel_identifier"]: part for part in draft.request["order"]["shipping_lines"]}
        told = words[line["channel_identifier"]]
        line["amount"] = told["amount"]
        line["tax_amount"] = sum(tax["amount"] for tax in told["tax_lines"])
    stage.clock.sleep(2)
    row = records.get("sale.sale", sale["id"])
    stage.fulfil._routes._orders.total(row, row["channel_tax_amount"])
    records.update("sale.sale", row, {"reference": row["reference"]})
    replay(stage, number)
    assert_proven(stage, number)
    assert created(stage, number) == 1
    assert case_by_id(stage, case.id).resolution.startswith("verified")


def _job(stage: Stage, number: str) -> ledger.Job:
    row = stage.row(number)
    return ledger.Job(row, row.fence, 0, "test", stage.clock.now())


def replay(stage: Stage, number: str) -> None:
    with stage.store.write() as tx:
        ledger.wake(tx, [stage.row(number).id], "operator", "replayed by a test")
    stage.sweep(2)


@pytest.mark.scenario("MON-20")
@pytest.mark.parametrize("off_by", [1, -1, 500])
def test_an_order_that_does_not_add_up_is_not_sent_and_the_arithmetic_is_shown(stage: Stage, off_by: int) -> None:
    number = posted(stage, off_by=off_by)
    case = assert_case(stage, number, "ORDER_TOTAL_INCONSISTENT")
    assert str(book(stage, number)["grand_total"]) in case.message
    assert "sum to" in case.message
    assert stage.sales(number) == []


@pytest.mark.scenario("MON-19")
def test_a_total_changed_by_hand_after_the_proof_is_found(stage: Stage) -> None:
    number = posted(stage)
    assert_proven(stage, number)
    total = stage.fulfil._records.rows["sale.sale"][1]["total_amount"]
    by_hand(stage, number, total_amount=total + 1)
    back_check(stage)
    case = assert_case(stage, number, "ORDER_CHANGED_AFTER_POST")
    assert "total" in case.cause
    by_hand(stage, number, total_amount=total)
    back_check(stage)
    assert_proven(stage, number)


def test_an_order_cancelled_by_hand_in_fulfil_alone_is_a_case(stage: Stage) -> None:
    number = posted(stage)
    assert_proven(stage, number)
    stage.fulfil.switches.change({"cancel_processing": "always"})
    by_hand(stage, number, "cancel")
    back_check(stage)
    case = assert_case(stage, number, "ORDER_CHANGED_AFTER_POST")
    assert case.cause == "cancelled in the ERP"


def test_a_touch_that_changes_no_component_is_proved_again_in_silence(stage: Stage) -> None:
    number = posted(stage)
    by_hand(stage, number, comment="call before delivery")
    back_check(stage)
    assert_proven(stage, number)
    assert stage.open_cases() == []


def post_a_stranger(stage: Stage, number: str, as_number: str, channel: int | None = None) -> None:
    """Somebody posts a copy of an order under another reference of our form, or in another channel."""
    order, mapping, erp = orders.reread(_job(stage, number), stage.world)
    draft = erp.compose(replace(order, key=Key("brand", "order", as_number)), mapping)
    if channel is not None:
        draft = replace(draft, request={**draft.request, "channel": channel})
    erp.order_write(draft).send()


def test_a_sales_order_under_our_reference_that_centra_does_not_know_is_a_phantom(stage: Stage) -> None:
    number = posted(stage)
    post_a_stranger(stage, number, "999")
    back_check(stage)
    back_check(stage)
    (case,) = stage.open_cases()
    assert (case.type, case.owner, case.number) == ("ORDER_UNKNOWN_IN_CENTRA", "Operations", "999")
    assert case.cause == "centra-999"
    assert_proven(stage, number)


def test_a_phantom_that_is_cancelled_in_the_erp_closes_its_case(stage: Stage) -> None:
    number = posted(stage)
    post_a_stranger(stage, number, "999")
    back_check(stage)
    back_check(stage)
    (case,) = stage.open_cases()
    stage.fulfil.switches.change({"cancel_processing": "always"})
    by_hand(stage, "999", "cancel")
    back_check(stage)
    assert stage.open_cases() == []
    assert history(stage, case.id)[-1][0] == "resolved"


def test_two_sales_orders_under_one_reference_are_a_suspected_duplicate(stage: Stage) -> None:
    number = posted(stage)
    assert_proven(stage, number)
    records = stage.fulfil._records
    copy = dict(records.rows["sale.sale"][1])
    stage.clock.sleep(2)
    for name in ("id", "rec_name", "create_date", "write_date"):
        copy.pop(name, None)
    made = records.insert("sale.sale", copy | {"number": "SO99999"})
    records.update("sale.sale", records.get("sale.sale", 1), {"reference": "touched"})
    back_check(stage)
    case = assert_case(stage, number, "ORDER_DUPLICATE_SUSPECT")
    assert str(made["id"]) in case.message
    assert case_of(stage, number).id == case.id

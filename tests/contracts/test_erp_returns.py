"""Goods that come back, as every ERP adapter must announce them and tell what became of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from erp_benches import Bench, return_of

from integration.domain.order import Order
from integration.domain.returns import InspectedLine, Receipt
from integration.errors import Rejected, Unavailable, Unknown, Unmapped
from integration.ports import Write
from integration.sandbox.centra_orders import BasketLine, VoucherUse

SHIRT, SOCKS = "LS101NVS", "LS106NVM"


def shipped(bench: Bench, **terms: Any) -> tuple[Order, str]:
    lines = {"lines": [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]}
    order, ref = bench.posted(**(lines | terms))
    bench.ship(bench.erp.reference(order.number))
    bench.stage.clock.sleep(3600)
    return order, ref


def announced(bench: Bench, order: Order, ref: str, pieces: dict[str, int], number: str = "31") -> Write:
    return bench.erp.open_return(return_of(order, number, pieces), ref, bench.mapping)


def receipts(bench: Bench, number: str = "31") -> Sequence[Receipt]:
    reference = bench.erp.return_reference(number)
    return bench.erp.receipts([reference], bench.mapping)[reference]


def returns_in_erp(bench: Bench, number: str = "31") -> list[dict[str, Any]]:
    return bench.announced(bench.erp.return_reference(number))


@pytest.mark.scenario("RET-13")
def test_a_return_is_announced_with_exactly_its_pieces_and_no_value(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    write = announced(bench, order, ref, {SOCKS: 2})
    assert write.find() == []
    made = write.send()
    (booked,) = returns_in_erp(bench)
    assert (str(booked["id"]), booked["pieces"], booked["value"]) == (made, {SOCKS: 2}, 0)
    (receipt,) = receipts(bench)
    assert (receipt.life, receipt.lines) == ("expected", (InspectedLine(SOCKS, 2),))
    assert receipt.received_at is None


@pytest.mark.parametrize("fault", ["timeout-after", "drop-after", "error-after"])
def test_a_time_out_after_the_announcement_is_unknown_and_the_return_is_found(announcing: Bench, fault: str) -> None:
    bench = announcing
    order, ref = shipped(bench)
    write = announced(bench, order, ref, {SHIRT: 1})
    bench.fault(fault, bench.calls["return"])
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == [str(booked["id"]) for booked in returns_in_erp(bench)]
    assert len(returns_in_erp(bench)) == 1


def test_throttling_surely_announced_nothing(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    bench.fault("throttled", bench.calls["return"], seconds=7)
    with pytest.raises(Unavailable):
        announced(bench, order, ref, {SHIRT: 1}).send()
    assert returns_in_erp(bench) == []


def test_more_than_was_shipped_is_refused_in_business_terms(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    with pytest.raises(Rejected) as raised:
        announced(bench, order, ref, {SHIRT: 3}).send()
    assert raised.value.type == "RETURN_REJECTED_BY_ERP"
    assert raised.value.evidence
    assert returns_in_erp(bench) == []


def test_a_line_that_the_sales_order_does_not_have_is_refused_before_anything_is_sent(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    document = return_of(order, "31", {SHIRT: 1})
    strange = replace(document, lines=(replace(document.lines[0], order_line="999999"),))
    with pytest.raises(Rejected) as raised:
        bench.erp.open_return(strange, ref, bench.mapping).send()
    assert raised.value.type == "RETURN_REJECTED_BY_ERP"
    assert returns_in_erp(bench) == []


def test_two_returns_of_one_line_are_two_documents_and_never_more_than_was_sold(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    announced(bench, order, ref, {SOCKS: 2}, "31").send()
    announced(bench, order, ref, {SOCKS: 1}, "32").send()
    assert [receipts(bench, number)[0].lines for number in ("31", "32")] == [
        (InspectedLine(SOCKS, 2),),
        (InspectedLine(SOCKS, 1),),
    ]
    with pytest.raises(Rejected):
        announced(bench, order, ref, {SOCKS: 1}, "33").send()


def test_a_line_that_no_unit_price_gives_exactly_can_be_returned_piece_by_piece(announcing: Bench) -> None:
    bench = announcing
    coarse = replace(bench.mapping, options={**bench.mapping.options, "unit_price_decimals": 0})
    order = bench.order(lines=[BasketLine(SOCKS, 7)], vouchers=[VoucherUse("STAFF333")])
    ref = bench.erp.order_write(bench.erp.compose(order, coarse)).send()
    bench.ship(bench.erp.reference(order.number))
    for number in range(31, 38):
        announced(bench, order, ref, {SOCKS: 1}, str(number)).send()
    with pytest.raises(Rejected):
        announced(bench, order, ref, {SOCKS: 1}, "40").send()


def test_received_is_not_inspected_and_inspected_says_what_became_of_every_piece(bench: Bench) -> None:
    order, ref = shipped(bench)
    bench.announce(order, ref, {SHIRT: 2, SOCKS: 3}, "31")
    bench.stage.clock.sleep(86_400 * 3)
    arrived_at = bench.stage.clock.now()
    bench.receive(bench.erp.return_reference("31"))
    (receipt,) = receipts(bench)
    assert receipt.life == "received"
    assert set(receipt.lines) == {InspectedLine(SHIRT, 2), InspectedLine(SOCKS, 3)}
    assert receipt.received_at == (arrived_at if bench.tells_arrival else None)
    bench.stage.clock.sleep(3600)
    bench.inspect(bench.erp.return_reference("31"), {SHIRT: "quarantine", SOCKS: {"restock": 2, "scrap": 1}})
    (after,) = receipts(bench)
    assert after.life == "inspected"
    assert set(after.lines) == {
        InspectedLine(SHIRT, 2, "quarantine"),
        InspectedLine(SOCKS, 2, "restock"),
        InspectedLine(SOCKS, 1, "scrap"),
    }
    assert after.received_at == receipt.received_at
    assert after.stamp != receipt.stamp


def test_what_did_not_arrive_stays_expected(bench: Bench) -> None:
    order, ref = shipped(bench)
    bench.announce(order, ref, {SOCKS: 3}, "31")
    bench.receive(bench.erp.return_reference("31"), "restock", {SOCKS: 1})
    found = sorted(receipts(bench), key=lambda receipt: receipt.life)
    assert [(receipt.life, receipt.lines) for receipt in found] == [
        ("expected", (InspectedLine(SOCKS, 2),)),
        ("inspected", (InspectedLine(SOCKS, 1, "restock"),)),
    ]


def test_a_tenant_whose_inspection_nobody_knows_tells_receipts_only(bench: Bench) -> None:
    blind = replace(bench.mapping, returns=replace(bench.mapping.returns, inspection="off"))
    order, ref = shipped(bench)
    bench.announce(order, ref, {SOCKS: 1}, "31")
    bench.receive(bench.erp.return_reference("31"), "restock")
    reference = bench.erp.return_reference("31")
    (receipt,) = bench.erp.receipts([reference], blind)[reference]
    assert (receipt.life, receipt.lines) == ("received", (InspectedLine(SOCKS, 1),))


def test_goods_put_where_the_mapping_knows_no_disposition_name_the_missing_row(announcing: Bench) -> None:
    bench = announcing
    poor = replace(bench.mapping, returns=replace(bench.mapping.returns, dispositions={}))
    order, ref = shipped(bench)
    bench.announce(order, ref, {SOCKS: 1}, "31")
    bench.receive(bench.erp.return_reference("31"), "restock")
    with pytest.raises(Unmapped) as raised:
        bench.erp.receipts([bench.erp.return_reference("31")], poor)
    assert raised.value.type == "RETURN_DISPOSITION_UNMAPPED"


def test_an_expected_return_can_be_withdrawn_once_however_often_it_is_asked(announcing: Bench) -> None:
    bench = announcing
    order, ref = shipped(bench)
    made = announced(bench, order, ref, {SOCKS: 1}).send()
    cancel = bench.erp.cancel_return(bench.erp.return_reference("31"), made)
    assert cancel.find() == []
    assert [cancel.send(), cancel.send(), *cancel.find()] == [made] * 3
    assert {receipt.life for receipt in receipts(bench)} == {"cancelled"}
    announced(bench, order, ref, {SOCKS: 3}, "32").send()  # its pieces are free again


def test_what_has_arrived_is_not_withdrawn(bench: Bench) -> None:
    order, ref = shipped(bench)
    made = bench.announce(order, ref, {SOCKS: 1}, "31")
    bench.receive(bench.erp.return_reference("31"))
    with pytest.raises(Rejected) as raised:
        bench.erp.cancel_return(bench.erp.return_reference("31"), made).send()
    assert raised.value.type == "RETURN_CANCELLED_LATE"
    assert receipts(bench)[0].life == "received"


def test_receipts_that_changed_are_listed_by_our_reference(bench: Bench) -> None:
    order, ref = shipped(bench)
    bench.announce(order, ref, {SOCKS: 1}, "31")
    bench.stage.clock.sleep(60)
    since = bench.stage.clock.now()
    assert bench.erp.received_since(since - timedelta(days=1)) == []
    bench.stage.clock.sleep(1)
    bench.receive(bench.erp.return_reference("31"))
    (hint,) = bench.erp.received_since(since)
    assert (hint.ref, hint.stamp) == (bench.erp.return_reference("31"), receipts(bench)[0].stamp)
    bench.stage.clock.sleep(1)
    later = bench.stage.clock.now()
    bench.stage.clock.sleep(1)
    bench.inspect(bench.erp.return_reference("31"))
    assert [each.ref for each in bench.erp.received_since(later)] == [hint.ref]


def test_references_nobody_has_announced_stand_for_nothing(bench: Bench) -> None:
    wanted = [bench.erp.return_reference(str(n)) for n in range(5000, 5250)]  # more than one page
    assert bench.erp.receipts(wanted, bench.mapping) == {reference: [] for reference in wanted}


def test_where_a_person_keys_returns_the_write_says_all_there_is_to_key_and_adopts_what_was_keyed(
    keyed_returns: Bench,
) -> None:
    bench = keyed_returns
    order, ref = shipped(bench)
    write = announced(bench, order, ref, {SHIRT: 1, SOCKS: 2})
    with pytest.raises(Rejected) as raised:
        write.send()
    assert raised.value.type == "RETURN_NOT_ANNOUNCED"
    for word in ("return-31", ref, f"1 × {SHIRT}", f"2 × {SOCKS}"):
        assert word in str(raised.value)
    assert write.find() == []
    keyed = bench.announce(order, ref, {SHIRT: 1, SOCKS: 2}, "31")
    assert [write.send(), *write.find()] == [keyed, keyed]
    (receipt,) = receipts(bench)
    assert (receipt.life, set(receipt.lines)) == ("expected", {InspectedLine(SHIRT, 1), InspectedLine(SOCKS, 2)})

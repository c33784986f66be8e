"""People key our references into OrderWise, and SQL Server finds them in any case and with spaces behind them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from erp_benches import SHIRT, Bench, sold
from erps.orderwise.bench import bench as made


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    yield found
    found.stage.store.close()


@pytest.mark.parametrize("keyed", ["Refund-1-81", "refund-1-81 ", "REFUND-1-81  "])
def test_a_credit_in_another_spelling_is_ours_under_our_own(bench: Bench, keyed: str) -> None:
    order, _ = sold(bench)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    id = bench.credit_by_hand(bench.erp.reference(order.number), {SHIRT: 1}, keyed)
    (memo,) = bench.erp.memos(["refund-1-80", "refund-1-81"])["refund-1-81"]
    assert (memo.ref, memo.reference) == (str(id), "refund-1-81")
    (hint,) = bench.erp.memos_since(since)
    assert (hint.ref, hint.stamp, bench.erp.refund_number(keyed)) == ("refund-1-81", memo.stamp, "1-81")


@pytest.mark.parametrize("keyed", ["Return-31", "return-31 ", "RETURN-31  "])
def test_a_return_in_another_spelling_is_ours_under_our_own(bench: Bench, keyed: str) -> None:
    _, ref = sold(bench)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    id = bench.stage.orderwise.raise_return(int(ref), {SHIRT: 1}, keyed)
    bench.receive(id)
    (receipt,) = bench.erp.receipts(["return-30", "return-31"], bench.mapping)["return-31"]
    assert (receipt.ref, receipt.reference, receipt.life) == (str(id), "return-31", "received")
    (hint,) = bench.erp.received_since(since)
    assert (hint.ref, hint.stamp, bench.erp.return_number(keyed)) == ("return-31", receipt.stamp, "31")


def test_a_space_before_a_reference_makes_it_another_one_and_its_credit_a_strangers(bench: Bench) -> None:
    order, _ = sold(bench)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    bench.credit_by_hand(bench.erp.reference(order.number), {SHIRT: 1}, " refund-1-81")
    assert bench.erp.memos(["refund-1-81"]) == {"refund-1-81": []}
    assert [(hint.ref, hint.order_number) for hint in bench.erp.memos_since(since)] == [("", order.number)]

"""Credits that cannot be read: a stranger's is nobody's business, one of ours is never equal, and the others are read."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from erp_benches import SHIRT, SOCKS, Bench, refund_of, sold
from erps.orderwise.bench import bench as made

from integration.domain.proof import compare
from integration.ports import Draft


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    yield found
    found.stage.store.close()


def spoilt(bench: Bench, credit: object, *columns: str) -> None:
    """Somebody's credit has other words in these columns of its header."""
    bench.stage.orderwise._ledger.base.execute(f"UPDATE credit_header SET {', '.join(columns)} WHERE ch_id = {credit}")


def credited(bench: Bench) -> tuple[Draft, str, str]:
    """What is to be booked for refund 81, and the ids of two credits: its own, and that of refund 82."""
    order, ref = sold(bench)
    own = bench.erp.reference(order.number)
    ours = bench.credit_by_hand(own, {SHIRT: 1}, "refund-81")
    other = bench.credit_by_hand(own, {SOCKS: 1}, "refund-82")
    draft = bench.erp.compose_memo(refund_of(bench, order, "81", {SHIRT: 1}), order, ref, bench.mapping)
    return draft, str(ours), str(other)


@pytest.mark.parametrize("column", ["ch_currency = NULL", "ch_currency = '99'", "ch_gross = NULL"])
def test_a_strangers_credit_that_cannot_be_read_is_passed_over(bench: Bench, column: str) -> None:
    since = bench.stage.clock.now() - timedelta(seconds=1)
    _, stranger, ours = credited(bench)
    spoilt(bench, stranger, column, "ch_oh_id = NULL", "ch_reference = 'HOTEL 12'")
    (hint,) = bench.erp.memos_since(since)
    assert (hint.ref, hint.number) == ("refund-82", f"CR{ours}")


@pytest.mark.parametrize(
    ("column", "differs"),
    [("ch_currency = NULL", "currency"), ("ch_currency = '99'", "currency"), ("ch_gross = NULL", "total")],
)
def test_one_of_ours_that_cannot_be_read_is_told_and_differs_where_it_cannot_and_the_other_is_read(
    bench: Bench, column: str, differs: str
) -> None:
    since = bench.stage.clock.now() - timedelta(seconds=1)
    draft, ours, other = credited(bench)
    spoilt(bench, ours, column)
    found = bench.erp.memos(["refund-81", "refund-82"])
    ((unread,), (read,)) = found["refund-81"], found["refund-82"]
    assert (unread.ref, read.ref, "total" in read.components) == (ours, other, True)
    assert compare(draft.components, unread.components).differences[0].name == differs
    assert [hint.ref for hint in bench.erp.memos_since(since)] == ["refund-81", "refund-82"]


def test_a_currency_that_is_told_by_its_id_is_the_mappings_code_for_it(bench: Bench) -> None:
    draft, ours, _ = credited(bench)
    id = bench.stage.world.erp("orderwise").profile.currencies["GBP"]
    spoilt(bench, ours, f"ch_currency = '{id}'")
    (memo,) = bench.erp.memos(["refund-81"])["refund-81"]
    assert dict(memo.components) == dict(draft.components)


@pytest.mark.parametrize("net", ["NULL", "0"])
def test_a_line_of_text_is_no_part_of_a_credit(bench: Bench, net: str) -> None:
    draft, ours, _ = credited(bench)
    columns = "(crli_ch_id, crli_net, crli_description)"
    bench.stage.orderwise._ledger.base.execute(
        f"INSERT INTO credit_line_item {columns} VALUES ({ours}, {net}, 'Thank you')"
    )
    (memo,) = bench.erp.memos(["refund-81"])["refund-81"]
    assert dict(memo.components) == dict(draft.components)

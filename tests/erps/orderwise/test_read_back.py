"""What an order's read-back shows of rows that we did not send, or cannot read."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from erp_benches import SHIRT, SOCKS, Bench
from erps.orderwise.bench import bench as made

from integration.domain.proof import compare
from integration.erp.orderwise.client import sql_of
from integration.errors import Rejected
from integration.sandbox.centra_orders import BasketLine


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    yield found
    found.stage.store.close()


@pytest.mark.parametrize("variant", [True, False])
def test_a_second_row_of_an_item_number_is_a_difference_whatever_it_costs(bench: Bench, variant: bool) -> None:
    """It is read before ours, costs nothing, and its goods would be picked."""
    draft = bench.draft(lines=[BasketLine(SHIRT, 2)])
    bench.erp.order_write(draft).send()
    bench.stage.orderwise.copy_line(draft.reference, SHIRT, variant)
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    (line,) = draft.request["order"]["orderLines"]
    name = f"line {line['itemNumber']}"
    assert {standing.components[f"{name} sku"], standing.components[f"{name} again sku"]} == {
        SHIRT,
        SHIRT if variant else "",
    }
    differences = {difference.name for difference in compare(draft.components, standing.components).differences}
    assert f"{name} again quantity" in differences


def edited(bench: Bench, column: str, selected: str) -> None:
    """The tenant's ORDER_BY_REF selects this for one of its columns."""
    sql = sql_of("order_by_ref")
    assert sql.count(column) == 1
    bench.stage.orderwise.paste_export(bench.erp.profile.exports["order_by_ref"], sql.replace(column, selected))


@pytest.mark.parametrize(
    ("column", "selected", "unreadable"),
    [
        ("i.oli_item_net", "NULLIF(i.oli_qty_required, 3)", "line row: not an exact amount: a NoneType"),
        ("i.oli_qty_required", "NULLIF(i.oli_qty_required, 3)", "line row: not an exact amount: a NoneType"),
        ("i.oli_item_number", "i.oli_item_number + (CASE i.oli_qty_required WHEN 3 THEN 0.5 ELSE 0 END)", "line row: an item number"),
        ("i.oli_item_number", "CASE i.oli_qty_required WHEN 3 THEN 'first' ELSE 1 END", "line row: not an exact amount: a str"),
        ("h.oh_gross AS gross", "CASE h.oh_net WHEN 0 THEN h.oh_gross END AS gross", "order row: not an exact amount: a NoneType"),
        ("h.oh_currency AS currency", "CASE h.oh_net WHEN 0 THEN 'GBP' ELSE '7' END AS currency", "row: '7' is not an ISO 4217"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_read_is_a_case_of_its_own_and_the_others_of_its_page_go_on(
    bench: Bench, column: str, selected: str, unreadable: str
) -> None:
    odd, plain = bench.draft(lines=[BasketLine(SOCKS, 3)]), bench.draft(lines=[BasketLine(SOCKS, 2)])
    plain.request["order"]["orderHeader"] |= {"orderNet": 0} if "h.oh" in column else {}
    bench.stage.orderwise.switches.change({"totals_mismatch": "keep"})
    for draft in (odd, plain):
        bench.erp.order_write(draft).send()
    edited(bench, column, selected)
    found = bench.erp.standing([odd.reference, plain.reference])
    ((strange,), (other,)) = found[odd.reference], found[plain.reference]
    assert isinstance(strange.refusal, Rejected)
    assert strange.refusal.type == "SCHEMA_CHANGE"
    assert f"sales order {strange.ref} ({odd.reference})" in str(strange.refusal)
    assert unreadable in str(strange.refusal)
    assert other.refusal is None
    assert other.components["total"] == plain.components["total"]


def test_an_item_number_with_decimals_is_that_number(bench: Bench) -> None:
    draft = bench.draft()
    bench.erp.order_write(draft).send()
    edited(bench, "i.oli_item_number", "REPLACE('N.0000', 'N', i.oli_item_number)")
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert dict(standing.components) == dict(draft.components)


def test_a_currency_that_is_told_by_its_id_is_the_one_that_the_mapping_has_it_for(bench: Bench) -> None:
    draft = bench.draft()
    bench.erp.order_write(draft).send()
    edited(bench, "h.oh_currency AS currency", "CASE h.oh_currency WHEN 'GBP' THEN 4 END AS currency")
    bench.erp.profile = replace(bench.erp.profile, currencies={"EUR": 2, "GBP": 4})
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    (booking,) = bench.erp.bookings([draft.reference])[draft.reference]
    assert dict(standing.components) == dict(draft.components)
    assert booking.total == draft.components["total"]


def test_an_order_that_tells_no_total_is_booked_at_nothing_and_stops_no_night(bench: Bench) -> None:
    draft = bench.draft(lines=[BasketLine(SHIRT, 2)])
    bench.erp.order_write(draft).send()
    edited(bench, "h.oh_gross AS gross", "NULL AS gross")
    (booking,) = bench.erp.bookings([draft.reference])[draft.reference]
    assert booking.total.minor == 0

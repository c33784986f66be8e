"""The header is the sum of the very parts sent, however OrderWise rounds: at every line, or at the end only."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from domain.order_shapes import KINDS, order_of, orders
from erps.orderwise.bench import bench as made
from hypothesis import assume, given
from hypothesis import strategies as st

from integration.domain.money import exponent, tax_rate
from integration.domain.order import Order
from integration.domain.pricing import TENDER, price
from integration.erp.orderwise.discounts import dissurs
from integration.erp.orderwise.wire import line_rows
from integration.sandbox.catalogue import ERP_SKUS
from integration.sandbox.centra_orders import BasketLine

SHIRTS = [sku for sku in sorted(ERP_SKUS) if sku.startswith("LS")]
"""All taxed at 20 %."""


@pytest.mark.parametrize("rounding", ["line", "order"])
@pytest.mark.parametrize(
    ("lines", "quantity", "unit"),
    [(7, 12, "9.95"), (2, 48, "9.95"), (5, 24, "12.35"), (20, 12, "9.95"), (9, 96, "7.49"), (12, 144, "3.33")],
)
@pytest.mark.scenario("MON-22")
def test_a_wholesale_order_comes_to_its_header_and_orderwise_balances_nothing(
    rounding: str, lines: int, quantity: int, unit: str
) -> None:
    bench = made()
    tenant = bench.stage.orderwise
    tenant.switches.change({"totals_rounding": rounding})
    order = bench.order(lines=[BasketLine(sku, quantity, Decimal(unit)) for sku in SHIRTS[:lines]])
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    bench.stage.store.close()
    assert len(order.lines) == lines
    assert dict(standing.components) == dict(draft.components)
    assert tenant.books()["log"] == []


@st.composite
def wholesale(draw: Any) -> tuple[Order, Decimal]:
    """Many lines of many pieces at few prices: what each is off by adds up."""
    prices = draw(st.lists(st.integers(1, 9_999), min_size=1, max_size=3))
    lines = [
        (
            draw(st.integers(1, 150)),
            Decimal(draw(st.sampled_from(prices))) / 100,
            draw(st.sampled_from(["20", "5", "0"])),
        )
        for _ in range(draw(st.integers(1, 40)))
    ]
    vouchers = draw(st.sampled_from([[], [("PERCENTAGE", "7.5")], [("FIXED_AMOUNT", "5")]]))
    terms = {"shipping": "4.95", "percent": "20", "discounts": vouchers, "inclusive": draw(st.booleans())}
    return order_of(lines, **terms), Decimal(20)


@given(st.one_of(orders(), wholesale()), st.booleans())
def test_the_header_is_the_sum_of_the_very_parts_sent(drawn: tuple[Order, Decimal], named: bool) -> None:
    order, percent = drawn
    shown = {p: d.type for p, d in enumerate(order.discounts) if KINDS[d.type] != TENDER and d.amount} if named else {}
    found = price(order, KINDS, percent, beside=shown)
    beside = dissurs(found, shown)
    assume(beside is not None)
    rows = [row for line in line_rows(found, beside, 4) for row in line]
    unit = Fraction(1, 10 ** exponent(order.currency))

    def cut(amount: Fraction) -> Fraction:
        return (amount / unit + Fraction(1, 2)).__floor__() * unit

    parts = [(pieces * Fraction(net), pieces * Fraction(gross)) for pieces, net, gross in rows]
    if found.shipping is not None:
        parts.append(
            (Fraction(found.shipping.net.decimal), Fraction((found.shipping.net + found.shipping.tax).decimal))
        )
    surcharges = [(Fraction(found.handling.net.decimal), percent)] if found.handling else []
    for amount, rate in [*surcharges, *((-Fraction(row.price), row.tax_percent) for row in beside)]:
        parts.append((amount, amount * (1 + tax_rate(rate))))
    header = Fraction(found.untaxed.decimal), Fraction(found.total.decimal)
    assert (cut(sum(net for net, _ in parts)), cut(sum(gross for _, gross in parts))) == header
    assert sum(cut(pieces * Fraction(net)) for pieces, net, _ in rows) == sum(
        Fraction(p.net.decimal) for p in found.lines
    )
    assert [sum(pieces for pieces, _, _ in line) for line in line_rows(found, beside, 4)] == [
        p.quantity for p in found.lines
    ]


def test_a_line_has_two_rows_only_where_its_order_would_miss_its_header() -> None:
    few = price(order_of([(12, "9.95", "20")] * 7), KINDS, "20")
    many = price(order_of([(12, "9.95", "20")] * 20), KINDS, "20")
    assert line_rows(few, (), 4) == [[(12, Decimal("8.2917"), Decimal("9.9500"))]] * 7
    assert {len(rows) for rows in line_rows(many, (), 4)} == {1, 2}

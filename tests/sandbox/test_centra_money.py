from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from integration.sandbox.centra_money import Discount, PricedLine, price, spread, tax_of
from integration.sandbox.currencies import DECIMALS

PERCENTS = st.sampled_from([Decimal(p) for p in ("0", "5.5", "6", "7", "8.875", "10", "19", "20", "25")])
KINDS = ("PERCENTAGE", "FIXED_AMOUNT", "FREE_SHIPPING", "GIFT_CARD")


@st.composite
def orders(draw):
    digits = DECIMALS[draw(st.sampled_from(sorted(DECIMALS)))]

    def amount(top):
        return Decimal(draw(st.integers(0, top))).scaleb(-digits)

    lines = [
        PricedLine(draw(st.integers(1, 37)), amount(99_999), draw(PERCENTS)) for _ in range(draw(st.integers(1, 8)))
    ]
    discounts = []
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=4)):
        percent = Decimal(draw(st.integers(0, 1000))) / 10
        discounts.append(Discount(kind, percent if kind == "PERCENTAGE" else amount(500_000)))
    inclusive = draw(st.booleans())
    return lines, amount(9_999), amount(999), draw(PERCENTS), discounts, inclusive, digits


@given(orders())
def test_the_totals_of_any_order_add_up_in_every_currency(order):
    lines, _, _, _, discounts, inclusive, digits = order
    totals = price(*order)
    assert totals.grand_total == (
        totals.line_values + totals.shipping + totals.handling + totals.discounts + totals.tax_added
    )
    assert sum(totals.applied, Decimal(0)) == totals.discounts
    assert len(totals.applied) == len(discounts)
    assert totals.grand_total >= 0
    assert (totals.tax_added == 0) if inclusive else (totals.tax_included == 0)
    for line, value in zip(lines, totals.lines, strict=True):
        assert value.gross == value.net + value.tax
        assert (value.gross if inclusive else value.net) == line.quantity * line.unit_price
    for amount in (totals.grand_total, totals.tax_added, totals.tax_included, totals.shipping_tax, *totals.applied):
        assert amount == round(amount, digits)


@given(orders())
def test_a_gift_card_changes_no_tax(order):
    lines, shipping, handling, percent, discounts, inclusive, digits = order
    without = [discount for discount in discounts if discount.type != "GIFT_CARD"]
    paid, unpaid = price(*order), price(lines, shipping, handling, percent, without, inclusive, digits)
    assert (paid.tax_added, paid.tax_included) == (unpaid.tax_added, unpaid.tax_included)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=1, max_size=9).filter(any))
def test_a_spread_loses_nothing_and_is_never_a_unit_off(amount, weights):
    shares = spread(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - amount * weight) < sum(weights)


def test_tax_is_rounded_half_up_inside_and_on_top():
    assert tax_of(1000, Decimal(25), inclusive=True) == 200
    assert tax_of(50, Decimal(25), inclusive=False) == 13  # 12.5
    assert tax_of(100, Decimal("8.875"), inclusive=False) == 9


def test_a_percentage_off_lowers_the_tax_of_each_line():
    lines = [PricedLine(1, Decimal("100.00"), Decimal(20)), PricedLine(1, Decimal("50.00"), Decimal(0))]
    totals = price(lines, Decimal(6), Decimal(0), Decimal(20), [Discount("PERCENTAGE", Decimal(10))], True, 2)
    assert totals.discounts == Decimal("-15.00")
    assert totals.tax_included == Decimal("16.00")  # 15 of 90, and 1 of the shipping
    assert totals.grand_total == Decimal("141.00")


def test_free_shipping_keeps_the_price_and_takes_it_off_with_its_tax():
    lines = [PricedLine(1, Decimal("10.00"), Decimal(0))]
    totals = price(lines, Decimal(6), Decimal(0), Decimal(20), [Discount("FREE_SHIPPING")], True, 2)
    assert (totals.shipping, totals.discounts, totals.shipping_tax) == (Decimal(6), Decimal(-6), Decimal(0))
    assert totals.grand_total == Decimal("10.00")


def test_a_tax_exclusive_store_adds_the_tax_at_the_end():
    lines = [PricedLine(2, Decimal("10.00"), Decimal("8.875"))]
    totals = price(lines, Decimal("5.00"), Decimal(0), Decimal("8.875"), [], False, 2)
    assert totals.line_values == Decimal("20.00")
    assert totals.tax_added == Decimal("2.22")  # 1.78 and 0.44
    assert totals.grand_total == Decimal("27.22")

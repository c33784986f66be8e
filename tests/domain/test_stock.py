"""An order is deducted by exactly one of the ERP's figure, the storefront's allocation and our own term: never by two."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.stock import FREE_TO_ALLOCATE, PHYSICAL, QUANTITY_TYPES, Reckoning, leaps

PIECES = st.integers(0, 40)
RECKONINGS = st.builds(
    Reckoning,
    figure=st.integers(-20, 200),
    allocated=PIECES,
    demand=PIECES,
    known=PIECES,
    unposted=PIECES,
    buffer=PIECES,
    left=PIECES,
)


def fills(told: Reckoning, quantity_type: str) -> tuple[int, int]:
    """(free, demand) after the storefront took the number and allocated what it could to those who wait."""
    number = told.number(quantity_type)
    free = number - told.allocated if quantity_type == PHYSICAL else number
    taken = min(free, told.demand)
    return free - taken, told.demand - taken


@given(RECKONINGS, st.sampled_from(QUANTITY_TYPES))
def test_both_quantity_types_show_shoppers_the_same(told: Reckoning, quantity_type: str) -> None:
    free, demand = fills(told, quantity_type)
    assert free == told.sellable
    assert free - demand == told.shown


@given(RECKONINGS)
def test_nothing_negative_is_written_and_a_physical_number_never_goes_below_what_is_allocated(told: Reckoning) -> None:
    assert told.number(FREE_TO_ALLOCATE) >= 0
    assert told.number(PHYSICAL) >= told.allocated


@given(RECKONINGS)
def test_what_is_shown_and_what_is_sold_never_exceed_what_the_erp_has(told: Reckoning) -> None:
    sold = max(told.allocated + told.demand - told.known, told.unposted)
    assert told.sellable == 0 or told.sellable + sold + told.left + told.buffer <= told.figure


@given(RECKONINGS, st.integers(1, 20))
def test_posting_an_order_changes_no_number(told: Reckoning, pieces: int) -> None:
    """The ERP takes them off its figure; from then on they are known to it."""
    before = replace(told, allocated=told.allocated + pieces, unposted=told.unposted + pieces)
    after = replace(before, figure=before.figure - pieces, known=before.known + pieces, unposted=told.unposted)
    for quantity_type in QUANTITY_TYPES:
        assert after.number(quantity_type) == before.number(quantity_type) or told.known > told.allocated + told.demand


@given(RECKONINGS, st.integers(1, 20))
def test_a_sale_in_the_storefront_lowers_what_is_free_and_no_physical_number(told: Reckoning, pieces: int) -> None:
    seen = replace(told, demand=0, known=0, unposted=0)
    sold = replace(seen, allocated=seen.allocated + pieces)
    assert sold.sellable == max(0, seen.figure - seen.unknown_to_erp - seen.buffer - pieces)
    if sold.sellable:
        assert sold.number(PHYSICAL) == seen.number(PHYSICAL)


@given(RECKONINGS, PIECES)
def test_an_order_that_only_our_ledger_knows_is_taken_off_too(told: Reckoning, pieces: int) -> None:
    hidden = replace(told, allocated=0, demand=0, known=0, unposted=pieces)
    assert hidden.sellable == max(0, told.figure - pieces - told.left - told.buffer)


def test_the_two_ways_of_deducting_twice_are_neither_of_them_taken() -> None:
    """10 on the shelf, one order of 3 that the ERP knows: 7 are to be sold, whatever is counted and however it is told."""
    available = Reckoning(figure=7, allocated=3, demand=0, known=3, unposted=0, buffer=0)
    on_hand = Reckoning(figure=10, allocated=3, demand=0, known=0, unposted=3, buffer=0)
    for told in (available, on_hand):
        assert told.sellable == 7
        assert told.number(PHYSICAL) == 10
        assert told.number(FREE_TO_ALLOCATE) == 7


def test_demand_that_stock_stands_behind_is_given_stock_and_the_rest_is_not() -> None:
    covered = Reckoning(figure=5, allocated=0, demand=3, known=0, unposted=3, buffer=0)
    assert (covered.number(PHYSICAL), covered.sellable, covered.uncovered) == (5, 2, 0)
    short = Reckoning(figure=1, allocated=2, demand=3, known=0, unposted=5, buffer=0)
    assert (short.number(PHYSICAL), short.sellable, short.uncovered, short.shown) == (2, 0, 4, -3)


def test_units_sold_that_no_stock_covers_are_counted() -> None:
    assert Reckoning(figure=-3, allocated=2, demand=0, known=2, unposted=0, buffer=0).uncovered == 3
    assert Reckoning(figure=4, allocated=5, demand=0, known=0, unposted=0, buffer=2).uncovered == 1


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        (10, 0, True),
        (1, 0, True),
        (10, -4, True),
        (10, 4, True),
        (10, 5, False),
        (10, 15, False),
        (10, 16, True),
        (0, 50, False),
        (-2, 50, False),
        (10, 10, False),
    ],
)
def test_a_leap_is_a_fall_to_nothing_or_a_change_by_more_than_half(now: int, then: int, expected: bool) -> None:
    assert leaps(now, then) is expected

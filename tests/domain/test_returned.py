"""Whether a return and what the warehouse found agree: by pieces and dispositions, bundles by their parts."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.money import Money
from integration.domain.order import Key
from integration.domain.returns import (
    AGREED,
    ARRIVED,
    CONFLICTING,
    DIFFERENT,
    EXPECTED,
    QUARANTINE,
    RESTOCK,
    SCRAP,
    WITHDRAWN,
    InspectedLine,
    Receipt,
    Return,
    ReturnLine,
    hold_against,
    in_words,
)

AT = datetime(2026, 5, 4, 9, tzinfo=UTC)
BUNDLES = {"SET": {"CUP": 2, "POT": 1}}


def parts(sku):
    return BUNDLES.get(sku) or {sku: 1}


def document(*lines, restocks=True):
    told = tuple(ReturnLine(str(n), str(n), sku, quantity) for n, (sku, quantity) in enumerate(lines, 1))
    return Return(Key("brand", "return", "7"), "1", told, False, restocks, Money(0, "GBP"), AT)


def receipt(life, *lines):
    told = tuple(InspectedLine(*line) for line in lines)
    return Receipt("centra-return-7", "70", "CRS-7", life, told, None if life == "expected" else AT, "s")


def verdict(found, *receipts):
    return hold_against(found, receipts, parts).verdict


def test_what_is_restocked_agrees_with_a_return_that_restocks():
    assert verdict(document(("A", 2)), receipt("inspected", ("A", 2, RESTOCK))) == AGREED


def test_what_is_not_restocked_agrees_with_a_return_that_removes_from_stock():
    found = hold_against(document(("A", 2), restocks=False), [receipt("inspected", ("A", 2, SCRAP))], parts)
    assert (found.verdict, found.words) == (
        AGREED,
        "received and inspected: 2 × A to scrap; Centra restocks nothing either",
    )


def test_a_storefront_that_does_not_say_is_trusted_only_where_everything_is_restocked():
    silent = document(("A", 2), restocks=None)
    assert verdict(silent, receipt("inspected", ("A", 2, RESTOCK))) == AGREED
    assert verdict(silent, receipt("inspected", ("A", 2, SCRAP))) == CONFLICTING
    assert verdict(silent, receipt("inspected", ("A", 1, SCRAP), ("A", 1, RESTOCK))) == CONFLICTING


@pytest.mark.scenario("RET-03")
def test_a_mixed_inspection_says_how_many_pieces_of_which_sku_are_too_many():
    found = hold_against(
        document(("A", 2), ("B", 1)),
        [receipt("inspected", ("A", 1, RESTOCK), ("A", 1, QUARANTINE), ("B", 1, RESTOCK))],
        parts,
    )
    assert found.verdict == CONFLICTING
    assert found.words == (
        "the warehouse restocked 1 × A and 1 × B and put 1 × A to quarantine; "
        "Centra's return restocks 2 × A and 1 × B: 1 × A too many"
    )


@pytest.mark.scenario("RET-11")
def test_goods_that_are_fine_and_a_return_that_removes_them_are_short_in_the_storefront():
    found = hold_against(document(("A", 2), restocks=False), [receipt("inspected", ("A", 2, RESTOCK))], parts)
    assert found.verdict == CONFLICTING
    assert found.words.endswith("Centra's return restocks nothing: it would be 2 × A short")


def test_nothing_arrived_some_arrived_and_all_arrived_uninspected_all_wait():
    announced = document(("A", 2))
    assert verdict(announced, receipt("expected", ("A", 2))) == EXPECTED
    assert verdict(announced, receipt("received", ("A", 2))) == ARRIVED
    partly = [receipt("inspected", ("A", 1, RESTOCK)), receipt("expected", ("A", 1))]
    assert verdict(announced, *partly) == ARRIVED
    assert hold_against(announced, partly, parts).words == "of 2 × A, 1 × A arrived and 1 × A inspected"


def test_a_receipt_that_calls_itself_inspected_and_names_no_disposition_is_not_inspected():
    assert verdict(document(("A", 1)), receipt("inspected", ("A", 1, ""))) == ARRIVED


@pytest.mark.parametrize("booked", [[("A", 1, RESTOCK)], [("A", 3, RESTOCK)], [("B", 2, RESTOCK)]])
def test_fewer_more_or_other_pieces_are_a_difference(booked):
    assert verdict(document(("A", 2)), receipt("inspected", *booked)) == DIFFERENT


def test_a_rest_that_nobody_expects_any_more_is_a_difference():
    assert verdict(document(("A", 2)), receipt("inspected", ("A", 1, RESTOCK)), receipt("cancelled", ("A", 1))) == (
        DIFFERENT
    )


def test_what_the_erp_cancelled_is_withdrawn():
    assert verdict(document(("A", 2)), receipt("cancelled", ("A", 2))) == WITHDRAWN


def test_a_bundle_is_compared_by_its_parts_whichever_side_names_them():
    by_parts = receipt("inspected", ("CUP", 4, RESTOCK), ("POT", 2, RESTOCK))
    assert verdict(document(("SET", 2)), by_parts) == AGREED
    assert verdict(document(("SET", 2)), receipt("inspected", ("SET", 2, RESTOCK))) == AGREED
    assert verdict(document(("SET", 2)), receipt("inspected", ("CUP", 4, RESTOCK), ("POT", 1, RESTOCK))) == DIFFERENT


SKUS = st.sampled_from("ABC")
PLACES = st.sampled_from([RESTOCK, QUARANTINE, SCRAP, ""])
LIFE = st.sampled_from(["expected", "received", "inspected", "cancelled"])


@given(
    st.lists(st.tuples(SKUS, st.integers(1, 3)), min_size=1, max_size=3),
    st.lists(st.tuples(LIFE, st.lists(st.tuples(SKUS, st.integers(1, 3), PLACES), max_size=3)), max_size=3),
    st.sampled_from([True, False, None]),
)
def test_only_what_was_wholly_received_and_inspected_agrees_and_then_by_its_one_disposition(lines, booked, restocks):
    receipts = [receipt(life, *told) for life, told in booked]
    found = hold_against(document(*lines, restocks=restocks), receipts, parts)
    living = [r for r in receipts if r.life != "cancelled"]
    announced, there = Counter(), Counter()
    for sku, quantity in lines:
        announced[sku] += quantity
    for line in (line for r in living for line in r.lines):
        there[line.sku] += line.quantity
    agreed = (
        living
        and there == announced
        and all(r.life == "inspected" for r in living if r.lines)
        and all(line.disposition for r in living for line in r.lines)
    )
    restocked = [line.disposition == RESTOCK for r in living for line in r.lines]
    allowed = all(restocked) if restocks is not False else not any(restocked)
    assert (found.verdict == AGREED) == bool(agreed and allowed)
    assert found.words


def test_pieces_read_as_a_list():
    assert in_words({"A": 2, "B": 1, "C": 1}) == "2 × A, 1 × B and 1 × C"
    assert in_words({}) == "nothing"

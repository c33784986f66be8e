"""Spelling, differences and required fields of a SKU."""

import pytest

from integration.domain.product import ON_SALE, Difference, Item, differences, folded, in_parts, lacking, spelt


def item(sku: str, **fields: str) -> Item:
    return Item(sku, sku, ON_SALE, fields)


@pytest.mark.parametrize("told", ["VP255R", "vp255r", " VP255R ", "VP255R\u00a0"])
def test_case_and_outer_spaces_make_no_other_sku(told: str) -> None:
    assert folded(told) == folded("VP255R")


@pytest.mark.scenario("PRD-04")
def test_a_dash_of_another_kind_makes_no_other_sku() -> None:
    assert folded("AB\u201312") == folded("AB-12") != folded("AB12")


def test_outer_spaces_are_the_same_spelling_and_case_is_another() -> None:
    assert spelt("VP255R", [item("VP255R ")])[0] == item("VP255R ")
    assert spelt("VP255R", [item("vp255r")]) == (None, [item("vp255r")])


@pytest.mark.scenario("PRD-04")
def test_two_that_are_spelt_alike_are_no_answer() -> None:
    both = [item("VP255R"), item("VP255R ")]
    assert spelt("VP255R", both) == (None, both)


def test_an_exact_spelling_is_the_one_and_the_others_are_told() -> None:
    assert spelt("VP255R", [item("vp255r"), item("VP255R")]) == (item("VP255R"), [item("vp255r")])


def test_only_declared_fields_that_both_tell_are_compared() -> None:
    ours, theirs = item("A", ean="1", name="Cap  Navy ", weight="2"), item("A", ean="2", name="cap navy")
    assert differences(ours, theirs, ["ean", "name", "bundle"]) == [Difference("ean", "1", "2")]
    assert differences(ours, theirs, ["name"]) == []
    assert differences(ours, item("A"), ["ean"]) == []


@pytest.mark.scenario("PRD-08")
def test_a_required_field_that_is_missing_or_nothing_is_named() -> None:
    assert lacking(item("A", ean="", weight="0.0", price="9"), ["ean", "weight", "price", "name"]) == [
        "ean",
        "weight",
        "name",
    ]


def test_parts_read_as_people_say_them() -> None:
    assert in_parts({"B": 2, "A": 1}) == "1 × A, 2 × B"

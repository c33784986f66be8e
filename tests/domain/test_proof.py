import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.money import Money
from integration.domain.proof import compare, seal

NAMES = st.sampled_from(["currency", "line 1 sku", "line 1 quantity", "line 1 net", "shipping net", "tax", "total"])
VALUES = st.one_of(
    st.builds(Money, st.integers(-(10**9), 10**9), st.sampled_from(["GBP", "JPY"])),
    st.integers(0, 999),
    st.text(max_size=9),
)
COMPONENTS = st.dictionaries(NAMES, VALUES, min_size=1)


def changed(value):
    """The smallest change of a component."""
    if isinstance(value, Money):
        return replace(value, minor=value.minor + 1)
    return value + 1 if isinstance(value, int) else value + "x"


@given(COMPONENTS)
def test_equal_components_are_a_proof(ours):
    proof = compare(ours, dict(reversed(ours.items())))
    assert proof.equal
    assert proof.differences == ()
    assert proof.document()["equal"] is True


@given(COMPONENTS, st.data())
def test_any_component_that_is_off_by_one_is_a_difference_and_the_only_one(ours, data):
    name = data.draw(st.sampled_from(sorted(ours)))
    theirs = {**ours, name: changed(ours[name])}
    for proof in (compare(ours, theirs), compare(theirs, ours)):
        assert [d.name for d in proof.differences] == [name]
        assert proof.document()["equal"] is False


@given(COMPONENTS, st.data())
def test_a_component_that_only_one_side_has_is_a_difference(ours, data):
    name = data.draw(st.sampled_from(sorted(ours)))
    less = {n: v for n, v in ours.items() if n != name}
    assert [d.name for d in compare(ours, less).differences] == [name]
    assert [d.name for d in compare(less, ours).differences] == [name]


def test_the_same_figure_in_another_currency_or_type_is_a_difference():
    for theirs in (Money(100, "EUR"), 100, "1.00 GBP", "100"):
        assert not compare({"total": Money(100, "GBP")}, {"total": theirs}).equal


def test_a_difference_reads_as_a_sentence_with_both_values():
    (difference,) = compare({"tax": Money(100, "GBP")}, {"tax": Money(101, "GBP")}).differences
    assert str(difference) == "tax: we have 1.00 GBP, they have 1.01 GBP"
    (missing,) = compare({"tax": Money(0, "JPY")}, {}).differences
    assert str(missing) == "tax: we have 0 JPY, they have None"


def test_the_document_keeps_what_was_carried_in_other_components():
    document = compare(
        {"total": Money(100, "KWD")}, {"total": Money(100, "KWD")}, {"discount 1": "0.010 KWD"}
    ).document()
    assert document == {
        "components": [["total", "0.100 KWD", "0.100 KWD"]],
        "carried": [["discount 1", "0.010 KWD"]],
        "equal": True,
    }
    assert json.loads(json.dumps(document)) == document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


@given(DOCUMENTS, DOCUMENTS, st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_a_seal_holds_for_one_document_in_one_place(one, other, before):
    assert seal(one) == seal(dict(reversed(one.items())))
    assert (seal(one) == seal(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
    assert seal(one, before=before) != seal(one)
    assert len(seal(one)) == 64


def test_a_changed_or_moved_link_breaks_the_chain():
    def chain(documents):
        last, seals = "", []
        for document in documents:
            last = seal(document, before=last)
            seals.append(last)
        return seals

    rows = [{"total": n} for n in range(5)]
    whole = chain(rows)
    assert chain([*rows[:2], {"total": 99}, *rows[3:]])[2:] != whole[2:]
    assert chain([*rows[:2], {"total": 99}, *rows[3:]])[:2] == whole[:2]
    assert chain([rows[1], rows[0], *rows[2:]])[-1] != whole[-1]


@pytest.mark.parametrize("value", [Money(1, "GBP"), "é\u2028", 10**30])
def test_a_seal_takes_whatever_a_proof_may_hold(value):
    assert seal({"x": value}) == seal({"x": value})

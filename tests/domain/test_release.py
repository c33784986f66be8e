"""`release.decide` as a table: every combination of what the ledger knows and what Centra answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from domain.order_shapes import order_of

import mappings
from integration.errors import Rejected, Unmapped
from integration.ports import Fetched
from integration.release import Past, decide, facts_of, home, unreleased
from mappings import parse

TEXT = (Path(mappings.__file__).parent / "fulfil.toml").read_text()
MAPPING = parse(TEXT, "fulfil.toml")
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
STATES = ("seen", "held", "ready", "posted", "proven", "cancelling", "cancelled", "dead", "observed", "closed")
FACTS = {
    "released": {},
    "on hold": {"on_hold": True},
    "unpaid": {"waiting_for_payment": True},
    "internal": {"internal": True},
    "pending": {"status": "PENDING"},
    "unknown status": {"status": "SOMETHING_NEW"},
    "cancelled": {"status": "CANCELLED", "cancelled": True},
    "deleted": {"status": "DELETED", "cancelled": True},
    "no home": {"market": "Europe / Norway"},
    "before the start": {"placed_at": datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)},
}


def fetched(fact, version="v2"):
    return Fetched(replace(order_of([(1, "10", 20)]), **FACTS[fact]), b"{}", version, "")


def expected(state, posted, answered, source, fact, version):
    """The rule in words, written apart from the code: what must come of a reading."""
    cancelled = fact in ("cancelled", "deleted")
    if state == "closed":
        return "closed"
    if cancelled and posted is None:
        return "cancelled"
    if cancelled:
        return "cancelled" if state == "cancelled" else "cancelling"
    if posted is None:
        if state == "dead" and version == source:
            return "dead"
        unsent = {"released": "ready", "no home": "ORDER_MARKET_UNMAPPED", "before the start": "observed"}
        return unsent.get(fact, "held")
    if version == posted:
        back = {"seen": 1, "held": 1, "ready": 1}
        undone = state == "dead" and source != posted
        return ("posted" if answered else "ready") if state in back or undone else state
    if state == "dead" and version == source:
        return "dead"
    return "posted" if answered else "ready"


CASES = list(product(STATES, (None, "v1", "v2"), (False, True), ("v1", "v2"), FACTS, ("v1", "v2")))


def test_every_combination_of_past_and_present_has_the_state_the_rule_names():
    seen, unmapped = set(), []
    for state, posted, answered, source, fact, version in CASES:
        past = Past(state, True, "fulfil", posted, source, answered)
        want = expected(state, posted, answered, source, fact, version)
        try:
            got = decide(past, fetched(fact, version), [MAPPING], NOW)
        except Unmapped as refusal:
            unmapped.append((want, refusal.type, refusal.key))
            continue
        case = (state, posted, answered, source, fact, version)
        assert got.state == want, case
        assert got.reason or got.state == "dead", case  # a dead order keeps the reason it has
        if posted is not None:
            assert got.connection == "fulfil", case
        seen.add(want)
    assert set(unmapped) == {("ORDER_MARKET_UNMAPPED", "ORDER_MARKET_UNMAPPED", "Europe / Norway")}
    assert seen >= {"ready", "held", "posted", "proven", "cancelling", "cancelled", "dead", "observed", "closed"}


def test_an_order_that_was_sent_is_never_held_observed_or_sent_elsewhere():
    for state, answered, fact in product(STATES, (False, True), FACTS):
        past = Past(state, True, "old-erp", "v1", "v1", answered)
        decision = decide(past, fetched(fact), [MAPPING], NOW)
        assert decision.connection == "old-erp"
        assert decision.state not in ("held", "observed") or decision.state == state


@pytest.mark.parametrize("state", STATES)
def test_an_order_centra_does_not_have(state):
    fresh, known = (Past(state, read, None, None, None, False) for read in (False, True))
    if state == "closed":
        assert decide(known, None, [MAPPING], NOW).state == "closed"
        return
    assert decide(fresh, None, [MAPPING], NOW).state == "observed"
    with pytest.raises(Rejected) as raised:
        decide(known, None, [MAPPING], NOW)
    assert raised.value.type == "ORDER_VANISHED"


@pytest.mark.parametrize("state", STATES)
def test_an_order_that_cannot_be_read(state):
    past = Past(state, True, "fulfil", None, "v1", False)
    unreadable = Fetched(None, b"{}", "v2", "", problem="the order node cannot be read at lines.0.net")
    if state == "closed":
        assert decide(past, unreadable, [MAPPING], NOW).state == "closed"
        return
    with pytest.raises(Rejected) as raised:
        decide(past, unreadable, [MAPPING], NOW)
    assert raised.value.type == "SCHEMA_CHANGE"
    assert "lines.0.net" in raised.value.cause


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("on hold", "on hold"),
        ("unpaid", "payment"),
        ("internal", "internal"),
        ("pending", "PENDING"),
        ("released", ""),
        ("unknown status", "SOMETHING_NEW"),
    ],
)
def test_the_reason_an_order_waits_is_told_in_words(fact, words):
    why = unreleased(fetched(fact).order, MAPPING)
    assert words in why
    assert bool(why) == bool(words)


@pytest.mark.parametrize(
    ("flag", "fact"), [("on_hold", "on hold"), ("waiting_for_payment", "unpaid"), ("internal", "internal")]
)
def test_the_rule_of_release_is_the_mappings(flag, fact):
    lenient = parse(TEXT.replace(f"{flag} = false", f"{flag} = true"), "fulfil.toml")
    past = Past("seen", False, None, None, None, False)
    assert decide(past, fetched(fact), [MAPPING], NOW).state == "held"
    assert decide(past, fetched(fact), [lenient], NOW).state == "ready"


def test_the_first_instant_of_a_connection_is_posted_and_the_one_before_is_not():
    past = Past("seen", False, None, None, None, False)
    order = fetched("released").order
    for placed, state in ((MAPPING.start_at, "ready"), (MAPPING.start_at - timedelta(microseconds=1), "observed")):
        told = Fetched(replace(order, placed_at=placed), b"{}", "v", "")
        assert decide(past, told, [MAPPING], NOW).state == state


def test_an_old_order_of_an_unknown_market_is_only_observed_and_a_new_one_is_a_case():
    order = fetched("no home").order
    assert home(replace(order, placed_at=datetime(2020, 1, 1, tzinfo=UTC)), [MAPPING]) is None
    with pytest.raises(Unmapped):
        home(order, [MAPPING])


def test_an_order_of_an_instance_that_no_mapping_serves_is_a_case_and_not_observed_in_silence():
    past = Past("seen", False, None, None, None, False)
    with pytest.raises(Unmapped, match="no mapping serves brand"):
        decide(past, fetched("released"), [], NOW)


def test_the_facts_of_an_order_are_not_personal():
    assert facts_of(fetched("released").order) == {
        "source_status": "CONFIRMED",
        "market": "Europe / United Kingdom",
        "currency": "GBP",
        "total_minor": 1000,
        "occurred_at": fetched("released").order.placed_at,
    }


@pytest.mark.parametrize("fact", ["on hold", "unpaid", "internal", "pending"])
def test_a_first_try_that_surely_did_nothing_does_not_count_as_sent(fact: str) -> None:
    past = Past("ready", True, "fulfil", "v1", "v1", answered=False, undone=True)
    assert decide(past, fetched(fact), [MAPPING], NOW).state == "held"

"""`lockstep mappings coverage` and the doctor: which of Centra's words the mappings have, and which they only nearly have."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cli.test_commands import good
from cli.test_doctor import examined
from erp_benches import SHIRT
from stage import Stage, example
from steps.looking import without

from integration import coverage
from integration.coverage import BROADER, EXACT, MISSING
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.store import documents

UK = "Europe / United Kingdom"


def words(stage: Stage) -> dict[tuple[str, str], tuple[str, int]]:
    return {(word.table, word.word): (word.mapped, word.orders) for word in coverage.seen(stage.world)}


@pytest.fixture
def sold(migrated: Stage) -> Stage:
    """Two orders with a voucher, one of a market that nobody mapped; then the mapping loses words that the two have."""
    stage = migrated
    stage.clock.instant = datetime.now(UTC)  # the doctor looks at clocks first
    numbers = [stage.order(vouchers=[VoucherUse("FIVEOFF")]) for _ in range(2)]
    stage.hint(*numbers, stage.order(market_id=7, country="NO"))
    stage.work()
    return stage


@pytest.mark.scenario("MAP-05")
def test_what_is_mapped_is_told_from_what_goes_by_its_type_and_from_what_is_not_mapped(sold: Stage) -> None:
    found = words(sold)
    assert found.pop(("markets", "Europe / Norway")) == (MISSING, 1)
    assert found.pop(("discount codes", "FIVEOFF (FIXED_AMOUNT)")) == (BROADER, 2)
    assert set(found.values()) == {(EXACT, 2)}
    assert set(found) == {
        (f'carriers."{UK}"', "Standard"),
        ("taxes.GB", "20"),
        ("shipping_tax", "GB"),
        ("vouchers", "FIXED_AMOUNT"),
    }


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ('"Standard"', (f'carriers."{UK}"', "Standard")),
        ("FIXED_AMOUNT", ("vouchers", "FIXED_AMOUNT")),
    ],
)
def test_a_word_that_the_mapping_in_force_has_lost_is_listed_before_the_next_order_dies_of_it(
    sold: Stage, lockstep: Any, line: str, lost: tuple[str, str]
) -> None:
    sold.apply(without(line))
    assert words(sold)[lost] == (MISSING, 2)
    told = json.loads(good(lockstep("mappings", "coverage", "--json")))["words"]
    assert lost in {(word["table"], word["word"]) for word in told if word["mapped"] == MISSING}
    assert f"[{lost[0]}]" in {what.removeprefix("coverage of ") for what in examined(sold)}


def test_the_table_lists_what_is_not_exact_and_counts_the_rest(sold: Stage, lockstep: Any) -> None:
    told = good(lockstep("mappings", "coverage"))
    assert "Europe / Norway" in told
    assert "Standard" not in told
    assert "4 of 6 words of the newest 2000 orders are mapped exactly." in told
    assert "Standard" in good(lockstep("mappings", "coverage", "--all"))
    assert examined(sold)["coverage of discount codes"].grade == "ok"


def test_an_erased_order_has_no_words(sold: Stage, lockstep: Any) -> None:
    with sold.store.write() as tx:
        assert all(documents.erase(tx, row.id) for row in sold.rows())
    assert words(sold) == {}


@pytest.fixture
def orderwise() -> Iterator[Stage]:
    made = Stage(erps=("orderwise",))
    made.hint(made.order(lines=[BasketLine(SHIRT, 2)], vouchers=[VoucherUse("WELCOME10"), VoucherUse("GIFTCARD")]))
    made.work()
    yield made
    made.store.close()


def test_a_code_that_orderwise_has_a_name_for_is_mapped_exactly_and_one_that_must_have_a_name_is_not(
    orderwise: Stage,
) -> None:
    code = "WELCOME10 (PERCENTAGE)"
    assert words(orderwise)["discount codes", code] == (BROADER, 1)
    text = example("orderwise")
    orderwise.apply(text.replace("[tenant.exports]", 'WELCOME10 = "Promotion"\n[tenant.exports]', 1), "orderwise")
    assert words(orderwise)["discount codes", code] == (EXACT, 1)
    orderwise.apply(text.replace('unnamed_discounts = "in prices"', 'unnamed_discounts = "refuse"', 1), "orderwise")
    found = words(orderwise)
    assert found["tenant.discounts", "WELCOME10"] == (MISSING, 1)
    assert ("discount codes", code) not in found

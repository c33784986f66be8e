"""Archiving: stop selling, drain, deactivate in every ERP, archive in Centra; in that order, from wherever it stands."""

from typing import Any

import pytest
from stage import Stage, example
from steps.test_product_launch import STAGED, OpenStage, seen

from integration import archive
from integration.domain.product import ARCHIVED
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine, Refused
from integration.store import reference

FAMILY = ("LS101NVS", "LS101NVM", "LS101NVL")
SHIRT = FAMILY[0]
HALF_HOUR = {"times": 6, "every": 300}


def shop(stages: OpenStage, table: str = STAGED, *, erps: tuple[str, ...] = ("orderwise",), **terms: Any) -> Stage:
    stage = stages(erps=erps, **terms)
    for erp in erps:
        stage.apply(example(erp, stock=False) + table, erp)
    for sku in UNKNOWN_SKUS:
        stage.centra.change_product(sku, status="INACTIVE")
    seen(stage)
    return stage


def go(stage: Stage, sku: str = SHIRT) -> None:
    archive.begin("brand", sku, "ann", stage.world)
    stage.work()


def row(stage: Stage) -> Any:
    return stage.rows("archive")[0]


def items(stage: Stage, erp: str = "orderwise") -> set[str]:
    """Statuses of the family in the ERP."""
    return {item.status for item in stage.world.erp(erp).definitions(FAMILY)}


def status(stage: Stage) -> str:
    return str(stage.centra.products.status(SHIRT))


def test_it_is_stopped_at_once_and_archived_after_the_window_with_all_its_sizes(stages: OpenStage) -> None:
    stage = shop(stages)
    go(stage)
    assert (row(stage).state, status(stage), items(stage)) == ("held", "INACTIVE", {"on sale"})
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, status(stage), items(stage)) == ("proven", "CANCELLED", {ARCHIVED})
    assert stage.open_cases() == []
    with pytest.raises(Refused, match="not on sale"):
        stage.order(lines=[BasketLine(SHIRT, 1)])


@pytest.mark.scenario("PRD-11")
def test_twelve_orders_that_settle_are_listed_and_nothing_is_deactivated_before_they_have_left(
    stages: OpenStage,
) -> None:
    stage = shop(stages)
    numbers = [stage.order(lines=[BasketLine(SHIRT, 1)]) for _ in range(12)]
    stage.hint(*numbers)
    stage.work()
    go(stage)
    stage.sweep(times=2)
    assert (row(stage).state, items(stage)) == ("held", {"on sale"})
    assert all(f"order {number} (1 × {SHIRT})" in row(stage).reason for number in numbers)
    stage.sweep(times=15, every=300)
    assert items(stage) == {"on sale"}
    references = {f"centra-{number}" for number in numbers}
    assert {order["reference"] for order in stage.orderwise.books()["orders"]} == references
    for reference_ in references:
        stage.orderwise.ship(reference_)
    stage.sweep(times=15, every=300)
    assert (row(stage).state, status(stage), items(stage)) == ("proven", "CANCELLED", {ARCHIVED})


def test_what_was_deactivated_first_is_found_out_and_waits_until_it_is_active_again(stages: OpenStage) -> None:
    stage = shop(stages)
    number = stage.order(lines=[BasketLine(SHIRT, 1)])
    stage.hint(number)
    stage.work()
    for sku in FAMILY:
        stage.orderwise.change_product(sku, discontinued=True)
    go(stage)
    stage.sweep(times=2)
    (case,) = [case for case in stage.open_cases() if case.number == SHIRT]
    assert (case.type, number in case.message) == ("PRODUCT_ARCHIVE_VIOLATION", True)
    assert status(stage) == "INACTIVE"  # it is sold no more, at least
    for sku in FAMILY:
        stage.orderwise.change_product(sku, discontinued=False)
    stage.sweep(times=15, every=300)
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(times=15, every=300)
    assert (row(stage).state, status(stage), items(stage)) == ("proven", "CANCELLED", {ARCHIVED})
    assert stage.open_cases() == []


def test_what_was_archived_in_centra_first_is_drained_and_deactivated_then(stages: OpenStage) -> None:
    stage = shop(stages)
    stage.centra.change_product(SHIRT, status="CANCELLED")
    go(stage)
    assert items(stage) == {"on sale"}
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, items(stage)) == ("proven", {ARCHIVED})


@pytest.mark.scenario("PRD-03")
def test_an_order_placed_before_its_sku_was_archived_is_posted_from_what_was_ordered(stages: OpenStage) -> None:
    stage = shop(stages)
    number = stage.order(lines=[BasketLine(SHIRT, 1)])
    stage.centra.change_product(SHIRT, status="CANCELLED")
    stage.hint(number)
    stage.work()
    stage.sweep(times=15, every=300)
    (order,) = stage.orderwise.books()["orders"]
    assert [line["sku"] for line in order["lines"]] == [SHIRT]


def test_both_erps_are_deactivated_one_by_call_one_by_a_person(stages: OpenStage) -> None:
    stage = shop(stages, erps=("orderwise", "fulfil"))
    go(stage)
    stage.sweep(**HALF_HOUR)
    (case,) = stage.open_cases()
    assert (case.type, "fulfil" in case.message) == ("PRODUCT_BY_HAND", True)
    assert (status(stage), items(stage), items(stage, "fulfil")) == ("INACTIVE", {ARCHIVED}, {"on sale"})
    for sku in FAMILY:
        stage.fulfil.change_product(sku, active=False)
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, status(stage), stage.open_cases()) == ("proven", "CANCELLED", [])


def test_what_somebody_puts_on_sale_again_is_a_case_and_a_second_go_stops_it_again(stages: OpenStage) -> None:
    stage = shop(stages)
    go(stage)
    stage.centra.change_product(SHIRT, status="ACTIVE")
    stage.sweep(**HALF_HOUR)
    assert [case.cause for case in stage.open_cases()] == [f"{SHIRT} on sale again"]
    assert items(stage) == {"on sale"}
    go(stage)
    assert (row(stage).state, status(stage)) == ("held", "INACTIVE")
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, status(stage), stage.open_cases()) == ("proven", "CANCELLED", [])


def test_a_piece_of_a_bundle_that_sells_is_not_archived(stages: OpenStage) -> None:
    stage = shop(stages)
    go(stage, "LS104NVM")
    (case,) = stage.open_cases()
    assert (case.type, "BX501ST1" in case.message) == ("PRODUCT_ARCHIVE_VIOLATION", True)
    assert stage.centra.products.status("LS104NVM") == "ACTIVE"


def test_a_bundle_drains_by_its_pieces(stages: OpenStage) -> None:
    stage = shop(stages)
    number = stage.order(lines=[BasketLine("BX501ST1", 2)])
    stage.hint(number)
    stage.work()
    go(stage, "BX501ST1")
    stage.sweep(times=1)
    assert f"order {number} (2 × BX501ST1)" in row(stage).reason


@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before"])
def test_each_step_survives_a_call_that_is_never_answered(stages: OpenStage, fault: str) -> None:
    stage = shop(stages)
    stage.centra.faults.plan(fault, operation="updateProductVariant")
    stage.orderwise.faults.plan(fault, operation="update_variant")
    go(stage)
    stage.sweep(**HALF_HOUR)
    stage.centra.faults.plan(fault, operation="updateProductVariant")
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, status(stage), items(stage), stage.open_cases()) == (
        "proven",
        "CANCELLED",
        {ARCHIVED},
        [],
    )


def test_where_people_change_centra_they_are_told_what_and_when(stages: OpenStage) -> None:
    stage = shop(stages, STAGED.replace('"variant status"', '"off"'))
    go(stage)
    assert [case.cause for case in stage.open_cases()] == ["stop by hand"]
    stage.centra.change_product(SHIRT, status="INACTIVE")
    stage.sweep(**HALF_HOUR)
    assert [case.cause for case in stage.open_cases()] == ["archive by hand"]
    assert items(stage) == {ARCHIVED}
    stage.centra.change_product(SHIRT, status="CANCELLED")
    stage.sweep(**HALF_HOUR)
    assert (row(stage).state, stage.open_cases()) == ("proven", [])
    assert stage.centra.requests["updateProductVariant"] == 0


def test_who_began_it_is_on_record(stages: OpenStage) -> None:
    stage = shop(stages)
    go(stage)
    with stage.store.read() as tx:
        assert [(act.actor, act.object) for act in reference.audit_trail(tx)][-1] == (
            "ann",
            f"archive {SHIRT} of brand",
        )

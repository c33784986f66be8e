"""Both catalogues held against each other: one master a field, one case a difference, nothing overwritten."""

from decimal import Decimal
from typing import Any

import pytest
from erps.orderwise.bench import paste_exports
from stage import Stage, example
from steps.looking import run_feed
from steps.test_product_launch import CAP, CARDIGAN, STAGED, OpenStage, row, staged, variant

from integration import waterfall
from integration.erp.orderwise.client import sql_of
from integration.sandbox.catalogue import GOODS
from integration.sandbox.centra_orders import BasketLine

SHIRT, COAT, KIT = "LS101NVS", "LS104NVM", "BX501ST1"
MASTERS = STAGED + 'masters = { ean = "erp", name = "storefront", bundle = "erp" }\n'


def compare(stage: Stage) -> None:
    stage.clock.sleep(3600)
    run_feed(stage, "products")
    stage.work()


def compared(stages: OpenStage, table: str = MASTERS, **terms: Any) -> Stage:
    """A shop whose catalogue was seen once: the two forgotten ones are on sale, everything else agrees."""
    stage = staged(stages, table, **terms)
    for sku in (CAP, CARDIGAN):
        stage.orderwise.add_product(sku, f"{GOODS[sku].product_name} Navy Small")
        stage.orderwise.change_product(sku, ean=GOODS[sku].ean)
    compare(stage)
    assert stage.open_cases() == []
    return stage


def cases(stage: Stage) -> list[tuple[str, str]]:
    return [(case.type, case.cause) for case in stage.open_cases()]


@pytest.mark.parametrize(
    ("field", "words", "correct"),
    [("ean", {"ean": "2000000000001"}, "correct Centra"), ("name", {"description": "Shirt"}, "correct orderwise")],
)
def test_a_field_that_differs_is_one_case_that_names_its_master(
    stages: OpenStage, field: str, words: dict[str, str], correct: str
) -> None:
    stage = compared(stages)
    before = stage.world.erp("orderwise").definitions([SHIRT])[0]
    stage.orderwise.change_product(SHIRT, **words)
    compare(stage)
    compare(stage)
    assert cases(stage) == [("PRODUCT_FIELD_CONFLICT", f"{SHIRT} {field}")]
    assert correct in stage.open_cases()[0].message
    assert stage.centra.requests["updateProductVariant"] == stage.orderwise.requests["update_variant"] == 0
    stage.orderwise.change_product(SHIRT, ean=before.fields["ean"], description=before.fields["name"])
    compare(stage)
    assert cases(stage) == []


def test_a_field_without_a_master_is_nobodys_difference(stages: OpenStage) -> None:
    stage = compared(stages, STAGED)
    stage.orderwise.change_product(SHIRT, ean="2000000000001", description="Shirt")
    compare(stage)
    assert cases(stage) == []


def test_centras_price_leads_in_every_order_whatever_the_erp_would_have_asked(stages: OpenStage) -> None:
    stage = compared(stages, MASTERS.replace("{ ean", '{ price = "storefront", ean'))
    number = stage.order(lines=[BasketLine(SHIRT, 2, Decimal("12.34"))])
    stage.hint(number)
    stage.work()
    stage.sweep(times=6, every=600)
    assert stage.row(number).state == "proven"
    (booked,) = stage.orderwise.books()["orders"]
    asked = Decimal(stage.world.erp("orderwise").item(variant(stage, SHIRT).ref).fields["price"])
    assert [Decimal(line["gross"]) for line in booked["lines"]] == [Decimal("12.34")]
    assert asked * Decimal("1.2") != Decimal("12.34")
    compare(stage)
    assert cases(stage) == []


def test_what_is_new_in_centra_is_launched_by_itself(stages: OpenStage) -> None:
    stage = staged(stages, MASTERS)
    for sku in (CAP, CARDIGAN):
        stage.centra.withhold_product(sku)
    compare(stage)
    stage.centra.make_product(CAP, status="INACTIVE")
    compare(stage)
    stage.sweep()
    assert (row(stage, CAP).state, stage.centra.products.status(CAP)) == ("proven", "ACTIVE")
    assert cases(stage) == []


def test_what_was_there_before_anybody_looked_is_not_launched_but_told_of_while_it_sells(stages: OpenStage) -> None:
    stage = staged(stages, MASTERS)
    compare(stage)
    compare(stage)
    assert stage.rows("product") == []
    assert cases(stage) == [("PRODUCT_SELLABLE_UNVERIFIED", CAP)]
    stage.centra.change_product(CAP, status="INACTIVE")
    compare(stage)
    assert cases(stage) == []


def test_a_bundle_with_other_parts_in_the_erp_is_a_case(stages: OpenStage) -> None:
    stage = compared(stages)
    with stage.orderwise._changing():
        stage.orderwise._ledger.base.execute("UPDATE variant_bom_component SET vbc_quantity = 3 WHERE vbc_quantity = 2")
    compare(stage)
    found = {case.cause: case.message for case in stage.open_cases() if case.type == "BUNDLE_CONFLICT"}
    assert set(found) == {KIT, "BX503ST1"}
    assert "1 × LS104NVM, 3 × LS106NVM" in found[KIT]
    assert "1 × LS104NVM, 2 × LS106NVM" in found[KIT]


def test_a_bundle_of_centras_that_the_mapping_does_not_name_is_a_case_though_the_erp_has_it_as_an_article(
    stages: OpenStage,
) -> None:
    stage = compared(stages)
    stage.orderwise.change_product(KIT, code="OLD", ean="")
    stage.orderwise.add_product(KIT, "Box")
    stage.orderwise.change_product(KIT, ean=GOODS[KIT].ean)
    stage.apply(example("orderwise", stock=False).replace(f"{KIT} = ", "ANOTHER = ") + MASTERS, "orderwise")
    compare(stage)
    (case,) = [case for case in stage.open_cases() if case.cause == KIT]
    assert (case.type, "[bundles] of orderwise.toml does not say what is in it" in case.message) == (
        "BUNDLE_CONFLICT",
        True,
    )


def test_a_kit_of_the_erps_that_the_mapping_takes_for_an_article_is_a_case_until_its_pieces_are_named(
    stages: OpenStage,
) -> None:
    stage = staged(stages, MASTERS)
    for sku, parts in ((CAP, {COAT: 2}), (CARDIGAN, None)):
        stage.orderwise.add_product(sku, f"{GOODS[sku].product_name} Navy Small", parts)
        stage.orderwise.change_product(sku, ean=GOODS[sku].ean)
    compare(stage)
    assert cases(stage) == [("BUNDLE_CONFLICT", CAP)]
    assert f"2 × {COAT}, [bundles] has nothing" in stage.open_cases()[0].message
    named = example("orderwise", stock=False).replace("[bundles]", f"[bundles]\n{CAP} = {{ {COAT} = 2 }}\n#", 1)
    stage.apply(named + MASTERS, "orderwise")
    compare(stage)
    assert cases(stage) == []


@pytest.mark.parametrize("erp_first", [True, False])
def test_what_one_system_has_ended_and_the_other_has_not_is_found(stages: OpenStage, erp_first: bool) -> None:
    stage = compared(stages)
    if erp_first:
        stage.orderwise.change_product(CAP, discontinued=True)
    else:
        stage.centra.change_product(CAP, status="CANCELLED")
    compare(stage)
    assert cases(stage) == [("PRODUCT_ARCHIVE_VIOLATION", CAP)]
    assert f"lockstep archive {CAP}" in stage.open_cases()[0].message


@pytest.mark.scenario("PRD-11")
def test_what_was_deactivated_with_open_orders_is_found_with_their_list(stages: OpenStage) -> None:
    stage = compared(stages)
    number = stage.order(lines=[BasketLine(CAP, 1)])
    stage.hint(number)
    stage.work()
    stage.orderwise.change_product(CAP, discontinued=True)
    stage.centra.change_product(CAP, status="INACTIVE")
    compare(stage)
    (case,) = [case for case in stage.open_cases() if case.type == "PRODUCT_ARCHIVE_VIOLATION"]
    assert f"order {number}" in case.message


@pytest.mark.scenario("PRD-05")
def test_one_ean_on_two_skus_is_a_case_until_one_has_another(stages: OpenStage) -> None:
    stage = compared(stages, STAGED)
    stage.centra.change_product(CAP, ean=GOODS[SHIRT].ean)
    compare(stage)
    assert cases(stage) == [("SKU_EAN_SHARED", GOODS[SHIRT].ean)]
    stage.centra.change_product(CAP, ean=GOODS[CAP].ean)
    compare(stage)
    assert cases(stage) == []


@pytest.mark.scenario("PRD-04")
def test_a_spelling_that_only_may_be_the_same_is_a_case_and_never_a_guess(stages: OpenStage) -> None:
    stage = compared(stages)
    stage.orderwise.change_product(SHIRT, code=SHIRT.lower())
    compare(stage)
    assert ("SKU_AMBIGUOUS", SHIRT) in cases(stage)
    assert stage.rows("product") == []


def test_outer_spaces_are_no_difference(stages: OpenStage) -> None:
    stage = compared(stages)
    stage.orderwise.change_product(SHIRT, code=f"{SHIRT} ")
    compare(stage)
    assert cases(stage) == []


def test_two_spellings_in_centra_are_a_case(stages: OpenStage) -> None:
    stage = compared(stages, STAGED)
    stage.centra.change_product(CAP, sku=CARDIGAN.lower())
    compare(stage)
    assert ("SKU_AMBIGUOUS", f"{CARDIGAN} alike") in cases(stage)
    stage.centra.change_product(CARDIGAN.lower(), sku=CAP)
    compare(stage)
    assert ("SKU_AMBIGUOUS", f"{CARDIGAN} alike") not in cases(stage)


def test_a_sku_that_the_erp_renamed_is_told_once_and_made_by_nobody(stages: OpenStage) -> None:
    stage = compared(stages)
    stage.orderwise.change_product(SHIRT, code="LS999")
    compare(stage)
    compare(stage)
    renamed = [case for case in stage.open_cases() if case.type == "SKU_RENAMED"]
    assert [(case.cause, case.occurrences) for case in renamed] == [(f"{SHIRT} LS999", 1)]
    assert int(stage.orderwise.requests["create_variant"]) == 0


def test_a_sku_that_names_another_article_than_before_is_told(stages: OpenStage) -> None:
    stage = compared(stages)
    stage.centra.change_product(CAP, sku="ZZ000")
    stage.centra.change_product(CARDIGAN, sku=CAP)
    compare(stage)
    causes = {case.cause for case in stage.open_cases() if case.type == "SKU_RENAMED"}
    assert f"{CAP} {CAP}" in causes


def test_an_erp_that_is_away_in_the_middle_costs_a_slot_and_no_page(stages: OpenStage) -> None:
    stage = compared(stages)
    stage.orderwise.change_product(SHIRT, ean="2000000000001")
    stage.orderwise.faults.plan("error-before", operation="export_definition")
    compare(stage)
    assert cases(stage) == []
    compare(stage)
    assert ("PRODUCT_FIELD_CONFLICT", f"{SHIRT} ean") in cases(stage)


# -------------------------------------------------------------------------------------------- a catalogue that shrinks


def filtered(stage: Stage) -> None:
    """Somebody adds a filter to our export of products that leaves out every other one."""
    half = sql_of("products").replace("WHERE (v.vad_id > @after", "WHERE v.vad_id % 2 = 0 AND (v.vad_id > @after")
    half = half.replace("v.vad_variant_code IN", "v.vad_id % 2 = 0 AND v.vad_variant_code IN")
    stage.orderwise.paste_export(stage.world.erp("orderwise").profile.exports["products"], half, "products")


@pytest.mark.scenario("PLT-17")
def test_a_filter_that_halves_what_the_erp_tells_of_products_is_one_case_and_judges_nothing(stages: OpenStage) -> None:
    stage = compared(stages)
    filtered(stage)
    compare(stage)
    compare(stage)
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "fewer products")]
    assert "was a filter added" in stage.open_cases()[0].message
    paste_exports(stage)
    compare(stage)
    assert cases(stage) == []


def test_what_is_new_waits_for_its_launch_until_the_erp_is_believed_again(stages: OpenStage) -> None:
    stage = staged(stages, MASTERS)
    for sku in (CAP, CARDIGAN):
        stage.centra.withhold_product(sku)
    compare(stage)
    filtered(stage)
    stage.centra.make_product(CAP, status="INACTIVE")
    compare(stage)
    assert stage.rows("product") == []
    paste_exports(stage)
    compare(stage)
    stage.sweep()
    assert (row(stage, CAP).state, cases(stage)) == ("proven", [])


def test_products_that_are_rightly_gone_are_judged_after_a_persons_word(stages: OpenStage) -> None:
    stage = compared(stages)
    filtered(stage)
    compare(stage)
    waterfall.release(stage.world, "orderwise", actor="ann", reason="the old season was deleted")
    assert cases(stage) == []
    compare(stage)
    assert {type for type, _ in cases(stage)} == {"PRODUCT_SELLABLE_UNVERIFIED"}

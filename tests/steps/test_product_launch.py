"""A product launch: nothing is sold before every ERP that stages has it, complete and read back."""

from collections.abc import Callable
from typing import Any

import pytest
from stage import Stage, example
from steps.looking import run_feed

from integration.domain.order import Key
from integration.sandbox.catalogue import GOODS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.centra_switches import CentraSwitches
from integration.store import ledger, listings

FAMILY = ("LS101NVS", "LS101NVM", "LS101NVL")
CAP, CARDIGAN = "ZZ901NVS", "ZZ902NVS"
STAGED = """
[products]
staging = "on"
release = "variant status"
template = "TEMPLATE"
required = ["ean", "name"]
"""
OpenStage = Callable[..., Stage]


def staged(stages: OpenStage, table: str = STAGED, erp: str = "orderwise", **terms: Any) -> Stage:
    """A shop with nothing in it that the ERP lacks but the two forgotten ones, one of which is on sale."""
    stage = stages(erps=(erp,), **terms)
    stage.centra.change_product(CARDIGAN, status="INACTIVE")
    stage.apply(example(erp, stock=False) + table, erp)
    if erp == "orderwise":
        stage.orderwise.add_product("TEMPLATE", "Template for goods")
    return stage


def seen(stage: Stage) -> None:
    """Centra's catalogue as it is now is known."""
    items, page, more = [], 0, True
    while more:
        page += 1
        some, more = stage.world.storefronts["brand"].catalogue(page)
        items += some
    with stage.store.write("seen") as tx:
        listings.put(tx, "brand", items)


def launch(stage: Stage, *skus: str) -> None:
    seen(stage)
    for key in ledger.mark(stage.store, [Key("brand", "product", sku) for sku in skus], "catalogue"):
        stage.world.ring("take", key)
    stage.work()


def row(stage: Stage, sku: str) -> Any:
    return next(row for row in stage.rows("product") if row.number == sku)


def variant(stage: Stage, sku: str) -> Any:
    return next((item for item in stage.world.erp("orderwise").definitions([sku])), None)


def made(stage: Stage) -> int:
    return int(stage.orderwise.requests["create_variant"])


def test_a_new_sku_is_held_back_made_read_back_and_only_then_on_sale(stages: OpenStage) -> None:
    stage = staged(stages)
    launch(stage, CAP)
    assert (row(stage, CAP).state, stage.centra.products.status(CAP)) == ("proven", "ACTIVE")
    assert variant(stage, CAP).fields == {"ean": GOODS[CAP].ean, "name": "Sample Sale Cap Navy Small"}
    assert stage.centra.requests["updateProductVariant"] == 2  # held back, and released
    assert stage.open_cases() == []


def test_what_is_held_back_in_centra_is_not_released_before_the_erp_has_it(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.centra.change_product(CAP, status="INACTIVE")
    stage.orderwise.faults.plan("timeout-before", operation="create_variant")
    launch(stage, CAP)
    assert stage.centra.products.status(CAP) == "INACTIVE"
    stage.sweep(times=10)
    assert (row(stage, CAP).state, stage.centra.products.status(CAP), made(stage)) == ("proven", "ACTIVE", 2)


def test_a_call_that_is_never_answered_makes_no_second_item(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.orderwise.faults.plan("timeout-after", operation="create_variant")
    launch(stage, CAP)
    assert row(stage, CAP).state == "ready"
    stage.sweep(times=10)
    assert (row(stage, CAP).state, made(stage)) == ("proven", 1)


@pytest.mark.scenario("PRD-08")
def test_a_required_field_that_is_empty_keeps_it_off_sale_until_it_is_filled_in(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.centra.change_product(CAP, ean="")
    launch(stage, CAP)
    (case,) = stage.open_cases()
    assert (case.type, case.number, case.owner) == ("PRODUCT_STAGING_INCOMPLETE", CAP, "Merchandising")
    assert "no ean" in case.message
    assert stage.centra.products.status(CAP) == "INACTIVE"
    stage.orderwise.change_product(CAP, ean="2012345678900")
    stage.sweep(times=40, every=30)
    assert (row(stage, CAP).state, stage.centra.products.status(CAP), made(stage)) == ("proven", "ACTIVE", 1)
    assert stage.open_cases() == []


@pytest.mark.scenario("PRD-09")
def test_a_colour_is_not_released_while_some_of_its_sizes_failed_and_goes_on_where_it_stood(stages: OpenStage) -> None:
    stage = staged(stages)
    for sku in FAMILY:
        stage.orderwise.change_product(sku, code=f"OLD-{sku}", ean="")
    stage.centra.change_product(CAP, status="INACTIVE")
    stage.centra.change_product(FAMILY[0], status="INACTIVE")
    taken = GOODS["LS102NVS"].ean
    stage.centra.change_product(FAMILY[2], ean=taken + "1")
    stage.orderwise.change_product("LS102NVS", ean=taken + "1")
    launch(stage, *FAMILY)
    assert [row(stage, sku).state for sku in FAMILY] == ["created", "created", "dead"]
    assert "1 of 3" in row(stage, FAMILY[0]).reason
    assert stage.centra.products.status(FAMILY[0]) == "INACTIVE"
    stage.orderwise.change_product("LS102NVS", ean=taken)
    stage.sweep(times=40, every=30)
    assert {row(stage, sku).state for sku in FAMILY} == {"proven"}
    assert stage.centra.products.status(FAMILY[0]) == "ACTIVE"
    assert len(stage.world.erp("orderwise").definitions(FAMILY)) == 3
    assert stage.open_cases() == []


@pytest.mark.scenario("PRD-05")
def test_an_ean_that_another_sku_has_is_nobodys_to_pick(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.centra.change_product(CAP, ean=GOODS["LS101NVS"].ean)
    launch(stage, CAP)
    (case,) = stage.open_cases()
    assert case.type == "SKU_EAN_SHARED"
    assert "LS101NVS" in case.message
    assert (variant(stage, CAP), made(stage)) == (None, 0)


@pytest.mark.scenario("PRD-04")
def test_a_sku_that_the_erp_spells_otherwise_is_not_made_a_second_time(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.orderwise.add_product(CAP.lower())
    launch(stage, CAP)
    (case,) = stage.open_cases()
    assert (case.type, case.cause, made(stage)) == ("SKU_AMBIGUOUS", CAP, 0)
    stage.orderwise.change_product(CAP.lower(), code=CAP, ean=GOODS[CAP].ean)
    stage.sweep(times=40, every=30)
    assert (row(stage, CAP).state, made(stage), stage.open_cases()) == ("proven", 0, [])


def test_a_sku_that_the_erp_has_discontinued_is_not_used_again_in_silence(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.orderwise.add_product(CAP)
    stage.orderwise.change_product(CAP, discontinued=True)
    launch(stage, CAP)
    assert [(case.type, case.number) for case in stage.open_cases()] == [("SKU_RENAMED", CAP)]


def test_where_the_erp_has_no_call_a_person_makes_it_and_it_is_released_then(stages: OpenStage) -> None:
    stage = staged(stages, STAGED.replace('required = ["ean", "name"]', 'required = ["name"]'), erp="fulfil")
    launch(stage, CAP)
    (case,) = stage.open_cases()
    assert case.type == "PRODUCT_BY_HAND"
    assert CAP in case.message
    assert GOODS[CAP].ean in case.message
    assert stage.centra.products.status(CAP) == "INACTIVE"
    stage.fulfil.add_product(CAP)
    stage.sweep(times=40, every=30)
    assert (stage.centra.products.status(CAP), stage.open_cases()) == ("ACTIVE", [])


def test_a_new_bundle_is_no_copy_of_a_template_and_is_sold_once_its_kit_has_the_pieces_of_the_mapping(
    stages: OpenStage,
) -> None:
    stage, kit = staged(stages), "BX501ST1"
    stage.orderwise.change_product(kit, code="OLD", ean="")
    launch(stage, kit)
    (case,) = stage.open_cases()
    assert (case.type, case.number) == ("PRODUCT_BY_HAND", kit)
    assert "a kit of 1 × LS104NVM, 2 × LS106NVM" in case.message
    assert (made(stage), stage.centra.products.status(kit)) == (0, "INACTIVE")
    stage.orderwise.add_product(kit, "Box", {"LS104NVM": 1, "LS106NVM": 1})
    stage.orderwise.change_product(kit, ean=GOODS[kit].ean)
    stage.sweep(times=40, every=30)
    (case,) = [case for case in stage.open_cases() if case.number == kit]
    assert (case.type, stage.centra.products.status(kit)) == ("PRODUCT_STAGING_INCOMPLETE", "INACTIVE")
    assert "1 × LS104NVM, 1 × LS106NVM" in case.message
    stage.orderwise.change_product(kit, code="WRONG", ean="")
    stage.orderwise.change_product("OLD", code=kit, ean=GOODS[kit].ean)
    stage.sweep(times=40, every=30)
    assert (row(stage, kit).state, stage.centra.products.status(kit)) == ("proven", "ACTIVE")
    assert [case for case in stage.open_cases() if case.number == kit] == []


def test_a_new_bundle_that_the_mapping_does_not_name_is_not_sold_as_the_article_that_the_erp_takes_it_for(
    stages: OpenStage,
) -> None:
    stage, kit = staged(stages), "BX501ST1"
    stage.apply(example("orderwise").replace(f"{kit} = ", "ANOTHER = ") + STAGED, "orderwise")
    stage.orderwise.change_product(kit, code="OLD", ean="")
    launch(stage, kit)
    stage.orderwise.add_product(kit, "Box")
    stage.orderwise.change_product(kit, ean=GOODS[kit].ean)
    stage.sweep(times=40, every=30)
    (case,) = [case for case in stage.open_cases() if case.number == kit]
    assert (case.type, stage.centra.products.status(kit)) == ("PRODUCT_STAGING_INCOMPLETE", "INACTIVE")
    assert f"[bundles] of orderwise.toml does not say what is in {kit}" in case.message


def test_a_bundle_that_was_sold_before_its_kit_was_proved_is_known_by_its_pieces(stages: OpenStage) -> None:
    stage, kit = staged(stages, STAGED.replace('"variant status"', '"off"')), "BX501ST1"
    stage.orderwise.change_product(kit, code="OLD", ean="")
    launch(stage, kit)
    sold, one_piece = (stage.order(lines=[BasketLine(sku, 1)]) for sku in (kit, "LS104NVM"))
    stage.hint(sold, one_piece)
    stage.work()
    run_feed(stage, "sold_early")
    (case,) = [case for case in stage.open_cases() if case.cause == f"{kit} sold"]
    assert case.message.endswith(f"orders with all its pieces {sold}")


def test_where_people_release_nothing_is_changed_in_centra(stages: OpenStage) -> None:
    stage = staged(stages, STAGED.replace('"variant status"', '"off"'))
    stage.centra.change_product(CAP, status="INACTIVE")
    stage.centra.change_product(CARDIGAN, status="ACTIVE")
    launch(stage, CAP, CARDIGAN)
    assert stage.centra.requests["updateProductVariant"] == 0
    assert (row(stage, CAP).state, row(stage, CAP).reason) == ("proven", "complete: it may be put on sale in Centra")
    assert (row(stage, CARDIGAN).state, row(stage, CARDIGAN).reason) == ("proven", "on sale in Centra")


def test_what_was_sold_before_it_was_proved_is_a_case_until_it_is(stages: OpenStage) -> None:
    stage = staged(stages, STAGED.replace('"variant status"', '"off"'))
    stage.centra.change_product(CAP, ean="")
    launch(stage, CAP)
    number = stage.order(lines=[BasketLine(CAP, 1)])
    stage.hint(number)
    stage.work()
    run_feed(stage, "sold_early")
    (case,) = [case for case in stage.open_cases() if case.type == "PRODUCT_SELLABLE_UNVERIFIED"]
    assert (case.owner, number in case.message) == ("Ecommerce", True)
    stage.orderwise.change_product(CAP, ean=GOODS[CAP].ean)
    stage.sweep(times=15, every=120)
    assert stage.open_cases() == []


def test_the_launch_that_proves_a_sku_closes_what_was_open_because_nobody_had(stages: OpenStage) -> None:
    stage = staged(stages, STAGED.replace('"variant status"', '"off"'))
    stage.centra.change_product(CAP, ean="")
    run_feed(stage, "products")
    launch(stage, CAP)
    stage.hint(stage.order(lines=[BasketLine(CAP, 1)]))
    stage.work()
    run_feed(stage, "sold_early")
    early = {case.cause for case in stage.open_cases() if case.type == "PRODUCT_SELLABLE_UNVERIFIED"}
    assert early == {CAP, f"{CAP} sold"}
    stage.orderwise.change_product(CAP, ean=GOODS[CAP].ean)
    launch(stage, CAP)
    assert (row(stage, CAP).state, "PRODUCT_SELLABLE_UNVERIFIED" in {c.type for c in stage.open_cases()}) == (
        "proven",
        False,
    )
    run_feed(stage, "sold_early")
    run_feed(stage, "products")
    assert "PRODUCT_SELLABLE_UNVERIFIED" not in {case.type for case in stage.open_cases()}


def test_a_centra_that_takes_no_status_leaves_it_to_a_person(stages: OpenStage) -> None:
    stage = staged(stages, centra=CentraSwitches(variant_status_input=False))
    stage.centra.change_product(CAP, status="INACTIVE")
    launch(stage, CAP)
    (case,) = stage.open_cases()
    assert case.type == "PRODUCT_BY_HAND"
    stage.centra.change_product(CAP, status="ACTIVE")
    stage.sweep(times=40, every=30)
    assert (row(stage, CAP).state, stage.open_cases()) == ("proven", [])


def test_a_new_size_of_a_colour_that_sells_takes_nothing_off_sale(stages: OpenStage) -> None:
    stage = staged(stages)
    stage.orderwise.change_product(FAMILY[2], code="OLD", ean="")
    launch(stage, FAMILY[2])
    assert (row(stage, FAMILY[2]).state, stage.centra.requests["updateProductVariant"]) == ("proven", 0)


def test_what_is_taken_out_of_centra_before_it_was_made_is_not_made(stages: OpenStage) -> None:
    stage = staged(stages)
    seen(stage)
    stage.centra.withhold_product(CAP)
    for key in ledger.mark(stage.store, [Key("brand", "product", CAP)], "catalogue"):
        stage.world.ring("take", key)
    stage.work()
    assert (row(stage, CAP).state, made(stage)) == ("cancelled", 0)

"""`lockstep products` and `lockstep archive`: how SKUs stand, and ending one with its checks shown first."""

import json
from pathlib import Path

import pytest
from cli.conftest import Lockstep
from stage import Stage, example
from steps.looking import run_feed
from steps.test_product_launch import CAP, STAGED

from integration.sandbox.centra_orders import BasketLine

SHIRT = "LS101NVS"


@pytest.fixture
def stage(tmp_path: Path):
    made = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}", erps=("orderwise",))
    made.apply(example("orderwise") + STAGED + 'masters = { ean = "erp" }\n', "orderwise")
    made.orderwise.add_product("TEMPLATE", "Template for goods")
    run_feed(made, "products")
    yield made
    made.store.close()


def test_a_sku_is_told_as_every_system_has_it_with_what_differs(stage: Stage, lockstep: Lockstep) -> None:
    stage.orderwise.change_product(SHIRT, ean="2000000000001")
    stage.clock.sleep(3600)
    run_feed(stage, "products")
    told = lockstep("products", SHIRT).output
    assert "orderwise" in told
    assert "PRODUCT_FIELD_CONFLICT" in told
    assert "its master" in told
    listed = lockstep("products").output
    assert f"{SHIRT} ean" in listed
    document = json.loads(lockstep("products", SHIRT.lower(), "--json").output)
    assert {each["system"] for each in document["listings"]} == {"brand", "orderwise"}


def test_what_was_there_before_can_be_launched_by_a_person(stage: Stage, lockstep: Lockstep) -> None:
    lockstep("products", CAP, "--launch", "--actor", "ann")
    stage.sweep(times=2)
    assert "launched: proven" in lockstep("products", CAP).output
    assert "no launch and no archiving is going on" in lockstep("products").output


def test_the_checks_of_an_archiving_are_shown_and_nothing_is_done(stage: Stage, lockstep: Lockstep) -> None:
    number = stage.order(lines=[BasketLine(SHIRT, 1)])
    stage.hint(number)
    stage.work()
    told = lockstep("archive", SHIRT).output
    assert "goes together: LS101NVS, LS101NVM, LS101NVL" in told
    assert f"order {number} (1 × {SHIRT})" in told
    assert "pieces on hand" in told
    assert "comes next: stop selling it in Centra" in told
    assert (stage.rows("archive"), stage.centra.products.status(SHIRT)) == ([], "ACTIVE")


def test_with_go_it_is_stopped_and_goes_on_by_itself(stage: Stage, lockstep: Lockstep) -> None:
    lockstep("archive", SHIRT, "--go", "--actor", "ann")
    stage.sweep(times=12, every=300)
    assert stage.centra.products.status(SHIRT) == "CANCELLED"
    assert "comes next: nothing: it is archived" in lockstep("archive", SHIRT).output


def test_a_launch_is_told_from_its_template_to_its_release(stage: Stage, lockstep: Lockstep) -> None:
    lockstep("products", CAP, "--launch", "--actor", "ann")
    stage.sweep(times=2)
    told = lockstep("products", CAP, "--story", "--live").output
    assert told.startswith(f"SKU {CAP} of brand is launched: complete in orderwise")
    for words in (
        "made in orderwise where it is missing (template TEMPLATE); it needs ean and name",
        "complete in the ERP 2026-05-04",
        f"new item in orderwise {CAP} is there as ",
        "about to send the hold",
        "take: done: to be proved in orderwise",
        "offer: done: released: on sale in Centra",
        "now: on sale",
        f"now: {CAP} active",
        "nobody: it is finished",
    ):
        assert words in told, words


def test_a_launch_that_stands_still_says_who_acts_next_and_is_counted_where_lanes_are_told(
    stage: Stage, lockstep: Lockstep
) -> None:
    stage.centra.change_product(CAP, ean="")
    lockstep("products", CAP, "--launch", "--actor", "ann")
    stage.sweep(times=2)
    (told,) = json.loads(lockstep("products", CAP, "--story", "--json").output)
    assert told["headline"].startswith(f"SKU {CAP} of brand stands still")
    assert told["next"].startswith("Merchandising, by ")
    assert "launches: 1 dead" in lockstep("status").output
    assert "1 launch going on, 1 stopped" in lockstep("lanes").output


def test_an_archiving_is_told_with_its_checks_and_names_its_launch(stage: Stage, lockstep: Lockstep) -> None:
    lockstep("products", CAP, "--launch", "--actor", "ann")
    stage.sweep(times=2)
    lockstep("archive", CAP, "--go", "--actor", "ann")
    stage.sweep(times=2)
    told = lockstep("products", CAP, "--story", "--live").output
    archiving = told[told.index(f"SKU {CAP} of brand is being archived") :]
    for words in (
        "off sale since 2026-05-04",
        f"goes together: {CAP}",
        "comes next: wait 15 minutes",
        "now: held back",
    ):
        assert words in archiving, words
    assert f"launch {CAP}: proven" in archiving
    assert "archivings: 1 held" in lockstep("status").output


def test_a_sku_without_a_launch_has_no_story(stage: Stage, lockstep: Lockstep) -> None:
    refused = lockstep("products", SHIRT, "--story")
    assert (refused.exit_code, "no launch and no archiving" in refused.output) == (2, True)


def test_a_sku_that_nobody_has_is_refused(stage: Stage, lockstep: Lockstep) -> None:
    for words in (("products", "NO-SUCH"), ("archive", "NO-SUCH"), ("archive", SHIRT, "--instance", "other")):
        assert lockstep(*words).exit_code == 2

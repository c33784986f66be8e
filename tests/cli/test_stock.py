"""`lockstep stock`: why a figure is what it is, what waits, and a person's word on it."""

import json
from pathlib import Path

import pytest
from cli.conftest import Lockstep
from stage import Stage, example
from steps.looking import run_feed
from steps.stockroom import SKU, at, count, counted, free, hint

from integration.sandbox.catalogue import ERP_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.goods import GOODS

PLAIN = sorted(sku for sku in ERP_SKUS if not GOODS[sku].is_bundle)


@pytest.fixture
def stage(tmp_path: Path):
    made = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}", stock=True)
    run_feed(made, "catalogue")
    run_feed(made, "places", "fulfil")
    yield made
    made.store.close()


def test_the_way_from_the_erps_figure_to_what_shoppers_see_is_told_in_words(stage: Stage, lockstep: Lockstep) -> None:
    counted(stage, 10)
    number = stage.order(lines=[BasketLine(SKU, 3)])
    stage.centra.hold(int(number))
    stage.hint(number)
    stage.work()
    hint(stage)
    told = lockstep("stock", SKU).output
    assert "10  fulfil has available" in told
    assert "-3  sold and not yet off the figure: Centra holds 3 for orders" in told
    assert "7  shoppers may buy" in told
    assert "Centra was told 10 physical" in told
    assert "read back: 7 to buy" in told
    assert "nothing waits" in told
    (first, *_) = json.loads(lockstep("stock", SKU, "--json").output)
    assert (first["place"], first["figure"], first["sold_unknown"], first["desired"], first["shown"]) == (
        "1",
        10,
        3,
        7,
        7,
    )


def test_the_list_begins_with_the_worst_and_is_empty_when_all_is_well(stage: Stage, lockstep: Lockstep) -> None:
    counted(stage, 10)
    assert "every SKU is shown as it should be" in lockstep("stock").output
    stage.centra.faults.plan("unavailable", times=1_000)
    count(stage, 4)
    hint(stage)
    stage.clock.sleep(600)
    listed = lockstep("stock").output
    assert SKU in listed
    assert "10 min" in listed


def test_a_mass_change_is_released_by_a_person_with_a_reason(stage: Stage, lockstep: Lockstep) -> None:
    counted(stage, 50, *PLAIN[:30])
    for sku in PLAIN[:30]:
        count(stage, 0, sku)
    hint(stage, *PLAIN[:30])
    assert "held by the brake" in lockstep("stock").output.replace("\n", " ")
    refused = lockstep("stock", "--release", "fulfil")
    assert refused.exit_code == 2
    assert "--reason" in refused.output
    assert "there is no connection" in lockstep("stock", "--release", "other", "--reason", "x").output
    assert "30 SKUs of fulfil were held" in lockstep("stock", "--release", "fulfil", "--reason", "counted").output
    stage.sweep()
    assert {free(stage, sku) for sku in PLAIN[:30]} == {0}


def test_a_sale_is_stopped_for_some_hours(stage: Stage, lockstep: Lockstep) -> None:
    counted(stage, 10)
    assert f"{SKU} is not sold in" in lockstep("stock", SKU, "--stop", "2", "--reason", "recall").output
    stage.sweep()
    assert free(stage) == 0
    assert "sale stopped until" in lockstep("stock", SKU).output
    assert lockstep("stock", "NONE", "--stop", "2", "--reason", "recall").exit_code == 2


def test_a_sku_that_nobody_knows_is_said_to_be_so(lockstep: Lockstep) -> None:
    assert "no stock of 'NONE' is known" in lockstep("stock", "NONE").output


@pytest.mark.scenario("STK-21")
def test_a_setting_is_previewed_with_what_it_leaves_out_and_with_the_places_that_come_and_go(
    stage: Stage, lockstep: Lockstep, tmp_path: Path
) -> None:
    fewer, none, excluded = SKU, PLAIN[0], PLAIN[-1]
    counted(stage, 50, fewer, none, excluded)
    shown = {sku: at(stage, sku).shown for sku in (fewer, none, excluded)}
    assert set(shown.values()) == {50}
    text = example().replace("[stock.places.4]", "[stock.places.6]")
    words = f'[stock.buffers]\n"{fewer}" = 20\n"{none}" = 99\n[stock.excluded]\n"{excluded}" = "a gift"\n\n[bundles]'
    (tmp_path / "fulfil.toml").write_text(text.replace("[bundles]", words))
    told = lockstep("mappings", "preview", tmp_path)
    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.output.splitlines()]
    # two SKUs in three places are; in Osaka none of the three, and the gift nowhere
    assert "fulfil: 6 levels would change, 1 of them to nothing; 6 would not be told any more" in told.output
    assert "fulfil: place 6 would be fed from here, which it is not now" in told.output
    assert "fulfil: place 4 would not be fed from here any more" in told.output
    assert [none, "1", "50", "0"] in lines
    assert [fewer, "1", "50", "30"] in lines
    assert [excluded, "1", "50", "not", "told"] in lines
    assert {sku: at(stage, sku).shown for sku in shown} == shown
    stage.apply((tmp_path / "fulfil.toml").read_text())
    told = lockstep("mappings", "preview", tmp_path)
    assert "place" not in told.output.splitlines()[0]

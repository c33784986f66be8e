"""Kits in OrderWise are what can be built of what is in them, however deep, wherever it lies."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from erp_benches import Bench
from erps.orderwise.bench import bench as made

from integration.erp.orderwise.stock import kits, pieces_of
from integration.errors import Rejected
from integration.ports import Figure

SHIRT, SOCKS = "LS106NVM", "KD202NVS"


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    found.stage.orderwise.add_product("INNER", parts={SHIRT: 2})
    found.stage.orderwise.add_product("OUTER", parts={"INNER": 3, SOCKS: 1})
    yield found
    found.stage.store.close()


def test_a_kit_within_a_kit_is_built_of_the_pieces_of_both(bench: Bench) -> None:
    bench.count(SHIRT, 13, bench.warehouse)
    bench.count(SOCKS, 50, bench.warehouse)
    figures = bench.erp.figures(["OUTER", "INNER", SHIRT], [bench.warehouse])
    assert figures == {"OUTER": Figure(2, 2), "INNER": Figure(6, 6), SHIRT: Figure(13, 13)}


def test_what_is_in_a_kit_may_lie_in_two_places(bench: Bench) -> None:
    one, two, *_ = bench.places
    bench.count(SHIRT, 3, one)
    bench.count(SHIRT, 1, two)
    assert bench.erp.figures(["INNER"], [one]) == {"INNER": Figure(1, 1)}
    assert bench.erp.figures(["INNER"], [one, two]) == {"INNER": Figure(2, 2)}


def test_a_movement_of_what_is_in_a_kit_names_the_kits_around_it(bench: Bench) -> None:
    bench.stage.clock.sleep(60)
    began = bench.stage.clock.now()
    assert bench.erp.moved_since(began) == set()
    bench.stage.clock.sleep(1)
    bench.count(SHIRT, 5, bench.warehouse)
    assert {"OUTER", "INNER", SHIRT} <= set(bench.erp.moved_since(began))


def test_its_definition_names_the_pieces_of_both(bench: Bench) -> None:
    (outer,) = bench.erp.definitions(["OUTER"], parts=True)
    assert outer.parts == {SHIRT: 6, SOCKS: 1}


def test_a_kit_that_is_in_itself_has_an_end() -> None:
    recipes = {"SNAKE": {"TAIL": Fraction(2)}, "TAIL": {"SNAKE": Fraction(1), SHIRT: Fraction(1)}}
    assert pieces_of("SNAKE", recipes) == {"SNAKE": 2, SHIRT: 2}


def untold(bench: Bench, *skus: str, column: str = "vsl_free_stock_quantity") -> None:
    """The tenant's own expression comes to nothing for these SKUs."""
    for sku in skus:
        bench.stage.orderwise._ledger.base.execute(
            f"UPDATE variant_stock_location SET {column} = NULL WHERE vsl_sl_id = {bench.warehouse} AND vsl_vad_id = ("
            f"SELECT vad_id FROM variant_detail WHERE vad_variant_code = '{sku}')"
        )


@pytest.mark.parametrize("column", ["vsl_free_stock_quantity", "vsl_overall_stock_quantity"])
def test_a_sku_without_a_figure_is_left_out_and_so_is_every_kit_that_needs_it(bench: Bench, column: str) -> None:
    bench.count(SHIRT, 13, bench.warehouse)
    bench.count(SOCKS, 50, bench.warehouse)
    untold(bench, SHIRT, column=column)
    figures = bench.erp.figures(["OUTER", "INNER", SHIRT, SOCKS], bench.places)
    assert figures == {SOCKS: Figure(50, 50)}
    assert bench.erp.figures([SHIRT], [bench.warehouse]) == {}


def test_where_a_figure_is_missing_in_another_place_nothing_is_left_out(bench: Bench) -> None:
    one, two, *_ = bench.places
    bench.count(SHIRT, 3, two)
    untold(bench, SHIRT)
    assert one == bench.warehouse
    assert bench.erp.figures([SHIRT], [two]) == {SHIRT: Figure(3, 3)}


def test_a_column_that_has_no_figure_of_any_sku_is_a_wrong_column(bench: Bench) -> None:
    untold(bench, SHIRT, SOCKS)
    with pytest.raises(Rejected) as raised:
        bench.erp.figures([SHIRT, SOCKS], [bench.warehouse])
    assert (raised.value.type, raised.value.cause) == ("SCHEMA_CHANGE", "orderwise:export stock free")


def test_a_component_whose_quantity_is_missing_is_needed_once_at_least() -> None:
    row = {"kind": "kit", "sku": "BOX", "part": SHIRT, "quantity": None}
    assert kits([row, {**row, "part": SOCKS, "quantity": "2.0000"}]) == {"BOX": {SHIRT: 1, SOCKS: 2}}

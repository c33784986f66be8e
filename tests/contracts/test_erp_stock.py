"""Stock, as every ERP adapter must tell it."""

import pytest
from erp_benches import Bench

from integration.ports import Figure
from integration.sandbox.catalogue import ERP_SKUS, UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine


def test_a_figure_is_of_the_asked_warehouses_alone_and_summed_over_them(bench: Bench) -> None:
    sku = bench.stage.sku()
    one, two, *others = bench.places
    bench.count(sku, 7, one)
    bench.count(sku, 11, two)
    for other in others:
        bench.count(sku, 1000, other)
    assert bench.erp.figures([sku], [one]) == {sku: Figure(7, 7)}
    assert bench.erp.figures([sku], [two, one]) == {sku: Figure(18, 18)}


def test_what_is_sold_is_on_hand_and_not_available(bench: Bench) -> None:
    sku = bench.stage.sku()
    bench.count(sku, 10, bench.warehouse)
    bench.posted(lines=[BasketLine(sku, 3)])
    assert bench.erp.figures([sku], [bench.warehouse]) == {sku: Figure(on_hand=10, available=7)}


@pytest.mark.scenario("STK-10")
def test_more_sold_than_there_is_is_a_negative_figure(bench: Bench) -> None:
    sku = bench.stage.sku()
    bench.posted(lines=[BasketLine(sku, 3)])
    bench.count(sku, 1, bench.warehouse)
    assert bench.erp.figures([sku], [bench.warehouse])[sku].available == -2


def test_a_part_of_a_piece_cannot_be_sold(bench: Bench) -> None:
    sku = bench.stage.sku()
    one, two, *_ = bench.places
    bench.count(sku, 2.5, one)
    assert bench.erp.figures([sku], [one]) == {sku: Figure(2, 2)}
    bench.count(sku, 0.5, two)
    assert bench.erp.figures([sku], [one, two]) == {sku: Figure(3, 3)}


def test_a_sku_the_erp_does_not_know_is_left_out(bench: Bench) -> None:
    known, unknown = bench.stage.sku(), min(UNKNOWN_SKUS)
    assert set(bench.erp.figures([known, unknown, known.lower()], [bench.warehouse])) == {known}
    assert bench.erp.figures([unknown], [bench.warehouse]) == {}
    assert bench.erp.figures([], [bench.warehouse]) == {}


def test_every_movement_since_a_moment_names_its_sku(bench: Bench) -> None:
    counted, sold, quiet = (bench.stage.sku(n) for n in range(3))
    bench.stage.clock.sleep(60)
    began = bench.stage.clock.now()
    assert bench.erp.moved_since(began) == set()
    bench.stage.clock.sleep(1)
    bench.count(counted, 5, bench.warehouse)
    order, _ = bench.posted(lines=[BasketLine(sold, 1)])
    assert bench.erp.moved_since(began) == {counted, sold}
    bench.stage.clock.sleep(1)
    later = bench.stage.clock.now()
    bench.stage.clock.sleep(1)
    bench.ship(bench.erp.reference(order.number))
    assert bench.erp.moved_since(later) == {sold}  # a movement that changed, not only a new one
    assert quiet not in bench.erp.moved_since(began)


def test_the_stocked_skus_come_in_pages_and_each_once(bench: Bench) -> None:
    for n in range(600):
        bench.add_product(f"MANY{n:03d}")
    found: list[str] = []
    pages, mark = 0, ""
    while True:
        page, mark = bench.erp.stocked(mark)
        found += page
        pages += 1
        if not mark:
            break
    assert pages == 2
    assert len(found) == len(set(found))
    assert set(found) == {f"MANY{n:03d}" for n in range(600)} | set(ERP_SKUS)


def test_the_figures_of_many_skus_are_asked_in_pages(bench: Bench) -> None:
    skus = [f"MANY{n:03d}" for n in range(600)]
    for sku in skus:
        bench.add_product(sku)
    before = bench.requests()
    assert bench.erp.figures(skus, [bench.warehouse]) == dict.fromkeys(skus, Figure(0, 0))
    assert bench.requests() - before <= 7  # a login among them

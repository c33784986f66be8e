"""Deliveries that somebody in OrderWise undoes, and what suppliers send: one shipment or one exception, and stock that is right."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS
from stage import Stage
from steps.looking import run_feed

from integration import stock as stock_rules
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.store import Transaction, levels

TWO_LINES = [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(erps=("orderwise",), stock=True)
    for feed in (("catalogue",), ("places", "orderwise"), ("movements", "orderwise")):
        run_feed(made, *feed)
    made.sweep(4)
    yield made
    made.store.close()


def placed(stage: Stage) -> str:
    number = stage.order(lines=TWO_LINES)
    stage.hint(number)
    for _ in range(15):
        if stage.row(number).state == "proven":
            return number
        stage.sweep(every=300)
    raise AssertionError(f"{stage.row(number).state}: {stage.row(number).reason}")


def states(stage: Stage) -> dict[str, str]:
    return {row.number.rpartition("-")[2]: row.state for row in stage.rows("shipment")}


def cases(stage: Stage) -> list[str]:
    return sorted(case.type for case in stage.open_cases() if case.cause not in UNKNOWN_SKUS)


def shown(stage: Stage) -> list[dict[str, int]]:
    """What Centra shows of its only order to have left, by shipment."""
    (order,) = stage.centra.orders.values()
    return [{line.sku: line.quantity for line in made.lines} for made in order.shipments if made.shipped_at]


def free(stage: Stage, sku: str) -> int:
    return int(stage.centra.book.stock.free(5, sku))


def free_in_erp(stage: Stage, sku: str) -> int:
    return int(stage.orderwise.books()["stock"][sku]["free"])


# ------------------------------------------------------------------------------------------------------------- undone


@pytest.mark.scenario("SHP-05")
def test_a_delivery_undone_before_anybody_was_told_leaves_nothing_and_the_next_one_is_shown(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}")
    stage.orderwise.void(f"centra-{number}")
    stage.sweep(3, every=300)
    assert shown(stage) == []
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(8, every=300)
    assert sorted(states(stage).values()) == ["cancelled", "proven"]
    assert (shown(stage), cases(stage)) == ([{SHIRT: 2, SOCKS: 3}], [])


@pytest.mark.scenario("SHP-05")
def test_a_delivery_undone_after_the_customer_was_told_is_a_case_and_so_is_what_is_sent_in_its_place(
    stage: Stage,
) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(8, every=300)
    stage.orderwise.void(f"centra-{number}")
    stage.sweep(3, every=300)
    assert cases(stage) == ["SHIPMENT_REVERSED"]
    assert all(case.owner for case in stage.open_cases())
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(5, every=300)
    assert cases(stage) == ["SHIPMENT_QTY_CONFLICT", "SHIPMENT_REVERSED"]
    assert shown(stage) == [{SHIRT: 2, SOCKS: 3}]
    assert {sku: free(stage, sku) for sku in (SHIRT, SOCKS)} == {sku: free_in_erp(stage, sku) for sku in (SHIRT, SOCKS)}


@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before"])
def test_others_of_its_order_do_not_wait_for_ever_for_a_delivery_that_was_undone_while_its_shipment_was_in_doubt(
    stage: Stage, fault: str
) -> None:
    number = placed(stage)
    stage.centra.faults.plan(fault, "createShipment")
    stage.orderwise.ship(f"centra-{number}", {SHIRT: 2})
    while list(states(stage).values()) != ["ready"]:
        stage.sweep()
    stage.orderwise.void(f"centra-{number}")
    stage.orderwise.ship(f"centra-{number}", {SOCKS: 3})
    run_feed(stage, "dispatches", "orderwise")
    stage.work()
    stage.sweep(10, every=300)
    came_about = fault == "timeout-after"
    assert sorted(states(stage).values()) == ["dead" if came_about else "cancelled", "proven"]
    assert cases(stage) == (["SHIPMENT_REVERSED"] if came_about else [])
    assert shown(stage) == [{SOCKS: 3}]


def test_where_the_erp_knows_of_more_than_is_still_sold_a_figure_that_moved_by_as_much_proves_nothing() -> None:
    """Undone, told to have left, and sent again as goods came in: the figure rose by what it had deducted for nobody."""
    feed: Any = SimpleNamespace(stock=SimpleNamespace(buffer_of=lambda sku: 0))
    told = {"state": "shown", "tries": 0, "stopped_until": None, "unposted": 0, "demand": 0, "buffer": 0, "sku": SHIRT}
    row = SimpleNamespace(**told, figure=4998, allocated=0, known=2)
    assert stock_rules._as_before(row, 4998, levels.Sold(known=2), feed)
    assert not stock_rules._as_before(row, 5000, levels.Sold(known=0), feed)
    sold = SimpleNamespace(**told, figure=4998, allocated=2, known=2)
    assert stock_rules._as_before(
        sold, 5000, levels.Sold(known=0), feed
    )  # cancelled in both: Centra gives them back itself


def test_a_shelf_that_changes_while_a_figure_is_read_is_looked_at_after_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_figures, changed = levels.put_figures, []

    def meanwhile(tx: Transaction, *terms: Any) -> set[str]:
        stored = put_figures(tx, *terms)
        if not changed and SHIRT in stored:
            changed.append(stage.centra.set_physical(SHIRT, 7, 5))
            levels.mark(tx, "orderwise", ["5"], [SHIRT])
        return stored

    monkeypatch.setattr(levels, "put_figures", meanwhile)
    stage.orderwise.recalculate(SHIRT)
    stage.sweep(4, every=300)
    assert changed
    assert free(stage, SHIRT) == free_in_erp(stage, SHIRT) == 5000


# --------------------------------------------------------------------------------------------------------- suppliers


def test_what_a_supplier_sends_is_one_shipment_without_a_parcel_whatever_becomes_of_the_rest(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.order_direct(f"centra-{number}", SOCKS)
    stage.orderwise.supplier_ships(f"centra-{number}")
    stage.sweep(6, every=300)
    assert shown(stage) == [{SOCKS: 3}]
    stage.orderwise.ship(f"centra-{number}")
    stage.orderwise.void(f"centra-{number}")
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(10, every=300)
    assert sorted(states(stage).values()) == ["cancelled", "proven", "proven"]
    assert (shown(stage), cases(stage)) == ([{SOCKS: 3}, {SHIRT: 2}], [])


def test_what_no_supplier_has_sent_is_not_shown_when_the_order_is_completed_without_it(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.order_direct(f"centra-{number}", SOCKS)
    stage.orderwise.ship(f"centra-{number}")
    stage.orderwise.cancel(f"centra-{number}")
    stage.sweep(8, every=300)
    assert stage.orderwise.books()["orders"][0]["status"] == "Completed"
    assert shown(stage) == [{SHIRT: 2}]


# --------------------------------------------------------------------------------------------------- parts of pieces


def test_a_delivery_of_half_a_piece_is_a_case_and_goes_on_when_it_is_put_right(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}", {SHIRT: 2, SOCKS: 0.5})
    stage.sweep(6, every=300)
    (case,) = [case for case in stage.open_cases() if case.cause not in UNKNOWN_SKUS]
    assert (case.type, bool(case.owner), shown(stage)) == ("SHIPMENT_INCOMPLETE", True, [])
    assert "no whole pieces" in case.message
    stage.orderwise.void(f"centra-{number}")
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(8, every=300)
    assert (shown(stage), cases(stage)) == ([{SHIRT: 2, SOCKS: 3}], [])


def test_half_a_piece_from_a_supplier_is_a_case(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.order_direct(f"centra-{number}", SOCKS)
    stage.orderwise.supplier_ships(f"centra-{number}")
    stage.orderwise._ledger.base.execute("UPDATE order_line_item SET oli_qty_sent = 2.5 WHERE oli_direct = 1")
    stage.sweep(6, every=300)
    assert (cases(stage), shown(stage)) == (["SHIPMENT_INCOMPLETE"], [])

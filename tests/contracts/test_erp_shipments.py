"""What leaves the warehouse, as every ERP adapter must tell it."""

from datetime import timedelta

import pytest
from erp_benches import Bench

from integration.domain.order import Order
from integration.domain.shipment import Dispatch, ShippedLine
from integration.sandbox.centra_orders import BasketLine


def told(bench: Bench, *orders: Order) -> list[Dispatch]:
    """Every dispatch of these orders, as the feed names them and the read-back tells them."""
    hints = bench.erp.dispatched_since(bench.stage.clock.now() - timedelta(days=1))
    numbers = {order.number for order in orders}
    wanted = {hint.ref: hint for hint in hints if hint.order_number in numbers}
    found = bench.erp.dispatches(wanted)
    assert {ref: dispatch.stamp for ref, dispatch in found.items()} == {r: hint.stamp for r, hint in wanted.items()}
    return [found[ref] for ref in wanted]


def sent(bench: Bench, order: Order, **terms: object) -> Dispatch:
    bench.ship(bench.erp.reference(order.number), **terms)
    return told(bench, order)[-1]


def test_an_order_that_left_is_one_dispatch_with_its_lines_parcels_and_service(bench: Bench) -> None:
    order, _ = bench.posted(lines=[BasketLine("LS101NVS", 2), BasketLine("LS106NVM", 3)])
    assert told(bench, order) == []
    bench.stage.clock.sleep(3600)
    left_at = bench.stage.clock.now()
    dispatch = sent(bench, order, tracking=["T1", "T2"])
    assert dispatch.life == "done"
    assert dispatch.order_number == order.number
    assert set(dispatch.lines) == {ShippedLine(line.id, line.sku, line.quantity) for line in order.lines}
    assert [parcel.tracking for parcel in dispatch.parcels] == ["T1", "T2"]
    assert all(parcel.url for parcel in dispatch.parcels)
    assert dispatch.service == bench.mapping.carrier(order.market, order.shipping_option)
    assert dispatch.dispatched_at == left_at
    assert dispatch.number


def test_an_order_that_waits_is_at_most_told_as_open_and_is_in_no_feed(bench: Bench) -> None:
    order, _ = bench.posted()
    refs = bench.shipments(bench.erp.reference(order.number))
    for dispatch in bench.erp.dispatches(refs).values():
        assert (dispatch.life, dispatch.dispatched_at) == ("open", None)
    assert told(bench, order) == []


@pytest.mark.scenario("SHP-01")
def test_every_part_of_a_split_order_is_a_dispatch_of_its_own(bench: Bench) -> None:
    order, _ = bench.posted(lines=[BasketLine("LS101NVS", 2), BasketLine("LS106NVM", 3)])
    reference = bench.erp.reference(order.number)
    bench.ship(reference, lines={"LS101NVS": 1}, tracking=["T1"])
    bench.stage.clock.sleep(86_400 / 2)
    bench.ship(reference, lines={"LS101NVS": 1, "LS106NVM": 2}, tracking=["T2"])
    bench.ship(reference, tracking=["T3"])
    parts = told(bench, order)
    assert len(parts) == 3
    assert [{line.sku: line.quantity for line in part.lines} for part in parts] == [
        {"LS101NVS": 1},
        {"LS101NVS": 1, "LS106NVM": 2},
        {"LS106NVM": 1},
    ]
    assert [[parcel.tracking for parcel in part.parcels] for part in parts] == [["T1"], ["T2"], ["T3"]]
    for line in order.lines:
        assert sum(s.quantity for part in parts for s in part.lines if s.order_line == line.id) == line.quantity


def test_a_line_that_was_posted_in_two_rows_is_one_line_again(bench: Bench) -> None:
    mapping = bench.mapping
    order = bench.order(lines=[BasketLine("LS106NVM", 7)])
    draft = bench.erp.compose(order, mapping)
    bench.erp.order_write(draft).send()
    dispatch = sent(bench, order)
    assert [(line.order_line, line.quantity) for line in dispatch.lines] == [(order.lines[0].id, 7)]


def test_a_new_label_changes_the_stamp_and_the_old_number_is_gone(bench: Bench) -> None:
    order, _ = bench.posted()
    first = sent(bench, order, tracking=["OLD"])
    bench.stage.clock.sleep(60)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    bench.relabel(bench.erp.reference(order.number), ("NEW",))
    assert [hint.ref for hint in bench.erp.dispatched_since(since)] == [first.ref]
    second = bench.erp.dispatches([first.ref])[first.ref]
    assert second.stamp != first.stamp
    assert [parcel.tracking for parcel in second.parcels] == ["NEW"]
    assert second.dispatched_at == first.dispatched_at


def test_a_shipment_without_a_label_has_no_parcels(bench: Bench) -> None:
    order, _ = bench.posted()
    assert sent(bench, order, tracking=[]).parcels == ()


def test_a_shipment_that_is_not_there_is_left_out(bench: Bench) -> None:
    order, _ = bench.posted()
    sent(bench, order)
    (ref,) = bench.shipments(bench.erp.reference(order.number))
    assert bench.erp.dispatches([ref, "99999"]).keys() == {ref}


def test_many_shipments_are_read_in_a_few_calls(bench: Bench) -> None:
    orders = [bench.posted()[0] for _ in range(30)]
    for order in orders:
        bench.ship(bench.erp.reference(order.number))
    before = bench.requests()
    assert len(told(bench, *orders)) == 30
    assert bench.requests() - before <= 6

"""What Centra's events tell of shipments and returns, and who asks for them."""

from typing import Any

import pytest
from stage import Stage
from steps.looking import arrivals, run_feed

from integration.domain.order import Key
from integration.domain.shipment import Dispatch, ShippedLine
from integration.store import deliveries, ledger, schedule


def subscribed(stage: Stage) -> set[str]:
    return set(stage.centra.events.queue("lockstep").listeners)


def ship(stage: Stage, number: str) -> str:
    """Ship a whole order by hand; returns the shipment's ref."""
    order, centra = stage.centra.orders[int(number)], stage.world.storefronts["brand"]
    lines = tuple(ShippedLine(str(line.id), line.good.sku, line.quantity) for line in order.lines)
    dispatch = Dispatch("1", "CS1", number, "done", lines, "DHL", (), None, "")
    ref = centra.create_shipment(dispatch, order.id, bound=()).send()
    centra.capture_shipment(ref, number).send()
    centra.complete_shipment(ref, dispatch, "DHL", "Parcel").send()
    return ref


def dispatched(stage: Stage, number: str, ref: str, **columns: Any) -> Key:
    """A dispatch's row that nobody has anything left to do for."""
    key = Key("brand", "shipment", f"fulfil-{ref}")
    ledger.mark(stage.store, [key], "poll", connection="fulfil", order_number=number, **columns)
    return key


def row_of(stage: Stage, key: Key) -> Any:
    with stage.store.read() as tx:
        return ledger.find(tx, key)


def test_an_installation_that_had_subscribed_to_orders_only_subscribes_again_and_then_no_more(stage: Stage) -> None:
    stage.centra.events.listen("lockstep", "Order", None, stage.clock.now())
    with stage.store.write("earlier") as tx:
        schedule.move_cursor(tx, "brand", "listening", "orders")
    run_feed(stage, "events")
    assert subscribed(stage) == {"Order", "Shipment", "Return"}
    run_feed(stage, "events")
    assert stage.centra.requests["setEventListeners"] == 1


@pytest.mark.scenario("RET-08")
def test_a_return_that_is_made_changed_or_deleted_marks_the_return(stage: Stage) -> None:
    number = stage.order(payment="paypal")
    ship(stage, number)
    run_feed(stage, "events")
    (id,) = stage.centra.return_items(int(number), {stage.sku(): 1})
    run_feed(stage, "events")
    (row,) = stage.rows("return")
    assert (row.number, row.dirty_seq - row.clean_seq) == (str(id), 1)
    stage.centra.cancel_return(id)
    run_feed(stage, "events")
    (row,) = stage.rows("return")
    assert row.dirty_seq == 2
    assert stage.world.storefronts["brand"].events() == []


def test_a_shipment_marks_the_dispatches_of_its_order_whose_capture_has_not_settled_and_no_others(stage: Stage) -> None:
    run_feed(stage, "events")
    number, other = stage.order(payment="klarna"), stage.order(payment="klarna")
    waiting = dispatched(stage, number, "7", source_status=deliveries.CAPTURE_PENDING)
    done = dispatched(stage, number, "8")
    elsewhere = dispatched(stage, other, "9", source_status=deliveries.CAPTURE_PENDING)
    ship(stage, number)
    run_feed(stage, "events")
    hints = {key.number: row_of(stage, key).dirty_seq for key in (waiting, done, elsewhere)}
    assert hints == {"fulfil-7": 2, "fulfil-8": 1, "fulfil-9": 1}
    assert len(stage.rows("shipment")) == 3, "a shipment somebody makes by hand is no dispatch"


def test_what_cannot_be_told_apart_is_passed_over_and_confirmed(stage: Stage) -> None:
    run_feed(stage, "events")
    number = stage.order(payment="paypal")
    order, centra = stage.centra.orders[int(number)], stage.world.storefronts["brand"]
    lines = (ShippedLine(str(order.lines[0].id), order.lines[0].good.sku, 1),)
    ref = centra.create_shipment(Dispatch("1", "CS1", number, "done", lines, "DHL", (), None, ""), order.id, bound=())
    shipment = stage.centra.shipments.find(int(ref.send()))
    stage.centra.shipments.delete(shipment)
    run_feed(stage, "events")
    assert stage.rows("shipment") == []
    assert centra.events() == []
    assert "event" in arrivals(stage, number)

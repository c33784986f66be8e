"""What the simulation found in the product, each as the one interleaving that matters."""

from datetime import timedelta

import pytest
import requests
from sim.sim_scheduler import Scheduler
from stage import Stage

from integration.errors import Unavailable
from integration.store import StoreDown
from tasks import feed
from tasks.step import outage


def drain(stage: Stage) -> None:
    feed.run_feed(feed.FEEDS["events"], "brand", stage.world)


def test_a_confirmation_in_doubt_is_no_fault_of_ours_and_the_events_come_again() -> None:
    stage = Stage()
    drain(stage)
    number = stage.order()
    stage.centra.faults.plan("error-after", operation="confirmEvents")
    drain(stage)
    assert stage.centra.faults.fired["error-after"] == 1
    assert stage.row(number) is not None
    assert stage.open_cases() == []


def test_a_feed_that_can_record_nothing_leaves_without_a_word_to_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    def down(*_: object) -> None:
        raise Unavailable("down", system="brand", connection_wide="CONNECTION_DOWN")

    def away(*_: object) -> None:
        raise StoreDown("locked", system="store")

    monkeypatch.setattr(stage.world.storefronts["brand"], "placed_between", down)
    monkeypatch.setattr(stage.store, "write", away)
    feed.run_feed(feed.FEEDS["poll"], "brand", stage.world)


@pytest.mark.parametrize("recovered", [False, True])
def test_a_case_of_a_connection_is_not_opened_after_its_recovery(recovered: bool) -> None:
    """A worker that was stopped for a while must not report an outage that a colleague has seen the end of."""
    stage = Stage()

    def nobody(request: requests.PreparedRequest) -> None:
        raise requests.exceptions.ConnectTimeout("nobody there", request=request)

    stage.transport.around = nobody
    for _ in range(6):
        drain(stage)
    stage.clock.sleep(60)
    stage.transport.around = lambda request: None
    if recovered:
        drain(stage)
    late = Unavailable("down", system="brand", connection_wide="CONNECTION_DOWN", retry_after=timedelta(seconds=30))
    with stage.store.write() as tx:
        outage(late, stage.world)(tx)
    assert [case.type for case in stage.open_cases()] == ([] if recovered else ["CONNECTION_DOWN"])


def test_a_sale_that_no_search_shows_yet_is_cancelled_as_soon_as_one_does() -> None:
    stage = Stage()
    stage.fulfil.faults.plan("search-lag", operation="create_order", seconds=45.0)
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.sweep(3, every=6)
    assert stage.row(number).state == "cancelling"
    assert stage.open_cases() == []
    stage.sweep(6)
    assert stage.row(number).state == "cancelled"
    assert [sale["state"] for sale in stage.sales(number)] == ["cancel"]
    assert stage.open_cases() == []


def test_a_sale_that_appears_after_its_cancellation_was_settled_is_cancelled_too() -> None:
    """Not found by, but the reason for, what the simulation tolerates: a call done minutes late."""
    stage = Stage()
    stage.fulfil.faults.plan("late", operation="create_order", seconds=200.0)
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.sweep(5)
    assert stage.row(number).state == "cancelled"
    assert stage.sales(number) == []
    stage.sweep(14)
    assert [sale["state"] for sale in stage.sales(number)] == ["cancel"]
    assert stage.row(number).state == "cancelled"
    assert stage.open_cases() == []


def test_what_has_left_and_is_not_paid_for_is_deducted_once() -> None:
    """Centra goes on holding the pieces of a shipment that it will not complete; Fulfil has given them away already."""
    stage = Stage(stock=True)
    stage.sweep(8)
    place, sku = stage.centra.book.stock, stage.sku()
    before = place.free(1, sku)
    number = stage.order()
    stage.hint(number)
    stage.sweep(4)
    stage.centra.faults.plan("capture-fails", operation="captureShipment")
    (shipment,) = stage.fulfil.waiting_shipments()
    stage.fulfil.ship(shipment["id"])
    stage.sweep(10)
    assert [case.type for case in stage.open_cases() if case.job_id] == ["CAPTURE_FAILED"]
    assert stage.centra.orders[int(number)].status == "PROCESSING"
    assert (place.free(1, sku), place.allocated[1, sku]) == (before - 2, 2)


def test_an_actor_that_ends_wakes_nobody() -> None:
    """Found in the simulation itself: who had spawned somebody was resumed at that one's end, asleep or killed."""
    scheduler, seen = Scheduler(1), []

    def parent() -> None:
        scheduler.spawn("child", lambda: None, delay=1)
        scheduler.sleep(10)
        seen.append(scheduler.now)

    scheduler.spawn("parent", parent)
    scheduler.run(20, lambda: None)
    assert seen == [10]

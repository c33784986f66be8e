"""The business day so far, counted at whatever hour somebody asks, and once more when it is over."""

from datetime import timedelta
from decimal import Decimal

from stage import Stage
from steps.parcels import bought, shipped

from integration import nights
from integration.domain.order import Key
from integration.sandbox.centra_orders import VoucherUse
from integration.store import ledger, tallies


def counted_orders(stage: Stage) -> tuple[int, int]:
    with stage.store.read() as tx:
        sums = [row for row in tallies.of_day(tx, "fulfil", "2026-05-04") if row.kind == "orders"]
        return sum(row.storefront_count for row in sums), sum(row.erp_count for row in sums)


def sell(stage: Stage) -> None:
    stage.hint(stage.order())
    stage.work()
    stage.sweep(3)


def test_the_day_so_far_is_counted_when_asked_and_the_whole_day_when_it_is_over() -> None:
    stage = Stage()
    sell(stage)
    stage.sweep(2)
    with stage.store.read() as tx:
        assert ledger.find(tx, Key("brand", "day", "fulfil-2026-05-04")) is None, (
            "nobody asked, and the day is not over"
        )
    assert [key.number for key in nights.call_days("fulfil", stage.world, so_far=True)] == ["fulfil-2026-05-04"]
    stage.sweep(2)
    assert counted_orders(stage) == (1, 1)
    sell(stage)
    assert counted_orders(stage) == (1, 1)
    stage.clock.sleep(timedelta(hours=18).total_seconds())
    stage.sweep(4)
    assert counted_orders(stage) == (2, 2)
    with stage.store.read() as tx:
        day = ledger.find(tx, Key("brand", "day", "fulfil-2026-05-04"))
    assert day is not None
    assert day.state == "proven"
    assert nights.call_days("fulfil", stage.world) == []


def test_what_a_gift_card_paid_is_booked_in_the_erp_and_is_no_difference() -> None:
    stage = Stage()
    stage.hint(stage.order(vouchers=(VoucherUse("GIFTCARD", Decimal(5)),)))
    stage.work()
    stage.sweep(3)
    nights.call_days("fulfil", stage.world, so_far=True)
    stage.sweep(2)
    assert counted_orders(stage) == (1, 1)
    with stage.store.read() as tx:
        assert tallies.differences(tx, "fulfil", "2026-05-04") == []


def test_a_dispatch_that_is_somebody_s_exception_does_not_keep_the_night_waiting() -> None:
    stage = Stage()
    number = bought(stage, payment="paypal")
    stage.centra.faults.plan("capture-fails", "captureShipment")
    shipped(stage, number)
    nights.call_days("fulfil", stage.world, so_far=True)
    stage.sweep(2)
    with stage.store.read() as tx:
        (difference,) = tallies.differences(tx, "fulfil", "2026-05-04")
        day = ledger.find(tx, Key("brand", "day", "fulfil-2026-05-04"))
    assert (difference.kind, difference.number, difference._mapping["class"]) == ("shipments", number, "exception")
    assert "CAPTURE_FAILED" in difference.reason
    assert day is not None
    assert day.state == "proven"

"""The real app on a real broker: whatever happens to workers and messages, an order ends proven, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lanes.conftest import HERE, Lanes
from servers import wait_until
from stage import ADDRESS

from integration.domain.order import Key
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine
from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.serve import Server
from integration.store import counts, ledger
from integration.wiring import SystemClock

RING = "import sys; from tasks.celery import ring, Key; [ring('take', Key('brand', 'order', n)) for n in sys.argv[1:]]"


class Shop:
    """Both systems on loopback, and the lanes that know their addresses."""

    def __init__(self, broker_url: str, folder: Path) -> None:
        clock = RealClock()
        self.centra, self.fulfil = Centra(clock), Fulfil(clock)
        self.servers = [Server(app, clock, longest_hang=4).start() for app in (self.centra.app, self.fulfil.app)]
        self.lanes = Lanes(
            broker_url,
            folder,
            LOCKSTEP_BRAND_URL=self.servers[0].url,
            LOCKSTEP_FULFIL_URL=self.servers[1].url,
            LOCKSTEP_HTTP_READ_SECONDS="3",
            LOCKSTEP_LEASE_SECONDS="6",
            LOCKSTEP_PROVE_PATIENCE_SECONDS="1",
            LOCKSTEP_SWEEP_SECONDS="0.3",
        )

    def order(self) -> str:
        lines = (BasketLine("LS106NVM", 2),)
        number = self.centra.place_order(Basket(1, "GB", lines, ADDRESS, "ann@example.com"))
        self.centra.confirm(number)
        return str(number)

    def mark(self, *numbers: str) -> None:
        ledger.mark(self.lanes.store, [Key("brand", "order", n) for n in numbers], "operator")

    def state(self, number: str) -> str:
        with self.lanes.store.read() as tx:
            row = ledger.find(tx, Key("brand", "order", number))
        return row.state if row else ""

    def wait_for(self, number: str, state: str, seconds: float = 30) -> None:
        wait_until(lambda: self.state(number) == state, f"order {number} {state} (it is {self.state(number)})", seconds)

    def sales(self, number: str) -> int:
        return sum(s["channel_identifier"] == f"centra-{number}" for s in self.fulfil.books()["sales"])

    def stop(self) -> None:
        self.lanes.stop()
        for server in self.servers:
            server.stop()


@pytest.fixture
def shop(broker_url: str, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(broker_url, tmp_path)
    yield made
    made.stop()


@pytest.mark.scenario("PLT-06")
@pytest.mark.scenario("PLT-15")
def test_orders_end_proven_through_the_broker_after_a_killed_worker_and_after_a_wiped_broker(shop: Shop) -> None:
    worker = shop.lanes.worker("tasks", "-c", "1")
    rung = shop.order()
    shop.mark(rung)
    shop.lanes.run("-c", RING, rung)
    shop.wait_for(rung, "proven")  # no sweeper runs yet: the broker alone brought it there

    killed = shop.order()
    shop.fulfil.faults.plan("timeout-after", operation="create_order")
    shop.mark(killed)
    shop.lanes.run("-c", RING, killed)
    wait_until(lambda: shop.fulfil.faults.fired["timeout-after"], "the post under way")
    worker.kill()

    wiped = shop.order()
    shop.mark(wiped)
    shop.lanes.run("-c", RING, wiped)
    assert shop.lanes.waiting("orders") >= 1
    shop.lanes.wipe("orders")
    assert shop.lanes.waiting("orders") == 0

    shop.lanes.worker("tasks", "-c", "1")
    shop.lanes.process("-m", "tasks.cli", "sweep")
    shop.wait_for(wiped, "proven")
    shop.wait_for(killed, "proven", seconds=45)
    assert [shop.sales(number) for number in (rung, killed, wiped)] == [1, 1, 1]
    with shop.lanes.store.read() as tx:
        assert counts.open_cases(tx) == []


def test_the_order_of_a_workers_queues_is_strict_on_redis(valkey: object, tmp_path: Path) -> None:
    valkey.wipe()
    lanes = Lanes(valkey.url, tmp_path)
    notes = tmp_path / "notes"
    names = ["finance.notes", "shipments.notes", "orders.notes"] * 4
    lanes.run(str(HERE / "dying_app.py"), *[f"{name}={notes}" for name in names])
    lanes.worker("dying_app", "-c", "1", queues="orders,shipments,returns,stock,finance")
    try:
        wait_until(lambda: notes.exists() and len(notes.read_text().split()) == 12, "all done")
    finally:
        lanes.stop()
    assert notes.read_text().split() == ["orders"] * 4 + ["shipments"] * 4 + ["finance"] * 4


def test_a_broker_that_is_away_costs_a_ring_and_nothing_else(tmp_path: Path) -> None:
    lanes = Lanes("redis://127.0.0.1:1/0", tmp_path)
    ledger.mark(lanes.store, [Key("brand", "order", "1")], "webhook")
    started = SystemClock().now()
    lanes.run("-c", RING, "1")
    assert (SystemClock().now() - started).total_seconds() < 15
    with lanes.store.read() as tx:
        assert ledger.find(tx, Key("brand", "order", "1")).dirty_seq == 1
    lanes.stop()

"""What do quotas cost, and who pays? Virtual time under Centra's Growth plan and ten Fulfil requests a second.

Lockstep was away for six hours: 2,000 orders and 20,000 changed stock figures wait, and the shop goes on selling. Then 200
of the orders are dispatched. Both sandboxes enforce their limits and count every call.
"""

import logging
import math
import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import structlog
from rows import Row, printed
from stage import MAPPINGS, StageClock, settings_for
from virtual_day import Day, TurnClock
from wsgi_transport import WsgiTransport

import tasks.stock_push  # noqa: F401 - registers its links
from integration.budget import Gate
from integration.domain.order import Key
from integration.sandbox import catalogue, goods
from integration.sandbox.centra import Centra
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.generator import Generator
from integration.store import Store, counts, levels, pace, reference
from integration.wiring import Chance, World, build_world

ORDERS, SKUS, SHIPMENTS = 2_000, 5_000, 200
CHANGES = SKUS * 4
AWAY = timedelta(hours=6)
FULFIL_A_SECOND = 10
TAKE_PAGE, FIGURES_PAGE, SHELF_PAGE = 50, 500, 200


class Counted(Gate):
    """A gate that remembers what was spent, by system, lane and measure."""

    spent: ClassVar[Counter[tuple[str, str, str]]] = Counter()

    def enter(self, lane: str, costs: Mapping[str, int]) -> None:
        super().enter(lane, costs)
        self.spent.update({(self.system, lane, measure): units for measure, units in costs.items()})


class Watched(WsgiTransport):
    """A network that notes when it was told 429."""

    clock: StageClock
    throttled: list[datetime]

    def send(self, request: Any, **options: Any) -> Any:
        answer = super().send(request, **options)
        if answer.status_code == 429:
            self.throttled.append(self.clock.now())
        return answer


class Scene:
    """Both sandboxes and our world on one clock."""

    def __init__(self, database_url: str) -> None:
        goods.grow(SKUS)
        self.clock = TurnClock()
        self.centra = Centra(clock=self.clock, switches=CentraSwitches(checkout_stops_at_zero=True), seed=7)
        self.fulfil = Fulfil(self.clock, FulfilSwitches(), 7)
        apps = {"brand.centra.test": self.centra.app, "fulfil.test": self.fulfil.app}
        self.network = Watched(apps, wait=self.clock.sleep)
        self.network.clock, self.network.throttled = self.clock, []
        plans = {"LOCKSTEP_BRAND_PLAN": "growth", "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": str(FULFIL_A_SECOND)}
        self.store = Store(database_url, self.clock)
        self.store.create()
        chance = random.Random(7)
        self.world: World = build_world(
            settings_for(database_url, **plans),
            ring=self._ring,
            clock=self.clock,
            chance=Chance(chance.randbytes, chance.uniform),
            transport=self.network,
            owner="bench",
            store=self.store,
            gates=Counted,
        )
        self.day = Day(self.world, self.clock)
        with self.store.write("apply") as tx:
            reference.apply_mapping(tx, "fulfil", (MAPPINGS / "fulfil.toml").read_text(), actor="bench")

    def _ring(self, link: str, key: Key) -> None:
        self.day.ring(link, key)

    def limits_on(self) -> None:
        self.centra.switches.change({"limits": "growth"})
        self.fulfil.switches.change({"rate_limit": FULFIL_A_SECOND})

    def at_rest(self) -> bool:
        with self.store.read() as tx:
            return not counts.moving(tx) and not pace.waiting_skus(tx)


def measure() -> list[Row]:
    """After the outage, and the dispatches."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(f"sqlite:///{folder}/lockstep.db")
        scene.day.until(lambda: _compared(scene) and scene.at_rest(), timedelta(hours=6))
        waiting = _outage(scene)
        rows = _recovery(scene, waiting) + _dispatches(scene, waiting)
        scene.store.close()
        return rows


def _compared(scene: Scene) -> bool:
    with scene.store.read() as tx:
        return sum(row.levels for row in levels.stand(tx) if row.state == "shown") >= CHANGES


def _outage(scene: Scene) -> list[str]:
    """Six hours in which the shop sells and Fulfil's stock moves, and nobody looks."""
    shop, chance = Generator(11), random.Random(11)
    scene.limits_on()
    changes = [(sku, house) for sku in goods.SYNTHETIC for house in catalogue.FULFIL_WAREHOUSES]
    numbers: list[str] = []
    for _ in range(ORDERS):
        scene.clock.sleep(AWAY.total_seconds() / ORDERS)
        number = scene.centra.place_order(shop.basket())
        scene.centra.confirm(number)
        numbers.append(str(number))
        for sku, house in changes[: math.ceil(CHANGES / ORDERS)]:
            scene.fulfil.adjust(sku, catalogue.OPENING_STOCK - chance.randint(1, 1_500), house)
        del changes[: math.ceil(CHANGES / ORDERS)]
    return numbers


def _recovery(scene: Scene, numbers: list[str]) -> list[Row]:
    began = scene.clock.now()
    Counted.spent.clear()
    scene.network.throttled.clear()

    def orders_done() -> bool:
        with scene.store.read() as tx:
            states = counts.orders_by_state(tx)
        return states.get("proven", 0) + states.get("dead", 0) >= len(numbers)

    scene.day.until(orders_done, timedelta(hours=2))
    with scene.store.read() as tx:
        posted = {job["number"]: job["posted_at"] for job in counts.all_orders(tx)}
    waits = [(posted[number] - began).total_seconds() for number in numbers if posted.get(number)]
    scene.day.until(scene.at_rest, timedelta(hours=4))
    spent, took = Counted.spent, (scene.clock.now() - began).total_seconds()
    late = [at for at in scene.network.throttled if at > began + timedelta(minutes=1)]
    forced = len(numbers) / FULFIL_A_SECOND
    wrong, oversold = _stock(scene)
    how = f"virtual time; {len(numbers)} orders and {CHANGES} changed levels after {AWAY}, both sides enforce their limits"
    return [
        Row("429s after the first minute", len(late), "", "0", not late, how),
        Row("orders posted", len(waits), "", f"{len(numbers)}", len(waits) == len(numbers), how),
        Row(
            "longest wait of an order / what the quota forces",
            round(max(waits) / forced, 3),
            "ratio",
            "<= 1.1",
            max(waits) <= 1.1 * forced,
            f"{max(waits):.0f} s; {len(numbers)} posts at {FULFIL_A_SECOND} Fulfil requests a second take {forced:.0f} s",
        ),
        Row("levels that are wrong in the end", wrong, "", "0", not wrong, f"Centra's books against Fulfil's; {how}"),
        Row("units oversold", oversold, "", "0", not oversold, "sold beyond what Fulfil has, all places"),
        Row("all of it", round(took), "s", "", None, "virtual time until nothing waits any more"),
        *_per(
            "order",
            "orders",
            len(numbers),
            spent,
            1 / TAKE_PAGE,
            0,
            1 + 1 / 100,
            "one page of 50 read, none written; one post, and 100 proved by one",
        ),
        *_per(
            "1,000 SKU changes",
            "stock",
            CHANGES / 1_000,
            spent,
            1_000 / SHELF_PAGE * 3,
            1_000 / SHELF_PAGE,
            2 * 1_000 / SHELF_PAGE,
            f"shelves of {SHELF_PAGE} read, set and read back; their items and figures; nothing said twice",
        ),
    ]


def _per(
    what: str, lane: str, many: float, spent: Counter[Any], centra: float, mutations: float, fulfil: float, why: str
) -> list[Row]:
    """What one of them cost in calls, beside the least."""
    asked = (
        (f"Centra requests, {what}", spent["brand", lane, "requests"], centra),
        (f"Centra mutations, {what}", spent["brand", lane, "mutations"], mutations),
        (f"Fulfil requests, {what}", spent["fulfil", lane, "requests"], fulfil),
    )
    return [
        Row(f"{name}", round(used / many, 3), "calls", "", None, f"least {round(least, 3):g}: {why}")
        for name, used, least in asked
    ]


def _stock(scene: Scene) -> tuple[int, int]:
    """(levels that Centra shows otherwise than Fulfil has them, units sold that Fulfil does not have)."""
    shown, wrong, oversold = scene.centra.ledger()["stock"], 0, 0
    stock = scene.fulfil._states.stock
    for sku, told in shown.items():
        if sku in goods.UNKNOWN_SKUS:
            continue
        for id, house in catalogue.FULFIL_BUILDINGS.items():
            has = stock.level(stock.product(sku), [house.fulfil_id]).available
            place = told["warehouses"][id]
            wrong += place["free"] - place["demand"] != max(0, int(has))
            oversold += max(0, -int(has))
    return wrong, oversold


def _dispatches(scene: Scene, numbers: list[str]) -> list[Row]:
    """Two hundred orders leave the warehouse, one shipment each."""
    Counted.spent.clear()
    sales = scene.fulfil.waiting_shipments()[:SHIPMENTS]
    for shipment in sales:
        scene.fulfil.ship(shipment["id"])
    done = len(sales)

    def told() -> bool:
        with scene.store.read() as tx:
            rows = counts.all_of(tx, "shipment")
        return sum(row["state"] in {"proven", "dead"} for row in rows) >= done

    scene.day.until(told, timedelta(hours=4))
    why = "created, captured, completed: no call takes several; orders and shipments read and read back by 50"
    return _per("shipment", "shipments", done, Counted.spent, 3 + 2 / 50, 3, 1 / 50, why)


if __name__ == "__main__":
    printed(measure())

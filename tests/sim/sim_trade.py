"""The trade around both systems: a shop that opens on full shelves, a warehouse, customers, and hands in the ERP's stock."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from sim.sim_erps import Erp
from sim.sim_scheduler import Scheduler, SimClock

from integration.sandbox.catalogue import ERP_SKUS, GOODS
from integration.sandbox.centra import Centra
from integration.sandbox.centra_customers import Customers
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.generator import Timeline
from integration.sandbox.warehouse import Habits, Warehouse

PLAIN = tuple(sku for sku in ERP_SKUS if not GOODS[sku].is_bundle)
SCARCE = 3
"""SKUs of which there are a few pieces in every building; most baskets want one of them."""
WANTED = 0.6
OPENS_BY = 330.0
"""The shop opens at this virtual second at the latest, whatever its shelves hold."""
HURRY = 12_000.0
"""How many times faster than written customers live: a week is a minute."""
AFTERWARDS = {
    "kept": 8, "returned": 18, "returned-partly": 20, "returned-damaged": 8, "returned-with-cost": 8, "changed-mind": 6,
    "refunded-goodwill": 24, "refunded-shipping": 16,
}  # fmt: skip
HABITS = Habits(
    ship_after=(5, 120), receive_after=(10, 80), inspect_after=(5, 60), relabel_after=(5, 60), in_parts=0.25,
    relabelled=0.1, arrives_in_parts=0.15, quarantined=0.08, scrapped=0.06, mixed=0.06, goods_in=0.03,
)  # fmt: skip


class Trade:
    """Each part is an actor's work; none of them can be killed. `scarce` are the SKUs that sell out."""

    def __init__(
        self, random: Random, scheduler: Scheduler, clock: SimClock, centra: Centra, erps: Sequence[Erp]
    ) -> None:
        self.random, self.scheduler, self.centra, self.erps = random, scheduler, centra, erps
        self.scarce = random.sample(PLAIN, SCARCE)
        self.shelves = [(house, sku) for erp in erps for house in erp.houses for sku in PLAIN]
        self.warehouses = [Warehouse(erp.tenant, Random(random.random()), clock, habits=HABITS) for erp in erps]
        people = Random(random.random())
        self.customers = Customers(centra, people, clock, HURRY, AFTERWARDS, completes=False)

    def stock_up(self) -> None:
        """Before the first second: little of what is scarce in an ERP, nothing at all on Centra's shelves."""
        for sku in self.scarce:
            for erp in self.erps:
                for house in erp.houses:
                    erp.set_stock((house, sku), self.random.randint(1, 6))
        for house, sku in self.shelves:
            self.centra.set_physical(sku, 0, house)

    def wanting(self, timeline: Timeline) -> Timeline:
        """The same course, with one of the basket's lines for something scarce now and then."""
        if self.random.random() >= WANTED:
            return timeline
        first, *rest = timeline.actions
        assert first.basket is not None
        lines = list(first.basket.lines)
        lines[0] = BasketLine(self.random.choice(self.scarce), self.random.choice((1, 1, 2, 3)))
        basket = replace(first.basket, lines=tuple(lines))
        return Timeline(timeline.course, (replace(first, basket=basket), *rest))

    def open_shop(self, begin: Callable[[], None]) -> None:
        """The shop opens when our push has filled its shelves."""
        at, filled = self.centra.book.stock.at, [shelf for shelf in self.shelves if shelf[1] not in self.scarce]
        while self.scheduler.now < OPENS_BY and not all(at(*shelf) for shelf in filled):
            self.scheduler.sleep(3)
        self.scheduler.tell("the shop opens")
        begin()

    def work(self) -> None:
        """The warehouses ship, receive and inspect."""
        while True:
            self.scheduler.sleep(self.random.uniform(5, 15))
            for warehouse in self.warehouses:
                for done in warehouse.step():
                    self.scheduler.tell(done)

    def live(self) -> None:
        """Customers send things back, and the back office pays."""
        while True:
            self.scheduler.sleep(self.random.uniform(5, 15))
            for done in self.customers.step():
                self.scheduler.tell(f"{done.verb} of order {done.number} {done.refusal}")

    def count(self) -> None:
        """Somebody else sells from an ERP's shelves or finds fewer pieces there; goods come in."""
        houses = [(erp, house) for erp in self.erps for house in erp.houses]
        while True:
            self.scheduler.sleep(self.random.uniform(25, 100))
            sku, (erp, house) = self.random.choice(self.scarce), self.random.choice(houses)
            lies = erp.lying([sku])[house, sku]
            if self.random.random() < 0.35:
                found = max(0, lies - self.random.randint(1, 3))
                erp.set_stock((house, sku), found)
                self.scheduler.tell(f"{found} of {sku} are found in {house} instead of {lies}")
            else:
                pieces = self.random.randint(1, 4)
                erp.goods_in((house, sku), pieces)
                self.scheduler.tell(f"{pieces} of {sku} come into {house}")

"""Everybody outside: the shop and its customers, the people at the ERP, the operator, and the weather on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

from sim.sim_broker import SimBroker
from sim.sim_erps import PREFIX, Erp
from sim.sim_faults import Swarm
from sim.sim_network import CENTRA, Network
from sim.sim_scheduler import Scheduler

from integration import casework
from integration.sandbox.centra import DEFAULT_TOKEN, Centra
from integration.sandbox.centra_orders import Refused
from integration.sandbox.generator import MARKET_WEIGHTS, Generator, Timeline
from integration.sandbox.goods import UNKNOWN_SKUS
from integration.store import exceptions, reference
from integration.wiring import World

COURSES = {
    "plain": 30, "cancelled": 20, "edited": 10, "readdressed": 10, "held": 8, "confirmed-later": 6, "paid-later": 4,
    "cancelled-early": 4, "held-for-good": 3, "free-of-charge": 3, "never-paid": 2,
    "unknown": 5, "unmapped": 5, "wrong": 3,
}  # fmt: skip
"""What becomes of an order: trouble is commoner here than in any shop."""

NORWAY = """
[markets."Europe / Norway"]
channel = 3
warehouse = 65
currency = "NOK"
countries = ["NO"]

[carriers."Europe / Norway"]
"Standard" = "postnord-home"
"Express" = "dhl-express"

[taxes.NO]
"25" = "NO VAT Standard"
"""


def with_norway(mapping: str) -> str:
    """A mapping that knows the market nobody mapped."""
    return mapping.replace('GB = "20"', 'GB = "20"\nNO = "25"') + NORWAY


def day(
    random: Random, seed: int, orders: int, seconds: float, markets: Mapping[int, int] = MARKET_WEIGHTS
) -> list[Timeline]:
    """What the customers do, at a pace that meets every step of a posting: at once, within a minute, or after it."""
    generator = Generator(seed, markets)
    starts = sorted(random.uniform(0, seconds) for _ in range(orders))
    courses = random.choices(list(COURSES), list(COURSES.values()), k=orders)
    mishaps = ("unknown", "unmapped", "wrong")
    written = [
        generator.mishap(course, start) if course in mishaps else generator.timeline(start, course)
        for course, start in zip(courses, starts, strict=True)
    ]
    return [_paced(random, timeline) for timeline in written]


def _paced(random: Random, timeline: Timeline) -> Timeline:
    first, *rest = timeline.actions
    actions, at = [first], first.at
    for action in rest:
        at += random.choice((random.uniform(0.5, 5), random.uniform(5, 60), random.uniform(60, 200)))
        actions.append(replace(action, at=at))
    return Timeline(timeline.course, tuple(actions))


class People:
    """Those who cure, hinder and replay. Each is an actor's work; none of them can be killed. Fulfil is the first of `erps`."""

    def __init__(self, random: Random, scheduler: Scheduler, centra: Centra, erps: Sequence[Erp], world: World) -> None:
        self.random, self.scheduler, self.centra, self.erps, self.world = random, scheduler, centra, erps, world
        self.cured: list[str] = []

    def _apply(self, text: str) -> None:
        with self.world.store.write("apply") as tx:
            reference.apply_mapping(tx, "fulfil", text, actor="ann")

    def cure_items(self) -> None:
        """Somebody creates the products that were missing."""
        for erp in self.erps:
            for sku in UNKNOWN_SKUS:
                erp.tenant.add_product(sku)
        self.cured.append("items")
        self.scheduler.tell("the missing products were created")

    def cure_market(self, mapping: str) -> None:
        """Somebody gives the unmapped market a home: its tax in the ERP, then its table in the mapping."""
        words = {"name": "NO VAT Standard", "rate": Decimal("0.25"), "type": "percentage", "active": True}
        self.erps[0].tenant._records.insert("account.tax", words)
        self._apply(with_norway(mapping))
        self.cured.append("market")
        self.scheduler.tell("a new mapping version names the missing market")

    def pack(self) -> None:
        """The warehouse packs something now and then: after that a cancel comes too late."""
        while True:
            self.scheduler.sleep(self.random.uniform(20, 200))
            waiting = [(erp, id) for erp in self.erps for id in erp.waiting()]
            if waiting and self.random.random() < 0.5:
                erp, shipment = self.random.choice(waiting)
                erp.pack(shipment)
                self.scheduler.tell(f"the warehouse of {erp.connection} packed {shipment}")

    def change_minds(self) -> None:
        """A customer cancels or changes what the ERP has already."""
        while True:
            self.scheduler.sleep(self.random.uniform(30, 120))
            posted = [int(sale.reference.removeprefix(PREFIX)) for erp in self.erps for sale in erp.sales()]
            if not posted:
                continue
            number, cancels = self.random.choice(posted), self.random.random() < 0.6
            try:
                if cancels:
                    self.centra.cancel(number, "changed my mind")
                else:
                    self.centra.edit(number, comment="by the side door", shippingAddress={"address1": "2 Side Street"})
            except Refused:
                continue
            self.scheduler.tell(f"order {number} is {'cancelled' if cancels else 'readdressed'} in Centra")

    def replay(self) -> None:
        """An operator presses Replay on some open exceptions, twice now and then."""
        while True:
            self.scheduler.sleep(self.random.uniform(40, 300))
            open_cases = self._open_cases()
            chosen = self.random.sample(open_cases, min(len(open_cases), self.random.randint(1, 3)))
            for _ in range(self.random.choice((1, 1, 2))):
                if chosen:
                    keys = casework.replay(self.world, chosen, "ann", "looked into it")
                    self.scheduler.tell(f"the operator replayed {', '.join(key.number for key in keys) or 'nothing'}")

    def _open_cases(self) -> list[int]:
        with self.world.store.read() as tx:
            return [int(case.id) for case in exceptions.listed(tx) if case.job_id is not None]


class Weather:
    """What befalls whole systems for a while: outages, revoked tokens, a wiped broker. `clear()` ends it all."""

    def __init__(
        self,
        scheduler: Scheduler,
        swarm: Swarm,
        network: Network,
        centra: Centra,
        erps: Sequence[Erp],
        broker: SimBroker,
    ) -> None:
        self.scheduler, self.swarm, self.network = scheduler, swarm, network
        self.centra, self.erps, self.broker = centra, erps, broker

    def blow(self) -> None:
        while True:
            self.scheduler.sleep(self.swarm.random.uniform(20, 60))
            host = self.swarm.random.choice((CENTRA, *(erp.host for erp in self.erps)))
            if self.swarm.hit("outage"):
                self.network.cut(host, self.swarm.random.uniform(30, 150))
            if self.swarm.hit("broker wiped"):
                self.broker.wipe()
            if self.swarm.hit("token revoked"):
                self._revoke(host)
                self.scheduler.sleep(self.swarm.random.uniform(30, 150))
                self._grant()

    def _revoke(self, host: str) -> None:
        if host == CENTRA:
            self.centra.revoke(DEFAULT_TOKEN)
        for erp in self.erps:
            if erp.host == host:
                erp.revoke()

    def _grant(self) -> None:
        self.centra.grant(DEFAULT_TOKEN)
        for erp in self.erps:
            erp.grant()

    def clear(self) -> None:
        self.network.down_until.clear()
        self._grant()

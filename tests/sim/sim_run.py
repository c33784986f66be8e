"""One seed: production code of every lane between the sandboxes, everything that can go wrong, and then quiet."""

import re
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from sim import sim_orderwise as orderwise
from sim.sim_broker import Message, SimBroker
from sim.sim_closing import close_one
from sim.sim_erps import FULFIL, Erp, FulfilBooks
from sim.sim_faults import BEFORE_MONEY_GOES_BACK, FEWEST, MONEY_BACK, BusyStore, Swarm, SwarmFaults
from sim.sim_invariants import Invariants, Violation, Wellness
from sim.sim_lifecycle import Lifecycle
from sim.sim_network import CENTRA, Network, Post
from sim.sim_people import People, Weather, day
from sim.sim_scheduler import START, Actor, Scheduler, SimClock, told_to
from sim.sim_shelves import Shelves
from sim.sim_trade import Trade
from sqlalchemy import event
from stage import MAPPINGS, settings_for

from integration.sandbox.catalogue import STORES
from integration.sandbox.centra import Centra
from integration.sandbox.centra_faults import CENTRA_FAULTS
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_faults import FULFIL_FAULTS
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_webhooks import EVENT
from integration.sandbox.generator import MARKET_WEIGHTS, Played, play
from integration.sandbox.orderwise import OrderWise
from integration.store import StoreDown, reference
from integration.web import Receiver
from integration.wiring import Chance, World, build_world
from tasks import feed, step, sweep

ORDERS = 10
ORDERS_ALONE = 10
"""In a seed of the order lane alone."""
SHOP_OPEN = 200.0
"""Virtual seconds within which all orders are placed, once the shop has opened."""
CHAOS = 480.0
"""How long the faults last, from then on."""
LIFE, LONG_LIFE = 1000.0, 2100.0
"""How long those last, after that, that befall what follows an order: parcels and captures; returns and memos, which come
late: goods travel, and refunds are looked for four times an hour.
"""
T_HEAL = 2400.0
"""By then everything must be well: a reread of every open order (900 s here), a back-check (300 s), the longest stop of a
worker (400 s) and back-offs (300 s at most) lie within."""
TRADES_ON = 300.0
"""So long the warehouse and the customers go on after the faults have ended: what the faults kept back is lived, too."""
QUIET = 420.0
"""No verdict before the longest stop and the latest late call are over."""
LIVES_EVERY = 10
"""Every so many seeds trade goes on after the orders: stock, parcels and returns. The others are the order lane alone, which
costs a fifth of the time; `make soak` lives every seed whole. In every other whole seed only the calls of
returns and credit memos go wrong.
"""
SETTLING = """
[schedule]
trigger = "schedule"
settle_minutes = 2
at_most_minutes = 6
every_minutes = 1
"""
"""In some whole seeds orders go once they have settled: so long their pieces are known to us and Centra alone."""
WORKERS = 3
SECRET = "stage-webhook-secret"
FULFIL_SECRET = "c3RhZ2UtZnVsZmlsLXNlY3JldA=="

Listener = Callable[[float, str, str], None]
"""Hears the story: virtual seconds, actor, event."""


@dataclass
class Result:
    """What came of a seed."""

    seed: int
    orders: int = 0
    seconds: float = 0.0
    healed_after: float = 0.0
    steps: int = 0
    proofs: int = 0
    proofs_beside: int = 0
    """Of these, in OrderWise."""
    zombies: int = 0
    window_units: int = 0
    trace: str = ""
    fired: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    crashed_at: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    violation: str = ""


class Simulation:
    """Everything of one seed, `without` some classes of fault and with some surely `often`."""

    def __init__(
        self,
        seed: int,
        listener: Listener | None = None,
        without: Collection[str] = (),
        often: Collection[str] = (),
        whole: bool | None = None,
        both: bool | None = None,
    ) -> None:
        self.seed, self.data = seed, Random(f"{seed}:data")
        self.whole = seed % LIVES_EVERY == 0 if whole is None else whole
        self.both = orderwise.is_there(seed, whole=self.whole) if both is None else both
        self.scheduler = Scheduler(seed, listener=listener)
        self.clock = SimClock(self.scheduler)
        self.swarm = Swarm(seed, self.scheduler.tell, without, often)
        self.swarm.raging = False  # until the shop has opened
        self.late = self.whole and seed % (2 * LIVES_EVERY) == 0
        if self.late:
            self.swarm.clear_the_way(BEFORE_MONEY_GOES_BACK)
            self.swarm.press(MONEY_BACK)
        elif self.whole:
            self.swarm.press(("centra completion", *((FEWEST,) if self.both else ())))
        self.broker = SimBroker(self.scheduler, self.swarm)
        self._build_sandboxes()
        self._build_ledger()
        self.erps: list[Erp] = [FulfilBooks(self.fulfil)]
        apps = {CENTRA: self.centra.app, FULFIL: self.fulfil.app}
        if self.both:
            self.orderwise = self._build_orderwise()
            self.erps.append(orderwise.OrderWiseBooks(self.orderwise))
            apps[orderwise.ORDERWISE] = self.orderwise.app
        self.invariants = Invariants(self.sql, self.centra, self.erps, self.scheduler, self.clock)
        self.lifecycle = Lifecycle(self.sql, self.centra, self.erps, self.start_at)
        self.network = Network(apps, self.scheduler, self.clock, self.swarm, self._sees)
        self._names = count(1)
        self._open_doors()
        self._people()
        watched = self.trade.scarce
        self.shelves = Shelves(self.sql, self.centra, self.erps, self.scheduler, self.clock, self.start_at, watched)
        self._machinery()

    def _build_sandboxes(self) -> None:
        seconds = self.data.choice((2.0, 30.0, 90.0))
        process = self.data.choice(("at-once", "after-seconds"))
        cancelling = self.data.choice(("shipments-first", "shipments-first", "always", "never"))
        switches = FulfilSwitches(process=process, process_seconds=seconds, cancel_processing=cancelling)
        switches.webhook_retry_step = 60.0
        settles = self.data.choice((5.0, 5.0, 90.0))
        shop = CentraSwitches(checkout_stops_at_zero=True, capture_settles_after=settles)
        self.centra = Centra(self.clock, shop, self.seed, self._deliver)
        self.fulfil = Fulfil(self.clock, switches, self.seed, self._deliver)
        self.centra.faults = self.centra.webhooks.faults = SwarmFaults(CENTRA_FAULTS, self.swarm)
        self.fulfil.faults = SwarmFaults(dict(FULFIL_FAULTS), self.swarm)

    def _build_ledger(self) -> None:
        self.start_at = START + timedelta(seconds=self.data.choice((-3600, 60)))
        told = MAPPINGS.joinpath("fulfil.toml").read_text()
        self.mapping = told.replace("start_at = 2026-01-01T00:00:00Z", f"start_at = {self.start_at:%Y-%m-%dT%H:%M:%SZ}")
        self.mapping = self._followed(self.mapping)
        self.settles = self.whole and Random(f"{self.seed}:settling").random() < 0.4
        if self.settles:
            self.mapping += SETTLING
        self.hears_events = self.data.random() < 0.8
        self.settings = settings_for(
            "sqlite://",
            LOCKSTEP_BRAND_EVENTS="yes" if self.hears_events else "no",
            LOCKSTEP_FULFIL_WEBHOOK_SECRETS=FULFIL_SECRET,
            LOCKSTEP_ORDERWISE_WEBHOOK_SECRETS=orderwise.LOGIN,
        )
        self.store = BusyStore("sqlite://", self.clock, self.scheduler.point)
        connections: list[sqlite3.Connection] = []
        event.listen(self.store.engine, "connect", lambda connection, record: connections.append(connection))
        self.store.create()
        (self.sql,) = connections
        self.store.is_busy = self._is_busy
        self.scheduler.kills_at = self.swarm.kills_at
        self.scheduler.stops_at = self.swarm.stops_at
        self.scheduler.roll_back = self.sql.rollback
        self.scheduler.in_transaction = lambda: self.sql.in_transaction
        self._apply("fulfil", self.mapping)

    def _followed(self, mapping: str) -> str:
        """A mapping, without its stock where nobody is to look after stock."""
        return mapping if self.whole else re.sub(r"(?ms)^\[stock\b.*?(?=^\[(?!stock\b))", "", mapping)

    def _apply(self, connection: str, text: str) -> None:
        with self.store.write("apply") as tx:
            reference.apply_mapping(tx, connection, text, actor="sim")

    def _build_orderwise(self) -> OrderWise:
        self.terms = orderwise.terms(self.seed)
        text = self.terms.mapping(MAPPINGS.joinpath("orderwise.toml").read_text(), self.start_at)
        self._apply("orderwise", self._followed(text))
        return orderwise.open_tenant(self.clock, self.terms, text, self.seed, self.swarm)

    def _is_busy(self) -> bool:
        return bool(self.scheduler.actor and self.scheduler.actor.mortal and self.swarm.hit("database busy"))

    # ------------------------------------------------------------------------------------------------ who is there

    def world(self, owner: str) -> World:
        """A process's world: all share ledger, network and clock."""
        chance = Random(f"{self.seed}:chance:{owner}")
        return build_world(
            self.settings,
            ring=self.broker.ring,
            clock=self.clock,
            chance=Chance(chance.randbytes, chance.uniform),
            transport=self.network,
            owner=owner,
            store=self.store,
            point=self.scheduler.point,
        )

    def _open_doors(self) -> None:
        self.post = Post(self.scheduler, Receiver(self.world("receiver")), self.invariants.webhook_is_kept)
        retries = self.data.choice((0, 0, 3))
        for store in STORES:
            self.centra.register_webhook("https://lockstep.test/centra/brand", SECRET, store, retries)
        if self.data.random() < 0.8:
            words = {"url": "https://lockstep.test/fulfil/fulfil", "secret": FULFIL_SECRET, "event": EVENT}
            self.fulfil._records.insert("ir.webhook", words | {"active": True, "failures": 0})

    def _sees(self, host: str, what: str, body: Any) -> None:
        self.invariants.sees(host, what, body)
        if host == CENTRA and self.whole:
            self.shelves.sees(body)

    def _after_step(self) -> None:
        self.invariants.after_step()
        if self.whole:
            self.lifecycle.after_step()
            self.shelves.after_step()

    def _deliver(self, url: str, body: bytes, headers: Any, timeout: float) -> int | None:
        return self.post.deliver(url, body, headers, timeout)

    def _people(self) -> None:
        self.trade = Trade(self.data, self.scheduler, self.clock, self.centra, self.erps)
        markets = orderwise.MARKETS if self.both else MARKET_WEIGHTS
        timelines = day(self.data, self.seed, ORDERS if self.whole else ORDERS_ALONE, SHOP_OPEN, markets)
        if self.whole:
            self.trade.stock_up()
            timelines = [self.trade.wanting(line) for line in timelines]
        self.played = Played()

        def begin() -> None:
            self.swarm.raging = True
            self.played = play(self.centra, timelines, self.clock)

        people = People(self.data, self.scheduler, self.centra, self.erps, self.world("people"))
        spawn = self.scheduler.spawn
        if self.whole:
            spawn("shop", lambda: self.trade.open_shop(begin))
        else:
            begin()
        if self.data.random() < 0.7:
            spawn("ann", people.cure_items, delay=self.data.uniform(60, 800))
        if self.data.random() < 0.7:
            spawn("ben", lambda: people.cure_market(self.mapping), delay=self.data.uniform(60, 800))
        self.changing = spawn("customer", people.change_minds)
        self.disturbers = [spawn("packer", people.pack), spawn("operator", people.replay), self.changing]
        self.traders = []
        if self.whole:
            self.disturbers.append(spawn("counter", self.trade.count))
            self.traders = [spawn("warehouse", self.trade.work), spawn("customers", self.trade.live)]
        if self.both:
            self._people_of_orderwise()
        self.weather = Weather(self.scheduler, self.swarm, self.network, self.centra, self.erps, self.broker)
        self.disturbers.append(spawn("weather", self.weather.blow))

    def _people_of_orderwise(self) -> None:
        clerk = orderwise.Clerk(self.data, self.scheduler, self.orderwise, self.world("clerk"))
        (self.traders if self.whole else self.disturbers).append(self.scheduler.spawn("clerk", clerk.work))
        if self.whole:
            desk = orderwise.Desk(Random(f"{self.seed}:desk"), self.scheduler, self.orderwise)
            self.disturbers.append(self.scheduler.spawn("desk", desk.work))
            self.traders.append(self.scheduler.spawn("suppliers", desk.supply))
        if self.terms.fetched:
            visited = (self.orderwise, self.terms, self.network, self.post, self.scheduler)
            self.scheduler.spawn("sessions", lambda: orderwise.run_sessions(*visited))

    def _machinery(self) -> None:
        self.pace = self.data.choice((5.0, 10.0, 20.0))
        self._start_sweeper()
        for _ in range(WORKERS):
            self._start_worker()

    def _start_worker(self, delay: float = 0.0) -> None:
        """A process of its own name, world and memory; killed, another one takes its place."""
        name = f"worker-{next(self._names)}"
        hands: list[Message] = []

        def work() -> None:
            world = self.world(name)
            while True:
                hands[:] = [self.broker.take()]
                self.scheduler.tell(f"takes {hands[0]}")
                self._handle(hands[0], world)
                hands.clear()

        def killed(_: Actor) -> None:
            for message in hands:  # acknowledged late: most come again after the broker's visibility time-out
                if self.swarm.random.random() < 0.7:
                    self.broker.later(message, self.swarm.random.uniform(1, 120))
            self._start_worker(self.scheduler.random.uniform(1, 5))

        self.scheduler.spawn(name, work, delay=delay, mortal=killed)

    def _handle(self, message: Message, world: World) -> None:
        """What Celery does with a message: run the link, then the next of the chain, or the same again, or nothing."""
        name = message.links[0]
        if name in feed.FEEDS:
            feed.run_feed(feed.FEEDS[name], message.key.instance, world)
            return
        link = step.LINKS[message.key.kind, name]
        verdict = step.run(link, message.key, world, task_id=message.task_id, retries=message.retries)
        if verdict.retry_in is not None:
            self.broker.retry(message, verdict.retry_in.total_seconds())
        elif verdict.died is None:
            self.broker.go_on(message)

    def _start_sweeper(self, delay: float = 0.0) -> None:
        name = f"sweeper-{next(self._names)}"

        def sweep_on() -> None:
            world = self.world(name)
            while True:
                try:
                    sweep.tick(world)
                except StoreDown as error:
                    self.scheduler.tell(f"waits: {error}")
                self.scheduler.sleep(self.pace)

        def killed(_: Actor) -> None:
            self._start_sweeper(self.scheduler.random.uniform(1, 5))

        self.scheduler.spawn(name, sweep_on, delay=delay, mortal=killed)

    # ------------------------------------------------------------------------------------------------ the run

    def run(self) -> Result:
        """The first push, chaos, then quiet. A broken promise, and any exception that reached nobody, is the result's `violation`."""
        result = Result(self.seed)
        with told_to(self.scheduler):
            try:
                self._chaos()
                result.healed_after = self._heal()
            except Violation as violation:
                result.violation = str(violation)
            except Exception as error:  # noqa: BLE001 - whatever reaches the top is a finding
                result.violation = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            self._sum_up(result)
            self.scheduler.close()
        return result

    def _chaos(self) -> None:
        while not self.swarm.raging:
            self.scheduler.run(self.scheduler.now + 1, self._after_step)
        self.scheduler.passed.clear()  # before the shop opened nobody could be killed anywhere
        lasts = CHAOS + (orderwise.CHAOS_LASTS_ON if self.both else 0.0)
        self.scheduler.run(self.scheduler.now + lasts, self._after_step)
        if self.whole:
            self.swarm.clear_the_way()
            self.weather.clear()
            self.changing.crashed = True
            self.scheduler.tell("what keeps orders back ends here")
            self.scheduler.run(self.scheduler.now + (LONG_LIFE if self.late or self.both else LIFE), self._after_step)
        while not self.played.done:
            self.scheduler.run(self.scheduler.now + 30, self._after_step)

    def _heal(self) -> float:
        """End all faults and wait until all is well. Returns how long the last complaint stood."""
        self.passed_in_chaos = self.scheduler.passed.copy()
        self.swarm.calm()
        self.weather.clear()
        for actor in self.disturbers:
            actor.crashed = True
        self.scheduler.tell("all faults end here")
        if self.whole:
            self.scheduler.spawn("closing", self._close_trade, delay=TRADES_ON)
        began, self.pace = self.scheduler.now, 12.0
        wellness = Wellness(self.invariants, self.broker, self.start_at)
        if self.both:
            close_one(self.seed, self.erps, self.centra, self.network, self.scheduler, wellness, self._after_step)
        last = began
        looked = began

        def well() -> bool:
            nonlocal last, looked
            if self.scheduler.now - looked < 5:
                return False
            looked = self.scheduler.now
            if wellness.complaints() or (self.whole and (self.lifecycle.complaints() or self.shelves.complaints())):
                last = looked
                return False
            return looked - began > QUIET and looked - last > 20

        healed = self.scheduler.run(self.scheduler.now + T_HEAL, self._after_step, done=well)
        complaints = wellness.faults_of_ours() + (self.shelves.complaints(thorough=True) if self.whole else [])
        complaints += [] if healed else wellness.complaints() + (self.lifecycle.complaints() if self.whole else [])
        if complaints:
            raise Violation("; ".join(complaints[:5]))
        return last - began

    def _close_trade(self) -> None:
        for actor in self.traders:
            actor.crashed = True

    def _sum_up(self, result: Result) -> None:
        self.sql.rollback()
        result.orders, result.seconds, result.steps = len(self.centra.orders), self.scheduler.now, self.scheduler.steps
        result.trace, result.fired = self.scheduler.trace, self.swarm.fired
        result.passed = getattr(self, "passed_in_chaos", self.scheduler.passed)
        result.crashed_at = self.scheduler.crashed_at
        result.proofs, result.zombies = self.invariants.proofs.total(), self.invariants.zombies
        result.proofs_beside = self.invariants.proofs["orderwise"]
        result.window_units = self.shelves.window_units
        result.states = Counter(dict(self.sql.execute("SELECT kind || ' ' || state, count(*) FROM job GROUP BY 1")))
        counted = "SELECT type, count(*) FROM exception WHERE state <> 'resolved' GROUP BY type"
        result.cases = Counter(dict(self.sql.execute(counted).fetchall()))


def simulate(
    seed: int,
    listener: Listener | None = None,
    without: Collection[str] = (),
    often: Collection[str] = (),
    *,
    whole: bool | None = None,
    both: bool | None = None,
) -> Result:
    """Run one seed; `whole` says whether trade goes on after the orders, as every `LIVES_EVERY`th seed does, `both` whether
    OrderWise is beside Fulfil.
    """
    return Simulation(seed, listener, without, often, whole, both).run()

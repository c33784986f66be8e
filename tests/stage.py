"""A stage for one test: sandbox and world in one process, on a clock that the test moves; the broker is a list."""

import base64
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import compiled_once  # noqa: F401 - a stage's statements are known from the stages before it
from wsgi_transport import WsgiTransport

import tasks.aftersales
import tasks.archive
import tasks.credit_memo
import tasks.finance
import tasks.intake
import tasks.order_post
import tasks.product_launch
import tasks.return_receipt
import tasks.shipment_update
import tasks.shipment_watch
import tasks.stock_push  # noqa: F401 - registers the links
from integration.domain.order import Key
from integration.erp.orderwise.client import sql_of
from integration.erp.orderwise.profile import profile_of
from integration.sandbox import orderwise
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.orderwise import OrderWise, OrderWiseSwitches
from integration.settings import read_settings
from integration.store import Store, ledger, reference
from integration.store.tables import job
from integration.wiring import Chance, World, build_world
from tasks import feed, step, sweep
from tasks.celery import CHAINS

MAPPINGS = Path(__file__).parent.parent / "mappings"
START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
VAULT_KEY = base64.b64encode(bytes(range(32))).decode()


def example(connection: str = "fulfil", *, stock: bool = True) -> str:
    """The example mapping; without its stock where nobody is to look after stock."""
    text = (MAPPINGS / f"{connection}.toml").read_text()
    return text if stock else text[: text.index("[stock]")] + text[text.index("[bundles]") :]


class StageClock:
    """A clock for both sides: what the sandbox schedules for later happens as the time passes."""

    def __init__(self, start: datetime = START) -> None:
        self.instant = start
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        until = self.instant + timedelta(seconds=seconds)
        while self.agenda and min(self.agenda)[0] <= until:
            due = min(self.agenda, key=lambda entry: entry[:2])
            self.agenda.remove(due)
            self.instant = max(self.instant, due[0])
            due[2]()
        self.instant = until

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self.agenda.append((self.instant + timedelta(seconds=seconds), len(self.agenda), act))


def settings_for(database_url: str, **more: str) -> Any:
    """Settings of a stage: one Centra instance, and where both ERPs would be reached."""
    return read_settings(
        {
            "LOCKSTEP_DATABASE_URL": database_url,
            "LOCKSTEP_CENTRA": "brand",
            "LOCKSTEP_BRAND_URL": "https://brand.centra.test",
            "LOCKSTEP_BRAND_TOKEN": "sandbox-centra-token",
            "LOCKSTEP_BRAND_WEBHOOK_SECRETS": "stage-webhook-secret",
            "LOCKSTEP_BRAND_PLAN": "unlimited",
            "LOCKSTEP_FULFIL_URL": "https://fulfil.test",
            "LOCKSTEP_FULFIL_TOKEN": "sandbox-token",
            "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "0",
            "LOCKSTEP_ORDERWISE_URL": "https://orderwise.test/OWAPI",
            "LOCKSTEP_ORDERWISE_TOKEN": f"{orderwise.USER}:{orderwise.PASSWORD}",
            "LOCKSTEP_ORDERWISE_REQUESTS_PER_SECOND": "0",
            "LOCKSTEP_VAULT_KEY": VAULT_KEY,
            **more,
        }
    )


class Stage:
    """Everything of one test. `work()` empties the queue; `sweep()` ticks the sweeper and works.

    `erps` are the connections that are there, each with its sandbox and its example mapping; orders are placed in a market of
    the first one.
    """

    def __init__(
        self,
        database_url: str = "sqlite://",
        *,
        centra: CentraSwitches | None = None,
        fulfil: FulfilSwitches | None = None,
        erps: Sequence[str] = ("fulfil",),
        orderwise: OrderWiseSwitches | None = None,
        seed: int = 1,
        stock: bool = False,
        **more: str,
    ) -> None:
        self.clock = StageClock()
        self.centra = Centra(clock=self.clock, switches=centra, seed=seed)
        self.fulfil = Fulfil(self.clock, fulfil, seed)
        hosts = {"brand.centra.test": self.centra.app, "fulfil.test": self.fulfil.app}
        if "orderwise" in erps:
            self.orderwise = OrderWise(self.clock, orderwise, seed)
            hosts["orderwise.test"] = self.orderwise.app
        self.erps = erps
        self.queue: deque[tuple[str, Key]] = deque()
        chance = Random(seed)
        self.transport = WsgiTransport(hosts, wait=self.clock.sleep)
        self.settings = settings_for(database_url, **more)
        self.store = Store(database_url, self.clock)
        self.store.create()
        self.world: World = build_world(
            self.settings,
            ring=lambda link, key: self.queue.append((link, key)),
            clock=self.clock,
            chance=Chance(chance.randbytes, chance.uniform),
            transport=self.transport,
            owner="stage",
            store=self.store,
        )
        for connection in erps:
            self.apply(example(connection, stock=stock), connection)
        if "orderwise" in erps:
            self.paste_exports()

    def apply(self, text: str, connection: str = "fulfil") -> int:
        """Apply a mapping text and return its version."""
        with self.store.write("apply") as tx:
            return reference.apply_mapping(tx, connection, text, actor="stage")

    def paste_exports(self) -> None:
        """Somebody saves our export definitions in OrderWise, under the ids that the mapping has."""
        with self.store.read() as tx:
            version = reference.mapping_versions(tx)["orderwise"]
        for name, id in profile_of(self.world.mapping("orderwise", version)).exports.items():
            self.orderwise.paste_export(id, sql_of(name), name)

    def order(self, *, confirm: bool = True, **terms: Any) -> str:
        """Place a small order in Centra and return its number."""
        basket = {
            "market_id": 8 if self.erps[0] == "orderwise" else 1,
            "country": "GB",
            "lines": [BasketLine(self.sku(), 2)],
            "address": ADDRESS,
            "email": "ann@example.com",
        } | terms
        number = self.centra.place_order(Basket(**basket))
        if confirm:
            self.centra.confirm(number)
        return str(number)

    def sku(self, n: int = 0) -> str:
        from integration.sandbox.catalogue import ERP_SKUS

        return sorted(ERP_SKUS)[n]

    def hint(self, *numbers: str) -> None:
        """Mark orders as a webhook would, and ring them."""
        for key in ledger.mark(self.store, [Key("brand", "order", n) for n in numbers], "webhook", rung=True):
            self.world.ring("take", key)

    def work(self, most: int = 10_000) -> None:
        """Run what the queue holds, and what that rings."""
        for _ in range(most):
            if not self.queue:
                return
            name, key = self.queue.popleft()
            for link in CHAINS[key.kind, name]:
                if link in feed.FEEDS:
                    feed.run_feed(feed.FEEDS[link], key.instance, self.world)
                else:
                    step.run(step.LINKS[key.kind, link], key, self.world, task_id=f"{link}-{key.number}")
        raise AssertionError("the queue never empties")

    def sweep(self, times: int = 1, every: float = 30.0) -> None:
        """Let time pass, sweep, work; `times` over."""
        for _ in range(times):
            self.clock.sleep(every)
            sweep.tick(self.world)
            self.work()

    def row(self, number: str) -> Any:
        """The job row of an order."""
        with self.store.read() as tx:
            return ledger.find(tx, Key("brand", "order", number))

    def rows(self, kind: str = "order") -> list[Any]:
        """The job rows of a kind, in the order they came to be."""
        from sqlalchemy import select

        with self.store.read() as tx:
            return list(tx.execute(select(job).where(job.c.kind == kind).order_by(job.c.id)).all())

    def sales(self, number: str) -> list[dict[str, Any]]:
        """The sales orders that Fulfil's own books have for an order."""
        return [s for s in self.fulfil.books()["sales"] if s["channel_identifier"] == f"centra-{number}"]

    def open_cases(self) -> list[Any]:
        from integration.store import exceptions

        with self.store.read() as tx:
            return exceptions.listed(tx)


ADDRESS = {
    "firstName": "Ann",
    "lastName": "Example",
    "address1": "1 High Street",
    "city": "London",
    "zipCode": "N1 9GU",
    "email": "ann@example.com",
    "phoneNumber": "+44 20 7946 0000",
}

"""A stage for one test: sandbox and world in one process, on a clock that the test moves; the broker is a list."""

import base64
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import compiled_once  # noqa: F401 - a stage's statements are known from the stages before it
from erp_folders import MAPPINGS, NAMES, connection, mapping_text
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
from integration.sandbox.catalogue import MARKETS as SOLD_IN
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine
from integration.sandbox.centra_switches import CentraSwitches
from integration.settings import read_settings
from integration.store import Store, ledger, reference
from integration.store.tables import job
from integration.wiring import Chance, World, build_world
from tasks import feed, step, sweep
from tasks.celery import CHAINS

__all__ = ["ADDRESS", "MAPPINGS", "START", "VAULT_KEY", "Stage", "StageClock", "example", "settings_for"]

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
VAULT_KEY = base64.b64encode(bytes(range(32))).decode()


def example(erp: str = "fulfil", *, stock: bool = True) -> str:
    """The example mapping; without its stock where nobody is to look after stock."""
    text = mapping_text(erp)
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
    """Settings of a stage: one Centra instance, and where each ERP would be reached."""
    erps: dict[str, str] = {}
    for name in NAMES:
        reached = f"LOCKSTEP_{name.upper()}"
        erps |= {f"{reached}_URL": connection(name).url, f"{reached}_TOKEN": connection(name).token}
        erps[f"{reached}_REQUESTS_PER_SECOND"] = "0"
    return read_settings(
        {
            "LOCKSTEP_DATABASE_URL": database_url,
            "LOCKSTEP_CENTRA": "brand",
            "LOCKSTEP_BRAND_URL": "https://brand.centra.test",
            "LOCKSTEP_BRAND_TOKEN": "sandbox-centra-token",
            "LOCKSTEP_BRAND_WEBHOOK_SECRETS": "stage-webhook-secret",
            "LOCKSTEP_BRAND_PLAN": "unlimited",
            "LOCKSTEP_VAULT_KEY": VAULT_KEY,
            **erps,
            **more,
        }
    )


class Stage:
    """Everything of one test. `work()` empties the queue; `sweep()` ticks the sweeper and works.

    `erps` are the connections that are there, each with its example mapping, and its sandbox as an attribute of its name;
    orders are placed in a market of the first one. `more` are switches of a sandbox by the ERP's name, and settings.
    """

    def __init__(
        self,
        database_url: str = "sqlite://",
        *,
        centra: CentraSwitches | None = None,
        erps: Sequence[str] = ("fulfil",),
        seed: int = 1,
        stock: bool = False,
        **more: Any,
    ) -> None:
        self.clock = StageClock()
        self.centra = Centra(clock=self.clock, switches=centra, seed=seed)
        hosts = {"brand.centra.test": self.centra.app}
        for name in erps:
            there = connection(name)
            sandbox = there.sandbox(self.clock, more.pop(name, None), seed)
            setattr(self, name, sandbox)
            hosts[str(urlsplit(there.url).hostname)] = sandbox.app
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
        for name in erps:
            self.apply(example(name, stock=stock), name)
        for name in erps:
            connection(name).ready(self)

    def apply(self, text: str, erp: str = "fulfil") -> int:
        """Apply a mapping text and return its version. One that begins with the year begins days ago: no test reads months of
        nothing.
        """
        text = text.replace("start_at = 2026-01-01T", "start_at = 2026-05-01T")
        with self.store.write("apply") as tx:
            return reference.apply_mapping(tx, erp, text, actor="stage")

    def order(self, *, confirm: bool = True, **terms: Any) -> str:
        """Place a small order in Centra and return its number."""
        market = connection(self.erps[0]).market
        basket = {
            "market_id": market,
            "country": SOLD_IN[market].countries[0],
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

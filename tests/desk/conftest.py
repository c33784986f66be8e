"""A real Flower with the desk inside, over a ledger of a bad morning, and a small client that behaves like a browser."""

import base64
import http.client
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from servers import Process, Valkey, free_port

from integration.domain.order import Key
from integration.domain.proof import seal
from integration.settings import Settings, read_settings
from integration.store import (
    Store,
    Transaction,
    documents,
    effects,
    exceptions,
    ledger,
    migrate,
    proofs,
    schedule,
    spending,
)
from integration.store.exceptions import Case
from integration.store.ledger import Outcome
from integration.vault import Vault, read_master_key
from integration.wiring import Chance
from mappings import playbook

ROOT = Path(__file__).parents[2]
VAULT_KEY = base64.b64encode(bytes(range(32))).decode()
USER, PASSWORD = "ann", "a password with: colons"
WHO = "Signe Personsdatter, Storgata 1, 0155 Oslo, signe@example.com"


class PastClock:
    """The machine's clock, so many minutes ago."""

    def __init__(self) -> None:
        self.ago = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) - self.ago


class Ledger:
    """A ledger filled through the store's own functions."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'lockstep.db'}"
        self.clock = PastClock()
        self.store = Store(self.url, self.clock)
        migrate.upgrade(self.store)
        self.playbook = playbook()
        self.vault = Vault(
            {name: read_master_key(key) for name, key in self.settings().vault_keys.items()}, Chance().random_bytes
        )

    def environment(self) -> dict[str, str]:
        return {
            "LOCKSTEP_DATABASE_URL": self.url,
            "LOCKSTEP_CENTRA": "brand",
            "LOCKSTEP_BRAND_URL": "http://127.0.0.1:9",
            "LOCKSTEP_BRAND_TOKEN": "no-token",
            "LOCKSTEP_VAULT_KEY": VAULT_KEY,
        }

    def settings(self) -> Settings:
        return read_settings(self.environment())

    def dead(
        self,
        number: str,
        type: str,
        cause: str,
        message: str,
        *,
        minutes: int,
        money: tuple[int, str] = (9_900, "EUR"),
        market: str = "Germany",
        proof: dict[str, object] | None = None,
        evidence: str = "",
        **columns: object,
    ) -> int:
        """An order that died so many minutes ago, with its case. Returns the case's id."""
        self.clock.ago = timedelta(minutes=minutes)
        key, opened = Key("brand", "order", number), []
        ledger.mark(self.store, [key], "webhook")
        (job,) = ledger.claim(
            self.store, "take", key, owner="test", task_id=f"task-{number}", lease=timedelta(seconds=120)
        )
        rule = self.playbook.rule(type)

        def open_case(tx: Transaction) -> None:
            sealed = documents.put(tx, self.vault, job.id, "evidence", evidence.encode()) if evidence else None
            opened.append(
                exceptions.open_case(
                    tx,
                    Case(
                        type,
                        cause,
                        message,
                        rule.owner,
                        timedelta(minutes=rule.act_within_minutes),
                        "brand",
                        "fulfil",
                        job.id,
                        sealed,
                        *money,
                    ),
                )
            )
            if columns.get("erp_ref"):
                sent = {"effect_class": "A", "reference": f"centra-{number}", "request": "0", "unknown_until": tx.now}
                effects.intend(tx, job.id, "sales order", **sent)
                effects.answer(tx, job.id, "sales order", columns["erp_ref"])
            if proof:
                proofs.keep(tx, job.id, proof, seal(proof), equal=False)

        values = {
            "state": "dead",
            "clean_seq": job.row.dirty_seq,
            "connection": "fulfil",
            "market": market,
            "mapping_version": 1,
        }
        values |= {"total_minor": money[0], "currency": money[1], "reason": f"{rule.title}: {message}", **columns}
        ledger.settle(self.store, "take", [Outcome(job, "dead", message, values, acts=(open_case,))])
        self.clock.ago = timedelta(0)
        return opened[0]

    def case(self, case_id: int) -> object:
        with self.store.read() as tx:
            return exceptions.one(tx, case_id)

    def history(self, case_id: int) -> list[tuple[str, str, str]]:
        with self.store.read() as tx:
            return [(h.actor, h.verb, h.note) for h in exceptions.timeline(tx, case_id)]

    def job(self, number: str) -> object:
        with self.store.read() as tx:
            return ledger.find(tx, Key("brand", "order", number))


DIFFERENT = {
    "components": [
        ["line 68 net", "79.20 EUR", "79.20 EUR"],
        ["line 68 tax", "19.80 EUR", "19.80 EUR"],
        ["line 71 net", "39.92 EUR", "39.93 EUR"],
        ["line 71 tax", "9.98 EUR", "9.98 EUR"],
        ["shipping net", "4.00 EUR", "4.00 EUR"],
        ["shipping tax", "1.00 EUR", "1.00 EUR"],
        ["total", "153.90 EUR", "153.91 EUR"],
        ["currency", "EUR", "EUR"],
    ],
    "carried": [["voucher WELCOME10", "13.24 EUR"]],
    "equal": False,
}


def a_bad_morning(ledger: Ledger) -> dict[str, list[int]]:
    """Several causes with one to twelve orders, a proof that differs, sealed evidence, two resolved cases. Ids by cause."""
    told: dict[str, list[int]] = {"norway": [], "sku": [], "tax": [], "address": [], "done": []}
    for n in range(12):
        money = ((89_900 + 13_700 * (n % 5), "NOK"), (12_900 + 700 * n, "EUR"))[n % 4 == 3]
        words = "fulfil.toml has no entry for 'Norway' in [markets]; did you mean 'Norwegian outlet'?"
        cause = "fulfil.toml:[markets] Norway"
        case = ledger.dead(
            f"1002{30 + n}", "ORDER_MARKET_UNMAPPED", cause, words, minutes=130 - 4 * n, money=money, market="Norway"
        )
        told["norway"].append(case)
    for n, (minor, currency, market) in enumerate(
        [
            (11_900, "GBP", "United Kingdom"),
            (24_800, "EUR", "Germany"),
            (9_950, "EUR", "France"),
            (17_900, "GBP", "United Kingdom"),
        ]
    ):
        words = "fulfil has no active item with SKU 'PARKA-OLV-M'"
        case = ledger.dead(
            f"1002{50 + n}",
            "ORDER_UNKNOWN_SKU",
            "PARKA-OLV-M",
            words,
            minutes=95 - n,
            money=(minor, currency),
            market=market,
        )
        told["sku"].append(case)
    for n in range(3):
        words = "fulfil.toml has no entry for '12' in [taxes.SE]"
        case = ledger.dead(
            f"1002{60 + n}",
            "ORDER_TAX_UNMAPPED",
            "fulfil.toml:[taxes.SE] 12",
            words,
            minutes=34 - n,
            money=(64_900 + 10_000 * n, "SEK"),
            market="Sweden",
        )
        told["tax"].append(case)
    words = "read back unequal: line 71 net: we have 39.92 EUR, they have 39.93 EUR; total: we have 153.90 EUR, they have 153.91 EUR"
    told["proof"] = [
        ledger.dead(
            "100271",
            "ORDER_ERP_RECALCULATED",
            "fulfil: line net",
            words,
            minutes=12,
            money=(15_390, "EUR"),
            proof=DIFFERENT,
            erp_ref="4711",
        )
    ]
    told["doubt"] = [
        ledger.dead(
            "100274",
            "ORDER_DUPLICATE_SUSPECT",
            "2 sales orders",
            "the ERP has 2 sales orders: 4719, 4723",
            minutes=4,
            money=(18_400, "JPY"),
            market="Japan",
        )
    ]
    told["address"] = [
        ledger.dead(
            "100277",
            "ORDER_ADDRESS_INVALID",
            "fulfil: subdivision",
            "fulfil refuses the address: its subdivision is not of the country",
            minutes=51,
            evidence=f'{{"error": "The subdivision of {WHO} is not of Norway"}}',
            market="Ireland",
        )
    ]
    for n in range(2):
        case = ledger.dead(
            f"1001{90 + n}",
            "ORDER_PAYMENT_UNMAPPED",
            "fulfil.toml:[tenders] klarna",
            "fulfil.toml has no entry for 'klarna' in [tenders]",
            minutes=300,
        )
        told["done"].append(case)
        with ledger.store.write() as tx:
            exceptions.resolve_of_job(tx, ledger.job(f"1001{90 + n}").id, "verified: read back equal")
    _machinery(ledger)
    return told


def _machinery(ledger: Ledger) -> None:
    with ledger.store.write() as tx:
        schedule.beat(tx, "sweep")
        spending.close_until(tx, "fulfil", tx.now + timedelta(seconds=30), why="CONNECTION_DOWN", opens=True)


# ------------------------------------------------------------------------------------------------------------- Flower


class Flower(Process):
    """`celery -A tasks flower --conf=deploy/flowerconfig.py`, as an operator starts it."""

    def __init__(self, folder: Path, environment: dict[str, str], *options: str, prefix: str = "") -> None:
        self.port, self.prefix = free_port(), prefix
        command = [sys.executable, "-m", "celery", "-A", "tasks", "flower", f"--conf={ROOT / 'deploy/flowerconfig.py'}"]
        mine = {
            "LOCKSTEP_FLOWER_PORT": str(self.port),
            "LOCKSTEP_FLOWER_USER": USER,
            "LOCKSTEP_FLOWER_PASSWORD": PASSWORD,
        }
        super().__init__(folder, [*command, *options], environment | mine)

    def ready(self) -> bool:
        try:
            return Visitor(self, None).get("/healthcheck").status == 200
        except OSError:
            return False


@dataclass
class Answer:
    """An HTTP answer. `text` is the body, `words` the body without its tags."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def words(self) -> str:
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.text)).split())

    @property
    def goes_to(self) -> str:
        return self.headers["Location"] or ""


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, sends its name, and the token of the last form it saw."""

    flower: Flower
    credentials: str | None = f"{USER}:{PASSWORD}"
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, *, token: str | None = None, follow: bool = True, **form: str) -> Answer:
        """Send a form and go where it leads."""
        if not self.token:
            self.get("/exceptions/cause?type=none")  # any page sets the cookie
        told = form | {"_xsrf": self.cookies.get("_xsrf", "") if token is None else token}
        answer = self._ask("POST", path, urlencode({k: v for k, v in told.items() if v}), {})
        if answer.status == 303 and follow:
            return self.get(answer.goes_to.removeprefix(self.flower.prefix))
        return answer

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        line = http.client.HTTPConnection("127.0.0.1", self.flower.port, timeout=20)
        sent = dict(headers)
        if self.credentials is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            line.request(method, self.flower.prefix + path, body, sent)
            answer = line.getresponse()
            text = answer.read().decode()
        finally:
            line.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if value in ("", '""'):
                del self.cookies[name]
        return Answer(answer.status, answer.headers, text)


@dataclass
class Desk:
    """A running desk, its ledger and the cases in it by cause."""

    flower: Flower
    ledger: Ledger
    cases: dict[str, list[int]]

    def visitor(self, credentials: str | None = f"{USER}:{PASSWORD}") -> Visitor:
        return Visitor(self.flower, credentials)


Start = Callable[..., Flower]


@pytest.fixture(scope="session")
def start_flower(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start_flower(ledger, *options, prefix="", **environment)`: a Flower that answers."""
    running: list[Flower] = []

    def start(ledger: Ledger, *options: str, prefix: str = "", **environment: str) -> Flower:
        folder = tmp_path_factory.mktemp("flower")
        told = ledger.environment() | {"LOCKSTEP_BROKER_URL": valkey.url} | environment
        flower = Flower(folder, told, *options, prefix=prefix)
        running.append(flower)
        flower.start()
        return flower

    yield start
    for flower in running:
        flower.stop()


@pytest.fixture(scope="module")
def desk(start_flower: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk on a bad morning; a test that changes something takes cases that no other test looks at."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    cases = a_bad_morning(ledger)
    return Desk(start_flower(ledger), ledger, cases)

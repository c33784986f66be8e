"""A ledger on a bad morning, filled through the store's own functions: what the pages are looked at with."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
    reference,
    schedule,
    spending,
)
from integration.store.exceptions import Case
from integration.store.ledger import Outcome
from integration.vault import Vault, read_master_key
from integration.wiring import Chance
from mappings import playbook

VAULT_KEY = base64.b64encode(bytes(range(32))).decode()
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
        **columns: Any,
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

    def case(self, case_id: int) -> Any:
        with self.store.read() as tx:
            return exceptions.one(tx, case_id)

    def history(self, case_id: int) -> list[tuple[str, str, str]]:
        with self.store.read() as tx:
            return [(h.actor, h.verb, h.note) for h in exceptions.timeline(tx, case_id)]

    def audit(self) -> list[tuple[str, str, str]]:
        with self.store.read() as tx:
            return [(row.actor, row.action, row.object) for row in reference.audit_trail(tx)]

    def job(self, number: str) -> Any:
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
    told = {"norway": _norway(ledger), "sku": _unknown_sku(ledger), "tax": _tax(ledger)} | _singles(ledger)
    told["done"] = _done(ledger)
    _machinery(ledger)
    return told


def _norway(ledger: Ledger) -> list[int]:
    told = []
    for n in range(12):
        money = ((89_900 + 13_700 * (n % 5), "NOK"), (12_900 + 700 * n, "EUR"))[n % 4 == 3]
        words = "fulfil.toml has no entry for 'Norway' in [markets]; did you mean 'Norwegian outlet'?"
        cause = "fulfil.toml:[markets] Norway"
        case = ledger.dead(
            f"1002{30 + n}", "ORDER_MARKET_UNMAPPED", cause, words, minutes=130 - 4 * n, money=money, market="Norway"
        )
        told.append(case)
    return told


def _unknown_sku(ledger: Ledger) -> list[int]:
    told = []
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
        told.append(case)
    return told


def _tax(ledger: Ledger) -> list[int]:
    told = []
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
        told.append(case)
    return told


def _singles(ledger: Ledger) -> dict[str, list[int]]:
    """Causes with one order each."""
    told = {}
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
    return told


def _done(ledger: Ledger) -> list[int]:
    told = []
    for n in range(2):
        case = ledger.dead(
            f"1001{90 + n}",
            "ORDER_PAYMENT_UNMAPPED",
            "fulfil.toml:[tenders] klarna",
            "fulfil.toml has no entry for 'klarna' in [tenders]",
            minutes=300,
        )
        told.append(case)
        with ledger.store.write() as tx:
            exceptions.resolve_of_job(tx, ledger.job(f"1001{90 + n}").id, "verified: read back equal")
    return told


def _machinery(ledger: Ledger) -> None:
    with ledger.store.write() as tx:
        schedule.beat(tx, "sweep")
        spending.close_until(tx, "fulfil", tx.now + timedelta(seconds=30), why="CONNECTION_DOWN", opens=True)

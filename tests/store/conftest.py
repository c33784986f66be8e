"""A ledger on each kind of database, with a clock that the test moves (on SQLite) or the server's own (PostgreSQL)."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from stage import StageClock

from integration.domain.order import Key
from integration.store import Store, ledger
from integration.store.exceptions import Case
from integration.store.ledger import Job, Outcome
from integration.vault import Vault, read_master_key

LEASE = timedelta(seconds=120)
MASTER = base64.b64encode(bytes(range(32))).decode()


def key(number: int | str) -> Key:
    return Key("brand", "order", str(number))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url, StageClock(datetime(2026, 5, 4, 9, 0, tzinfo=UTC)))
    made.create()
    yield made
    made.close()


@pytest.fixture
def vault() -> Vault:
    numbers = iter(range(1, 10_000))
    return Vault({"m1": read_master_key(MASTER)}, lambda n: next(numbers).to_bytes(n, "big"))


def claim(
    store: Store, number: int | str = 1, link: str = "take", *, page: int = 1, lease: timedelta = LEASE
) -> list[Job]:
    return ledger.claim(store, link, key(number), owner="w1", task_id=f"t{number}", lease=lease, page=page)


def settle(store: Store, job: Job, **values: object) -> list[Job]:
    outcome = Outcome(job, "done", "as it should be", {"clean_seq": job.row.dirty_seq, **values})
    return ledger.settle(store, "take", [outcome])


def row(store: Store, number: int | str = 1) -> object:
    with store.read() as tx:
        return ledger.find(tx, key(number))


def let_leases_end(store: Store) -> None:
    """What the passing of two minutes does to leases, on either clock."""
    from sqlalchemy import update

    from integration.store.tables import job

    with store.write() as tx:
        tx.execute(update(job).where(job.c.until.is_not(None)).values(until=tx.now - timedelta(seconds=1)))


def case(type: str = "ORDER_UNKNOWN_SKU", **words: object) -> Case:
    told = {"cause": "ZZ9", "message": "no such SKU", "owner": "Merchandising", "act_within": timedelta(hours=2)}
    return Case(type=type, **(told | words))


Worker = Callable[[int], object]

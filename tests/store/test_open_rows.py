"""What looks for work looks only at rows that are open: it must miss none of them, and must not read the others."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import event, select, text

from integration.domain.order import Key
from integration.store import Store, counts, ledger, lives
from integration.store.tables import OPEN_ROWS, STATES, job
from integration.wiring import SystemClock

LEASE = timedelta(seconds=60)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url, SystemClock())
    made.create()
    yield made
    made.close()


def _every_row(store: Store) -> None:
    """One row of each kind in each state, read and unread."""
    with store.write() as tx:
        for kind, state, dirty in product(lives.LIVES, STATES, (0, 1)):
            row = {"instance": "brand", "kind": kind, "number": f"{state}-{dirty}", "lane": lives.LANE_OF[kind]}
            seen = {"state": state, "dirty_seq": dirty, "clean_seq": 0, "first_seen_at": tx.now, "changed_at": tx.now}
            tx.execute(job.insert().values(row | seen | {"connection": "fulfil"}))


def test_whatever_a_link_may_claim_is_an_open_row(store: Store) -> None:
    _every_row(store)
    with store.read() as tx:
        claimable = set(tx.execute(select(job.c.id).where(lives.DUE)).scalars())
        open_rows = set(tx.execute(select(job.c.id).where(text(OPEN_ROWS))).scalars())
    assert claimable
    assert claimable <= open_rows


def test_looking_for_work_uses_the_index_of_open_rows(tmp_path: Path) -> None:
    """On SQLite: what PostgreSQL does with few rows says nothing."""
    store = Store(f"sqlite:///{tmp_path}/lockstep.db", SystemClock())
    store.create()
    _every_row(store)
    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "FROM job" in statement and "job.id IN" not in statement and "job.number =" not in statement:
            own = connection.connection.cursor()
            plans.extend(row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(store.engine, "before_cursor_execute", explain)
    for lane in set(lives.LANE_OF.values()):
        lives.due(store, lane=lane, limit=5, rung_before=LEASE)
    for link, state in (("take", "seen-1"), ("prove", "posted-0")):
        key = Key("brand", "order", state)
        ledger.claim(store, link, key, owner="test", task_id="t", lease=LEASE, page=50)
        lives.another(store, link, key)
    before = len(plans)
    counts.order_under_way(store)  # it is asked before whatever a lower lane writes
    assert [plan for plan in plans[before:] if "USING INDEX ix_job_open (lane=?)" in plan]
    searches = [plan for plan in plans if plan.startswith(("SEARCH", "SCAN job"))]
    assert searches
    assert [plan for plan in searches if "USING INDEX ix_job_open" not in plan] == []
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
    store.close()

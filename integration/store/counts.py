"""The ledger at a glance: how many orders stand where, and what is open."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, select, text

from integration.store import Store, Transaction, exceptions
from integration.store.columns import Instant
from integration.store.tables import OPEN_ROWS, exception, job, level

SOON = timedelta(minutes=5)


def orders_by_state(tx: Transaction) -> dict[str, int]:
    counted = select(job.c.state, func.count()).where(job.c.kind == "order").group_by(job.c.state)
    return {state: int(n) for state, n in tx.execute(counted)}


def unread_orders(tx: Transaction, instance: str) -> int:
    """Orders of a storefront that we know of and have never read."""
    never = (job.c.kind == "order", job.c.instance == instance, job.c.state == "seen", job.c.read_at.is_(None))
    return int(tx.scalar(select(func.count()).select_from(job).where(*never)) or 0)


NEWEST = 20
_RECENT = (
    select(job.c.state, job.c.dirty_seq, job.c.clean_seq, job.c.not_before, job.c.until)
    .where(text(OPEN_ROWS), job.c.lane == "orders")
    .order_by(job.c.id.desc())
    .limit(NEWEST)
    .subquery()
)
_NOW = bindparam("now", type_=Instant())
_WAITS = or_(_RECENT.c.dirty_seq > _RECENT.c.clean_seq, _RECENT.c.state == "ready")
_RESTED = or_(_RECENT.c.not_before.is_(None), _RECENT.c.not_before <= _NOW)
_UNDER_WAY = select(_RECENT.c.state).where(or_(_RECENT.c.until > _NOW, and_(_WAITS, _RESTED))).limit(1)


def order_under_way(store: Store) -> bool:
    """Whether one of the newest open orders is being worked on, or waits to be read or posted at this moment."""
    with store.read() as tx:
        return tx.execute(_UNDER_WAY, {"now": tx.now}).first() is not None


def by_state(tx: Transaction) -> dict[tuple[str, str], int]:
    """How many documents of each kind stand where."""
    counted = select(job.c.kind, job.c.state, func.count()).group_by(job.c.kind, job.c.state)
    return {(kind, state): int(n) for kind, state, n in tx.execute(counted)}


def levels(tx: Transaction) -> tuple[int, int]:
    """How many SKUs' stock is kept, and how many of these the storefront was ever told."""
    told = func.count(func.distinct(case((level.c.pushed_at.is_not(None), level.c.sku))))
    skus, pushed = tx.execute(select(func.count(func.distinct(level.c.sku)), told)).one()
    return int(skus), int(pushed)


def moving(tx: Transaction, *, but: Collection[str] = ()) -> int:
    """Documents on their way: not at rest, not held, not dead, not parked for more than `SOON`; or with a hint that nobody
    has followed yet. `but`: kinds that are not looked at.
    """
    soon = or_(job.c.not_before.is_(None), job.c.not_before <= tx.now + SOON)
    on_their_way = or_(
        and_(job.c.state.in_(("seen", "ready", "created", "captured", "posted", "received", "cancelling")), soon),
        job.c.dirty_seq > job.c.clean_seq,
        job.c.owner.is_not(None),
    )
    return tx.scalar(select(func.count()).where(on_their_way, job.c.kind.not_in(list(but)))) or 0


def all_orders(tx: Transaction) -> list[dict[str, Any]]:
    """Every order's row as a dict."""
    return all_of(tx, "order")


def all_of(tx: Transaction, kind: str) -> list[dict[str, Any]]:
    """Every row of a kind of document as a dict."""
    return [dict(row._mapping) for row in tx.execute(select(job).where(job.c.kind == kind).order_by(job.c.id))]


def open_cases(tx: Transaction) -> list[dict[str, Any]]:
    """Every open exception as a dict, with its document's `kind` and `number` where it has one."""
    rows = select(exception, job.c.kind, job.c.number).outerjoin(job, job.c.id == exception.c.job_id)
    return [
        dict(row._mapping) for row in tx.execute(rows.where(exception.c.state != "resolved").order_by(exception.c.id))
    ]


def open_by_type(tx: Transaction) -> dict[str, int]:
    return exceptions.counts(tx)

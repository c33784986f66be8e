"""How fast the lanes work: what was finished when. A finished document is one whose way is over for now."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, select

from integration.store import Transaction
from integration.store.lives import LANE_OF
from integration.store.tables import attempt, job, level

LAST_LINKS = {
    "order": ("prove", "cancel"),
    "shipment": ("prove",),
    "return": ("complete", "cancel"),
    "refund": ("prove",),
    "day": ("report",),
    "product": ("offer",),
    "archive": ("archive",),
}


def finished(tx: Transaction, since: datetime) -> dict[str, int]:
    """Documents by lane whose last link was done since an instant; for stock, SKUs pushed."""
    ends = or_(*(and_(job.c.kind == kind, attempt.c.link.in_(links)) for kind, links in LAST_LINKS.items()))
    counted = select(job.c.kind, func.count()).select_from(attempt).join(job, job.c.id == attempt.c.job_id)
    counted = counted.where(attempt.c.ended_at >= since, attempt.c.outcome == "done", ends).group_by(job.c.kind)
    found: dict[str, int] = {}
    for kind, number in tx.execute(counted):
        found[LANE_OF[kind]] = found.get(LANE_OF[kind], 0) + int(number)
    pushed = tx.scalar(select(func.count()).select_from(level).where(level.c.pushed_at >= since))
    return found | {"stock": int(pushed or 0)}


def waiting_skus(tx: Transaction) -> int:
    """SKUs whose figure is to be read or pushed."""
    unread = level.c.dirty_seq > level.c.clean_seq
    return int(tx.scalar(select(func.count()).select_from(level).where(unread)) or 0)


def by_minute(tx: Transaction, since: datetime) -> dict[tuple[str, int], int]:
    """Documents finished by (lane, minute since 1970)."""
    ends = or_(*(and_(job.c.kind == kind, attempt.c.link.in_(links)) for kind, links in LAST_LINKS.items()))
    rows = select(job.c.kind, attempt.c.ended_at).select_from(attempt).join(job, job.c.id == attempt.c.job_id)
    found: dict[tuple[str, int], int] = {}
    for kind, at in tx.execute(rows.where(attempt.c.ended_at >= since, attempt.c.outcome == "done", ends)):
        place = (LANE_OF[kind], int(at.timestamp() // 60))
        found[place] = found.get(place, 0) + 1
    for (at,) in tx.execute(select(level.c.pushed_at).where(level.c.pushed_at >= since)):
        place = ("stock", int(at.timestamp() // 60))
        found[place] = found.get(place, 0) + 1
    return found


def held(tx: Transaction, beginning: str) -> list[Row[Any]]:
    """Orders held for a reason that begins so: (connection, currency, orders, minor, goes_at), the earliest `goes_at`."""
    columns = (
        job.c.connection,
        job.c.currency,
        func.count().label("orders"),
        func.sum(job.c.total_minor).label("minor"),
    )
    wanted = select(*columns, func.min(job.c.not_before).label("goes_at"))
    wanted = wanted.where(job.c.kind == "order", job.c.state == "held", job.c.reason.startswith(beginning))
    return list(
        tx.execute(wanted.group_by(job.c.connection, job.c.currency).order_by(job.c.connection, job.c.currency))
    )

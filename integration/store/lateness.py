"""What is late: released orders that do not move, and how new orders were learnt of."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, func, select

from integration.store import Transaction
from integration.store.tables import arrival, breaker, exception, job

Late = Row[Any]

ANNOUNCED = ("webhook", "event")


def stalled(tx: Transaction, instance: str, *, before: datetime) -> list[Late]:
    """Orders released before an instant and still on their way, without an open case and with their ERP up."""
    has_case = exists().where(exception.c.job_id == job.c.id, exception.c.state != "resolved")
    erp_is_down = exists().where(breaker.c.system == job.c.connection, breaker.c.open_since.is_not(None))
    late = (
        select(job)
        .where(job.c.instance == instance, job.c.kind == "order", job.c.state.in_(("ready", "posted", "cancelling")))
        .where(job.c.released_at < before, ~has_case, ~erp_is_down)
    )
    return list(tx.execute(late.order_by(job.c.id).limit(500)).all())


def sources(tx: Transaction, instance: str, *, since: datetime, until: datetime) -> tuple[int, int]:
    """Of the documents first seen since an instant: how many were announced to us, and how many there were by `until`."""
    announced = exists().where(arrival.c.job_id == job.c.id, arrival.c.source.in_(ANNOUNCED))
    polled = exists().where(arrival.c.job_id == job.c.id, arrival.c.source == "poll")
    early = and_(job.c.first_seen_at <= until, polled)
    new = select(func.count().filter(announced), func.count().filter(early)).where(
        job.c.instance == instance, job.c.kind == "order", job.c.first_seen_at >= since
    )
    told, found = tx.execute(new).one()
    return int(told), int(found)

"""Documents on offer: nobody is called with them, the other side fetches them.

A document is on offer while its row is held here and its writing surely has not happened (`void`). Fetched, it is in doubt like
any call without an answer; what proves that it was not taken makes it `void`, and so puts it back on offer.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, delete, exists, or_, select, update

from integration.ports import SALES_ORDER, Offer
from integration.store import Transaction, effects
from integration.store.tables import effect, exception, job, offer

_SENT = and_(effect.c.job_id == job.c.id, effect.c.name == SALES_ORDER)
_UNREAD = job.c.dirty_seq > job.c.clean_seq


def put(tx: Transaction, job_id: int, terms: Offer) -> None:
    """Put a document on offer. One that has been is so since then."""
    row = tx.insert(offer).values(
        job_id=job_id, channel=terms.channel, offered_at=tx.now, due_at=tx.now + terms.within, pulls=0
    )
    tx.execute(row.on_conflict_do_update(index_elements=["job_id"], set_={"channel": terms.channel}))


def withdraw(tx: Transaction, job_id: int) -> None:
    """Forget how long it has been on offer, and what was said of it."""
    tx.execute(delete(offer).where(offer.c.job_id == job_id))


def waiting(tx: Transaction, connection: str, channel: str, most: int) -> list[Row[Any]]:
    """Rows of orders that may be fetched now, those first that never were: read, on offer, and nobody is at work on them."""
    wanted = select(job).join(offer, offer.c.job_id == job.c.id).join(effect, _SENT)
    wanted = wanted.where(job.c.connection == connection, offer.c.channel == channel, job.c.kind == "order")
    wanted = wanted.where(job.c.state == "held", ~_UNREAD, _free(tx.now), effect.c.state == "void")
    return list(tx.execute(wanted.order_by(offer.c.pulls, job.c.id).limit(most)).all())


def _free(now: datetime) -> Any:
    return or_(job.c.until.is_(None), job.c.until <= now)


def fetch(tx: Transaction, row: Row[Any], *, request: str, imports_within: timedelta, reason: str) -> bool:
    """The other side fetches it in the version that was read: the intent, before the answer leaves.

    False, and nothing written, when anything has happened to its row since `row` was read. A worker that paused over it has
    lost it.
    """
    same = (job.c.fence == row.fence, job.c.dirty_seq == row.dirty_seq, job.c.state == "held", _free(tx.now))
    until = tx.now + imports_within
    fetched = tx.execute(
        update(job)
        .where(job.c.id == row.id, *same)
        .values(
            fence=job.c.fence + 1, state="ready", posted_version=row.source_version, not_before=until, reason=reason
        )
    )
    if fetched.rowcount == 0:
        return False
    effects.intend_again(tx, row.id, SALES_ORDER, request=request, unknown_until=until)
    tx.execute(update(offer).where(offer.c.job_id == row.id).values(pulled_at=tx.now, pulls=offer.c.pulls + 1))
    return True


def send_back(tx: Transaction, rows: Collection[Row[Any]]) -> None:
    """These cannot be composed: they are read again, and the link that posts them says why."""
    for row in rows:
        same = (job.c.id == row.id, job.c.fence == row.fence, job.c.state == "held")
        tx.execute(update(job).where(*same).values(not_before=None, rung_at=tx.now))


def acknowledge(
    tx: Transaction, connection: str, numbers: Collection[str], *, shows_within: timedelta
) -> list[Row[Any]]:
    """The other side says that it has these orders: each is to be looked for at once. Returns the rows that it ever fetched."""
    known = select(job).join(offer, and_(offer.c.job_id == job.c.id, offer.c.pulls > 0))
    known = known.where(job.c.connection == connection, job.c.kind == "order", job.c.number.in_(sorted(numbers)))
    rows = list(tx.execute(known.order_by(job.c.id)).all())
    ids = [row.id for row in rows]
    tx.execute(update(offer).where(offer.c.job_id.in_(ids)).values(acknowledged_at=tx.now))
    doubt = (effect.c.job_id.in_(ids), effect.c.name == SALES_ORDER, effect.c.answer.is_(None))
    tx.execute(update(effect).where(*doubt).values(state="unknown", unknown_until=tx.now + shows_within))
    waits = and_(job.c.id.in_(ids), job.c.state.in_(("ready", "cancelling")))
    tx.execute(update(job).where(waits).values(not_before=None, rung_at=tx.now))
    return rows


def is_acknowledged(tx: Transaction, job_id: int) -> bool:
    found = select(offer.c.job_id).where(offer.c.job_id == job_id, offer.c.acknowledged_at.is_not(None))
    return tx.scalar(found) is not None


def overdue(tx: Transaction, instance: str) -> list[Row[Any]]:
    """Rows, with their offers, that were not acknowledged within their time, and have no case yet."""
    has_case = exists().where(exception.c.job_id == job.c.id, exception.c.state != "resolved")
    late: Select[Any] = select(*job.c, offer.c.channel, offer.c.offered_at, offer.c.pulls, offer.c.pulled_at)
    late = late.join(offer, offer.c.job_id == job.c.id).where(job.c.instance == instance)
    late = late.where(job.c.state.in_(("held", "ready")))
    late = late.where(offer.c.due_at <= tx.now, offer.c.acknowledged_at.is_(None), ~has_case)
    return list(tx.execute(late.order_by(job.c.id).limit(500)).all())

"""Returns and refunds beside their orders: what belongs together, what is overdue, and where to look again."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, or_, select, update

from integration.domain.order import Key
from integration.store import Transaction, exceptions
from integration.store.lives import FINAL
from integration.store.tables import exception, job

_HAS_CASE = exists().where(exception.c.job_id == job.c.id, exception.c.state != "resolved")
MANY = 500


def kin(tx: Transaction, row: Row[Any]) -> list[Row[Any]]:
    """The documents that belong to one: an order's dispatches, returns and refunds; their order; a return's refunds and
    a refund's return; a SKU's launch and archiving. As they happened.
    """
    own = (job.c.instance == row.instance, job.c.id != row.id)
    if row.kind == "order":
        mine = job.c.order_number == row.number
    elif row.kind in ("return", "refund"):
        order = and_(job.c.kind == "order", job.c.number == row.order_number)
        paid = and_(job.c.kind == "refund", job.c.return_number == row.number)
        back = and_(job.c.kind == "return", job.c.number == row.return_number)
        mine = or_(order, paid if row.kind == "return" else back)
    elif row.kind in ("product", "archive"):
        mine = and_(job.c.kind.in_(("product", "archive")), job.c.number == row.number)
    else:
        mine = and_(job.c.kind == "order", job.c.number == row.order_number)
    return list(tx.execute(select(job).where(*own, mine).order_by(job.c.occurred_at, job.c.id)).all())


def not_received(tx: Transaction, connection: str, *, before: datetime) -> list[Row[Any]]:
    """Returns announced to the ERP before an instant of which not everything has arrived, and that are nobody's case."""
    return _overdue(tx, connection, job.c.posted_at < before, job.c.released_at.is_(None))


def not_inspected(tx: Transaction, connection: str, *, before: datetime) -> list[Row[Any]]:
    """Returns booked in before an instant and still not inspected, that are nobody's case."""
    return _overdue(tx, connection, job.c.released_at < before)


def _overdue(tx: Transaction, connection: str, *late: Any) -> list[Row[Any]]:
    opened = (job.c.connection == connection, job.c.kind == "return", job.c.state == "opened", ~_HAS_CASE)
    return list(tx.execute(select(job).where(*opened, *late).order_by(job.c.id).limit(MANY)).all())


def uncredited(tx: Transaction, connection: str, *, before: datetime) -> list[Row[Any]]:
    """Refunds paid before an instant whose memo is not proven, and that are nobody's case."""
    late = (job.c.connection == connection, job.c.kind == "refund", job.c.occurred_at < before, ~_HAS_CASE)
    return list(tx.execute(select(job).where(*late, job.c.state.not_in(FINAL)).order_by(job.c.id).limit(MANY)).all())


def unread(tx: Transaction, instance: str, kind: str, *, read_before: datetime, limit: int) -> list[Key]:
    """Documents of a kind that wait for goods and were not looked at for a while, longest first."""
    waiting = (job.c.instance == instance, job.c.kind == kind, job.c.state == "opened", job.c.read_at < read_before)
    quiet = (*waiting, job.c.dirty_seq == job.c.clean_seq)
    rows = tx.execute(
        select(job.c.instance, job.c.kind, job.c.number).where(*quiet).order_by(job.c.read_at, job.c.id).limit(limit)
    )
    return [Key(*row) for row in rows]


def at_rest(tx: Transaction, instance: str, kind: str, stamps: Mapping[str, str]) -> set[str]:
    """Of documents that an ERP's feed named (number to stamp), those that stand still and were read at that stamp."""
    named = (job.c.instance == instance, job.c.kind == kind, job.c.number.in_(sorted(stamps)))
    still = select(job.c.number, job.c.erp_stamp).where(*named, job.c.state.in_(("dead", *FINAL)))
    return {row.number for row in tx.execute(still) if row.erp_stamp == stamps[row.number]}


def on_work_list(tx: Transaction, connection: str, kind: str, types: Collection[str]) -> list[Key]:
    """Documents with an open case of one of these types, which a person ends by keying something."""
    wanted = select(job.c.instance, job.c.kind, job.c.number).join(exception, exception.c.job_id == job.c.id)
    dead = (job.c.connection == connection, job.c.kind == kind, job.c.state == "dead")
    wanted = wanted.where(*dead, job.c.dirty_seq == job.c.clean_seq)
    rows = tx.execute(wanted.where(exception.c.state != "resolved", exception.c.type.in_(sorted(types))))
    return [Key(*row) for row in rows]


def touched(tx: Transaction, instance: str, since: datetime, *, limit: int) -> list[tuple[str, datetime]]:
    """(order number, when) of orders and returns that were worked on from an instant on, oldest first."""
    number = job.c.number.label("number")
    orders = select(number, job.c.changed_at).where(job.c.kind == "order")
    returns = select(job.c.order_number.label("number"), job.c.changed_at).where(
        job.c.kind == "return", job.c.order_number.is_not(None)
    )
    both = [
        some.where(job.c.instance == instance, job.c.changed_at >= since, job.c.state != "observed")
        for some in (orders, returns)
    ]
    found = both[0].union_all(both[1]).subquery()
    rows = tx.execute(
        select(found.c.number, found.c.changed_at).order_by(found.c.changed_at, found.c.number).limit(limit)
    )
    return [(str(row.number), row.changed_at) for row in rows]


def name_order(tx: Transaction, refunds: Collection[Key], order_number: str) -> None:
    """Rows that somebody made by their number alone learn which order they belong to."""
    numbers = [key.number for key in refunds]
    if numbers:
        instance = next(iter(refunds)).instance
        nameless = (job.c.instance == instance, job.c.kind == "refund", job.c.number.in_(numbers))
        named = update(job).where(*nameless, job.c.order_number.is_(None)).values(order_number=order_number)
        tx.execute(named)


def ended(tx: Transaction, instance: str, *, since: datetime, after: int, limit: int) -> list[tuple[int, str]]:
    """(id, number) of proven orders whose life in the storefront ended after `since`, by id from `after` on."""
    these = (job.c.instance == instance, job.c.kind == "order", job.c.erp_ref.is_not(None), job.c.closed_at >= since)
    rows = tx.execute(select(job.c.id, job.c.number).where(*these, job.c.id > after).order_by(job.c.id).limit(limit))
    return [(int(row.id), str(row.number)) for row in rows]


def resolve_others(tx: Transaction, job_id: int, keep: Collection[str], how: str) -> list[int]:
    """Close a document's open case unless it is of one of the types to keep: both systems were read, its cause is gone."""
    return exceptions.resolve(tx, and_(exception.c.job_id == job_id, exception.c.type.not_in(sorted(keep))), how=how)


def resolve_only(tx: Transaction, job_id: int, types: Collection[str], how: str) -> list[int]:
    """Close a document's open case if it is of one of these types: its cause is gone."""
    return exceptions.resolve(tx, and_(exception.c.job_id == job_id, exception.c.type.in_(sorted(types))), how=how)


def told_before(tx: Transaction, connection: str, type: str, cause: str) -> bool:
    """Whether a connection has, or had, a case of this type and cause."""
    same = (exception.c.connection == connection, exception.c.type == type, exception.c.cause == cause)
    return tx.scalar(select(exception.c.id).where(*same).limit(1)) is not None

"""The dispatches of an order beside each other: what each of them brought about, what waits, and what is late."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, or_, select, update

from integration.domain.order import Key
from integration.ports import CAPTURE, SHIPMENT
from integration.store import Transaction
from integration.store.effects import PENDING
from integration.store.ledger import Job
from integration.store.lives import FINAL, LANE_OF, OPEN
from integration.store.tables import effect, exception, job, unit

CAPTURE_PENDING = "capture pending"
"""The `source_status` of a shipment whose capture was asked for and has not settled."""
CAPTURE_REFUSED = "capture failed"
"""The `source_status` of a shipment whose capture came to nothing."""
CAPTURES_END = timedelta(days=60)
"""How long it is asked whether a capture has settled; by then its case is long open."""
LANE = LANE_OF["shipment"]

_HAS_CASE = exists().where(exception.c.job_id == job.c.id, exception.c.state != "resolved")


def orders(tx: Transaction, instance: str, numbers: Collection[str]) -> dict[str, Row[Any]]:
    """The rows of these orders, by number."""
    these = (job.c.instance == instance, job.c.kind == "order", job.c.number.in_(sorted(numbers)))
    return {row.number: row for row in tx.execute(select(job).where(*these))}


def of_order(tx: Transaction, instance: str, order_number: str) -> list[Row[Any]]:
    """The rows of an order's dispatches, oldest first; `shown_as` is the storefront's ref of each, if it is known."""
    made = and_(effect.c.job_id == job.c.id, effect.c.name == SHIPMENT)
    wanted: Select[Any] = select(*job.c, effect.c.answer.label("shown_as")).outerjoin(effect, made)
    these = (job.c.instance == instance, job.c.kind == "shipment", job.c.order_number == order_number)
    return list(tx.execute(wanted.where(*these).order_by(job.c.occurred_at, job.c.id)).all())


def pieces(tx: Transaction, instance: str, order_numbers: Collection[str], *, kind: str) -> dict[str, Counter[str]]:
    """Pieces by stocked SKU of these orders, by number: what is ordered ("order"), or what all their dispatches have."""
    number = job.c.number if kind == "order" else job.c.order_number
    told = select(number.label("of"), unit.c.sku, func.sum(unit.c.quantity).label("pieces"))
    told = told.join(job, job.c.id == unit.c.job_id).where(job.c.instance == instance, job.c.kind == kind)
    found: dict[str, Counter[str]] = {of: Counter() for of in order_numbers}
    for row in tx.execute(told.where(number.in_(sorted(order_numbers))).group_by(number, unit.c.sku)):
        found[row.of][row.sku] = int(row.pieces)
    return found


def writes(tx: Transaction, job_ids: Collection[int]) -> dict[int, dict[str, Row[Any]]]:
    """What each of these jobs brought about elsewhere or tried to, by job and name."""
    found: dict[int, dict[str, Row[Any]]] = {id: {} for id in job_ids}
    for row in tx.execute(select(effect).where(effect.c.job_id.in_(list(job_ids)))):
        found[row.job_id][row.name] = row
    return found


def others_in_doubt(tx: Transaction, claimed: Job) -> bool:
    """Whether another dispatch of the same order may at this moment be becoming a shipment.

    Locks the order's row until the transaction ends: of two that ask at once, the second sees the first one's intent.
    """
    row = claimed.row
    order = (job.c.instance == row.instance, job.c.kind == "order", job.c.number == row.order_number)
    tx.execute(select(job.c.id).where(*order).with_for_update())
    others = (job.c.instance == row.instance, job.c.kind == "shipment", job.c.order_number == row.order_number)
    doubt = select(effect.c.id).join(job, job.c.id == effect.c.job_id)
    doubt = doubt.where(*others, job.c.id != claimed.id, effect.c.name == SHIPMENT, effect.c.state.in_(PENDING))
    return tx.scalar(doubt.limit(1)) is not None


def let_follow(tx: Transaction, order: Key) -> None:
    """What waited for this order, a dispatch or refund that came before it was proved, need wait no longer."""
    waits = (job.c.instance == order.instance, job.c.order_number == order.number, job.c.state == "held")
    tx.execute(update(job).where(*waits, job.c.kind != order.kind).values(not_before=None, rung_at=None))


def unshown(tx: Transaction, connection: str, *, before: datetime) -> list[Row[Any]]:
    """Dispatches that left before an instant, are not known to be shown, and are nobody's case yet."""
    open_ = (job.c.lane == LANE, job.c.state.in_(OPEN), job.c.connection == connection, job.c.kind == "shipment")
    late = select(job).where(*open_)
    left = or_(job.c.occurred_at.is_not(None), job.c.read_at.is_(None))  # a label alone has not left
    late = late.where(left, func.coalesce(job.c.occurred_at, job.c.first_seen_at) < before, ~_HAS_CASE)
    return list(tx.execute(late.order_by(job.c.id).limit(500)).all())


def uncaptured(tx: Transaction, connection: str) -> list[Row[Any]]:
    """Shipments whose capture has not settled or was refused: job rows with `asked_at`, `shown_as` and `has_case`."""
    asked, made = effect.alias("asked"), effect.alias("made")
    more = (asked.c.intent_at.label("asked_at"), made.c.answer.label("shown_as"), _HAS_CASE.label("has_case"))
    wanted: Select[Any] = select(*job.c, *more).join(asked, and_(asked.c.job_id == job.c.id, asked.c.name == CAPTURE))
    wanted = wanted.join(made, and_(made.c.job_id == job.c.id, made.c.name == SHIPMENT))
    unpaid = job.c.source_status.in_((CAPTURE_PENDING, CAPTURE_REFUSED))
    pending = (job.c.connection == connection, job.c.kind == "shipment", unpaid)
    lately = (job.c.occurred_at > tx.now - CAPTURES_END, job.c.state != "closed")
    return list(tx.execute(wanted.where(*pending, *lately).order_by(job.c.id)).all())


def captures_pending(tx: Transaction) -> int:
    """How many shipments wait for the payment provider to settle their capture."""
    pending = (job.c.kind == "shipment", job.c.source_status == CAPTURE_PENDING)
    return tx.scalar(select(func.count()).select_from(job).where(*pending)) or 0


def with_case(tx: Transaction, connection: str, types: Collection[str], kind: str = "shipment") -> list[Key]:
    """Documents of a kind that have an open case of one of these types."""
    wanted = select(job.c.instance, job.c.kind, job.c.number).join(exception, exception.c.job_id == job.c.id)
    these = (job.c.connection == connection, job.c.kind == kind, job.c.dirty_seq == job.c.clean_seq)
    rows = tx.execute(wanted.where(*these, exception.c.state != "resolved", exception.c.type.in_(types)))
    return [Key(*row) for row in rows]


def told_late(tx: Transaction, connection: str, within: timedelta) -> int:
    """Dispatches that were shown, or are still not shown, later than `within` after they left."""
    shown = select(job.c.occurred_at, job.c.done_at, job.c.state).where(
        job.c.connection == connection, job.c.kind == "shipment", job.c.occurred_at.is_not(None)
    )
    rows = tx.execute(shown.where(or_(job.c.done_at.is_not(None), job.c.state.not_in(FINAL))))
    return sum((row.done_at or tx.now) - row.occurred_at > within for row in rows)

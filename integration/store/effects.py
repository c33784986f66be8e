"""The intent and answer of every write that another system will see."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from integration.store import Transaction
from integration.store.tables import effect

ACCEPTED = "accepted"
"""They took it and named no id. It is looked for, and not sent again until a person says that it will not come."""
PENDING = ("intent", "unknown", ACCEPTED)
"""States in which the other side may have done it."""


_OF = select(effect).where(effect.c.job_id == bindparam("of_job"), effect.c.name == bindparam("named"))


def of(tx: Transaction, job_id: int, name: str) -> Row[Any] | None:
    """The effect row of a job by name."""
    return tx.execute(_OF, {"of_job": job_id, "named": name}).one_or_none()


def intend(
    tx: Transaction, job_id: int, name: str, *, effect_class: str, reference: str, request: str, unknown_until: datetime
) -> bool:
    """Record a first intent. False, and nothing recorded, when there has been one: then look at it before anything else."""
    row = tx.insert(effect).values(
        **{"job_id": job_id, "name": name, "class": effect_class, "reference": reference, "state": "intent"},
        request=request,
        tries=1,
        intent_at=tx.now,
        unknown_until=unknown_until,
    )
    first = row.on_conflict_do_nothing(index_elements=["job_id", "name"]).returning(effect.c.id)
    return tx.scalar(first) is not None


def intend_again(tx: Transaction, job_id: int, name: str, *, request: str, unknown_until: datetime) -> bool:
    """Record another try; the longest outstanding doubt is kept. False, and nothing recorded, when an answer has come."""
    row = of(tx, job_id, name)
    assert row is not None
    until = max(unknown_until, row.unknown_until) if row.unknown_until else unknown_until
    again = (
        update(effect)
        .where(effect.c.id == row.id, effect.c.answer.is_(None))
        .values(state="intent", request=request, tries=effect.c.tries + 1, intent_at=tx.now, unknown_until=until)
    )
    return tx.scalar(again.returning(effect.c.id)) is not None


def record(tx: Transaction, job_id: int, name: str, state: str) -> None:
    """Record how a try ended when no id came back: accepted, unknown, void (surely not done) or refused."""
    tx.execute(
        update(effect)
        .where(effect.c.job_id == job_id, effect.c.name == name, effect.c.answer.is_(None))
        .values(state=state)
    )


def answer(tx: Transaction, job_id: int, name: str, ref: str) -> str:
    """Record the remote's id, once. Returns the id that stands: an earlier answer is never replaced."""
    stands = tx.scalar(
        update(effect)
        .where(effect.c.job_id == job_id, effect.c.name == name, effect.c.answer.is_(None))
        .values(state="done", answer=ref, answered_at=tx.now, unknown_until=None)
        .returning(effect.c.answer)
    )
    if stands is None:
        row = of(tx, job_id, name)
        assert row is not None
        stands = row.answer
    return str(stands)


def doubt(tx: Transaction, job_ids: Collection[int]) -> None:
    """What was accepted and should be there by now may be sent again, once it is looked for and not found: a person's word."""
    late = (effect.c.job_id.in_(job_ids), effect.c.state == ACCEPTED, effect.c.unknown_until <= tx.now)
    tx.execute(update(effect).where(*late).values(state="unknown"))


def void(tx: Transaction, job_id: int, name: str) -> None:
    """What an effect once brought about was undone by somebody else: it may be brought about again."""
    tx.execute(update(effect).where(effect.c.job_id == job_id, effect.c.name == name).values(state="void", answer=None))

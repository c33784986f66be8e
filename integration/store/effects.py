"""The intent and answer of every write that another system will see."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from integration.store import Transaction
from integration.store.tables import effect

PENDING = ("intent", "unknown")
"""States in which the other side may have done it."""


def of(tx: Transaction, job_id: int, name: str) -> Row[Any] | None:
    """The effect row of a job by name."""
    return tx.execute(select(effect).where(effect.c.job_id == job_id, effect.c.name == name)).one_or_none()


def intend(
    tx: Transaction, job_id: int, name: str, *, effect_class: str, reference: str, request: str, unknown_until: datetime
) -> None:
    """Record that we are about to send; the longest outstanding doubt is kept."""
    row = of(tx, job_id, name)
    if row is None:
        tx.execute(
            tx.insert(effect).values(
                **{"job_id": job_id, "name": name, "class": effect_class, "reference": reference, "state": "intent"},
                **{"request": request, "tries": 1, "intent_at": tx.now, "unknown_until": unknown_until},
            )
        )
        return
    until = max(unknown_until, row.unknown_until) if row.unknown_until else unknown_until
    tx.execute(
        update(effect)
        .where(effect.c.id == row.id)
        .values(state="intent", request=request, tries=row.tries + 1, intent_at=tx.now, unknown_until=until)
    )


def record(tx: Transaction, job_id: int, name: str, state: str) -> None:
    """Record how a try ended when no id came back: unknown, void (surely not done) or refused."""
    tx.execute(
        update(effect)
        .where(effect.c.job_id == job_id, effect.c.name == name, effect.c.answer.is_(None))
        .values(state=state)
    )


def answer(tx: Transaction, job_id: int, name: str, ref: str) -> str:
    """Record the remote's id, once. Returns the id that stands: an earlier answer is never replaced."""
    tx.execute(
        update(effect)
        .where(effect.c.job_id == job_id, effect.c.name == name, effect.c.answer.is_(None))
        .values(state="done", answer=ref, answered_at=tx.now, unknown_until=None)
    )
    row = of(tx, job_id, name)
    assert row is not None
    return str(row.answer)


def reopen(tx: Transaction, job_id: int, name: str, *, effect_class: str, reference: str, ref: str) -> None:
    """Adopt a document found at the remote that no intent of ours stands for."""
    if of(tx, job_id, name) is None:
        intend(tx, job_id, name, effect_class=effect_class, reference=reference, request="found", unknown_until=tx.now)
    answer(tx, job_id, name, ref)

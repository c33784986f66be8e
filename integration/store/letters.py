"""Dead letters that were read from a broker: each once, however often the drainer is killed."""

from sqlalchemy import func, select, update

from integration.store import Transaction
from integration.store.tables import letter


def note(tx: Transaction, task_id: str, deaths: int, *, lane: str, task: str) -> bool:
    """Note a letter; False when it was noted before."""
    row = tx.insert(letter).values(task_id=task_id, deaths=deaths, lane=lane, task=task, at=tx.now)
    return (
        tx.scalar(row.on_conflict_do_nothing().returning(letter.c.id)) is not None
    )  # PostgreSQL tells no rowcount here


def belongs_to(tx: Transaction, task_id: str, deaths: int, exception_id: int) -> None:
    """The exception that a letter opened."""
    tx.execute(
        update(letter).where(letter.c.task_id == task_id, letter.c.deaths == deaths).values(exception_id=exception_id)
    )


def counts(tx: Transaction) -> dict[str, int]:
    """Letters by lane."""
    return {lane: int(n) for lane, n in tx.execute(select(letter.c.lane, func.count()).group_by(letter.c.lane))}

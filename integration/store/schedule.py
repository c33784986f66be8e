"""Where each feed was read up to, which scheduled runs have happened, and which processes are alive."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from integration.store import Transaction
from integration.store.tables import cursor, heartbeat, run

# Asked at every sweep; written once, because building a statement costs more than running it.
_VALUE = select(cursor.c.value).where(cursor.c.system == bindparam("of"), cursor.c.stream == bindparam("stream"))
_BEGUN = select(run.c.name, run.c.slot).where(
    run.c.name.in_(bindparam("names", expanding=True)), run.c.slot.in_(bindparam("slots", expanding=True))
)


def read_cursor(tx: Transaction, system: str, stream: str) -> str | None:
    """The value a feed was read up to; `None` before the first time."""
    return tx.scalar(_VALUE, {"of": system, "stream": stream})


def move_cursor(tx: Transaction, system: str, stream: str, value: str) -> None:
    """Set a feed's cursor; belongs into the transaction that stored what was read."""
    row = tx.insert(cursor).values(system=system, stream=stream, value=value, at=tx.now)
    tx.execute(row.on_conflict_do_update(index_elements=["system", "stream"], set_={"value": value, "at": tx.now}))


def advance_cursor(tx: Transaction, system: str, stream: str, was: str | None, value: str) -> bool:
    """Move a cursor on from where it was read; False when another has moved it meanwhile."""
    if was is None:
        row = tx.insert(cursor).values(system=system, stream=stream, value=value, at=tx.now).on_conflict_do_nothing()
        return tx.scalar(row.returning(cursor.c.stream)) is not None
    there = (cursor.c.system == system, cursor.c.stream == stream, cursor.c.value == was)
    return tx.execute(update(cursor).where(*there).values(value=value, at=tx.now)).rowcount == 1


def moved_since(tx: Transaction, system: str, stream: str, since: datetime) -> bool:
    """Whether a cursor was moved after that moment."""
    mine = (cursor.c.system == system, cursor.c.stream == stream, cursor.c.at > since)
    return tx.scalar(select(cursor.c.stream).where(*mine)) is not None


def is_peak(tx: Transaction) -> bool:
    """Whether somebody has said that this is a peak: sweeps and slow-moving SKUs wait."""
    return read_cursor(tx, "all", "peak") == "on"


def set_peak(tx: Transaction, *, on: bool) -> None:
    move_cursor(tx, "all", "peak", "on" if on else "off")


def begin_run(tx: Transaction, name: str, slot: str) -> bool:
    """Claim a scheduled run; False when its slot has been taken, by another beat say."""
    row = tx.insert(run).values(name=name, slot=slot, at=tx.now).on_conflict_do_nothing()
    return tx.scalar(row.returning(run.c.name)) is not None  # PostgreSQL tells no rowcount of an insert


def begun(tx: Transaction, names: Collection[str], slots: Collection[str]) -> set[tuple[str, str]]:
    """The runs of these names that have taken one of these slots, each with that slot."""
    return {(row.name, row.slot) for row in tx.execute(_BEGUN, {"names": list(names), "slots": list(slots)})}


def forget_runs(tx: Transaction, before: datetime) -> int:
    return tx.execute(delete(run).where(run.c.at < before)).rowcount


def beat(tx: Transaction, process: str, note: str = "") -> None:
    """A process says that it has just done work."""
    row = tx.insert(heartbeat).values(process=process, at=tx.now, note=note)
    tx.execute(row.on_conflict_do_update(index_elements=["process"], set_={"at": tx.now, "note": note}))


def heartbeats(tx: Transaction) -> list[Row[Any]]:
    return list(tx.execute(select(heartbeat).order_by(heartbeat.c.process)).all())

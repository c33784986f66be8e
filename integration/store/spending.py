"""What was spent of every remote quota, and the breaker of every system. Wiping the broker refills nothing."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, func, or_, select, update

from integration.store import Transaction
from integration.store.tables import breaker, spend


def used(tx: Transaction, system: str, since: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """By measure: units spent in slots after `since` (measure to slot), and the oldest such slot. What nobody spent is
    left out.
    """
    recent = or_(*(and_(spend.c.measure == measure, spend.c.slot > slot) for measure, slot in sorted(since.items())))
    summed = select(spend.c.measure, func.sum(spend.c.used), func.min(spend.c.slot))
    rows = tx.execute(summed.where(spend.c.system == system, recent).group_by(spend.c.measure))
    return {measure: (int(total), oldest) for measure, total, oldest in rows}


def used_by(tx: Transaction, system: str, measure: str, lanes: Collection[str], after: int, until: int) -> int:
    """Units that some lanes spent in the slots after `after`, `until` the last."""
    these = (spend.c.system == system, spend.c.measure == measure, spend.c.lane.in_(lanes))
    summed = select(func.sum(spend.c.used)).where(*these, spend.c.slot > after, spend.c.slot <= until)
    return int(tx.scalar(summed) or 0)


def used_by_lane(tx: Transaction, system: str, measure: str, since_slot: int) -> dict[str, int]:
    """Units spent by lane in slots after `since_slot`."""
    rows = tx.execute(
        select(spend.c.lane, func.sum(spend.c.used))
        .where(spend.c.system == system, spend.c.measure == measure, spend.c.slot > since_slot)
        .group_by(spend.c.lane)
    )
    return {lane: int(total) for lane, total in rows}


def add(tx: Transaction, system: str, lane: str, spent: Iterable[tuple[str, int, int]]) -> None:
    """Note what a lane spent: (measure, slot, units)."""
    rows = [{"system": system, "lane": lane, "measure": m, "slot": slot, "used": units} for m, slot, units in spent]
    row = tx.insert(spend)
    more = {"used": spend.c.used + row.excluded.used}
    tx.execute(row.on_conflict_do_update(index_elements=["system", "measure", "slot", "lane"], set_=more), rows)


def replace(tx: Transaction, system: str, measure: str, slot: int, lane: str, units: int) -> None:
    """All that a lane spent of a measure, newly told: what was told before is forgotten."""
    these = (spend.c.system == system, spend.c.measure == measure, spend.c.lane == lane)
    tx.execute(delete(spend).where(*these))
    if units:
        add(tx, system, lane, [(measure, slot, units)])


def forget(tx: Transaction, system: str, measure: str, before_slot: int) -> None:
    tx.execute(delete(spend).where(spend.c.system == system, spend.c.measure == measure, spend.c.slot < before_slot))


_BREAKER = select(breaker).where(breaker.c.system == bindparam("of"))


def breaker_of(tx: Transaction, system: str) -> Row[Any] | None:
    return tx.execute(_BREAKER, {"of": system}).one_or_none()


def breakers(tx: Transaction) -> list[Row[Any]]:
    return list(tx.execute(select(breaker).order_by(breaker.c.system)).all())


def close_until(tx: Transaction, system: str, until: datetime, *, why: str, opens: bool) -> None:
    """No call to `system` before `until`. `opens` marks an outage rather than a throttle."""
    row = tx.insert(breaker).values(
        system=system, failures=0, open_since=tx.now if opens else None, closed_until=until, why=why
    )
    is_open = breaker.c.open_since.is_not(None)
    values: dict[str, Any] = {
        "closed_until": case((breaker.c.closed_until > until, breaker.c.closed_until), else_=until),
        "why": case((and_(is_open, breaker.c.why != ""), breaker.c.why), else_=why),
    }
    if opens:
        values["open_since"] = func.coalesce(breaker.c.open_since, tx.now)
    tx.execute(row.on_conflict_do_update(index_elements=["system"], set_=values))


def count_failure(tx: Transaction, system: str) -> int:
    """One more failure in a row; returns how many there are."""
    row = tx.insert(breaker).values(system=system, failures=1)
    counted = row.on_conflict_do_update(index_elements=["system"], set_={"failures": breaker.c.failures + 1})
    return int(tx.scalar(counted.returning(breaker.c.failures)) or 0)


def take_probe(tx: Transaction, system: str, lasting: timedelta) -> bool:
    """Let one caller through an open breaker that is due; the others keep waiting for what it finds."""
    taken = tx.execute(
        update(breaker)
        .where(breaker.c.system == system, breaker.c.open_since.is_not(None), breaker.c.closed_until <= tx.now)
        .values(closed_until=tx.now + lasting)
    )
    return taken.rowcount == 1


def take_turn(tx: Transaction, system: str, lasting: timedelta) -> bool:
    """Have the one call that is made to a slow system at a time; nobody else has it before it is given back."""
    free = or_(breaker.c.turn_until.is_(None), breaker.c.turn_until <= tx.now)
    taken = tx.execute(update(breaker).where(breaker.c.system == system, free).values(turn_until=tx.now + lasting))
    return taken.rowcount == 1


def note_pace(tx: Transaction, system: str, slow_until: datetime | None) -> None:
    """A call is over: it is somebody else's turn. `slow_until` is how long the system is called slow, `None` for no longer."""
    row = tx.insert(breaker).values(system=system, failures=0, slow_until=slow_until, turn_until=None)
    values = {"slow_until": slow_until, "turn_until": None}
    tx.execute(row.on_conflict_do_update(index_elements=["system"], set_=values))


def recover(tx: Transaction, system: str) -> bool:
    """A call succeeded: forget failures. True when the breaker had been open."""
    row = breaker_of(tx, system)
    if row is None or (not row.failures and row.open_since is None):
        return False
    tx.execute(
        update(breaker).where(breaker.c.system == system).values(failures=0, open_since=None, closed_until=None, why="")
    )
    return row.open_since is not None

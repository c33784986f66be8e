"""How long it will take: each lane's backlog, how fast it drains, when it is clear; who spends the budget; peak mode."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from integration import health
from integration.budget import LANES
from integration.domain.money import Money
from integration.release import SETTLING
from integration.store import Transaction, pace, reference, schedule
from integration.store.lives import FINAL
from integration.wiring import World

WINDOW = timedelta(minutes=10)
"""A lane's pace is what it finished in so long."""
CATALOGUE = {"launches": "launch", "archivings": "archiving"}


def outlook(world: World) -> dict[str, Any]:
    """Every lane at one instant, and every budget.

    `{"at", "peak": bool, "lanes": [{lane, due, oldest_seconds, working, resting, dead, finished, per_minute, clears_at,
    words}], "settling": [{connection, orders, amount, goes_at}], "catalogue": [{what, going_on, stopped, words}], "budgets": [{system, measure, window_seconds, units, used,
    by_lane}]}`; `clears_at` is an aware instant or `None`: nothing to clear, or nothing moves. `settling` are orders that
    are released and go on a schedule: how many, for how much, and when the next of them goes; `catalogue` are launches and
    archivings that are not over, and how many of them stand still.
    """
    standing = health.status(world)
    with world.store.read() as tx:
        finished = pace.finished(tx, tx.now - WINDOW)
        waiting_skus, peak = pace.waiting_skus(tx), schedule.is_peak(tx)
        settling = [_settling(row) for row in pace.held(tx, SETTLING)]
    lanes = []
    for row in standing["lanes"]:
        backlog = waiting_skus if row["lane"] == "stock" else row["due"] + row["working"]
        lanes.append(row | forecast(backlog, finished.get(row["lane"], 0), standing["at"]))
    return {
        "at": standing["at"],
        "peak": peak,
        "lanes": lanes,
        "settling": settling,
        "catalogue": [told for what, one in CATALOGUE.items() if (told := _going_on(what, one, standing))["going_on"]],
        "budgets": standing["budgets"],
    }


def _going_on(what: str, one: str, standing: Mapping[str, Any]) -> dict[str, Any]:
    """Of a status's launches or archivings: how many are not over, and how many of these stand still."""
    states = standing[what]
    going_on, stopped = sum(n for state, n in states.items() if state not in FINAL), states.get("dead", 0)
    stand = f", {stopped} stopped" if stopped else ""
    return {"what": what, "going_on": going_on, "stopped": stopped} | {
        "words": f"{going_on} {one if going_on == 1 else what} going on{stand}"
    }


def _settling(row: Any) -> dict[str, Any]:
    amount = Money(int(row.minor), row.currency)
    return {"connection": row.connection, "orders": row.orders, "amount": str(amount), "goes_at": row.goes_at}


def forecast(backlog: int, finished: int, now: datetime) -> dict[str, Any]:
    """When a backlog is clear at the pace of the last ten minutes; documents, for stock SKUs."""
    per_minute = finished / (WINDOW.total_seconds() / 60)
    clears_at = now + timedelta(minutes=backlog / per_minute) if backlog and finished else None
    if not backlog:
        words = "clear"
    elif clears_at is None:
        words = "nothing has been finished in the last ten minutes"
    else:
        words = f"clears at {clears_at:%H:%M} UTC" + (
            "" if clears_at.date() == now.date() else f" on {clears_at:%d %b}"
        )
    return {
        "backlog": backlog,
        "finished": finished,
        "per_minute": round(per_minute, 1),
        "clears_at": clears_at,
        "words": words,
    }


def history(tx: Transaction, minutes: int = 60) -> Mapping[str, list[int]]:
    """Documents finished in each of the last `minutes`, oldest first, by lane: what a chart draws."""
    counted = pace.by_minute(tx, tx.now - timedelta(minutes=minutes))
    first = int(tx.now.timestamp() // 60) - minutes + 1
    return {lane: [counted.get((lane, first + n), 0) for n in range(minutes)] for lane in LANES}


def set_peak(world: World, *, on: bool, actor: str, reason: str) -> None:
    """Begin or end a peak; who did it and why stands in the audit."""
    with world.store.write("peak") as tx:
        schedule.set_peak(tx, on=on)
        reference.record_act(tx, actor, f"peak {'on' if on else 'off'}", "all lanes", reason)

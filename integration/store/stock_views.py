"""Stock for the eye: which SKUs are furthest from what they should be, and how the whole stands."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, case, func, select

from integration.store import Transaction
from integration.store.tables import level

WAITS = level.c.waits_since.is_not(None)
AGES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
"""Where the page cuts the waiting SKUs into groups."""


def standing(tx: Transaction) -> dict[str, int]:
    """Whole numbers of the stock: levels, at rest, waiting, held by the brake, nothing left, orphans, clamped."""
    counted = {
        "levels": func.count(),
        "waiting": func.count(case((WAITS, 1))),
        "held": func.count(case((level.c.state == "held", 1))),
        "orphans": func.count(case((level.c.state == "orphan", 1))),
        "sold_out": func.count(case((level.c.desired == 0, 1))),
        "differs": func.count(case((and_(level.c.shown != level.c.desired, level.c.state == "shown"), 1))),
    }
    row = tx.execute(select(*(value.label(name) for name, value in counted.items()))).one()
    return {name: int(getattr(row, name)) for name in counted}


def ages(tx: Transaction) -> list[int]:
    """Waiting SKUs by how long they have waited: up to each of `AGES`, and longer."""
    found, newer = [], tx.now
    for age in AGES:
        older = tx.now - age
        found.append(_waiting(tx, older, newer))
        newer = older
    return [*found, _waiting(tx, None, newer)]


def _waiting(tx: Transaction, since: datetime | None, until: datetime) -> int:
    wanted = select(func.count()).select_from(level).where(level.c.waits_since <= until)
    if since is not None:
        wanted = wanted.where(level.c.waits_since > since)
    return int(tx.scalar(wanted) or 0)


def listed(tx: Transaction, *, text: str = "", limit: int = 100, offset: int = 0) -> list[Row[Any]]:
    """Levels, what waits longest first, then what is nearly sold out. `text` is the beginning of a SKU."""
    wanted = select(level)
    if text:
        wanted = wanted.where(level.c.sku.startswith(text, autoescape=True))
    order = (case((WAITS, 0), else_=1), level.c.waits_since, func.coalesce(level.c.desired, 0), level.c.sku)
    return list(tx.execute(wanted.order_by(*order, level.c.place).limit(limit).offset(offset)).all())

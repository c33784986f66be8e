"""What each system's catalogue holds, SKU by SKU, as it was last seen: spellings, EANs, and names that moved."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, or_, select, update

from integration.domain.order import Key
from integration.domain.product import ARCHIVED, Item, folded
from integration.store import Transaction
from integration.store.lives import FINAL
from integration.store.tables import exception, job, listing, unit

SOME = 500
"""Values in one statement."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a system calls by another name than before: `before` is now `sku`; or, where both are one, it is another thing."""

    before: str
    sku: str
    ref: str


def put(tx: Transaction, system: str, items: Iterable[Item]) -> list[Moved]:
    """Remember what a system has. Returns what was renamed or is used again, each once."""
    moved: list[Moved] = []
    found = {item.sku[:128]: item for item in items}
    skus = sorted(found)
    for start in range(0, len(skus), SOME):
        some = {sku: found[sku] for sku in skus[start : start + SOME]}
        moved += _moved(tx, system, some)
        rows = [
            {"system": system, "sku": sku, "folded": folded(sku)[:128], "ref": item.ref, "family": item.family}
            | {"status": item.status, "ean": item.fields.get("ean", "")[:64], "at": tx.now}
            for sku, item in some.items()
        ]
        insert = tx.insert(listing)
        names = ("folded", "ref", "family", "status", "ean", "at")
        told = {name: insert.excluded[name] for name in names}
        tx.execute(insert.on_conflict_do_update(index_elements=["system", "sku"], set_=told), rows)
    return moved


def _moved(tx: Transaction, system: str, items: Mapping[str, Item]) -> list[Moved]:
    refs = {item.ref: sku for sku, item in items.items()}
    same = or_(listing.c.ref.in_(sorted(refs)), listing.c.sku.in_(sorted(items)))
    moved = []
    for row in tx.execute(select(listing.c.sku, listing.c.ref).where(listing.c.system == system, same)):
        if row.ref in refs and refs[row.ref] != row.sku and row.sku not in items:
            if folded(row.sku) != folded(refs[row.ref]):
                moved.append(Moved(row.sku, refs[row.ref], row.ref))
            tx.execute(delete(listing).where(listing.c.system == system, listing.c.sku == row.sku))
        elif row.sku in items and items[row.sku].ref != row.ref:
            moved.append(Moved(row.sku, row.sku, items[row.sku].ref))
    return moved


def of(tx: Transaction, system: str, skus: Collection[str]) -> dict[str, Row[Any]]:
    """What a system had of these SKUs when it was last seen."""
    wanted = sorted(skus)
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(wanted), SOME):
        some = listing.c.sku.in_(wanted[start : start + SOME])
        found |= {row.sku: row for row in tx.execute(select(listing).where(listing.c.system == system, some))}
    return found


def everywhere(tx: Transaction, sku: str) -> list[Row[Any]]:
    """Every system's listing of a SKU, however it spells it."""
    rows = select(listing).where(listing.c.folded == folded(sku)).order_by(listing.c.system, listing.c.sku)
    return list(tx.execute(rows).all())


def with_ean(tx: Transaction, system: str, ean: str) -> list[str]:
    """The SKUs that a system sells, or holds back, under one EAN."""
    if not ean:
        return []
    same = (listing.c.system == system, listing.c.ean == ean, listing.c.status != ARCHIVED)
    return list(tx.execute(select(listing.c.sku).where(*same).order_by(listing.c.sku)).scalars())


def shared(tx: Transaction, system: str, what: str, limit: int) -> list[tuple[str, list[str]]]:
    """(value, SKUs) of each EAN, or folded spelling, that more than one living SKU of a system has."""
    column = listing.c[what]
    living = (listing.c.system == system, column != "", listing.c.status != ARCHIVED)
    several = select(column).where(*living).group_by(column).having(func.count() > 1).order_by(column).limit(limit)
    rows = select(column.label("value"), listing.c.sku).where(*living, column.in_(several))
    found: dict[str, list[str]] = {}
    for row in tx.execute(rows.order_by(column, listing.c.sku)):
        found.setdefault(row.value, []).append(row.sku)
    return sorted(found.items())


def forget(tx: Transaction, system: str, before: datetime) -> None:
    """What a whole reading of a catalogue did not name is gone from it."""
    tx.execute(delete(listing).where(listing.c.system == system, listing.c.at < before))


def jobs(tx: Transaction, instance: str, kind: str, skus: Collection[str]) -> dict[str, Row[Any]]:
    """The launches, or the archivings, of these SKUs."""
    mine = (job.c.instance == instance, job.c.kind == kind, job.c.number.in_(sorted(skus)))
    return {row.number: row for row in tx.execute(select(job).where(*mine))}


def at_work(tx: Transaction, kind: str) -> list[Row[Any]]:
    """Launches, or archivings, that are not over, as they came."""
    mine = (job.c.kind == kind, job.c.state.not_in(FINAL))
    return list(tx.execute(select(job).where(*mine).order_by(job.c.id)).all())


def let_go_on(tx: Transaction, instance: str, skus: Collection[str]) -> list[Key]:
    """Launches that waited for a sibling need not wait any longer."""
    waiting = (job.c.instance == instance, job.c.kind == "product", job.c.number.in_(sorted(skus)))
    freed = update(job).where(*waiting, job.c.state == "created").values(not_before=None, rung_at=None)
    return [Key(instance, "product", number) for number in tx.execute(freed.returning(job.c.number)).scalars()]


def restart(tx: Transaction, key: Key) -> None:
    """Begin an archiving from the start; one that goes on, goes on."""
    mine = (job.c.instance == key.instance, job.c.kind == key.kind, job.c.number == key.number)
    over = job.c.state.in_(("dead", *FINAL))
    for row in tx.execute(select(job.c.id, job.c.posted_version).where(*mine, over)).all():
        anew: dict[str, Any] = {"state": "seen", "posted_version": str(int(row.posted_version or 1) + 1)}
        anew |= dict.fromkeys(("released_at", "done_at", "closed_at", "not_before"))
        tx.execute(update(job).where(job.c.id == row.id).values(attempts=0, **anew))


_OVER = ("observed", "cancelled", "closed")


def open_documents(tx: Transaction, instance: str, skus: Collection[str]) -> list[Any]:
    """(kind, number, state, sku, quantity) of orders, dispatches and returns with pieces of these SKUs that are not over."""
    living = or_(
        job.c.state.not_in(FINAL), and_(job.c.state == "proven", job.c.kind == "order", job.c.closed_at.is_(None))
    )
    rows = (
        select(job.c.kind, job.c.number, job.c.state, unit.c.sku, unit.c.quantity)
        .join(unit, unit.c.job_id == job.c.id)
        .where(unit.c.sku.in_(sorted(skus)), unit.c.quantity > 0)
        .where(job.c.instance == instance, job.c.kind.in_(("order", "shipment", "return")), living)
    )
    return list(tx.execute(rows.order_by(job.c.id, unit.c.sku)).all())


def unread_orders(tx: Transaction, instance: str) -> int:
    """Orders that are known by their number alone: what they hold is not known."""
    mine = (job.c.instance == instance, job.c.kind == "order", job.c.read_at.is_(None), job.c.state == "seen")
    return int(tx.scalar(select(func.count()).select_from(job).where(*mine)) or 0)


def sold_early(tx: Transaction, instance: str) -> dict[str, list[str]]:
    """Numbers of living orders by the SKU of theirs that its launch has not proved yet."""
    launch = job.alias("launch")
    rows = (
        select(unit.c.sku, job.c.number)
        .join(job, job.c.id == unit.c.job_id)
        .join(launch, and_(launch.c.instance == job.c.instance, launch.c.number == unit.c.sku))
        .where(launch.c.kind == "product", launch.c.state.not_in(FINAL), launch.c.released_at.is_(None))
        .where(job.c.instance == instance, job.c.kind == "order", job.c.state.not_in(_OVER))
    )
    found: dict[str, list[str]] = {}
    for row in tx.execute(rows.order_by(unit.c.sku, job.c.id)):
        found.setdefault(row.sku, []).append(row.number)
    return found


def unproved(tx: Transaction, instance: str) -> dict[str, datetime]:
    """SKUs whose launch has not proved them yet, and when each launch was first heard of."""
    launch = (job.c.instance == instance, job.c.kind == "product")
    rows = select(job.c.number, job.c.first_seen_at).where(
        *launch, job.c.state.not_in(FINAL), job.c.released_at.is_(None)
    )
    return {row.number: row.first_seen_at for row in tx.execute(rows)}


def orders_with_all(tx: Transaction, instance: str, pieces: Mapping[str, int], since: datetime) -> list[str]:
    """Numbers of living orders placed since a moment that have so many pieces of each of these SKUs."""
    rows = (
        select(job.c.number)
        .join(unit, unit.c.job_id == job.c.id)
        .where(or_(*[and_(unit.c.sku == sku, unit.c.quantity >= least) for sku, least in pieces.items()]))
        .where(job.c.instance == instance, job.c.kind == "order", job.c.state.not_in(_OVER))
        .where(job.c.occurred_at >= since)
        .group_by(job.c.id, job.c.number)
        .having(func.count() == len(pieces))
    )
    return [str(number) for number in tx.execute(rows.order_by(job.c.id)).scalars()]


def cases_of(tx: Transaction, sku: str) -> list[Row[Any]]:
    """Open cases whose cause is a SKU, or one of its fields."""
    about = or_(exception.c.cause == sku, exception.c.cause.startswith(f"{sku} ", autoescape=True))
    rows = select(exception).where(exception.c.state != "resolved", exception.c.job_id.is_(None), about)
    return list(tx.execute(rows.order_by(exception.c.id)).all())

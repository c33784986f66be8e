"""Stock per connection, place and SKU: what was hinted, read, reckoned, pushed and read back; and the pieces of documents.

Whoever writes levels holds the connection's stock job first (`ledger.mark_in` or `ledger.hold`), so that two
transactions never wait for each other's levels.

    hinted ──▶ read ──▶ pushed ──▶ shown          held: a mass change waits for a person
                 └────────────────▶ shown          orphan: one of the two systems does not have the SKU
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, delete, func, or_, select, update

from integration.ports import COMPLETION
from integration.store import Transaction
from integration.store.effects import PENDING
from integration.store.tables import effect, job, level, unit, variant

SOME = 500
"""Rows in one statement: far below what either database binds."""
UNSURE = ("seen", "held", "ready", "posted", "dead")
"""States of an order whose pieces the ERP's figure has not deducted, or not surely."""
DIRTY = level.c.dirty_seq > level.c.clean_seq
PLENTY = 20
"""Units left beyond which a SKU that nobody has on order may rest in a peak."""


def mark(
    tx: Transaction,
    connection: str,
    places: Collection[str],
    skus: Collection[str],
    urgency: int | None = None,
    *,
    look: bool = True,
) -> None:
    """Note that the stock of these SKUs may have changed. `urgency`: lower goes first; as a rule the units left.

    `look`: the storefront's shelf may have changed too, so an unchanged figure proves nothing.
    """
    wanted, now = sorted({(place, sku) for place in places for sku in skus}), tx.now
    for start in range(0, len(wanted), SOME):
        rows = [
            {"connection": connection, "place": place, "sku": sku, "state": "hinted", "dirty_seq": 1, "clean_seq": 0}
            | {"urgency": urgency or 0, "waits_since": now}
            for place, sku in wanted[start : start + SOME]
        ]
        left = func.coalesce(level.c.desired, 0)
        sooner = left if urgency is None else case((left < urgency, left), else_=urgency)
        hinted: dict[str, Any] = {
            "dirty_seq": level.c.dirty_seq + 1,
            "urgency": sooner,
            "waits_since": func.coalesce(level.c.waits_since, now),
        }
        if look:
            hinted["state"] = case((level.c.state == "shown", "hinted"), else_=level.c.state)
        insert = tx.insert(level)
        tx.execute(insert.on_conflict_do_update(index_elements=["connection", "place", "sku"], set_=hinted), rows)


def put_units(tx: Transaction, job_id: int, pieces: Mapping[str, int]) -> None:
    """Replace the pieces per SKU of a document; what has none left is forgotten."""
    tx.execute(delete(unit).where(unit.c.job_id == job_id, unit.c.sku.not_in(sorted(pieces))))
    rows = [{"job_id": job_id, "sku": sku, "quantity": pieces[sku]} for sku in sorted(pieces) if pieces[sku] > 0]
    if rows:
        insert = tx.insert(unit)
        replaces = insert.on_conflict_do_update(
            index_elements=["job_id", "sku"], set_={"quantity": insert.excluded.quantity}
        )
        tx.execute(replaces, rows)


@dataclass(frozen=True, slots=True)
class Sold:
    """Pieces of our own orders against a figure, by the terms of `domain.stock.Reckoning`.

    `late` are those that left the building after the figure was asked for.
    """

    known: int = 0
    unposted: int = 0
    late: int = 0


NOTHING_SOLD = Sold()


def sold(
    tx: Transaction,
    instance: str,
    connection: str,
    place: str,
    skus: Collection[str],
    *,
    elsewhere: Collection[str],
    until_told: bool,
) -> dict[str, Sold]:
    """What our orders mean to the figures that the levels of a place hold now; SKUs without orders are left out.

    Pieces count until they leave the building or, `until_told`, until the storefront may know that they have: it goes on
    deducting what has left and is not paid for.

    `elsewhere` are the markets known to sell from another place; an order of a market that nobody knows counts in every
    place. An order that has no connection yet may become this one's.
    """
    found: dict[str, Sold] = {}
    told = {"of_instance": instance, "of_connection": connection, "of_place": place, "elsewhere": list(elsewhere)}
    for some in _in_parts(skus):
        these = told | {"of_skus": list(some)}
        found |= {row.sku: Sold(int(row.known), int(row.unposted)) for row in tx.execute(_sold(until_told), these)}
        for sku, late in tx.execute(_late(), these):
            found[sku] = replace(found.get(sku, NOTHING_SOLD), late=int(late))
    return found


# Asked for every batch, so written once: building these statements costs more than running them.
_THESE = and_(
    level.c.connection == bindparam("of_connection"),
    level.c.place == bindparam("of_place"),
    level.c.sku.in_(bindparam("of_skus", expanding=True)),
)


@cache
def _sold(until_told: bool) -> Select[Any]:
    """Our orders' pieces by SKU: (sku, known, unposted)."""
    ours = or_(job.c.connection == bindparam("of_connection"), job.c.connection.is_(None))
    here = and_(ours, job.c.market.not_in(bindparam("elsewhere", expanding=True)))
    shipment, packed = job.alias("shipment"), unit.alias("packed")
    gone = (
        select(func.sum(packed.c.quantity))
        .join(shipment, shipment.c.id == packed.c.job_id)
        .where(shipment.c.instance == job.c.instance, shipment.c.kind == "shipment")
        .where(shipment.c.order_number == job.c.number, packed.c.sku == unit.c.sku)
    )
    deducted_once = gone.where(_may_be_told(shipment)) if until_told else gone
    left = unit.c.quantity - func.coalesce(deducted_once.scalar_subquery(), 0)
    pieces = case((left > 0, left), else_=0)
    proven = job.c.state == "proven"
    deducted = and_(proven, job.c.done_at <= level.c.figure_at)
    open_still = job.c.closed_at.is_(None)
    known = case((and_(deducted, open_still), pieces), else_=0)
    unsure = or_(job.c.state.in_(UNSURE), and_(proven, job.c.done_at > level.c.figure_at))
    counted = (func.sum(known).label("known"), func.sum(case((unsure, pieces), else_=0)).label("unposted"))
    return (
        select(unit.c.sku, *counted)
        .join(job, job.c.id == unit.c.job_id)
        .join(level, level.c.sku == unit.c.sku)
        .where(_THESE, _found(job.c.instance) == bindparam("of_instance"), _found(job.c.kind) == "order", here)
        .where(or_(job.c.state.in_(UNSURE), and_(proven, open_still)))
        .group_by(unit.c.sku)
    )


def _found(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of a document that was found by its SKU. No index answers it: else SQLite, which knows no statistics, goes
    through all orders there ever were, for each SKU.
    """
    return column.concat("")


def _may_be_told(shipment: Any) -> ColumnElement[bool]:
    """Whether the storefront was told that a shipment has left, or may have been."""
    sent = or_(effect.c.answer.is_not(None), effect.c.state.in_(PENDING))
    begun = select(effect.c.id).where(effect.c.job_id == shipment.c.id, effect.c.name == COMPLETION, sent)
    return or_(shipment.c.done_at.is_not(None), begun.exists())


@cache
def _late() -> Select[Any]:
    """What left the building after the figure was asked for: (sku, late)."""
    dispatched = select(unit.c.sku, func.sum(unit.c.quantity)).join(job, job.c.id == unit.c.job_id)
    dispatched = dispatched.join(level, level.c.sku == unit.c.sku).where(_THESE)
    own = (_found(job.c.instance) == bindparam("of_instance"), _found(job.c.connection) == bindparam("of_connection"))
    mine = (*own, _found(job.c.kind) == "shipment", job.c.first_seen_at > level.c.figure_at)
    return dispatched.where(*mine).group_by(unit.c.sku)


def next_place(tx: Transaction, connection: str, wanted: ColumnElement[bool]) -> str | None:
    """The place of the most urgent level of a kind: `DIRTY`, or `in_state(...)`."""
    first = select(level.c.place).where(level.c.connection == connection, wanted)
    return tx.scalar(first.order_by(level.c.urgency, level.c.waits_since, level.c.sku).limit(1))


def due_in_peak(rested: datetime) -> ColumnElement[bool]:
    """`DIRTY`, without what hardly sells and is far from sold out, unless it has waited since then."""
    sells = func.coalesce(level.c.allocated, 0) + func.coalesce(level.c.demand, 0) + func.coalesce(level.c.unposted, 0)
    return and_(DIRTY, or_(sells > 0, level.c.urgency <= PLENTY, level.c.waits_since <= rested))


def in_state(state: str) -> ColumnElement[bool]:
    return level.c.state == state


def batch(tx: Transaction, connection: str, wanted: ColumnElement[bool], limit: int) -> tuple[str, list[Row[Any]]]:
    """(place, levels): the most urgent levels of a kind, nearly sold out first, then the longest waiting; of one place."""
    place = next_place(tx, connection, wanted)
    if place is None:
        return "", []
    rows = select(level).where(level.c.connection == connection, level.c.place == place, wanted)
    return place, list(tx.execute(rows.order_by(level.c.urgency, level.c.waits_since, level.c.sku).limit(limit)).all())


def any_left(tx: Transaction, connection: str, wanted: ColumnElement[bool]) -> bool:
    return next_place(tx, connection, wanted) is not None


def write(tx: Transaction, connection: str, place: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Set columns of levels; each mapping holds `sku` and the same columns."""
    told = [{f"new_{name}": value for name, value in row.items()} for row in rows]
    if not told:
        return
    columns: Any = {name.removeprefix("new_"): bindparam(name) for name in told[0] if name != "new_sku"}
    these = (level.c.connection == connection, level.c.place == place, level.c.sku == bindparam("new_sku"))
    tx.execute(update(level).where(*these).values(columns), told)


def look_again(tx: Transaction, connection: str, place: str, seen: Mapping[str, int]) -> None:
    """Hints that came after a look began (SKU to its dirty_seq then) are not answered by it: the storefront is asked again."""
    these = (level.c.connection == connection, level.c.place == place, level.c.sku == bindparam("s"))
    newer = (level.c.state == "shown", level.c.dirty_seq > bindparam("seq"))
    if seen:
        told = [{"s": sku, "seq": seq} for sku, seq in seen.items()]
        tx.execute(update(level).where(*these, *newer).values(state="hinted"), told)


def put_figures(
    tx: Transaction, connection: str, place: str, figures: Mapping[str, int], at: datetime, noted: Mapping[str, int]
) -> set[str]:
    """Store what the ERP said of these SKUs at an instant, unless something newer is on record; gives those stored.

    `noted` are the hints that this reading answers (SKU to dirty_seq).
    """
    answers = [{"s": sku, "seq": seq} for sku, seq in noted.items()]
    mine = (level.c.connection == connection, level.c.place == place)
    if answers:
        tx.execute(
            update(level).where(*mine, level.c.sku == bindparam("s")).values(clean_seq=bindparam("seq")), answers
        )
    newer = and_(level.c.figure_at.is_not(None), level.c.figure_at > at)
    stored: set[str] = set()
    for some in _in_parts(figures):
        rows = tx.execute(select(level.c.sku).where(*mine, level.c.sku.in_(some), ~newer))
        stored |= set(rows.scalars())
    told = [{"s": sku, "f": figures[sku]} for sku in sorted(stored)]
    if told:
        put = update(level).where(*mine, level.c.sku == bindparam("s"), ~newer)
        tx.execute(put.values(figure=bindparam("f"), figure_at=at), told)
    return stored


def settle(tx: Transaction, connection: str, place: str, skus: Collection[str]) -> None:
    """What was hinted up to the figure on record is answered: nobody waits for these SKUs, unless hinted again."""
    for some in _in_parts(skus):
        these = (level.c.connection == connection, level.c.place == place, level.c.sku.in_(some), ~DIRTY)
        tx.execute(update(level).where(*these).values(waits_since=None))


def touched(tx: Transaction, instance: str, skus: Collection[str], since: datetime) -> set[str]:
    """Those SKUs of which something was dispatched or came back since: their shelves may have moved by our own doing."""
    moved = select(unit.c.sku).join(job, job.c.id == unit.c.job_id).where(job.c.instance == instance)
    moved = moved.where(job.c.kind.in_(("shipment", "return")), job.c.changed_at >= since, unit.c.sku.in_(list(skus)))
    return set(tx.execute(moved.distinct()).scalars())


def forget_place(tx: Transaction, connection: str, place: str) -> None:
    """Nobody feeds this place any more."""
    tx.execute(delete(level).where(level.c.connection == connection, level.c.place == place))


def confirm(tx: Transaction, connection: str, place: str, skus: Collection[str]) -> None:
    """The storefront was told of the figures on record: what it was told of last never goes back in time."""
    for some in _in_parts(skus):
        these = (level.c.connection == connection, level.c.place == place, level.c.sku.in_(some))
        older = or_(level.c.pushed_figure_at.is_(None), level.c.pushed_figure_at <= level.c.figure_at)
        tx.execute(update(level).where(*these, older).values(state="pushed", pushed_figure_at=level.c.figure_at))


def leapt(tx: Transaction, connection: str, since: datetime, but: Collection[str]) -> tuple[int, int]:
    """(levels that leapt since, levels pushed or held since), the SKUs of the batch at hand left out."""
    recent = or_(level.c.leapt_at >= since, level.c.pushed_at >= since)
    counted = select(func.count().filter(level.c.leapt_at >= since), func.count())
    mine = (level.c.connection == connection, recent, level.c.sku.not_in(list(but)))
    row = tx.execute(counted.where(*mine)).one()
    return int(row[0]), int(row[1])


def refs(tx: Transaction, instance: str, skus: Collection[str]) -> dict[str, str]:
    """The storefront's address of each of these SKUs that it has."""
    found: dict[str, str] = {}
    for some in _in_parts(skus):
        rows = tx.execute(
            select(variant.c.sku, variant.c.ref).where(variant.c.instance == instance, variant.c.sku.in_(some))
        )
        found |= {row.sku: row.ref for row in rows}
    return found


def put_variants(tx: Transaction, instance: str, found: Iterable[tuple[str, str]]) -> None:
    """Remember how the storefront addresses these SKUs: (SKU, ref)."""
    rows = [{"instance": instance, "sku": sku, "ref": ref, "at": tx.now} for sku, ref in sorted(dict(found).items())]
    if rows:
        insert = tx.insert(variant)
        values = {"ref": insert.excluded.ref, "at": insert.excluded.at}
        tx.execute(insert.on_conflict_do_update(index_elements=["instance", "sku"], set_=values), rows)


def count_variants(tx: Transaction, instance: str, before: datetime) -> tuple[int, int]:
    """How many SKUs the storefront has named, and how many of them not since then."""
    unnamed = func.coalesce(func.sum(case((variant.c.at < before, 1), else_=0)), 0)
    row = tx.execute(select(func.count(), unnamed).where(variant.c.instance == instance)).one()
    return int(row[0]), int(row[1])


def forget_variants(tx: Transaction, instance: str, before: datetime) -> None:
    """What the storefront did not name since then, it does not have any more."""
    tx.execute(delete(variant).where(variant.c.instance == instance, variant.c.at < before))


def found_again(tx: Transaction, connection: str, instance: str) -> list[str]:
    """Orphans that the storefront has: worth another look."""
    both = and_(variant.c.instance == instance, variant.c.sku == level.c.sku)
    rows = select(level.c.sku).join(variant, both).where(level.c.connection == connection, in_state("orphan"))
    return list(tx.execute(rows.distinct()).scalars())


def erp_only(tx: Transaction, connection: str, instance: str, limit: int) -> tuple[list[str], int]:
    """SKUs that the ERP has and the storefront does not: some of them, and how many there are."""
    there = select(variant.c.sku).where(variant.c.instance == instance, variant.c.sku == level.c.sku).exists()
    mine = (level.c.connection == connection, level.c.figure.is_not(None), ~there)
    return _some(tx, level.c.sku, mine, limit)


def storefront_only(
    tx: Transaction, connection: str, instance: str, since: datetime, limit: int
) -> tuple[list[str], int]:
    """SKUs that the storefront has and of which the ERP told no figure since: some of them, and how many."""
    told = select(level.c.sku).where(level.c.connection == connection, level.c.sku == variant.c.sku)
    mine = (variant.c.instance == instance, ~told.where(level.c.figure_at >= since).exists())
    return _some(tx, variant.c.sku, mine, limit)


def told_since(tx: Transaction, connection: str, since: datetime) -> int:
    """How many SKUs the ERP has told a figure of since."""
    told = (level.c.connection == connection, level.c.figure_at >= since)
    return tx.scalar(select(func.count(level.c.sku.distinct())).where(*told)) or 0


def _some(tx: Transaction, sku: Any, where: tuple[Any, ...], limit: int) -> tuple[list[str], int]:
    count = tx.scalar(select(func.count(sku.distinct())).where(*where)) or 0
    rows = tx.execute(select(sku).where(*where).distinct().order_by(sku).limit(limit)) if count else None
    return (list(rows.scalars()) if rows else []), int(count)


def in_place(tx: Transaction, connection: str, place: str, skus: Collection[str]) -> dict[str, Row[Any]]:
    """Levels of a place by SKU."""
    found: dict[str, Row[Any]] = {}
    for some in _in_parts(skus):
        these = (level.c.connection == connection, level.c.place == place, level.c.sku.in_(some))
        found |= {row.sku: row for row in tx.execute(select(level).where(*these))}
    return found


def all_in_place(tx: Transaction, connection: str, place: str) -> list[Row[Any]]:
    """Every level of a place, by SKU."""
    these = (level.c.connection == connection, level.c.place == place)
    return list(tx.execute(select(level).where(*these).order_by(level.c.sku)).all())


def add(tx: Transaction, connection: str, place: str, skus: Collection[str]) -> None:
    """Rows for SKUs that have none yet; nobody waits for them."""
    for some in _in_parts(skus):
        rows = [
            {"connection": connection, "place": place, "sku": sku, "state": "hinted", "dirty_seq": 0, "clean_seq": 0}
            for sku in some
        ]
        tx.execute(tx.insert(level).on_conflict_do_nothing(), rows)


def late(tx: Transaction, connection: str, before: datetime) -> tuple[int, datetime | None]:
    """(SKUs whose last change the storefront does not show although it was hinted before then, the oldest hint)."""
    waits = and_(level.c.waits_since < before, level.c.state != "held")
    row = tx.execute(
        select(func.count(), func.min(level.c.waits_since)).where(level.c.connection == connection, waits)
    ).one()
    return int(row[0]), row[1]


def unsettled(tx: Transaction, connection: str, *, most_tries: int, limit: int) -> list[tuple[str, str]]:
    """(place, SKU) of what a watch looks at again: what is held, would not be shown or is oversold, and stops that ended."""
    ended = level.c.stopped_until <= tx.now
    short = level.c.allocated + level.c.demand - level.c.known > level.c.figure
    again = or_(in_state("held"), level.c.tries >= most_tries, ended, short, level.c.unposted > level.c.figure)
    rows = select(level.c.place, level.c.sku).where(level.c.connection == connection, again, ~DIRTY)
    return [(row.place, row.sku) for row in tx.execute(rows.order_by(level.c.sku).limit(limit))]


def lift_stops(tx: Transaction, connection: str) -> None:
    """Stops whose time is over."""
    over = (level.c.connection == connection, level.c.stopped_until <= tx.now)
    tx.execute(update(level).where(*over).values(stopped_until=None, stopped_why=""))


def worst(tx: Transaction, limit: int) -> list[Row[Any]]:
    """Levels that are not as they should be: held ones first, then what would not be shown, the longest waiting, orphans."""
    rank = case(
        (in_state("held"), 0),
        (level.c.tries > 0, 1),
        (level.c.waits_since.is_not(None), 2),
        (in_state("orphan"), 4),
        else_=3,
    )
    trouble = or_(level.c.waits_since.is_not(None), level.c.state.in_(("held", "orphan")), level.c.tries > 0)
    rows = select(level).where(or_(trouble, level.c.stopped_until.is_not(None)))
    return list(
        tx.execute(rows.order_by(rank, level.c.waits_since, level.c.connection, level.c.sku).limit(limit)).all()
    )


def stand(tx: Transaction) -> list[Row[Any]]:
    """(connection, state, SKUs, of which waiting): how many levels there are of each state."""
    waiting = func.count(level.c.waits_since).label("waiting")
    rows = select(level.c.connection, level.c.state, func.count().label("levels"), waiting)
    return list(tx.execute(rows.group_by(level.c.connection, level.c.state).order_by(level.c.connection)).all())


def stop(tx: Transaction, connection: str, place: str, sku: str, until: datetime, why: str) -> None:
    """Nothing of a SKU is sold in a place until an instant."""
    write(tx, connection, place, [{"sku": sku, "stopped_until": until, "stopped_why": why}])


def held_skus(tx: Transaction, connection: str) -> list[tuple[str, str]]:
    """(place, SKU) of what the brake holds."""
    rows = select(level.c.place, level.c.sku).where(level.c.connection == connection, in_state("held"))
    return [(row.place, row.sku) for row in tx.execute(rows.order_by(level.c.place, level.c.sku))]


def of_sku(tx: Transaction, sku: str) -> list[Row[Any]]:
    """The levels of a SKU in every connection and place."""
    return list(tx.execute(select(level).where(level.c.sku == sku).order_by(level.c.connection, level.c.place)).all())


def _in_parts(skus: Collection[str]) -> Iterable[list[str]]:
    wanted = sorted(skus)
    return (wanted[start : start + SOME] for start in range(0, len(wanted), SOME))

"""The books of the night: what both systems have of a business day, and which documents differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, or_, select

from integration.store import Transaction
from integration.store.tables import difference, exception, job, tally


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of a day as both sides have it: `None` where a side does not count it. Sums in minor units."""

    number: str
    market: str
    currency: str
    storefront: int | None
    erp: int | None

    @property
    def equal(self) -> bool:
        return self.storefront == self.erp

    @property
    def minor(self) -> int:
        return (self.storefront or 0) - (self.erp or 0)


def begin_day(tx: Transaction, connection: str, day: str, kind: str) -> None:
    """Forget what an earlier count of this day said: a day is counted as a whole."""
    for table in (tally, difference):
        tx.execute(delete(table).where(table.c.connection == connection, table.c.day == day, table.c.kind == kind))


def count(tx: Transaction, connection: str, day: str, kind: str, entries: Iterable[Entry]) -> None:
    """Add documents to the sums of their market and currency, and keep those that differ, as yet unexplained."""
    sums: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        row = sums.setdefault((entry.market, entry.currency), [0, 0, 0, 0])
        for place, told in ((0, entry.storefront), (2, entry.erp)):
            row[place] += told is not None
            row[place + 1] += told or 0
        if not entry.equal:
            _keep(tx, connection, day, kind, entry)
    for (market, currency), (s_count, s_sum, e_count, e_sum) in sums.items():
        values = {"storefront_count": s_count, "storefront_sum": s_sum, "erp_count": e_count, "erp_sum": e_sum}
        row = tx.insert(tally).values(
            connection=connection, day=day, market=market, kind=kind, currency=currency, at=tx.now, **values
        )
        more = {name: tally.c[name] + value for name, value in values.items()} | {"at": tx.now}
        tx.execute(
            row.on_conflict_do_update(index_elements=["connection", "day", "market", "kind", "currency"], set_=more)
        )


def _keep(tx: Transaction, connection: str, day: str, kind: str, entry: Entry) -> None:
    values = {"market": entry.market, "currency": entry.currency, "minor": entry.minor, "at": tx.now}
    values |= {"class": "unexplained", "reason": ""}
    row = tx.insert(difference).values(connection=connection, day=day, kind=kind, number=entry.number, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["connection", "day", "kind", "number"], set_=values))


def explain(tx: Transaction, row: Row[Any], why: str, reason: str) -> None:
    """Give a difference its class: waiting, exception, timing or unexplained."""
    this = [difference.c[name] == getattr(row, name) for name in ("connection", "day", "kind", "number")]
    tx.execute(difference.update().where(*this).values({"class": why, "reason": reason, "at": tx.now}))


def of_day(tx: Transaction, connection: str, day: str) -> list[Row[Any]]:
    """The sums of a day by kind, market and currency."""
    wanted = select(tally).where(tally.c.connection == connection, tally.c.day == day)
    return list(tx.execute(wanted.order_by(tally.c.kind, tally.c.market, tally.c.currency)).all())


def differences(tx: Transaction, connection: str, day: str) -> list[Row[Any]]:
    """The documents of a day that differ, with their class."""
    wanted = select(difference).where(difference.c.connection == connection, difference.c.day == day)
    return list(tx.execute(wanted.order_by(difference.c.kind, difference.c.market, difference.c.number)).all())


def days(tx: Transaction, connection: str, limit: int = 14) -> list[str]:
    """The newest counted days, newest first."""
    wanted = select(tally.c.day).where(tally.c.connection == connection).distinct()
    return [row.day for row in tx.execute(wanted.order_by(tally.c.day.desc()).limit(limit))]


def case_of(tx: Transaction, instance: str, kind: str, number: str) -> Any:
    """The open exception of a document, a row of (id, type), or `None`."""
    wanted = select(exception.c.id, exception.c.type).join(job, job.c.id == exception.c.job_id)
    wanted = wanted.where(job.c.instance == instance, job.c.kind == kind, job.c.number == number)
    return tx.execute(wanted.where(exception.c.state != "resolved")).one_or_none()


def case_of_shipments(tx: Transaction, instance: str, order_number: str) -> Any:
    """The oldest open exception of an order's shipments, a row of (id, type), or `None`."""
    wanted = select(exception.c.id, exception.c.type).join(job, job.c.id == exception.c.job_id)
    wanted = wanted.where(job.c.instance == instance, job.c.kind == "shipment", job.c.order_number == order_number)
    return tx.execute(wanted.where(exception.c.state != "resolved").order_by(exception.c.id).limit(1)).one_or_none()


def happened(tx: Transaction, connection: str, kind: str, since: datetime, until: datetime) -> list[Row[Any]]:
    """Documents of a kind that happened in [since, until), as the ledger knows them."""
    wanted = select(job).where(job.c.connection == connection, job.c.kind == kind)
    wanted = wanted.where(job.c.occurred_at >= since, job.c.occurred_at < until)
    return list(tx.execute(wanted.order_by(job.c.id)).all())


def shipped(tx: Transaction, instance: str, order_numbers: Sequence[str]) -> list[Row[Any]]:
    """The shipments that the ledger knows of these orders."""
    wanted = select(job).where(job.c.instance == instance, job.c.kind == "shipment")
    return list(tx.execute(wanted.where(job.c.order_number.in_(list(order_numbers)))).all())


def open_shipments(tx: Transaction, instance: str, order_number: str) -> int:
    """Shipments of an order that are on their way, or are somebody's exception."""
    return sum(row.state != "proven" for row in shipped(tx, instance, [order_number]))


def is_counted(tx: Transaction, instance: str, number: str, until: datetime) -> bool:
    """Whether a day's job exists and was not finished before the day itself was, at `until`."""
    these = (job.c.instance == instance, job.c.kind == "day", job.c.number == number)
    late = or_(job.c.done_at.is_(None), job.c.done_at >= until)
    return bool(tx.scalar(select(exists().where(*these, late))))


def oldest(tx: Transaction, connection: str) -> datetime | None:
    """When the first order of a connection happened."""
    wanted = select(func.min(job.c.occurred_at)).where(job.c.connection == connection, job.c.kind == "order")
    found: datetime | None = tx.scalar(wanted)
    return found

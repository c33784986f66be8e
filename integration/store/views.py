"""What people ask of the ledger, on the pages and at the command line; and the two writes that only a person makes."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, exists, func, or_, select, text, update

from integration.store import Transaction, exceptions
from integration.store.effects import PENDING
from integration.store.lives import DUE, FINAL
from integration.store.tables import arrival, attempt, effect, exception, job, mapping, vault_key

MANY = 500
"""Values in one IN list: far below what either database binds."""


def cases(tx: Transaction, ids: Collection[int]) -> list[Row[Any]]:
    """Cases by id, each with what decides whether and how its order can be replayed; orders in the order they arrived.

    `answered`: the ERP's id of a write is on record; `doubted`: a write may have happened and no answer is on record.
    """
    sent = exists().where(effect.c.job_id == job.c.id, effect.c.answer.is_not(None))
    doubted = exists().where(effect.c.job_id == job.c.id, effect.c.answer.is_(None), effect.c.state.in_(PENDING))
    columns = (
        *(exception.c[name] for name in ("id", "type", "cause", "state", "job_id", "document_id")),
        *(
            job.c[name]
            for name in ("instance", "kind", "number", "connection", "posted_version", "until", "not_before")
        ),
        *(job.c.state.label("job_state"), sent.label("answered"), doubted.label("doubted")),
    )
    rows: list[Row[Any]] = []
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), MANY):
        some = wanted[start : start + MANY]
        joined = select(*columns).select_from(exception).outerjoin(job, job.c.id == exception.c.job_id)
        rows += tx.execute(joined.where(exception.c.id.in_(some))).all()
    return sorted(rows, key=lambda row: (row.job_id or 0, row.id))


def close_job(tx: Transaction, job_id: int, reason: str) -> bool:
    """A person ends a document's life here, for good. False when a worker holds it at this moment.

    What a paused worker may still bring is void (its fence is old). A document whose life is over stays as it is.
    """
    free = or_(job.c.until.is_(None), job.c.until <= tx.now)
    over = job.c.state.in_(FINAL)
    closed = tx.execute(
        update(job)
        .where(job.c.id == job_id, ~over, free)
        .values(state="closed", reason=reason, clean_seq=job.c.dirty_seq, fence=job.c.fence + 1)
        .values(
            owner=None, until=None, not_before=None, changed_at=tx.now, done_at=func.coalesce(job.c.done_at, tx.now)
        )
    )
    return closed.rowcount == 1 or bool(tx.scalar(select(over).where(job.c.id == job_id)))


def resolve_case(tx: Transaction, exception_id: int, *, how: str, actor: str, text: str) -> None:
    """A person's word that a case is over."""
    exceptions.resolve(tx, exception.c.id == exception_id, how=how, actor=actor, text=text)


def numbered(tx: Transaction, number: str, kind: str = "order") -> list[Row[Any]]:
    """The jobs of that number, one for each instance that has it."""
    wanted = select(job).where(job.c.number == number, job.c.kind == kind)
    return list(tx.execute(wanted.order_by(job.c.instance)).all())


def known(tx: Transaction, instance: str, numbers: Collection[str], kind: str = "order") -> set[str]:
    """Those of these numbers that have a row."""
    found: set[str] = set()
    wanted = sorted(set(numbers))
    for start in range(0, len(wanted), MANY):
        some = wanted[start : start + MANY]
        mine = select(job.c.number).where(job.c.instance == instance, job.c.kind == kind, job.c.number.in_(some))
        mine = mine.where(job.c.state != "observed")  # where history ends may have moved since
        found |= set(tx.execute(mine).scalars())
    return found


def arrivals(tx: Transaction, job_id: int) -> list[Any]:
    """(source, hints, first_at, last_at): how a document came to be known, first source first."""
    columns = (arrival.c.source, arrival.c["count"].label("hints"), arrival.c.first_at, arrival.c.last_at)
    wanted = select(*columns).where(arrival.c.job_id == job_id)
    return list(tx.execute(wanted.order_by(arrival.c.first_at, arrival.c.source)).all())


def attempts(tx: Transaction, job_id: int) -> list[Row[Any]]:
    """Every attempt at a document, oldest first."""
    return list(tx.execute(select(attempt).where(attempt.c.job_id == job_id).order_by(attempt.c.id)).all())


def effects(tx: Transaction, job_id: int) -> list[Row[Any]]:
    """Every write for a document that another system may have seen."""
    return list(tx.execute(select(effect).where(effect.c.job_id == job_id).order_by(effect.c.id)).all())


def exceptions_of(tx: Transaction, job_id: int) -> list[Row[Any]]:
    """The cases of a document, oldest first."""
    return list(tx.execute(select(exception).where(exception.c.job_id == job_id).order_by(exception.c.id)).all())


def erased_at(tx: Transaction, job_id: int) -> datetime | None:
    """When the person's data of a document was erased, if it was."""
    return tx.scalar(select(vault_key.c.erased_at).where(vault_key.c.job_id == job_id))


def orders_by_master_key(tx: Transaction) -> dict[str, int]:
    """How many documents' data keys are wrapped by each master key; erased ones are not counted."""
    living = select(vault_key.c.master, func.count()).where(vault_key.c.wrapped.is_not(None))
    return {master: int(count) for master, count in tx.execute(living.group_by(vault_key.c.master))}


def lanes(tx: Transaction) -> list[Row[Any]]:
    """(lane, due, since, working, resting, dead) of every lane in which anything is open.

    `since` is the instant from which the oldest due row has been waiting: its arrival when it was never read, its latest
    hint when it was hinted again, else the end of its last attempt or of its rest.
    """
    now, dirty = tx.now, job.c.dirty_seq > job.c.clean_seq
    rests, held = job.c.not_before > now, job.c.until > now
    due = and_(DUE, or_(job.c.not_before.is_(None), ~rests), or_(job.c.until.is_(None), ~held))
    hinted = select(func.max(arrival.c.last_at)).where(arrival.c.job_id == job.c.id).scalar_subquery()
    since = case(
        (job.c.read_at.is_(None), job.c.first_seen_at),
        (dirty, hinted),
        (job.c.not_before > job.c.changed_at, job.c.not_before),
        else_=job.c.changed_at,
    )
    counted = {"due": due, "working": held, "resting": and_(DUE, rests), "dead": job.c.state == "dead"}
    return list(
        tx.execute(
            select(
                job.c.lane,
                *(func.count(case((condition, 1))).label(name) for name, condition in counted.items()),
                func.min(case((due, since))).label("since"),
            )
            .where(or_(job.c.state.not_in(FINAL), dirty))
            .group_by(job.c.lane)
        ).all()
    )


def states(tx: Transaction, kind: str = "order") -> dict[str, int]:
    """Documents by state."""
    rows = tx.execute(select(job.c.state, func.count()).where(job.c.kind == kind).group_by(job.c.state))
    return {state: int(count) for state, count in rows}


def open_by_type(tx: Transaction) -> list[Row[Any]]:
    """Open cases: (type, owner, currency, open, overdue, money_minor, act_by), most urgent first."""
    late = func.count(case((exception.c.act_by < tx.now, 1)))
    return list(
        tx.execute(
            select(
                *(exception.c.type, exception.c.owner, exception.c.currency),
                *(func.count().label("open"), late.label("overdue")),
                func.sum(exception.c.money_minor).label("money_minor"),
                func.min(exception.c.act_by).label("act_by"),
            )
            .where(exception.c.state != "resolved")
            .group_by(exception.c.type, exception.c.owner, exception.c.currency)
            .order_by(func.min(exception.c.act_by), exception.c.type, exception.c.currency)
        ).all()
    )


def markets(tx: Transaction) -> list[Row[Any]]:
    """(instance, market, orders) of every market seen in orders that are to be posted or were."""
    return list(
        tx.execute(
            select(job.c.instance, job.c.market, func.count().label("orders"))
            .where(job.c.kind == "order", job.c.market != "", job.c.state != "observed")
            .group_by(job.c.instance, job.c.market)
            .order_by(job.c.instance, job.c.market)
        ).all()
    )


def mappings_applied(tx: Transaction) -> list[Row[Any]]:
    """(connection, version, sha256, applied_at, applied_by) of the newest mapping of every connection."""
    newest = select(func.max(mapping.c.id)).group_by(mapping.c.connection)
    columns = (mapping.c[name] for name in ("connection", "version", "sha256", "applied_at", "applied_by"))
    return list(tx.execute(select(*columns).where(mapping.c.id.in_(newest)).order_by(mapping.c.connection)).all())


def database(tx: Transaction) -> Mapping[str, str]:
    """The database's own settings that our promises rest on, by name, with `kind` and `version`."""
    kind = tx.connection.dialect.name
    if kind == "sqlite":
        told = {name: tx.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")}
        told["version"] = tx.scalar(text("SELECT sqlite_version()"))
    else:
        names = ("synchronous_commit", "fsync", "full_page_writes", "server_version")
        told = {name: tx.scalar(text(f"SHOW {name}")) for name in names}
        told["version"] = told.pop("server_version")
    return {"kind": kind, **{name: str(value) for name, value in told.items()}}

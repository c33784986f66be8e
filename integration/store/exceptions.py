"""The exception store: one open business case per order, or per cause where no order is concerned."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select, update

from integration.store import Transaction
from integration.store.tables import exception, history, job

SYSTEM = "lockstep"
"""The actor of what nobody did by hand."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known when an exception opens. `money_minor` is what is at risk, in `currency`."""

    type: str
    cause: str
    message: str
    owner: str
    act_within: timedelta
    instance: str = ""
    connection: str = ""
    job_id: int | None = None
    document_id: int | None = None
    money_minor: int = 0
    currency: str = ""


def open_case(tx: Transaction, case: Case) -> int:
    """Open a case, or add an occurrence to the one that is open; a case of the same kind that was resolved re-opens.

    A re-opened case keeps its identity and, for the same trouble of the same order, its clock. Returns its id.
    """
    found = _standing(tx, case)
    fresh = {"message": case.message, "document_id": case.document_id, "cause": case.cause, "type": case.type}
    if found is None:
        opened = tx.scalar(
            tx.insert(exception)
            .values(
                **fresh,
                instance=case.instance,
                connection=case.connection,
                job_id=case.job_id,
                state="open",
                owner=case.owner,
                money_minor=case.money_minor,
                currency=case.currency,
                opened_at=tx.now,
                act_by=tx.now + case.act_within,
            )
            .on_conflict_do_nothing()
            .returning(exception.c.id)
        )
        if opened is not None:
            note(tx, opened, SYSTEM, "opened", case.message)
            return int(opened)
        found = _standing(tx, case)  # PostgreSQL: another transaction opened it at the same moment
        assert found is not None
    changed = found.type != case.type or found.state == "resolved"
    about = {"instance": case.instance, "connection": case.connection, "currency": case.currency}
    values: dict[str, Any] = {**fresh, **about, "occurrences": found.occurrences + 1, "money_minor": case.money_minor}
    if changed:
        values |= {"owner": case.owner, "state": "open", "resolved_at": None, "resolution": ""}
    if found.type != case.type or (changed and case.job_id is None):
        values |= {"opened_at": tx.now, "act_by": tx.now + case.act_within}
    tx.execute(update(exception).where(exception.c.id == found.id).values(values))
    if changed or found.message != case.message:
        note(tx, found.id, SYSTEM, "re-opened" if found.state == "resolved" else "seen again", case.message)
    return int(found.id)


def _standing(tx: Transaction, case: Case) -> Row[Any] | None:
    """The case this one continues: an open one of the order, else a resolved one of the same type."""
    if case.job_id is not None:
        same = and_(
            exception.c.job_id == case.job_id, or_(exception.c.state != "resolved", exception.c.type == case.type)
        )
    else:
        same = and_(
            exception.c.job_id.is_(None),
            exception.c.connection == case.connection,
            exception.c.type == case.type,
            exception.c.cause == case.cause,
        )
    ranked = select(exception).where(same).order_by((exception.c.state == "resolved"), exception.c.id.desc())
    return tx.execute(ranked.limit(1)).one_or_none()


def note(tx: Transaction, exception_id: int, actor: str, verb: str, text: str = "") -> None:
    """Add a line to a case's history."""
    tx.execute(tx.insert(history).values(exception_id=exception_id, at=tx.now, actor=actor, verb=verb, note=text))


@lru_cache(maxsize=16)
def _resolved(where: ColumnElement[bool]) -> Any:
    return (
        update(exception)
        .where(where, exception.c.state != "resolved")
        .values(state="resolved", resolved_at=bindparam("now"), resolution=bindparam("how"))
        .returning(exception.c.id)
    )


def resolve(
    tx: Transaction, where: ColumnElement[bool], *, how: str, actor: str = SYSTEM, text: str = "", **terms: Any
) -> list[int]:
    """Close the open cases that match, `terms` being what `where` names.

    `how` says what made it so; a person's resolution carries a reason in `text`.
    """
    closed = tx.execute(_resolved(where), {"now": tx.now, "how": how, **terms})
    ids = [int(i) for i in closed.scalars()]
    for i in ids:
        note(tx, i, actor, "resolved", f"{how}: {text}" if text else how)
    return ids


_OF_JOB = and_(exception.c.job_id == bindparam("of_job"), exception.c.type.not_in(bindparam("but", expanding=True)))


def resolve_of_job(tx: Transaction, job_id: int, how: str, *, but: Collection[str] = ()) -> list[int]:
    """Close what is open for a job because both systems were read and agree; cases of a type in `but` stay."""
    return resolve(tx, _OF_JOB, how=how, of_job=job_id, but=list(but))


_OF_CONNECTION = and_(
    exception.c.job_id.is_(None),
    exception.c.connection == bindparam("of_connection"),
    exception.c.type.in_(bindparam("of_types", expanding=True)),
)


def resolve_of_connection(tx: Transaction, connection: str, types: Collection[str], how: str) -> list[int]:
    """Close a connection's own cases, e.g. when a probe succeeded."""
    return resolve(tx, _OF_CONNECTION, how=how, of_connection=connection, of_types=list(types))


def resolve_causes(
    tx: Transaction, connection: str, type: str, *, beginning: str, but: Collection[str], how: str
) -> list[int]:
    """Resolve a connection's open cases of a type whose cause begins so, except for the causes that still stand."""
    these = [exception.c.connection == connection, exception.c.type == type, exception.c.job_id.is_(None)]
    these += [exception.c.cause.startswith(beginning, autoescape=True), exception.c.cause.not_in(list(but))]
    return resolve(tx, and_(*these), how=how)


def resolve_named(tx: Transaction, connection: str, types: Collection[str], causes: Collection[str], how: str) -> None:
    """Resolve a connection's open cases of these types and causes."""
    mine = (exception.c.connection == connection, exception.c.type.in_(types), exception.c.job_id.is_(None))
    wanted = sorted(causes)
    for start in range(0, len(wanted), 500):
        resolve(tx, and_(*mine, exception.c.cause.in_(wanted[start : start + 500])), how=how)


def assign(tx: Transaction, exception_id: int, *, to: str, actor: str) -> bool:
    """Give a case to a person. False when it is not open."""
    changed = tx.execute(
        update(exception)
        .where(exception.c.id == exception_id, exception.c.state != "resolved")
        .values(assignee=to, state="acknowledged")
    )
    if changed.rowcount:
        note(tx, exception_id, actor, "assigned", to)
    return bool(changed.rowcount)


def snooze(tx: Transaction, exception_id: int, *, until: datetime, actor: str) -> bool:
    """Stop reminding until an instant; the act-by clock runs on."""
    changed = tx.execute(
        update(exception)
        .where(exception.c.id == exception_id, exception.c.state != "resolved")
        .values(snoozed_until=until)
    )
    if changed.rowcount:
        note(tx, exception_id, actor, "snoozed", f"until {until:%Y-%m-%d %H:%M} UTC; the promise clock runs on")
    return bool(changed.rowcount)


def one(tx: Transaction, exception_id: int) -> Row[Any] | None:
    """A case with the order it concerns."""
    return tx.execute(_with_job().where(exception.c.id == exception_id)).one_or_none()


def _with_job() -> Any:
    named = (job.c.number, job.c.kind, job.c.market, job.c.erp_ref, job.c.state.label("job_state"))
    return select(*exception.c, *named).outerjoin(job, job.c.id == exception.c.job_id)


def listed(
    tx: Transaction,
    *,
    text: str = "",
    owner: str = "",
    cause: str = "",
    type: str = "",
    state: str = "open",
    limit: int = 200,
    offset: int = 0,
) -> list[Row[Any]]:
    """Cases, latest act-by last. `state` is `open` (not resolved), `resolved` or `all`; `text` searches what is shown."""
    rows = tx.execute(
        _with_job()
        .where(*_matching(text=text, owner=owner, cause=cause, type=type, state=state))
        .order_by(exception.c.act_by, exception.c.id)
        .limit(limit)
        .offset(offset)
    )
    return list(rows.all())


def _matching(*, text: str, owner: str, cause: str, type: str, state: str) -> list[Any]:
    wanted: list[Any] = []
    if text:
        like = f"%{text.replace('%', '').replace('_', '')}%"
        told = (exception.c.message, exception.c.cause, exception.c.type, exception.c.connection, exception.c.assignee)
        shown = (*told, job.c.number, job.c.market)
        wanted.append(or_(*(column.ilike(like) for column in shown)))
    wanted += [column == value for column, value in ((exception.c.owner, owner), (exception.c.type, type)) if value]
    if cause:
        wanted.append(exception.c.cause == cause)
    if state == "open":
        wanted.append(exception.c.state != "resolved")
    elif state != "all":
        wanted.append(exception.c.state == state)
    return wanted


def by_cause(tx: Transaction, *, text: str = "", owner: str = "", type: str = "") -> list[Row[Any]]:
    """Open cases as cards: one per (type, cause, currency) with members, money at risk and the earliest act-by."""
    return list(
        tx.execute(
            select(
                exception.c.type,
                exception.c.cause,
                exception.c.currency,
                exception.c.owner,
                func.count().label("members"),
                func.sum(exception.c.money_minor).label("money_minor"),
                func.min(exception.c.act_by).label("act_by"),
                func.min(exception.c.opened_at).label("opened_at"),
                func.min(exception.c.id).label("first_id"),
            )
            .outerjoin(job, job.c.id == exception.c.job_id)
            .where(*_matching(text=text, owner=owner, cause="", type=type, state="open"))
            .group_by(exception.c.type, exception.c.cause, exception.c.currency, exception.c.owner)
            .order_by(func.min(exception.c.act_by), exception.c.type, exception.c.cause)
        ).all()
    )


def members(tx: Transaction, *, type: str, cause: str) -> list[Row[Any]]:
    """The open cases of one cause, in the order their documents arrived."""
    return list(
        tx.execute(
            _with_job()
            .where(exception.c.type == type, exception.c.cause == cause, exception.c.state != "resolved")
            .order_by(exception.c.job_id, exception.c.id)
        ).all()
    )


def jobs_waiting_for(
    tx: Transaction, types: Collection[str], connection: str, *, causes: Collection[str] | None = None
) -> list[int]:
    """Ids of dead jobs whose open case is of one of these types (and causes), oldest first.

    A case that knows no connection yet, an unmapped market say, waits for every connection.
    """
    wanted = [
        exception.c.connection.in_((connection, "")),
        exception.c.state != "resolved",
        exception.c.type.in_(types),
        job.c.state == "dead",
    ]
    if causes is not None:
        wanted.append(exception.c.cause.in_(causes))
    rows = tx.execute(
        select(job.c.id).join(exception, exception.c.job_id == job.c.id).where(*wanted).order_by(job.c.id)
    )
    return [int(i) for i in rows.scalars()]


_OPEN_CAUSES = (
    select(exception.c.connection, exception.c.cause)
    .where(exception.c.type == bindparam("of"), exception.c.state != "resolved")
    .distinct()
    .order_by(exception.c.connection, exception.c.cause)
)


def open_causes(tx: Transaction, type: str) -> list[tuple[str, str]]:
    """(connection, cause) of the open cases of a type."""
    return [(row.connection, row.cause) for row in tx.execute(_OPEN_CAUSES, {"of": type})]


def timeline(tx: Transaction, exception_id: int) -> list[Row[Any]]:
    """What happened to a case, oldest first."""
    return list(tx.execute(select(history).where(history.c.exception_id == exception_id).order_by(history.c.id)).all())


def counts(tx: Transaction) -> dict[str, int]:
    """Open cases by type."""
    rows = tx.execute(
        select(exception.c.type, func.count()).where(exception.c.state != "resolved").group_by(exception.c.type)
    )
    return {row[0]: int(row[1]) for row in rows}


def open_of_job(tx: Transaction, job_id: int) -> Row[Any] | None:
    """The newest case of a job that is not over."""
    of_job = select(exception).where(exception.c.job_id == job_id, exception.c.state != "resolved")
    return tx.execute(of_job.order_by(exception.c.id.desc()).limit(1)).one_or_none()


def is_open(tx: Transaction, job_id: int) -> bool:
    """Whether an order has an open case."""
    found = select(exception.c.id).where(exception.c.job_id == job_id, exception.c.state != "resolved").limit(1)
    return tx.scalar(found) is not None

"""The life of each kind of document: which rows each of its links may claim, what is due now, and what is to be rung.

Claiming and settling are the ledger's. What is asked here takes no lease.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, func, or_, select, text, update

from integration.domain.order import Key
from integration.store import Store, Transaction
from integration.store.columns import Instant
from integration.store.tables import OPEN_ROWS, job

FINAL = ("observed", "proven", "cancelled", "closed")
"""States in which nothing is left to do until a new hint; `closed` was closed by a person and stays so."""

OPEN = ("seen", "held", "ready", "created", "captured", "posted", "opened", "received", "cancelling", "dead")

_UNREAD = or_(job.c.dirty_seq > job.c.clean_seq, job.c.state == "held")


def _read_and(state: str) -> ColumnElement[bool]:
    return and_(job.c.state == state, job.c.dirty_seq == job.c.clean_seq)


LIVES: dict[str, dict[str, ColumnElement[bool]]] = {
    "order": {
        "take": _UNREAD,
        "post": _read_and("ready"),
        "prove": job.c.state == "posted",
        "cancel": job.c.state == "cancelling",
    },
    "shipment": {
        "take": _UNREAD,
        "create": _read_and("ready"),
        "capture": _read_and("created"),
        "complete": _read_and("captured"),
        "prove": job.c.state == "posted",
    },
    "return": {
        "take": _UNREAD,
        "open": _read_and("ready"),
        "complete": job.c.state == "received",
        "cancel": job.c.state == "cancelling",
    },
    "refund": {"take": _UNREAD, "post": _read_and("ready"), "prove": job.c.state == "posted"},
    "stock": {"take": _UNREAD, "push": job.c.state == "ready", "prove": job.c.state == "posted"},
    "product": {"take": _UNREAD, "create": _read_and("ready"), "offer": _read_and("created")},
    "archive": {
        "take": _UNREAD,
        "stop": _read_and("ready"),
        "deactivate": _read_and("created"),
        "archive": job.c.state == "posted",
    },
    "day": {"reconcile": _UNREAD, "settle": job.c.state == "ready", "report": job.c.state == "posted"},
}
"""The life of each kind of document: which rows each of its links may claim, besides being past their `not_before` and
free of a living lease. The first link of a kind reads; it comes before all others."""

LANE_OF = {
    "order": "orders",
    "shipment": "shipments",
    "return": "returns",
    "stock": "stock",
    "product": "stock",
    "archive": "stock",
    "refund": "finance",
    "day": "finance",
}


def _due_of(kinds: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(and_(job.c.kind == kind, or_(*LIVES[kind].values())) for kind in kinds))


DUE = _due_of(LIVES)
"""Rows with anything left to do, whoever may do it and when."""


# What is asked all day is written once, with names for what changes: building a statement costs more than running it.
_OPEN: Any = text(OPEN_ROWS)
NOW = bindparam("now", type_=Instant())
_RESTED = or_(job.c.not_before.is_(None), job.c.not_before <= NOW)
_FREE = or_(job.c.until.is_(None), job.c.until <= NOW)
IS = and_(
    job.c.instance == bindparam("of_instance"),
    job.c.kind == bindparam("of_kind"),
    job.c.number == bindparam("of_number"),
)
_HELD = select(job.c.id).where(IS, job.c.until > NOW)


def named(key: Key) -> dict[str, object]:
    """What `IS` stands for."""
    return {"of_instance": key.instance, "of_kind": key.kind, "of_number": key.number}


@cache
def claimable(link: str, kind: str) -> ColumnElement[bool]:
    """Rows a link may claim `now`. A hint overrides the waiting time of a held row, never that of a failing one."""
    return and_(_OPEN, job.c.lane == LANE_OF[kind], job.c.kind == kind, LIVES[kind][link], _RESTED, _FREE)


@lru_cache(maxsize=64)
def _own(due: ColumnElement[bool]) -> Select[Any]:
    return select(job.c.id, job.c.connection, job.c.owner).where(IS, due)


@lru_cache(maxsize=64)
def own_to_claim(due: ColumnElement[bool]) -> Select[Any]:
    return _own(due).with_for_update(skip_locked=True)


def is_due(store: Store, link: str, key: Key) -> bool:
    """Whether there is anything to claim: a look that takes no lock, for the many knocks on doors that were opened."""
    with store.read() as tx:
        return tx.scalar(_own(claimable(link, key.kind)), {**named(key), "now": tx.now}) is not None


def is_held(store: Store, key: Key) -> bool:
    """Whether somebody is at work on this row at this moment."""
    with store.read() as tx:
        return tx.scalar(_HELD, {**named(key), "now": tx.now}) is not None


def another(store: Store, link: str, key: Key) -> Key | None:
    """Another row of the same instance that is due for a link: what a full page left behind."""
    with store.read() as tx:
        wanted = select(job.c.instance, job.c.kind, job.c.number).where(
            claimable(link, key.kind), job.c.instance == key.instance
        )
        row = tx.execute(wanted.order_by(job.c.id).limit(1), {"now": tx.now}).one_or_none()
        return Key(*row) if row else None


BEFORE_POSTED = {"order": ("ready",), "shipment": ("ready", "created", "captured")}
"""The states in which a document is still to be sent, or the rest of it."""


@lru_cache(maxsize=64)
def _of_one_connection(due: ColumnElement[bool], kind: str) -> Select[int, int, Any]:
    """Beside a row that is due: how many are still to be posted, how many were posted, and when the first of these was."""
    before = BEFORE_POSTED[kind]
    return select(
        func.count().filter(job.c.state.in_(before)),
        func.count().filter(job.c.state == "posted"),
        func.min(job.c.posted_at).filter(job.c.state == "posted"),
    ).where(
        _OPEN,
        job.c.lane == LANE_OF[kind],
        job.c.kind == kind,
        job.c.connection == select(job.c.connection).where(IS, due).scalar_subquery(),
        job.c.state.in_((*before, "posted")),
        _RESTED,
    )


def gathered(store: Store, key: Key, *, page: int, patience: timedelta) -> bool:
    """Whether `key` is due to be proved and its page is worth a request: it is full, has waited for `patience`, or no
    other document of its kind and connection is still to be posted.
    """
    with store.read() as tx:
        now = tx.now
        counted = _of_one_connection(claimable("prove", key.kind), key.kind)
        unposted, posted, oldest = tx.execute(counted, {**named(key), "now": now}).one()
        return bool(posted) and (not unposted or posted >= page or oldest is None or now - oldest >= patience)


_LINK_OF = case(
    *[(and_(job.c.kind == kind, due), link) for kind, links in LIVES.items() for link, due in links.items()],
    else_="",
)


_UNHEARD = job.c.rung_at > bindparam("rung_before", type_=Instant())
_RUNG = update(job).where(job.c.id.in_(bindparam("ids", expanding=True))).values(rung_at=NOW)


@cache
def _ringable(lane: str) -> ColumnElement[bool]:
    its_kinds = [kind for kind, its_lane in LANE_OF.items() if its_lane == lane]
    return and_(_OPEN, job.c.lane == lane, _due_of(its_kinds), _RESTED, _FREE)


@cache
def _in_flight(lane: str) -> Select[int]:
    return select(func.count()).where(_ringable(lane), _UNHEARD)


@cache
def _to_ring(lane: str, *, lock: bool) -> Select[Any]:
    columns = select(job.c.id, job.c.instance, job.c.kind, job.c.number, _LINK_OF)
    wanted = columns.where(_ringable(lane), or_(job.c.rung_at.is_(None), ~_UNHEARD)).order_by(job.c.id)
    wanted = wanted.limit(bindparam("most", type_=Integer))
    return wanted.with_for_update(skip_locked=True) if lock else wanted


def due(store: Store, *, lane: str, limit: int, rung_before: timedelta) -> list[tuple[Key, str]]:
    """Due rows of a lane that were not rung lately, oldest first, each with the link that is due; marks them rung.

    At most `limit` rows are rung and unheard at any time. It looks before it locks: most sweeps find nothing to ring.
    """
    with store.read() as tx:
        if not _unrung(tx, lane, limit, rung_before, lock=False):
            return []
    with store.write("due", durable=False) as tx:
        found = _unrung(tx, lane, limit, rung_before, lock=True)
        if found:
            tx.execute(_RUNG, {"ids": [row[0] for row in found], "now": tx.now})
        return [(Key(*row[1:4]), row[4]) for row in found]


def _unrung(tx: Transaction, lane: str, limit: int, rung_before: timedelta, *, lock: bool) -> list[Any]:
    """(id, instance, kind, number, link) of due rows that were not rung lately, as many as may be rung now."""
    terms = {"now": tx.now, "rung_before": tx.now - rung_before}
    in_flight = tx.scalar(_in_flight(lane), terms) or 0
    if in_flight >= limit:
        return []
    return list(tx.execute(_to_ring(lane, lock=lock), {**terms, "most": limit - in_flight}).all())

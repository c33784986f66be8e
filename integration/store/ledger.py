"""Jobs, attempts and leases: who may work on what, and what came of it.

A hint marks a row dirty; a worker claims due rows with a lease, works, and settles them: outcome, next state and all
that belongs to it in one commit, guarded by the fence of the claim. The broker is not mentioned here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from integration.domain.order import Key
from integration.errors import LeaseLost
from integration.store import Store, Transaction
from integration.store.columns import Instant
from integration.store.tables import OPEN_ROWS, arrival, attempt, job

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


@dataclass
class Job:
    """A claimed row and what this attempt wants written with its outcome.

    `then("posted", erp_ref="12")` stages the next state and columns; `also(act)` stages `act(tx)` for the same commit.
    """

    row: Row[Any]
    fence: int
    attempt_id: int
    owner: str
    until: datetime
    state: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    acts: list[Callable[[Transaction], None]] = field(default_factory=list)
    note: str = ""
    again: str = ""
    """A link to ring once this is settled: there is more of the same, and nobody need wait for the sweeper."""

    @property
    def id(self) -> int:
        return int(self.row.id)

    @property
    def key(self) -> Key:
        return Key(self.row.instance, self.row.kind, self.row.number)

    def then(self, state: str, note: str = "", **values: Any) -> None:
        """Decide the next state, its reason in words, and any columns that go with it."""
        self.state = state
        self.note = note
        self.values.update(values)

    def also(self, act: Callable[[Transaction], None]) -> None:
        self.acts.append(act)


def mark(store: Store, keys: Iterable[Key], source: str, *, rung: bool = False, **known: Any) -> list[Key]:
    """Note that something may have happened to these documents. Returns the keys once each; idempotent and cheap.

    `rung` when the caller rings them right away: the sweeper then waits a while before it does. `known` are columns of
    rows that are new to us, as a feed knows them before the document is read (`connection`, `order_number`).
    """
    with store.write("mark") as tx:
        return mark_in(tx, keys, source, rung=rung, **known)


def mark_in(tx: Transaction, keys: Iterable[Key], source: str, *, rung: bool = False, **known: Any) -> list[Key]:
    """`mark` inside a transaction that has more to say."""
    unique = sorted(set(keys), key=lambda k: (k.instance, k.kind, len(k.number), k.number))  # as they were placed
    if not unique:
        return []
    now = tx.now
    rows = [
        {"instance": k.instance, "kind": k.kind, "number": k.number, "lane": LANE_OF[k.kind], "state": "seen"}
        | {"dirty_seq": 1, "clean_seq": 0, "first_seen_at": now, "changed_at": now, "rung_at": now if rung else None}
        | known
        for k in unique
    ]
    came_in = tx.insert(job)
    wakes = case((job.c.state == "held", None), else_=job.c.not_before)
    marked = tx.execute(
        came_in.on_conflict_do_update(
            index_elements=["instance", "kind", "number"],
            set_={"dirty_seq": job.c.dirty_seq + 1, "not_before": wakes, "rung_at": came_in.excluded.rung_at},
        ).returning(job.c.id),
        rows,
    )
    came = [{"job_id": i, "source": source, "count": 1, "first_at": now, "last_at": now} for (i,) in marked]
    note = tx.insert(arrival).on_conflict_do_update(
        index_elements=["job_id", "source"], set_={"count": arrival.c.count + 1, "last_at": now}
    )
    tx.execute(note, came)
    return unique


# What is asked all day is written once, with names for what changes: building a statement costs more than running it.
_OPEN: Any = text(OPEN_ROWS)
_NOW = bindparam("now", type_=Instant())
_RESTED = or_(job.c.not_before.is_(None), job.c.not_before <= _NOW)
_FREE = or_(job.c.until.is_(None), job.c.until <= _NOW)
_IS = and_(
    job.c.instance == bindparam("of_instance"),
    job.c.kind == bindparam("of_kind"),
    job.c.number == bindparam("of_number"),
)
_HELD = select(job.c.id).where(_IS, job.c.until > _NOW)


def _named(key: Key) -> dict[str, object]:
    """What `_IS` stands for."""
    return {"of_instance": key.instance, "of_kind": key.kind, "of_number": key.number}


@cache
def _due(link: str, kind: str) -> ColumnElement[bool]:
    """Rows a link may claim `now`. A hint overrides the waiting time of a held row, never that of a failing one."""
    return and_(_OPEN, job.c.lane == LANE_OF[kind], job.c.kind == kind, LIVES[kind][link], _RESTED, _FREE)


@lru_cache(maxsize=64)
def _own(due: ColumnElement[bool]) -> Select[Any]:
    return select(job.c.id, job.c.connection, job.c.owner).where(_IS, due)


@lru_cache(maxsize=64)
def _own_to_claim(due: ColumnElement[bool]) -> Select[Any]:
    return _own(due).with_for_update(skip_locked=True)


def is_due(store: Store, link: str, key: Key) -> bool:
    """Whether there is anything to claim: a look that takes no lock, for the many knocks on doors that were opened."""
    with store.read() as tx:
        return tx.scalar(_own(_due(link, key.kind)), {**_named(key), "now": tx.now}) is not None


def is_held(store: Store, key: Key) -> bool:
    """Whether somebody is at work on this row at this moment."""
    with store.read() as tx:
        return tx.scalar(_HELD, {**_named(key), "now": tx.now}) is not None


def another(store: Store, link: str, key: Key) -> Key | None:
    """Another row of the same instance that is due for a link: what a full page left behind."""
    with store.read() as tx:
        wanted = select(job.c.instance, job.c.kind, job.c.number).where(
            _due(link, key.kind), job.c.instance == key.instance
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
        job.c.connection == select(job.c.connection).where(_IS, due).scalar_subquery(),
        job.c.state.in_((*before, "posted")),
        _RESTED,
    )


def gathered(store: Store, key: Key, *, page: int, patience: timedelta) -> bool:
    """Whether `key` is due to be proved and its page is worth a request: it is full, has waited for `patience`, or no
    other document of its kind and connection is still to be posted.
    """
    with store.read() as tx:
        now = tx.now
        counted = _of_one_connection(_due("prove", key.kind), key.kind)
        unposted, posted, oldest = tx.execute(counted, {**_named(key), "now": now}).one()
        return bool(posted) and (not unposted or posted >= page or oldest is None or now - oldest >= patience)


_TAKEN = (
    update(job)
    .where(job.c.id.in_(bindparam("ids", expanding=True)))
    .values(owner=bindparam("by"), until=bindparam("lasting"), fence=job.c.fence + 1)
    .returning(*job.c)
)


def claim(store: Store, link: str, key: Key, *, owner: str, task_id: str, lease: timedelta, page: int = 1) -> list[Job]:
    """Take the lease of `key` for `link` and, for set-based links, of up to `page - 1` other due rows beside it.

    Returns nothing when `key` is not due: someone has done, is doing, or may not yet do it. Each claimed row gets its
    attempt in the same commit, before any work begins.
    """
    with store.write(f"claim.{link}", durable=False) as tx:
        now = tx.now
        due = _due(link, key.kind)
        own = tx.execute(_own_to_claim(due), {**_named(key), "now": now}).one_or_none()
        if own is None:
            return []
        found = [own]
        if page > 1:
            columns = select(job.c.id, job.c.connection, job.c.owner)
            beside = columns.where(due, job.c.instance == key.instance, job.c.id != own.id)
            if link == "prove" or key.kind != "order":
                beside = beside.where(job.c.connection == own.connection)
            beside = beside.order_by(job.c.id).limit(page - 1).with_for_update(skip_locked=True)
            found += tx.execute(beside, {"now": now}).all()
        until = now + lease
        left = [row.id for row in found if row.owner is not None]
        if left:
            _close_lost_attempts(tx, left)
        taken = tx.execute(_TAKEN, {"ids": [row.id for row in found], "by": owner, "lasting": until})
        rows = sorted(taken.all(), key=lambda row: int(row.id))
        attempts = _begin_attempts(tx, rows, link, task_id, owner)
        return [Job(row, row.fence, attempts[row.id], owner, until) for row in rows]


def _close_lost_attempts(tx: Transaction, ids: Collection[int]) -> None:
    """Close what dead workers left open on these rows; each counts, so that a poison job cannot kill for ever."""
    lost = (
        tx.execute(
            update(attempt)
            .where(attempt.c.job_id.in_(ids), attempt.c.outcome == "open")
            .values(outcome="lost", ended_at=tx.now, note="its worker stopped before the outcome was known")
            .returning(attempt.c.job_id)
        )
        .scalars()
        .all()
    )
    if lost:
        tx.execute(update(job).where(job.c.id.in_(lost)).values(attempts=job.c.attempts + 1))


NOTHING = timedelta(0)
_BEGUN = insert(attempt).returning(attempt.c.job_id, attempt.c.id)
_ENDED = (
    update(attempt)
    .where(attempt.c.id == bindparam("which"))
    .values(outcome=bindparam("how"), note=bindparam("words"), ended_at=_NOW)
)


def _begin_attempts(tx: Transaction, rows: Sequence[Row[Any]], link: str, task_id: str, owner: str) -> dict[int, int]:
    begun = [
        {"job_id": row.id, "link": link, "task_id": task_id, "owner": owner, "fence": row.fence}
        | {"started_at": tx.now, "outcome": "open"}
        for row in rows
    ]
    return {int(row.job_id): int(row.id) for row in tx.execute(_BEGUN, begun)}


def hold(tx: Transaction, claimed: Job, *, needs: timedelta = NOTHING, lease: timedelta = NOTHING, **more: Any) -> None:
    """Make sure, inside a transaction, that the lease is still ours and lasts for `needs`, and write `more` columns.

    Raises `LeaseLost`.
    """
    values: dict[str, Any] = {"fence": claimed.fence, **more}
    if claimed.until - tx.now < needs:
        claimed.until = values["until"] = tx.now + max(lease, needs)
    held = tx.execute(
        update(job)
        .where(job.c.id == claimed.id, job.c.fence == claimed.fence, job.c.owner == claimed.owner)
        .values(values)
    )
    if held.rowcount == 0:
        raise LeaseLost(f"{claimed.key} is held by another worker now")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one claimed row: the attempt's outcome, the row's columns, and the staged acts."""

    job: Job
    outcome: str
    note: str
    values: dict[str, Any]
    counts: bool = False
    acts: tuple[Callable[[Transaction], None], ...] = ()


SETTLED_AT_ONCE = 10
"""Rows of one commit: SQLite has one writer, and an order must not wait until a page of refunds is written."""


def settle(store: Store, link: str, outcomes: Sequence[Outcome]) -> list[Job]:
    """Write the outcomes of a claim, each with all that belongs to it, some in one commit. Returns the jobs whose lease had
    been lost: theirs are not written.
    """
    lost: list[Job] = []
    for start in range(0, len(outcomes), SETTLED_AT_ONCE):
        with store.write(f"settle.{link}") as tx:
            some = outcomes[start : start + SETTLED_AT_ONCE]
            lost += [settled.job for settled in some if not _settle_one(tx, settled)]
    return lost


def _settle_one(tx: Transaction, settled: Outcome) -> bool:
    claimed = settled.job
    values = {"owner": None, "until": None, "changed_at": tx.now, **settled.values}
    if settled.counts:
        values["attempts"] = job.c.attempts + 1
    if values.get("state") == "held" and values.get("not_before") is not None:
        hinted = job.c.dirty_seq > claimed.row.dirty_seq  # while it was looked at: what was seen may be old
        values["not_before"] = case((hinted, None), else_=bindparam(None, values["not_before"], job.c.not_before.type))
    mine = tx.execute(update(job).where(job.c.id == claimed.id, job.c.fence == claimed.fence).values(values))
    kept = mine.rowcount == 1
    told = (settled.outcome, settled.note) if kept else ("lost", "its lease had passed to another worker")
    tx.execute(_ENDED, {"which": claimed.attempt_id, "how": told[0], "words": told[1], "now": tx.now})
    if kept:
        for act in settled.acts:
            act(tx)
    return kept


_LINK_OF = case(
    *[(and_(job.c.kind == kind, due), link) for kind, links in LIVES.items() for link, due in links.items()],
    else_="",
)


_UNHEARD = job.c.rung_at > bindparam("rung_before", type_=Instant())
_RUNG = update(job).where(job.c.id.in_(bindparam("ids", expanding=True))).values(rung_at=_NOW)


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


def restless(store: Store, instance: str, *, read_before: timedelta, limit: int) -> list[Key]:
    """Documents whose life in the storefront is not over and which were not read for a while, longest first."""
    with store.read() as tx:
        rows = tx.execute(
            select(job.c.instance, job.c.kind, job.c.number)
            .where(
                job.c.instance == instance,
                job.c.kind == "order",
                job.c.closed_at.is_(None),
                job.c.state.not_in(("observed", "closed")),
                job.c.dirty_seq == job.c.clean_seq,
                job.c.read_at <= tx.now - read_before,
            )
            .order_by(job.c.read_at, job.c.id)
            .limit(limit)
        )
        return [Key(*row) for row in rows]


def wake(tx: Transaction, ids: Collection[int], source: str, reason: str) -> list[Key]:
    """Send jobs through the whole step again: read, decide, act. Attempts start at nought. Idempotent."""
    if not ids:
        return []
    woken = tx.execute(
        update(job)
        .where(job.c.id.in_(ids), job.c.state.not_in(FINAL))
        .values(
            state=case((job.c.state == "dead", "seen"), else_=job.c.state),
            dirty_seq=job.c.dirty_seq + 1,
            attempts=0,
            not_before=None,
            rung_at=None,
            reason=reason,
            changed_at=tx.now,
        )
        .returning(job.c.id, job.c.instance, job.c.kind, job.c.number)
    ).all()
    for row in woken:
        came = tx.insert(arrival).values(job_id=row[0], source=source, count=1, first_at=tx.now, last_at=tx.now)
        tx.execute(
            came.on_conflict_do_update(
                index_elements=["job_id", "source"], set_={"count": arrival.c.count + 1, "last_at": tx.now}
            )
        )
    return [Key(*row[1:]) for row in woken]


def look_again(tx: Transaction, job_id: int, stamp: str) -> None:
    """The ERP's document of a dead job has changed: read both systems, once for each change."""
    tx.execute(update(job).where(job.c.id == job_id).values(erp_stamp=stamp))
    wake(tx, [job_id], "back-check", "changed in the ERP: both systems are read once more")


_FOUND = select(job).where(_IS)


def find(tx: Transaction, key: Key) -> Row[Any] | None:
    """The job row of a key."""
    return tx.execute(_FOUND, _named(key)).one_or_none()


def attempt_recorded(tx: Transaction, task_id: str) -> bool:
    """Whether a task of this id has an attempt whose terminal outcome is on record."""
    return bool(
        tx.scalar(
            select(exists().where(attempt.c.task_id == bindparam("task"), attempt.c.outcome == "dead")),
            {"task": task_id},
        )
    )


def park(tx: Transaction, claimed: Job, until: datetime) -> None:
    """Let a settled row rest until an instant of the store's clock; not one that is held and was hinted meanwhile."""
    hinted = and_(job.c.state == "held", job.c.dirty_seq > claimed.row.dirty_seq)
    rests = case((hinted, None), else_=bindparam(None, until, job.c.not_before.type))
    tx.execute(update(job).where(job.c.id == claimed.id, job.c.fence == claimed.fence).values(not_before=rests))


def unseen(tx: Transaction, instance: str, kind: str, stamps: Mapping[str, str]) -> list[Key]:
    """Of documents seen in a feed (number to change stamp), those that are new to us or changed since we read them."""
    rows = tx.execute(
        select(job.c.number, job.c.source_stamp, job.c.read_at, job.c.dirty_seq > job.c.clean_seq).where(
            job.c.instance == instance, job.c.kind == kind, job.c.number.in_(list(stamps))
        )
    )
    known = {number for number, stamp, read_at, dirty in rows if dirty or (read_at and stamp == stamps[number])}
    return [Key(instance, kind, number) for number in stamps if number not in known]


def note_read(tx: Transaction, instance: str, numbers: Collection[str], *, kind: str = "order") -> None:
    """These documents were asked after and had not changed."""
    these = (job.c.instance == instance, job.c.kind == kind, job.c.number.in_(list(numbers)))
    tx.execute(update(job).where(*these).values(read_at=tx.now))


def cancel_again(tx: Transaction, job_id: int, connection: str, ref: str) -> None:
    """A posting took effect after its order was cancelled: the ERP must follow now."""
    tx.execute(
        update(job)
        .where(job.c.id == job_id, job.c.state == "cancelled")
        .values(
            state="cancelling",
            connection=func.coalesce(job.c.connection, connection),
            erp_ref=func.coalesce(job.c.erp_ref, ref),
            reason="a late effect in the ERP: cancelled there too",
            not_before=None,
        )
    )


def prove_again(tx: Transaction, job_id: int) -> None:
    """The ERP's document changed since it was proved."""
    tx.execute(
        update(job)
        .where(job.c.id == job_id, job.c.state == "proven")
        .values(state="posted", reason="changed in the ERP since it was proved: read back once more", not_before=None)
    )

"""Jobs, attempts and leases: who may work on what, and what came of it.

A hint marks a row dirty; a worker claims due rows with a lease, works, and settles them: outcome, next state and all
that belongs to it in one commit, guarded by the fence of the claim. The broker is not mentioned here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from integration.domain.order import Key
from integration.errors import LeaseLost
from integration.store import Store, Transaction
from integration.store.lives import FINAL, IS, LANE_OF, NOW, claimable, named, own_to_claim
from integration.store.tables import arrival, attempt, job


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
    marked, noted = _marking(tx.dialect)
    came = [
        {"job_id": i, "source": source, "count": 1, "first_at": now, "last_at": now}
        for (i,) in tx.execute(marked, rows)
    ]
    tx.execute(noted, came)
    return unique


@cache
def _marking(dialect: Any) -> tuple[Any, Any]:
    """A document that came in, and who told of it: written once, because every hint asks for them."""
    came_in, told = dialect.insert(job), dialect.insert(arrival)
    wakes = case((job.c.state == "held", None), else_=job.c.not_before)
    hinted = {"dirty_seq": job.c.dirty_seq + 1, "not_before": wakes, "rung_at": came_in.excluded.rung_at}
    documents = came_in.on_conflict_do_update(index_elements=["instance", "kind", "number"], set_=hinted)
    again = {"count": arrival.c.count + 1, "last_at": told.excluded.last_at}
    return documents.returning(job.c.id), told.on_conflict_do_update(index_elements=["job_id", "source"], set_=again)


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
        due = claimable(link, key.kind)
        own = tx.execute(own_to_claim(due), {**named(key), "now": now}).one_or_none()
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
    .values(outcome=bindparam("how"), note=bindparam("words"), ended_at=NOW)
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


_FOUND = select(job).where(IS)


def find(tx: Transaction, key: Key) -> Row[Any] | None:
    """The job row of a key."""
    return tx.execute(_FOUND, named(key)).one_or_none()


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

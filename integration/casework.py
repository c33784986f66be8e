"""What people do about exceptions, the same at the desk and at the command line. Every act is audited in its own commit.

`plan` says item by item what a replay would do; `replay` does exactly that, or refuses because the plan has aged.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from integration.domain.order import Key
from integration.store import Transaction, documents, effects, exceptions, ledger, lives, reference, views
from integration.wiring import World

PLAN_HOLDS = timedelta(minutes=10)
"""A plan older than this is refused: the person who made it no longer knows what it would do."""

MOST_ALONE = 100
"""So many cases one person may replay at once; for more a second person says the same."""
SECOND_WITHIN = timedelta(hours=1)
ASKED = "asked to replay"

WAYS = (
    "corrected by hand in the ERP",
    "corrected by hand in Centra",
    "not needed any more",
    "accepted as it is",
    "something else",
)
"""How a person may have ended a case; the reason says the rest. One whose cause is gone is replayed: it closes itself."""

LONGEST_NAME = 64
"""Of an actor or assignee, as the store keeps them."""


class CaseworkError(ValueError):
    """What was asked for cannot be done; the text says why to the person who asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a replay does with one case: `does` in words, or `skips` with the reason; one of the two is empty."""

    exception: int
    order: str
    does: str = ""
    skips: str = ""

    @property
    def words(self) -> str:
        return self.does or f"skip: {self.skips}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do now. `token` stands for exactly this plan, made at exactly this time."""

    steps: tuple[Step, ...]
    token: str

    @property
    def ids(self) -> list[int]:
        return [step.exception for step in self.steps]

    @property
    def moves(self) -> int:
        """How many cases a replay would do anything to."""
        return sum(bool(step.does) for step in self.steps)

    @property
    def batch(self) -> str:
        """The name of exactly the cases that would go, the same whoever plans them: two people compare it."""
        return _batch([step.exception for step in self.steps if step.does])

    @property
    def counts(self) -> dict[str, int]:
        """How many cases each thing would be done to, in words."""
        words = [step.words for step in self.steps]
        return {word: words.count(word) for word in dict.fromkeys(words)}


def plan(world: World, type: str = "", cause: str = "", *, ids: Collection[int] = ()) -> Plan:
    """What a replay of these cases, or of all open ones of a cause, would do. Raises `CaseworkError` for an unknown one."""
    if bool(ids) == bool(type and cause):
        raise CaseworkError("name the exceptions by their ids, or all of one cause by --type and --cause")
    with world.store.read() as tx:
        wanted = list(ids) or [int(row.id) for row in exceptions.members(tx, type=type, cause=cause)]
        if not wanted:
            raise CaseworkError(f"no open exception has the type {type} and the cause {cause!r}")
        rows = _cases(tx, wanted)
        steps = tuple(_step(row, tx.now) for row in rows)
        return Plan(steps, _token(world, rows, steps, int(tx.now.timestamp())))


def replay(
    world: World, ids: Collection[int], actor: str, reason: str = "", plan_token: str | None = None
) -> list[Key]:
    """Send the orders of these cases through the whole step again. Returns the keys of those that now go.

    What a plan would skip is skipped, so a second replay of one that is on its way moves nothing; `plan` says why. With a
    token, it is exactly that plan or nothing. Raises `CaseworkError` when the plan is too old or no longer true, and when there
    are more than `MOST_ALONE` of them and nobody else has asked for exactly these lately: the first one's word is on record then.
    """
    actor = _name(actor, "actor")
    why = f"replayed by {actor}" + (f": {reason}" if reason else "")
    with world.store.write("casework.replay") as tx:
        rows = _cases(tx, ids)
        if plan_token is not None:
            _check_token(world, rows, tx.now, plan_token)
        going = [row for row in rows if _step(row, tx.now).does]
        alone = _alone(tx, [row.id for row in going], actor, reason)
        keys: list[Key] = []
        if not alone:
            keys = ledger.wake(tx, [row.job_id for row in going], "operator", why)
            effects.doubt(tx, [row.job_id for row in going])
            for row in going:
                exceptions.note(tx, row.id, actor, "replayed", reason)
                _audit(tx, actor, "replayed", row.id, reason)
    if alone:
        raise CaseworkError(
            f"{len(going)} are more than the {MOST_ALONE} that one person may send again. That {actor} asked for batch {alone} "
            "is on record: it is done when a second person's plan shows the same batch and they ask for it within the hour"
        )
    for key in keys:
        world.ring("take", key)
    return keys


def _batch(ids: Collection[int]) -> str:
    return hashlib.sha256(repr(sorted(ids)).encode()).hexdigest()[:16]


def _alone(tx: Transaction, ids: Sequence[int], actor: str, reason: str) -> str:
    """The batch for which so many cases still need a second person, empty when they need none; the first one's word is noted."""
    if len(ids) <= MOST_ALONE:
        return ""
    batch = _batch(ids)
    these = f"{len(ids)} exceptions {batch}"
    if reference.who_did(tx, ASKED, these, tx.now - SECOND_WITHIN) - {actor}:
        return ""
    reference.record_act(tx, actor, ASKED, these, reason)
    return batch


def _cases(tx: Transaction, ids: Collection[int]) -> list[Any]:
    rows = views.cases(tx, ids)
    missing = sorted(set(ids) - {row.id for row in rows})
    if missing:
        raise CaseworkError(f"there is no exception {', '.join(str(i) for i in missing)}")
    return rows


def _step(row: Any, now: datetime) -> Step:
    number = row.number or ""
    skips = _obstacle(row, now)
    return Step(int(row.id), number, skips=skips) if skips else Step(int(row.id), number, does=_course(row))


def _obstacle(row: Any, now: datetime) -> str:
    """Why a replay would do nothing; empty when it would do something."""
    if row.state == "resolved":
        return "already resolved"
    if row.job_id is None:
        return "it concerns no order, so there is nothing to replay"
    if row.job_state in lives.FINAL:
        return f"its {row.kind} is {row.job_state}: nothing is left to do"
    if row.until is not None and row.until > now:
        return f"being worked on now, until {row.until:%H:%M:%S} UTC at the latest"
    resting = row.not_before is not None and row.not_before > now
    if row.job_state != "dead" and not resting:
        return "already on its way"
    return ""


def _course(row: Any) -> str:
    """What the document goes through, as `release.decide` and `effects.perform` will see it."""
    if row.kind != "order":
        return "read again in both systems, then go on from what they say"
    if row.job_state == "held":
        return "read again, and post if it is released by now"
    if row.doubted:
        return "read again, then look in the ERP by our reference: adopt what is there, or post"
    if row.answered:
        return "read again, then prove what was posted"
    return "read again, then post"


def _token(world: World, rows: Collection[Any], steps: Collection[Step], stamp: int) -> str:
    """`<seconds>-<digest>`: keyed, so that nobody can make an old plan young."""
    states = [(row.id, row.type, row.cause, row.state, row.job_state) for row in rows]
    seen = f"replay plan {stamp} {states} {[step.words for step in steps]}"
    return f"{stamp}-{world.vault.fingerprint(seen.encode())[:32]}"


def _check_token(world: World, rows: Collection[Any], now: datetime, token: str) -> None:
    stamp, _, _ = token.partition("-")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise CaseworkError("this is not the token of a plan: make one and use what it shows")
    if not now - PLAN_HOLDS <= datetime.fromtimestamp(int(stamp), UTC) <= now:
        raise CaseworkError("this plan is more than ten minutes old: make a new one and look at it")
    steps = [_step(row, now) for row in rows]
    if not hmac.compare_digest(_token(world, rows, steps, int(stamp)).encode(), token.encode()):
        raise CaseworkError("what this plan covers has changed since it was made: make a new one and look at it")


def assign(world: World, exception_id: int, to: str, actor: str) -> None:
    """Give a case to a person. Raises `CaseworkError` when it is not open."""
    to = _name(to, "person to assign to")
    _act(
        world,
        exception_id,
        actor,
        "assigned",
        to,
        lambda tx, who: exceptions.assign(tx, exception_id, to=to, actor=who),
    )


def comment(world: World, exception_id: int, text: str, actor: str) -> None:
    """Add a remark to a case, also to one that is resolved. Raises `CaseworkError` when it says nothing."""
    text = _said(text, "comment")

    def act(tx: Transaction, who: str) -> bool:
        exceptions.note(tx, exception_id, who, "comment", text)
        return True

    _act(world, exception_id, actor, "commented", text, act)


def snooze(world: World, exception_id: int, until: datetime, actor: str) -> None:
    """Stop reminding until an instant; the promise clock runs on. Raises `CaseworkError` when it is past or not open."""
    if until <= world.store.now():
        raise CaseworkError(f"{until:%Y-%m-%d %H:%M} UTC is past: a snooze ends in the future")

    def act(tx: Transaction, who: str) -> bool:
        return exceptions.snooze(tx, exception_id, until=until, actor=who)

    _act(world, exception_id, actor, "snoozed", f"until {until.isoformat(timespec='minutes')}", act)


def resolve(world: World, exception_id: int, how: str, reason: str, actor: str) -> str:
    """A person ends a case with a reason, and its order is closed for good: nothing more is sent for it.

    `how` is one of `WAYS` or words of the person's own. Returns what was done, in words. Raises `CaseworkError` without a reason, and while a worker is at the order.
    """
    how, reason, actor = _name(how, "way it was resolved"), _said(reason, "reason"), _name(actor, "actor")
    with world.store.write("casework.resolve") as tx:
        (row,) = _cases(tx, [exception_id])
        if row.state == "resolved":
            raise CaseworkError(f"exception {exception_id} is already resolved")
        if row.job_id is not None and not views.close_job(tx, row.job_id, f"closed by {actor} ({how}): {reason}"):
            raise CaseworkError(f"{row.kind} {row.number} is being worked on at this moment: try again in a minute")
        views.resolve_case(tx, exception_id, how=how, actor=actor, text=reason)
        _audit(tx, actor, "resolved", exception_id, f"{how}: {reason}")
    if row.job_id is None or row.job_state in lives.FINAL:
        return f"exception {exception_id} is resolved"
    return f"exception {exception_id} is resolved and {row.kind} {row.number} is closed: nothing more is sent for it"


def evidence(world: World, exception_id: int, actor: str) -> str:
    """The other system's own words, opened: they may name a person, so that they were opened is audited.

    Raises `CaseworkError` when the case keeps none, `VaultError` when they are gone or cannot be opened.
    """
    actor = _name(actor, "actor")
    with world.store.write("casework.evidence") as tx:
        (row,) = _cases(tx, [exception_id])
        if row.document_id is None:
            raise CaseworkError(f"exception {exception_id} keeps no words of another system")
        content = documents.by_id(tx, world.vault, row.document_id)
        exceptions.note(tx, exception_id, actor, "evidence opened")
        _audit(tx, actor, "evidence opened", exception_id, "")
    return content.decode("utf-8", "replace")


def _act(
    world: World, exception_id: int, actor: str, verb: str, told: str, act: Callable[[Transaction, str], bool]
) -> None:
    actor = _name(actor, "actor")
    with world.store.write(f"casework.{verb}") as tx:
        _cases(tx, [exception_id])
        if not act(tx, actor):
            raise CaseworkError(f"exception {exception_id} is already resolved")
        _audit(tx, actor, verb, exception_id, told)


def _audit(tx: Transaction, actor: str, verb: str, exception_id: int, reason: str) -> None:
    reference.record_act(tx, actor, verb, f"exception {exception_id}", reason)


def _said(text: str, what: str) -> str:
    told = text.strip()
    if not told:
        raise CaseworkError(f"a {what} is needed: whoever reads this later was not there")
    return told


def _name(text: str, what: str) -> str:
    told = _said(text, what)
    if len(told) > LONGEST_NAME or not told.isprintable():
        raise CaseworkError(f"the {what} has at most {LONGEST_NAME} characters, all of them printable")
    return told

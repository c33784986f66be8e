"""The one function that writes to another system: intent, call, answer; and for an unknown outcome, look first.

What the remote guarantees (`EffectClass`) decides how doubt is resolved. Every protection here has a test in which the
others are switched off, because they hide each other's faults.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from integration.errors import LeaseLost, NotReady, Rejected, Unavailable, Unknown
from integration.ports import EffectClass, Write
from integration.store import Store, StoreDown, Transaction, effects, ledger
from integration.store.ledger import Job


def in_doubt(kind: str) -> str:
    """The case of a document of this kind whose writing may or may not have happened."""
    return "ORDER_IN_DOUBT" if kind == "order" else "EFFECT_IN_DOUBT"


def missing(kind: str) -> str:
    """The case of a document of this kind that another system accepted and does not show."""
    return "ORDER_MISSING_IN_ERP" if kind == "order" else "EFFECT_IN_DOUBT"


def duplicate(kind: str) -> str:
    """The case of a document of this kind that another system has more than once."""
    return "ORDER_DUPLICATE_SUSPECT" if kind == "order" else "EFFECT_DUPLICATE_SUSPECT"


def perform(
    store: Store,
    job: Job,
    write: Write,
    *,
    lease: timedelta,
    point: Callable[[str], None],
    may_send: Callable[[], None] = lambda: None,
    may_intend: Callable[[Transaction], None] = lambda tx: None,
    **with_intent: Any,
) -> str:
    """Make the other side have this document exactly once, and return its id there.

    Raises `Unknown` or `NotReady` while an earlier call is in doubt, `Unavailable` when surely nothing was done, `NotReady`
    while a document waits on offer, `Rejected` when they refused or have several. `with_intent` are columns of the job that the intent writes with it;
    `may_send` is asked before a call that repeats a doubtful one, `may_intend` in the transaction of every intent; each
    raises to forbid it.
    """
    if not _intend(store, job, write, lease, with_intent, may_intend):
        standing = _standing(store, job, write)
        if standing is None:
            may_send()
            if not _intend(store, job, write, lease, with_intent, may_intend, again=True):
                standing = _standing(store, job, write)  # a call whose worker was given up has answered meanwhile
                if standing is None:
                    raise LeaseLost(f"the {write.name} was answered and undone while it was looked for")
        if standing is not None:
            return standing
    ref = _send(store, job, write, point)
    return _answered(store, job, write, ref)


def _intend(
    store: Store,
    job: Job,
    write: Write,
    lease: timedelta,
    values: dict[str, Any],
    may_intend: Callable[[Transaction], None],
    *,
    again: bool = False,
) -> bool:
    """Commit the intent while the lease is surely ours. False when an earlier intent, or its answer, stands in the way."""
    with store.write("intent") as tx:
        may_intend(tx)
        doubt = tx.now + write.takes + write.wait
        if again:
            if not effects.intend_again(tx, job.id, write.name, request=write.fingerprint, unknown_until=doubt):
                return False
        elif not effects.intend(
            tx,
            job.id,
            write.name,
            effect_class=write.effect_class,
            reference=write.reference,
            request=write.fingerprint,
            unknown_until=doubt,
        ):
            return False
        ledger.hold(tx, job, needs=write.takes, lease=lease, **values)
    return True


def _standing(store: Store, job: Job, write: Write) -> str | None:
    """The answer that stands already, or was found where an earlier call left us in doubt.

    What was refused may have been keyed by hand since, under the reference that its case names: where no key of theirs keeps
    a second document out, it is looked for before it is sent again.
    """
    with store.read() as tx:
        row = effects.of(tx, job.id, write.name)
        now = tx.now
    if row is None:
        return None
    refused = row.state == "refused" and write.effect_class is EffectClass.LOOK_UP
    if row.answer is None and row.state not in effects.PENDING and not refused:
        return None
    if row.answer is not None:
        return str(row.answer)
    found = write.find() if write.effect_class is not EffectClass.BLIND else []
    if len(found) > 1:
        raise Rejected(
            duplicate(job.key.kind),
            f"{write.reference} found {len(found)} times",
            f"there are {len(found)} documents under {write.reference}: {', '.join(found)}",
        )
    if found:
        return _answered(store, job, write, found[0])
    if refused:
        return None
    if write.effect_class is EffectClass.BLIND:
        message = f"the {write.name} was sent and never answered, and the other side offers no way to look it up"
        raise Rejected(in_doubt(job.key.kind), f"{write.name} in doubt", message)
    if row.unknown_until is not None and row.unknown_until > now:
        raise NotReady(
            f"an earlier call for the {write.name} is in doubt; until {row.unknown_until:%H:%M:%S} UTC its absence proves "
            "nothing",
            until=row.unknown_until,
        )
    if row.state == effects.ACCEPTED:
        raise Rejected(
            missing(job.key.kind),
            f"{write.name} accepted, then gone",
            f"the {write.name} {write.reference} was accepted without an id and is not there. It may still wait for its import, so "
            "it is not sent again by itself, and this ends when it appears; Replay sends it again: only where its import has "
            "surely failed",
        )
    return None


def _send(store: Store, job: Job, write: Write, point: Callable[[str], None]) -> str:
    point("effect.before-send")
    try:
        ref = write.send()
    except Unknown as unknown:
        _record(store, job, write, effects.ACCEPTED if unknown.accepted else "unknown")
        raise
    except StoreDown:  # the ledger fell, perhaps while an answer was noted: that says nothing of the call
        raise
    except (Unavailable, NotReady):  # surely nothing was done: not reached, or only put on offer
        _record(store, job, write, "void")
        raise
    except Rejected:
        _record(store, job, write, "refused")
        raise
    point("effect.after-send")
    return ref


def _record(store: Store, job: Job, write: Write, state: str) -> None:
    """How this try ended, unless the lease was lost meanwhile: another worker's try may be in doubt by now."""
    with store.write(f"effect.{state}") as tx:
        ledger.hold(tx, job)
        effects.record(tx, job.id, write.name, state)


def _answered(store: Store, job: Job, write: Write, ref: str) -> str:
    """Record the id, once. Another id on record means that there are two documents."""
    with store.write("answer") as tx:
        stands = effects.answer(tx, job.id, write.name, ref)
    if stands != ref:
        raise Rejected(
            duplicate(job.key.kind),
            f"{write.reference} twice",
            f"there are both {stands} and {ref} under {write.reference}",
        )
    return stands

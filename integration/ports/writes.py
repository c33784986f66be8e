"""How a write is described to the ledger, whichever system it is made in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SALES_ORDER = "sales order"
CANCELLATION = "cancellation"
SHIPMENT, CAPTURE, COMPLETION = "shipment", "capture", "completion"
EXPECTED_RETURN, RETURN_COMPLETION, RETURN_CANCELLATION = "expected return", "return completion", "return cancellation"
CREDIT_MEMO = "credit memo"
HOLD, NEW_ITEM, RELEASE = "hold", "new item", "release"
STOP, DEACTIVATION, ARCHIVING = "stop", "deactivation", "archiving"
"""What writes are called in the ledger, whichever system they are made in."""


class EffectClass(StrEnum):
    """What a remote guarantees about a write; the ledger's protocol follows from it."""

    UNIQUE_KEY = "A"
    """The remote refuses or returns a second document with our key."""
    DRAFT_THEN_CONFIRM = "B"
    """Creating makes a harmless draft; a repeatable second call makes it count."""
    LOOK_UP = "C"
    """One-shot, but it can be found by our reference, perhaps after a while."""
    BLIND = "D"
    """One-shot and not to be found: in doubt a person decides."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A document that the other side fetches itself, from its `channel`; it is to say within that time that it has it."""

    channel: str
    within: timedelta


@dataclass(frozen=True, slots=True)
class Write:
    """One write that another system will see.

    `send()` makes the call and returns the remote's id; `find()` returns the ids the remote has under `reference`.
    `wait` is how long after a doubtful call the look-up proves nothing; `takes` bounds the call itself. With an `offer`
    nobody is called: `send()` raises `NotReady`, and what is in doubt begins when the other side fetches it.
    """

    name: str
    effect_class: EffectClass
    reference: str
    fingerprint: str
    send: Callable[[], str]
    find: Callable[[], Sequence[str]]
    wait: timedelta
    takes: timedelta
    offer: Offer | None = None

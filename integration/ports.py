"""The two Protocols that everything outside talks through, and how a write is described to the ledger.

A third ERP is an implementation of `ERP`; the contract suite in `tests/contracts` says whether it is one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from integration.domain.order import Order
from integration.domain.proof import Value
from mappings import Mapping as Mapped

SALES_ORDER = "sales order"
CANCELLATION = "cancellation"
"""What the writes of order post are called in the ledger, whichever ERP makes them."""


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
class Write:
    """One write that another system will see.

    `send()` makes the call and returns the remote's id; `find()` returns the ids the remote has under `reference`.
    `wait` is how long after a doubtful call the look-up proves nothing; `takes` bounds the call itself.
    """

    name: str
    effect_class: EffectClass
    reference: str
    fingerprint: str
    send: Callable[[], str]
    find: Callable[[], Sequence[str]]
    wait: timedelta
    takes: timedelta


@dataclass(frozen=True, slots=True)
class Sighting:
    """A document seen in a feed: its number, the storefront's own stamp of its last change, and when it was placed."""

    number: str
    stamp: str
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the storefront's event queue. `number` is empty when it concerns nothing we follow."""

    id: int
    number: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """One document as read: parsed, and as bytes for the vault. `problem` replaces `order` when it cannot be parsed."""

    order: Order | None
    content: bytes
    fingerprint: str
    stamp: str
    problem: str = ""


class Storefront(Protocol):
    """Where orders are captured. All methods raise `Unavailable`."""

    name: str

    def fetch(self, numbers: Sequence[str]) -> Mapping[str, Fetched]:
        """Orders by number, in one request; a number that does not exist is left out."""

    def reread(self, content: bytes) -> Order:
        """An order from the bytes that `fetch` gave."""

    def placed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """One page of the orders created in [since, until), by number; and whether there may be more pages."""

    def changed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """The same for orders changed in a window. Unconfirmed at Centra, so behind a switch."""

    def stamps(self, numbers: Sequence[str]) -> Sequence[Sighting]:
        """Only the change stamps of orders."""

    def listen(self) -> None:
        """Ask the event queue to hear of orders from now on; repeatable."""

    def events(self) -> Sequence[Event]:
        """The oldest unconfirmed events; the same ones again until confirmed."""

    def confirm_events(self, ids: Collection[int]) -> None:
        """Confirm events. Only after what they said is committed."""

    def check(self) -> str:
        """Ask something harmless; returns words for an operator."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An order in the ERP's words, ready to send, and the components its read-back must show."""

    reference: str
    request: Mapping[str, object]
    fingerprint: str
    components: Mapping[str, Value]
    carried: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A sales order as the ERP reads it back.

    `life` is one of draft, processing, done, cancelled; `problem` the ERP's own note of why it does not go on, as
    evidence for the vault; `stamp` changes whenever the document changes.
    """

    ref: str
    reference: str
    number: str
    life: str
    components: Mapping[str, Value]
    stamp: str
    problem: str = ""


class ERP(Protocol):
    """Where orders are fulfilled and booked. Methods raise `Unavailable`, `Unknown` (writes), `Rejected`, `Unmapped`."""

    name: str

    def items(self, skus: Collection[str]) -> Mapping[str, str | None]:
        """The ERP's item ids by SKU; `None` where it has no active item. Exact spelling only."""

    def compose(self, order: Order, mapping: Mapped) -> Draft:
        """Translate an order. Raises `Unmapped`, or `Rejected` when it cannot be represented exactly. No network."""

    def order_write(self, draft: Draft) -> Write:
        """The write that creates the sales order of a draft."""

    def cancel_write(self, reference: str, ref: str) -> Write:
        """The write that cancels a sales order; `Rejected` with ORDER_CANCEL_TOO_LATE when the ERP will not."""

    def standing(self, references: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        """Read sales orders back by our references, in pages; several under one reference are all returned."""

    def changed_since(self, since: datetime) -> Sequence[Standing]:
        """Sales orders of our channels created or changed since, without components: for the back-check."""

    def reference(self, order_number: str) -> str:
        """Our reference for an order number: the same text every time."""

    def number_of(self, reference: str) -> str:
        """The order number in a reference; empty when the reference is not ours."""

    def check(self) -> str:
        """Ask something harmless; returns words for an operator."""

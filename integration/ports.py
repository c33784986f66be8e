"""The two Protocols that everything outside talks through, and how a write is described to the ledger.

A third ERP is an implementation of `ERP`; the contract suite in `tests/contracts` says whether it is one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from integration.domain.credit import Refund
from integration.domain.money import Money
from integration.domain.order import Discount, Order
from integration.domain.product import Item
from integration.domain.proof import Value
from integration.domain.returns import Receipt, Return
from integration.domain.shipment import Dispatch, ShownShipment
from integration.errors import Rejected
from mappings import Mapping as Mapped

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


@dataclass(frozen=True, slots=True)
class Sighting:
    """A document seen in a feed: its number, the storefront's own stamp of its last change, and when it was placed."""

    number: str
    stamp: str
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the storefront's event queue: a document's kind and number; no number when it is nothing we follow.

    Dispatches have numbers of their own, so what tells of a shipment carries the number of its order.
    """

    id: int
    number: str
    kind: str = "order"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the storefront lets all its integrations together use of a measure in a window, and what they have used."""

    measure: str
    window: timedelta
    units: int
    used: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """One document as read: parsed, and as bytes for the vault. `problem` replaces `order` when it cannot be parsed.

    `changed_at` is when the storefront last changed anything of it, where it says so.
    """

    order: Order | None
    content: bytes
    fingerprint: str
    stamp: str
    problem: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taking:
    """An order in the books of the night: where it was sold and for how much. `cancelled` ones count for nothing.

    `total` is what is left to pay after the `discounts`, gift cards among them.
    """

    number: str
    market: str
    total: Money
    cancelled: bool
    placed_at: datetime | None
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True)
class Booking:
    """A sales order in the ERP's books. `life` as in `Standing`."""

    ref: str
    number: str
    life: str
    total: Money


@dataclass(frozen=True, slots=True)
class Variant:
    """A SKU as the storefront addresses it; `ref` is opaque to everybody else."""

    sku: str
    ref: str


SHELF_PAGE = 200
"""The most variants one `shelves` may ask for."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the storefront has of a SKU: whole units. `demand` was sold and could not be allocated."""

    physical: int
    allocated: int
    demand: int

    @property
    def free(self) -> int:
        return self.physical - self.allocated

    @property
    def available(self) -> int:
        """What shoppers can still buy, before the storefront's own threshold."""
        return self.free - self.demand


@dataclass(frozen=True, slots=True)
class StockPlace:
    """A storefront warehouse. `threshold` units are held back by the storefront itself in what shoppers see."""

    id: str
    name: str
    threshold: int


@dataclass(frozen=True, slots=True)
class FetchedReturn:
    """A return as read; `problem` replaces `document` when it cannot be parsed."""

    document: Return | None
    stamp: str
    problem: str = ""


class StorefrontStock(Protocol):
    """Stock in the storefront: always absolute numbers, never differences. Methods raise `Unavailable`."""

    def variants(self, page: int) -> tuple[Sequence[Variant], bool]:
        """One page (from 1) of all SKUs, and whether there may be more."""

    def shelves(self, place: str, refs: Collection[str]) -> Mapping[str, Shelf]:
        """What a warehouse of the storefront has of these variants, by ref; what it does not know is left out.

        In one request, so for at most `SHELF_PAGE` of them.
        """

    def set_stock(self, place: str, quantity_type: str, quantities: Mapping[str, int]) -> None:
        """Set the stock of many variants (ref to number) in one request. Repeatable. Raises `Unknown`, `Rejected`."""

    def places(self) -> Sequence[StockPlace]:
        """The storefront's warehouses."""


ORDERS_PAGE = 50
"""The most orders one call for their shipments or refunds may name."""


class StorefrontShipments(Protocol):
    """Shipments and captures in the storefront. Methods raise `Unavailable`."""

    def shipments(self, order_numbers: Collection[str]) -> Mapping[str, Sequence[ShownShipment]]:
        """All shipments of these orders, by order number, oldest first, in one request; at most `ORDERS_PAGE` orders.

        An order without shipments has none; one that does not exist or cannot be read is left out.
        """

    def create_shipment(
        self, dispatch: Dispatch, order_id: str, *, bound: Collection[str], paid: bool = False
    ) -> Write:
        """Show a dispatch: lines and quantities, good to go, nothing captured or sent. Class C: found again as a shipment
        of the order with just these lines that is not among `bound`, the refs that other dispatches have. `paid`: its
        money is taken elsewhere, so no capture is to follow.
        """

    def capture_shipment(self, ref: str, order_number: str) -> Write:
        """Ask the payment provider for the shipment's total. Found again when the shipment shows a capture, settled or
        requested. `Rejected` (CAPTURE_FAILED) when the provider refuses: the shipment stays.
        """

    def complete_shipment(self, ref: str, dispatch: Dispatch, carrier: str, service: str) -> Write:
        """Mark as sent with carrier, service, every tracking number; the customer is told. Found when it is shipped."""


class StorefrontReturns(Protocol):
    """Returns and refunds in the storefront. Methods raise `Unavailable`."""

    def returns(self, numbers: Collection[str]) -> Mapping[str, FetchedReturn]:
        """Returns by number in one request; one that does not exist any more is left out."""

    def returns_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """One page of the returns made in a window, and whether there may be more."""

    def complete_return(self, number: str) -> Write:
        """Complete a return whose goods were received and inspected; its stock action was fixed when it was made."""

    def refunds(self, order_numbers: Collection[str]) -> Mapping[str, Sequence[Refund]]:
        """Every refund of these orders, of their returns and of their payment histories, each once, by order number, oldest
        first; for at most `ORDERS_PAGE` orders. An order without refunds has none; one that does not exist or cannot be
        read is left out.
        """


class StorefrontProducts(Protocol):
    """The storefront's catalogue. Methods raise `Unavailable`."""

    def catalogue(self, page: int) -> tuple[Sequence[Item], bool]:
        """One page (from 1) of all SKUs, bundles too, and whether there may be more."""

    def offers(self, refs: Collection[str]) -> Mapping[str, Item]:
        """Items by ref with their siblings, in one request, so for at most `SHELF_PAGE`; what is gone is left out."""

    def set_status(self, item: Item, status: str, name: str) -> Write:
        """Put the whole family of an item on sale, hold it back, or archive it. Repeatable. `name` is the write's in the
        ledger. `Rejected` (PRODUCT_BY_HAND) where the storefront will not.
        """


class Storefront(StorefrontStock, StorefrontShipments, StorefrontReturns, StorefrontProducts, Protocol):
    """Where orders are captured. All methods raise `Unavailable`."""

    name: str

    def fetch(self, numbers: Sequence[str]) -> Mapping[str, Fetched]:
        """Orders by number, in one request; a number that does not exist is left out."""

    def reread(self, content: bytes) -> Order:
        """An order from the bytes that `fetch` gave."""

    def placed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """One page of the orders created in [since, until), by number; and whether there may be more pages."""

    def takings(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Taking], bool]:
        """One page of what was sold in [since, until), by number; and whether there may be more pages."""

    def changed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """The same for orders changed in a window. Unconfirmed at Centra, so behind a switch."""

    def stamps(self, numbers: Sequence[str]) -> Sequence[Sighting]:
        """Only the change stamps of orders."""

    def listen(self) -> None:
        """Ask the event queue to hear of orders, shipments and returns from now on; repeatable."""

    def events(self) -> Sequence[Event]:
        """The oldest unconfirmed events; the same ones again until confirmed."""

    def confirm_events(self, ids: Collection[int]) -> None:
        """Confirm events. Only after what they said is committed."""

    def limits(self) -> Sequence[Allowance]:
        """The storefront's own count of its budgets, by measure and window; asking costs one request."""

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
    evidence for the vault; `stamp` changes whenever the document changes. `refusal` is why it cannot be judged, this one
    document alone: raised where it is its turn, so that a page of others goes on.
    """

    ref: str
    reference: str
    number: str
    life: str
    components: Mapping[str, Value]
    stamp: str
    problem: str = ""
    refusal: Rejected | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What the ERP has of a SKU, summed over the asked warehouses; whole units, rounded down; may be negative."""

    on_hand: int
    available: int


@dataclass(frozen=True, slots=True)
class Hint:
    """Something in the ERP that changed: its ref or SKU, a stamp, and the order it belongs to where that is known.

    `number` is what people call it there.
    """

    ref: str
    stamp: str
    order_number: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Memo:
    """A credit memo as the ERP reads it back, amounts positive. `life`: draft, posted, paid, cancelled."""

    ref: str
    reference: str
    number: str
    life: str
    components: Mapping[str, Value]
    stamp: str


class ERPStock(Protocol):
    """Stock in the ERP. Methods raise `Unavailable`."""

    def figures(self, skus: Collection[str], warehouses: Collection[int]) -> Mapping[str, Figure]:
        """What the ERP has of these SKUs in these warehouses, in pages; a SKU it does not know is left out."""

    def moved_since(self, since: datetime) -> Collection[str]:
        """SKUs whose stock may have changed since, by the ERP's own movements."""

    def stocked(self, after: str) -> tuple[Sequence[str], str]:
        """One page of all SKUs that the ERP stocks, and the mark to continue after; an empty mark at the end."""


class ERPShipments(Protocol):
    """What leaves the ERP's warehouses. Methods raise `Unavailable`."""

    def dispatched_since(self, since: datetime) -> Sequence[Hint]:
        """Shipments of our orders that are done, or were, and changed since."""

    def dispatches(self, refs: Collection[str]) -> Mapping[str, Dispatch]:
        """Shipments by ref, in pages; `Rejected` (SCHEMA_CHANGE) never for one of them alone: it is left out."""


class ERPReturns(Protocol):
    """Goods expected back, and what the warehouse found. Methods raise `Unavailable`."""

    def return_reference(self, number: str) -> str:
        """Our reference for a return of the storefront."""

    def return_number(self, reference: str) -> str:
        """The storefront's return in a reference; empty when the reference is not ours."""

    def open_return(self, document: Return, order_ref: str, mapping: Mapped) -> Write:
        """Announce a return against its sales order, every field explicit. Class C until a tenant proves the key."""

    def cancel_return(self, reference: str, ref: str) -> Write:
        """Withdraw an expected return; `Rejected` (RETURN_CANCELLED_LATE) when goods have arrived.

        `ref` is empty where the answer to its announcement was lost: then it is found by our reference.
        """

    def receipts(self, references: Collection[str], mapping: Mapped) -> Mapping[str, Sequence[Receipt]]:
        """Expected returns by our references, with what was received and how it was inspected."""

    def received_since(self, since: datetime) -> Sequence[Hint]:
        """Return receipts that changed since: `ref` is our reference, empty when nothing was announced by us."""


class ERPCredit(Protocol):
    """Credit memos. Methods raise `Unavailable`."""

    def memo_reference(self, refund: Refund) -> str:
        """Our reference for a refund."""

    def refund_number(self, reference: str) -> str:
        """The refund in a reference; empty when the reference is not ours."""

    def compose_memo(self, refund: Refund, order: Order, order_ref: str, mapping: Mapped) -> Draft:
        """Translate a refund; `components` are what the memo's read-back must show. Raises `Unmapped`, `Rejected`."""

    def memo_write(self, draft: Draft) -> Write:
        """The write that creates and posts the memo of a draft. `Rejected` with CREDIT_PERIOD_CLOSED."""

    def memos(self, references: Collection[str]) -> Mapping[str, Sequence[Memo]]:
        """Memos by our references, in pages; several under one reference are all returned."""

    def memos_since(self, since: datetime) -> Sequence[Hint]:
        """Credit memos of our orders that changed since; `ref` is our reference, empty for one that is not ours."""


class ERPItems(Protocol):
    """What the ERP knows of each SKU. Methods raise `Unavailable`."""

    def definitions(self, skus: Collection[str], *, parts: bool = False) -> Sequence[Item]:
        """The items, active or not, that are spelt like these SKUs or may mean them; `parts`: with what kits consist of."""

    def item(self, ref: str) -> Item:
        """One item with every field that the ERP tells."""

    def create_item(self, offer: Item, template: str) -> Write | None:
        """The write that makes an item of what the storefront says and of a template's everything else (class C, found by
        its SKU); `None` where the ERP has no such call, and a person does it. `Rejected` (PRODUCT_STAGING_INCOMPLETE) when
        it will not.
        """

    def deactivate_item(self, item: Item) -> Write | None:
        """The write after which nothing of an item is sold; `None` where a person does it."""


class ERP(ERPStock, ERPShipments, ERPReturns, ERPCredit, ERPItems, Protocol):
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

    def bookings(self, references: Collection[str]) -> Mapping[str, Sequence[Booking]]:
        """Totals of sales orders by our references, in as few requests as pages allow; absent ones have none."""

    def changed_since(self, since: datetime) -> Sequence[Standing]:
        """Sales orders of our channels created or changed since, without components: for the back-check."""

    def reference(self, order_number: str) -> str:
        """Our reference for an order number: the same text every time."""

    def number_of(self, reference: str) -> str:
        """The order number in a reference; empty when the reference is not ours."""

    def check(self) -> str:
        """Ask something harmless; returns words for an operator."""

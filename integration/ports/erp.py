"""Where orders are fulfilled and booked: what is read of it, and the Protocol that each adapter implements."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from integration.domain.credit import Refund
from integration.domain.money import Money
from integration.domain.order import Order
from integration.domain.product import Item
from integration.domain.proof import Value
from integration.domain.returns import Receipt, Return
from integration.domain.shipment import Dispatch
from integration.errors import Rejected
from integration.ports.writes import Write
from mappings import Mapping as Mapped


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
class Booking:
    """A sales order in the ERP's books. `life` as in `Standing`."""

    ref: str
    number: str
    life: str
    total: Money


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

    def keeps_lines(self, mapping: Mapped) -> bool:
        """Whether a sales order that was made with this mapping keeps the storefront's line ids, and its dispatches name them;
        of another only the SKUs count.
        """

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


Told = tuple[str, str, str, str]
"""A finding of an adapter's own `examine`: grade (ok, warn or FAIL), what was looked at, what it is like, and what to do."""


class ERP(ERPStock, ERPShipments, ERPReturns, ERPCredit, ERPItems, Protocol):
    """Where orders are fulfilled and booked. Methods raise `Unavailable`, `Unknown` (writes), `Rejected`, `Unmapped`."""

    name: str

    def items(self, skus: Collection[str]) -> Mapping[str, str | None]:
        """The ERP's item ids by SKU; `None` where it has no active item. Exact spelling only."""

    def compose(self, order: Order, mapping: Mapped) -> Draft:
        """Translate an order. Raises `Unmapped`, or `Rejected` when it cannot be represented exactly. No network."""

    def order_write(self, draft: Draft) -> Write:
        """The write that creates the sales order of a draft."""

    def keyed_by_hand(self, order: Order) -> Sequence[str]:
        """Numbers of living sales orders that bear no reference at all and were made since this order was placed, of the same
        total and with its goods: somebody may have typed it in. None where the ERP does not show such orders.
        """

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

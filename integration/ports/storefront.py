"""Where orders are captured: what is read of it, and the Protocol that its adapter implements."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from integration.domain.credit import Refund
from integration.domain.money import Money
from integration.domain.order import Discount, Order
from integration.domain.product import Item
from integration.domain.returns import Return
from integration.domain.shipment import Dispatch, ShownShipment
from integration.ports.writes import Write


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

"""One Centra instance: its state behind a lock, what tests and simulations do to it, and `app`, its face on HTTP."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.catalogue import CENTRA_WAREHOUSES
from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_books import book, ledger
from integration.sandbox.centra_control import Control
from integration.sandbox.centra_events import Events
from integration.sandbox.centra_faults import CENTRA_FAULTS
from integration.sandbox.centra_limits import Limits
from integration.sandbox.centra_orders import Basket, Order, Refused
from integration.sandbox.centra_parcels import Mail, StockPolicy
from integration.sandbox.centra_products import Products
from integration.sandbox.centra_returns import Returns, return_items
from integration.sandbox.centra_shapes import Shapes
from integration.sandbox.centra_shipments import Shipments
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.centra_webhooks import Deliver, Endpoint, Webhooks, post
from integration.sandbox.centra_wire import Wire
from integration.sandbox.clock import Clock, RealClock
from integration.sandbox.faults import Faults
from integration.sandbox.goods import GOODS

DEFAULT_TOKEN = "sandbox-centra-token"  # noqa: S105  # the sandbox's open secret
INTEGRATION = "lockstep"


@dataclass
class Token:
    """An Integration API token. `permissions` None means all, `store_id` None every store, `expires` None never.

    Tokens of one `integration` name share an event queue (documented).
    """

    integration: str = INTEGRATION
    permissions: frozenset[str] | None = None
    store_id: int | None = None
    expires: datetime | None = None


class Centra:
    """The double. Every public method takes the lock, so several threads and the HTTP face may use it at once."""

    def __init__(
        self,
        clock: Clock | None = None,
        switches: CentraSwitches | None = None,
        seed: int = 1,
        deliver: Deliver = post,
    ) -> None:
        self.clock = clock or RealClock()
        self.switches = switches or CentraSwitches()
        self.faults = Faults(CENTRA_FAULTS)
        self.book = Orders(self.clock, self.switches, seed, lambda: self.faults, self._changed, self._happened)
        self.shipments = Shipments(self.book)
        self.returns = Returns(self.book)
        self.guard = self.book.guard
        self.shapes = Shapes(self.clock.now().replace(microsecond=0), self.switches)
        self.products = Products(self.shapes, self.switches, self.book.now)
        self.events = Events(self._copies)
        self.limits = Limits()
        self.webhooks = Webhooks(self.clock, self.switches, self.faults, deliver)
        self.tokens: dict[str, Token] = {DEFAULT_TOKEN: Token()}
        self.requests: Counter[str] = Counter()
        """GraphQL requests by the first field they ask for."""
        self.watchers: list[Callable[[Order, str], None]] = []
        """Called with (order, "CREATED" | "UPDATED") at every change, inside the lock."""
        self.app = Wire(self, Control(self))

    @property
    def orders(self) -> dict[int, Order]:
        """All orders by number."""
        return self.book.by_number

    def grant(
        self,
        token: str,
        permissions: Iterable[str] | None = None,
        store: int | None = None,
        integration: str = INTEGRATION,
        expires: datetime | None = None,
    ) -> Token:
        """Make or replace a token."""
        made = Token(integration, None if permissions is None else frozenset(permissions), store, expires)
        with self.guard:
            self.tokens[token] = made
        return made

    def revoke(self, token: str) -> None:
        with self.guard:
            self.tokens.pop(token, None)

    def place_order(self, order: Basket | Mapping[str, Any]) -> int:
        """Place an order (a `Basket`, or its words as JSON has them); gives its number. Raises `Refused`."""
        basket = order if isinstance(order, Basket) else Basket.from_json(order)
        with self.guard:
            self.products.check_out(basket)
            return self.book.place(basket).number

    def confirm(self, number: int) -> None:
        with self.guard:
            self.book.confirm(self.book.find(number))

    def hold(self, number: int, reason: str = "") -> None:
        with self.guard:
            self.book.hold(self.book.find(number), True, reason)

    def release(self, number: int, reason: str = "") -> None:
        with self.guard:
            self.book.hold(self.book.find(number), False, reason)

    def pay(self, number: int) -> None:
        """The payment the order waited for is authorised."""
        with self.guard:
            self.book.pay(self.book.find(number))

    def cancel(self, number: int, comment: str = "") -> None:
        with self.guard:
            self.book.cancel(self.book.find(number), comment, cancel_authorisation=True)

    def edit(self, number: int, /, **words: Any) -> None:
        """Edit as the back office does: `quantities` {SKU: n}, `add` [lines], `shippingAddress`, `billingAddress`,
        `comment`. Raises `Refused`.
        """
        with self.guard:
            self.book.edit(self.book.find(number), words)

    def register_webhook(self, url: str, secret: str, store: int, retries: int = 0, max_events: int = 100) -> Endpoint:
        """Install a webhook plugin in a store; its calls go through the injected `deliver`."""
        with self.guard:
            return self.webhooks.register(url, secret, store, retries, max_events)

    def set_physical(self, sku: str, quantity: int, warehouse_id: int = 1) -> None:
        """Set a SKU's physical pieces in one warehouse; raises `Refused` below what is allocated, `KeyError` for a SKU or
        warehouse that is not there.
        """
        with self.guard:
            stock = self.book.stock
            if GOODS[sku].is_bundle or not 0 <= stock.allocated[warehouse_id, sku] <= quantity:
                raise Refused(f"{sku} cannot be set to {quantity} in {CENTRA_WAREHOUSES[warehouse_id].name}")
            stock.shift(warehouse_id, {sku: quantity - stock.at(warehouse_id, sku)}, "SET", "", self.book.now())
            self.book.refill()

    def make_product(self, sku: str, status: str = "INACTIVE") -> None:
        """A person makes the variant of a SKU that was withheld, or not made yet."""
        with self.guard:
            self.products.make(sku, status)

    def withhold_product(self, sku: str) -> None:
        """From here on as if the variant of a SKU had not been made yet."""
        with self.guard:
            self.products.withhold(sku)

    def change_product(self, sku: str, /, **words: Any) -> None:
        """A person edits a SKU: `ean`, `sku`, `name` and `status` (ACTIVE, INACTIVE, CANCELLED) of its variant."""
        with self.guard:
            self.products.change(sku, **words)

    def set_threshold(self, warehouse_id: int, pieces: int) -> None:
        """Pieces of every SKU the shop keeps back in a warehouse."""
        with self.guard:
            self.shapes.warehouses[warehouse_id]["threshold"] = self.book.stock.thresholds[warehouse_id] = pieces

    def return_items(
        self,
        number: int,
        items: Mapping[str, int],
        *,
        stock: StockPolicy = "release",
        shipping: Decimal | None = None,
        return_cost: Decimal | None = None,
    ) -> list[int]:
        """Pending returns of `items` (SKU to pieces), one for each shipment they went in; gives their ids.

        `shipping` is given back on top (None: nothing), `return_cost` deducted; vouchers are shared over the goods.
        Raises `Refused` when so much was not shipped.
        """
        with self.guard:
            order = self.book.find(number)
            return [made.id for made in return_items(self.returns, order, items, stock, shipping, return_cost)]

    def complete_return(self, id: int) -> None:
        with self.guard:
            self.returns.complete(self.returns.find(id))

    def refund_return(self, id: int) -> None:
        """Pay a return's total back; raises `Refused` when the provider will not."""
        with self.guard:
            self.returns.refund(self.returns.find(id))

    def cancel_return(self, id: int) -> None:
        """Delete a pending return that was not refunded; raises `Refused` for another."""
        with self.guard:
            self.returns.delete(self.returns.find(id))

    def refund(self, number: int, amount: Decimal, note: str = "") -> None:
        """Give money back without goods (goodwill, a shipping price), major units; raises `Refused`."""
        with self.guard:
            self.returns.refund_amount(self.book.find(number), amount, note)

    def books(self) -> list[dict[str, Any]]:
        """The truth about every order, in number order; see `centra_books` for units."""
        with self.guard:
            mails: dict[int, list[Mail]] = {}
            for mail in self.book.parcels.mails:
                mails.setdefault(mail.order_number, []).append(mail)
            return [book(order, mails.get(number, [])) for number, order in self.book.by_number.items()]

    def ledger(self) -> dict[str, Any]:
        """Stock, placed orders with units, shipments, returns, refunds, captures and e-mails of the whole Centra."""
        with self.guard:
            return ledger(self.book)

    def _copies(self, number: str) -> int:
        return 2 if self.faults.due("events", number, among=("events-doubled",)) else 1

    def _changed(self, order: Order, change: str) -> None:
        store_id = order.store.id
        if self.switches.events_enabled:
            self.events.happened("Order", change, str(order.number), order.updated_at, store_id, order.market.id)
        self.webhooks.changed("order", "insert" if change == "CREATED" else "update", order.number, store_id)
        for watcher in self.watchers:
            watcher(order, change)

    def _happened(self, kind: str, change: str, id: int, order: Order, action: str) -> None:
        """Tell of what hangs on an order; no `action` means no webhook."""
        store_id = order.store.id
        if self.switches.events_enabled:
            market_id = order.market.id
            self.events.happened(kind, change, str(id), self.book.now(), store_id, market_id, order.number)
        if action:
            self.webhooks.changed(kind.lower(), action, id, store_id, order.number)

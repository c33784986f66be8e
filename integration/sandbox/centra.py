"""One Centra instance: its state behind a lock, what tests and simulations do to it, and `app`, its face on HTTP."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_control import Control
from integration.sandbox.centra_events import Events
from integration.sandbox.centra_faults import CENTRA_FAULTS
from integration.sandbox.centra_limits import Limits
from integration.sandbox.centra_orders import Basket, Order
from integration.sandbox.centra_shapes import Shapes
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.centra_webhooks import Deliver, Endpoint, Webhooks, post
from integration.sandbox.centra_wire import Wire
from integration.sandbox.clock import Clock, RealClock
from integration.sandbox.faults import Faults

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
        self.book = Orders(self.clock, self.switches, seed, self._changed)
        self.guard = self.book.guard
        self.shapes = Shapes(self.clock.now().replace(microsecond=0))
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

    def books(self) -> list[dict[str, Any]]:
        """The truth about every order, in number order; amounts are `Decimal` in major units."""
        with self.guard:
            return [_book(order) for order in self.book.by_number.values()]

    def _copies(self, number: str) -> int:
        return 2 if self.faults.due("events", number, among=("events-doubled",)) else 1

    def _changed(self, order: Order, change: str) -> None:
        store_id = order.store.id
        if self.switches.events_enabled:
            self.events.happened("Order", change, str(order.number), order.updated_at, store_id, order.market.id)
        self.webhooks.changed("order", "insert" if change == "CREATED" else "update", order.number, store_id)
        for watcher in self.watchers:
            watcher(order, change)


def _book(order: Order) -> dict[str, Any]:
    totals = order.totals
    return {
        "number": order.number,
        "id": order.id,
        "status": order.status,
        "on_hold": order.on_hold,
        "waiting_for_payment": order.waiting_for_payment,
        "locked": order.locked,
        "store_id": order.store.id,
        "market_id": order.market.id,
        "market": order.market.name,
        "country": order.country.code,
        "currency": order.currency,
        "tax_inclusive": order.store.tax_inclusive,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "email": order.customer.email,
        "shipping_option": order.shipping_option.uri,
        "payment": order.payment,
        "grand_total": order.grand_total,
        "adds_up": order.grand_total == totals.grand_total,
        "line_values": totals.line_values,
        "shipping": totals.shipping,
        "handling": totals.handling,
        "discounts": totals.discounts,
        "tax": totals.tax_added + totals.tax_included,
        "shipping_tax": totals.shipping_tax,
        "lines": [
            {
                "id": line.id,
                "sku": line.good.sku,
                "quantity": line.quantity,
                "cancelled": line.cancelled,
                "unit_price": line.unit_price,
                "percent": line.percent,
                "gross": value.gross,
                "net": value.net,
                "tax": value.tax,
            }
            for line, value in zip(order.lines, totals.lines, strict=True)
        ],
        "vouchers": [
            {"code": voucher.code, "type": voucher.type, "value": value}
            for (voucher, _), value in zip(order.vouchers, totals.applied, strict=True)
        ],
        "payments": [
            {"entry_type": entry.entry_type, "status": entry.status, "value": entry.value} for entry in order.payments
        ],
    }

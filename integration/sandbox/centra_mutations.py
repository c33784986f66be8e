"""What GraphQL writes: orders and the event queue here, stock, shipments and returns in their own modules. A refusal becomes `userErrors`, never a GraphQL error.

Several changes in one `updateDirectToConsumerOrder` are made in a fixed order and stop at the first refusal; whether
Centra undoes the earlier ones is unconfirmed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from graphql import GraphQLError

from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_events import Events
from integration.sandbox.centra_orders import Order, Payment, Refused
from integration.sandbox.centra_parcel_calls import ParcelCalls
from integration.sandbox.centra_parcels import StockPolicy
from integration.sandbox.centra_payload import Arguments, note, payload, stock_policy
from integration.sandbox.centra_products import Products
from integration.sandbox.centra_queries import Queries
from integration.sandbox.centra_returns import Returns
from integration.sandbox.centra_run import Resolver
from integration.sandbox.centra_shapes import Shape, Shapes
from integration.sandbox.centra_shipments import Shipments
from integration.sandbox.centra_stock_calls import StockCalls
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.currencies import rounded
from integration.sandbox.faults import Faults

MISSING = ("updateWholesaleOrder", "setIdConversions")


@dataclass
class Mutations:
    """Writes on behalf of one token. `refuse` makes every one of them answer with a user error (a fault)."""

    orders: Orders
    shapes: Shapes
    events: Events
    switches: CentraSwitches
    clock: Clock
    faults: Faults
    queries: Queries
    store_id: int | None
    integration: str
    shipments: Shipments
    returns: Returns
    products: Products
    refuse: bool = False

    def resolvers(self) -> dict[tuple[str, str], Resolver]:
        named: dict[str, Callable[[Arguments], Shape]] = {
            "confirmOrder": self.confirm_order,
            "updateDirectToConsumerOrder": self.update_order,
            "cancelDirectToConsumerOrder": self.cancel_order,
            "setOrdersLock": self.set_orders_lock,
            "captureOrder": self.capture_order,
            "releaseRemainingOrderAuthorization": self.release_authorisation,
            "setEventListeners": self.set_event_listeners,
            "unsetEventListeners": self.unset_event_listeners,
            "confirmEvents": self.confirm_events,
            **self.products.acts(),
            **StockCalls(self.orders, self.shapes, self.queries, self.switches, self.faults).acts(),
            **ParcelCalls(self.shipments, self.returns, self.shapes, self.queries, self._order, self.store_id).acts(),
        }
        found = {("Mutation", name): self._guarded(name, act) for name, act in named.items()}
        for name in MISSING:
            found["Mutation", name] = _missing(name)
        return found

    def confirm_order(self, arguments: Arguments) -> Shape:
        order = self._order(arguments["input"]["order"])
        self.orders.confirm(order)
        return payload(order=self.shapes.order(order))

    def update_order(self, arguments: Arguments) -> Shape:
        order, words = self._order(arguments["order"]), arguments["input"]
        if cost := words.get("shippingCost"):
            if cost["currencyIsoCode"] != order.currency:
                raise Refused(f"Shipping cost must be in {order.currency}", "shippingCost", "currencyIsoCode")
            self.orders.set_shipping_price(order, rounded(Decimal(str(cost["value"])), order.currency))
        for cancelled in words.get("cancelLines") or ():
            policy: StockPolicy = "remove" if cancelled["stockAction"] == "REMOVE_FROM_STOCK" else "release"
            self.orders.cancel_line(order, cancelled["line"].get("id", 0), cancelled["quantity"], policy)
        if words.get("isOnHold") is not None:
            self.orders.hold(order, words["isOnHold"], words.get("holdStatusChangeReason") or "")
        self._update_record(order, words)
        return payload(order=self.shapes.order(order))

    def cancel_order(self, arguments: Arguments) -> Shape:
        """When the payment provider refuses to cancel, the order is cancelled all the same, with a warning."""
        words = arguments.get("input") or {}
        order = self._order({"id": arguments["id"]})
        cancels = bool(words.get("cancelAuthorization"))
        refused = cancels and self._provider_refuses("cancelDirectToConsumerOrder", order)
        stock = stock_policy(words["stockAction"], "input", "stockAction") if words.get("stockAction") else "release"
        self.orders.cancel(order, words.get("comment") or "", cancels and not refused, stock)
        warnings = [note("The payment provider could not cancel the authorization")] if refused else []
        return payload(warnings=warnings, order=self.shapes.order(order))

    def set_orders_lock(self, arguments: Arguments) -> Shape:
        words = arguments["input"]
        orders = [self._order(ref) for ref in words["orders"]]
        for order in orders:
            self.orders.lock(order, words["isLocked"])
        return payload(orders=[self.shapes.order(order) for order in orders])

    def capture_order(self, arguments: Arguments) -> Shape:
        order = self._order(arguments["order"])
        return self._paid(order, self.orders.capture(order))

    def release_authorisation(self, arguments: Arguments) -> Shape:
        order = self._order(arguments["order"])
        return self._paid(order, self.orders.release_authorisation(order))

    def set_event_listeners(self, arguments: Arguments) -> Shape:
        for word in arguments["input"]:
            self.events.listen(self.integration, word["objectType"], word.get("changeTypes"), self.clock.now())
        return payload(eventListeners=self.queries.event_listeners(None, {}))

    def unset_event_listeners(self, arguments: Arguments) -> Shape:
        for word in arguments["input"]:
            self.events.unlisten(self.integration, word["objectType"], word.get("changeTypes"))
        return payload(eventListeners=self.queries.event_listeners(None, {}))

    def confirm_events(self, arguments: Arguments) -> Shape:
        gone = self.events.confirm(self.integration, arguments["input"]["eventsIds"])
        if self.switches.confirm_events_again == "ignore":
            gone = []
        return payload(warnings=[note(f"Could not find Event with ID {id_}", "eventsIds") for id_ in gone])

    def _order(self, ref: Mapping[str, Any]) -> Order:
        """The order an OrderInput means; exactly one of id and number."""
        if len([name for name in ("id", "number") if ref.get(name) is not None]) != 1:
            raise Refused("Exactly one input field should be provided", "order")
        order = self.orders.find(ref.get("number"), ref.get("id"))
        if self.store_id not in (None, order.store.id):
            raise Refused(f"Could not find Order with ID {ref.get('number') or ref.get('id')}", "order")
        return order

    def _update_record(self, order: Order, words: Mapping[str, Any]) -> None:
        """Addresses, customer names and the internal flag; noted once, when there was anything."""
        if not any(
            words.get(k) is not None for k in ("shippingAddress", "billingAddress", "customerInfo", "isInternal")
        ):
            return
        self.orders.readdress(order, words.get("shippingAddress"), words.get("billingAddress"))
        names = words.get("customerInfo") or {}
        order.customer.first_name = names.get("firstName", order.customer.first_name)
        order.customer.last_name = names.get("lastName", order.customer.last_name)
        order.customer.email = names.get("email", order.customer.email)
        if words.get("isInternal") is not None:
            order.internal = words["isInternal"]
        self.orders.note(order, "Order updated")

    def _paid(self, order: Order, entry: Payment) -> Shape:
        return payload(order=self.shapes.order(order), paymentHistoryEntry=self.shapes.payment(order, entry))

    def _provider_refuses(self, operation: str, order: Order) -> bool:
        return self.faults.due(operation, str(order.number), among=("psp-refuses",)) is not None

    def _guarded(self, name: str, act: Callable[[Arguments], Shape]) -> Resolver:
        def resolve(_: Any, arguments: Arguments) -> Shape:
            if self.refuse:
                return payload(errors=[note(f"{name} is not possible right now", "input")])
            try:
                return act(arguments)
            except Refused as refusal:
                return payload(errors=[note(str(refusal), *refusal.path)])

        return resolve


def _missing(name: str) -> Resolver:
    def resolve(_: Any, __: Arguments) -> Shape:
        raise GraphQLError(f"{name} is not in this sandbox yet")

    return resolve

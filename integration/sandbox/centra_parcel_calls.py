"""The mutations of shipments and returns: from GraphQL's words to acts, and back to a payload."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.centra_orders import Order, Refused
from integration.sandbox.centra_parcels import ZERO, Return, Shipment
from integration.sandbox.centra_payload import Arguments, amount_in, id_of, note, payload, stock_policy
from integration.sandbox.centra_queries import Queries
from integration.sandbox.centra_returns import Returns, Sought
from integration.sandbox.centra_shapes import Shape, Shapes
from integration.sandbox.centra_shipments import Shipments, Wanted

_SHIPMENT_FIELDS = {
    "carrier": "carrier",
    "service": "service",
    "packagesNumber": "packages",
    "trackingNumber": "tracking",
    "returnTrackingNumber": "return_tracking",
}


class ParcelCalls:
    """Writes on behalf of one token: `find_order` finds an order it may see, `store_id` is None for every store."""

    def __init__(
        self,
        shipments: Shipments,
        returns: Returns,
        shapes: Shapes,
        queries: Queries,
        find_order: Callable[[Mapping[str, Any]], Order],
        store_id: int | None,
    ) -> None:
        self.shipments, self.returns, self.shapes, self.queries = shipments, returns, shapes, queries
        self.find_order, self.store_id = find_order, store_id

    def acts(self) -> dict[str, Callable[[Arguments], Shape]]:
        return {
            "createShipment": self.create_shipment,
            "updateShipment": self.update_shipment,
            "captureShipment": self.capture_shipment,
            "completeShipment": self.complete_shipment,
            "deleteShipment": self.delete_shipment,
            "createReturn": self.create_return,
            "completeReturn": self.complete_return,
            "uncompleteReturn": self.uncomplete_return,
            "deleteReturn": self.delete_return,
            "refundReturn": self.refund_return,
        }

    def create_shipment(self, arguments: Arguments) -> Shape:
        """With `shippedAt` the shipment is completed too; where the capture failed, a second warning says it was not."""
        words = arguments["input"]
        order = self.find_order(words["order"])
        if words.get("deliveryGroup"):
            raise Refused(
                f"Could not find DeliveryGroup with ID {words['deliveryGroup']['id']}", "input", "deliveryGroup"
            )
        shipped_at = self._date(words.get("shippedAt"))
        if shipped_at and shipped_at > self.shipments.orders.now():
            raise Refused("shippedAt may not be in the future", "input", "shippedAt")
        if shipped_at and not words.get("isGoodToGo"):
            raise Refused("A shipment that is shipped must be good to go", "input", "isGoodToGo")
        details = _details(words)
        wanted = Wanted(
            lines=[
                (id_of(w["orderLine"], "OrderLine", "input", "lines"), w["quantity"]) for w in words.get("lines") or ()
            ],
            good_to_go=bool(words.get("isGoodToGo")),
            paid=bool(words.get("isPaid")),
            capture=bool(words.get("capture")),
            shipping=_all_remaining(words.get("shippingCostPolicy")),
            handling=_all_remaining(words.get("handlingCostPolicy")),
            discounts=_all_remaining(words.get("discountValuePolicy")),
            allocate_demand=bool(words.get("allocateDemand")),
            message=words.get("additionalMessage"),
            created_at=self._date(words.get("createdAt")),
        )
        shipment, warnings = self.shipments.create(order, wanted)
        self.shipments.describe(shipment, details)
        if shipped_at and shipment.paid_at:
            self.shipments.complete(shipment, shipped_at, bool(words.get("sendEmail")), {})
        elif shipped_at:
            warnings.append(f"Shipment {shipment.number} is not paid and was not completed")
        return self._shipment(shipment, warnings)

    def update_shipment(self, arguments: Arguments) -> Shape:
        shipment, words = self._found(arguments["id"]), arguments["input"]
        changes = _details(words)
        if words.get("additionalMessage") is not None:
            changes["message"] = words["additionalMessage"]
        self.shipments.update(shipment, words.get("isPaid"), words.get("isGoodToGo"), changes)
        return self._shipment(shipment)

    def capture_shipment(self, arguments: Arguments) -> Shape:
        shipment = self._found(arguments["id"])
        entry = self.shipments.capture(shipment)
        shown = self.shapes.payment(self.shipments.order_of(shipment), entry) if entry else None
        return {**self._shipment(shipment), "paymentHistoryEntry": shown}

    def complete_shipment(self, arguments: Arguments) -> Shape:
        shipment, words = self._found(arguments["id"]), arguments["input"]
        at = self._date(words.get("shippedAt"))
        self.shipments.complete(shipment, at, bool(words.get("sendEmail")), _details(words))
        return self._shipment(shipment)

    def delete_shipment(self, arguments: Arguments) -> Shape:
        self.shipments.delete(self._found(arguments["id"]))
        return payload()

    def create_return(self, arguments: Arguments) -> Shape:
        words = arguments["input"]
        shipment = self._found(id_of(words["shipment"], "Shipment", "input", "shipment"), "input", "shipment")
        currency = self.shipments.order_of(shipment).currency
        sought = Sought(
            lines=[(id_of(w["shipmentLine"], "ShipmentLine", "input", "lines"), w["quantity"]) for w in words["lines"]],
            stock=stock_policy(words["returnStockActionPolicy"], "input", "returnStockActionPolicy"),
            shipping=_cost(words.get("shippingCost"), currency, "shippingCost"),
            handling=_cost(words.get("handlingCost"), currency, "handlingCost"),
            voucher=_cost(words.get("voucherValue"), currency, "voucherValue"),
            comment=words.get("comment") or "",
        )
        return self._return(self.returns.create(shipment, sought))

    def complete_return(self, arguments: Arguments) -> Shape:
        made = self._made(arguments["id"])
        self.returns.complete(made, bool((arguments.get("input") or {}).get("sendEmail")))
        return self._return(made)

    def uncomplete_return(self, arguments: Arguments) -> Shape:
        made = self._made(arguments["id"])
        self.returns.uncomplete(made)
        return self._return(made)

    def delete_return(self, arguments: Arguments) -> Shape:
        """The payload's `return` is null: it is gone (unconfirmed)."""
        self.returns.delete(self._made(arguments["id"]))
        return payload()

    def refund_return(self, arguments: Arguments) -> Shape:
        made = self._made(arguments["id"])
        entry = self.returns.refund(made, bool((arguments.get("input") or {}).get("sendEmail")))
        order = self.shipments.orders.find(made.order_number)
        return {**self._return(made), "paymentHistoryEntry": self.shapes.payment(order, entry)}

    def _found(self, id: int, *path: str) -> Shipment:
        shipment = self.shipments.find(id)
        if self.store_id not in (None, self.shipments.order_of(shipment).store.id):
            raise Refused(f"Could not find Shipment with ID {id}", *(path or ("id",)))
        return shipment

    def _made(self, id: int) -> Return:
        made = self.returns.find(id)
        if self.store_id not in (None, self.shipments.orders.find(made.order_number).store.id):
            raise Refused(f"Could not find Return with ID {id}", "id")
        return made

    def _shipment(self, shipment: Shipment, warnings: list[str] | None = None) -> Shape:
        notes = [note(warning, "input", "capture") for warning in warnings or ()]
        return payload(warnings=notes, shipment=self.queries.parcels.shipment(shipment))

    def _return(self, made: Return) -> Shape:
        return {**payload(), "return": self.queries.parcels.returned(made)}

    def _date(self, word: Any) -> datetime | None:
        at = self.queries.date(word)
        return at.replace(microsecond=0) if at else None


def _details(words: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `shipmentInfo` that were given, by their names in `Shipment`."""
    given = words.get("shipmentInfo") or {}
    found = {ours: given[theirs] for theirs, ours in _SHIPMENT_FIELDS.items() if given.get(theirs) is not None}
    if given.get("internalShippingCost"):
        path = ("input", "shipmentInfo", "internalShippingCost")
        found["internal_cost"] = amount_in(given["internalShippingCost"], None, *path)
    return found


def _all_remaining(policy: Mapping[str, Any] | None) -> bool:
    """The default is all that remains (documented); a policy that says no takes nothing (unconfirmed)."""
    return policy is None or bool(policy.get("allRemaining"))


def _cost(words: Mapping[str, Any] | None, currency: str, name: str) -> Decimal | None:
    """A ReturnCostInput: a value, or all that remains (None); nothing when left out."""
    if words is None:
        return ZERO
    if len([word for word in words.values() if word is not None]) != 1:
        raise Refused("Exactly one input field should be provided", "input", name)
    if words.get("value"):
        return amount_in(words["value"], currency, "input", name)[0]
    return None if words.get("fromShipment") else ZERO

"""What can happen to a shipment. The rules are the vendor's (only confirmed orders, never more than is unshipped, complete
needs good-to-go and paid, a failed capture does not undo its createShipment); texts are ours where integrators saw none.

Unconfirmed: that shipped pieces must be allocated, how an order's tax is split over its shipments (by the tax each bears,
exact in sum), and that `allRemaining` of the discounts is never more than the shipment itself comes to.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from integration.sandbox.catalogue import WAREHOUSE_OF_MARKET
from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_orders import Line, Order, Payment, Refused
from integration.sandbox.centra_parcels import ZERO, Costs, Shipment, ShipmentLine, share
from integration.sandbox.centra_stock import pieces_of
from integration.sandbox.currencies import DECIMALS


@dataclass(frozen=True)
class Wanted:
    """A shipment to make. `lines` are (order line id, quantity); the three policies say "all that remains" or "none"."""

    lines: Sequence[tuple[int, int]]
    good_to_go: bool = False
    paid: bool = False
    capture: bool = False
    shipping: bool = True
    handling: bool = True
    discounts: bool = True
    allocate_demand: bool = False
    message: str | None = None
    created_at: datetime | None = None


class Shipments:
    """All acts on shipments. Callers hold the guard of `Orders`."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._ids = itertools.count(1)
        self._line_ids = itertools.count(1)

    def find(self, id: int) -> Shipment:
        shipment = self.orders.parcels.shipments.get(id)
        if shipment is None:
            raise Refused(f"Could not find Shipment with ID {id}", "id")
        return shipment

    def order_of(self, shipment: Shipment) -> Order:
        return self.orders.find(shipment.order_number)

    def create(self, order: Order, wanted: Wanted) -> tuple[Shipment, list[str]]:
        """A new shipment and its warnings; raises `Refused` and then has done nothing."""
        lines = self._lines(order, wanted)
        now = self.orders.now()
        order.shipments_made += 1
        shipment = Shipment(
            id=next(self._ids),
            number=f"{order.number}-{order.shipments_made}",
            order_number=order.number,
            lines=[
                ShipmentLine(next(self._line_ids), line.id, line.good.sku, quantity, line.unit_price, line.percent)
                for line, quantity in lines
            ],
            costs=Costs(),
            tax_inclusive=order.store.tax_inclusive,
            created_at=wanted.created_at or now,
            updated_at=now,
            address=dict(order.shipping_address),
            good_to_go=wanted.good_to_go,
            paid_at=now if wanted.paid and not wanted.capture else None,
            message=wanted.message,
        )
        shipment.costs = _costs(order, shipment, wanted)
        for line, quantity in lines:
            line.shipped += quantity
        order.shipments.append(shipment)
        self.orders.parcels.shipments[shipment.id] = shipment
        order.status = "PROCESSING"
        self._assign(order, shipment)
        self._note(shipment, "CREATED", f"Shipment {shipment.number} created")
        if not wanted.capture or shipment.captured_at:
            return shipment, []
        try:
            self._capture(order, shipment, "createShipment")
        except Refused as refusal:
            return shipment, [str(refusal)]
        return shipment, []

    def capture(self, shipment: Shipment) -> Payment | None:
        """Take the shipment's money; raises `Refused` when it does not come. None when there was nothing to take."""
        if shipment.captured_at:
            raise Refused(f"Shipment {shipment.number} is already captured", "id")
        if shipment.captured and shipment.captured == shipment.grand_total:
            raise Refused(f"The capture of Shipment {shipment.number} is already requested", "id")
        return self._capture(self.order_of(shipment), shipment, "captureShipment")

    def update(
        self, shipment: Shipment, paid: bool | None, good_to_go: bool | None, changes: Mapping[str, object]
    ) -> None:
        """Set the flags that are given and any of the descriptive fields in `changes`."""
        if shipment.shipped_at and (paid is False or good_to_go is False):
            raise Refused(f'Shipment {shipment.number} is "shipped"', "id")
        ready = bool(good_to_go) and not shipment.good_to_go
        if good_to_go is not None:
            shipment.good_to_go = good_to_go
        if paid is not None:
            shipment.paid_at = (shipment.paid_at or self.orders.now()) if paid else None
        self.describe(shipment, changes)
        self._note(shipment, "UPDATED", f"Shipment {shipment.number} updated", "good_to_go" if ready else "update")

    def describe(self, shipment: Shipment, changes: Mapping[str, object]) -> None:
        """Set fields by their names in `Shipment`; notes nothing."""
        for name, value in changes.items():
            setattr(shipment, name, value)

    def complete(
        self, shipment: Shipment, at: datetime | None, send_email: bool, changes: Mapping[str, object]
    ) -> None:
        """The goods have left: physical stock goes down."""
        now = self.orders.now()
        if shipment.shipped_at:
            raise Refused(f"Shipment {shipment.number} is already shipped", "id")
        if not shipment.good_to_go:
            raise Refused(f"Shipment {shipment.number} is not good to go", "id")
        if not shipment.paid_at:
            raise Refused(f"Shipment {shipment.number} is not paid", "id")
        if at and at > now:
            raise Refused("shippedAt may not be in the future", "input", "shippedAt")
        order = self.order_of(shipment)
        warehouse = WAREHOUSE_OF_MARKET[order.market.id]
        pieces: dict[str, int] = {}
        for line in shipment.lines:
            wanted = order.line(line.order_line_id)
            self.orders.stock.leave(warehouse, wanted, line.quantity)
            for sku, quantity in pieces_of(wanted, line.quantity).items():
                pieces[sku] = pieces.get(sku, 0) - quantity
        self.orders.stock.shift(warehouse, pieces, "SHIPMENT", f"Shipment {shipment.number}", now)
        shipment.shipped_at = at or now
        self.describe(shipment, changes)
        if send_email:
            self.orders.mail("shipped", order, shipment.number)
        self._note(shipment, "COMPLETED", f"Shipment {shipment.number} completed")

    def delete(self, shipment: Shipment) -> None:
        """Only what is neither shipped nor paid (documented). An order without shipments is CONFIRMED again."""
        if shipment.shipped_at or shipment.paid_at or shipment.captured:
            raise Refused(f"Shipment {shipment.number} is shipped or paid and could not be deleted", "id")
        order = self.order_of(shipment)
        for line in shipment.lines:
            order.line(line.order_line_id).shipped -= line.quantity
        order.shipments.remove(shipment)
        del self.orders.parcels.shipments[shipment.id]
        if not order.shipments and order.status == "PROCESSING":
            order.status = "CONFIRMED"
        self._note(shipment, "DELETED", f"Shipment {shipment.number} deleted", "delete")

    def _lines(self, order: Order, wanted: Wanted) -> list[tuple[Line, int]]:
        """The order lines to ship and how many of each, merged and checked."""
        if order.status not in ("CONFIRMED", "PROCESSING"):
            already = " already fully shipped" if order.status == "SHIPPED" else f" {order.status}, not confirmed"
            raise Refused(f"Order {order.number} is{already}", "input", "order")
        if self.orders.switches.ship_held_orders == "refuse" and (order.on_hold or order.waiting_for_payment):
            raise Refused(f"Order {order.number} is on hold or waits for payment", "input", "order")
        if not wanted.lines:
            raise Refused("Either lines or deliveryGroup should be provided", "input", "lines")
        quantities: dict[int, int] = {}
        for line_id, quantity in wanted.lines:
            if quantity <= 0:
                raise Refused("Quantity must be greater than 0", "input", "lines", "quantity")
            quantities[line_id] = quantities.get(line_id, 0) + quantity
        if wanted.allocate_demand:
            self.orders.stock.reserve(order)
        found = [(order.line(line_id), quantity) for line_id, quantity in quantities.items()]
        for line, quantity in found:
            if not line.unshipped:
                raise Refused(f"OrderLine {line.id} is already fully shipped", "input", "lines")
            if quantity > line.unshipped:
                raise Refused(f"Quantity must not exceed the unshipped {line.unshipped}", "input", "lines", "quantity")
            if quantity > line.allocated - (line.shipped - line.completed):
                raise Refused(f"Not enough of OrderLine {line.id} is allocated", "input", "lines", "quantity")
        return found

    def _assign(self, order: Order, shipment: Shipment) -> None:
        """Money captured for the order before goes to the shipment without asking the provider (documented)."""
        assigned = sum((other.captured for other in order.shipments), ZERO)
        unassigned = order.moved("CAPTURE") - assigned
        shipment.captured += max(ZERO, min(shipment.grand_total - shipment.captured, unassigned))
        if shipment.captured and shipment.captured == shipment.grand_total:
            self._mark(shipment)

    def _capture(self, order: Order, shipment: Shipment, operation: str) -> Payment | None:
        self._assign(order, shipment)
        missing = shipment.grand_total - shipment.captured
        if missing <= 0:
            self._mark(shipment)
            self._note(shipment, "UPDATED", f"Shipment {shipment.number} has nothing to capture")
            return None

        def settled(good: bool) -> None:
            if good:
                self._mark(shipment)
            else:
                shipment.captured -= missing
                shipment.captured_at = shipment.paid_at = None
            self._tell(order, shipment, "UPDATED", "update")

        entry = self.orders.payments.capture(order, missing, operation, settled, shipment=shipment.number)
        shipment.captured += missing
        if entry.status == "SUCCESS" or self.orders.switches.captured_on_request:
            self._mark(shipment)
        self._note(shipment, "UPDATED", f"Shipment {shipment.number} captured")
        return entry

    def _mark(self, shipment: Shipment) -> None:
        """Captured, and so paid; keeps the moment it first was."""
        shipment.captured_at = shipment.captured_at or self.orders.now()
        shipment.paid_at = shipment.paid_at or shipment.captured_at

    def _note(self, shipment: Shipment, change: str, text: str, action: str | None = None) -> None:
        order = self.order_of(shipment)
        self._tell(order, shipment, change, action or ("create" if change == "CREATED" else "update"))
        self.orders.note(order, text)

    def _tell(self, order: Order, shipment: Shipment, change: str, action: str) -> None:
        shipment.updated_at = self.orders.now()
        self.orders.happened("Shipment", change, shipment.id, order, action)


def tax_weight(lines: Sequence[tuple[int, Decimal, Decimal]], costs: Decimal, percent: Decimal) -> Decimal:
    """How much tax amounts bear, unrounded: lines as (quantity, unit price, percent), costs at the standard percent."""
    goods = sum((quantity * price * rate for quantity, price, rate in lines), ZERO)
    return goods + costs * percent


def weight_of(shipment: Shipment, percent: Decimal) -> Decimal:
    lines = [(line.quantity, line.unit_price, line.percent) for line in shipment.lines]
    return tax_weight(lines, shipment.costs.shipping + shipment.costs.handling, percent)


def _costs(order: Order, shipment: Shipment, wanted: Wanted) -> Costs:
    """What of the order's costs, discounts and tax goes on a shipment that is not yet among the order's."""
    totals, before = order.totals, [other.costs for other in order.shipments]
    digits, percent = DECIMALS[order.currency], order.country.tax_percent("standard")

    def left(whole: Decimal, name: str) -> Decimal:
        return max(ZERO, whole - sum((getattr(costs, name) for costs in before), ZERO))

    costs = shipment.costs
    if wanted.shipping:
        costs.shipping = left(totals.shipping, "shipping")
        costs.off = Decimal(order.off_by).scaleb(-digits) - sum((other.off for other in before), ZERO)
    if wanted.handling:
        costs.handling = left(totals.handling, "handling")
    whole = tax_weight(
        [(line.quantity, line.unit_price, line.percent) for line in order.lines],
        totals.shipping + totals.handling,
        percent,
    )
    reached = sum((weight_of(other, percent) for other in (*order.shipments, shipment)), ZERO)
    given = sum((other.tax for other in before), ZERO)
    costs.tax = share(totals.tax_added + totals.tax_included, given, reached, whole, digits)
    if wanted.discounts:
        costs.discounts = min(left(-totals.discounts, "discounts"), shipment.grand_total - costs.off)
    return costs

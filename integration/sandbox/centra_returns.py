"""What can happen to a return: it belongs to one shipment, starts pending, is completed, refunded, reopened or deleted.

Documented: each cost is at most what remains on the shipment, exactly one stock policy, completing a completed return is
an error, the refund is goods + shipping + handling - return cost - voucher. Unconfirmed: that only shipped shipments can
have returns, that stock moves at completion, and that a completed or refunded return cannot be deleted.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from integration.sandbox.catalogue import WAREHOUSE_OF_MARKET
from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_orders import Order, Payment, Refused
from integration.sandbox.centra_parcels import (
    ZERO,
    Costs,
    Return,
    ReturnLine,
    Shipment,
    ShipmentLine,
    StockPolicy,
    share,
)
from integration.sandbox.centra_shipments import tax_weight, weight_of
from integration.sandbox.centra_stock import pieces_of
from integration.sandbox.currencies import DECIMALS, rounded

Amount = Decimal | None
"""An amount of money, or None for "all that remains on the shipment"."""


@dataclass(frozen=True)
class Sought:
    """A return to make. `lines` are (shipment line id, quantity).

    The voucher may also be the "share" of the shipment's discounts that the goods bore, free shipping left out.
    """

    lines: Sequence[tuple[int, int]]
    stock: StockPolicy = "release"
    shipping: Amount = ZERO
    handling: Amount = ZERO
    voucher: Amount | Literal["share"] = ZERO
    cost: Decimal = ZERO
    comment: str = ""


class Returns:
    """All acts on returns and refunds. Callers hold the guard of `Orders`."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._ids = itertools.count(1)
        self._line_ids = itertools.count(1)

    def find(self, id: int) -> Return:
        made = self.orders.parcels.returns.get(id)
        if made is None:
            raise Refused(f"Could not find Return with ID {id}", "id")
        return made

    def create(self, shipment: Shipment, sought: Sought) -> Return:
        """A new, pending return; raises `Refused` and then has done nothing."""
        order = self.orders.find(shipment.order_number)
        lines = self._lines(shipment, sought)
        made = Return(
            id=next(self._ids),
            order_number=order.number,
            shipment=shipment,
            lines=[ReturnLine(next(self._line_ids), line, quantity) for line, quantity in lines],
            costs=self._costs(order, shipment, sought, lines),
            stock=sought.stock,
            created_at=self.orders.now(),
            cost=sought.cost,
            comment=sought.comment,
        )
        if made.grand_total < 0:
            raise Refused("The return's costs are more than its refund", "input")
        self._count(order, made, 1)
        order.returns.append(made)
        self.orders.parcels.returns[made.id] = made
        self._note(order, made, "CREATED", f"Return {made.id} created", "create")
        return made

    def complete(self, made: Return, send_email: bool = False) -> None:
        """The goods are back: they go where the policy says."""
        if made.completed_at:
            raise Refused(f"Return {made.id} is already completed", "id")
        order = self.orders.find(made.order_number)
        made.completed_at = self.orders.now()
        self._restock(order, made, 1)
        if send_email:
            self.orders.mail("returned", order, made.shipment.number, made.id)
        self._note(order, made, "COMPLETED", f"Return {made.id} completed")

    def uncomplete(self, made: Return) -> None:
        """Back to pending; refused when the pieces have been sold again meanwhile."""
        if not made.completed_at:
            raise Refused(f"Return {made.id} is not completed", "id")
        order = self.orders.find(made.order_number)
        self._restock(order, made, -1)
        made.completed_at = None
        self._note(order, made, "UPDATED", f"Return {made.id} reopened")

    def delete(self, made: Return) -> None:
        order = self.orders.find(made.order_number)
        if made.completed_at or self.refunded(order, made):
            raise Refused(f"Return {made.id} is completed or refunded and could not be deleted", "id")
        self._count(order, made, -1)
        order.returns.remove(made)
        del self.orders.parcels.returns[made.id]
        self._note(order, made, "DELETED", f"Return {made.id} deleted", "delete")

    def refund(self, made: Return, send_email: bool = False) -> Payment:
        """Pay the return's total back, once; raises `Refused` when the provider will not."""
        order = self.orders.find(made.order_number)
        if self.refunded(order, made):
            raise Refused(f"Return {made.id} is already refunded", "id")
        if not made.grand_total:
            raise Refused(f"Return {made.id} has nothing to refund", "id")

        def settled(good: bool) -> None:
            if good:
                self._paid(made)
            self._tell(order, made, "UPDATED", "update")

        entry = self.orders.payments.refund(order, made.grand_total, "refundReturn", settled, return_id=made.id)
        if entry.status == "SUCCESS":
            self._paid(made)
        if send_email:
            self.orders.mail("refunded", order, made.shipment.number, made.id)
        self._note(order, made, "UPDATED", f"Return {made.id} refunded")
        return entry

    def refund_amount(self, order: Order, amount: Decimal, note: str = "") -> Payment:
        """The back office gives money back without goods: goodwill, a shipping price."""
        if amount <= 0 or amount != rounded(amount, order.currency):
            raise Refused(f"{amount} {order.currency} cannot be refunded", "amount")
        entry = self.orders.payments.refund(order, amount, "refund", lambda _: None, note=note)
        self.orders.note(order, f"{amount} refunded: {note}")
        return entry

    def refunded(self, order: Order, made: Return) -> bool:
        """Whether a refund of this return is under way or arrived."""
        kinds = ("REFUND", "REFUND_REQUEST")
        return any(p.return_id == made.id and p.entry_type in kinds and p.status != "FAILED" for p in order.payments)

    def _paid(self, made: Return) -> None:
        if self.orders.switches.refund_completes_return and not made.completed_at:
            self.complete(made)

    def _lines(self, shipment: Shipment, sought: Sought) -> list[tuple[ShipmentLine, int]]:
        if not shipment.shipped_at:
            raise Refused(f"Shipment {shipment.number} is not shipped", "input", "shipment")
        quantities: Counter[int] = Counter()
        for line_id, quantity in sought.lines:
            if quantity <= 0:
                raise Refused("Quantity must be greater than 0", "input", "lines", "quantity")
            quantities[line_id] += quantity
        if not quantities:
            raise Refused("A return needs lines", "input", "lines")
        found = []
        for line_id, quantity in quantities.items():
            line = shipment.line(line_id)
            if line is None:
                raise Refused(f"Could not find ShipmentLine with ID {line_id}", "input", "lines", "shipmentLine")
            if quantity > line.quantity - line.returned:
                left = line.quantity - line.returned
                raise Refused(f"Quantity must not exceed the {left} that can be returned", "input", "lines", "quantity")
            found.append((line, quantity))
        return found

    def _costs(self, order: Order, shipment: Shipment, sought: Sought, lines: list[tuple[ShipmentLine, int]]) -> Costs:
        """What of the shipment's costs comes back, with the tax that goes with it."""
        others = list(self.orders.parcels.returns_of(shipment))
        before = [other.costs for other in others]
        costs = Costs(
            shipping=_cost("shippingCost", sought.shipping, shipment.costs.shipping, [c.shipping for c in before]),
            handling=_cost("handlingCost", sought.handling, shipment.costs.handling, [c.handling for c in before]),
        )
        percent = order.country.tax_percent("standard")
        back = [(line.returned, line.unit_price, line.percent) for line in shipment.lines]
        back += [(quantity, line.unit_price, line.percent) for line, quantity in lines]
        given = sum((other.shipping + other.handling for other in (*before, costs)), ZERO)
        reached, whole = tax_weight(back, given, percent), weight_of(shipment, percent)
        costs.tax = share(
            shipment.costs.tax, sum((c.tax for c in before), ZERO), reached, whole, DECIMALS[order.currency]
        )
        if sum(quantity for quantity, _, _ in back) == sum(line.quantity for line in shipment.lines):
            costs.off = shipment.costs.off
        taken = [c.discounts for c in before]
        if sought.voucher == "share":
            due = _goods_discount(order, shipment, sum((q * price for q, price, _ in back), ZERO), sum(taken, ZERO))
            worth = sum((quantity * line.unit_price for line, quantity in lines), costs.shipping + costs.handling)
            worth += costs.off + (ZERO if shipment.tax_inclusive else costs.tax)
            left = shipment.grand_total - sum((other.grand_total + other.cost for other in others), ZERO)
            costs.discounts = max(ZERO, min(max(due, worth - left), worth - sought.cost))
        else:
            costs.discounts = _cost("voucherValue", sought.voucher, shipment.costs.discounts, taken)
        return costs

    def _count(self, order: Order, made: Return, sign: int) -> None:
        for line in made.lines:
            line.shipment_line.returned += sign * line.quantity
            order.line(line.shipment_line.order_line_id).returned += sign * line.quantity

    def _restock(self, order: Order, made: Return, sign: int) -> None:
        if made.stock == "remove":
            return
        warehouse = WAREHOUSE_OF_MARKET[order.market.id] if made.stock == "release" else made.stock
        pieces: Counter[str] = Counter()
        for line in made.lines:
            pieces.update(pieces_of(order.line(line.shipment_line.order_line_id), line.quantity))
        for sku, quantity in pieces.items():
            if sign < 0 and quantity > self.orders.stock.free(warehouse, sku):
                raise Refused(f"{sku} of Return {made.id} is allocated again", "id")
        moved = {sku: sign * quantity for sku, quantity in pieces.items()}
        self.orders.stock.shift(warehouse, moved, "RETURN", f"Return {made.id}", self.orders.now())

    def _note(self, order: Order, made: Return, change: str, text: str, action: str = "update") -> None:
        self._tell(order, made, change, action)
        self.orders.note(order, text)

    def _tell(self, order: Order, made: Return, change: str, action: str) -> None:
        self.orders.happened("Return", change, made.id, order, action)


def return_items(
    returns: Returns, order: Order, items: Mapping[str, int], stock: StockPolicy, shipping: Amount, cost: Amount
) -> list[Return]:
    """Returns of `items` (SKU to pieces), one for each shipment they went in, oldest first.

    `shipping` (None: nothing) is given back with the first shipments that bore any, `cost` deducted from the first return.
    Raises `Refused` before anything is done when so much was never shipped.
    """
    wanted, per_shipment = dict(items), []
    for shipment in order.shipments:
        lines = []
        for line in shipment.lines if shipment.shipped_at else ():
            quantity = min(wanted.get(line.sku, 0), line.quantity - line.returned)
            if quantity > 0:
                wanted[line.sku] -= quantity
                lines.append((line.id, quantity))
        if lines:
            per_shipment.append((shipment, lines))
    missing = {sku: quantity for sku, quantity in wanted.items() if quantity}
    if missing or not per_shipment:
        raise Refused(f"Order {order.number} has not so much to return: {missing}", "items")
    left, made = shipping or ZERO, list[Return]()
    for shipment, lines in per_shipment:
        given = sum((other.costs.shipping for other in returns.orders.parcels.returns_of(shipment)), ZERO)
        now = min(left, shipment.costs.shipping - given)
        deducted = (cost or ZERO) if not made else ZERO
        made.append(returns.create(shipment, Sought(lines, stock, now, ZERO, "share", deducted)))
        left -= now
    return made


def _cost(word: str, wanted: Amount, whole: Decimal, taken: Sequence[Decimal]) -> Decimal:
    """`wanted`, or all that remains of `whole`; raises `Refused` when it is more than that."""
    left = whole - sum(taken, ZERO)
    if wanted is not None and not 0 <= wanted <= left:
        raise Refused(f"{word} must be between 0 and {left}", "input", word)
    return left if wanted is None else wanted


def _goods_discount(order: Order, shipment: Shipment, back: Decimal, taken: Decimal) -> Decimal:
    """What of the shipment's discounts belongs to goods worth `back`, less what was `taken` before."""
    digits = DECIMALS[order.currency]
    by_goods = sum(
        (
            value
            for (voucher, _), value in zip(order.vouchers, order.totals.applied, strict=True)
            if voucher.type != "FREE_SHIPPING"
        ),
        ZERO,
    )
    discounts = share(shipment.costs.discounts, ZERO, -by_goods, -order.totals.discounts, digits)
    return share(discounts, taken, back, sum((line.value for line in shipment.lines), ZERO), digits)

"""What can happen to an order, by whom ever: the shop, people in Centra's back office, or the API.

The states and what may follow what are the vendor's order flow (PENDING, CONFIRMED, PROCESSING, SHIPPED, ARCHIVED;
cancelled from any of them before money was captured; hold, waiting for payment and lock are flags). Texts of
refusals are ours: unconfirmed. Callers hold `Orders.guard`.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.catalogue import (
    OPENING_STOCK,
    PAYMENT_METHODS,
    VOUCHERS,
    WAREHOUSE_OF_MARKET,
    shipping_options_of,
    voucher_amount,
)
from integration.sandbox.centra_orders import (
    ADDRESS_FIELDS,
    Basket,
    BasketLine,
    Customer,
    Line,
    Order,
    Payment,
    Refused,
    as_parts,
    market_and_country,
    order_id,
)
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.goods import GOODS

OPEN = ("PENDING", "CONFIRMED", "PROCESSING")
CAPTURES = ("CAPTURE", "CAPTURE_REQUEST")
SLOW_CAPTURE = ("adyen", "klarna")
"""Payment plugins whose captures are requests first (documented)."""


class Orders:
    """All orders by number, and the stock they take. `changed(order, "CREATED" | "UPDATED")` hears every change."""

    def __init__(
        self, clock: Clock, switches: CentraSwitches, seed: int, changed: Callable[[Order, str], None]
    ) -> None:
        self.clock, self.switches, self.seed = clock, switches, seed
        self.guard = threading.RLock()
        self.by_number: dict[int, Order] = {}
        self.by_id: dict[str, Order] = {}
        self.customers: dict[tuple[str, bool], Customer] = {}
        self.physical: dict[tuple[int, str], int] = {}
        self.allocated: Counter[tuple[int, str]] = Counter()
        self.demand: Counter[tuple[int, str]] = Counter()
        self._changed = changed
        self._ids = itertools.count(1)

    def stock(self, warehouse_id: int, sku: str) -> int:
        """Physical pieces of a SKU in one warehouse."""
        return self.physical.get((warehouse_id, sku), OPENING_STOCK)

    def find(self, number: int | None = None, id: str | None = None) -> Order:
        """One order; raises `Refused` in the vendor's words when there is none."""
        order = self.by_number.get(number) if number is not None else self.by_id.get(id or "")
        if order is None:
            raise Refused(f"Could not find Order with ID {number if number is not None else id}", "order")
        return order

    def place(self, basket: Basket) -> Order:
        """A new order, authorised when there is something to pay; raises `Refused` or `KeyError` for nonsense."""
        market, country = market_and_country(basket)
        now, number = self._now(), len(self.by_number) + 1
        option = next((o for o in shipping_options_of(market.id) if o.uri == basket.shipping_option), None)
        if option is None:
            raise Refused(f"Market {market.id} has no shipping option {basket.shipping_option}")
        address = {name: basket.address[name] for name in ADDRESS_FIELDS if name in basket.address}
        address.setdefault("email", basket.email)
        order = Order(
            id=order_id(self.seed, number),
            number=number,
            market=market,
            country=country,
            lines=[],
            shipping_option=option,
            shipping_price=option.price if basket.shipping_price is None else basket.shipping_price,
            handling=basket.handling,
            vouchers=[],
            payment=PAYMENT_METHODS[basket.payment].uri,
            customer=self._customer(basket),
            shipping_address=address,
            billing_address=dict(address),
            created_at=now,
            updated_at=now,
            on_hold=basket.on_hold,
            waiting_for_payment=basket.waiting_for_payment,
            comment=basket.comment,
            off_by=basket.off_by,
        )
        for line in basket.lines:
            self._add_line(order, line)
        for use in basket.vouchers:
            voucher = VOUCHERS[use.code]
            own = voucher.amount if voucher.type == "PERCENTAGE" else voucher_amount(voucher, order.currency)
            order.vouchers.append((voucher, own if use.amount is None else use.amount))
        self.by_number[number] = self.by_id[order.id] = order
        if not order.waiting_for_payment:
            self._authorise(order)
        self.note(order, "Order placed", "CREATED")
        if self.switches.autoconfirm:
            self.confirm(order)
        return order

    def confirm(self, order: Order) -> None:
        if order.status != "PENDING":
            raise Refused(f"Order {order.number} is {order.status} and cannot be confirmed", "order")
        order.status = "CONFIRMED"
        self.note(order, "Order confirmed")

    def hold(self, order: Order, on: bool, reason: str = "") -> None:
        self._must_be_open(order)
        order.on_hold = on
        self.note(order, f"{'Put on' if on else 'Released from'} hold: {reason}")

    def pay(self, order: Order) -> None:
        """The payment an order waited for arrives."""
        self._must_be_open(order)
        order.waiting_for_payment = False
        self._authorise(order)
        self.note(order, "Payment authorised")

    def cancel(self, order: Order, comment: str = "", cancel_authorisation: bool = False) -> None:
        """Cancel the whole order; quantities stay as they are (documented)."""
        self._must_be_open(order)
        if order.paid(*CAPTURES):
            raise Refused(f"Order {order.number} is captured and cannot be cancelled; make a return", "id")
        order.status = self.switches.cancelled_status
        if cancel_authorisation and order.paid("AUTH"):
            self._pay(order, "CANCEL", "SUCCESS", -order.paid("AUTH"))
        self.note(order, f"Order cancelled: {comment}")

    def cancel_line(self, order: Order, line_id: int, quantity: int) -> None:
        self._must_be_open(order)
        line = order.line(line_id)
        if not 0 <= quantity <= line.unshipped:
            raise Refused(f"Quantity must be between 0 and {line.unshipped}", "cancelLines", "quantity")
        line.quantity -= quantity
        line.cancelled += quantity
        self.note(order, f"{quantity} of line {line_id} cancelled")

    def set_shipping_price(self, order: Order, value: Decimal) -> None:
        """Lower the shipping price; only while CONFIRMED and never above the present one (documented)."""
        if order.status != "CONFIRMED":
            raise Refused("Shipping cost can be changed for confirmed orders only", "shippingCost")
        if not 0 <= value <= order.shipping_price:
            raise Refused(f"Shipping cost must be between 0 and {order.shipping_price}", "shippingCost")
        text = f"Shipping cost changed from {order.shipping_price} to {value}"
        order.shipping_price = value
        self.note(order, text)

    def edit(self, order: Order, words: Mapping[str, Any]) -> None:
        """What people do in the back office, unless locked out.

        Words: `quantities` {SKU: new quantity}, `add` [basket lines], `shippingAddress` and `billingAddress` (Centra's
        fields), `comment`.
        """
        self._must_be_open(order)
        if order.locked:
            raise Refused(f"Order {order.number} is locked", "order")
        for sku, quantity in words.get("quantities", {}).items():
            line = next((line for line in order.lines if line.good.sku == sku), None)
            if line is None or not line.shipped <= quantity:
                raise Refused(f"Order {order.number} has no line of {sku} to set to {quantity}", "quantities")
            line.cancelled += max(0, line.quantity - quantity)
            line.quantity = quantity
        for line_words in words.get("add", ()):
            self._add_line(order, BasketLine(**line_words))
        self.readdress(order, words.get("shippingAddress"), words.get("billingAddress"))
        order.comment = words.get("comment", order.comment)
        self.note(order, "Order edited")

    def readdress(self, order: Order, shipping: Mapping[str, Any] | None, billing: Mapping[str, Any] | None) -> None:
        """Change address fields; the country cannot change (documented). Notes nothing."""
        for address, words in ((order.shipping_address, shipping), (order.billing_address, billing)):
            address.update({name: word for name, word in (words or {}).items() if name in ADDRESS_FIELDS})

    def lock(self, order: Order, on: bool) -> None:
        order.locked = on
        self.note(order, "Order locked" if on else "Order unlocked")

    def capture(self, order: Order) -> Payment:
        """Capture the whole order; Adyen and Klarna answer with a request that succeeds later."""
        self._must_be_open(order)
        if order.paid(*CAPTURES):
            raise Refused(f"Order {order.number} is already captured", "order")
        if order.paid("AUTH") < order.grand_total or not order.grand_total:
            raise Refused(f"Order {order.number} has no authorisation over {order.grand_total}", "order")
        if PAYMENT_METHODS[order.payment].plugin not in SLOW_CAPTURE:
            entry = self._pay(order, "CAPTURE", "SUCCESS", order.grand_total)
        else:
            entry = self._pay(order, "CAPTURE_REQUEST", "PENDING", order.grand_total)
            self.clock.later(self.switches.capture_settles_after, lambda: self.settle(order, entry))
        self.note(order, "Capture")
        return entry

    def settle(self, order: Order, request: Payment) -> None:
        """The payment provider reports that a requested capture succeeded."""
        with self.guard:
            request.status = "SUCCESS"
            self._pay(order, "CAPTURE", "SUCCESS", request.value)
            self.note(order, "Capture settled")

    def release_authorisation(self, order: Order) -> Payment:
        """Give back what was authorised and not captured; needs a part capture (documented)."""
        captured, left = order.paid("CAPTURE"), order.paid("AUTH") - order.paid("CAPTURE")
        if order.status not in OPEN or not captured or left <= 0:
            raise Refused(f"Order {order.number} has no remaining authorisation to release", "order")
        entry = self._pay(order, "CANCEL", "SUCCESS", -left)
        self.note(order, "Remaining authorisation released")
        return entry

    def _now(self) -> datetime:
        """Centra shows its dates to the second, so they are kept to the second."""
        return self.clock.now().replace(microsecond=0)

    def _must_be_open(self, order: Order) -> None:
        if order.status not in OPEN:
            raise Refused(f"Order {order.number} is {order.status}", "order")

    def _customer(self, basket: Basket) -> Customer:
        key = (basket.email.lower(), basket.registered)
        names = basket.address.get("firstName", ""), basket.address.get("lastName", "")
        known = self.customers.get(key)
        if known is None:
            known = self.customers[key] = Customer(next(self._ids), basket.email, *names, basket.registered)
        known.first_name, known.last_name = names
        return known

    def _add_line(self, order: Order, line: BasketLine) -> None:
        good = GOODS[line.sku]
        if good.is_bundle and self.switches.bundle_lines == "parts":
            for part in as_parts(line, order.currency):
                self._add_line(order, part)
            return
        original = good.prices[order.currency]
        paid = original if line.unit_price is None else Decimal(str(line.unit_price))
        percent = order.country.tax_percent(good.tax_class)
        order.lines.append(Line(next(self._ids), good, line.quantity, paid, original, percent, line.comment))

    def _pay(self, order: Order, entry_type: str, status: str, value: Decimal) -> Payment:
        number = next(self._ids)
        entry = Payment(number, self._now(), status, entry_type, f"psp-{number}", order.payment, value)
        order.payments.append(entry)
        return entry

    def _authorise(self, order: Order) -> None:
        if order.grand_total > 0:
            self._pay(order, "AUTH", "SUCCESS", order.grand_total)

    def note(self, order: Order, text: str, change: str = "UPDATED") -> None:
        """Record a change: history, `updatedAt`, stock figures, and tell whoever listens."""
        order.touch(self._now(), text)
        self._reserve(order)
        self._changed(order, change)

    def _reserve(self, order: Order) -> None:
        """Replace what the order took from the stock figures by what it takes now."""
        warehouse = WAREHOUSE_OF_MARKET[order.market.id]
        figures = {"allocated": self.allocated, "demand": self.demand}
        kind, pieces = order.reserved
        for sku, quantity in pieces.items():
            figures[kind][warehouse, sku] -= quantity
        kind, pieces = "", Counter()
        if order.status in OPEN:
            early = order.status == "PENDING" and self.switches.allocate_on == "confirm"
            kind = "demand" if early else "allocated"
            for line in order.lines:
                for sku, quantity in line.good.parts or ((line.good.sku, 1),):
                    pieces[sku] += quantity * line.unshipped
        for sku, quantity in pieces.items():
            figures[kind][warehouse, sku] += quantity
        order.reserved = (kind, pieces)

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
from integration.sandbox.centra_parcels import Mail, Parcels, StockPolicy
from integration.sandbox.centra_payments import Payments
from integration.sandbox.centra_stock import OPEN, Place, Stock, pieces_of
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults
from integration.sandbox.goods import GOODS

Changed = Callable[[Order, str], None]
Happened = Callable[[str, str, int, Order, str], None]


class Orders:
    """All orders by number, the stock they take, and what was sent and came back.

    `changed(order, "CREATED" | "UPDATED")` hears every change of an order; `happened("Shipment" | "Return", change, id,
    order, webhook action)` every change of what hangs on one.
    """

    def __init__(
        self,
        clock: Clock,
        switches: CentraSwitches,
        seed: int,
        faults: Callable[[], Faults],
        changed: Changed,
        happened: Happened,
    ) -> None:
        self.clock, self.switches, self.seed = clock, switches, seed
        self.guard = threading.RLock()
        self.by_number: dict[int, Order] = {}
        self.by_id: dict[str, Order] = {}
        self.customers: dict[tuple[str, bool], Customer] = {}
        self.stock = Stock(switches)
        self.parcels = Parcels()
        self.happened = happened
        self._changed = changed
        self._ids = itertools.count(1)
        self.payments = Payments(clock, switches, faults, self.guard, self._ids, self.note)

    @property
    def allocated(self) -> Counter[Place]:
        return self.stock.allocated

    @property
    def demand(self) -> Counter[Place]:
        return self.stock.demand

    def find(self, number: int | None = None, id: str | None = None) -> Order:
        """One order; raises `Refused` in the vendor's words when there is none."""
        order = self.by_number.get(number) if number is not None else self.by_id.get(id or "")
        if order is None:
            raise Refused(f"Could not find Order with ID {number if number is not None else id}", "order")
        return order

    def place(self, basket: Basket) -> Order:
        """A new order, authorised when there is something to pay; raises `Refused` or `KeyError` for nonsense."""
        market, country = market_and_country(basket)
        if self.switches.checkout_stops_at_zero:
            self.stock.check_out(basket)
        now, number = self.now(), len(self.by_number) + 1
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
            self.payments.authorise(order)
        self.note(order, "Order placed", "CREATED")
        if self.switches.autoconfirm:
            self.confirm(order)
        return order

    def confirm(self, order: Order) -> None:
        if order.status != "PENDING":
            raise Refused(f"Order {order.number} is {order.status} and cannot be confirmed", "order")
        order.status = "CONFIRMED"
        self.mail("confirmed", order)
        self.note(order, "Order confirmed")

    def hold(self, order: Order, on: bool, reason: str = "") -> None:
        self._must_be_open(order)
        order.on_hold = on
        self.note(order, f"{'Put on' if on else 'Released from'} hold: {reason}")

    def pay(self, order: Order) -> None:
        """The payment an order waited for arrives."""
        self._must_be_open(order)
        order.waiting_for_payment = False
        self.payments.authorise(order)
        self.note(order, "Payment authorised")

    def cancel(
        self, order: Order, comment: str = "", cancel_authorisation: bool = False, stock: StockPolicy = "release"
    ) -> None:
        """Cancel the whole order; quantities stay as they are (documented)."""
        self._must_be_open(order)
        if order.moved("CAPTURE"):
            raise Refused(f"Order {order.number} is captured and cannot be cancelled; make a return", "id")
        if order.shipments:
            raise Refused(f"Order {order.number} has shipments and cannot be cancelled", "id")
        order.status = self.switches.cancelled_status
        if cancel_authorisation and order.paid("AUTH"):
            self.payments.entry(order, "CANCEL", "SUCCESS", -order.paid("AUTH"))
        given_up = [(line, line.allocated) for line in order.lines]
        self._give_up(order, given_up, stock, f"Order cancelled: {comment}")

    def cancel_line(self, order: Order, line_id: int, quantity: int, stock: StockPolicy = "release") -> None:
        self._must_be_open(order)
        line = order.line(line_id)
        if not 0 <= quantity <= line.unshipped:
            raise Refused(f"Quantity must be between 0 and {line.unshipped}", "cancelLines", "quantity")
        line.quantity -= quantity
        line.cancelled += quantity
        given_up = max(0, line.allocated - (line.quantity - line.completed))
        self._give_up(order, [(line, given_up)], stock, f"{quantity} of line {line_id} cancelled")

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
        if order.moved("CAPTURE"):
            raise Refused(f"Order {order.number} is already captured", "order")
        if order.capturable < order.grand_total or not order.grand_total:
            raise Refused(f"Order {order.number} has no authorisation over {order.grand_total}", "order")
        entry = self.payments.capture(order, order.grand_total, "captureOrder", lambda good: _settled(order, good))
        self.note(order, "Capture")
        return entry

    def release_authorisation(self, order: Order) -> Payment:
        """Give back what was authorised and not captured; needs a part capture (documented)."""
        captured, left = order.paid("CAPTURE"), order.capturable
        if order.status not in OPEN or not captured or left <= 0:
            raise Refused(f"Order {order.number} has no remaining authorisation to release", "order")
        entry = self.payments.entry(order, "CANCEL", "SUCCESS", -left)
        self.note(order, "Remaining authorisation released")
        return entry

    def now(self) -> datetime:
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

    def refill(self) -> None:
        """Give stock that became free to the orders that wait for it, and tell of each."""
        for order in self.stock.fill():
            order.touch(self.now(), "Stock allocated")
            self._changed(order, "UPDATED")

    def mail(self, kind: str, order: Order, shipment: str | None = None, return_id: int | None = None) -> None:
        self.parcels.mails.append(Mail(kind, order.number, self.now(), shipment, return_id))

    def note(self, order: Order, text: str, change: str = "UPDATED") -> None:
        """Record a change: history, `updatedAt`, stock figures, and tell whoever listens."""
        completed = self._complete(order)
        order.touch(self.now(), text)
        self.stock.reserve(order)
        self._changed(order, change)
        if completed:
            self.happened("Order", "COMPLETED", order.number, order, "")
        self.refill()

    def _complete(self, order: Order) -> bool:
        """SHIPPED: every line shipped or cancelled and every shipment paid and completed (documented)."""
        if order.status != "PROCESSING" or any(line.unshipped for line in order.lines):
            return False
        if not all(shipment.paid_at and shipment.shipped_at for shipment in order.shipments):
            return False
        order.status = "SHIPPED"
        return True

    def _give_up(self, order: Order, given_up: list[tuple[Line, int]], stock: StockPolicy, text: str) -> None:
        """Note a cancellation whose allocated pieces go where `stock` says before anybody else gets them."""
        warehouse = WAREHOUSE_OF_MARKET[order.market.id]
        pieces: Counter[str] = Counter()
        for line, quantity in given_up:
            pieces.update(pieces_of(line, quantity))
        self.stock.give_up(warehouse, pieces, stock, text, self.now())
        self.note(order, text)


def _settled(order: Order, good: bool) -> None:
    """When the capture of a whole order fails late, its shipments keep what was captured for them alone."""
    for shipment in order.shipments if not good else ():
        shipment.captured = order.moved("CAPTURE", shipment.number)
        if shipment.captured < shipment.grand_total:
            shipment.captured_at = shipment.paid_at = None

"""What customers and the back office do after goods have left: returns and refunds, the same for the same seed.

Shipments happen when the ERP dispatches, so nobody can write these days beforehand: `Customers` looks at what has been
shipped and decides, order by order, what becomes of it. An order's course depends on the seed and its number alone, not on
when anybody looked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Order, Refused
from integration.sandbox.clock import Clock
from integration.sandbox.currencies import rounded

AFTERWARDS = {
    "kept": 70, "returned": 8, "returned-partly": 8, "returned-damaged": 3, "returned-with-cost": 3, "changed-mind": 2,
    "refunded-goodwill": 4, "refunded-shipping": 2,
}  # fmt: skip
"""What becomes of a shipped order, with weights; see `Customers._course`."""

DAY = 86_400.0


@dataclass(order=True)
class Errand:
    """Something to do for an order at its moment; `verb` in the words of `Customers._do`."""

    at: datetime
    number: int
    step: int
    verb: str = field(compare=False)


@dataclass(frozen=True)
class Done:
    """An errand as it went; `refusal` is empty when it went well."""

    at: datetime
    number: int
    course: str
    verb: str
    refusal: str = ""


class Customers:
    """`speed` is how many times faster than written things happen; `look` how often `start` looks, in written seconds.

    `courses` are weights by name, a subset of `AFTERWARDS`. With `completes` off somebody else completes the returns, once
    the goods are inspected: the money then waits for that. `done` is what has happened so far.
    """

    def __init__(
        self,
        centra: Centra,
        random: Random,
        clock: Clock,
        speed: float = 1.0,
        courses: dict[str, int] | None = None,
        look: float = 600.0,
        *,
        completes: bool = True,
    ) -> None:
        self.centra, self.clock, self.speed, self.look, self.completes = centra, clock, speed, look, completes
        self.courses = courses or AFTERWARDS
        self.done: list[Done] = []
        self.seen: dict[int, str] = {}
        """The course of every shipped order, by number."""
        self._seed = random.getrandbits(64)
        self._errands: list[Errand] = []
        self._returns: dict[int, list[int]] = {}
        self._running = False

    def start(self) -> None:
        """Look now, and again and again on the clock until `stop`."""
        self._running = True
        self._again()

    def stop(self) -> None:
        self._running = False

    def step(self) -> list[Done]:
        """Look at what has been shipped and do what is due; gives what was done, in order of its moment."""
        before = len(self.done)
        with self.centra.guard:
            for number, order in self.centra.orders.items():
                if number not in self.seen and order.status == "SHIPPED":
                    self._meet(order)
            now = self.clock.now()
            due = sorted(errand for errand in self._errands if errand.at <= now)
            self._errands = [errand for errand in self._errands if errand.at > now]
            for errand in due:
                if errand.verb == "refund" and not self.completes and self._pending(errand.number):
                    self._errands.append(errand)
                else:
                    self._do(errand)
        return self.done[before:]

    def next_at(self) -> datetime | None:
        """When the next known errand is due; None when there is none."""
        return min((errand.at for errand in self._errands), default=None)

    def _again(self) -> None:
        if self._running:
            self.step()
            self.clock.later(self.look / self.speed, self._again)

    def _meet(self, order: Order) -> None:
        """Decide what becomes of a shipped order, and when."""
        random = self._random(order, "course")
        course = random.choices(list(self.courses), list(self.courses.values()))[0]
        self.seen[order.number] = course
        at = max(shipment.shipped_at for shipment in order.shipments if shipment.shipped_at)
        for step, (delay, verb) in enumerate(self._course(course, random)):
            at += timedelta(seconds=delay / self.speed)
            self._errands.append(Errand(at, order.number, step, verb))

    def _course(self, course: str, random: Random) -> tuple[tuple[float, str], ...]:
        """Delays in seconds, each after the step before it."""
        home, back, paid = random.uniform(2, 14) * DAY, random.uniform(2, 6) * DAY, random.uniform(0.1, 2) * DAY
        arrives = ((back, "complete"), (paid, "refund")) if self.completes else ((paid, "refund"),)
        courses: dict[str, tuple[tuple[float, str], ...]] = {
            "returned": ((home, "return-all"), *arrives),
            "returned-partly": ((home, "return-some"), *arrives),
            "returned-damaged": ((home, "return-damaged"), *arrives),
            "returned-with-cost": ((home, "return-with-cost"), *arrives),
            "changed-mind": ((home, "return-some"), (back, "cancel")),
            "refunded-goodwill": ((home, "goodwill"),),
            "refunded-shipping": ((home, "shipping"),),
        }
        return courses.get(course, ())

    def _do(self, errand: Errand) -> None:
        order, random = self.centra.orders[errand.number], self._random(self.centra.orders[errand.number], errand.verb)
        acts: dict[str, Callable[[], None]] = {
            "return-all": lambda: self._send_back(order, _everything(order)),
            "return-some": lambda: self._send_back(order, _something(order, random)),
            "return-damaged": lambda: self._send_back(order, _something(order, random), damaged=True),
            "return-with-cost": lambda: self._send_back(order, _everything(order), costs=True),
            "complete": lambda: self._each(order, self.centra.complete_return),
            "refund": lambda: self._each(order, self.centra.refund_return),
            "cancel": lambda: self._each(order, self.centra.cancel_return),
            "goodwill": lambda: self._refund(order, order.grand_total * random.randint(5, 20) / 100, "goodwill"),
            "shipping": lambda: self._refund(order, order.shipping_price, "shipping"),
        }
        refusal = ""
        try:
            acts[errand.verb]()
        except Refused as refused:
            refusal = str(refused)
        self.done.append(Done(self.clock.now(), order.number, self.seen[order.number], errand.verb, refusal))

    def _send_back(self, order: Order, items: dict[str, int], damaged: bool = False, costs: bool = False) -> None:
        """`costs`: a fiftieth of the order's total is deducted; the shipping price is never given back."""
        cost = rounded(order.grand_total / 50, order.currency) if costs else None
        self._returns[order.number] = self.centra.return_items(
            order.number, items, stock="remove" if damaged else "release", return_cost=cost
        )

    def _pending(self, number: int) -> bool:
        """Whether a return of the order waits for its completion."""
        return any(made.completed_at is None for made in self.centra.orders[number].returns)

    def _each(self, order: Order, act: Callable[[int], None]) -> None:
        for id in self._returns.get(order.number, ()):
            act(id)

    def _refund(self, order: Order, amount: Decimal, note: str) -> None:
        self.centra.refund(order.number, rounded(amount, order.currency), note)

    def _random(self, order: Order, what: str) -> Random:
        return Random(f"{self._seed}/{order.number}/{what}")


def _everything(order: Order) -> dict[str, int]:
    """SKU to pieces that were shipped and not returned."""
    found: dict[str, int] = {}
    for line in order.lines:
        left = line.completed - line.returned
        if left:
            found[line.good.sku] = found.get(line.good.sku, 0) + left
    return found


def _something(order: Order, random: Random) -> dict[str, int]:
    """One SKU of it, some or all pieces."""
    everything = _everything(order)
    if not everything:
        return {}
    sku = random.choice(list(everything))
    return {sku: random.randint(1, everything[sku])}

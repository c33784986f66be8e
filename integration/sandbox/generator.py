"""A day in the shop, from a seed: baskets, and what happens to each order afterwards.

A `Timeline` is what one customer and the back office do to one order: actions, each some seconds after the day began.
`play` lets them happen on any clock: faster than real time in a demo, in virtual time in a simulation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, Protocol

from integration.sandbox.catalogue import (
    MARKETS,
    PAYMENT_METHODS,
    UNMAPPED_MARKET,
    VOUCHERS,
    shipping_options_of,
    voucher_amount,
)
from integration.sandbox.centra_orders import Basket, BasketLine, Refused, VoucherUse
from integration.sandbox.clock import Clock
from integration.sandbox.currencies import rounded
from integration.sandbox.generator_people import NAMES, PHONES, PLACES, SHARED_EMAIL
from integration.sandbox.goods import ERP_SKUS, GOODS, UNKNOWN_SKUS

MARKET_WEIGHTS = {1: 30, 2: 30, 3: 15, 4: 15, 5: 6, 6: 4}
OUTLET, WHOLESALE = 13, 12
"""How often which of OrderWise's two markets is sold in, where it serves any."""
COURSES = {
    "plain": 66, "confirmed-later": 8, "held": 6, "held-for-good": 2, "paid-later": 5, "never-paid": 1,
    "edited": 4, "readdressed": 3, "cancelled": 3, "cancelled-early": 1, "free-of-charge": 1,
}  # fmt: skip
"""What becomes of an order, with weights; see `Generator._course`."""

_STACKS = (
    ("LOYAL15", "FREESHIP"),
    ("WELCOME10", "FIVEOFF"),
    ("FIVEOFF", "GIFTCARD"),
    ("STAFF333", "FREESHIP", "GIFTCARD"),
)
_VOUCHERS: tuple[tuple[tuple[str, ...], int], ...] = (
    ((), 60), (("WELCOME10",), 7), (("LOYAL15",), 4), (("STAFF333",), 2), (("FIVEOFF",), 5), (("TWENTYOFF",), 3),
    (("FREESHIP",), 7), (("GIFTCARD",), 5), *((stack, 2) for stack in _STACKS),
)  # fmt: skip


def shared_markets(percent: int) -> dict[int, float]:
    """Weights by which so many orders of a hundred are of a market that OrderWise serves."""
    each = percent * sum(MARKET_WEIGHTS.values()) / (100 - percent) / (OUTLET + WHOLESALE)
    return {**MARKET_WEIGHTS, 8: OUTLET * each, 9: WHOLESALE * each}


@dataclass(frozen=True)
class Mishaps:
    """How many orders of a day go wrong in ways a human must sort out."""

    unmapped: int = 0
    unknown: int = 0
    wrong: int = 0


@dataclass(frozen=True)
class Action:
    """`verb` (place, confirm, pay, hold, release, cancel, edit) at `at` seconds; `basket` for place, `words` for edit."""

    at: float
    verb: str
    basket: Basket | None = None
    words: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Timeline:
    """One order's course, by its name in `COURSES` or by its mishap; the first action places it."""

    course: str
    actions: tuple[Action, ...]


class Shop(Protocol):
    """Where a timeline is played; `Centra` is one."""

    def place_order(self, order: Basket, /) -> int: ...
    def confirm(self, number: int, /) -> None: ...
    def pay(self, number: int, /) -> None: ...
    def hold(self, number: int, /) -> None: ...
    def release(self, number: int, /) -> None: ...
    def cancel(self, number: int, /) -> None: ...
    def edit(self, number: int, /, **words: Any) -> None: ...


class Generator:
    """Baskets and timelines, the same for the same seed and the same order of calls."""

    def __init__(self, seed: int, markets: Mapping[int, float] = MARKET_WEIGHTS) -> None:
        """`markets`: how often which one is sold in, by id."""
        self.random = Random(seed)  # a shop's day, not a secret
        self._markets = markets
        self._people = 0

    def day(self, orders: int, seconds: float = 86_400, mishaps: Mishaps | None = None) -> list[Timeline]:
        """`orders` timelines that begin within `seconds`, mishaps among them, in order of beginning."""
        wrong = mishaps or Mishaps()
        kinds = ["unmapped"] * wrong.unmapped + ["unknown"] * wrong.unknown + ["wrong"] * wrong.wrong
        kinds += ["plain"] * max(0, orders - len(kinds))
        self.random.shuffle(kinds)
        starts = sorted(self.random.uniform(0, seconds) for _ in kinds)
        return [
            self.timeline(start) if kind == "plain" else self.mishap(kind, start)
            for start, kind in zip(starts, kinds, strict=True)
        ]

    def timeline(self, start: float = 0, course: str | None = None) -> Timeline:
        """One order's course, a random one unless named."""
        course = course or self._pick(COURSES)
        basket = self.free_basket() if course == "free-of-charge" else self.basket()
        return self._course(course, basket, start)

    def mishap(self, kind: str, start: float = 0) -> Timeline:
        """An order no mapping knows ("unmapped" market, "unknown" SKU) or whose total is "wrong" by one minor unit."""
        if kind == "unmapped":
            basket = self.basket(UNMAPPED_MARKET)
        else:
            basket = self.basket()
        if kind == "unknown":
            stranger = BasketLine(self.random.choice(UNKNOWN_SKUS), 1)
            basket = replace(basket, lines=(*basket.lines, stranger))
        if kind == "wrong":
            basket = replace(basket, off_by=1)
        return replace(self._course("plain", basket, start), course=kind)

    def basket(self, market_id: int | None = None) -> Basket:
        """One order of goods the ERP knows, in the given or a random mapped market."""
        market = MARKETS[market_id or self._pick(self._markets)]
        country = self.random.choice(market.countries)
        codes = self._pick(dict(_VOUCHERS))
        address, email = self._person(country)
        return Basket(
            market_id=market.id,
            country=country,
            lines=self._lines(market.currency),
            address=address,
            email=email,
            shipping_option=self.random.choice(shipping_options_of(market.id)).uri,
            handling=rounded(Decimal("2.5"), market.currency) if self.random.random() < 0.08 else Decimal(0),
            vouchers=tuple(self._voucher(code, market.currency) for code in codes),
            payment=self.random.choice([uri for uri in PAYMENT_METHODS if uri != "gift-card"]),
            registered=self.random.random() < 0.4,
        )

    def free_basket(self) -> Basket:
        """An order that costs nothing: goods and shipping given away."""
        vouchers = (VoucherUse("PRESS100"), VoucherUse("FREESHIP"))
        return replace(self.basket(), vouchers=vouchers, handling=Decimal(0))

    def _pick(self, weights: Mapping[Any, float]) -> Any:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _lines(self, currency: str) -> tuple[BasketLine, ...]:
        """One to eight lines of different SKUs; bundles and campaign prices now and then."""
        count = self._pick({1: 28, 2: 26, 3: 18, 4: 12, 5: 8, 6: 4, 7: 2, 8: 2})
        lines = []
        for sku in self.random.sample(ERP_SKUS, count):
            quantity = self._pick({1: 64, 2: 18, 3: 8, 4: 3, 6: 3, 7: 1, 12: 2, 37: 1})
            good = GOODS[sku]
            price = None
            if self.random.random() < 0.25:
                kept = 1 - VOUCHERS["MIDSEASON"].amount / 100
                price = rounded(good.prices[currency] * kept, currency)
            lines.append(BasketLine(sku, quantity, price))
        return tuple(lines)

    def _voucher(self, code: str, currency: str) -> VoucherUse:
        """Gift cards come in several sizes, some larger than the order."""
        if code != "GIFTCARD":
            return VoucherUse(code)
        size = self.random.choice((Decimal("0.2"), Decimal(1), Decimal(4), Decimal(40)))
        return VoucherUse(code, rounded(voucher_amount(VOUCHERS[code], currency) * size, currency))

    def _person(self, country: str) -> tuple[dict[str, str], str]:
        first, last = self.random.choice(NAMES)
        self._people += 1
        shared = self.random.random() < 0.05
        email = SHARED_EMAIL if shared else f"customer{self._people}@example.com"
        place = self.random.choice(PLACES[country])
        phone = self.random.choice(PHONES)
        named = {"firstName": first, "lastName": last, **place, "email": email}
        return named | ({"phoneNumber": phone} if phone else {}), email

    def _course(self, course: str, basket: Basket, start: float) -> Timeline:
        """The actions of a course; delays in seconds, drawn at random."""
        soon, later = self.random.uniform(0.5, 5), self.random.uniform(600, 7200)
        unpaid = course in ("paid-later", "never-paid")
        steps: dict[str, Sequence[tuple[float, str]]] = {
            "confirmed-later": ((later, "confirm"),),
            "held": ((soon, "confirm"), (soon + 2, "hold"), (soon + later, "release")),
            "held-for-good": ((soon, "hold"), (soon + 5, "confirm")),
            "paid-later": ((later, "pay"), (later + soon, "confirm")),
            "never-paid": (),
            "edited": ((soon, "edit"), (soon + 30, "confirm")),
            "readdressed": ((soon, "confirm"), (soon + 60, "edit")),
            "cancelled": ((soon, "confirm"), (soon + later / 20, "cancel")),
            "cancelled-early": ((soon + 10, "cancel"),),
        }
        words = self._edit(course, basket)
        actions = [Action(start, "place", replace(basket, waiting_for_payment=unpaid))]
        for delay, verb in steps.get(course, ((soon, "confirm"),)):
            actions.append(Action(start + delay, verb, words=words if verb == "edit" else {}))
        return Timeline(course, tuple(actions))

    def _edit(self, course: str, basket: Basket) -> dict[str, Any]:
        """More of the first line and something extra, or another street."""
        if course == "readdressed":
            return {"shippingAddress": {"address1": "The neighbour's, 2 Long Lane", "phoneNumber": "+1 555 0199"}}
        first = basket.lines[0]
        if course != "edited" or GOODS[first.sku].is_bundle:
            return {}
        extra = self.random.choice([sku for sku in ERP_SKUS[:40] if all(line.sku != sku for line in basket.lines)])
        return {"quantities": {first.sku: first.quantity + 1}, "add": [{"sku": extra, "quantity": 1}]}


@dataclass
class Played:
    """What came of playing: order numbers by timeline, actions that were refused, and whether all is done."""

    numbers: dict[int, int] = field(default_factory=dict)
    refused: list[tuple[Action, str]] = field(default_factory=list)
    done: bool = False


def play(
    shop: Shop,
    timelines: Sequence[Timeline],
    clock: Clock,
    speed: float = 1.0,
    finished: Callable[[], None] | None = None,
) -> Played:
    """Let every action happen on `clock`, `speed` times as fast as written; returns at once.

    One action is waited for at a time, so a real clock needs one timer thread. An action the shop refuses (a cancel
    after capture, say) is noted and the day goes on.
    """
    all_actions = ((action.at, index, action) for index, line in enumerate(timelines) for action in line.actions)
    agenda = sorted(all_actions, key=lambda entry: entry[0])
    played = Played()

    def act(place: int) -> None:
        at, index, action = agenda[place]
        try:
            perform(shop, action, index, played)
        except Refused as refusal:
            played.refused.append((action, str(refusal)))
        if place + 1 < len(agenda):
            clock.later(max(0.0, agenda[place + 1][0] - at) / speed, lambda: act(place + 1))
        else:
            played.done = True
            if finished:
                finished()

    if agenda:
        clock.later(agenda[0][0] / speed, lambda: act(0))
    else:
        played.done = True
    return played


def perform(shop: Shop, action: Action, index: int, played: Played) -> None:
    """One action of timeline `index`; raises `Refused`, also for an order the checkout would not take."""
    if action.verb == "place":
        if action.basket is None:
            raise ValueError("place needs a basket")
        played.numbers[index] = shop.place_order(action.basket)
        return
    verbs: dict[str, Callable[[int], None]] = {
        "confirm": shop.confirm,
        "pay": shop.pay,
        "hold": shop.hold,
        "release": shop.release,
        "cancel": shop.cancel,
        "edit": lambda number: shop.edit(number, **action.words),
    }
    if index not in played.numbers:
        raise Refused("the order was never placed")
    verbs[action.verb](played.numbers[index])

"""What the contracts need of every ERP: the adapter, its sandbox, and verbs of both. `erp_folders` says which ERPs there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from erp_folders import NAMES
from stage import Stage

from integration.domain.credit import SETTLED, Refund, RefundedLine
from integration.domain.money import Money, total
from integration.domain.order import Key, Order
from integration.domain.returns import Return, ReturnLine
from integration.ports import ERP, Draft
from integration.sandbox.centra_orders import BasketLine
from mappings import Mapping as Mapped

SHIRT, SOCKS = "LS101NVS", "LS106NVM"


@dataclass
class Bench:
    """An adapter with its sandbox. `fault(name, call)` plans one; `documents(reference)` reads the sandbox's books."""

    stage: Stage
    erp: ERP
    mapping: Mapped
    warehouse: int
    fault: Callable[..., Any]
    documents: Callable[[str], list[dict[str, Any]]]
    finish: Callable[[str], None]
    """The warehouse packs an order's parcel: too late for a cancel."""
    count: Callable[[str, float, int], object]
    """A count in a warehouse finds so many pieces of a SKU."""
    ship: Callable[..., object]
    """An order leaves, or the part of it that `lines` (SKU to pieces) says, in parcels with these `tracking` numbers."""
    relabel: Callable[..., object]
    """What has left gets another label."""
    receive: Callable[..., object]
    """A return arrives, by our reference; with `dispositions` it is inspected at once, `quantities` by SKU arrived."""
    inspect: Callable[..., object]
    """What arrived is judged: one word of `DISPOSITIONS`, or pieces by word, or either by SKU."""
    memos: Callable[[str], list[dict[str, Any]]]
    """Credit memos in the sandbox's books."""
    close_books: Callable[[str], None]
    """Nothing can be posted on this day (ISO) or before."""
    credit_by_hand: Callable[..., object]
    """Somebody credits all that an order was invoiced for, without our reference. Where a person keys memos: `pieces` by SKU
    of it, under `reference`, `posted` or not; the memo's id."""
    calls: Mapping[str, str]
    """As in the ERP's `Connection`."""
    places: tuple[int, ...]
    """Warehouses of the ERP, `warehouse` the first of them."""
    cancel: Callable[[str], object]
    """An order of ours is cancelled in the ERP: by our call where it has one (`cancels`), else by a person."""
    cancels: bool
    announce: Callable[[Order, str, dict[str, int], str], str]
    """A return of these pieces is expected in the ERP under our reference: by our call, or by a person who keys it."""
    announced: Callable[[str], list[dict[str, Any]]]
    """Returns in the sandbox's books by our reference: `id`, `pieces` by SKU, and the `value` that they are booked at."""
    tells_arrival: bool
    """Whether the ERP says when a return arrived."""
    shipments: Callable[[str], list[str]]
    """Refs of an order's shipments in the sandbox's books."""
    add_product: Callable[[str], object]
    requests: Callable[[], int]
    """Calls that the sandbox has answered."""

    def order(self, **terms: Any) -> Order:
        return self.read(self.stage.order(**terms))

    def read(self, number: str) -> Order:
        fetched = self.stage.world.storefronts["brand"].fetch([number])[number]
        assert fetched.order is not None
        return fetched.order

    def draft(self, **terms: Any) -> Draft:
        return self.erp.compose(self.order(**terms), self.mapping)

    def posted(self, **terms: Any) -> tuple[Order, str]:
        """An order and its sales order's id."""
        order = self.order(**terms)
        return order, self.erp.order_write(self.erp.compose(order, self.mapping)).send()


def return_of(order: Order, number: str, pieces: dict[str, int]) -> Return:
    ids = {line.sku: line.id for line in order.lines}
    lines = tuple(ReturnLine(f"{number}{n}", ids[sku], sku, q) for n, (sku, q) in enumerate(pieces.items(), 1))
    key = Key("brand", "return", number)
    return Return(key, order.number, lines, False, True, Money.zero(order.currency), order.placed_at)


def made(name: str) -> Bench:
    """A bench of an ERP."""
    assert name in NAMES
    found: Bench = import_module(f"erps.{name}.bench").bench()
    return found


def refund_of(
    bench: Bench, order: Order, number: str = "81", pieces: dict[str, int] | None = None, **charges: str
) -> Refund:
    """A refund of so many pieces at the order's own prices, and of `shipping`, `fee`, `vouchers`, `goodwill` in major units."""
    currency = order.currency
    lines = []
    for line in order.lines:
        quantity = (pieces or {}).get(line.sku, 0)
        if quantity:
            gross, net = (amount.allocate([quantity, line.quantity - quantity])[0] for amount in (line.gross, line.net))
            lines.append(RefundedLine(line.id, line.sku, quantity, line.tax_percent, net, gross))
    names = ("shipping", "handling", "fee", "vouchers", "goodwill")
    told = {name: Money.of(charges.get(name, "0"), currency) for name in names}
    amount = total([line.gross for line in lines], currency) + told["shipping"] + told["handling"] + told["goodwill"]
    return Refund(
        key=Key("brand", "refund", number),
        order_number=order.number,
        return_number="",
        at=bench.stage.clock.now(),
        life=SETTLED,
        amount=amount - told["fee"] - told["vouchers"],
        lines=tuple(lines),
        method="adyen",
        **told,
    )


def sold(bench: Bench, **terms: Any) -> tuple[Order, str]:
    lines = {"lines": [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]}
    order, ref = bench.posted(**(lines | terms))
    bench.ship(bench.erp.reference(order.number))
    bench.stage.clock.sleep(3600)
    return order, ref

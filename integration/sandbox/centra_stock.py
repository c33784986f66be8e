"""Stock per warehouse and SKU, and which order lines hold it.

Physical = free + allocated; available now = free - demand (documented). An order takes from its market's warehouse, a
line of a bundle from the stock of its parts, whole sets only (both unconfirmed). What is not free becomes demand and is
allocated, oldest order first, when stock becomes free.
"""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.catalogue import CENTRA_WAREHOUSES, OPENING_STOCK, WAREHOUSE_OF_MARKET
from integration.sandbox.centra_orders import Basket, Line, Order, Refused
from integration.sandbox.centra_parcels import StockPolicy
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.goods import GOODS

OPEN = ("PENDING", "CONFIRMED", "PROCESSING")
Place = tuple[int, str]
"""(warehouse id, SKU of a good that is no bundle)"""


@dataclass(frozen=True)
class StockChangeLine:
    """`quantity` pieces more (or fewer, below zero) of a SKU; `free` of it afterwards (unconfirmed meaning)."""

    id: int
    sku: str
    quantity: int
    free: int
    unit_cost: tuple[Decimal, str] | None = None


@dataclass(frozen=True)
class StockChange:
    """One change of physical stock in one warehouse. `kind` is our word (unconfirmed): SET, IN, OUT, MOVE, SHIPMENT,
    RETURN, CANCELLATION.
    """

    id: int
    at: datetime
    kind: str
    comment: str
    warehouse_id: int
    lines: tuple[StockChangeLine, ...]


class Stock:
    """All stock of one Centra. Callers hold the guard of `Orders`."""

    def __init__(self, switches: CentraSwitches) -> None:
        self.switches = switches
        self.physical: dict[Place, int] = {}
        self.allocated: Counter[Place] = Counter()
        self.demand: Counter[Place] = Counter()
        self.thresholds: dict[int, int] = {id: house.threshold for id, house in CENTRA_WAREHOUSES.items()}
        self.changes: list[StockChange] = []
        self._short: dict[int, Order] = {}
        self._ids = itertools.count(1)
        self._line_ids = itertools.count(1)

    def at(self, warehouse_id: int, sku: str) -> int:
        """Physical pieces; the opening stock until something happened."""
        return 0 if GOODS[sku].is_bundle else self.physical.get((warehouse_id, sku), OPENING_STOCK)

    def free(self, warehouse_id: int, sku: str) -> int:
        return self.at(warehouse_id, sku) - self.allocated[warehouse_id, sku]

    def sellable(self, warehouse_id: int, sku: str) -> int:
        """What a shop would still sell: available now, less the warehouse's threshold (documented for the checkout)."""
        return self.free(warehouse_id, sku) - self.demand[warehouse_id, sku] - self.thresholds[warehouse_id]

    def check_out(self, basket: Basket) -> None:
        """Refuse a basket that wants more than is sellable; raises `Refused`."""
        warehouse = WAREHOUSE_OF_MARKET[basket.market_id]
        wanted: Counter[str] = Counter()
        for line in basket.lines:
            for sku, quantity in GOODS[line.sku].parts or ((line.sku, 1),):
                wanted[sku] += quantity * line.quantity
        for sku, quantity in wanted.items():
            if quantity > self.sellable(warehouse, sku):
                raise Refused(f"{sku} is out of stock: {quantity} wanted", "lines")

    def reserve(self, order: Order) -> None:
        """Take for an order what it needs and can get, and give back what it needs no more."""
        warehouse = WAREHOUSE_OF_MARKET[order.market.id]
        may = order.status in ("CONFIRMED", "PROCESSING")
        may = may or (order.status == "PENDING" and self.switches.allocate_on == "placement")
        for line in order.lines:
            wanted = line.quantity - line.completed if order.status in OPEN else 0
            target = min(wanted, line.allocated)
            if may and wanted > line.allocated:
                target = min(wanted, line.allocated + self._sets(warehouse, line))
            self._hold(self.allocated, warehouse, line, target - line.allocated)
            self._hold(self.demand, warehouse, line, wanted - target - line.demand)
            line.allocated, line.demand = target, wanted - target
        if may and any(line.demand for line in order.lines):
            self._short[order.number] = order
        else:
            self._short.pop(order.number, None)

    def fill(self) -> list[Order]:
        """Allocate what has become free to the orders that wait for it, oldest first; gives those that got some."""
        gained = []
        for number in sorted(self._short):
            order = self._short[number]
            before = sum(line.allocated for line in order.lines)
            self.reserve(order)
            if sum(line.allocated for line in order.lines) > before:
                gained.append(order)
        return gained

    def leave(self, warehouse_id: int, line: Line, quantity: int) -> None:
        """Pieces of a line leave the building: they are neither allocated nor there."""
        self._hold(self.allocated, warehouse_id, line, -quantity)
        line.allocated -= quantity
        line.completed += quantity

    def shift(
        self,
        warehouse_id: int,
        pieces: Mapping[str, int],
        kind: str,
        comment: str,
        at: datetime,
        costs: Mapping[str, tuple[Decimal, str]] | None = None,
    ) -> StockChange:
        """Change physical stock by `pieces` (SKU to more or fewer) and record it."""
        lines = []
        for sku, quantity in pieces.items():
            self.physical[warehouse_id, sku] = self.at(warehouse_id, sku) + quantity
            free = self.free(warehouse_id, sku)
            lines.append(StockChangeLine(next(self._line_ids), sku, quantity, free, (costs or {}).get(sku)))
        change = StockChange(next(self._ids), at, kind, comment, warehouse_id, tuple(lines))
        self.changes.append(change)
        return change

    def give_up(
        self, warehouse_id: int, pieces: Mapping[str, int], policy: StockPolicy, text: str, at: datetime
    ) -> None:
        """Physical pieces that were allocated and are not wanted: they stay, vanish or move, as `policy` says."""
        gone = {sku: -quantity for sku, quantity in pieces.items() if quantity}
        if policy in ("release", warehouse_id) or not gone:
            return
        self.shift(warehouse_id, gone, "CANCELLATION", text, at)
        if isinstance(policy, int):
            self.shift(policy, {sku: -quantity for sku, quantity in gone.items()}, "MOVE", text, at)

    def totals(self, sku: str, warehouse_id: int | None = None) -> dict[str, int]:
        """physical, allocated, demand and free of a SKU, in one warehouse or in all."""
        houses = CENTRA_WAREHOUSES if warehouse_id is None else (warehouse_id,)
        physical = sum(self.at(house, sku) for house in houses)
        allocated = sum(self.allocated[house, sku] for house in houses)
        demand = sum(self.demand[house, sku] for house in houses)
        return {"physical": physical, "allocated": allocated, "demand": demand, "free": physical - allocated}

    def book(self) -> dict[str, dict[str, Any]]:
        """`totals` of every stocked SKU, and by warehouse id under "warehouses"."""
        return {
            sku: {**self.totals(sku), "warehouses": {house: self.totals(sku, house) for house in CENTRA_WAREHOUSES}}
            for sku, good in GOODS.items()
            if not good.is_bundle
        }

    def _sets(self, warehouse_id: int, line: Line) -> int:
        """How many more pieces of a line the free stock allows."""
        return max(0, min(self.free(warehouse_id, sku) // quantity for sku, quantity in line.parts))

    def _hold(self, figures: Counter[Place], warehouse_id: int, line: Line, pieces: int) -> None:
        if pieces:
            for sku, quantity in line.parts:
                figures[warehouse_id, sku] += quantity * pieces


def pieces_of(line: Line, quantity: int) -> dict[str, int]:
    """What `quantity` pieces of a line are in stock: SKU to pieces."""
    found: Counter[str] = Counter()
    for sku, each in line.parts:
        found[sku] += each * quantity
    return dict(found)

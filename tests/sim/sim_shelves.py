"""Stock as neither side alone can see it: what lies in the ERP's buildings against all that the shop has promised.

Nothing is oversold. What an ERP has for a SKU in a building is what lies in its storage, and what has left it for orders that
still stand; what the shop owes is every piece of those orders. At the moment an order is placed the shop must not owe more
than there is. The honest window: when something falls on the ERP's side that no order of ours explains (a count, another
channel, goods that left for a cancelled order), a window opens for that SKU and building; it closes when Centra shows
shoppers no more than there is. As many pieces as fell may be oversold within it, and are counted, not forgiven elsewhere.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sim.sim_erps import Erp, Shelf
from sim.sim_invariants import Violation
from sim.sim_scheduler import Scheduler, SimClock

from integration.sandbox.catalogue import ERP_SKUS, GOODS, UNMAPPED_MARKET, WAREHOUSE_OF_MARKET
from integration.sandbox.centra import Centra
from integration.sandbox.centra_stock import pieces_of

_LEVELS = "SELECT place, sku, pushed, desired, pushed_figure_at FROM level WHERE pushed_figure_at IS NOT NULL"
_DEAD = "SELECT number FROM job WHERE kind = 'order' AND state = 'dead'"
_CASES = "SELECT cause || ' ' || message FROM exception WHERE state <> 'resolved' AND type LIKE 'STOCK%'"


class Shelves:
    """`watched` SKUs are followed step by step; the rest at the end. `window_units` were oversold in honest windows."""

    def __init__(
        self,
        sql: sqlite3.Connection,
        centra: Centra,
        erps: Sequence[Erp],
        scheduler: Scheduler,
        clock: SimClock,
        start_at: datetime,
        watched: list[str],
    ) -> None:
        self.sql, self.centra, self.erps, self.scheduler, self.clock = sql, centra, erps, scheduler, clock
        self.start_at, self.watched = start_at, watched
        self.window_units = 0
        self.windows: Counter[Shelf] = Counter()
        """Pieces by which the ERP fell since the window opened, less those oversold."""
        self._fell: dict[Shelf, str] = {}
        """When it fell last, as the ledger writes an instant: a figure read before that may still be on its way."""
        self._supply: dict[Shelf, int] = {}
        self._placed: set[int] = set(centra.orders)
        self._stamps: dict[Shelf, str] = {}
        self._changes, self._seen, self._looked = 0, (-1, -1), -10.0
        centra.watchers.append(self._changed)

    def _changed(self, *_: Any) -> None:
        self._changes += 1

    # ------------------------------------------------------------------------------------------------ after every step

    def after_step(self) -> None:
        moved = self._changes + sum(erp.moves() for erp in self.erps)
        seen = (moved, len(self.centra.book.stock.changes))
        if seen != self._seen:
            self._seen = seen
            self._nothing_is_oversold()
        if self.scheduler.now - self._looked >= 5:
            self._looked = self.scheduler.now
            self._stamps_never_go_back()

    def _nothing_is_oversold(self) -> None:
        supply, owed = self.supply(), self.owed()
        new = [self.centra.orders[number] for number in self.centra.orders if number not in self._placed]
        for shelf, pieces in supply.items():
            fell = self._supply.get(shelf, pieces) - pieces
            if fell > 0:
                self.windows[shelf] += fell
                self._fell[shelf] = f"{self.clock.now():%Y-%m-%d %H:%M:%S.%f}"
        self._supply = supply
        for order in new:
            self._placed.add(order.number)
            house = WAREHOUSE_OF_MARKET[order.market.id]
            for sku, pieces in self._pieces(order).items():
                shelf = (house, sku)
                over = min(pieces, owed[shelf] - supply[shelf]) if shelf in supply and self._ours(order) else 0
                if over > 0:
                    self._oversold(shelf, over, order.number)
        for shelf in [shelf for shelf in self.windows if self._shown(shelf) <= max(0, supply[shelf] - owed[shelf])]:
            if self._read_since(shelf):
                del self.windows[shelf]

    def _read_since(self, shelf: Shelf) -> bool:
        """Whether we have read the ERP's figure since it fell."""
        place, sku = shelf
        row = self.sql.execute("SELECT figure_at FROM level WHERE place = ? AND sku = ?", (str(place), sku)).fetchone()
        return row is not None and (row[0] or "") >= self._fell.get(shelf, "")

    def _oversold(self, shelf: Shelf, pieces: int, number: int) -> None:
        self.window_units += pieces
        self.windows[shelf] -= pieces
        self.scheduler.tell(f"{pieces} of {shelf[1]} in {shelf[0]} are oversold by order {number}")
        if self.windows[shelf] < 0:
            raise Violation(
                f"P11 order {number} oversells {pieces} of {shelf[1]} in {shelf[0]}, and nothing fell on the ERP's side"
            )

    def _shown(self, shelf: Shelf) -> int:
        stock = self.centra.book.stock
        return stock.free(*shelf) - stock.demand[shelf]

    def _ours(self, order: Any) -> bool:
        return bool(order.created_at >= self.start_at)

    def _pieces(self, order: Any) -> Counter[str]:
        """Pieces by stocked SKU that a living order wants or has had; the ERP never had what it has never heard of."""
        found: Counter[str] = Counter()
        if order.status not in ("CANCELLED", "DELETED"):
            for line in order.lines:
                found.update(pieces_of(line, line.quantity))
        return found

    def owed(self) -> Counter[Shelf]:
        """Every piece of every order of ours that stands."""
        found: Counter[Shelf] = Counter()
        for order in self.centra.orders.values():
            for sku, pieces in self._pieces(order).items() if self._ours(order) else ():
                found[WAREHOUSE_OF_MARKET[order.market.id], sku] += pieces
        return found

    def supply(self) -> dict[Shelf, int]:
        """What lies in storage or has left for an order that stands, of the watched SKUs."""
        found: dict[Shelf, int] = {}
        for erp in self.erps:
            found |= erp.lying(self.watched)
            for gone in erp.left():
                if gone.shelf in found and self._stands(gone.order):
                    found[gone.shelf] += gone.pieces
        return found

    def _stands(self, number: int) -> bool:
        order = self.centra.orders.get(number)
        return order is not None and order.status not in ("CANCELLED", "DELETED")

    def _stamps_never_go_back(self) -> None:
        """I8: what Centra was told is a whole number, never below nothing, and of an ever newer figure of the ERP."""
        for place, sku, pushed, desired, stamp in self.sql.execute(_LEVELS):
            for figure in (pushed, desired):
                if figure is not None and (type(figure) is not int or figure < 0):
                    raise Violation(f"I8 {sku} in {place}: the figure {figure} was pushed")
            if stamp < self._stamps.get((place, sku), ""):
                raise Violation(f"I8 {sku} in {place}: a figure of {stamp} was pushed after a newer one")
            self._stamps[place, sku] = stamp

    def sees(self, body: Any) -> None:
        """A `setStock` just before it arrives."""
        asked = json.loads(body)
        if "setStock" not in asked["query"]:
            return
        for variant in asked["variables"]["input"]["productVariants"]:
            for level in variant["sizeStockLevels"]:
                if type(level["quantity"]) is not int or level["quantity"] < 0:
                    raise Violation(f"I8 Centra is told that there are {level['quantity']} of something")

    # ------------------------------------------------------------------------------------------------ at the end

    def complaints(self, *, thorough: bool = False) -> list[str]:
        """L3: where Centra does not show what the formula says, by both sides' own books; `thorough` of every SKU."""
        unknown = self._unknown()
        wanted = [sku for sku in ERP_SKUS if not GOODS[sku].is_bundle] if thorough else self.watched
        excused = " ".join(words for (words,) in self.sql.execute(_CASES))
        beside, found = self._beside(), []
        figures = {shelf: figure for erp in self.erps for shelf, figure in erp.available(wanted).items()}
        for (house, sku), figure in figures.items():
            due, shown = figure - unknown[house, sku], self._shown((house, sku))
            least = max(0, due - beside[sku])
            if sku not in excused and not (least <= shown <= max(0, due) or (least == 0 and shown < 0)):
                found.append(f"L3 {sku} in {house}: Centra shows {shown}, the formula says {due}")
        return found

    def _beside(self) -> Counter[str]:
        """Pieces that may be held back beside the formula: of a market nobody knows, which may sell from anywhere; of orders
        from before our start, which Centra deducts and we do not follow; of orders that are an open exception, of which it
        is not sure what the ERP has deducted.
        """
        found: Counter[str] = Counter()
        dead = {int(number) for (number,) in self.sql.execute(_DEAD)}
        for order in self.centra.orders.values():
            if order.market.id == UNMAPPED_MARKET or order.number in dead or not self._ours(order):
                found.update(self._pieces(order))
        return found

    def _unknown(self) -> Counter[Shelf]:
        """Pieces that Centra has sold and no sale of an ERP's holds."""
        held = {number: pieces for erp in self.erps for number, pieces in erp.held().items()}
        found: Counter[Shelf] = Counter()
        for number, order in self.centra.orders.items():
            pieces = self._pieces(order) - held.get(number, Counter()) if self._ours(order) else Counter[str]()
            for sku, left in pieces.items():
                found[WAREHOUSE_OF_MARKET[order.market.id], sku] += left
        return found

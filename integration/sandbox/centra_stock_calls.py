"""`setStock` (absolute) and `changeStock` (deltas). One wrong line refuses the whole call (unconfirmed)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_orders import Refused
from integration.sandbox.centra_payload import Arguments, amount_in, id_of, note, only, payload, warehouse_id
from integration.sandbox.centra_queries import Queries
from integration.sandbox.centra_shapes import Shape, Shapes
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.faults import Faults


class StockCalls:
    """The mutations of stock."""

    def __init__(
        self, orders: Orders, shapes: Shapes, queries: Queries, switches: CentraSwitches, faults: Faults
    ) -> None:
        self.orders, self.shapes, self.queries = orders, shapes, queries
        self.switches, self.faults = switches, faults

    def acts(self) -> dict[str, Callable[[Arguments], Shape]]:
        return {"setStock": self.set_stock, "changeStock": self.change_stock}

    def set_stock(self, arguments: Arguments) -> Shape:
        """Physical stock, or what shall be free, of any number of sizes; never less than is allocated."""
        words, stock = arguments["input"], self.orders.stock
        warehouse = warehouse_id(words["warehouse"], "input", "warehouse")
        wanted: dict[str, int] = {}
        for variant in words["productVariants"]:
            for sku, level in self._sizes(variant, "sizeStockLevels", "quantity"):
                held = stock.allocated[warehouse, sku] if words["stockQuantityType"] == "FREE_TO_ALLOCATE" else 0
                wanted[sku] = level + held
        self._fits(len(wanted))
        clamped = {sku: quantity for sku, quantity in wanted.items() if quantity < stock.allocated[warehouse, sku]}
        if clamped and self.switches.set_stock_below_allocated == "refuse":
            raise Refused(f"{', '.join(clamped)}: quantity is below what is allocated", "input", "productVariants")
        unseen = self.faults.due("setStock", among=("clamp",))
        if unseen and unseen.fault == "clamp":
            wanted[next(iter(wanted))] = 0
        pieces = {
            sku: max(quantity, stock.allocated[warehouse, sku]) - stock.at(warehouse, sku)
            for sku, quantity in wanted.items()
        }
        pieces = {sku: quantity for sku, quantity in pieces.items() if quantity}
        changes = []
        if pieces:
            text = words.get("description") or ""
            changes.append(stock.shift(warehouse, pieces, "SET", text, self.orders.now()))
        self.orders.refill()
        warns = self.switches.set_stock_below_allocated == "clamp-warning"
        warnings = [note(f"{sku} was set to what is allocated", "input", "productVariants") for sku in clamped if warns]
        return payload(warnings=warnings, stockChanges=[self.queries.stock_change(change) for change in changes])

    def change_stock(self, arguments: Arguments) -> Shape:
        """Into a warehouse, out of one, or from one to another; what goes out must be free."""
        words, stock, now = arguments["input"], self.orders.stock, self.orders.now()
        into, out = (
            warehouse_id(words[name], "input", name) if words.get(name) else None
            for name in ("intoWarehouse", "outFromWarehouse")
        )
        if into is None and out is None:
            raise Refused("intoWarehouse or outFromWarehouse should be provided", "input")
        pieces: Counter[str] = Counter()
        costs: dict[str, tuple[Decimal, str]] = {}
        for variant in words["productVariants"]:
            for sku, quantity in self._sizes(variant, "sizeChanges", "deliveredQuantity"):
                if quantity <= 0:
                    raise Refused("Quantity must be greater than 0", "input", "productVariants", "deliveredQuantity")
                pieces[sku] += quantity
                if variant.get("unitCost"):
                    costs[sku] = amount_in(variant["unitCost"], None, "input", "productVariants", "unitCost")
        self._fits(len(pieces))
        kind, text = "MOVE" if into and out else "IN" if into else "OUT", words.get("description") or ""
        changes = []
        if out is not None:
            for sku, quantity in pieces.items():
                if quantity > stock.free(out, sku):
                    raise Refused(f"Only {stock.free(out, sku)} of {sku} are free to allocate", "input")
            changes.append(stock.shift(out, {sku: -n for sku, n in pieces.items()}, kind, text, now, costs))
        if into is not None:
            changes.append(stock.shift(into, pieces, kind, text, now, costs))
        self.orders.refill()
        return payload(stockChange=self.queries.stock_change(changes[-1]))

    def _sizes(self, variant: Mapping[str, Any], name: str, quantity: str) -> Sequence[tuple[str, int]]:
        """(SKU, quantity) of every size named under one variant; raises `Refused` for what does not exist."""
        path = ("input", "productVariants")
        id = id_of(variant["productVariant"], "ProductVariant", *path, "productVariant")
        shape = self.shapes.variants.get(id)
        if shape is None:
            raise Refused(f"Could not find ProductVariant with ID {id}", *path, "productVariant")
        if shape["product"]["isBundle"]:
            raise Refused(f"ProductVariant with ID {id} is a bundle and has no stock", *path, "productVariant")
        found = []
        for word in variant[name]:
            key, value = only(word["size"], *path, name, "size")
            size = next((size for size in shape["productSizes"] if size["size"].get(key) == value), None)
            if size is None:
                raise Refused(f"Could not find Size with {key} {value} of ProductVariant {id}", *path, name, "size")
            if word[quantity] < 0:
                raise Refused("Quantity must not be negative", *path, name, quantity)
            found.append((size["SKU"], word[quantity]))
        return found

    def _fits(self, sizes: int) -> None:
        if not sizes:
            raise Refused("No sizes are named", "input", "productVariants")
        if 0 < self.switches.stock_batch_limit < sizes:
            limit = self.switches.stock_batch_limit
            raise Refused(f"No more than {limit} sizes may be named at once", "input", "productVariants")

"""Stock as Fulfil tells it (developers.fulfil.io, Inventory Management).

`quantity_available` is what Fulfil itself exports to channels; it may be more than what is on hand and may be negative, so
neither is bounded by the other. `get_product_inventory` names every warehouse in its answer: a warehouse that it passes over
in silence is an error here and never a zero.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.erp.fulfil.client import MOST_ROWS
from integration.erp.fulfil.tenant import FULL, Tenant, batches, changed, whole
from integration.errors import Rejected
from integration.ports import Figure

LANE = "stock"


class Stock(Tenant):
    """`ERPStock`."""

    def figures(self, skus: Collection[str], warehouses: Collection[int]) -> Mapping[str, Figure]:
        found: dict[str, Figure] = {}
        for batch in batches(sorted(set(skus)), most=FULL):
            products = self._products(batch)
            if products:
                answer = self.client.call(
                    "product.product", "get_product_inventory", [list(products.values()), sorted(warehouses)], lane=LANE
                )
                found |= {sku: _figure(answer, product, warehouses) for sku, product in products.items()}
        return found

    def _products(self, skus: Sequence[str]) -> dict[str, int]:
        """Ids of active products by code, exact spelling only."""
        rows = self.client.search_read("product.product", [["code", "in", list(skus)]], ("code", "active"), lane=LANE)
        return {row["code"]: row["id"] for row in rows if row["code"] in skus and row["active"]}

    def moved_since(self, since: datetime) -> Collection[str]:
        rows = self.client.search_read("stock.move", [changed(since)], ("product.code",), lane=LANE)
        return {row["product.code"] for row in rows if row["product.code"]}

    def stocked(self, after: str) -> tuple[Sequence[str], str]:
        domain = [["type", "=", "goods"], ["id", ">", int(after or 0)]]
        terms = [domain, 0, MOST_ROWS, [["id", "ASC"]], ["id", "code", "active"]]
        page = self.client.call("product.product", "search_read", terms, lane=LANE)
        skus = [row["code"] for row in page if row["code"] and row["active"]]
        return skus, str(page[-1]["id"]) if len(page) == MOST_ROWS else ""


def _figure(answer: Any, product: int, warehouses: Collection[int]) -> Figure:
    """One product's figures, summed exactly and then rounded down."""
    on_hand = available = Decimal(0)
    places = answer.get(str(product)) if isinstance(answer, dict) else None
    for warehouse in sorted(warehouses):
        level = places.get(str(warehouse)) if isinstance(places, dict) else None
        if not isinstance(level, dict) or not {"quantity_on_hand", "quantity_available"} <= level.keys():
            message = f"Fulfil does not tell the stock of product {product} in warehouse {warehouse}"
            raise Rejected("SCHEMA_CHANGE", "fulfil:product.product.get_product_inventory", message)
        on_hand += Decimal(str(level["quantity_on_hand"]))
        available += Decimal(str(level["quantity_available"]))
    return Figure(on_hand=whole(on_hand), available=whole(available))

"""Stock in Centra: absolute numbers per warehouse, and what of them is allocated to orders.

Confirmed at centra.dev: `stockTotals` takes a warehouse, a level is a whole number of at least 0, neither the warehouse's
threshold nor a variant's offset is subtracted. Unconfirmed: the name FREE_TO_ALLOCATE, how many sizes one `setStock` may
name, and whether a physical level below what is allocated is cut, warned of or refused: so every push is read back.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration.centra.instance import MOST, Instance
from integration.centra.nodes import ids, rows
from integration.domain.stock import FREE_TO_ALLOCATE, PHYSICAL
from integration.errors import Unavailable
from integration.ports import Shelf, StockPlace, Variant

QUANTITY_TYPES = {PHYSICAL: "PHYSICAL", FREE_TO_ALLOCATE: "FREE_TO_ALLOCATE"}
TOTALS_COMPLEXITY = 20
"""Our guess for one size's totals: Centra calls every quantity but free-to-allocate expensive and gives no figure."""


class Stock(Instance):
    """The part of the adapter that reads and sets stock. A variant's ref is `variant:size:productSize`, Centra's ids."""

    def variants(self, page: int) -> tuple[Sequence[Variant], bool]:
        """Sizes of bundles are left out: their stock is that of their parts (documented); and so is what has no SKU."""
        wanted = {"limit": MOST, "page": page}
        answer = self.client.read("variants", wanted, lane="stock", complexity=3 * MOST)
        found = rows(answer, "productSizes")
        return [variant for variant in map(_variant, found) if variant], len(found) == MOST

    def shelves(self, place: str, refs: Collection[str]) -> Mapping[str, Shelf]:
        by_size = {ref.rpartition(":")[2]: ref for ref in refs}
        asked = ids(by_size)
        if not asked:
            return {}
        wanted = {"ids": sorted(asked), "limit": len(asked), "warehouse": int(place)}
        answer = self.client.read("shelves", wanted, lane="stock", complexity=TOTALS_COMPLEXITY * len(asked))
        return {by_size[str(row["id"])]: _shelf(row) for row in rows(answer, "productSizes")}

    def set_stock(self, place: str, quantity_type: str, quantities: Mapping[str, int]) -> None:
        """One wrong size may refuse the whole call (unconfirmed): `Rejected` (STOCK_PUSH_STALE) with Centra's words."""
        levels: dict[int, list[dict[str, Any]]] = {}
        for ref, quantity in quantities.items():
            variant, size, _ = ref.split(":")
            levels.setdefault(int(variant), []).append({"size": {"id": int(size)}, "quantity": quantity})
        if not levels:
            return
        wanted = {
            "warehouse": {"id": int(place)},
            "description": "Lockstep",
            "stockQuantityType": QUANTITY_TYPES[quantity_type],
            "productVariants": [
                {"productVariant": {"id": variant}, "sizeStockLevels": sizes} for variant, sizes in levels.items()
            ],
        }
        self.client.change("set_stock", {"input": wanted}, lane="stock", refused_as="STOCK_PUSH_STALE")

    def places(self) -> Sequence[StockPlace]:
        found: list[StockPlace] = []
        page = 1
        while len(found) == (page - 1) * MOST:
            answer = self.client.read("places", {"limit": MOST, "page": page}, lane="stock", complexity=MOST)
            found += [
                StockPlace(str(r["id"]), str(r["name"]), int(r["threshold"] or 0)) for r in rows(answer, "warehouses")
            ]
            page += 1
        return found


def _variant(row: Mapping[str, Any]) -> Variant | None:
    variant, size = row.get("productVariant") or {}, row.get("size") or {}
    bundle = (variant.get("product") or {}).get("isBundle")
    if bundle or not row.get("SKU") or "id" not in variant or "id" not in size:
        return None
    return Variant(str(row["SKU"]), f"{variant['id']}:{size['id']}:{row['id']}")


def _shelf(row: Mapping[str, Any]) -> Shelf:
    totals = row.get("stockTotals") or {}
    told = [totals.get(f"{name}Quantity") for name in ("physical", "allocated", "demand")]
    whole = [quantity for quantity in told if isinstance(quantity, int) and not isinstance(quantity, bool)]
    if len(whole) < len(told):
        raise Unavailable(f"Centra tells no stock of size {row.get('id')}")
    return Shelf(*whole)

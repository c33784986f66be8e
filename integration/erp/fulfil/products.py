"""Products of Fulfil as items: `product.product` with its code and whether it is active (developers.fulfil.io).

How a product is made or deactivated over the API is not confirmed for this connection, so both are a person's, and read back.
Unconfirmed: that `upc` holds the EAN, and that a kit's parts are the inputs of the one bill that has it as an output. Goods
that are manufactured and stocked have a bill, too, so a bill alone makes no bundle.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

from integration.domain.product import ARCHIVED, ON_SALE, Item
from integration.erp.fulfil.tenant import FULL, Tenant, batches
from integration.errors import Rejected
from integration.ports import Write

LANE = "stock"
_FIELDS = ("code", "active", "upc", "variant_name", "list_price", "boms")
_ALIKE = 50
"""SKUs in one search that looks past their case."""


class Products(Tenant):
    """`ERPItems`."""

    def definitions(self, skus: Collection[str], *, parts: bool = False) -> Sequence[Item]:
        found: dict[int, dict[str, Any]] = {}
        for batch in batches(sorted(set(skus)), most=_ALIKE):
            alike = ["OR", *(["code", "ilike", sku.strip()] for sku in batch)]
            rows = self.client.search_read("product.product", [alike], _FIELDS, lane=LANE)
            found |= {row["id"]: row for row in rows}
        recipes = self._bills(list(found.values())) if parts else {}
        return [_item(row, recipes.get(row["id"], {}) if parts else None) for row in found.values()]

    def _bills(self, rows: Sequence[dict[str, Any]]) -> dict[int, dict[str, Fraction]]:
        """Pieces by SKU of each product with a bill of materials, by the product's id."""
        owner = {bom: row["id"] for row in rows for bom in row["boms"] or ()}
        found: dict[int, dict[str, Fraction]] = defaultdict(dict)
        for batch in batches(sorted(owner), most=FULL):
            inputs = self.client.search_read(
                "production.bom.input", [["bom", "in", batch]], ("bom", "product.code", "quantity"), lane=LANE
            )
            for row in inputs:
                mine = found[owner[row["bom"]]]
                mine[row["product.code"]] = mine.get(row["product.code"], Fraction(0)) + Fraction(str(row["quantity"]))
        return dict(found)

    def item(self, ref: str) -> Item:
        rows = self.by_id("product.product", [int(ref)], _FIELDS, lane=LANE)
        if int(ref) not in rows:
            raise Rejected("SCHEMA_CHANGE", "fulfil:product.product", f"Fulfil has no product {ref} any more")
        return _item(rows[int(ref)], None)

    def create_item(self, offer: Item, template: str) -> Write | None:
        return None

    def deactivate_item(self, item: Item) -> Write | None:
        return None


def _item(row: dict[str, Any], parts: dict[str, Fraction] | None) -> Item:
    price = row["list_price"]
    fields = {
        "ean": str(row["upc"] or ""),
        "name": str(row["variant_name"] or ""),
        "price": format(price, "f") if price else "",
    }
    status = ON_SALE if row["active"] else ARCHIVED
    return Item(str(row["code"]), str(row["id"]), status, fields, parts)

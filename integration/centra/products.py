"""The catalogue of Centra: what is on sale, held back or archived. A status is of a variant, with all its sizes.

Documented at centra.dev: a SKU is read-only and stands on a size, `status` of a product and of a variant reads ACTIVE or
INACTIVE, `updateProductVariant(id, input)` exists. **Inferred, in this file alone**: that its input takes `status`, and that
the third status is called CANCELLED and means archived. Where a tenant proves it wrong, `[products] release = "off"` leaves
the status to people, and the sweeps find what they forgot.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from integration.centra.instance import MOST, Instance
from integration.centra.nodes import ids, rows
from integration.domain.product import ARCHIVED, HELD, ON_SALE, Item
from integration.ports import EffectClass, Write

_STATUSES = {"ACTIVE": ON_SALE, "INACTIVE": HELD, "CANCELLED": ARCHIVED}
_WORDS = {status: word for word, status in _STATUSES.items()}
_RANK = (ARCHIVED, HELD, ON_SALE)
LANE = "stock"


class Products(Instance):
    """`StorefrontProducts`."""

    def catalogue(self, page: int) -> tuple[Sequence[Item], bool]:
        found = rows(
            self.client.read("offers", {"limit": MOST, "page": page}, lane=LANE, complexity=4 * MOST), "productSizes"
        )
        return [item for item in map(_item, found) if item], len(found) == MOST

    def offers(self, refs: Collection[str]) -> Mapping[str, Item]:
        asked = ids(refs)
        if not asked:
            return {}
        wanted = {"ids": sorted(asked), "limit": len(asked)}
        answer = self.client.read("offered", wanted, lane=LANE, complexity=20 * len(asked))
        return {item.ref: item for item in map(_item, rows(answer, "productSizes")) if item}

    def set_status(self, item: Item, status: str, name: str) -> Write:
        def found() -> Sequence[str]:
            shown = self.offers([item.ref]).get(item.ref)
            return [item.family] if shown is not None and shown.status == status else []

        variables = {"id": int(item.family), "input": {"status": _WORDS[status]}}

        def send() -> str:
            self.client.change("set_status", variables, lane=LANE, refused_as="PRODUCT_BY_HAND")
            return item.family

        return Write(
            name=name,
            effect_class=EffectClass.LOOK_UP,
            reference=f"variant {item.family} {status}",
            fingerprint=self.mark_of(variables),
            send=send,
            find=found,
            wait=timedelta(0),  # a status may be set again
            takes=2 * self.takes,
        )


def _item(row: Mapping[str, Any]) -> Item | None:
    """A size; one without a SKU is nobody's. Its status is the lesser of its variant's and its product's."""
    variant = row.get("productVariant") or {}
    product = variant.get("product") or {}
    if not row.get("SKU") or "id" not in variant:
        return None
    statuses = {_STATUSES.get(str(each.get("status")), HELD) for each in (variant, product)}
    names = (product.get("name"), variant.get("name"), row.get("description"))
    fields = {"ean": str(row.get("EAN") or ""), "name": " ".join(str(name) for name in names if name)}
    if row.get("weight"):
        fields["weight"] = str(row["weight"]["value"])
    return Item(
        sku=str(row["SKU"]),
        ref=str(row["id"]),
        status=min(statuses, key=_RANK.index),
        fields=fields,
        family=str(variant["id"]),
        siblings=tuple(str(size["SKU"]) for size in variant.get("productSizes") or () if size.get("SKU")),
        is_bundle=bool(product.get("isBundle")),
    )

"""What is made, changed and taken off sale in Centra's catalogue, by people and by `updateProductVariant`.

Documented: `updateProductVariant(id, input)`, and that a variant's `status` reads ACTIVE or INACTIVE. **Inferred**: that its
input takes `status`, that the third status (CANCELLED) is an archived variant, and that only an active variant of an active
product can be bought.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from integration.sandbox.centra_orders import Basket, Refused
from integration.sandbox.centra_payload import Arguments, payload
from integration.sandbox.centra_shapes import Shape, Shapes
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.goods import GOODS

STATUSES = ("ACTIVE", "INACTIVE", "CANCELLED")


class Products:
    """The catalogue of one Centra. Callers hold the guard."""

    def __init__(self, shapes: Shapes, switches: CentraSwitches, now: Callable[[], datetime]) -> None:
        self.shapes, self.switches, self.now = shapes, switches, now
        self._unmade: dict[int, Shape] = {}

    def acts(self) -> dict[str, Callable[[Arguments], Shape]]:
        return {"updateProductVariant": self.update_variant}

    def update_variant(self, arguments: Arguments) -> Shape:
        variant = self.shapes.variants.get(arguments["id"])
        if variant is None:
            raise Refused(f"Could not find ProductVariant with ID {arguments['id']}", "id")
        words = arguments["input"]
        if words.get("status") is not None and not self.switches.variant_status_input:
            raise Refused("A variant's status cannot be changed here", "input", "status")
        self._change(variant, {name: words[name] for name in ("status", "name") if words.get(name) is not None})
        return payload(productVariant=variant)

    def withhold(self, sku: str) -> None:
        """As if nobody had made the variant of a SKU yet; `make` makes it."""
        variant = self._size(sku)["productVariant"]
        product = variant["product"]
        product["variants"].remove(variant)
        self._unmade[variant["id"]] = self.shapes.variants.pop(variant["id"])
        for size in variant["productSizes"]:
            del self.shapes.sizes[size["id"]]
        if not product["variants"]:
            del self.shapes.products[product["id"]]

    def make(self, sku: str, status: str = "INACTIVE") -> None:
        """A person makes the variant of a SKU, with all its sizes."""
        variant = self._unmade.pop(GOODS[sku].variant_id)
        product = variant["product"]
        self.shapes.products[product["id"]] = product
        product["variants"].append(variant)
        self.shapes.variants[variant["id"]] = variant
        self.shapes.sizes |= {size["id"]: size for size in variant["productSizes"]}
        self._change(variant, {"status": status})

    def change(self, sku: str, /, **words: Any) -> None:
        """A person edits a SKU: `ean`, `sku` (its numbers), `name` and `status` of its whole variant."""
        size = self._size(sku)
        for word, name in (("ean", "EAN"), ("sku", "SKU")):
            if word in words:
                size[name] = words[word]
        size["updatedAt"] = self.now()
        self._change(size["productVariant"], {name: words[name] for name in ("name", "status") if name in words})

    def check_out(self, basket: Basket) -> None:
        """Raises `Refused` for what is not on sale."""
        for line in basket.lines:
            size = self.shapes.sizes.get(GOODS[line.sku].size_id)
            variant = size["productVariant"] if size else None
            if variant is None or {variant["status"], variant["product"]["status"]} != {"ACTIVE"}:
                raise Refused(f"{line.sku} is not on sale", "lines")

    def status(self, sku: str) -> str:
        return str(self._size(sku)["productVariant"]["status"])

    def _size(self, sku: str) -> Shape:
        return next(size for size in self.shapes.sizes.values() if sku in (size["SKU"], size["SKU"].strip()))

    def _change(self, variant: Shape, words: Mapping[str, Any]) -> None:
        if words.get("status", "ACTIVE") not in STATUSES:
            raise Refused(f"{words['status']} is no status of a variant", "input", "status")
        variant.update(words, updatedAt=self.now())

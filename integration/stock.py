"""Stock push, the business of it: whose stock is to be looked at, and what the storefront shall show of it."""

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache

from integration.domain.order import Key
from integration.store import Transaction, ledger, levels, reference
from mappings import Mapping as Mapped
from mappings import parse


def hint(
    tx: Transaction, connection: str, skus: Collection[str], *, urgency: int | None = None, source: str = "closed loop"
) -> list[Key]:
    """Note inside a transaction that these SKUs' stock may have changed. Returns the key to ring, or nothing.

    SKUs are those that the ERP stocks: give a bundle by its parts (`pieces`). A thousand hints are one push. `urgency`:
    lower goes first; left out, it is the units left. A connection that declares no stock is never marked.
    """
    told = reference.mapping_text(tx, connection)
    instance = _feeds(told[1], connection) if told else ""
    if not skus or not instance:
        return []
    keys = ledger.mark_in(tx, [Key(instance, "stock", connection)], source, connection=connection)
    levels.mark(tx, connection, skus, urgency)
    return keys


@cache
def _feeds(text: str, connection: str) -> str:
    """The Centra instance whose stock a mapping text declares; empty when it declares none."""
    mapping = parse(text, f"{connection}.toml")
    return mapping.centra if mapping.stock else ""


def pieces(lines: Iterable[tuple[str, int]], mapping: Mapped | None) -> dict[str, int]:
    """Pieces by stocked SKU of (SKU, quantity) lines: a bundle counts as its parts, never as itself."""
    found: Counter[str] = Counter()
    for sku, quantity in lines:
        for part, each in (mapping.components(sku) if mapping else {sku: 1}).items():
            found[part] += each * quantity
    return {sku: quantity for sku, quantity in found.items() if quantity > 0}

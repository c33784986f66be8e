"""Which SKUs an ERP knows: remembered in the store, asked again on a miss, a page at a time."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from integration.errors import Rejected
from integration.ports import ERP
from integration.store import Store, reference

ABSENCE_HOLDS = timedelta(seconds=30)
"""How long a missing SKU is believed missing: long enough for a burst of orders, short for the person who adds it."""


def known(store: Store, erp: ERP, skus: Collection[str]) -> Mapping[str, str | None]:
    """ERP item ids by SKU, `None` where there is no active item. One request when anything must be asked."""
    with store.read() as tx:
        remembered = reference.items(tx, erp.name, skus, absent_for=ABSENCE_HOLDS)
    missing = set(skus) - set(remembered)
    if not missing:
        return remembered
    found = erp.items(missing)
    with store.write("items") as tx:
        reference.put_items(tx, erp.name, found)
    return {**remembered, **found}


def require(store: Store, erp: ERP, skus: Collection[str]) -> None:
    """Raises `Rejected` (ORDER_UNKNOWN_SKU) for the first SKU the ERP has no active item for."""
    for sku, ref in sorted(known(store, erp, skus).items()):
        if ref is None:
            raise Rejected("ORDER_UNKNOWN_SKU", sku, f"{erp.name} has no active item with SKU {sku!r}")

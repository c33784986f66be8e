"""What `lockstep doctor` looks at in a Fulfil: every channel and warehouse of the mapping file, and whom its absence concerns.

What is deactivated is left out of a search as if it were deleted (Tryton's own rule), and so is what the token's user may not
see: all three would refuse the orders of a market one by one.
"""

from collections.abc import Iterator, Mapping

from integration.erp.fulfil.tenant import Tenant
from integration.ports import Told
from mappings import Mapping as Mapped


def examine(erp: Tenant, mapping: Mapped) -> Iterator[Told]:
    """All findings about one connection. Raises what reading Fulfil raises."""
    for kind, (model, named) in _named(mapping).items():
        there = erp.by_id(model, named, ("name",), lane="orders")
        missing = sorted(named.keys() - there.keys())
        for id in missing:
            says = f"{mapping.file} names {kind} {id}, which Fulfil does not show: it concerns {', '.join(sorted(named[id]))}"
            do = "see whether it was deactivated, or whether the token's user may not see it; or correct the mapping"
            yield "FAIL", f"{kind} {id}", says, do
        if not missing:
            yield "ok", f"{kind}s", f"all {len(named)} of the mapping are there", ""


def _named(mapping: Mapped) -> Mapping[str, tuple[str, dict[int, set[str]]]]:
    """Model, and ids with the words of ours that they stand behind, by kind."""
    channels: dict[int, set[str]] = {}
    warehouses: dict[int, set[str]] = {}
    for market in mapping.markets.values():
        channels.setdefault(market.channel, set()).add(market.name)
        warehouses.setdefault(market.warehouse, set()).add(market.name)
    for place in mapping.stock.places.values() if mapping.stock else ():
        for warehouse in (*place.warehouses, *place.zones):
            warehouses.setdefault(warehouse, set()).add(f"stock of Centra's warehouse {place.id}")
    return {"channel": ("sale.channel", channels), "warehouse": ("stock.location", warehouses)}

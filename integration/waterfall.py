"""How a stock figure came about, step by step from the ERP's figure to what shoppers see; and what people say to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integration import brake, stock
from integration.domain.order import Key
from integration.domain.stock import AVAILABLE, Reckoning
from integration.store import exceptions, ledger, levels, reference
from integration.store.levels import NOTHING_SOLD
from integration.wiring import World
from mappings import Mapping as Mapped

MOST = 50
FACTS = (
    *(
        "connection",
        "place",
        "sku",
        "state",
        "figure",
        "figure_at",
        "known",
        "unposted",
        "buffer",
        "allocated",
        "demand",
    ),
    *("physical", "desired", "pushed", "pushed_at", "shown", "shown_at", "waits_since", "tries"),
    *("stopped_until", "stopped_why"),
)


def waterfall(world: World, sku: str) -> list[dict[str, Any]]:
    """One entry per place that has a level of the SKU; see `_told`. Counts are whole units, instants aware."""
    mappings = {m.connection: m for m in world.connections()}
    with world.store.read() as tx:
        rows, now = levels.of_sku(tx, sku), tx.now
    return [_told(row, mappings.get(row.connection), now) for row in rows]


def worst(world: World, limit: int = MOST) -> list[dict[str, Any]]:
    """The levels that need somebody, worst first, told as in `waterfall`."""
    mappings = {m.connection: m for m in world.connections()}
    with world.store.read() as tx:
        rows, now = levels.worst(tx, limit), tx.now
    return [_told(row, mappings.get(row.connection), now) for row in rows]


@dataclass(frozen=True, slots=True)
class Change:
    """What shoppers see of a SKU in one place, and would see."""

    place: str
    sku: str
    shown: int
    would: int


def preview(world: World, mapping: Mapped) -> list[Change]:
    """What a mapping that is not in force would change for shoppers, the largest changes first. Reads the ERP, writes nothing.

    Levels that were never shown are left out. Raises what reading the ERP raises.
    """
    found: list[Change] = []
    erp = world.connect(mapping)
    for place in mapping.stock.places.values() if mapping.stock else ():
        feed = stock.feed_of(world, mapping, place.id)
        assert feed is not None
        with world.store.read() as tx:
            rows = [row for row in levels.all_in_place(tx, mapping.connection, place.id) if row.shown is not None]
            sold, now = feed.sold(tx, [row.sku for row in rows]), tx.now
        figures = erp.figures([row.sku for row in rows], place.zones or place.warehouses)
        for row in rows:
            mine, figure = sold.get(row.sku, NOTHING_SOLD), figures.get(row.sku)
            if figure is not None:
                has = figure.available if feed.stock.figure == AVAILABLE else figure.on_hand
                held = (row.allocated or 0, row.demand or 0, mine.known, mine.unposted)
                would = Reckoning(has, *held, feed.buffer(row, now), mine.late).shown
                found.append(Change(place.id, row.sku, row.shown, would))
    changed = [change for change in found if change.would != change.shown]
    return sorted(changed, key=lambda change: (-abs(change.would - change.shown), change.place, change.sku))


def _told(row: Any, mapping: Any, now: datetime) -> dict[str, Any]:
    """The level in words and numbers. `shown_shall` is what shoppers should see by the figures on record."""
    declared = mapping.stock if mapping else None
    facts = {name: row._mapping[name] for name in FACTS}
    facts |= {
        "figure_kind": declared.figure if declared else "",
        "quantity_type": declared.quantity_type if declared else "",
    }
    facts["sold_unknown"] = facts["uncovered"] = None
    if row.figure is not None and row.allocated is not None:
        told = Reckoning(row.figure, row.allocated, row.demand or 0, row.known or 0, row.unposted or 0, row.buffer or 0)
        facts |= {"sold_unknown": told.unknown_to_erp, "uncovered": told.uncovered}
    facts["waits_seconds"] = int((now - row.waits_since).total_seconds()) if row.waits_since else None
    facts["waits_for"] = _waits_for(row, now)
    return facts


def _waits_for(row: Any, now: datetime) -> str:
    if row.stopped_until is not None and row.stopped_until > now:
        return f"sale stopped until {row.stopped_until:%Y-%m-%d %H:%M} UTC: {row.stopped_why}"
    if row.state == "held":
        return "held by the brake: a person says whether the mass change is right"
    if row.dirty_seq > row.clean_seq:
        return f"{row.connection}: its figure is to be read"
    if row.state == "orphan":
        return "the SKU: only one of the two systems has it"
    if row.tries:
        return f"Centra: told {row.tries} times and shows another figure"
    waits = {"read": "Centra: to be told", "pushed": "Centra: to be read back"}
    return waits.get(row.state, "")


def release(world: World, connection: str, *, actor: str, reason: str) -> int:
    """Let a mass change pass. Returns how many levels were held."""
    mapping = next(m for m in world.connections() if m.connection == connection)
    with world.store.write("brake.released") as tx:
        ledger.mark_in(tx, [Key(mapping.centra, "stock", connection)], "operator", connection=connection)
        held = levels.held_skus(tx, connection)
        for place in sorted({place for place, _ in held}):
            levels.mark(tx, connection, [place], [sku for at, sku in held if at == place])
        brake.release(tx, connection)
        exceptions.resolve_of_connection(tx, connection, [brake.TYPE], f"released by {actor}: {reason}"[:64])
        reference.record_act(tx, actor, "stock brake released", connection, reason)
    world.ring("take", Key(mapping.centra, "stock", connection))
    return len(held)


def stop(world: World, connection: str, sku: str, until: datetime, *, actor: str, reason: str) -> list[str]:
    """Sell nothing of a SKU until an instant. Returns the places; an instant that is over ends the stop."""
    with world.store.write("sale.stopped") as tx:
        keys = stock.hint(tx, connection, [sku], urgency=0, source="operator")
        places = [row.place for row in levels.of_sku(tx, sku) if row.connection == connection]
        for place in places:
            levels.stop(tx, connection, place, sku, until, reason)
        reference.record_act(
            tx, actor, "sale stopped", f"{sku} of {connection}", f"until {until.isoformat()}: {reason}"
        )
    for key in keys:
        world.ring("take", key)
    return places

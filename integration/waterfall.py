"""How a stock figure came about, step by step from the ERP's figure to what shoppers see; and what people say to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integration import brake, stock
from integration.domain.order import Key
from integration.domain.stock import AVAILABLE, Reckoning
from integration.ports import ERP
from integration.store import exceptions, ledger, levels, reference, schedule
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
    """What shoppers see of a SKU in one place, and would see; `None`: they would go on seeing it, told of nothing any more."""

    place: str
    sku: str
    shown: int
    would: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The largest changes first, then what would not be told any more; places that would be fed now, and no longer."""

    changes: list[Change]
    appear: list[str]
    go: list[str]


def preview(world: World, mapping: Mapped) -> Preview:
    """What a mapping that is not in force would change for shoppers. Reads the ERP, writes nothing.

    Levels that were never shown are left out. Raises what reading the ERP raises.
    """
    in_force = stock.declared(world, mapping.connection)
    before, after = (set(m.stock.places) if m and m.stock else set() for m in (in_force, mapping))
    found: list[Change] = []
    erp = world.connect(mapping)
    for place in sorted(before | after):
        feed = stock.feed_of(world, mapping, place)
        with world.store.read() as tx:
            rows = [row for row in levels.all_in_place(tx, mapping.connection, place) if row.shown is not None]
        would = _would(erp, feed, rows) if feed else {}
        found += [Change(place, row.sku, row.shown, would.get(row.sku)) for row in rows]
    changed = [change for change in found if change.would != change.shown]
    changed.sort(key=lambda each: (each.would is None, -abs((each.would or 0) - each.shown), each.place, each.sku))
    return Preview(changed, sorted(after - before), sorted(before - after))


def _would(erp: ERP, feed: stock.Feed, rows: Sequence[Any]) -> dict[str, int]:
    """What shoppers would see, of those SKUs of a place that would be told of."""
    told = {row.sku: row for row in rows if not feed.stock.why_excluded(row.sku)}
    with feed.world.store.read() as tx:
        sold, now = feed.sold(tx, list(told)), tx.now
    found = {}
    for sku, figure in erp.figures(list(told), feed.place.zones or feed.place.warehouses).items():
        row, mine = told[sku], sold.get(sku, NOTHING_SOLD)
        has = figure.available if feed.stock.figure == AVAILABLE else figure.on_hand
        held = (row.allocated or 0, row.demand or 0, mine.known, mine.unposted)
        found[sku] = Reckoning(has, *held, feed.buffer(row, now), mine.late).shown
    return found


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
        whole = schedule.read_cursor(tx, mapping.centra, "catalogue")
        if whole and brake.is_on(tx, connection, brake.UNLISTED):
            levels.forget_variants(tx, mapping.centra, datetime.fromisoformat(whole))
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

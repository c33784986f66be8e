"""Learning what may have changed: read a feed, mark rows, commit; confirm or move on only then."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from integration.domain.order import Key
from integration.errors import Rejected
from integration.ports import Event, Sighting, Storefront
from integration.store import counts, deliveries, exceptions, ledger, reference, schedule
from integration.wiring import World

POLL_PAGES = 20
"""A poll ends well within its time limit; a longer history is read in several."""
MOST_PAGES = 1_000
"""A page cap: a feed that never ends is a fault of its sender."""
MOST_EVENT_PAGES = 20
ENOUGH = 300
"""With so many orders still to be read, the queue of events may wait: asking it costs the budget that reading them needs."""
LISTENED = "orders shipments returns"
REREAD_PAGE = 50
REREAD_PAGES = 20

MAPPING_TYPES = (
    "ORDER_MARKET_UNMAPPED",
    "ORDER_SHIPPING_UNMAPPED",
    "ORDER_TAX_UNMAPPED",
    "ORDER_DISCOUNT_UNMAPPED",
    "ORDER_PAYMENT_UNMAPPED",
    "ORDER_CURRENCY_REFUSED",
    "ORDER_MARKET_SUSPECT",
    "RETURN_DISPOSITION_UNMAPPED",
    "ORDER_STATUS_UNMAPPED",
    "SHIPMENT_CARRIER_UNMAPPED",
)
"""Exceptions that a new mapping version may have cured."""


def poll(instance: str, world: World) -> None:
    """Mark orders placed since the cursor less the overlap, which outweighs a difference between the clocks.

    A long history is read in several runs: after `POLL_PAGES` the cursor rests at the last order seen.
    """
    now = world.store.now()
    with world.store.read() as tx:
        cursor = schedule.read_cursor(tx, instance, "poll")
    starts = [mapping.start_at for mapping in world.mappings(instance)]
    if not starts:
        return
    since = datetime.fromisoformat(cursor) if cursor else min(starts)
    overlap = world.settings.poll_overlap
    told = next(c for c in world.settings.centra if c.name == instance)
    storefront = world.storefronts[instance]
    if told.updated_filter:
        reached = _mark_window(instance, world, storefront.changed_between, since - overlap, now + overlap, "poll")
    else:
        placed = storefront.placed_between
        reached = _mark_window(instance, world, placed, since - overlap, now + overlap, "poll", beyond=since)
    with world.store.write("poll.cursor") as tx:
        schedule.move_cursor(tx, instance, "poll", (reached or now).isoformat())
    if reached:
        world.ring("poll", Key(instance, "feed", "more"))


def recount(instance: str, world: World, window: timedelta) -> None:
    """Mark what a whole window holds and we do not know, or know in an older state."""
    now = world.store.now()
    placed = world.storefronts[instance].placed_between
    _mark_window(instance, world, placed, now - window, now + world.settings.poll_overlap, "recount")


Window = Callable[[datetime, datetime, int], tuple[Sequence[Sighting], bool]]


def _mark_window(
    instance: str,
    world: World,
    read: Window,
    since: datetime,
    until: datetime,
    source: str,
    *,
    beyond: datetime | None = None,
) -> datetime | None:
    """Mark what a window holds. Returns `None` when it was read whole, else the placing of the last order seen:
    with `beyond`, reading may stop after `POLL_PAGES`, once it has passed that instant.
    """
    for page in range(1, MOST_PAGES + 1):
        seen, more = read(since, until, page)
        _mark_changed(instance, world, seen, source)
        if not more:
            return None
        last = seen[-1].placed_at
        if beyond is not None and last is not None and page >= POLL_PAGES and last > beyond:
            return last
    raise Rejected(
        "SCHEMA_CHANGE", f"centra:{source} paging", f"{instance} offers page after page, {MOST_PAGES} so far"
    )


def _mark_changed(instance: str, world: World, seen: Sequence[Sighting], source: str) -> list[Key]:
    """Mark sightings that are new or have another stamp than the one we read; the sweeper rings them."""
    stamps = {sighting.number: sighting.stamp for sighting in seen}
    if not stamps:
        return []
    with world.store.write(f"{source}.marked") as tx:
        fresh = ledger.unseen(tx, instance, "order", stamps)
        return ledger.mark_in(tx, fresh, source)


def drain_events(instance: str, world: World) -> None:
    """Mark what Centra's queue names, commit, then confirm: a crash in between only repeats the marking."""
    told = next(c for c in world.settings.centra if c.name == instance)
    if not told.events:
        return
    storefront: Storefront = world.storefronts[instance]
    _subscribe(instance, storefront, world)
    for _ in range(MOST_EVENT_PAGES):
        with world.store.read() as tx:
            if counts.unread_orders(tx, instance) > ENOUGH:
                return
        found = storefront.events()
        if not found:
            return
        ledger.mark(world.store, _told(instance, world, found), "event")
        world.point("events.marked")
        storefront.confirm_events([event.id for event in found])


def _told(instance: str, world: World, events: Sequence[Event]) -> list[Key]:
    """What events say may have changed. A shipment's only concerns those dispatches of its order whose capture has not
    settled: everything else about a shipment is our own doing, and proved when it is done.
    """
    known = [event for event in events if event.number]
    keys = [Key(instance, event.kind, event.number) for event in known if event.kind != "shipment"]
    shipped = sorted({event.number for event in known if event.kind == "shipment"})
    with world.store.read() as tx:
        dispatches = [row for number in shipped for row in deliveries.of_order(tx, instance, number)]
    waiting = [row for row in dispatches if row.source_status == deliveries.CAPTURE_PENDING]
    return keys + [Key(instance, "shipment", row.number) for row in waiting]


def _subscribe(instance: str, storefront: Storefront, world: World) -> None:
    """Centra queues events only for those who asked once; what happened before is the poll's. Who asked for less than we
    follow now asks again.
    """
    with world.store.read() as tx:
        if schedule.read_cursor(tx, instance, "listening") == LISTENED:
            return
    storefront.listen()
    with world.store.write("events.listening") as tx:
        schedule.move_cursor(tx, instance, "listening", LISTENED)


def reread(instance: str, world: World) -> None:
    """Ask for the change stamps of open orders; mark those that changed, note the others as read."""
    keys = ledger.restless(
        world.store, instance, read_before=world.settings.reread_every, limit=REREAD_PAGE * REREAD_PAGES
    )
    for start in range(0, len(keys), REREAD_PAGE):
        batch = keys[start : start + REREAD_PAGE]
        stamps = {s.number: s.stamp for s in world.storefronts[instance].stamps([key.number for key in batch])}
        with world.store.write("reread.marked") as tx:
            fresh = ledger.unseen(tx, instance, "order", {key.number: stamps.get(key.number, "") for key in batch})
            ledger.mark_in(tx, fresh, "reread")
            ledger.note_read(tx, instance, [key.number for key in batch if key not in set(fresh)])


def hear_allowances(instance: str, world: World) -> None:
    """Ask the storefront how much of its budgets is used: what we did not spend, other integrations did."""
    gate = world.gates[instance]
    if gate.quotas:
        for allowance in world.storefronts[instance].limits():
            gate.told(allowance.measure, allowance.window, allowance.used)


def release_held(world: World, connection: str) -> list[Key]:
    """Wake the orders of a connection whose cause is gone: a new mapping version, or an item that exists now."""
    return _after_new_mapping(world, connection) + _after_new_items(world, connection)


def _after_new_mapping(world: World, connection: str) -> list[Key]:
    with world.store.write("release.mapping") as tx:
        version = reference.mapping_versions(tx).get(connection, 0)
        if schedule.read_cursor(tx, connection, "released-by-mapping") == str(version):
            return []
        waiting = exceptions.jobs_waiting_for(tx, MAPPING_TYPES, connection)
        schedule.move_cursor(tx, connection, "released-by-mapping", str(version))
        return ledger.wake(tx, waiting, "release", f"released: mapping {connection} is at version {version} now")


def _after_new_items(world: World, connection: str) -> list[Key]:
    with world.store.read() as tx:
        wanted = [cause for where, cause in exceptions.open_causes(tx, "ORDER_UNKNOWN_SKU") if where == connection]
    if not wanted:
        return []
    found = world.erp(connection).items(wanted)
    there = [sku for sku, ref in found.items() if ref is not None]
    if not there:
        return []
    with world.store.write("release.items") as tx:
        reference.put_items(tx, connection, found)
        waiting = exceptions.jobs_waiting_for(tx, ["ORDER_UNKNOWN_SKU"], connection, causes=there)
        return ledger.wake(tx, waiting, "release", f"released: {connection} has the missing item now")

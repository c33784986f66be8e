"""Learning which stock may have changed: the ERP's movements, the storefront's catalogue, and the nightly compare of all.

Everything here only marks levels, and reads pages: memory does not grow with the number of SKUs. A feed that is cut off
goes on where its cursor stands.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from integration import brake, shelves, stock
from integration.domain.order import Key
from integration.errors import Rejected
from integration.ports import SHELF_PAGE, Shelf
from integration.store import Transaction, exceptions, ledger, levels, schedule
from integration.store.levels import NOTHING_SOLD
from integration.wiring import World
from mappings import Mapping as Mapped

MOST_PAGES = 100_000
"""A page cap: a catalogue that never ends is a fault of its sender."""
READ_AGAIN = timedelta(hours=1)
"""How soon a catalogue is read again because a SKU was missed in it."""
READ_FOR = timedelta(seconds=20)
"""A reading of the catalogue gives its slot back after this and goes on in the next."""
COMPARED_FOR = timedelta(seconds=20)
"""A compare gives its slot back after this and goes on in the next."""
FIRST_LOOK = timedelta(hours=1)
LISTED = 200
"""Orphans that get a case of their own; where there are more, one case tells how many."""
LOOKED_AT = 1_000
QUIET = ("hinted", "shown", "orphan")
"""States of a level that nobody is pushing at this moment."""
ORPHAN, STALE, MISMATCH = "STOCK_SKU_ORPHAN", "STOCK_PUSH_STALE", "STOCK_SEMANTICS_MISMATCH"


def movements(connection: str, world: World) -> None:
    """Mark what moved in the ERP since the last look, and a while before: rows that were committed late are seen."""
    now = world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, connection, "movements")
    since = datetime.fromisoformat(told) - world.settings.poll_overlap if told else now - FIRST_LOOK
    moved = world.erp(connection).moved_since(since)
    with world.store.write("movements") as tx:
        stock.hint(tx, connection, moved, look=False, source="movements")
        schedule.move_cursor(tx, connection, "movements", now.isoformat())


def catalogue(instance: str, world: World) -> None:
    """Read how the storefront addresses its SKUs; a reading that was cut off goes on at its page.

    The cursor `catalogue` holds when the last whole reading began. Whoever finds the page moved leaves the reading to him who
    moved it: two at once would spend one budget twice.
    """
    now = world.store.now()
    with world.store.read() as tx:
        whole = schedule.read_cursor(tx, instance, "catalogue")
        told = schedule.read_cursor(tx, instance, shelves.CATALOGUE_PAGE)
    began, _, at = (told or "").partition(" ")
    if at in ("", "done"):
        if whole and now - datetime.fromisoformat(whole) < READ_AGAIN:
            return
        began, at = now.isoformat(), "1"
    page, mappings = int(at), world.mappings(instance)
    while world.store.now() - now < READ_FOR:
        found, more = world.storefronts[instance].variants(page)
        page += 1
        moved = f"{began} {page if more and page <= MOST_PAGES else 'done'}"
        with world.store.write("catalogue.page") as tx:
            if not schedule.advance_cursor(tx, instance, shelves.CATALOGUE_PAGE, told, moved):
                return
            levels.put_variants(tx, instance, ((variant.sku, variant.ref) for variant in found))
            if not more:
                _end_catalogue(tx, world, instance, mappings, datetime.fromisoformat(began))
        if not more:
            return
        if page > MOST_PAGES:
            raise Rejected("SCHEMA_CHANGE", "centra:variants paging", f"{instance} offers page after page of SKUs")
        told = moved
    world.ring("catalogue", Key(instance, "feed", "more"))


def _end_catalogue(tx: Transaction, world: World, instance: str, mappings: Sequence[Mapped], began: datetime) -> None:
    """What the whole reading did not name is gone, unless that is a large part at once; orphans that it named are worth
    another look.
    """
    feeding = [mapping for mapping in mappings if mapping.stock is not None]
    of, gone = levels.count_variants(tx, instance, began)
    doubted = bool(feeding) and all(brake.is_mass(gone, of, mapping.stock) for mapping in feeding)
    if not doubted:
        levels.forget_variants(tx, instance, began)
    schedule.move_cursor(tx, instance, "catalogue", began.isoformat())
    for mapping in feeding:
        if doubted:
            why = (
                f"{instance} tells of {of - gone} SKUs and told of {of} before: may its token see less than it did? What it leaves "
                f"out is still pushed. If it is right: lockstep stock --release {mapping.connection}"
            )
            about = {"instance": instance, "connection": mapping.connection}
            exceptions.open_case(tx, world.case(brake.TYPE, brake.UNLISTED, why, **about))
        else:
            told = "verified: as many SKUs as before"
            exceptions.resolve_named(tx, mapping.connection, [brake.TYPE], [brake.UNLISTED], told)
    for mapping in mappings:
        stock.hint(tx, mapping.connection, levels.found_again(tx, mapping.connection, instance), source="catalogue")


def check_places(connection: str, world: World) -> None:
    """Hold the storefront's warehouses against what is declared; while they differ nothing is pushed."""
    mapping = stock.declared(world, connection)
    if mapping is None or mapping.stock is None:
        return
    there = {place.id: place for place in world.storefronts[mapping.centra].places()}
    problems = []
    for place in mapping.stock.places.values():
        found = there.get(place.id)
        if found is None:
            problems.append(f"Centra has no warehouse {place.id}")
        elif found.threshold != place.storefront_threshold:
            most = max([mapping.stock.buffer, *mapping.stock.buffers.values()])
            problems.append(
                f"Centra keeps {found.threshold} pieces of every SKU in {found.name} from shoppers and {mapping.file} "
                f"declares {place.storefront_threshold}: of 10 available and a buffer of {most} they see "
                f"{max(0, 10 - most - found.threshold)}, not {max(0, 10 - most - place.storefront_threshold)}"
            )
    with world.store.write("places") as tx:
        if problems:
            case = world.case(MISMATCH, "places", "; ".join(problems), instance=mapping.centra, connection=connection)
            exceptions.open_case(tx, case)
        else:
            exceptions.resolve_of_connection(tx, connection, [MISMATCH], "verified: places are as declared")
        schedule.move_cursor(tx, connection, "places", "differ" if problems else str(mapping.version))


# ------------------------------------------------------------------------------------------------------ compare


def compare(connection: str, world: World) -> None:
    """Hold every SKU of the ERP against the storefront once a night, page by page; mark only what differs.

    The cursor `compare` holds when the night's compare began and where it stands; one that was cut off goes on. So does the
    reading of the storefront's catalogue, which is rung here.
    """
    mapping = stock.declared(world, connection)
    if mapping is None or mapping.stock is None:
        return
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, connection, "compare") or ""
        ready = schedule.read_cursor(tx, mapping.centra, "catalogue") is not None
        reading = schedule.read_cursor(tx, mapping.centra, shelves.CATALOGUE_PAGE) or "done"
        if not ready or not reading.endswith("done"):
            shelves.ring_catalogue(tx, world, mapping.centra)
    began, _, after = told.partition(" ")
    now = world.store.now()
    if not ready:
        return
    if after in ("", "done"):
        if began and datetime.fromisoformat(began) >= _last_hour(now, mapping):
            return
        began, after = now.isoformat(), "start"
    while world.store.now() - now < COMPARED_FOR:
        skus, mark = world.erp(connection).stocked("" if after == "start" else after)
        _compare_page(world, mapping, skus)
        after = mark or "done"
        with world.store.write("compare.page") as tx:
            schedule.move_cursor(tx, connection, "compare", f"{began} {after}")
            if not mark:
                _end_compare(tx, world, mapping, datetime.fromisoformat(began))
        if not mark:
            return
    world.ring("compare", Key(connection, "feed", "more"))


def _end_compare(tx: Transaction, world: World, mapping: Mapped, began: datetime) -> None:
    """List what only one side has, unless the ERP suddenly leaves a large part of its SKUs out: then that is the one case."""
    connection = mapping.connection
    assert mapping.stock is not None
    why = brake.shrunk(tx, connection, levels.told_since(tx, connection, began), mapping.stock)
    if why:
        about = {"instance": mapping.centra, "connection": connection}
        exceptions.open_case(tx, world.case(brake.TYPE, brake.FEWER, why, **about))
        return
    exceptions.resolve_named(tx, connection, [brake.TYPE], [brake.FEWER], "verified: as many SKUs as before")
    list_orphans(tx, world, mapping, began)


def _last_hour(now: datetime, mapping: Mapped) -> datetime:
    """When the compare was last due: the declared hour of this day, or of the day before."""
    assert mapping.stock is not None
    local = now.astimezone(ZoneInfo(mapping.time_zone))
    due = local.replace(hour=mapping.stock.compare_at, minute=0, second=0, microsecond=0)
    return due if due <= local else due - timedelta(days=1)


def _compare_page(world: World, mapping: Mapped, skus: Sequence[str]) -> None:
    """One page of the ERP's SKUs, in every place."""
    assert mapping.stock is not None
    wanted = [sku for sku in skus if sku not in mapping.bundles and not mapping.stock.why_excluded(sku)]
    for place in mapping.stock.places:
        feed = stock.feed_of(world, mapping, place)
        assert feed is not None
        at = world.store.now()
        figures = feed.figures(wanted)
        told = sorted(figures)
        for start in range(0, len(told), SHELF_PAGE):
            _compare_some(feed, {sku: figures[sku] for sku in told[start : start + SHELF_PAGE]}, at)


def _compare_some(feed: stock.Feed, figures: Mapping[str, int], at: datetime) -> None:
    """As many as one read of shelves tells, a few in a transaction: orders wait for no longer one."""
    world, mapping, place = feed.world, feed.mapping, feed.at()
    with world.store.read() as tx:
        refs = levels.refs(tx, mapping.centra, figures)
    found = feed.shelves(refs)
    key = Key(mapping.centra, "stock", mapping.connection)
    for skus in stock.few(sorted(figures)):
        some = {sku: figures[sku] for sku in skus}
        with world.store.write("compare.figures") as tx:
            ledger.mark_in(tx, [key], "compare", connection=mapping.connection)
            levels.add(tx, mapping.connection, place, some)
            levels.put_figures(tx, mapping.connection, place, some, at, {})
            _mark_differing(tx, feed, skus, found)


def _mark_differing(tx: Transaction, feed: stock.Feed, skus: Sequence[str], found: Mapping[str, Shelf]) -> None:
    """Ask for a push of what differs; what agrees has thereby been read back."""
    rows = levels.in_place(tx, feed.connection, feed.at(), skus)
    sold, kind = feed.sold(tx, skus), feed.stock.quantity_type
    orphans = [{"sku": sku, "state": "orphan"} for sku in rows if sku not in found]
    levels.write(tx, feed.connection, feed.at(), orphans)
    reckoned = {
        sku: feed.reckon(row, found[sku], sold.get(sku, NOTHING_SOLD), tx.now)
        for sku, row in rows.items()
        if sku in found
    }
    differ = [sku for sku, reckoning in reckoned.items() if reckoning.number(kind) != feed.has(found[sku])]
    levels.mark(tx, feed.connection, [feed.at()], differ)
    quiet = [rows[sku] for sku in reckoned if sku not in differ and rows[sku].state in QUIET]
    agree = [row for row in quiet if row.dirty_seq == row.clean_seq]
    told = [shelves.columns(row.sku, reckoned[row.sku], found[row.sku]) for row in agree]
    levels.write(tx, feed.connection, feed.at(), told)
    shelves.show(tx, feed, agree, reckoned, found)


def list_orphans(tx: Transaction, world: World, mapping: Mapped, since: datetime) -> None:
    """One case for every SKU that only one side has, until it is mapped, made, or excluded with a reason."""
    connection, instance = mapping.connection, mapping.centra
    assert mapping.stock is not None
    sides = (
        (
            levels.erp_only(tx, connection, instance, LISTED),
            f"{connection} has stock of {{}} and Centra does not sell it",
        ),
        (
            levels.storefront_only(tx, connection, instance, since, LISTED),
            f"Centra sells {{}} and {connection} has no stock of it",
        ),
    )
    standing: list[str] = []
    for (some, count), words in sides:
        listed = [sku for sku in some if sku not in mapping.bundles and not mapping.stock.why_excluded(sku)]
        named = [(sku, words.format(sku)) for sku in listed]
        if count > LISTED:
            named = [(words.format("many SKUs"), f"{words.format(f'{count} SKUs')}: {', '.join(listed[:20])}, ...")]
        for cause, message in named:
            case = world.case(ORPHAN, cause, message, instance=instance, connection=connection)
            exceptions.open_case(tx, case)
            standing.append(cause)
    exceptions.resolve_causes(tx, connection, ORPHAN, beginning="", but=standing, how="verified: both sides have it")


# -------------------------------------------------------------------------------------------------------- watch


def watch(connection: str, world: World) -> None:
    """What the storefront does not show in time, what is held by the brake, and an ERP that tells no movements."""
    mapping = stock.declared(world, connection)
    if mapping is None or mapping.stock is None:
        return
    within = timedelta(minutes=mapping.stock.shown_within_minutes)
    about = {"instance": mapping.centra, "connection": connection}
    with world.store.write("stock.watch") as tx:
        ledger.mark_in(tx, [Key(mapping.centra, "stock", connection)], "watch", connection=connection)
        for place, sku in levels.unsettled(tx, connection, most_tries=shelves.MOST_TRIES, limit=LOOKED_AT):
            levels.mark(tx, connection, [place], [sku])
        levels.lift_stops(tx, connection)
        if not levels.any_left(tx, connection, levels.in_state("held")):
            exceptions.resolve_named(tx, connection, [brake.TYPE], [brake.LEAPS], "verified: the figures came back")
        count, oldest = levels.late(tx, connection, tx.now - within)
        if count:
            message = f"{count} SKUs changed and Centra does not show it, the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
            exceptions.open_case(tx, world.case(STALE, "levels", message, **about))
        heard = schedule.read_cursor(tx, connection, "movements")
        silent = heard is not None and datetime.fromisoformat(heard) < tx.now - within
        if silent:
            message = f"{connection} has told no movements since {heard}: what else it sells is not known"
            exceptions.open_case(tx, world.case(STALE, "movements", message, **about))
        standing = [cause for cause, late in (("levels", count), ("movements", silent)) if late]
        exceptions.resolve_causes(
            tx, connection, STALE, beginning="", but=standing, how="verified: shown in time again"
        )

"""Stock: whose level is to be looked at, what the ERP has of it, and what our own orders mean to that figure.

A level is one SKU in one place of the storefront. `integration.shelves` tells the storefront.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from integration import brake
from integration.domain.order import Key
from integration.domain.stock import AVAILABLE, PHYSICAL, Reckoning
from integration.ports import SHELF_PAGE, Shelf
from integration.store import Transaction, exceptions, ledger, levels, reference, schedule
from integration.store.ledger import Job
from integration.store.levels import NOTHING_SOLD, Sold
from integration.wiring import World
from mappings import Mapping as Mapped
from mappings import Place, Stock, parse

BATCH = SHELF_PAGE
"""SKUs of one run, one read of shelves and one `setStock`. How many a `setStock` may name is unconfirmed; 200 is what lists
were seen to take. 20,000 changes are then 100 mutations; Centra's smallest plan has 1,800 an hour."""
AT_ONCE = 50
"""Figures written in one commit: while it lasts, no other process writes to an SQLite."""
FIGURE_HOLDS = timedelta(minutes=2)
"""An older figure is read again before it is pushed: what else the ERP sold meanwhile is unknown to it."""
CALL_TAKES = timedelta(seconds=60)
"""Longer than any call is waited for."""


def hint(
    tx: Transaction,
    connection: str,
    skus: Collection[str],
    *,
    urgency: int | None = None,
    market: str = "",
    look: bool = True,
    source: str = "closed loop",
) -> list[Key]:
    """Note inside a transaction that these SKUs' stock may have changed. Returns the key to ring, or nothing.

    A thousand hints are one push. A bundle stands for its parts. `urgency`: lower goes first; left out, it is the units
    left. `market` narrows it to the place that the market sells from. `look=False` says that only the ERP's figure may have
    changed: where it did not, the storefront is not asked. A connection that declares no stock is never marked.
    """
    told = reference.mapping_text(tx, connection)
    mapping = _parsed(told[1], connection) if told else None
    if mapping is None or mapping.stock is None:
        return []
    stocked = [sku for sku in pieces(((sku, 1) for sku in skus), mapping) if not mapping.stock.why_excluded(sku)]
    home = mapping.stock.place_of(mapping.markets[market].warehouse) if market in mapping.markets else ""
    if not stocked:
        return []
    keys = ledger.mark_in(tx, [Key(mapping.centra, "stock", connection)], source, connection=connection)
    levels.mark(tx, connection, [home] if home else list(mapping.stock.places), stocked, urgency, look=look)
    return keys


@cache
def _parsed(text: str, connection: str) -> Mapped:
    return parse(text, f"{connection}.toml")


def pieces(lines: Iterable[tuple[str, int]], mapping: Mapped | None) -> dict[str, int]:
    """Pieces by stocked SKU of (SKU, quantity) lines: a bundle counts as its parts, never as itself."""
    found: Counter[str] = Counter()
    for sku, quantity in lines:
        for part, each in (mapping.components(sku) if mapping else {sku: 1}).items():
            found[part] += each * quantity
    return {sku: quantity for sku, quantity in found.items() if quantity > 0}


@dataclass(frozen=True)
class Feed:
    """A connection whose stock feeds one place of its storefront, in the mapping in force."""

    world: World
    mapping: Mapped
    stock: Stock
    place: Place
    elsewhere: tuple[str, ...]

    @property
    def connection(self) -> str:
        return self.mapping.connection

    def sold(self, tx: Transaction, skus: Collection[str]) -> dict[str, Sold]:
        """Our orders against the figures on record. What is on hand has deducted no order, and not what left since."""
        instance, place, net = self.mapping.centra, self.place.id, self.stock.figure == AVAILABLE
        found = levels.sold(tx, instance, self.connection, place, skus, elsewhere=self.elsewhere, until_told=net)
        if net:
            return {sku: replace(each, late=0) for sku, each in found.items()}
        return {sku: Sold(0, each.known + each.unposted, each.late) for sku, each in found.items()}

    def figures(self, skus: Collection[str]) -> dict[str, int]:
        found = self.world.erp(self.connection).figures(skus, self.place.zones or self.place.warehouses)
        wanted = self.stock.figure == AVAILABLE
        return {sku: figure.available if wanted else figure.on_hand for sku, figure in found.items()}

    def shelves(self, refs: Mapping[str, str]) -> dict[str, Shelf]:
        """Shelves by SKU."""
        found = self.world.storefronts[self.mapping.centra].shelves(self.place.id, list(refs.values()))
        return {sku: found[ref] for sku, ref in refs.items() if ref in found}

    def at(self) -> str:
        return self.place.id

    def buffer(self, row: Any, now: datetime) -> int:
        """Units held back; all there are while a person has stopped the sale."""
        stopped = row.stopped_until is not None and row.stopped_until > now
        return max(row.figure, 0) if stopped else self.stock.buffer_of(row.sku)

    def reckon(self, row: Any, shelf: Shelf, sold: Sold, now: datetime) -> Reckoning:
        """The number of one level."""
        shown, buffer = (row.figure, shelf.allocated, shelf.demand), self.buffer(row, now)
        return Reckoning(*shown, sold.known, sold.unposted, buffer, sold.late)

    def has(self, shelf: Shelf) -> int:
        """What the storefront has, in the words of the number that is written."""
        return shelf.physical if self.stock.quantity_type == PHYSICAL else shelf.free

    def case(self, tx: Transaction, type: str, cause: str, message: str) -> None:
        about = {"instance": self.mapping.centra, "connection": self.connection}
        exceptions.open_case(tx, self.world.case(type, cause, message, **about))

    def named(self, sku: str) -> str:
        return f"{sku} in {self.place.id}"


def declared(world: World, connection: str) -> Mapped | None:
    """The newest mapping of a connection, if it declares stock."""
    return next((m for m in world.connections() if m.connection == connection and m.stock is not None), None)


def feed_of(world: World, mapping: Mapped, place: str) -> Feed | None:
    """The feed of a place; `None` when nobody feeds it any more."""
    stock = mapping.stock
    if stock is None or place not in stock.places:
        return None
    known = {name: (m, row) for m in world.mappings(mapping.centra) for name, row in m.markets.items()}
    elsewhere = [
        name
        for name, (m, row) in known.items()
        if m.connection != mapping.connection or stock.place_of(row.warehouse) != place
    ]
    return Feed(world, mapping, stock, stock.places[place], tuple(elsewhere))


def due(job: Job, world: World) -> Any:
    """Which levels are to be read at this moment. In a peak slow movers rest for a third of their promise; the watch of all
    levels brings them back.
    """
    mapping = declared(world, str(job.row.connection))
    with world.store.read() as tx:
        if mapping is None or mapping.stock is None or not schedule.is_peak(tx):
            return levels.DIRTY
        return levels.due_in_peak(tx.now - timedelta(minutes=mapping.stock.shown_within_minutes) / 3)


def next_batch(job: Job, world: World, wanted: Any) -> tuple[Feed | None, list[Any]]:
    """The feed and the levels that are up next; none of them when there is nothing to do."""
    connection = str(job.row.connection)
    mapping = declared(world, connection)
    with world.store.read() as tx:
        place, rows = levels.batch(tx, connection, wanted, BATCH)
    feed = feed_of(world, mapping, place) if mapping and rows else None
    if rows and feed is None:
        with world.store.write("levels.forgotten") as tx:
            hold(tx, job, world)
            levels.forget_place(tx, connection, place)
        return None, []
    return feed, rows


def hold(tx: Transaction, job: Job, world: World) -> None:
    """The lease is ours for as long as a call takes; and so are the levels."""
    ledger.hold(tx, job, needs=CALL_TAKES, lease=world.settings.lease)


def goes_on(job: Job, world: World, *, last: bool = False) -> None:
    """What is next for the connection, by what its levels still need; the `last` link of a chain rings it."""
    connection, wanted = str(job.row.connection), due(job, world)
    with world.store.read() as tx:
        needs = {state: levels.any_left(tx, connection, levels.in_state(state)) for state in ("read", "pushed")}
        more = levels.any_left(tx, connection, wanted)
    if more:
        job.also(lambda tx: knock(tx, job.key, "more"))
    if last or not (needs["read"] or needs["pushed"]):
        job.again = "push" if needs["read"] else "prove" if needs["pushed"] else "take" if more else ""
    if needs["read"]:
        job.then("ready", "figures are read; the storefront is to be told")
    elif needs["pushed"]:
        job.then("posted", "the storefront was told; to be read back")
    else:
        job.then("proven", "the storefront shows what the ERP has", done_at=world.store.now())
        if not more:
            job.also(lambda tx: _at_rest(tx, job))


def knock(tx: Transaction, key: Key, source: str) -> None:
    ledger.mark_in(tx, [key], source)


def _at_rest(tx: Transaction, job: Job) -> None:
    exceptions.resolve_of_job(tx, job.id, "verified: the storefront shows what the ERP has")


# --------------------------------------------------------------------------------------------------------- read


def read_figures(job: Job, feed: Feed, rows: Sequence[Any]) -> None:
    """Read what the ERP has of these levels; what cannot change the storefront is done with (STK-25)."""
    world, place = feed.world, feed.place.id
    at = world.store.now()
    figures = feed.figures([row.sku for row in rows])
    told = [row for row in rows if row.sku in figures]
    absent = [row for row in rows if row.sku not in figures]
    for some in few(told):
        with world.store.write("levels.read") as tx:
            hold(tx, job, world)
            _put(tx, feed, some, figures, at)
    if absent:
        with world.store.write("levels.absent") as tx:
            hold(tx, job, world)
            levels.put_figures(tx, feed.connection, place, {}, at, {row.sku: row.dirty_seq for row in absent})
            brake.absent(tx, feed, absent, len(rows))


def few(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many of them as are written in one commit."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _put(tx: Transaction, feed: Feed, rows: Sequence[Any], figures: Mapping[str, int], at: datetime) -> None:
    place = feed.place.id
    noted = {row.sku: row.dirty_seq for row in rows}
    stored = levels.put_figures(tx, feed.connection, place, {sku: figures[sku] for sku in noted}, at, noted)
    sold = feed.sold(tx, stored)
    told: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for row in rows:
        if row.sku in stored:
            mine = sold.get(row.sku, NOTHING_SOLD)
            same = _as_before(row, figures[row.sku], mine, feed)
            words = {"sku": row.sku, "known": mine.known, "unposted": mine.unposted}
            told[same].append(words if same else words | {"state": "read"})  # hinted meanwhile, it stays hinted
    for each in told.values():
        levels.write(tx, feed.connection, place, each)
    same_as_before = [each["sku"] for each in told[True]]
    levels.settle(tx, feed.connection, place, same_as_before)


def _as_before(row: Any, figure: int, sold: Sold, feed: Feed) -> bool:
    """Whether the storefront's own deductions account for all that happened since it was read back equal.

    They do when the figure fell by just the orders that it knows now, and no order counts that only our ledger sees. Where
    the ERP knows of more than the storefront has sold still (a dispatch was undone there), a figure that moved proves nothing.
    """
    if row.state != "shown" or row.tries or sold.late or row.figure is None or row.stopped_until is not None:
        return False
    seen = (row.allocated or 0) + (row.demand or 0) - (row.known or 0)
    hidden = (row.unposted or 0) > max(0, seen) or (seen < 0 and figure != row.figure)
    same = figure + sold.known == row.figure + (row.known or 0)
    return same and not sold.unposted and not hidden and row.buffer == feed.stock.buffer_of(row.sku)

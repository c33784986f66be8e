"""The storefront's shelves: what they shall show of a level is reckoned, told, and read back.

`set_stock` is no effect of the ledger's protocol: it is absolute, so repeating it does no harm and there is nothing to
look up. What must not happen is that an old call wins. So the lease is held in the transaction that reckons, for longer
than the call can take; the next call of the connection cannot begin before; and a call without an answer counts as sent:
reading back decides.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from integration import brake, stock
from integration.domain.order import Key
from integration.domain.stock import PHYSICAL, Reckoning
from integration.errors import LeaseLost, NotReady, Rejected, Unknown
from integration.ports import Shelf
from integration.store import Transaction, exceptions, levels, schedule
from integration.store.ledger import Job
from integration.store.levels import NOTHING_SOLD
from integration.wiring import World

ASK_AGAIN = timedelta(seconds=30)
CATALOGUE_PAGE = "catalogue page"
"""The cursor of a reading of the storefront's catalogue: when it began and its next page, or `done`."""
CUT_OFF = timedelta(seconds=20)
"""A reading of the catalogue that got no page for so long was cut off; until then it goes on by itself."""
FIGURE_HOLDS = timedelta(minutes=2)
"""An older figure is read again before it is pushed: what else the ERP sold meanwhile is unknown to it."""
MOST_TRIES = 3
"""Pushes in a row that the storefront did not show; then a person, and a watch that goes on trying."""
MOST_REFUSED = 20
"""Calls spent on finding the SKUs for which Centra refuses a batch."""
SKU_CASES = ("STOCK_CLAMPED", "STOCK_DRIFT_UNEXPLAINED", "STOCK_FOREIGN_WRITE")


def agreed(feed: stock.Feed) -> None:
    """Raises `NotReady` until the storefront's catalogue was read and its places are found as declared."""
    world = feed.world
    with world.store.read() as tx:
        checked = schedule.read_cursor(tx, feed.connection, "places")
        catalogue = schedule.read_cursor(tx, feed.mapping.centra, "catalogue")
        if catalogue is None:
            ring_catalogue(tx, world, feed.mapping.centra)
    if checked != str(feed.mapping.version):
        world.ring("places", Key(feed.connection, "feed", "first"))
    if catalogue is None or checked != str(feed.mapping.version):
        until = world.store.now() + ASK_AGAIN
        raise NotReady("Centra's catalogue is not read yet, or its warehouses are not as declared", until=until)


def ring_catalogue(tx: Transaction, world: World, instance: str) -> None:
    """Have the storefront's catalogue read, or read on where it was cut off, unless it is being read at this moment."""
    if not schedule.moved_since(tx, instance, CATALOGUE_PAGE, tx.now - CUT_OFF):
        world.ring("catalogue", Key(instance, "feed", "wanted"))


def push(job: Job, feed: stock.Feed, rows: Sequence[Any]) -> None:
    """Tell the storefront what differs, in one call. The numbers are reckoned in one transaction right before it."""
    world = feed.world
    with world.store.read() as tx:
        refs = levels.refs(tx, feed.mapping.centra, [row.sku for row in rows])
    shelves = feed.shelves(refs)
    with world.store.write("levels.reckoned") as tx:
        stock.hold(tx, job, world)
        reckoned, numbers, equal = _reckoned(tx, feed, rows, shelves)
    for some in stock.few([row for row in rows if row.sku in reckoned]):
        with world.store.write("levels.written") as tx:
            stock.hold(tx, job, world)
            _write(tx, feed, some, reckoned, shelves, numbers)
            show(tx, feed, [row for row in some if row.sku in equal], reckoned, shelves)
    job.then("posted", "the storefront was told; to be read back")  # stands also where no answer comes
    refused = 0
    waiting = [sorted(numbers)] if numbers else []
    while waiting:
        some = waiting.pop()
        try:
            _send(job, feed, {sku: numbers[sku] for sku in some}, refs)
        except Rejected as error:
            refused += 1
            if refused > MOST_REFUSED:
                raise
            if len(some) > 1:
                waiting += [some[: len(some) // 2], some[len(some) // 2 :]]
            else:
                _refuse(job, feed, some[0], error)


def _send(job: Job, feed: stock.Feed, numbers: Mapping[str, int], refs: Mapping[str, str]) -> None:
    world = feed.world
    storefront = world.storefronts[feed.mapping.centra]
    world.point("stock.before-send")
    try:
        storefront.set_stock(feed.place.id, feed.stock.quantity_type, {refs[sku]: n for sku, n in numbers.items()})
    except Unknown:
        _sent(job, feed, numbers)
        raise
    world.point("stock.after-send")
    _sent(job, feed, numbers)


def _sent(job: Job, feed: stock.Feed, skus: Collection[str]) -> None:
    """What was sent is to be read back. Whoever was stopped before its call, and lost its lease meanwhile, may have written
    over another's newer figure: then everything is read once more.
    """
    try:
        with feed.world.store.write("levels.pushed") as tx:
            stock.hold(tx, job, feed.world)
            levels.confirm(tx, feed.connection, feed.place.id, skus)
    except LeaseLost:
        with feed.world.store.write("levels.late") as tx:
            levels.mark(tx, feed.connection, [feed.place.id], skus)
            stock.knock(tx, job.key, "late push")
        raise


def _refuse(job: Job, feed: stock.Feed, sku: str, error: Rejected) -> None:
    with feed.world.store.write("levels.refused") as tx:
        stock.hold(tx, job, feed.world)
        levels.write(tx, feed.connection, feed.place.id, [{"sku": sku, "state": "orphan"}])
        levels.settle(tx, feed.connection, feed.place.id, [sku])
        feed.case(tx, "STOCK_SKU_ORPHAN", sku, f"Centra refuses to set the stock of {sku}: {error}")


def _reckoned(
    tx: Transaction, feed: stock.Feed, rows: Sequence[Any], shelves: Mapping[str, Shelf]
) -> tuple[dict[str, Reckoning], dict[str, int], set[str]]:
    """What the levels come to, by SKU; of these, what is to be sent (SKU to number), and what the storefront shows already."""
    old = [row.sku for row in rows if row.figure_at < tx.now - FIGURE_HOLDS]
    absent = [row.sku for row in rows if row.sku not in shelves]
    if old:
        stock.knock(tx, Key(feed.mapping.centra, "stock", feed.connection), "old figure")
        levels.mark(tx, feed.connection, [feed.place.id], old)
    if absent:
        levels.write(tx, feed.connection, feed.place.id, [{"sku": sku, "state": "orphan"} for sku in absent])
        levels.settle(tx, feed.connection, feed.place.id, absent)
        ring_catalogue(tx, feed.world, feed.mapping.centra)
    fit = [row for row in rows if row.sku not in {*old, *absent}]
    sold = feed.sold(tx, [row.sku for row in fit])
    reckoned = {row.sku: feed.reckon(row, shelves[row.sku], sold.get(row.sku, NOTHING_SOLD), tx.now) for row in fit}
    kind = feed.stock.quantity_type
    differs = [row for row in fit if reckoned[row.sku].number(kind) != feed.has(shelves[row.sku])]
    held = brake.held(
        tx, feed, differs, {sku: (shelves[sku].available, r.shown) for sku, r in reckoned.items()}, len(fit)
    )
    _foreign(tx, feed, differs, shelves)
    sends = {row.sku: reckoned[row.sku].number(kind) for row in differs if row.sku not in held}
    return reckoned, sends, set(reckoned) - {row.sku for row in differs}


def _write(
    tx: Transaction,
    feed: stock.Feed,
    rows: Sequence[Any],
    reckoned: Mapping[str, Reckoning],
    shelves: Mapping[str, Shelf],
    sends: Mapping[str, int],
) -> None:
    """Write down how the numbers came about, and what is about to be sent."""
    written = [
        columns(row.sku, reckoned[row.sku], shelves[row.sku])
        | {"pushed": sends.get(row.sku, row.pushed), "pushed_at": tx.now if row.sku in sends else row.pushed_at}
        for row in rows
    ]
    levels.write(tx, feed.connection, feed.place.id, written)


def columns(sku: str, reckoning: Reckoning, shelf: Shelf) -> dict[str, Any]:
    told = {name: getattr(reckoning, name) for name in ("known", "unposted", "buffer", "allocated", "demand")}
    return {"sku": sku, **told, "desired": reckoning.sellable, "physical": shelf.physical}


def _foreign(tx: Transaction, feed: stock.Feed, rows: Sequence[Any], shelves: Mapping[str, Shelf]) -> None:
    """Name what moved on the storefront's shelves without us: it is overwritten, and somebody should know.

    Judged only where nothing of the SKU was dispatched or came back since its shelf was last read, and no call of ours is
    in doubt.
    """
    moved = [
        row
        for row in rows
        if row.shown_at is not None and shelves[row.sku].physical not in (row.physical, row.pushed) and not row.tries
    ]
    if not moved:
        return
    since = min(row.shown_at for row in moved)
    ours = levels.touched(tx, feed.mapping.centra, [row.sku for row in moved], since)
    for row in moved:
        if row.sku not in ours:
            now = shelves[row.sku].physical
            message = (
                f"Centra's physical stock of {feed.named(row.sku)} went from {row.physical} to {now} without Lockstep"
            )
            feed.case(tx, "STOCK_FOREIGN_WRITE", feed.named(row.sku), f"{message}; it is overwritten")


def show(
    tx: Transaction,
    feed: stock.Feed,
    rows: Sequence[Any],
    reckoned: Mapping[str, Reckoning],
    shelves: Mapping[str, Shelf],
) -> None:
    """These levels were read from the storefront and agree with what it shall show."""
    seen = {"state": "shown", "shown_at": tx.now, "tries": 0}
    shown = [
        {"sku": row.sku, "shown": shelves[row.sku].available, "pushed_figure_at": row.figure_at} | seen for row in rows
    ]
    levels.write(tx, feed.connection, feed.place.id, shown)
    levels.look_again(tx, feed.connection, feed.place.id, {row.sku: row.dirty_seq for row in rows})
    levels.settle(tx, feed.connection, feed.place.id, [row.sku for row in rows])
    names = [feed.named(row.sku) for row in rows]
    exceptions.resolve_named(tx, feed.connection, SKU_CASES, names, "verified: read back equal")
    covered = []
    for row in rows:
        short = reckoned[row.sku].uncovered
        if short:
            message = f"{short} pieces of {feed.named(row.sku)} are sold and no stock stands behind them"
            feed.case(tx, "STOCK_OVERSOLD", feed.named(row.sku), message)
        else:
            covered.append(feed.named(row.sku))
    exceptions.resolve_named(tx, feed.connection, ["STOCK_OVERSOLD"], covered, "verified: stock covers what is sold")


# -------------------------------------------------------------------------------------------------------- prove


def prove(job: Job, feed: stock.Feed, rows: Sequence[Any]) -> None:
    """Read back what was pushed, and reckon once more: sales meanwhile are in the storefront's own deductions."""
    world = feed.world
    with world.store.read() as tx:
        refs = levels.refs(tx, feed.mapping.centra, [row.sku for row in rows])
    shelves = feed.shelves(refs)
    for some in stock.few(rows):
        with world.store.write("levels.proved") as tx:
            stock.hold(tx, job, world)
            _prove(tx, feed, some, shelves)


def _prove(tx: Transaction, feed: stock.Feed, rows: Sequence[Any], shelves: Mapping[str, Shelf]) -> None:
    sold = feed.sold(tx, [row.sku for row in rows])
    there = [row for row in rows if row.sku in shelves]
    gone = [row.sku for row in rows if row.sku not in shelves]
    levels.write(tx, feed.connection, feed.place.id, [{"sku": sku, "state": "orphan"} for sku in gone])
    levels.settle(tx, feed.connection, feed.place.id, gone)
    reckoned = {row.sku: feed.reckon(row, shelves[row.sku], sold.get(row.sku, NOTHING_SOLD), tx.now) for row in there}
    told = [columns(row.sku, reckoned[row.sku], shelves[row.sku]) for row in there]
    levels.write(tx, feed.connection, feed.place.id, told)
    kind = feed.stock.quantity_type
    equal = [row for row in there if reckoned[row.sku].number(kind) == feed.has(shelves[row.sku])]
    show(tx, feed, equal, reckoned, shelves)
    agreed = {row.sku for row in equal}
    for row in there:
        if row.sku not in agreed:
            _differs(tx, feed, row, reckoned[row.sku], shelves[row.sku])
        if kind == PHYSICAL and row.pushed is not None and shelves[row.sku].physical > row.pushed:
            _clamped(tx, feed, row, shelves[row.sku].physical)


def _clamped(tx: Transaction, feed: stock.Feed, row: Any, has: int) -> None:
    """Orders had taken more than was written. The watch looks again until it is not so any more."""
    name = feed.named(row.sku)
    message = f"Centra was told {row.pushed} pieces of {name} and kept {has}: {has - row.pushed} are overcommitted"
    feed.case(tx, "STOCK_CLAMPED", name, message)
    levels.write(tx, feed.connection, feed.place.id, [{"sku": row.sku, "tries": MOST_TRIES}])


def _differs(tx: Transaction, feed: stock.Feed, row: Any, reckoning: Reckoning, shelf: Shelf) -> None:
    """The storefront does not show it: again, three times, then a person. A watch goes on trying."""
    tries = row.tries + 1
    state = "read" if tries < MOST_TRIES else "shown"
    seen = {"sku": row.sku, "state": state, "tries": tries, "shown": shelf.available, "shown_at": tx.now}
    levels.write(tx, feed.connection, feed.place.id, [seen])
    name, has, wanted = feed.named(row.sku), feed.has(shelf), reckoning.number(feed.stock.quantity_type)
    if tries >= MOST_TRIES:
        message = f"Centra has {has} of {name} and was told {row.pushed}, {tries} times; it shall have {wanted}"
        feed.case(tx, "STOCK_DRIFT_UNEXPLAINED", name, message)

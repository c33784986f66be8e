"""Learning what left the warehouses, and standing watch over what was not told and what was not paid."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from integration import stock
from integration.domain.order import Key
from integration.ports import Hint
from integration.store import Transaction, aftersales, deliveries, exceptions, ledger, schedule
from integration.wiring import World
from mappings import Mapping as Mapped

LOOK_BACK = timedelta(days=3)
"""How far back it is looked for dispatches that no poll told of: longer than any outage of a weekend."""
SOME = 200
"""Hints marked in one commit."""
PAGE = 50
SHORT = "SHIPMENT_QTY_CONFLICT"
RECHECKED = (
    "SHIPMENT_INCOMPLETE",
    "SHIPMENT_OF_CANCELLED",
    "SHIPMENT_QTY_CONFLICT",
    "SHIPMENT_REVERSED",
    "CAPTURE_MISMATCH",
    "ORDER_COMPLETION_MISMATCH",
)
"""Cases that somebody may have settled in either system without anybody telling us."""


def poll(connection: str, world: World) -> None:
    """Mark dispatches that changed since the cursor less the overlap; move the cursor once that is committed."""
    mapping, now = _mapping(connection, world), world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, connection, "dispatches")
    since = (datetime.fromisoformat(told) if told else mapping.start_at) - world.settings.poll_overlap
    _mark(world.erp(connection).dispatched_since(since), mapping, "poll", world)
    with world.store.write("dispatches.cursor") as tx:
        schedule.move_cursor(tx, connection, "dispatches", now.isoformat())


def look_back(connection: str, world: World) -> None:
    """Hold what the ERP dispatched in the last days against our rows: a hint may have been lost."""
    mapping, since = _mapping(connection, world), world.store.now() - LOOK_BACK
    _mark(world.erp(connection).dispatched_since(max(since, mapping.start_at)), mapping, "recount", world)


def recheck(connection: str, world: World) -> None:
    """Read again what waits for somebody's deed in one of the systems."""
    with world.store.write("recheck") as tx:
        ledger.mark_in(tx, deliveries.with_case(tx, connection, RECHECKED), "recheck")


def _mapping(connection: str, world: World) -> Mapped:
    return next(m for m in world.connections() if m.connection == connection)


def _mark(hints: Sequence[Hint], mapping: Mapped, source: str, world: World) -> None:
    """Mark dispatches that are new or have another stamp than the one we read; the sweeper rings them."""
    for start in range(0, len(hints), SOME):
        by_order = sorted(hints[start : start + SOME], key=lambda hint: (hint.order_number, hint.ref))
        stamps = {f"{mapping.connection}-{hint.ref}": hint.stamp for hint in by_order}
        with world.store.write("dispatches.marked") as tx:
            fresh = set(ledger.unseen(tx, mapping.centra, "shipment", stamps))
            for number, several in groupby(by_order, key=lambda hint: hint.order_number):
                keys = [Key(mapping.centra, "shipment", f"{mapping.connection}-{hint.ref}") for hint in several]
                wanted = [key for key in keys if key in fresh]
                ledger.mark_in(tx, wanted, source, connection=mapping.connection, order_number=number or None)


def watch(connection: str, world: World) -> None:
    """Open SHIPMENT_LATE for what left and is not shown within its promise."""
    mapping = _mapping(connection, world)
    promise = timedelta(minutes=mapping.shipments.shown_within_minutes)
    with world.store.write("shipments.watch") as tx:
        late = deliveries.unshown(tx, connection, before=tx.now - promise)
        orders = deliveries.orders(tx, mapping.centra, [row.order_number for row in late if row.order_number])
        for row in late:
            left = row.occurred_at or row.first_seen_at
            message = (
                f"left the warehouse at {left:%Y-%m-%d %H:%M} UTC and is not shown in Centra: {row.reason or row.state}"
            )
            read = row if row.total_minor is not None else orders.get(row.order_number, row)
            _open(tx, world, "SHIPMENT_LATE", f"{row.state} for too long", message, row, money=read)


def closed_short(connection: str, world: World) -> None:
    """A case for every order that the ERP calls done though pieces of it are on no dispatch: Centra would wait for them, and
    for their money, for ever. It ends when nothing is missing, or one of the two sees the order otherwise.
    """
    mapping, erp = _mapping(connection, world), world.erp(connection)
    since = max(world.store.now() - LOOK_BACK, mapping.start_at)
    done = {erp.number_of(each.reference): each for each in erp.changed_since(since) if each.life == "done"}
    with world.store.read() as tx:
        cases = {key.number for key in deliveries.with_case(tx, connection, [SHORT], "order")}
    for found in erp.standing([erp.reference(number) for number in cases - set(done)]).values():
        done |= {erp.number_of(each.reference): each for each in found if each.life == "done"}
    missing = _missing(sorted(done), mapping, world)
    with world.store.write("orders.short") as tx:
        rows = deliveries.orders(tx, mapping.centra, cases | set(missing))
        for number, left in missing.items():
            name = done[number].number or done[number].ref
            told = ", ".join(f"{quantity} × {sku}" for sku, quantity in sorted(left.items()))
            message = (
                f"{connection} calls {name} done, and {told} of it left on no dispatch: Centra still waits for them"
            )
            _open(tx, world, SHORT, "closed short in the ERP", message, rows[number], money=rows[number])
        for number in cases - set(missing):
            aftersales.resolve_only(tx, rows[number].id, [SHORT], "verified: nothing of the order is missing")


def _missing(numbers: Sequence[str], mapping: Mapped, world: World) -> dict[str, Counter[str]]:
    """Pieces that no dispatch has, of those orders that Centra has not closed: by our ledger, and then by the ERP itself."""
    with world.store.read() as tx:
        rows = deliveries.orders(tx, mapping.centra, numbers)
        open_now = [n for n, row in rows.items() if row.state == "proven" and row.closed_at is None]
        ordered, known = (deliveries.pieces(tx, mapping.centra, open_now, kind=kind) for kind in ("order", "shipment"))
        short = [number for number in open_now if ordered[number] - known[number]]
        refs = {row.number for number in short for row in deliveries.of_order(tx, mapping.centra, number)}
    if not short:
        return {}
    erp, since = world.erp(mapping.connection), world.store.now() - LOOK_BACK
    told = {hint.ref for hint in erp.dispatched_since(since) if hint.order_number in set(short)}
    gone = {number: Counter[str]() for number in short}
    for each in erp.dispatches(told | {ref.removeprefix(f"{mapping.connection}-") for ref in refs}).values():
        if each.life == "done" and each.order_number in gone:
            gone[each.order_number].update(stock.pieces([(line.sku, line.quantity) for line in each.lines], mapping))
    return {number: left for number in short if (left := ordered[number] - gone[number])}


def watch_captures(connection: str, world: World) -> None:
    """Mark shipments whose capture has settled or failed; open CAPTURE_WAITING for one that takes too long.

    One whose capture was refused is woken as soon as Centra calls it paid: somebody captured it by hand.
    """
    mapping = _mapping(connection, world)
    promise = timedelta(minutes=mapping.shipments.capture_within_minutes)
    with world.store.read() as tx:
        waiting = deliveries.uncaptured(tx, connection)
    for start in range(0, len(waiting), PAGE):
        some = waiting[start : start + PAGE]
        numbers = sorted({row.order_number for row in some})
        found = world.storefronts[mapping.centra].shipments(numbers)
        seen = [shipment for shown in found.values() for shipment in shown]
        pending = {(shipment.order_number, shipment.ref) for shipment in seen if shipment.capture_pending}
        paid = {(shipment.order_number, shipment.ref) for shipment in seen if shipment.paid}
        with world.store.write("captures.watched") as tx:
            for row in some:
                settled = (row.order_number, row.shown_as) not in pending
                if row.source_status == deliveries.CAPTURE_REFUSED:
                    if (row.order_number, row.shown_as) in paid:
                        ledger.wake(tx, [row.id], "capture", "paid for, though not by our request")
                elif settled and row.state == "proven":
                    ledger.mark_in(tx, [Key(row.instance, row.kind, row.number)], "capture")
                elif not settled and tx.now - row.asked_at > promise and not row.has_case:
                    message = f"asked for at {row.asked_at:%Y-%m-%d %H:%M} UTC and not settled by the payment provider"
                    _open(tx, world, "CAPTURE_WAITING", "not settled", message, row, money=row)


def _open(tx: Transaction, world: World, type: str, cause: str, message: str, row: Any, *, money: Any) -> None:
    """Open a case of a dispatch; `money` is the row that says how much waits: the dispatch's, or at first its order's."""
    about = {"instance": row.instance, "connection": row.connection, "job_id": row.id}
    waits = {"money_minor": money.total_minor or 0, "currency": money.currency or ""}
    exceptions.open_case(tx, world.case(type, cause, message, **about, **waits))

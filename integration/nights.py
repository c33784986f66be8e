"""The night: a business day's orders, shipments and refunds, counted and summed in both systems by market.

Both sides are read anew, past our own queues. What differs is named document by document and given its class by fact:
waiting (held, in its settle window), exception (a case is open), timing (on its way), or unexplained. A document that
nobody told us of is marked and so healed; the day is counted again until nothing is on its way, or until patience ends.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from integration.domain.credit import SETTLED
from integration.domain.money import Money, total
from integration.domain.order import Key
from integration.domain.pricing import TENDER
from integration.errors import NotReady
from integration.ports import ERP, Booking, Storefront, Taking
from integration.store import Transaction, exceptions, ledger, lives, schedule, tallies
from integration.store.ledger import Job
from integration.store.tallies import Entry
from integration.wiring import World
from mappings import Mapping

SETTLED_AFTER = timedelta(hours=2)
"""After midnight of the business day: what was sold at five to twelve has been posted and proved by then."""
COUNTED_AGAIN = timedelta(minutes=30)
PATIENCE = timedelta(hours=12)
"""From midnight on: what is unexplained after this is a case for a person."""
SLICE = timedelta(seconds=20)
"""A count that takes longer goes on in another task: no finance task holds a worker's slot for more than 30 s."""
DAYS_BACK = 14
"""Missed nights are made up for at most so far back."""
BATCH = 100
FROM_THE_START = "orders "
Page = tuple[str, list[Entry]]
"""What is counted in one go, and where the count goes on after it: a page of the storefront's, or a document's number, so that
one that comes while we count moves no other.
"""
_DOCUMENT = {"orders": "order", "shipments": "order", "refunds": "refund"}


@dataclass(frozen=True, slots=True)
class Day:
    """A business day of a connection: [since, until) in UTC, 23 to 25 hours long where clocks change."""

    connection: str
    name: str
    since: datetime
    until: datetime

    @property
    def number(self) -> str:
        return f"{self.connection}-{self.name}"


def day_of(mapping: Mapping, name: str) -> Day:
    """The day `2026-05-04` in the connection's time zone."""
    zone, on = ZoneInfo(mapping.time_zone), date.fromisoformat(name)
    midnights = [datetime.combine(on + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1)]
    return Day(mapping.connection, name, *midnights)


def call_days(connection: str, world: World, *, so_far: bool = False) -> list[Key]:
    """Mark every business day that is over, settled, and not counted yet: a missed night heals itself.

    `so_far` marks today as well, and every day back to the first or `DAYS_BACK`, at whatever hour somebody asks; today is
    counted once more when it is over.
    """
    mapping = _mapping(connection, world)
    with world.store.write("nights") as tx:
        first = tallies.oldest(tx, connection)
        if first is None:
            return []
        today = tx.now.astimezone(ZoneInfo(mapping.time_zone)).date()
        oldest = max(first.astimezone(ZoneInfo(mapping.time_zone)).date(), today - timedelta(days=DAYS_BACK))
        names = [(oldest + timedelta(days=n)).isoformat() for n in range((today - oldest).days + 1)]
        days = [day_of(mapping, name) for name in names]
        due = [day for day in days if so_far or day.until + SETTLED_AFTER <= tx.now]
        fresh = [day for day in due if so_far or not tallies.is_counted(tx, mapping.centra, day.number, day.until)]
        keys = []
        for day in fresh:
            key = Key(mapping.centra, "day", day.number)
            keys += ledger.mark_in(tx, [key], "night", connection=connection, occurred_at=day.since)
        return keys


def reconcile(job: Job, world: World) -> None:
    """Count the day in both systems, a page at a time; goes on in another task when it has taken long enough."""
    mapping = _mapping(str(job.row.connection), world)
    day = day_of(mapping, job.key.number.removeprefix(f"{mapping.connection}-"))
    storefront, erp = world.storefronts[job.key.instance], world.erp(mapping.connection)
    stages: dict[str, Callable[[str], Iterator[Page]]] = {
        "orders": lambda after: _orders(day, mapping, storefront, erp, world, after),
        "vanished": lambda after: _vanished(day, mapping, storefront, erp, world, after),
        "shipments": lambda after: _shipments(day, mapping, storefront, erp, world, after),
        "refunds": lambda after: _refunds(day, mapping, storefront, erp, world, after),
    }
    began = world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, day.connection, f"night {day.name}") or FROM_THE_START
    stage, read = told.split(" ")
    names = list(stages)
    for name in names[names.index(stage) :]:
        after = read if name == stage else ""
        if not after and name != "vanished":
            with world.store.write("night.begins") as tx:
                ledger.hold(tx, job, needs=SLICE, lease=world.settings.lease)
                tallies.begin_day(tx, day.connection, day.name, name)
        for place, entries in stages[name](after):
            _count(job, day, name, place, entries, world)
            if world.store.now() - began > SLICE:
                raise NotReady(f"counted {name} up to {place}; goes on", until=world.store.now())
    with world.store.write("night.counted") as tx:
        schedule.move_cursor(tx, day.connection, f"night {day.name}", FROM_THE_START)
    job.then("ready", "counted in both systems", clean_seq=job.row.dirty_seq)


def _count(job: Job, day: Day, stage: str, place: str, entries: list[Entry], world: World) -> None:
    """Add a page to the sums and move on, in one commit: a page is never counted twice."""
    kind = "orders" if stage == "vanished" else stage
    with world.store.write("night.page") as tx:
        ledger.hold(tx, job, needs=SLICE, lease=world.settings.lease)
        tallies.count(tx, day.connection, day.name, kind, entries)
        schedule.move_cursor(tx, day.connection, f"night {day.name}", f"{stage} {place}")


def _orders(day: Day, mapping: Mapping, storefront: Storefront, erp: ERP, world: World, after: str) -> Iterator[Page]:
    """What was sold that day, with what the ERP has of it. A market that no mapping has is the first connection's."""
    mappings = world.mappings(mapping.centra)
    mapped = {market for other in mappings for market in other.markets}
    first = mappings[0].connection == mapping.connection
    for page in itertools.count(int(after or 0) + 1):
        takings, more = storefront.takings(day.since, day.until, page)
        if not takings:
            return
        ours = [t for t in takings if t.market in mapping.markets or (first and t.market not in mapped)]
        sold = [t for t in ours if t.placed_at is None or t.placed_at >= mapping.start_at]
        yield str(page), _sold(sold, erp, mapping)
        if not more:
            return


def _vanished(day: Day, mapping: Mapping, storefront: Storefront, erp: ERP, world: World, after: str) -> Iterator[Page]:
    """Orders of that day that our ledger has and the storefront has not any more."""
    with world.store.read() as tx:
        known = tallies.happened(tx, mapping.connection, "order", day.since, day.until)
    rows = {row.number: row for row in known if row.state != "observed"}
    for some in _batched(rows, after):
        there = {sighting.number for sighting in storefront.stamps(some)}
        gone = [rows[number] for number in some if number not in there]
        booked = erp.bookings([erp.reference(row.number) for row in gone]) if gone else {}
        entries = [
            Entry(row.number, row.market, row.currency or "", None, _booked(booked[erp.reference(row.number)]))
            for row in gone
        ]
        yield some[-1], entries


def _sold(takings: Sequence[Taking], erp: ERP, mapping: Mapping) -> list[Entry]:
    booked = erp.bookings([erp.reference(taking.number) for taking in takings])
    entries = []
    for taking in takings:
        sold = None if taking.cancelled else _worth(taking, mapping).minor
        theirs = _booked(booked[erp.reference(taking.number)])
        entries.append(Entry(taking.number, taking.market, taking.total.currency, sold, theirs))
    return entries


def _worth(taking: Taking, mapping: Mapping) -> Money:
    """What the ERP books of an order: what was left to pay, and what gift cards had paid of it."""
    paid = [discount.amount for discount in taking.discounts if mapping.vouchers.get(discount.type) == TENDER]
    return total([taking.total, *paid], taking.total.currency)


def _booked(bookings: Sequence[Booking]) -> int | None:
    """What the ERP has of one order, all living documents together; `None` when it has none."""
    living = [booking.total.minor for booking in bookings if booking.life != "cancelled"]
    return sum(living) if living else None


def _shipments(
    day: Day, mapping: Mapping, storefront: Storefront, erp: ERP, world: World, after: str
) -> Iterator[Page]:
    """Pieces of every order that something of left the warehouse that day: dispatched, and shown in the storefront."""
    hints = erp.dispatched_since(day.since)
    for some in _batched({hint.order_number for hint in hints if hint.order_number}, after):
        with world.store.read() as tx:
            rows = {n: ledger.find(tx, Key(mapping.centra, "order", n)) for n in some}
            known = {
                row.number.removeprefix(f"{mapping.connection}-") for row in tallies.shipped(tx, mapping.centra, some)
            }
        refs = known | {hint.ref for hint in hints if hint.order_number in set(some)}
        left = [dispatch for dispatch in erp.dispatches(sorted(refs)).values() if dispatch.life == "done"]
        that_day = {d.order_number for d in left if d.dispatched_at and day.since <= d.dispatched_at < day.until}
        shown = storefront.shipments(sorted(that_day)) if that_day else {}
        entries = [
            Entry(
                number,
                row.market if (row := rows.get(number)) else "",
                "",
                sum(line.quantity for s in shown.get(number, ()) if s.shipped for line in s.lines) or None,
                sum(line.quantity for d in left if d.order_number == number for line in d.lines) or None,
            )
            for number in sorted(that_day)
        ]
        yield some[-1], entries


def _refunds(day: Day, mapping: Mapping, storefront: Storefront, erp: ERP, world: World, after: str) -> Iterator[Page]:
    """Money paid back that day, and the credit memos that book it."""
    with world.store.read() as tx:
        known = tallies.happened(tx, mapping.connection, "refund", day.since, day.until)
    market = {row.order_number: row.market for row in known}
    for some in _batched(market, after):
        found = [r for told in storefront.refunds(some).values() for r in told if day.since <= r.at < day.until]
        paid = [refund for refund in found if refund.life == SETTLED]
        memos = erp.memos([erp.memo_reference(refund) for refund in paid]) if paid else {}
        entries = []
        for refund in paid:
            living = [memo for memo in memos.get(erp.memo_reference(refund), ()) if memo.life != "cancelled"]
            totals = [memo.components.get("total") for memo in living]
            booked = sum(t.minor for t in totals if isinstance(t, Money)) if living else None
            where = market.get(refund.order_number, "")
            entries.append(Entry(refund.key.number, where, refund.amount.currency, refund.amount.minor, booked))
        yield some[-1], entries


def settle(job: Job, world: World) -> None:
    """Give every difference its class by fact; mark what nobody told us of; count again while anything is on its way."""
    mapping = _mapping(str(job.row.connection), world)
    day = day_of(mapping, job.key.number.removeprefix(f"{mapping.connection}-"))
    with world.store.write("night.settled") as tx:
        now = tx.now
        found = tallies.differences(tx, day.connection, day.name)
        classes = [_explain(tx, row, mapping, job.key.instance) for row in found]
    moving = [row for row, why in zip(found, classes, strict=True) if why in ("timing", "unexplained")]
    if moving and now < day.until + PATIENCE:
        note = f"{len(moving)} documents differ and may be on their way: counted again"
        job.then("held", note, not_before=now + COUNTED_AGAIN)
        return
    job.then("posted", f"{len(found)} differences, each with its class" if found else "equal in both systems")


def _explain(tx: Transaction, row: Any, mapping: Mapping, instance: str) -> str:
    key = Key(instance, _DOCUMENT[row.kind], row.number)
    standing = ledger.find(tx, key)
    case = tallies.case_of(tx, instance, key.kind, key.number)
    if case is None and row.kind == "shipments":
        case = tallies.case_of_shipments(tx, instance, row.number)
    if standing is None:
        ledger.mark_in(tx, [key], "night")
        why, reason = "timing", "nothing had told us of it: it is read and posted now"
    elif case is not None:
        why, reason = "exception", f"exception {case.id}: {case.type}"
    elif row.kind == "shipments":
        moving = tallies.open_shipments(tx, instance, row.number)
        why, reason = ("timing", "a shipment is on its way") if moving else ("unexplained", "pieces differ")
    elif standing.state == "held":
        why, reason = "waiting", standing.reason
    elif standing.state in lives.OPEN:
        why, reason = "timing", f"{standing.state}: {standing.reason}"
    else:
        ledger.mark_in(tx, [key], "night")
        why, reason = "unexplained", f"{standing.state} in our ledger, and the two systems differ"
    tallies.explain(tx, row, why, reason)
    return why


def report(job: Job, world: World) -> None:
    """One case per kind and market for what has no class; the books are closed when there is none."""
    mapping = _mapping(str(job.row.connection), world)
    day = day_of(mapping, job.key.number.removeprefix(f"{mapping.connection}-"))
    with world.store.read() as tx:
        found = [r for r in tallies.differences(tx, day.connection, day.name) if r._mapping["class"] == "unexplained"]
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in found:
        groups.setdefault((row.kind, row.market), []).append(row)
    cases = []
    for (kind, market), rows in sorted(groups.items()):
        numbers = ", ".join(row.number for row in rows[:10])
        message = f"{day.name}, {market}: {len(rows)} {kind} differ without a reason: {numbers}"
        money = {row.currency: sum(abs(r.minor) for r in rows if r.currency == row.currency) for row in rows}
        currency = max(money, key=lambda name: money[name])
        cases.append(
            world.case(
                "RECON_UNEXPLAINED", f"{day.name} {kind} {market}", message, instance=job.key.instance,
                connection=day.connection, money_minor=money[currency] if currency else 0, currency=currency,
            )
        )  # fmt: skip

    def close(tx: Transaction) -> None:
        open_now = {case.cause for case in cases}
        exceptions.resolve_causes(
            tx,
            day.connection,
            "RECON_UNEXPLAINED",
            beginning=f"{day.name} ",
            but=open_now,
            how="verified: counted equal",
        )
        for case in cases:
            exceptions.open_case(tx, case)

    job.also(close)
    note = f"{len(found)} without a reason" if found else "every difference has its reason"
    job.then("proven", note, done_at=world.store.now())


def _mapping(connection: str, world: World) -> Mapping:
    return next(mapping for mapping in world.connections() if mapping.connection == connection)


def _batched(numbers: Iterable[str], after: str) -> Iterator[list[str]]:
    """Those behind `after`, a hundred at a time."""
    left = sorted(number for number in numbers if number > after)
    for start in range(0, len(left), BATCH):
        yield left[start : start + BATCH]

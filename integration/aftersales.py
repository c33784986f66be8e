"""Learning of what happens after the sale: returns, receipts, refunds and memos. Feeds that only mark rows.

    Centra   announced (returns made)      refunds (histories of orders that changed), old_refunds (of orders that ended)
    ERP      receipts (goods that came)    memos (credit memos that changed)
    ledger   overdue (goods), uncredited (money)

Centra has no feed of refunds: they are read from the payment histories of orders (deploy/decisions/0016).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integration import credit, returns
from integration.domain.order import Key
from integration.ports import ERP, Hint, Memo
from integration.store import Transaction, aftersales, exceptions, ledger, schedule
from integration.wiring import World
from mappings import Mapping

WINDOW = timedelta(days=7)
"""A long history of returns is read a week at a time: Centra offers no order to rest in."""
MOST_PAGES = 200
OVERLAP = timedelta(minutes=5)
"""Of the ERP's feeds: rows that became visible after a look had passed them."""
SETTLING = timedelta(minutes=1)
"""What was settled a moment ago may become visible after what was settled just now."""
FIRST_LOOK = timedelta(days=2)
LOOK_AGAIN = timedelta(hours=1)
"""A return that waits for goods is read again so often: Centra may have deleted it."""
MOST_AGAIN = 500
PAGE = 50
PAGES = 20
"""Orders whose histories are read in one run: a thousand, in twenty requests."""
REFUNDED_WITHIN = timedelta(days=90)
"""How long after an order's end a refund without a return is looked for."""


def announced(instance: str, world: World) -> None:
    """Mark returns made since the last look, and those that have waited for goods unread."""
    now = world.store.now()
    mappings = world.mappings(instance)
    if not mappings:
        return
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, instance, "returns")
        again = aftersales.unread(tx, instance, "return", read_before=now - LOOK_AGAIN, limit=MOST_AGAIN)
    since = datetime.fromisoformat(told) if told else min(mapping.start_at for mapping in mappings)
    until = min(now, since + WINDOW)
    overlap = world.settings.poll_overlap
    ledger.mark(world.store, again, "reread")
    for page in range(1, MOST_PAGES + 1):
        seen, more = world.storefronts[instance].returns_between(since - overlap, until + overlap, page)
        stamps = {sighting.number: sighting.stamp for sighting in seen}
        with world.store.write("returns.marked") as tx:
            ledger.mark_in(tx, ledger.unseen(tx, instance, "return", stamps), "poll")
        if not more:
            break
    with world.store.write("returns.cursor") as tx:
        schedule.move_cursor(tx, instance, "returns", until.isoformat())
    if until < now:
        world.ring("announced", Key(instance, "feed", "more"))


def receipts(connection: str, world: World) -> None:
    """Mark returns whose goods moved in the ERP; a receipt that nothing announced is a case of its own."""
    look = _look(connection, "receipts", world)
    hints = look.erp.received_since(look.since)
    with world.store.write("receipts") as tx:
        stamps: dict[str, str] = {}
        for hint in hints:
            number = look.erp.return_number(hint.ref) if hint.ref else ""
            if number:
                stamps[number] = max(stamps.get(number, ""), hint.stamp)
        numbers = set(stamps) - aftersales.at_rest(tx, look.mapping.centra, "return", stamps)
        keys = [Key(look.mapping.centra, "return", number) for number in numbers]
        keyed = aftersales.on_work_list(tx, connection, "return", returns.WORK_LIST)
        ledger.mark_in(tx, [*keys, *keyed], "back-check")
        for hint in hints:
            if not hint.ref:
                of = f" of order {hint.order_number}" if hint.order_number else ""
                words = f"{hint.number} has arrived{of}, and no return of Centra's announced it"
                _once(tx, world, "RECEIPT_WITHOUT_RETURN", hint, words, look)
        schedule.move_cursor(tx, connection, "receipts", look.now.isoformat())


def memos(connection: str, world: World) -> None:
    """Read back memos that changed in the ERP since they were proved; one that no refund explains is a case."""
    look = _look(connection, "memos", world)
    hints = look.erp.memos_since(look.since)
    standing = look.erp.memos({hint.ref for hint in hints if hint.ref})
    with world.store.write("memos") as tx:
        for hint in hints:
            number = look.erp.refund_number(hint.ref) if hint.ref else ""
            if not number:
                words = f"{hint.number} credits order {hint.order_number}, and no refund of Centra's explains it"
                _once(tx, world, "CREDIT_WITHOUT_REFUND", hint, words, look)
            else:
                living = [memo for memo in standing.get(hint.ref, ()) if memo.life != "cancelled"]
                _hold_against_ledger(tx, world, Key(look.mapping.centra, "refund", number), hint, living, connection)
        keyed = aftersales.on_work_list(tx, connection, "refund", credit.WORK_LIST)
        ledger.mark_in(tx, keyed, "back-check")
        schedule.move_cursor(tx, connection, "memos", look.now.isoformat())


def _hold_against_ledger(
    tx: Transaction, world: World, key: Key, hint: Hint, living: Sequence[Memo], connection: str
) -> None:
    row = ledger.find(tx, key)
    if row is None:
        ledger.mark_in(tx, [key], "back-check", order_number=hint.order_number or None)
    elif row.state == "observed" and living and not exceptions.is_open(tx, row.id):
        number = living[0].number or living[0].ref
        words = f"{number} bears our reference for refund {key.number}, and Centra has not paid it back"
        _open(tx, world, "CREDIT_WITHOUT_REFUND", "no such refund", words, row)
    elif row.state == "dead" and hint.stamp != row.erp_stamp:
        ledger.look_again(tx, row.id, hint.stamp)
    elif row.state == "proven" and hint.stamp != row.erp_stamp:
        ledger.prove_again(tx, row.id)


def refunds(instance: str, world: World) -> None:
    """Read the payment histories of orders that were worked on since the last look, and mark refunds that are new."""
    now = world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, instance, "refunds")
        since = datetime.fromisoformat(told) if told else now - REFUNDED_WITHIN
        touched = aftersales.touched(tx, instance, since - SETTLING, limit=PAGE * PAGES)
    _mark_refunds(instance, dict.fromkeys(number for number, _ in touched), world)
    full = len(touched) == PAGE * PAGES
    with world.store.write("refunds.cursor") as tx:
        schedule.move_cursor(tx, instance, "refunds", (touched[-1][1] if full else now).isoformat())


def old_refunds(instance: str, world: World) -> None:
    """Read the histories of orders that ended lately, a thousand at a time, round and round."""
    with world.store.read() as tx:
        after = int(schedule.read_cursor(tx, instance, "old refunds") or 0)
        found = aftersales.ended(tx, instance, since=tx.now - REFUNDED_WITHIN, after=after, limit=PAGE * PAGES)
    _mark_refunds(instance, [number for _, number in found], world)
    reached = found[-1][0] if len(found) == PAGE * PAGES else 0
    with world.store.write("old-refunds.cursor") as tx:
        schedule.move_cursor(tx, instance, "old refunds", str(reached))


def _mark_refunds(instance: str, numbers: Iterable[str], world: World) -> None:
    """Mark the refunds of these orders that are new or changed."""
    wanted = list(numbers)
    for start in range(0, len(wanted), PAGE):
        batch = wanted[start : start + PAGE]
        found = world.storefronts[instance].refunds(batch)
        with world.store.write("refunds.marked") as tx:
            for order in set(batch) - set(found):
                _unreadable(tx, world, Key(instance, "order", order))
            for order_number, paid in found.items():
                stamps = {refund.key.number: credit.stamp(refund) for refund in paid}
                fresh = ledger.unseen(tx, instance, "refund", stamps) if stamps else []
                ledger.mark_in(tx, fresh, "poll", order_number=order_number)
                aftersales.name_order(tx, fresh, order_number)


def _unreadable(tx: Transaction, world: World, order: Key) -> None:
    """An order whose payment history Centra does not tell may have been refunded: nobody else would find out."""
    row = ledger.find(tx, order)
    if row is not None and row.state != "dead" and not exceptions.is_open(tx, row.id):
        words = "Centra's history of its refunds is not readable: whether money was paid back is not known"
        _open(tx, world, "SCHEMA_CHANGE", "centra:refunds", words, row)


def overdue(connection: str, world: World) -> None:
    """Goods that were announced and do not come, or that came and are not inspected: cases, while they go on waiting."""
    terms = _mapping(connection, world).returns
    with world.store.write("overdue") as tx:
        for row in aftersales.not_received(tx, connection, before=tx.now - timedelta(days=terms.received_within_days)):
            words = f"announced {row.posted_at:%Y-%m-%d}, and not all of it has arrived: {row.reason}"
            _open(tx, world, returns.OVERDUE[0], "not received", words, row)
        for row in aftersales.not_inspected(
            tx, connection, before=tx.now - timedelta(days=terms.inspected_within_days)
        ):
            words = f"booked in {row.released_at:%Y-%m-%d}, and not inspected: {row.reason}"
            _open(tx, world, returns.OVERDUE[1], "not inspected", words, row)


def uncredited(connection: str, world: World) -> None:
    """Refunds whose memo is not proven in time, and for which no other case says why."""
    within = timedelta(minutes=_mapping(connection, world).credit.memo_within_minutes)
    with world.store.write("uncredited") as tx:
        for row in aftersales.uncredited(tx, connection, before=tx.now - within):
            words = f"paid back {row.occurred_at:%Y-%m-%d %H:%M} UTC and still {row.state}: {row.reason}"
            _open(tx, world, "CREDIT_MISSING", f"{row.state} for too long", words, row)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at an ERP's feed: from when on, and the instant that the next one begins at."""

    mapping: Mapping
    erp: ERP
    since: datetime
    now: datetime


def _look(connection: str, stream: str, world: World) -> _Look:
    now = world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, connection, stream)
    since = datetime.fromisoformat(told) - OVERLAP if told else now - FIRST_LOOK
    return _Look(_mapping(connection, world), world.erp(connection), since, now)


def _mapping(connection: str, world: World) -> Mapping:
    return next(mapping for mapping in world.connections() if mapping.connection == connection)


def _once(tx: Transaction, world: World, type: str, hint: Hint, words: str, look: _Look) -> None:
    """A case of the connection for a document of the ERP's own; what a person has closed is not opened again."""
    cause, connection = hint.number or hint.stamp, look.mapping.connection
    if not aftersales.told_before(tx, connection, type, cause):
        case = world.case(type, cause, words, instance=look.mapping.centra, connection=connection)
        exceptions.open_case(tx, case)


def _open(tx: Transaction, world: World, type: str, cause: str, words: str, row: Any) -> None:
    about = {"instance": row.instance, "connection": row.connection or "", "job_id": row.id}
    case = world.case(type, cause, words, **about, money_minor=row.total_minor or 0, currency=row.currency or "")
    exceptions.open_case(tx, case)

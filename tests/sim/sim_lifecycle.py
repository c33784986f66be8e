"""What must hold of dispatches, money, returns and refunds: after every step, and once everything is well again."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sim.sim_erps import Erp, Goods, Memo
from sim.sim_invariants import Violation

from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Order

MOVING = {
    "shipment": ("seen", "ready", "posted"),
    "return": ("seen", "ready", "received", "cancelling"),
    "refund": ("seen", "ready", "posted"),
    "stock": ("seen", "ready", "posted"),
    "day": ("seen", "ready", "posted"),
}
"""States of each kind in which nothing may rest. What was made and is not paid may wait: for its provider, or a person."""

UNTOLD = ("cancelled", "observed", "closed")
"""How a dispatch may end that was undone."""

_ROWS = (
    "SELECT id, kind, number, state, coalesce(order_number, ''), owner, dirty_seq > clean_seq, not_before IS NOT NULL, reason"
    " FROM job WHERE kind <> 'order'"
)
_CASES = (
    "SELECT j.kind, j.number, group_concat(e.type) FROM exception e JOIN job j ON j.id = e.job_id"
    " WHERE e.state <> 'resolved' GROUP BY j.kind, j.number"
)
_ORDERS = "SELECT number, state FROM job WHERE kind = 'order'"


class Row(NamedTuple):
    """A document that is no order."""

    id: int
    kind: str
    number: str
    state: str
    order: str
    owner: str | None
    dirty: int
    waits: int
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of order {self.order} ({self.state}: {self.reason})"


class Lifecycle:
    """Holds both sides' books of what follows an order against each other. Only reads."""

    def __init__(self, sql: sqlite3.Connection, centra: Centra, erps: Sequence[Erp], start_at: datetime) -> None:
        self.sql, self.centra, self.erps, self.start_at = sql, centra, erps, start_at
        self._seen = (-1, -1)
        self._paid: Counter[int] = Counter()
        self._completed: set[int] = set()
        self._credited: set[str] = set()

    def after_step(self) -> None:
        seen = (sum(self.centra.requests.values()), sum(erp.changes() for erp in self.erps))
        if seen == self._seen:
            return
        self._seen = seen
        left, undone = self.dispatches(), self.undone()
        for number, order in self.centra.orders.items():
            if order.shipments:
                self._shipments(order, left[number] + undone[number])
        self._mails_are_single()
        self._returns_came_first()
        self._memos_are_due()

    # ------------------------------------------------------------------------------------------------ both sides' books

    def dispatches(self) -> dict[int, list[tuple[str, Goods]]]:
        """What has left the ERPs' warehouses: by order (our number of the dispatch, SKU and pieces)."""
        return _together(erp.dispatches() for erp in self.erps)

    def undone(self) -> dict[int, list[tuple[str, Goods]]]:
        """What had left and was taken back, in the same words."""
        return _together(erp.undone() for erp in self.erps)

    def memos(self) -> dict[str, list[Memo]]:
        """Credit notes that were not cancelled, by our number of the refund."""
        return _together(erp.memos() for erp in self.erps)

    def receipts(self) -> dict[int, list[str]]:
        """How far goods are that come back (draft, received, done), by Centra's return."""
        return _together(erp.receipts() for erp in self.erps)

    def refunds(self) -> dict[str, tuple[Order, Any]]:
        """Every refund of Centra's payment histories by our number of it, whatever came of it."""
        return {
            f"{order.number}-{entry.id}": (order, entry)
            for order in self.centra.orders.values()
            for entry in order.payments
            if entry.entry_type in ("REFUND", "REFUND_REQUEST") and entry.follows is None
        }

    # ------------------------------------------------------------------------------------------------ after every step

    def _shipments(self, order: Order, left: list[tuple[str, Goods]]) -> None:
        """I9: never more shipped than ordered or than has left, never more captured than the order comes to."""
        number = order.number
        for line in order.lines:
            if line.shipped > line.quantity:
                raise Violation(
                    f"I9 order {number}: {line.shipped} of {line.good.sku} shipped, {line.quantity} ordered"
                )
        if len(order.shipments) > len(left):
            raise Violation(f"I9 order {number}: {len(order.shipments)} shipments in Centra, {len(left)} dispatches")
        gone: Counter[str] = Counter()
        for _, goods in left:
            gone.update(dict(goods))
        shown: Counter[str] = Counter()
        for shipment in order.shipments:
            shown.update({line.sku: line.quantity for line in shipment.lines})
        if +(shown - gone):
            raise Violation(f"I9 order {number}: Centra shows {dict(shown - gone)} more than has left")
        if len(order.payments) == self._paid[number]:
            return
        self._paid[number] = len(order.payments)
        if order.moved("CAPTURE") > order.grand_total:
            raise Violation(f"I9 order {number}: {order.moved('CAPTURE')} captured of {order.grand_total}")
        for shipment in order.shipments:
            asked = [p for p in order.payments if _is_capture(p) and p.shipment == shipment.number]
            if len(asked) > 1:
                raise Violation(f"I9 shipment {shipment.number}: its money was taken {len(asked)} times")

    def _mails_are_single(self) -> None:
        told = Counter(mail.shipment for mail in self.centra.book.parcels.mails if mail.kind == "shipped")
        twice = [number for number, times in told.items() if times > 1]
        if twice:
            raise Violation(f"I9 the customer was told {told[twice[0]]} times that shipment {twice[0]} has left")

    def _returns_came_first(self) -> None:
        """P14: nothing is completed in Centra before the warehouse has received and inspected all of it."""
        completed = {made.id for made in self.centra.book.parcels.returns.values() if made.completed_at}
        for id in completed - self._completed:
            states = self.receipts()[id]
            if not states or any(state != "done" for state in states):
                told = ", ".join(states) or "unknown"
                raise Violation(f"P14 return {id} is completed in Centra; in the ERP it is {told}")
        self._completed = completed

    def _memos_are_due(self) -> None:
        """P14: a refund has one posted memo at most, and only once it was settled; no more is credited than captured."""
        memos = self.memos()
        posted = {number: [m for m in several if m.posted] for number, several in memos.items()}
        refunds = self.refunds() if set(memos) - self._credited else {}
        for number, several in posted.items():
            if len(several) > 1:
                raise Violation(f"P14 refund {number} has {len(several)} posted memos")
            if several and number not in self._credited:
                order, entry = refunds.get(number, (None, None))
                if entry is None or order is None or entry.status != "SUCCESS":
                    raise Violation(f"P14 refund {number} is credited and {entry.status if entry else 'unknown'}")
                credited = sum(
                    (m.amount for n, ms in posted.items() for m in ms if n.startswith(f"{order.number}-")), Decimal(0)
                )
                if credited > order.moved("CAPTURE"):
                    raise Violation(f"I9 order {order.number}: {credited} credited, {order.moved('CAPTURE')} captured")
                self._credited.add(number)

    # ------------------------------------------------------------------------------------------------ at the end

    def complaints(self) -> list[str]:
        """L1 and L2 for everything that follows an order. Empty means well."""
        rows = {(row.kind, row.number): row for row in map(Row._make, self.sql.execute(_ROWS))}
        cases = {(kind, number): types for kind, number, types in self.sql.execute(_CASES)}
        orders = dict(self.sql.execute(_ORDERS).fetchall())
        self.troubled = {number for number, state in orders.items() if state not in ("proven", "cancelled")}
        self.troubled |= {number for kind, number in cases if kind == "order"}
        found = [f"L2 {row} is not finished" for key, row in rows.items() if self._moves(row, key in cases)]
        found += self._shown_once(rows, cases)
        found += self._returned(rows, cases)
        found += self._credited_once(rows, cases)
        return found

    def _moves(self, row: Row, has_case: bool) -> bool:
        if row.kind == "shipment" and row.state == "created" and row.waits and has_case:
            return False  # its money is asked for again at that time; what else was heard of it can wait for that
        if row.dirty or row.owner is not None or row.state in MOVING[row.kind]:
            return True
        if row.kind == "shipment" and row.state in ("created", "captured", "held"):
            return not has_case and row.order not in self.troubled
        return (row.state == "dead") != has_case and row.state == "dead"

    def _ours(self) -> Iterator[Order]:
        return (order for order in self.centra.orders.values() if order.created_at >= self.start_at)

    def _shown_once(self, rows: dict[Any, Row], cases: dict[Any, str]) -> list[str]:
        """Every dispatch is one Centra shipment of the same lines that has left, or one open exception; one that was undone
        was never told, or is an exception.
        """
        found, left, undone = [], self.dispatches(), self.undone()
        for order in self._ours():
            shown = [
                _goods((line.sku, line.quantity) for line in shipment.lines)
                for shipment in order.shipments
                if shipment.shipped_at
            ]
            for id, goods in left[order.number]:
                key = ("shipment", id)
                if key in cases or str(order.number) in self.troubled:
                    continue
                if key not in rows:
                    found.append(f"L1 dispatch {id} of order {order.number} has no row")
                elif goods not in shown:
                    found.append(f"L1 dispatch {id} of {dict(goods)} is not shown: {rows[key]}")
                else:
                    shown.remove(goods)
            for id, goods in undone[order.number]:
                row = rows.get(("shipment", id))
                told = row is not None and row.state not in UNTOLD
                if told and ("shipment", id) not in cases and str(order.number) not in self.troubled:
                    found.append(f"L1 dispatch {id} of {dict(goods)} was undone: {row}")
        return found

    def _returned(self, rows: dict[Any, Row], cases: dict[Any, str]) -> list[str]:
        """Announced to the ERP, and completed once all of it was inspected; withdrawn where Centra has deleted it."""
        found, receipts = [], self.receipts()
        for order in self._ours():
            for made in order.returns:
                key, back = ("return", str(made.id)), receipts[made.id]
                if key in cases or str(order.number) in self.troubled:
                    continue
                inspected = bool(back) and all(state == "done" for state in back)
                if key not in rows:
                    found.append(f"L1 return {made.id} of order {order.number} has no row")
                elif not back:
                    found.append(f"L1 return {made.id} is not announced: {rows[key]}")
                elif inspected and not made.completed_at:
                    found.append(f"L1 return {made.id} was inspected and is not completed: {rows[key]}")
        for id, back in receipts.items():
            waits = "draft" in back
            if waits and id not in self.centra.book.parcels.returns and ("return", str(id)) not in cases:
                found.append(f"L1 return {id} was deleted in Centra, and the ERP waits for it")
        return found

    def _credited_once(self, rows: dict[Any, Row], cases: dict[Any, str]) -> list[str]:
        """Every settled refund has one memo of the same amount, or one open exception."""
        found, memos = [], self.memos()
        for number, (order, entry) in self.refunds().items():
            key = ("refund", number)
            excused = key in cases or str(order.number) in self.troubled or order.created_at < self.start_at
            if entry.status != "SUCCESS" or not entry.value or excused:
                continue
            amounts = [memo.amount for memo in memos[number] if memo.posted]
            if key not in rows:
                found.append(f"L1 refund {number} has no row")
            elif amounts != [entry.value] or len(memos[number]) != 1:
                told = ", ".join(memo.words for memo in memos[number]) or "no memo"
                found.append(f"L1 refund {number} of {entry.value} has {told}: {rows[key]}")
        return found


def _together(books: Iterable[Mapping[Any, list[Any]]]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for book in books:
        for key, several in book.items():
            found[key] += several
    return found


def _goods(lines: Any) -> Goods:
    found: Counter[str] = Counter()
    for sku, quantity in lines:
        found[sku] += quantity
    return tuple(sorted(found.items()))


def _is_capture(entry: Any) -> bool:
    return entry.entry_type in ("CAPTURE", "CAPTURE_REQUEST") and entry.follows is None and entry.status != "FAILED"

"""What must hold after every step, read from both sides' own books; and what must hold once everything is well again."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sim.sim_books import Version, differences
from sim.sim_broker import SimBroker
from sim.sim_erps import PREFIX, Erp
from sim.sim_scheduler import Scheduler, SimClock

from integration.sandbox.catalogue import WAREHOUSE_OF_MARKET
from integration.sandbox.centra import INTEGRATION, Centra
from tasks.step import MOST_ATTEMPTS

MOST_LOST = MOST_ATTEMPTS * 2
"""A job that stops its worker this often is a dead letter; see `tasks.step`."""


class Violation(BaseException):
    """A promise is broken. The first word is the invariant's number in the catalogue of promises.

    No `except Exception` of the product may catch it.
    """


class Row(NamedTuple):
    """The columns of a job that the invariants speak of."""

    id: int
    kind: str
    number: str
    state: str
    owner: str | None
    until: str | None
    fence: int
    attempts: int
    erp_ref: str | None
    source_stamp: str
    dirty: int
    connection: str | None


_ROWS = (
    "SELECT id, kind, number, state, owner, until, fence, attempts, erp_ref, source_stamp, dirty_seq > clean_seq,"
    " connection"
    " FROM job ORDER BY id"
)
_CASES = "SELECT job_id, count(*) FROM exception WHERE state <> 'resolved' AND job_id IS NOT NULL GROUP BY job_id"
STANDING = ("STOCK_SKU_ORPHAN", "STOCK_OVERSOLD")
"""Cases of a connection that are true for as long as nobody acts: a SKU that one side alone has, more sold than there is."""
_WIDE = (
    "SELECT type, cause FROM exception WHERE state <> 'resolved' AND job_id IS NULL"
    f" AND type NOT IN ({STANDING[0]!r}, {STANDING[1]!r})"
)
_UNOWNED = "SELECT type FROM exception WHERE state <> 'resolved' AND coalesce(owner, '') = ''"


class Invariants:
    """Holds both sides' books against each other. `sql` is the ledger's own connection; everything here only reads."""

    def __init__(
        self, sql: sqlite3.Connection, centra: Centra, erps: Sequence[Erp], scheduler: Scheduler, clock: SimClock
    ) -> None:
        self.sql, self.centra, self.erps, self.scheduler, self.clock = sql, centra, erps, scheduler, clock
        self.versions: dict[int, list[Version]] = defaultdict(list)
        self.before: dict[int, Row] = {}
        self.zombies = 0
        """Creates sent for an order that had been cancelled meanwhile, by a worker that had been stopped for too long."""
        self.proofs = Counter[str]()
        """By connection."""
        self._seen = (-1, -1)
        centra.watchers.append(self._changed)

    def _changed(self, order: Any, _change: str) -> None:
        (book,) = [b for b in self.centra.books() if b["number"] == order.number]
        self.versions[order.number].append(Version(order.updated_at, book))

    # ------------------------------------------------------------------------------------------------ after every step

    def after_step(self) -> None:
        """Cheap: nothing is read unless the ledger or an ERP has changed."""
        seen = (self.sql.total_changes, sum(erp.changes() for erp in self.erps))
        if seen == self._seen:
            return
        if self.sql.in_transaction:
            raise Violation("harness: a transaction was left open")
        self._seen = seen
        self._sales_are_unique()
        effective = self.effective()
        for row in map(Row._make, self.sql.execute(_ROWS).fetchall()):
            before = self.before.get(row.id)
            if row != before:
                self._row_moved(before, row)
                self.before[row.id] = row
            proven = row.kind == "order" and row.state == "proven"
            if proven and row.erp_ref not in effective[f"{PREFIX}{row.number}"]:
                raise Violation(f"I2 order {row.number} is proven and has no effective sale {row.erp_ref}")
        twice = [job for job, open_cases in self.sql.execute(_CASES) if open_cases > 1]
        if twice:
            raise Violation(f"I12 job {twice[0]} has several open exceptions")

    def effective(self) -> dict[str, list[str]]:
        """The ids of the sales that count, by our reference, in whichever ERP."""
        found: dict[str, list[str]] = defaultdict(list)
        for erp in self.erps:
            for sale in erp.sales():
                if sale.counts:
                    found[sale.reference].append(sale.id)
        return found

    def _sales_are_unique(self) -> None:
        for erp in self.erps:
            keys = Counter((sale.scope, sale.reference) for sale in erp.sales())
            for (_, reference), times in keys.items():
                if times > 1:
                    raise Violation(f"I1 {erp.connection} holds {times} sales under {reference}: its own key is broken")
                number = reference.removeprefix(PREFIX)
                if not number.isdigit() or int(number) not in self.centra.orders:
                    raise Violation(f"I4 the sale {reference} belongs to no order of Centra")
                if not serves(erp, self.centra.orders[int(number)]):
                    raise Violation(f"I4 the sale {reference} is in {erp.connection}, which does not serve its market")
        for reference, ids in self.effective().items():
            if len(ids) > 1:
                raise Violation(f"I1 {reference} has {len(ids)} effective sales: {', '.join(ids)}")

    def _row_moved(self, before: Row | None, row: Row) -> None:
        if before is not None:
            if before.erp_ref is not None and row.erp_ref != before.erp_ref:
                raise Violation(
                    f"I5 {row.kind} {row.number}: its erp_ref changed from {before.erp_ref} to {row.erp_ref}"
                )
            self._lease_passed(before, row)
        if row.attempts > MOST_LOST + 1:
            raise Violation(
                f"I16 {row.kind} {row.number} was attempted {row.attempts} times without a person being asked"
            )
        if (row.kind, row.state) == ("order", "proven") and (before is None or before.state != "proven"):
            self._proven_is_true(row)

    def _lease_passed(self, before: Row, row: Row) -> None:
        if row.fence < before.fence:
            raise Violation(f"I6 {row.kind} {row.number}: its fence fell from {before.fence} to {row.fence}")
        if row.owner is None or (row.owner, row.fence) == (before.owner, before.fence):
            return
        if row.fence == before.fence:
            raise Violation(f"I6 {row.kind} {row.number}: {row.owner} holds the fence of {before.owner}")
        if before.owner is not None and before.until and _instant(before.until) > self.clock.now():
            raise Violation(f"I6 {row.kind} {row.number}: {row.owner} took the living lease of {before.owner}")

    def _proven_is_true(self, row: Row) -> None:
        """Equal, to the minor unit, to what Centra's own books said of the version that was proved."""
        self.proofs[str(row.connection)] += 1
        erp = next(erp for erp in self.erps if erp.connection == row.connection)
        sale = erp.sale(str(row.erp_ref))
        stamp = datetime.fromisoformat(row.source_stamp.partition(" ")[0])
        versions = [v for v in self.versions[int(row.number)] if v.at == stamp]
        if not versions:
            raise Violation(f"I2 order {row.number}: Centra never had a version of {row.source_stamp}")
        found = [differences(sale, version.book) for version in versions]
        if all(found):
            raise Violation(f"I3 order {row.number} is proven, but {'; '.join(found[-1])}")

    # ------------------------------------------------------------------------------------------------ at the seams

    def sees(self, host: str, what: str, body: Any) -> None:
        """A request just before it arrives."""
        asked_for = [erp.wanted(what, body) for erp in self.erps if erp.host == host]
        if any(asked_for):
            self._may_create(asked_for[0].removeprefix(PREFIX))
        elif what == "graphql":
            asked = json.loads(body)
            if "confirmEvents" in asked["query"]:
                self._may_confirm(asked["variables"]["ids"])

    def _may_create(self, number: str) -> None:
        """I7: only a worker that was stopped past the end of its lease may still send what was cancelled meanwhile."""
        state, fence = self.sql.execute(
            "SELECT state, fence FROM job WHERE kind = 'order' AND number = ?", (number,)
        ).fetchone()
        if state != "cancelled":
            return
        assert self.scheduler.actor is not None
        own = "SELECT max(a.fence) FROM attempt a JOIN job j ON j.id = a.job_id WHERE j.kind = 'order'"
        own += " AND j.number = ? AND a.owner = ?"
        (claimed,) = self.sql.execute(own, (number, self.scheduler.actor.name)).fetchone()
        if claimed == fence:
            raise Violation(f"I7 order {number} is sent after its cancellation was proved, by a living claim")
        self.zombies += 1

    def _may_confirm(self, ids: Iterable[int]) -> None:
        """P19: what an event said is committed before it is confirmed."""
        queue = self.centra.events.queue(INTEGRATION).events
        found = [queue[int(i)] for i in ids if int(i) in queue]
        for event in (event for event in found if event.object_type in ("Order", "Return")):
            marked = self.sql.execute(
                "SELECT a.last_at FROM arrival a JOIN job j ON j.id = a.job_id"
                " WHERE j.kind = ? AND j.number = ? AND a.source = 'event'",
                (event.object_type.lower(), event.reference),
            ).fetchone()
            if self.sql.in_transaction or marked is None or _instant(marked[0]) < event.at:
                raise Violation(
                    f"P19 the event of {event.object_type} {event.reference} is confirmed before it was committed"
                )

    def webhook_is_kept(self, numbers: list[str]) -> Callable[[], None]:
        """I13: what to call when the receiver has answered 2xx."""
        before = {number: self._hints(number) for number in numbers}

        def check() -> None:
            for number in numbers:
                if self.sql.in_transaction or self._hints(number) <= before[number]:
                    raise Violation(f"I13 a webhook for order {number} was answered and not committed")

        return check

    def _hints(self, number: str) -> int:
        row = self.sql.execute("SELECT dirty_seq FROM job WHERE kind = 'order' AND number = ?", (number,)).fetchone()
        return int(row[0]) if row else 0


def serves(erp: Erp, order: Any) -> bool:
    """Whether the ERP stands behind the warehouse that the order's market sells from."""
    return WAREHOUSE_OF_MARKET[order.market.id] in erp.houses


class Wellness:
    """L1 and L2: what is still wrong once the faults have ended. Empty means well."""

    def __init__(self, invariants: Invariants, broker: SimBroker, start_at: datetime) -> None:
        self.invariants, self.broker, self.start_at = invariants, broker, start_at
        self.sql, self.centra = invariants.sql, invariants.centra

    def complaints(self) -> list[str]:
        jobs = [Row._make(row) for row in self.sql.execute(_ROWS)]
        return self._of_orders(jobs, list(self.centra.orders)) + self._leftovers(jobs)

    def complaints_of(self, numbers: Collection[int]) -> list[str]:
        """What is wrong with these orders, whatever becomes of others."""
        return self._of_orders([Row._make(row) for row in self.sql.execute(_ROWS)], numbers)

    def _of_orders(self, jobs: Iterable[Row], numbers: Collection[int]) -> list[str]:
        rows = {row.number: row for row in jobs if row.kind == "order"}
        cases: dict[int, int] = dict(self.sql.execute(_CASES).fetchall())
        effective = self.invariants.effective()
        found = []
        for number in numbers:
            row, sales = rows.get(str(number)), effective[f"{PREFIX}{number}"]
            if row is None:
                found.append(f"P1 order {number} has no row")
            else:
                found += self._complaints_of(number, row, len(sales), cases.get(row.id, 0))
        return found

    def _complaints_of(self, number: int, row: Row, sales: int, cases: int) -> list[str]:
        stands = f"{row.state}, {sales} sale(s), {cases} open exception(s)"
        versions = self.invariants.versions[number]
        if row.dirty or row.owner is not None or row.state in ("seen", "ready", "posted", "cancelling"):
            return [f"L2 order {number} is not finished: {stands}"]
        if (row.state == "dead") != (cases == 1) or cases > 1:
            return [f"P3 order {number} does not have exactly one of an outcome and an exception: {stands}"]
        if versions[0].book["created_at"] < self.start_at:
            return [] if not sales and not cases else [f"L1 order {number} is from before the start: {stands}"]
        if cases:
            return []
        if versions[-1].cancelled:
            well, told = not sales and row.state == "cancelled", "is cancelled in Centra"
        elif not any(version.released for version in versions):
            well, told = not sales and row.state == "held", "was never released"
        elif versions[-1].released or sales:
            well, told = sales == 1 and row.state == "proven", "is released"
        else:
            well, told = row.state == "held", "is on hold"
        return [] if well else [f"L1 order {number} {told}: {stands}"]

    def _leftovers(self, rows: Iterable[Row]) -> list[str]:
        found = []
        events = self.centra.events.queue(INTEGRATION).events
        if events:
            found.append(f"L2 {len(events)} events of Centra are not confirmed")
        if self.broker.queue:
            found.append(f"L2 {len(self.broker.queue)} messages are not taken")
        wide = self.sql.execute(_WIDE).fetchall()
        found += [f"L2 {type} of {cause} is still open" for type, cause in wide]
        found += [f"P3 {type} has no owner" for (type,) in self.sql.execute(_UNOWNED)]
        return found

    def faults_of_ours(self) -> list[str]:
        """Dead letters whose cause is our own code: no injected fault excuses one."""
        letters = self.sql.execute("SELECT cause FROM exception WHERE type = 'DEAD_LETTER'").fetchall()
        return [f"bug: {cause}" for (cause,) in letters if "stopped its worker again and again" not in cause]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

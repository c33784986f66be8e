"""The gate before every remote system: its quotas, spent by lane precedence, and its breaker. Both live in SQL.

Quotas are kept as a sliding sum over sixtieths of their window, so that no window of the remote's own, wherever it begins,
sees more than it allows. A lower lane is refused while the reserve of the higher ones is at stake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from integration.errors import Unavailable
from integration.store import Store, Transaction, exceptions, schedule, spending

LANES = ("orders", "shipments", "returns", "stock", "finance")
"""Lane order is precedence: in the queues and here."""

KEPT_FOR_HIGHER_LANES = {"orders": 0.0, "shipments": 0.1, "returns": 0.2, "stock": 0.3, "finance": 0.5}
"""The part of a quota that a lane leaves alone, because a higher lane may need it in this window."""

KEPT_IN_PEAK = {"orders": 0.0, "shipments": 0.1, "returns": 0.3, "stock": 0.3, "finance": 0.8}
"""The same while somebody has declared a peak: books and sweeps may wait for the evening."""

OTHERS = "others"
"""The lane under which the spending of other integrations stands, as the remote itself counts it."""

PARTS = 60
BRIEF = timedelta(minutes=1)
"""In windows as short as this the higher lanes' last window says what they want of the next."""
LOOK_AGAIN = timedelta(milliseconds=500)
"""How long a gate without quotas that was found passable is believed so."""
OUTAGE_TYPES = ("CONNECTION_DOWN", "CONNECTION_AUTH")


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `units` of `measure` in any `window`."""

    measure: str
    units: int
    window: timedelta

    @property
    def name(self) -> str:
        return f"{self.measure}/{int(self.window.total_seconds() * 1000)}ms"

    def slot(self, at: datetime) -> int:
        return int(at.timestamp() * PARTS / self.window.total_seconds())

    def slot_starts(self, slot: int) -> datetime:
        return datetime.fromtimestamp(slot * self.window.total_seconds() / PARTS, UTC)


@dataclass(frozen=True, slots=True)
class Terms:
    """When a breaker opens and for how long."""

    failures: int = 5
    open_for: timedelta = timedelta(seconds=30)
    auth_open_for: timedelta = timedelta(seconds=60)
    probe_takes: timedelta = timedelta(seconds=20)
    throttle_default: timedelta = timedelta(seconds=5)
    throttle_most: timedelta = timedelta(hours=1)
    slow: timedelta | None = None
    """An answer that took longer makes its system slow: one call at a time, so that it holds one worker and not all.
    `None` where nobody else needs the workers.
    """
    slow_for: timedelta = timedelta(minutes=2)
    call_takes: timedelta = timedelta(seconds=60)
    """The longest that a call to a slow system holds its turn; a worker that died gives it back by then."""
    ask_turn: timedelta = timedelta(seconds=5)


class Gate:
    """Everything that must be asked before a call to one system, and told after it."""

    def __init__(self, store: Store, system: str, quotas: tuple[Quota, ...] = (), terms: Terms | None = None) -> None:
        self.store = store
        self.system = system
        self.quotas = quotas
        self.terms = terms or Terms()
        self._ill = True  # unknown at start: the first success clears what an earlier process left open
        self._seen_open_until: datetime | None = None
        self._has_turn = False

    def enter(self, lane: str, costs: Mapping[str, int]) -> None:
        """Spend `costs` (measure to units) or raise `Unavailable` with the wait until it may be tried again."""
        if not self.quotas:
            now = self.store.clock.now()
            if self._seen_open_until is not None and now < self._seen_open_until and not self._ill:
                return
            with self.store.read() as tx:
                row = spending.breaker_of(tx, self.system)
                shut = self._shut(tx)
            if shut is None and (row is None or row.slow_until is None or row.slow_until <= now):
                self._seen_open_until = now + LOOK_AGAIN
                return
        with self.store.write("budget", durable=False) as tx:
            shut = self._shut(tx)
            if shut is not None and not spending.take_probe(tx, self.system, self.terms.probe_takes):
                raise shut
            has_turn = self._take_turn(tx)
            self._spend(tx, lane, [(q, costs[q.measure]) for q in self.quotas if costs.get(q.measure)])
        self._has_turn = has_turn

    def is_slow(self) -> bool:
        """Whether the system answers late now: what can be left out, should."""
        with self.store.read() as tx:
            row = spending.breaker_of(tx, self.system)
            return row is not None and row.slow_until is not None and row.slow_until > tx.now

    def _take_turn(self, tx: Transaction) -> bool:
        """Of a slow system only one call at a time is asked, by all processes together. Whether this is that call."""
        row = spending.breaker_of(tx, self.system)
        if row is None or row.slow_until is None or row.slow_until <= tx.now:
            return False
        if not spending.take_turn(tx, self.system, self.terms.call_takes):
            raise Unavailable(
                f"{self.system} answers slowly: one call at a time until it is faster",
                retry_after=self.terms.ask_turn,
                system=self.system,
            )
        return True

    def took(self, seconds: float) -> None:
        """How long an exchange took, whatever came of it. Gives back the turn that a slow system's call had."""
        slow = self.terms.slow is not None and seconds > self.terms.slow.total_seconds()
        if not slow and not self._has_turn:
            return
        with self.store.write("breaker") as tx:
            spending.note_pace(tx, self.system, tx.now + self.terms.slow_for if slow else None)
        self._has_turn = False
        self._seen_open_until = None

    def _shut(self, tx: Transaction) -> Unavailable | None:
        """Why no call may be made now, if so. An open breaker past its time lets one probe through: see `enter`."""
        row = spending.breaker_of(tx, self.system)
        if row is None or row.closed_until is None:
            return None
        wait = row.closed_until - tx.now
        if row.open_since is None and wait <= timedelta(0):
            return None
        self._ill = True
        return Unavailable(
            f"{self.system} is {'unreachable' if row.open_since else 'throttling'}: no call before "
            f"{row.closed_until:%H:%M:%S} UTC",
            retry_after=max(wait, timedelta(seconds=1)),
            system=self.system,
            connection_wide=row.why if row.open_since else "",
        )

    def _spend(self, tx: Transaction, lane: str, wanted: Sequence[tuple[Quota, int]]) -> None:
        """All of it or nothing, in few statements: every call of every worker passes here, one at a time."""
        if not wanted:
            return
        slots = {quota.name: quota.slot(tx.now) for quota, _ in wanted}
        used = spending.used(tx, self.system, {name: slot - PARTS - 1 for name, slot in slots.items()})
        kept = KEPT_IN_PEAK if schedule.is_peak(tx) else KEPT_FOR_HIGHER_LANES
        for quota, units in wanted:
            spent, oldest = used.get(quota.name, (0, slots[quota.name]))
            allowed = max(int(quota.units * (1 - kept[lane])), 1)
            allowed -= self._still_wanted(tx, lane, quota, slots[quota.name])
            if spent + units > allowed:
                free_at = quota.slot_starts(oldest + PARTS + 1)
                raise Unavailable(
                    f"the {quota.measure} budget of {self.system} is spent for lane {lane}: {spent} of {allowed}",
                    retry_after=max(free_at - tx.now, timedelta(milliseconds=20)),
                    system=self.system,
                )
        spending.add(tx, self.system, lane, [(quota.name, slots[quota.name], units) for quota, units in wanted])
        for name, slot in slots.items():
            if slot % PARTS == 0:  # once a window is often enough
                spending.forget(tx, self.system, name, slot - 3 * PARTS)

    def _still_wanted(self, tx: Transaction, lane: str, quota: Quota, slot: int) -> int:
        """Units that higher lanes will want in this window yet, if they go on as in the last: what they spent comes free again
        at once, and whoever asks first would have it.
        """
        higher = LANES[: LANES.index(lane)]
        if not higher or quota.window > BRIEF:
            return 0
        now = spending.used_by(tx, self.system, quota.name, higher, slot - PARTS - 1, slot)
        before = spending.used_by(tx, self.system, quota.name, higher, slot - 2 * PARTS - 1, slot - PARTS - 1)
        return max(0, before - now)

    def charge(self, lane: str, costs: Mapping[str, int]) -> None:
        """Note what a call cost beyond what it asked for: it is spent, whether it was allowed or not."""
        quotas = [quota for quota in self.quotas if costs.get(quota.measure)]
        if quotas:
            with self.store.write("budget", durable=False) as tx:
                spent = [(quota.name, quota.slot(tx.now), costs[quota.measure]) for quota in quotas]
                spending.add(tx, self.system, lane, spent)

    def told(self, measure: str, window: timedelta, used: int) -> None:
        """The remote itself says how much of a quota is used: what we did not spend was others', and counts too."""
        quota = next((q for q in self.quotas if q.measure == measure and q.window == window), None)
        if quota is None:
            return
        with self.store.write("budget.told") as tx:
            slot = quota.slot(tx.now)
            by_lane = spending.used_by_lane(tx, self.system, quota.name, slot - PARTS - 1)
            ours = sum(units for lane, units in by_lane.items() if lane != OTHERS)
            spending.replace(tx, self.system, quota.name, slot, OTHERS, max(0, used - ours))

    def succeeded(self) -> None:
        """An answer came. Clears failures; if the breaker had been open, its exception is resolved: the probe was green."""
        if not self._ill:
            return
        with self.store.write("breaker") as tx:
            spending.recover(tx, self.system)
            exceptions.resolve_of_connection(tx, self.system, OUTAGE_TYPES, "verified: a call succeeded")
        self._ill = False

    def throttled(self, wait: timedelta | None) -> timedelta:
        """The remote said 429: nobody calls before `wait` is over. Returns the wait that was kept to."""
        asked = self.terms.throttle_default if wait is None else wait
        kept = min(max(asked, timedelta(seconds=1)), self.terms.throttle_most)
        self._ill = True
        with self.store.write("breaker") as tx:
            spending.close_until(tx, self.system, tx.now + kept, why="", opens=False)
        return kept

    def failed(self) -> bool:
        """No usable answer came. Returns True when this failure opened the breaker, or kept it open."""
        self._ill = True
        with self.store.write("breaker") as tx:
            row = spending.breaker_of(tx, self.system)
            opens = spending.count_failure(tx, self.system) >= self.terms.failures or bool(row and row.open_since)
            if opens:
                until = tx.now + self.terms.open_for
                spending.close_until(tx, self.system, until, why="CONNECTION_DOWN", opens=True)
        return opens

    def unauthorised(self) -> None:
        """The credentials were refused: stop at once, ask again once in a while."""
        self._ill = True
        with self.store.write("breaker") as tx:
            until = tx.now + self.terms.auth_open_for
            spending.close_until(tx, self.system, until, why="CONNECTION_AUTH", opens=True)


class Bystander(Gate):
    """The gate of a diagnosis: asks for no budget, waits for no breaker, and leaves no trace in the ledger."""

    def enter(self, lane: str, costs: Mapping[str, int]) -> None:
        """Let everybody pass."""

    def took(self, seconds: float) -> None:
        """Not ours to say."""

    def charge(self, lane: str, costs: Mapping[str, int]) -> None:
        """Not ours to say."""

    def succeeded(self) -> None:
        """Not ours to say."""

    def throttled(self, wait: timedelta | None) -> timedelta:
        return wait or self.terms.throttle_default

    def failed(self) -> bool:
        return False

    def unauthorised(self) -> None:
        """Not ours to say."""


def growth_plan() -> tuple[Quota, ...]:
    """Centra's default plan, shared by all integrations of an environment (centra.dev, API rate limits)."""
    return _plan(requests=(60, 5_000), mutations=(20, 1_800), complexity=(250_000, 30_000_000))


def enhanced_plan() -> tuple[Quota, ...]:
    """The larger plan that Centra sells (the same page)."""
    return _plan(requests=(150, 20_000), mutations=(50, 4_500), complexity=(900_000, 90_000_000))


def _plan(**measures: tuple[int, int]) -> tuple[Quota, ...]:
    """Units in ten seconds and in an hour."""
    windows = (timedelta(seconds=10), timedelta(hours=1))
    return tuple(
        Quota(measure, units, window)
        for measure, allowed in measures.items()
        for units, window in zip(allowed, windows, strict=True)
    )

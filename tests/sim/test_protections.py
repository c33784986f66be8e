"""Each protection alone, with those that overlap it switched off, and then without it.

They hide each other's faults, so a test of the whole proves none of them. Here a small remote without a key of its own, where
one interleaving is enough; in `test_protections_in_seeds` whole seeds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import and_, select
from stage import Stage, StageClock

from integration import effects as protocol
from integration import orders
from integration.domain.order import Key
from integration.errors import LeaseLost, NotReady, Rejected, Unavailable, Unknown
from integration.ports import EffectClass, Standing, Write
from integration.store import Store, StoreDown, Transaction, effects, ledger, lives
from integration.store.ledger import Job, Outcome
from integration.wiring import World
from tasks import sweep

KEY = Key("brand", "order", "7")
LEASE = timedelta(seconds=120)
TAKES, WAIT = timedelta(seconds=50), timedelta(seconds=20)


class Killed(BaseException):
    """The worker is gone: nobody catches this."""


@dataclass
class Remote:
    """Another system that makes one document for every call. `then` is what happens in the middle of the next call."""

    clock: StageClock
    documents: list[str] = field(default_factory=list)
    then: list[Callable[[], None]] = field(default_factory=list)
    late: float | None = None
    finds: bool = True

    def send(self) -> str:
        if self.late is not None:
            self.clock.later(self.late, self._make)
            self.late = None
            raise Unknown("no answer")
        ref = self._make()
        if self.then:
            self.then.pop()()
        return ref

    def _make(self) -> str:
        self.documents.append(str(len(self.documents) + 1))
        return self.documents[-1]

    def find(self) -> list[str]:
        return list(self.documents) if self.finds else []

    def write(self, effect_class: EffectClass = EffectClass.LOOK_UP) -> Write:
        return Write("document", effect_class, "ref-7", "print", self.send, self.find, WAIT, TAKES)


class Bench:
    """A ledger with one order that is ready, a remote, and workers that claim and send."""

    def __init__(self) -> None:
        self.clock = StageClock()
        self.store = Store("sqlite://", self.clock)
        self.store.create()
        self.remote = Remote(self.clock)
        self.write = self.remote.write()
        ledger.mark(self.store, [KEY], "operator")
        self.set(state="ready", clean_seq=1)

    def set(self, **values: object) -> None:
        with self.store.write() as tx:
            tx.execute(ledger.job.update().values(**values))

    def claim(self, owner: str) -> Job | None:
        found = ledger.claim(self.store, "post", KEY, owner=owner, task_id=owner, lease=LEASE)
        return found[0] if found else None

    def send(self, job: Job) -> str:
        return protocol.perform(self.store, job, self.write, lease=LEASE, point=lambda name: None)

    def work(self, owner: str) -> None:
        """What a worker does that hears the message: claim, and send what it claimed."""
        job = self.claim(owner)
        if job is not None:
            self.send(job)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.store.close()


class Off:
    """Switches protections off, in this process and for this test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def lease(self) -> None:
        """A row that somebody works on is as good as a free one."""

        def due(link: str, kind: str) -> object:
            return and_(ledger.job.c.kind == kind, lives.LIVES[kind][link], lives._RESTED)

        for module in (ledger, lives):
            self.patch.setattr(module, "claimable", due)

    def fence(self) -> None:
        """Whoever claimed may send and settle, whoever has claimed since."""
        hold, settle_one = ledger.hold, ledger._settle_one

        def forged(tx: Transaction, claimed: Job) -> None:
            row = tx.execute(select(ledger.job).where(ledger.job.c.id == claimed.id)).one()
            claimed.fence, claimed.owner = row.fence, row.owner

        def hold_on(tx: Transaction, claimed: Job, **terms: Any) -> None:
            forged(tx, claimed)
            hold(tx, claimed, **terms)

        def settle(tx: Transaction, settled: Outcome) -> bool:
            forged(tx, settled.job)
            return settle_one(tx, settled)

        self.patch.setattr(ledger, "hold", hold_on)
        self.patch.setattr(ledger, "_settle_one", settle)

    def intent(self) -> None:
        """Nothing is written down before a call."""
        self.patch.setattr(effects, "intend", lambda tx, *names, **terms: True)
        self.patch.setattr(effects, "answer", lambda tx, job_id, name, ref: ref)

    def look_up(self, bench: Bench) -> None:
        bench.remote.finds = False

    def waiting(self, bench: Bench) -> None:
        bench.write = replace(bench.write, wait=timedelta(0), takes=timedelta(0))


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> Off:
    return Off(monkeypatch)


# ------------------------------------------------------------------------------------------- one interleaving each


@pytest.mark.parametrize(("lease", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_lease_alone_keeps_two_workers_from_one_order(bench: Bench, off: Off, lease: bool, documents: int) -> None:
    off.fence()
    off.intent()
    off.look_up(bench)
    if not lease:
        off.lease()
    bench.remote.then.append(lambda: bench.work("another"))
    bench.work("one")
    assert len(bench.remote.documents) == documents


@pytest.mark.parametrize(("fence", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_fence_alone_stops_a_worker_that_slept_through_its_lease(
    bench: Bench, off: Off, fence: bool, documents: int
) -> None:
    off.intent()
    off.look_up(bench)
    if not fence:
        off.fence()
    sleeper = bench.claim("sleeper")
    assert sleeper is not None
    bench.clock.sleep(LEASE.total_seconds() + 1)
    bench.work("another")
    if fence:
        with pytest.raises(LeaseLost):
            bench.send(sleeper)
    else:
        bench.send(sleeper)
    assert len(bench.remote.documents) == documents


@pytest.mark.parametrize(("fence", "state"), [(True, "posted"), (False, "ready")], ids=["on", "off"])
def test_the_fence_alone_keeps_a_late_outcome_from_undoing_a_newer_one(
    bench: Bench, off: Off, fence: bool, state: str
) -> None:
    if not fence:
        off.fence()
    sleeper = bench.claim("sleeper")
    bench.clock.sleep(LEASE.total_seconds() + 1)
    another = bench.claim("another")
    assert sleeper is not None
    assert another is not None
    ledger.settle(bench.store, "post", [Outcome(another, "done", "", {"state": "posted"})])
    ledger.settle(bench.store, "post", [Outcome(sleeper, "done", "", {"state": "ready"})])
    with bench.store.read() as tx:
        row = ledger.find(tx, KEY)
    assert row is not None
    assert row.state == state


@pytest.mark.parametrize(("fence", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_fence_alone_keeps_a_late_refusal_from_ending_the_doubt_of_a_newer_call(
    bench: Bench, off: Off, fence: bool, documents: int
) -> None:
    """The sleeper's call surely did nothing; the other's, which it knows nothing of, may have."""
    if not fence:
        off.fence()
    off.waiting(bench)
    sleeper = bench.claim("sleeper")
    assert sleeper is not None

    def refused() -> str:
        bench.clock.sleep(LEASE.total_seconds() + 1)
        bench.remote.late = 40
        with pytest.raises(Unknown):
            bench.work("another")
        raise Unavailable("not reached")

    write = replace(bench.write, send=refused)
    with pytest.raises(LeaseLost if fence else Unavailable):
        protocol.perform(bench.store, sleeper, write, lease=LEASE, point=lambda name: None)
    bench.write = bench.remote.write()
    bench.clock.sleep(LEASE.total_seconds() + 1)
    bench.work("a third")
    assert len(bench.remote.documents) == documents


def test_an_answer_that_comes_during_the_look_ends_it_and_nothing_is_sent_again(bench: Bench) -> None:
    """The look finds nothing yet; a call whose worker was given up answers, and only then the look is over."""
    bench.remote.late = 0
    job = bench.claim("one")
    assert job is not None
    with pytest.raises(Unknown):
        bench.send(job)
    bench.clock.sleep((WAIT + TAKES).total_seconds() + 1)

    def find() -> list[str]:
        with bench.store.write() as tx:
            effects.answer(tx, job.id, "document", "1")
        return []

    bench.write = replace(bench.write, find=find)
    assert bench.send(job) == "1"
    with bench.store.read() as tx:
        row = effects.of(tx, job.id, "document")
    assert row is not None
    assert (row.state, row.tries) == ("done", 1)


@pytest.mark.parametrize(("intent", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_intent_alone_keeps_what_cannot_be_looked_up_from_being_sent_again(
    bench: Bench, off: Off, intent: bool, documents: int
) -> None:
    bench.write = bench.remote.write(EffectClass.BLIND)
    off.fence()
    off.waiting(bench)
    if not intent:
        off.intent()

    def die() -> None:
        raise Killed

    bench.remote.then.append(die)
    with pytest.raises(Killed):
        bench.work("one")
    bench.clock.sleep(LEASE.total_seconds() + 1)
    if intent:
        with pytest.raises(Rejected, match="never answered"):
            bench.work("another")
    else:
        bench.work("another")
    assert len(bench.remote.documents) == documents


@pytest.mark.parametrize(("look_up", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_look_up_alone_finds_what_was_made_without_an_answer(
    bench: Bench, off: Off, look_up: bool, documents: int
) -> None:
    off.lease()
    off.fence()
    off.waiting(bench)
    if not look_up:
        off.look_up(bench)

    def cut() -> None:
        raise Unknown("the answer was lost")

    bench.remote.then.append(cut)
    with pytest.raises(Unknown):
        bench.work("one")
    bench.clock.sleep(5)
    bench.work("another")
    assert len(bench.remote.documents) == documents


def test_a_ledger_that_falls_while_an_answer_is_noted_leaves_the_call_in_doubt(bench: Bench) -> None:
    """A breaker is told of every answer, in the ledger: that it could not be says nothing of the call."""

    def fall() -> None:
        raise StoreDown("the ledger's database cannot be used: database is locked", system="store")

    bench.remote.then.append(fall)
    with pytest.raises(StoreDown):
        bench.work("one")
    bench.clock.sleep(LEASE.total_seconds() + 1)
    bench.work("another")
    assert bench.remote.documents == ["1"]


@pytest.mark.parametrize(("waiting", "documents"), [(True, 1), (False, 2)], ids=["on", "off"])
def test_the_waiting_time_alone_outlasts_an_effect_that_comes_late(
    bench: Bench, off: Off, waiting: bool, documents: int
) -> None:
    off.lease()
    off.fence()
    if not waiting:
        off.waiting(bench)
    bench.remote.late = 40
    with pytest.raises(Unknown):
        bench.work("one")
    bench.clock.sleep(5)
    if waiting:
        with pytest.raises(NotReady):
            bench.work("another")
        bench.clock.sleep((TAKES + WAIT).total_seconds())
    bench.work("another")
    bench.clock.sleep(60)
    assert len(bench.remote.documents) == documents


def believing(job: Job, found: list[Standing], world: World) -> None:
    """A proof that looks at nothing but that something is there."""
    if not found:
        raise NotReady("not yet visible", until=world.store.now() + orders.ASK_AGAIN)
    job.then("proven", "accepted, so it must be right", erp_ref=found[0].ref, done_at=world.store.now())
    job.also(orders.both_agree(job, "believed"))


@pytest.mark.parametrize(("read_back", "state"), [(True, "dead"), (False, "proven")], ids=["on", "off"])
def test_the_read_back_alone_sees_that_the_erp_counted_again(
    monkeypatch: pytest.MonkeyPatch, read_back: bool, state: str
) -> None:
    if not read_back:
        monkeypatch.setattr(orders, "prove", believing)
    stage = Stage()
    stage.fulfil.faults.plan("recalculated", operation="create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == state
    assert [case.type for case in stage.open_cases()] == (["ORDER_ERP_RECALCULATED"] if read_back else [])


@pytest.mark.parametrize(("sweeps", "state"), [(True, "proven"), (False, "seen")], ids=["on", "off"])
def test_the_sweep_alone_finds_what_a_wiped_broker_forgot(sweeps: bool, state: str) -> None:
    stage = Stage(LOCKSTEP_BRAND_EVENTS="no")
    number = stage.order()
    stage.hint(number)
    stage.queue.clear()
    for _ in range(5):
        stage.clock.sleep(30)
        if sweeps:
            sweep.tick(stage.world)
        stage.work()
    assert stage.row(number).state == state

"""The row is the job: no hint is lost, no row has two holders, and who lost the lease writes nothing."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from store.conftest import LEASE, claim, key, let_leases_end, row, settle

from integration.errors import LeaseLost
from integration.store import Store, effects, ledger, lives
from integration.store.ledger import Outcome
from integration.store.tables import arrival, attempt, job


def mark(store: Store, *numbers: int, **terms: Any) -> None:
    ledger.mark(store, [key(n) for n in numbers], "webhook", **terms)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """`work(0..count-1)` in threads that start together; raises what any of them raised."""
    start, found, raised = threading.Barrier(count), [None] * count, []

    def run(n: int) -> None:
        start.wait()
        try:
            found[n] = work(n)
        except Exception as error:  # noqa: BLE001 - raised again below, in the test's own thread
            raised.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if raised:
        raise raised[0]
    return found


def test_a_hint_that_comes_during_work_is_not_lost(store: Store) -> None:
    mark(store, 1)
    (held,) = claim(store)
    mark(store, 1)
    settle(store, held, state="proven")
    assert row(store).dirty_seq > row(store).clean_seq
    assert lives.due(store, lane="orders", limit=9, rung_before=timedelta(0)) == [(key(1), "take")]


def test_a_hint_that_comes_while_a_row_is_put_to_rest_ends_its_rest(store: Store) -> None:
    mark(store, 1, 2)
    for held in claim(store, page=2):
        if held.key == key(1):
            mark(store, 1)
        settle(store, held, state="held", not_before=store.now() + LEASE)
    assert lives.due(store, lane="orders", limit=9, rung_before=timedelta(0)) == [(key(1), "take")]


def test_a_thousand_hints_are_one_row_and_one_fetch(store: Store) -> None:
    for _ in range(20):
        ledger.mark(store, [key(1)] * 50, "webhook")
    with store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(job)) == 1
        assert tx.scalar(select(arrival.c.count)) == 20
    (held,) = claim(store)
    settle(store, held, state="proven")
    assert claim(store) == []


def test_hints_for_one_order_from_eight_threads_at_once_are_all_counted(store: Store) -> None:
    at_once(8, lambda n: [mark(store, 1, 2, 3) for _ in range(5)])
    assert [row(store, n).dirty_seq for n in (1, 2, 3)] == [40, 40, 40]


def test_marks_in_opposite_orders_at_once_do_not_lock_each_other_out(store: Store) -> None:
    at_once(4, lambda n: [mark(store, *(range(1, 12) if n % 2 else range(11, 0, -1))) for _ in range(6)])
    assert {row(store, n).dirty_seq for n in range(1, 12)} == {24}


def test_claimers_at_once_get_disjoint_pages(store: Store) -> None:
    mark(store, *range(1, 61))
    pages = at_once(6, lambda n: claim(store, n * 10 + 1, page=25))
    ids = [held.id for page in pages for held in page]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 25


def test_one_order_is_claimed_by_one_of_eight_at_once(store: Store) -> None:
    mark(store, 1)
    assert sorted(len(found) for found in at_once(8, lambda n: claim(store))) == [0] * 7 + [1]


def test_the_fence_rises_with_every_claim(store: Store) -> None:
    mark(store, 1)
    fences = []
    for _ in range(3):
        (held,) = claim(store)
        fences.append(held.fence)
        let_leases_end(store)
    assert fences == sorted(set(fences))


def test_a_lost_lease_settles_nothing_and_its_attempt_says_so(store: Store) -> None:
    mark(store, 1)
    (slow,) = claim(store)
    let_leases_end(store)
    (quick,) = claim(store)
    lost = settle(store, slow, state="dead", reason="written by a ghost")
    assert [j.id for j in lost] == [slow.id]
    assert row(store).state == "seen"
    assert row(store).owner == "w1"
    assert settle(store, quick, state="ready") == []
    assert row(store).state == "ready"
    with store.read() as tx:
        outcomes = dict(tx.execute(select(attempt.c.id, attempt.c.outcome)).all())
    assert (outcomes[slow.attempt_id], outcomes[quick.attempt_id]) == ("lost", "done")


def test_a_lost_lease_runs_none_of_its_acts(store: Store) -> None:
    mark(store, 1)
    (slow,) = claim(store)
    let_leases_end(store)
    claim(store)
    done: list[str] = []
    ledger.settle(store, "take", [Outcome(slow, "done", "", {}, acts=(lambda tx: done.append("acted"),))])
    assert done == []


def test_a_lost_lease_may_not_intend(store: Store) -> None:
    mark(store, 1)
    (slow,) = claim(store)
    let_leases_end(store)
    claim(store)
    with pytest.raises(LeaseLost), store.write() as tx:
        ledger.hold(tx, slow, needs=timedelta(seconds=50), lease=LEASE)
    with store.read() as tx:
        assert effects.of(tx, slow.id, "sales order") is None


def test_a_lease_too_short_for_what_comes_is_renewed_before_it(store: Store) -> None:
    mark(store, 1)
    (held,) = claim(store, lease=timedelta(seconds=10))
    with store.write() as tx:
        ledger.hold(tx, held, needs=timedelta(seconds=50), lease=LEASE)
        now = tx.now
    assert row(store).until - now >= timedelta(seconds=50)


def test_nobody_claims_what_is_held_parked_or_clean(store: Store) -> None:
    mark(store, 1, 2, 3)
    (held,) = claim(store, 1)
    assert claim(store, 1) == []
    (parked,) = claim(store, 2)
    ledger.settle(
        store, "take", [Outcome(parked, "retry", "", {}, acts=(lambda tx: ledger.park(tx, parked, tx.now + LEASE),))]
    )
    assert claim(store, 2) == []
    (clean,) = claim(store, 3)
    settle(store, clean, state="proven")
    assert claim(store, 3) == []
    assert held.fence == 1


def test_a_page_takes_its_own_row_and_due_neighbours_up_to_its_size_oldest_first(store: Store) -> None:
    mark(store, *range(1, 31))
    found = claim(store, 30, page=10)
    assert [int(held.key.number) for held in found] == [*range(1, 10), 30]
    assert claim(store, 5, page=10) == []


def test_a_page_of_proofs_stays_with_one_connection(store: Store) -> None:
    mark(store, 1, 2, 3)
    with store.write() as tx:
        tx.execute(update(job).values(state="posted", clean_seq=1, connection="fulfil"))
        tx.execute(update(job).where(job.c.number == "2").values(connection="other"))
    assert [held.key.number for held in claim(store, 1, "prove", page=50)] == ["1", "3"]


def test_a_hint_wakes_a_held_row_at_once_but_not_a_failing_one(store: Store) -> None:
    mark(store, 1, 2)
    with store.write() as tx:
        tx.execute(update(job).values(not_before=tx.now + LEASE))
        tx.execute(update(job).where(job.c.number == "1").values(state="held"))
    mark(store, 1, 2)
    assert [k.number for k, _ in lives.due(store, lane="orders", limit=9, rung_before=timedelta(0))] == ["1"]


def test_at_most_the_cap_is_in_flight_and_what_was_rung_is_not_rung_again_at_once(store: Store) -> None:
    mark(store, *range(1, 11))
    patience = timedelta(seconds=20)
    first = lives.due(store, lane="orders", limit=4, rung_before=patience)
    assert [int(k.number) for k, _ in first] == [1, 2, 3, 4]
    assert lives.due(store, lane="orders", limit=4, rung_before=patience) == []
    (held,) = claim(store, 1)
    settle(store, held, state="proven")
    assert [k.number for k, _ in lives.due(store, lane="orders", limit=4, rung_before=patience)] == ["5"]
    assert lives.due(store, lane="stock", limit=4, rung_before=patience) == []


def test_what_was_rung_and_not_heard_is_rung_again(store: Store) -> None:
    mark(store, 1, rung=True)
    assert lives.due(store, lane="orders", limit=4, rung_before=timedelta(seconds=20)) == []
    with store.write() as tx:
        tx.execute(update(job).values(rung_at=tx.now - timedelta(seconds=21)))
    assert len(lives.due(store, lane="orders", limit=4, rung_before=timedelta(seconds=20))) == 1


def test_two_sweepers_at_once_ring_a_row_once(store: Store) -> None:
    mark(store, *range(1, 21))
    found = at_once(4, lambda n: lives.due(store, lane="orders", limit=50, rung_before=timedelta(seconds=20)))
    numbers = [k.number for page in found for k, _ in page]
    assert sorted(numbers, key=int) == [str(n) for n in range(1, 21)]


def test_waking_sends_a_dead_job_through_the_whole_step_and_leaves_a_finished_one_alone(store: Store) -> None:
    mark(store, 1, 2)
    with store.write() as tx:
        tx.execute(update(job).values(clean_seq=1, attempts=7, state="dead"))
        tx.execute(update(job).where(job.c.number == "2").values(state="proven"))
    ids = [row(store, 1).id, row(store, 2).id]
    with store.write() as tx:
        assert ledger.wake(tx, ids, "operator", "replayed") == [key(1)]
    assert (row(store, 1).state, row(store, 1).attempts, row(store, 2).state) == ("seen", 0, "proven")


def test_an_attempt_whose_worker_died_is_counted_against_the_job(store: Store) -> None:
    mark(store, 1)
    for lost in range(4):
        (held,) = claim(store)
        assert held.row.attempts == lost or row(store).attempts == lost
        let_leases_end(store)
    with store.read() as tx:
        outcomes = list(tx.execute(select(attempt.c.outcome).order_by(attempt.c.id)).scalars())
    assert outcomes == ["lost", "lost", "lost", "open"]
    assert row(store).attempts == 3


def test_every_claim_has_its_attempt_on_record_before_the_work(store: Store) -> None:
    mark(store, 1)
    (held,) = claim(store)
    with store.read() as tx:
        found = tx.execute(select(attempt)).one()
    assert (found.id, found.outcome, found.task_id, found.fence) == (held.attempt_id, "open", "t1", held.fence)


def test_the_erps_id_of_an_order_is_written_once(store: Store) -> None:
    mark(store, 1)
    with store.write() as tx:
        tx.execute(update(job).values(erp_ref="12"))
        tx.execute(update(job).values(erp_ref="12"))
    with pytest.raises(Exception, match="written once"), store.write() as tx:
        tx.execute(update(job).values(erp_ref="13"))
    assert row(store).erp_ref == "12"

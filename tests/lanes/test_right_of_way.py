"""Orders have the right of way: a task of a lower lane lets them pass before it writes, and never waits for long."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from stage import Stage

from integration.domain.order import Key
from integration.store import Store, StoreDown, counts, ledger
from tasks import right_of_way


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    made = Stage(database_url)
    yield made
    made.store.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> list[bool]:
    """What each look of this process found, whose world is the stage's."""
    found: list[bool] = []
    really = counts.order_under_way

    def look(store: Store) -> bool:
        found.append(really(store))
        return found[-1]

    monkeypatch.setattr(right_of_way, "world", lambda: stage.world)
    monkeypatch.setattr(counts, "order_under_way", look)
    return found


def begin(name: str) -> None:
    right_of_way.begin(SimpleNamespace(name=name))


def write(store: Store) -> None:
    with store.write():
        pass


def test_an_order_is_under_way_from_its_first_hint_until_it_is_posted(stage: Stage) -> None:
    assert not counts.order_under_way(stage.store)
    stage.hint(stage.order())
    assert counts.order_under_way(stage.store)
    stage.work()
    assert not counts.order_under_way(stage.store)


def test_an_order_in_a_workers_hands_is_under_way(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    lease = stage.settings.lease
    assert ledger.claim(stage.store, "take", Key("brand", "order", number), owner="w", task_id="t", lease=lease)
    assert counts.order_under_way(stage.store)


def test_an_order_that_waits_for_payment_stops_nobody(stage: Stage) -> None:
    stage.hint(stage.order(confirm=False))
    stage.work()
    assert not counts.order_under_way(stage.store)


def test_a_refund_that_waits_stops_nobody(stage: Stage) -> None:
    ledger.mark(stage.store, [Key("brand", "refund", "7")], "poll", connection="fulfil", order_number="1")
    assert not counts.order_under_way(stage.store)


def test_a_task_of_a_lower_lane_looks_when_it_begins_and_before_every_write_but_not_before_it_reads(
    looks: list[bool], stage: Stage
) -> None:
    begin("finance.take_refund")
    write(stage.store)
    with stage.store.read():
        pass
    assert looks == [False, False]


def test_a_task_for_an_order_looks_at_nothing_also_after_one_of_a_lower_lane(looks: list[bool], stage: Stage) -> None:
    begin("stock.take_levels")
    looks.clear()
    begin("orders.take_order")
    write(stage.store)
    assert looks == []


def test_a_lower_lane_goes_on_as_soon_as_the_order_is_through(
    looks: list[bool], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.hint(stage.order())

    def another_process_posts_it(seconds: float) -> None:
        if seconds == right_of_way.RESTS:
            stage.store.before_write = right_of_way.at_once
            stage.work()

    here = SimpleNamespace(monotonic=lambda: 0.0, sleep=another_process_posts_it)  # time alone lets nobody go on
    monkeypatch.setattr(right_of_way, "time", here)
    begin("finance.take_refund")
    assert looks[0] is True
    assert looks[-1] is False


def test_a_day_full_of_orders_slows_a_lower_lane_and_does_not_stop_it(
    looks: list[bool], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right_of_way, "AT_MOST", 0.05)
    stage.hint(stage.order())
    begin("finance.take_refund")
    assert looks[0] is True
    assert looks[-1] is True  # still under way, and it goes on


def test_a_task_waits_for_orders_a_second_in_all_however_often_it_writes(
    looks: list[bool], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    here = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(right_of_way, "time", here)
    monkeypatch.setattr(right_of_way, "STEPS_ASIDE", 0.0)
    stage.hint(stage.order())
    begin("shipments.take_dispatch")
    for _ in range(20):
        write(stage.store)
    assert right_of_way.IN_ALL <= now[0] <= right_of_way.IN_ALL + right_of_way.RESTS
    begin("shipments.take_dispatch")
    assert now[0] > right_of_way.IN_ALL + right_of_way.AT_MOST - right_of_way.RESTS


def test_a_lower_lane_that_writes_without_end_lets_whoever_waits_write_before_its_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'lockstep.db'}"
    stage = Stage(url)
    monkeypatch.setattr(right_of_way, "world", lambda: stage.world)
    begin("stock.take_levels")
    over = threading.Event()
    begun: list[float] = []

    def write_without_end() -> None:
        while not over.is_set():
            with stage.store.write():
                begun.append(time.monotonic())
                time.sleep(0.02)

    lane = threading.Thread(target=write_without_end, daemon=True)
    receiver = Store(url, stage.clock)
    behind = []
    lane.start()
    try:
        for _ in range(15):
            wanted = time.monotonic()
            with receiver.write():
                here = time.monotonic()
            behind.append(sum(wanted < at < here for at in list(begun)))
            time.sleep(0.007)
    finally:
        over.set()
        lane.join(timeout=20)
        receiver.close()
        stage.store.close()
    assert len(begun) >= 5  # it did write meanwhile
    assert sum(behind) <= 3, f"the receiver waited behind {behind} writes that began after it"


def test_who_waits_for_another_writer_of_a_sqlite_file_gets_its_turn_or_says_that_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'lockstep.db'}"
    stage = Stage(url)
    other = Store(url, stage.clock)
    begun = threading.Event()
    over = threading.Event()

    def hold() -> None:
        with other.write():
            begun.set()
            over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait(60)
    with monkeypatch.context() as short:
        short.setattr("integration.store.LOCKED_FOR", 0.05)
        with pytest.raises(StoreDown, match="locked"):
            write(stage.store)
    threading.Timer(0.1, over.set).start()
    write(stage.store)
    holder.join()
    other.close()
    stage.store.close()

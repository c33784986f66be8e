"""What a letter becomes: a case, unless the ledger already knows better."""

import json
from collections.abc import Iterator

import pytest
from stage import Stage
from steps.looking import assert_proven
from steps.moved_clock import close_stage, open_stage

from integration.domain.order import Key
from integration.store import exceptions, letters
from tasks.dead_letters import Letter, read_letter, record


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    made = open_stage(database_url)
    yield made
    close_stage(made)


def a_letter(task_id: str = "t1", number: str = "1", deaths: int = 1) -> Letter:
    return Letter("orders", "orders.post_order", task_id, deaths, Key("brand", "order", number))


def test_a_letter_whose_attempt_is_on_record_opens_nothing(stage: Stage) -> None:
    number = stage.order(off_by=1)
    stage.hint(number)
    stage.work()
    (before,) = stage.open_cases()
    record(stage.world, a_letter(f"post-{number}", number))  # the stage's task ids
    (after,) = stage.open_cases()
    assert (after.id, after.type, after.occurrences) == (before.id, "ORDER_TOTAL_INCONSISTENT", 1)
    with stage.store.read() as tx:
        assert letters.counts(tx) == {"orders": 1}


def test_a_late_letter_never_reopens_a_proven_order(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    record(stage.world, a_letter("a worker that died long ago", number))
    assert_proven(stage, number)
    assert stage.open_cases() == []


def test_a_letter_of_an_order_under_way_is_a_case_that_its_proof_closes(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    record(stage.world, a_letter(number=number))
    (case,) = stage.open_cases()
    assert (case.type, case.number, case.owner) == ("DEAD_LETTER", number, "Integration")
    stage.work()
    assert_proven(stage, number)
    assert stage.open_cases() == []


def test_the_same_letter_read_twice_is_one_case_with_one_occurrence(stage: Stage) -> None:
    for _ in range(3):
        record(stage.world, Letter("orders", "orders.unknown", "t9", 1, None))
    (case,) = stage.open_cases()
    assert case.occurrences == 1
    record(stage.world, Letter("orders", "orders.unknown", "t9", 2, None))  # it died again
    (case,) = stage.open_cases()
    assert case.occurrences == 2


def test_a_letter_for_an_order_we_never_heard_of_is_a_case_of_its_task(stage: Stage) -> None:
    record(stage.world, a_letter(number="424242"))
    (case,) = stage.open_cases()
    assert (case.job_id, case.cause) == (None, "orders: orders.post_order")
    with stage.store.read() as tx:
        assert exceptions.one(tx, case.id).number is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b'{"headers": 7, "body": "e30="}',
        b'{"headers": {}, "body": "%%%", "properties": {"body_encoding": "base64"}}',
        json.dumps({"headers": {"task": "x" * 9000, "id": ["not", "text"]}, "body": "[[1,2,3],{},{}]"}).encode(),
        json.dumps(
            {"headers": {"task": "t", "id": "i" * 500}, "body": json.dumps([["a" * 5000, "b", "c"], {}, {}])}
        ).encode(),
    ],
)
def test_a_letter_of_nonsense_is_recorded_and_not_choked_on(stage: Stage, raw: bytes) -> None:
    record(stage.world, read_letter("orders", raw))
    (case,) = stage.open_cases()
    assert case.type == "DEAD_LETTER"

"""OrderWise has taken an order and named no id: it waits for its session's run, which may be hours away, or fail."""

from collections.abc import Iterator

import pytest
from stage import START, Stage, example
from steps.looking import run_feed, sent

from integration import casework, story

SESSION = 28
"""Of the market that orders are placed in."""
NIGHT = 8 * 60.0


@pytest.fixture
def stage() -> Iterator[Stage]:
    """An OrderWise that queues, whose sessions do not run at night, and that would take a number twice."""
    made = Stage(erps=("orderwise",))
    made.apply(example("orderwise", stock=False).replace('trigger = "schedule"', 'trigger = "event"'), "orderwise")
    made.orderwise.switches.change({"import_mode": "queued", "duplicate": "another"})
    made.orderwise.change_session(SESSION, schedule_minutes=NIGHT)
    yield made
    made.store.close()


def posts(stage: Stage) -> int:
    return int(stage.orderwise.requests["create_order"])


def cases(stage: Stage) -> list[tuple[str, str]]:
    return [(case.type, case.cause) for case in stage.open_cases()]


MISSING = [("ORDER_MISSING_IN_ERP", "sales order accepted, then gone")]


def accepted(stage: Stage) -> str:
    """An order that was posted, accepted without an id, and is not there when its session should have run."""
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert (stage.row(number).state, sent(stage, number).state) == ("ready", "accepted")
    assert "was accepted without an id; until" in "\n".join(story.tell(stage.world, "brand", number).lines())
    stage.sweep(4, every=600)
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("dead", MISSING, 1)
    return number


def seen_by_the_back_check(stage: Stage) -> None:
    run_feed(stage, "back_check", "orderwise")
    stage.sweep(3)


def test_an_order_that_waits_all_night_for_its_session_is_posted_once_and_its_case_ends_when_it_appears(
    stage: Stage,
) -> None:
    number = accepted(stage)
    stage.sweep(40, every=900)
    assert posts(stage) == 1
    seen_by_the_back_check(stage)
    assert len(stage.orderwise.books()["orders"]) == 1
    assert (stage.row(number).state, cases(stage)) == ("proven", [])


@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before"])
def test_a_call_without_an_answer_shortly_before_the_erp_closes_is_not_repeated_before_it_has_opened(
    stage: Stage, fault: str
) -> None:
    text = example("orderwise", stock=False).replace(
        'trigger = "schedule"', 'trigger = "event"\nclosed = ["22:00-06:00"]'
    )
    stage.apply(text, "orderwise")
    stage.clock.sleep((START.replace(hour=20, minute=50) - stage.clock.now()).total_seconds())  # 21:50 in London
    stage.orderwise.faults.plan(fault, operation="create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert f"{sent(stage, number).unknown_until:%H:%M}" == "05:15"  # 06:00 in London, and what a run may take
    stage.sweep(48, every=600)
    assert (stage.row(number).state, posts(stage)) == ("ready", 1)
    stage.sweep(60, every=600)
    assert (stage.row(number).state, cases(stage)) == ("proven", [])
    assert (posts(stage), len(stage.orderwise.books()["orders"])) == (1 if fault == "timeout-after" else 2, 1)


def test_what_changes_in_centra_meanwhile_posts_nothing_either(stage: Stage) -> None:
    number = accepted(stage)
    stage.centra.edit(int(number), comment="by the side door")
    stage.hint(number)
    stage.sweep(6, every=900)
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("dead", MISSING, 1)


def test_a_person_who_knows_that_its_import_has_failed_has_it_posted_again(stage: Stage) -> None:
    stage.orderwise.faults.plan("import-fails", operation="create_order")
    number = accepted(stage)
    stage.orderwise.run_import(SESSION)
    assert [mail["reference"] for mail in stage.orderwise.books()["emails"]] == [f"centra-{number}"]
    (case,) = stage.open_cases()
    casework.replay(stage.world, [case.id], "ann", "refused at import, corrected")
    stage.work()
    assert (posts(stage), sent(stage, number).state) == (2, "accepted")
    stage.orderwise.run_import(SESSION)
    stage.sweep(3)
    assert (stage.row(number).state, cases(stage)) == ("proven", [])
    assert len(stage.orderwise.books()["orders"]) == 1


def test_a_replay_finds_what_has_come_meanwhile(stage: Stage) -> None:
    number = accepted(stage)
    stage.orderwise.run_import(SESSION)
    casework.replay(stage.world, [case.id for case in stage.open_cases()], "ann")
    stage.work()
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("proven", [], 1)


def test_a_replay_lifts_nothing_that_is_not_overdue(stage: Stage) -> None:
    stage.orderwise.faults.plan("import-fails", operation="create_order")
    number = accepted(stage)
    (case,) = stage.open_cases()
    casework.replay(stage.world, [case.id], "ann", "refused at import, corrected")
    stage.work()
    assert posts(stage) == 2
    casework.replay(stage.world, [case.id], "ann", "impatient")
    stage.sweep(8, every=900)
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("dead", MISSING, 2)


def test_a_cancel_waits_for_what_was_accepted_and_follows_it_when_it_appears(stage: Stage) -> None:
    number = accepted(stage)
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.sweep(4, every=900)
    assert (stage.row(number).state, cases(stage)) == ("dead", [("ORDER_MISSING_IN_ERP", "accepted, then gone")])
    stage.orderwise.run_import(SESSION)
    seen_by_the_back_check(stage)
    assert [type for type, _ in cases(stage)] == ["ORDER_CANCEL_TOO_LATE"]
    stage.orderwise.cancel(f"centra-{number}")
    seen_by_the_back_check(stage)
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("cancelled", [], 1)


def test_a_cancel_of_what_failed_at_its_import_ends_with_a_persons_replay(stage: Stage) -> None:
    stage.orderwise.faults.plan("import-fails", operation="create_order")
    number = accepted(stage)
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.sweep(4, every=900)
    casework.replay(stage.world, [case.id for case in stage.open_cases()], "ann", "refused at import")
    stage.sweep(2)
    assert (stage.row(number).state, cases(stage), posts(stage)) == ("cancelled", [], 1)

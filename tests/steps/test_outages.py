"""A system that is away, throttles or refuses our credentials costs waiting, one case, and no order."""

from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest
import requests
from stage import Stage
from steps.looking import (
    asked_to_create,
    assert_case,
    assert_proven,
    attempts,
    case_by_id,
    case_of,
    created,
    sent,
)
from steps.moved_clock import open_stage

from integration.domain.order import Key
from integration.sandbox.centra import DEFAULT_TOKEN
from integration.sandbox.fulfil_access import TOKEN
from integration.store import documents, exceptions, ledger, proofs, reference
from integration.vault import VaultError


class Away:
    """A host that no connection reaches."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    def __call__(self, request: requests.PreparedRequest) -> None:
        if any(host in str(request.url) for host in self.hosts):
            raise requests.exceptions.ConnectTimeout("nobody is there", request=request)


@pytest.mark.scenario("PLT-03")
def test_a_revoked_erp_token_is_one_case_and_no_order_dies(stage: Stage) -> None:
    stage.fulfil.revoke()
    numbers = [stage.order() for _ in range(5)]
    stage.hint(*numbers)
    stage.work()
    stage.sweep(8, every=150)
    (case,) = stage.open_cases()
    assert (case.type, case.cause, case.owner) == ("CONNECTION_AUTH", "fulfil", "Integration")
    assert {stage.row(number).state for number in numbers} <= {"seen", "ready"}
    assert {stage.row(number).attempts for number in numbers} == {0}
    stage.fulfil.grant(TOKEN)
    stage.sweep(8)
    assert_proven(stage, *numbers)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


@pytest.mark.scenario("PLT-03")
def test_a_revoked_centra_token_is_one_case_and_everything_is_caught_up_afterwards(stage: Stage) -> None:
    stage.centra.revoke(DEFAULT_TOKEN)
    numbers = [stage.order() for _ in range(3)]
    stage.hint(*numbers)
    stage.work()
    stage.sweep(10, every=60)
    assert [(c.type, c.cause) for c in stage.open_cases()] == [("CONNECTION_AUTH", "brand")]
    assert {stage.row(number).attempts for number in numbers} == {0}
    unheard = stage.order()
    stage.centra.grant(DEFAULT_TOKEN)
    stage.sweep(10)
    assert_proven(stage, *numbers, unheard)
    assert stage.open_cases() == []


@pytest.mark.scenario("PLT-05")
def test_an_hour_without_fulfil_is_one_case_and_every_order_is_posted_afterwards(stage: Stage) -> None:
    stage.transport.around = Away("fulfil.test")
    numbers = [stage.order() for _ in range(6)]
    stage.hint(*numbers)
    stage.work()
    stage.sweep(12, every=300)
    (case,) = stage.open_cases()
    assert (case.type, case.cause) == ("CONNECTION_DOWN", "fulfil")
    assert "dead" not in {stage.row(number).state for number in numbers}
    assert max(stage.row(number).attempts for number in numbers) < 5  # those before the breaker opened, and no more
    stage.transport.around = lambda request: None
    stage.sweep(8)
    assert_proven(stage, *numbers)
    assert asked_to_create(stage) == 6
    assert case_by_id(stage, case.id).state == "resolved"


@pytest.mark.scenario("PLT-05")
def test_an_hour_without_centra_loses_no_order(stage: Stage) -> None:
    stage.transport.around = Away("brand.centra.test")
    numbers = [stage.order() for _ in range(4)]
    stage.hint(*numbers[:2])
    stage.work()
    stage.sweep(12, every=300)
    assert [(c.type, c.cause) for c in stage.open_cases()] == [("CONNECTION_DOWN", "brand")]
    stage.transport.around = lambda request: None
    stage.sweep(10)
    assert_proven(stage, *numbers)
    assert stage.open_cases() == []


def test_while_a_system_is_away_it_is_asked_once_in_a_while_and_not_once_an_order(stage: Stage) -> None:
    calls = 0

    def away(request: requests.PreparedRequest) -> None:
        nonlocal calls
        if "fulfil.test" in str(request.url):
            calls += 1
            raise requests.exceptions.ConnectTimeout("nobody is there", request=request)

    stage.transport.around = away
    stage.hint(*[stage.order() for _ in range(15)])
    stage.work()
    stage.sweep(6, every=30)
    assert calls < 5 + 6 * 2


@pytest.mark.scenario("PLT-20")
@pytest.mark.parametrize("form", ["throttled", "throttled-date", "throttled-timestamp", "throttled-silent"])
def test_a_429_in_every_form_is_waited_out_and_uses_no_attempt(stage: Stage, form: str) -> None:
    stage.fulfil.faults.plan(form, operation="create_order", seconds=40)
    number = stage.order()
    stage.hint(number)
    stage.work()
    began = stage.clock.now()
    row = stage.row(number)
    assert (row.state, row.attempts, sent(stage, number).state) == ("ready", 0, "void")
    wait = timedelta(seconds=5 if form == "throttled-silent" else 40)
    while stage.clock.now() + timedelta(seconds=3) < began + wait:
        stage.sweep(every=2)
        assert asked_to_create(stage) == 1
    stage.sweep(4)
    assert_proven(stage, number)
    assert asked_to_create(stage) == 2
    assert stage.open_cases() == []


@pytest.mark.scenario("PLT-18")
def test_a_429_that_complains_about_the_request_is_not_retried(stage: Stage) -> None:
    stage.fulfil.faults.plan("page-size", operation="create_order", times=9)
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep(5)
    assert_case(stage, number, "SCHEMA_CHANGE")
    assert asked_to_create(stage) == 1


@pytest.mark.scenario("PLT-13")
@pytest.mark.parametrize("fault", ["html", "not-json", "unavailable", "throttled-date", "slow", "partial"])
def test_a_centra_that_answers_nonsense_is_asked_again(stage: Stage, fault: str) -> None:
    stage.centra.faults.plan(fault, operation="orders", seconds=20)
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep(3)
    assert stage.centra.faults.fired[fault] == 1
    assert_proven(stage, number)


def test_centras_answer_of_503_is_waited_for_as_long_as_it_says(stage: Stage) -> None:
    stage.centra.faults.plan("unavailable", operation="orders", seconds=90)
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert stage.row(number).not_before - stage.clock.now() == timedelta(seconds=90)
    stage.sweep(4)
    assert_proven(stage, number)


def test_a_fault_of_ours_is_retried_once_and_then_a_dead_letter_with_its_traceback_sealed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("Ann Example of 1 High Street")

    monkeypatch.setattr("integration.items.require", broken)
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert (stage.row(number).state, stage.row(number).attempts) == ("ready", 1)
    stage.sweep(2)
    case = assert_case(stage, number, "DEAD_LETTER")
    assert attempts(stage, number)[1:3] == [("post", "retry"), ("post", "dead")]
    assert "ValueError" in case.cause
    assert "Ann" not in case.cause + case.message
    with stage.store.read() as tx:
        assert b"Ann Example of 1 High Street" in documents.by_id(tx, stage.world.vault, case.document_id)
    monkeypatch.undo()
    with stage.store.write() as tx:
        ledger.wake(tx, [case.job_id], "operator", "replayed after the correction")
    stage.sweep(2)
    assert_proven(stage, number)


# ------------------------------------------------------------------------------------------------ an older ledger, P27


@pytest.mark.parametrize("when", ["before it was known", "after it was taken"])
def test_a_ledger_restored_from_a_backup_posts_nothing_twice(tmp_path: Path, when: str) -> None:
    stage = open_stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    first = stage.order()
    stage.hint(first)
    stage.work()
    number = stage.order()
    if when == "after it was taken":
        stage.hint(number)
        stage.fulfil.faults.plan("throttled", operation="create_order")
        stage.work()
        assert stage.row(number).state == "ready"
    with connect(tmp_path / "lockstep.db") as ledger_now, connect(tmp_path / "backup.db") as backup:
        ledger_now.backup(backup)
    stage.hint(number)
    stage.work()
    stage.sweep(3)
    assert_proven(stage, first, number)
    stage.store.engine.dispose()
    for leftover in tmp_path.glob("lockstep.db*"):
        leftover.unlink()
    (tmp_path / "backup.db").rename(tmp_path / "lockstep.db")
    assert number not in {row.number for row in stage.rows()} or stage.row(number).state == "ready"
    stage.hint(number)
    stage.work()
    stage.sweep(12)
    assert_proven(stage, first, number)
    assert (created(stage, first), created(stage, number)) == (1, 1)
    assert stage.open_cases() == []
    stage.store.close()


# ----------------------------------------------------------------------------------------------------- a person's data


def test_a_replay_after_the_persons_data_was_erased_says_so(stage: Stage) -> None:
    number = stage.order(off_by=1)
    stage.hint(number)
    stage.work()
    assert_case(stage, number, "ORDER_TOTAL_INCONSISTENT")
    job = stage.row(number).id
    with stage.store.write() as tx:
        assert documents.erase(tx, job)
        ledger.wake(tx, [job], "operator", "replayed")
    stage.sweep(2)
    case = case_of(stage, number)
    assert (case.type, stage.row(number).state) == ("ORDER_VANISHED", "dead")
    assert "erased" in case.message


def test_erasing_a_person_leaves_the_proof_the_audit_and_the_ledger_verifiable(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.work()
    row = stage.row(number)
    with stage.store.write() as tx:
        documents.erase(tx, row.id)
        reference.record_act(tx, "dpo", "erased", f"order {number}", "asked for by the customer")
    with stage.store.read() as tx:
        with pytest.raises(VaultError):
            documents.latest(tx, stage.world.vault, row.id, "order")
        assert proofs.broken(tx) == []
        assert reference.broken_audit_rows(tx) == []
        assert proofs.latest(tx, row.id).equal
        assert not exceptions.is_open(tx, row.id)
        assert ledger.find(tx, Key("brand", "order", number)).erp_ref == row.erp_ref

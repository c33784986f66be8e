"""The verbs on exceptions, beneath the desk and the command line."""

from datetime import timedelta
from typing import Any

import pytest
from stage import Stage

from integration import casework
from integration.casework import CaseworkError
from integration.domain.order import Key
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.store import documents, effects, exceptions, ledger, reference
from integration.store.exceptions import Case
from integration.vault import VaultError

NORWAY = ("ORDER_MARKET_UNMAPPED", "fulfil.toml:[markets] Europe / Norway")


def acts(stage: Stage) -> list[tuple[str, str, str]]:
    with stage.store.read() as tx:
        assert not reference.broken_audit_rows(tx)
        return [(row.actor, row.action, row.object) for row in reference.audit_trail(tx) if row.actor != "stage"]


def told(stage: Stage, case: int) -> list[tuple[str, str]]:
    with stage.store.read() as tx:
        return [(row.actor, row.verb) for row in exceptions.timeline(tx, case)]


# -------------------------------------------------------------------------------------------------------------- replay


def test_a_plan_says_what_a_replay_does_and_moves_nothing(stage: Stage, morning: Any) -> None:
    before = stage.rows()
    plan = casework.plan(stage.world, *NORWAY)
    assert [(step.order, step.does) for step in plan.steps] == [(n, "read again, then post") for n in morning.norwegian]
    assert plan.counts == {"read again, then post": 2}
    assert stage.rows() == before
    assert acts(stage) == []


def test_a_replay_wakes_rings_notes_and_audits(stage: Stage, morning: Any) -> None:
    plan = casework.plan(stage.world, *NORWAY)
    keys = casework.replay(stage.world, plan.ids, "ann", "the market is mapped", plan.token)
    assert keys == [Key("brand", "order", number) for number in morning.norwegian]
    assert list(stage.queue) == [("take", key) for key in keys]
    assert acts(stage) == [("ann", "replayed", f"exception {i}") for i in plan.ids]
    assert ("ann", "replayed") in told(stage, plan.ids[0])
    assert stage.row(morning.norwegian[0]).reason == "replayed by ann: the market is mapped"


def test_a_second_replay_moves_nothing_and_the_plan_says_why(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    assert casework.replay(stage.world, [case], "ann")
    assert casework.replay(stage.world, [case], "bob") == []
    assert casework.plan(stage.world, ids=[case]).steps[0].skips == "already on its way"
    assert len(acts(stage)) == 1


def test_a_replay_whose_cause_still_stands_comes_back_as_the_same_case(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.norwegian[0])
    casework.replay(stage.world, [case], "ann")
    stage.work()
    assert morning.case(stage, morning.norwegian[0]) == case
    assert casework.plan(stage.world, ids=[case]).steps[0].does == "read again, then post"


def test_a_replay_of_an_order_that_a_worker_holds_is_skipped(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    casework.replay(stage.world, [case], "ann")
    key = Key("brand", "order", morning.unknown_sku)
    ledger.claim(stage.store, "take", key, owner="w", task_id="t", lease=timedelta(minutes=2))
    assert casework.plan(stage.world, ids=[case]).steps[0].skips.startswith("being worked on now, until 09:03:00")
    assert casework.replay(stage.world, [case], "ann") == []


def test_what_was_posted_is_proved_by_a_replay_and_not_posted_again(stage: Stage) -> None:
    stage.fulfil.faults.plan("recalculated", "create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep()
    (case,) = stage.open_cases()
    assert case.type == "ORDER_ERP_RECALCULATED"
    assert casework.plan(stage.world, ids=[case.id]).steps[0].does == "read again, then prove what was posted"
    casework.replay(stage.world, [case.id], "ann")
    stage.work()
    stage.sweep()
    assert len(stage.sales(number)) == 1
    assert stage.row(number).state == "dead"


def test_what_may_have_been_posted_is_looked_for_first(stage: Stage, morning: Any) -> None:
    case, job = morning.case(stage, morning.unknown_sku), stage.row(morning.unknown_sku)
    with stage.store.write() as tx:
        told = {"effect_class": "A", "reference": "centra-4", "request": "x", "unknown_until": tx.now}
        effects.intend(tx, job.id, "sales order", **told)
    assert "look in the ERP by our reference" in casework.plan(stage.world, ids=[case]).steps[0].does


def test_a_replay_gets_an_order_through_once_its_cause_is_gone(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    stage.fulfil.add_product(min(UNKNOWN_SKUS))
    stage.clock.sleep(60)
    casework.replay(stage.world, [case], "ann")
    stage.work()
    stage.sweep(2)
    assert stage.row(morning.unknown_sku).state == "proven"
    assert casework.plan(stage.world, ids=[case]).steps[0].skips == "already resolved"
    assert casework.replay(stage.world, [case], "ann") == []


def test_a_parked_order_with_a_case_is_read_at_once(stage: Stage, morning: Any) -> None:
    job = stage.row(morning.held)
    case = Case("ORDER_STALLED", "held", "held for long", "Operations", timedelta(hours=2), job_id=job.id)
    with stage.store.write() as tx:
        number = exceptions.open_case(tx, case)
    assert casework.plan(stage.world, ids=[number]).steps[0].does == "read again, and post if it is released by now"
    assert casework.replay(stage.world, [number], "ann") == [Key("brand", "order", morning.held)]


def test_a_case_without_an_order_is_skipped(stage: Stage, outage: int) -> None:
    assert casework.plan(stage.world, ids=[outage]).steps[0].skips.startswith("it concerns no order")
    assert casework.replay(stage.world, [outage], "ann") == []


@pytest.mark.parametrize(
    "terms", [{}, {"type": "X"}, {"type": "X", "cause": "y", "ids": [1]}, {"type": "X", "cause": "y"}]
)
def test_a_plan_needs_ids_or_a_cause_that_has_open_cases(stage: Stage, terms: dict[str, Any]) -> None:
    with pytest.raises(CaseworkError):
        casework.plan(stage.world, **terms)


def test_an_unknown_case_is_named(stage: Stage) -> None:
    with pytest.raises(CaseworkError, match="there is no exception 7, 9"):
        casework.replay(stage.world, [9, 7], "ann")


# ------------------------------------------------------------------------------------------------------ plans grow old


def test_a_plan_is_refused_after_ten_minutes(stage: Stage, morning: Any) -> None:
    plan = casework.plan(stage.world, *NORWAY)
    stage.clock.sleep(601)
    with pytest.raises(CaseworkError, match="more than ten minutes old"):
        casework.replay(stage.world, plan.ids, "ann", plan_token=plan.token)
    assert not stage.queue


def test_a_plan_is_refused_when_a_member_has_changed(stage: Stage, morning: Any) -> None:
    plan = casework.plan(stage.world, *NORWAY)
    casework.replay(stage.world, plan.ids[:1], "bob")
    with pytest.raises(CaseworkError, match="has changed since"):
        casework.replay(stage.world, plan.ids, "ann", plan_token=plan.token)


def test_a_plan_is_refused_for_other_members_than_its_own(stage: Stage, morning: Any) -> None:
    plan = casework.plan(stage.world, *NORWAY)
    with pytest.raises(CaseworkError, match="has changed since"):
        casework.replay(
            stage.world, [*plan.ids, morning.case(stage, morning.unknown_sku)], "ann", plan_token=plan.token
        )


@pytest.mark.parametrize("token", ["", "-", "x-y", "²-y", "99999999999999-y", "é"])
def test_what_is_no_token_is_refused(stage: Stage, morning: Any, token: str) -> None:
    with pytest.raises(CaseworkError, match="not the token of a plan"):
        casework.replay(stage.world, [1], "ann", plan_token=token)


def test_an_old_plan_cannot_be_made_young(stage: Stage, morning: Any) -> None:
    plan = casework.plan(stage.world, *NORWAY)
    stage.clock.sleep(601)
    _, _, digest = plan.token.partition("-")
    young = f"{int(stage.clock.now().timestamp())}-{digest}"
    with pytest.raises(CaseworkError, match="has changed since"):
        casework.replay(stage.world, plan.ids, "ann", plan_token=young)


# -------------------------------------------------------------------------------------- assign, comment, snooze, resolve


def test_assigning_commenting_and_snoozing_are_in_the_history_and_the_audit(stage: Stage, outage: int) -> None:
    casework.assign(stage.world, outage, "bob", "ann")
    casework.comment(stage.world, outage, " the network is being mended ", "bob")
    casework.snooze(stage.world, outage, stage.clock.now() + timedelta(hours=4), "bob")
    assert told(stage, outage)[1:] == [("ann", "assigned"), ("bob", "comment"), ("bob", "snoozed")]
    assert [action for _, action, _ in acts(stage)] == ["assigned", "commented", "snoozed"]
    (case,) = stage.open_cases()
    assert (case.assignee, case.state) == ("bob", "acknowledged")


def test_a_snooze_ends_in_the_future(stage: Stage, outage: int) -> None:
    with pytest.raises(CaseworkError, match="is past"):
        casework.snooze(stage.world, outage, stage.clock.now(), "ann")


def test_a_persons_resolve_closes_the_order_for_good(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    words = casework.resolve(stage.world, case, "not needed any more", "the shop gave the money back", "ann")
    assert f"order {morning.unknown_sku} is closed" in words
    row = stage.row(morning.unknown_sku)
    assert (row.state, row.done_at) == ("closed", stage.clock.now())
    assert row.reason == "closed by ann (not needed any more): the shop gave the money back"
    stage.fulfil.add_product(min(UNKNOWN_SKUS))
    stage.hint(morning.unknown_sku)
    stage.sweep(3, every=60)
    assert stage.row(morning.unknown_sku).state == "closed"
    assert stage.sales(morning.unknown_sku) == []
    assert ("ann", "resolved", f"exception {case}") in acts(stage)


def test_a_case_of_an_order_whose_life_is_over_is_resolved_and_the_order_left_alone(stage: Stage, morning: Any) -> None:
    job = stage.row(morning.proven)
    with stage.store.write() as tx:
        terms = {"job_id": job.id, "message": "seen", "owner": "Finance", "act_within": timedelta(hours=1)}
        case = exceptions.open_case(tx, Case("ORDER_CHANGED_AFTER_POST", "edited", **terms))
    assert casework.resolve(stage.world, case, "accepted as it is", "agreed", "ann") == f"exception {case} is resolved"
    assert stage.row(morning.proven).state == "proven"


def test_a_case_without_an_order_can_be_resolved(stage: Stage, outage: int) -> None:
    assert (
        casework.resolve(stage.world, outage, "something else", "it was a drill", "ann")
        == f"exception {outage} is resolved"
    )
    assert stage.open_cases() == []


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_resolve_needs_a_reason(stage: Stage, outage: int, reason: str) -> None:
    with pytest.raises(CaseworkError, match="a reason is needed"):
        casework.resolve(stage.world, outage, "something else", reason, "ann")
    assert len(stage.open_cases()) == 1


def test_an_order_in_a_workers_hands_is_not_closed(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    casework.replay(stage.world, [case], "ann")
    key = Key("brand", "order", morning.unknown_sku)
    ledger.claim(stage.store, "take", key, owner="w", task_id="t", lease=timedelta(minutes=2))
    with pytest.raises(CaseworkError, match="being worked on at this moment"):
        casework.resolve(stage.world, case, "something else", "over", "ann")
    assert morning.case(stage, morning.unknown_sku) == case


def test_what_a_paused_worker_brings_after_a_close_is_void(stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    casework.replay(stage.world, [case], "ann")
    key = Key("brand", "order", morning.unknown_sku)
    (job,) = ledger.claim(stage.store, "take", key, owner="w", task_id="t", lease=timedelta(minutes=2))
    stage.clock.sleep(121)
    casework.resolve(stage.world, case, "something else", "over", "ann")
    assert ledger.settle(stage.store, "take", [ledger.Outcome(job, "done", "", {"state": "ready"})]) == [job]
    assert stage.row(morning.unknown_sku).state == "closed"


@pytest.mark.parametrize("verb", ["assign", "snooze", "resolve"])
def test_what_is_resolved_stays_so(stage: Stage, outage: int, verb: str) -> None:
    casework.resolve(stage.world, outage, "something else", "over", "ann")
    later = stage.clock.now() + timedelta(hours=1)
    terms: dict[str, tuple[Any, ...]] = {"assign": ("bob",), "snooze": (later,), "resolve": ("something else", "again")}
    with pytest.raises(CaseworkError, match="already resolved"):
        getattr(casework, verb)(stage.world, outage, *terms[verb], "ann")


@pytest.mark.parametrize("actor", ["", "  ", "a" * 65, "ann\x1b[2J"])
def test_an_actor_is_a_name(stage: Stage, outage: int, actor: str) -> None:
    with pytest.raises(CaseworkError):
        casework.assign(stage.world, outage, "bob", actor)


# ------------------------------------------------------------------------------------------------------------ evidence


def test_opening_the_erps_words_is_audited(stage: Stage, morning: Any) -> None:
    job, case = stage.row(morning.unknown_sku), morning.case(stage, morning.unknown_sku)
    with pytest.raises(CaseworkError, match="keeps no words"):
        casework.evidence(stage.world, case, "ann")
    with stage.store.write() as tx:
        sealed = documents.put(tx, stage.world.vault, job.id, "evidence", b"Ann Example has no telephone")
        terms = {
            "job_id": job.id,
            "document_id": sealed,
            "message": "m",
            "owner": "CX",
            "act_within": timedelta(hours=1),
        }
        exceptions.open_case(tx, Case("ORDER_ADDRESS_INVALID", "telephone", **terms))
    assert casework.evidence(stage.world, case, "ann") == "Ann Example has no telephone"
    assert acts(stage) == [("ann", "evidence opened", f"exception {case}")]


def test_erased_words_do_not_open(stage: Stage, morning: Any) -> None:
    job = stage.row(morning.unknown_sku)
    with stage.store.write() as tx:
        sealed = documents.put(tx, stage.world.vault, job.id, "evidence", b"Ann Example")
        terms = {
            "job_id": job.id,
            "document_id": sealed,
            "message": "m",
            "owner": "CX",
            "act_within": timedelta(hours=1),
        }
        case = exceptions.open_case(tx, Case("ORDER_ADDRESS_INVALID", "telephone", **terms))
        documents.erase(tx, job.id)
    with pytest.raises(VaultError, match="erased"):
        casework.evidence(stage.world, case, "ann")
    assert acts(stage) == []

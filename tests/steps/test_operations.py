"""What people do in bulk, by mistake, late or twice, and what an upgrade or a roll-back meets: nothing is lost or done twice."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import TEXT, assert_case, assert_proven, book, case_by_id, case_of, created
from steps.test_changes_of_mind import take
from steps.test_nights import night

from integration import casework
from integration.casework import CaseworkError
from integration.domain.order import Key
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.orderwise import OrderWiseSwitches
from integration.settings import SettingsError
from integration.store import SCHEMA, migrate, reference
from tasks import step
from tasks.desk.board import read_board
from tasks.desk.cause import read_plan

UNKNOWN = min(UNKNOWN_SKUS)


def acted(stage: Stage) -> list[tuple[str, str]]:
    with stage.store.read() as tx:
        assert not reference.broken_audit_rows(tx)
        return [(row.actor, row.action) for row in reference.audit_trail(tx) if row.actor != "stage"]


def mixed(stage: Stage) -> tuple[list[str], str]:
    """Six orders that died of two causes, one that was posted and came out otherwise; the six and the one."""
    stage.fulfil.faults.plan("recalculated", "create_order")
    posted = stage.order()
    stage.hint(posted)
    stage.work()
    dead = [stage.order(lines=[BasketLine(UNKNOWN, 1)]) for _ in range(3)]
    dead += [stage.order(market_id=7, country="NO") for _ in range(3)]
    stage.hint(*dead)
    stage.work()
    stage.sweep(3)
    assert {stage.row(number).state for number in (posted, *dead)} == {"dead"}
    return dead, posted


# ---------------------------------------------------------------------------------------------------------------- bulk


@pytest.mark.scenario("OPS-01")
def test_a_bulk_replay_of_mixed_causes_needs_a_plan_and_a_second_person_and_posts_nothing_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(casework, "MOST_ALONE", 5)
    dead, posted = mixed(stage)
    ids = [int(case.id) for case in stage.open_cases()]
    casework.replay(stage.world, [case_of(stage, dead[0]).id], "zoe")
    plan = casework.plan(stage.world, ids=ids)
    assert plan.counts == {
        "skip: already on its way": 1,
        "read again, then prove what was posted": 1,
        "read again, then post": 5,
    }
    stage.queue.clear()
    for actor in ("ann", "ann"):
        with pytest.raises(CaseworkError, match=f"6 are more than the 5 that one person .* batch {plan.batch} is"):
            casework.replay(stage.world, plan.ids, actor, "mapped now", plan.token)
    assert list(stage.queue) == []
    assert acted(stage) == [("zoe", "replayed"), ("ann", casework.ASKED), ("ann", casework.ASKED)]
    agreed, plan = plan.batch, casework.plan(stage.world, ids=ids)
    assert plan.batch == agreed
    assert len(casework.replay(stage.world, plan.ids, "bob", "I agree", plan.token)) == 6
    assert acted(stage)[3:] == [("bob", "replayed")] * 6
    stage.work()
    stage.sweep(2)
    assert created(stage, posted) == 1
    assert [stage.sales(number) for number in dead] == [[]] * 6


@pytest.mark.scenario("OPS-01")
def test_what_a_first_person_asked_for_does_not_hold_for_other_cases_or_for_longer_than_an_hour(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(casework, "MOST_ALONE", 2)
    mixed(stage)
    ids = [int(case.id) for case in stage.open_cases()]
    for actor, some, seconds in (("ann", ids[1:], 0), ("bob", ids[:-1], 0), ("ann", ids, 0), ("bob", ids, 3601)):
        stage.clock.sleep(seconds)
        with pytest.raises(CaseworkError, match="a second person"):
            casework.replay(stage.world, some, actor)
    assert casework.replay(stage.world, ids, "ann")  # bob's word is still fresh


def test_the_page_of_a_cause_names_the_batch_that_two_people_must_both_see_and_only_where_two_are_needed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed(stage)
    (cause,) = {(case.type, case.cause) for case in stage.open_cases() if case.type == "ORDER_MARKET_UNMAPPED"}
    assert read_plan(stage.world, *cause).batch == ""
    monkeypatch.setattr(casework, "MOST_ALONE", 2)
    assert read_plan(stage.world, *cause).batch == casework.plan(stage.world, *cause).batch


# ------------------------------------------------------------------------------------------------------------- by hand


def keyed_by_hand(stage: Stage, number: str, erp: str) -> str:
    """Somebody keys the order in the ERP under the reference that the case names; the sales order's id."""
    order = stage.world.storefronts["brand"].fetch([number])[number].order
    (mapping,) = [m for m in stage.world.connections() if m.connection == erp]
    adapter = stage.world.erp(erp)
    return str(adapter.order_write(adapter.compose(order, mapping)).send())


@pytest.mark.scenario("OPS-02")
def test_an_order_that_was_keyed_by_hand_under_our_reference_is_adopted_when_it_is_replayed(stage: Stage) -> None:
    stage.fulfil.faults.plan("user-error", operation="create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_REJECTED_BY_ERP")
    made = keyed_by_hand(stage, number, "fulfil")
    casework.replay(stage.world, [case.id], "ann", "keyed by hand")
    stage.work()
    stage.sweep(3)
    assert_proven(stage, number)
    assert stage.row(number).erp_ref == made


@pytest.mark.scenario("OPS-02")
@pytest.mark.parametrize("duplicate", ["refuse", "another"])
def test_an_erp_that_knows_no_reference_again_is_looked_at_before_a_refused_order_is_sent_once_more(
    stages: OpenStage, duplicate: str
) -> None:
    stage = stages(erps=("orderwise",), orderwise=OrderWiseSwitches(duplicate=duplicate))
    number = stage.order(lines=[BasketLine("LS101NVS", 1)])
    stage.orderwise.change_product("LS101NVS", disallowed=True)
    stage.hint(number)
    stage.sweep(10, every=300)
    assert stage.row(number).state == "dead"
    (case,) = stage.open_cases()
    stage.orderwise.change_product("LS101NVS", disallowed=False)
    made = keyed_by_hand(stage, number, "orderwise")
    casework.replay(stage.world, [case.id], "ann", "keyed by hand")
    stage.work()
    stage.sweep(4, every=300)
    assert [str(order["id"]) for order in stage.orderwise.books()["orders"]] == [made]
    assert (stage.row(number).state, stage.row(number).erp_ref) == ("proven", made)


def typed_in(stage: Stage, number: str, **words: Any) -> str:
    """Somebody types an order into Fulfil and gives it no reference; the sales order's id."""
    made = keyed_by_hand(stage, number, "fulfil")
    records = stage.fulfil._records
    records.update("sale.sale", records.get("sale.sale", int(made)), {"channel_identifier": None} | words)
    return made


def refused(stage: Stage) -> tuple[str, Any]:
    stage.fulfil.faults.plan("user-error", operation="create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    return number, assert_case(stage, number, "ORDER_REJECTED_BY_ERP")


def replayed(stage: Stage, case: Any) -> None:
    casework.replay(stage.world, [case.id], "ann", "keyed by hand")
    stage.work()
    stage.sweep(3)


@pytest.mark.scenario("OPS-02")
@pytest.mark.parametrize("same", [True, False])
def test_an_order_that_looks_like_one_that_was_typed_in_without_a_reference_is_not_sent_before_a_person_has_seen_it(
    stage: Stage, same: bool
) -> None:
    number, case = refused(stage)
    made = typed_in(stage, number)
    replayed(stage, case)
    case = assert_case(stage, number, "ORDER_DUPLICATE_SUSPECT")
    assert case.cause == f"looks like SO{int(made):05}"
    assert f"centra-{number}" in case.message
    assert stage.sales(number) == []
    if same:
        records = stage.fulfil._records
        records.update("sale.sale", records.get("sale.sale", int(made)), {"channel_identifier": f"centra-{number}"})
    replayed(stage, case)
    assert_proven(stage, number)
    assert (stage.row(number).erp_ref == made) is same


@pytest.mark.scenario("OPS-02")
@pytest.mark.parametrize("other", ["another's reference", "cancelled", "other goods", "older"])
def test_what_only_resembles_it_from_afar_holds_no_order_back(stage: Stage, other: str) -> None:
    if other == "older":
        typed_in(stage, refused(stage)[0])
        stage.clock.sleep(3600)
    number, case = refused(stage)
    if other == "another's reference":
        typed_in(stage, number, channel_identifier="shopify-1")
    elif other == "cancelled":
        typed_in(stage, number, state="cancel")
    elif other == "other goods":
        made = int(typed_in(stage, number))
        for line in stage.fulfil._records.find("sale.line", "sale", made):
            line["quantity"] += 1
    replayed(stage, case)
    assert_proven(stage, number)


@pytest.mark.scenario("OPS-03")
def test_what_was_marked_as_done_and_was_not_is_found_by_the_night_with_its_money(stage: Stage) -> None:
    good, number = stage.order(), stage.order(lines=[BasketLine(UNKNOWN, 1)])
    stage.hint(good, number)
    stage.work()
    stage.sweep(2)
    case = assert_case(stage, number, "ORDER_UNKNOWN_SKU")
    casework.resolve(stage.world, case.id, casework.WAYS[0], "I have keyed it", "ann")
    assert stage.open_cases() == []
    night(stage, hours=30)
    (found,) = stage.open_cases()
    assert (found.type, found.owner) == ("RECON_UNEXPLAINED", "Finance")
    assert number in found.message
    assert found.money_minor == int(book(stage, number)["grand_total"] * 100)


# ------------------------------------------------------------------------------------------------------------------ age


@pytest.mark.scenario("OPS-04")
def test_a_snooze_past_the_promise_moves_no_deadline_and_the_case_is_late_with_its_deputy(stage: Stage) -> None:
    number = stage.order(lines=[BasketLine(UNKNOWN, 1)])
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_UNKNOWN_SKU")
    casework.snooze(stage.world, case.id, case.act_by + timedelta(days=14), "ann")
    stage.clock.sleep((case.act_by - stage.clock.now()).total_seconds() + 60)
    after = case_by_id(stage, case.id)
    assert (after.act_by, after.snoozed_until > stage.clock.now()) == (case.act_by, True)
    board = read_board(stage.world, "/exceptions", {**dict.fromkeys(("text", "owner", "type", "cause"), ""), "view": "cases",
                                                    "state": "open", "page": "0"})  # fmt: skip
    assert board.late == 1
    assert board.cases[0].urgency == "late"
    assert stage.world.playbook.rule(case.type).deputy not in ("", case.owner)


@pytest.mark.scenario("OPS-05")
def test_no_case_ever_closes_by_its_age(stage: Stage) -> None:
    number = stage.order(lines=[BasketLine(UNKNOWN, 1)])
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_UNKNOWN_SKU")
    for _ in range(3):
        stage.clock.sleep(140 * 86_400)
        stage.sweep()
    assert stage.clock.now() - case.opened_at > timedelta(days=400)
    after = case_by_id(stage, case.id)
    assert (after.state, after.opened_at, stage.row(number).state) == ("open", case.opened_at, "dead")


# ------------------------------------------------------------------------------------------- roll-backs, replays, upgrades


@pytest.mark.scenario("OPS-07")
def test_a_mapping_that_is_rolled_back_does_not_change_what_is_under_way(stage: Stage) -> None:
    newer = stage.apply(TEXT.replace('"royal-mail-48"', '"royal-mail-24"', 1))
    number = take(stage, "timeout-before")
    rolled_back = stage.apply(TEXT)
    assert rolled_back > newer
    stage.sweep(6)
    assert_proven(stage, number)
    assert stage.row(number).mapping_version == newer
    later = stage.order()
    stage.hint(later)
    stage.work()
    assert stage.row(later).mapping_version == rolled_back


@pytest.mark.scenario("OPS-08")
def test_the_plan_of_one_installation_is_refused_by_another_and_an_old_message_repeats_nothing(
    stages: OpenStage,
) -> None:
    stage = stages()
    number = stage.order(lines=[BasketLine(UNKNOWN, 1)])
    stage.hint(number)
    messages = list(stage.queue)
    stage.work()
    (case,) = stage.open_cases()
    here = casework.plan(stage.world, ids=[case.id])
    own, stage.world.vault = stage.world.vault, replace_key(stage)
    with pytest.raises(CaseworkError, match="changed since it was made"):
        casework.replay(stage.world, here.ids, "ann", plan_token=here.token)
    stage.world.vault = own
    stage.fulfil.add_product(UNKNOWN)
    stage.sweep(4)
    assert_proven(stage, number)
    for link, key in messages:  # all that a message holds is a key: an old one is one more knock
        step.run(step.LINKS[key.kind, link], key, stage.world, task_id="from long ago")
    stage.work()
    assert_proven(stage, number)
    assert created(stage, number) == 1


def replace_key(stage: Stage) -> Any:
    """The vault of another installation: same store, another key."""
    from integration.vault import Vault

    master = bytes(range(1, 33))
    return Vault({"other": master}, stage.world.chance.random_bytes, lambda vault: master)


@pytest.mark.scenario("OPS-09")
def test_messages_that_waited_through_an_upgrade_are_run_by_the_next_release(stages: OpenStage) -> None:
    stage = stages()
    numbers = [stage.order() for _ in range(40)]
    stage.hint(*numbers)
    waiting = list(stage.queue)
    with stage.store.write() as tx:
        tx.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        tx.execute(text("INSERT INTO alembic_version VALUES ('0000')"))
    try:
        with pytest.raises(
            SettingsError, match="lockstep migrate"
        ):  # no process of this release begins before the schema is its own
            migrate.require_current(stage.store)
        with stage.store.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = :now"), {"now": SCHEMA})
        migrate.require_current(stage.store)
    finally:
        with stage.store.write() as tx:
            tx.execute(text("DROP TABLE alembic_version"))
    assert {type(part) for link, key in waiting for part in (link, *key)} == {str}
    assert [key for _, key in waiting] == [Key("brand", "order", number) for number in numbers]
    stage.work()
    stage.sweep(2)
    assert_proven(stage, *numbers)

"""What must still hold when the first try came to nothing, a key was changed, or somebody undid what was done."""

import base64

import pytest
from kombu.transport import TRANSPORT_ALIASES
from stage import MAPPINGS, VAULT_KEY, Stage, example, settings_for

import tasks.celery  # noqa: F401 - installs the lanes
from integration.budget import Bystander
from integration.wiring import build_world

NEW_KEY = base64.b64encode(bytes(range(32, 64))).decode()


@pytest.mark.parametrize("fault", ["unavailable", "user-error", "throttled"])
def test_an_order_put_on_hold_after_a_first_try_that_did_nothing_is_held_and_not_posted(fault: str) -> None:
    stage = Stage()
    number = stage.order()
    stage.fulfil.faults.plan(fault, operation="create_order", times=1)
    stage.hint(number)
    stage.work()
    stage.centra.hold(int(number), "address check")
    stage.hint(number)
    stage.work()
    stage.sweep(6)
    assert stage.sales(number) == []
    assert stage.row(number).state == ("dead" if fault == "user-error" else "held")
    stage.centra.release(int(number))
    stage.hint(number)
    stage.work()
    stage.sweep(6)
    assert len(stage.sales(number)) == (0 if fault == "user-error" else 1)


def test_an_order_put_on_hold_while_its_posting_is_in_doubt_is_looked_up_and_not_sent_again() -> None:
    stage = Stage()
    number = stage.order()
    stage.fulfil.faults.plan("timeout-before", operation="create_order", times=1)
    stage.hint(number)
    stage.work()
    stage.centra.hold(int(number), "address check")
    stage.hint(number)
    stage.work()
    stage.sweep(12)
    assert stage.sales(number) == []
    assert "on hold" in stage.row(number).reason
    stage.centra.release(int(number))
    stage.hint(number)
    stage.work()
    stage.sweep(6)
    assert stage.row(number).state == "proven"


def test_rotating_the_vault_key_changes_no_order(tmp_path) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'ledger.db'}")
    number = stage.order()
    stage.hint(number)
    stage.work()
    before = stage.row(number)
    rotated = settings_for(stage.store.url, LOCKSTEP_VAULT_KEY=NEW_KEY, LOCKSTEP_VAULT_OLD_KEYS=VAULT_KEY)
    again = build_world(
        rotated, ring=stage.world.ring, clock=stage.clock, transport=stage.transport, store=stage.store, owner="rotated"
    )
    stage.world = again
    stage.centra.hold(int(number), "a look")
    stage.hint(number)
    stage.work()
    after = stage.row(number)
    assert (after.state, after.source_version) == ("proven", before.source_version)
    assert stage.open_cases() == []


def test_a_sale_brought_back_to_life_after_its_cancellation_is_cancelled_again() -> None:
    stage = Stage()
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.centra.cancel(int(number), "changed their mind")
    stage.hint(number)
    stage.work()
    stage.sweep(2)
    assert stage.row(number).state == "cancelled"
    session = stage.transport.apps["fulfil.test"]
    assert session is not None
    (sale,) = stage.sales(number)
    _call(stage, f"model/sale.sale/{sale['id']}/draft")
    assert stage.sales(number)[0]["state"] == "draft"
    stage.sweep(12, every=60)
    assert stage.sales(number)[0]["state"] == "cancel"


def _call(stage: Stage, path: str) -> None:
    from integration.sandbox.fulfil_example import Session

    assert Session(stage.fulfil.app).put(path, []).status == 200


def test_an_item_that_is_there_and_refused_is_not_sent_again_and_again() -> None:
    stage = Stage()
    number = stage.order()
    stage.hint(number)
    stage.fulfil.faults.plan("user-error", operation="create_order", times=50)
    stage.work()
    stage.sweep(20)
    assert stage.fulfil.requests["create_order"] == 1
    (case,) = stage.open_cases()
    assert case.number == number


def test_the_unmapped_market_of_the_sandbox_is_cured_by_its_mapping_alone() -> None:
    stage = Stage()
    number = stage.order(market_id=7, country="NO")
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "dead"
    guide = (MAPPINGS / "README.md").read_text()
    block = guide[guide.index('[markets."Europe / Norway"]') :].partition("```")[0]
    text = example(stock=False).replace("[shipping_tax]", f'{block}\n[shipping_tax]\nNO = "25"\n', 1)
    stage.apply(text)
    stage.sweep(3)
    assert stage.row(number).state == "proven"
    assert stage.open_cases() == []


def test_a_diagnosis_leaves_no_trace_in_the_breakers() -> None:
    stage = Stage()
    wrong = settings_for("sqlite://", LOCKSTEP_FULFIL_TOKEN="wrong")
    looking = build_world(
        wrong, ring=stage.world.ring, clock=stage.clock, transport=stage.transport, store=stage.store, gates=Bystander
    )
    with pytest.raises(Exception, match="refuses our credentials"):
        looking.erp("fulfil").check()
    assert stage.open_cases() == []
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "proven"


def test_both_redis_schemes_bury_their_dead() -> None:
    assert {TRANSPORT_ALIASES[scheme] for scheme in ("redis", "rediss")} == {"tasks.redis_lanes:Transport"}


def test_a_market_mapped_to_a_channel_that_does_not_exist_is_a_fault_of_the_mapping() -> None:
    stage = Stage()
    text = example(stock=False)
    wrong = text.replace("channel = 1 ", "channel = 99 ", 1)
    assert wrong != text
    stage.apply(wrong)
    number = stage.order()
    stage.hint(number)
    stage.work()
    (case,) = stage.open_cases()
    assert (case.type, case.cause) == ("ORDER_MARKET_UNMAPPED", "fulfil.toml:[markets] channel 99")
    stage.apply(text)
    stage.sweep(3)
    assert stage.row(number).state == "proven"

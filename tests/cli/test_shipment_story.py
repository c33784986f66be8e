"""What a support agent reads out about a parcel, and what the status counts."""

import json
from typing import Any

import pytest
from stage import Stage
from steps.parcels import bought, follow, leave, parcel, shipped

from integration import casework, health, story
from integration.domain.order import Key
from integration.sandbox.centra_switches import CentraSwitches
from integration.store import documents
from integration.vault import VaultError
from tasks import feed


def lines(stage: Stage, number: str, kind: str = "order", *, live: bool = False) -> str:
    return "\n".join(story.tell(stage.world, "brand", number, kind=kind, live=live).lines())


def test_an_order_s_story_names_its_parcels_with_their_money(stage: Stage) -> None:
    number = bought(stage, 2, 1, payment="paypal")
    mades = [shipped(stage, number, {0: 2}, tracking=["T-SECRET-1"]), shipped(stage, number, tracking=["T-SECRET-2"])]
    told = story.tell(stage.world, "brand", number)
    assert [(kin["kind"], kin["number"], kin["state"]) for kin in told.kin] == [
        ("shipment", made, "proven") for made in mades
    ]
    assert sum(kin["total_minor"] for kin in told.kin) == stage.row(number).total_minor
    text = lines(stage, number)
    assert "Centra shows shipment 1-1 as it left the warehouse; captured" in text
    assert "SECRET" not in text + json.dumps(told.document(), default=str)


def test_a_parcel_tells_what_was_told_of_it_and_what_became_of_its_money(stage: Stage) -> None:
    made = shipped(stage, bought(stage, payment="paypal"))
    told = story.tell(stage.world, "brand", made, kind="shipment")
    assert told.headline.startswith(f"Shipment {made} of brand (40.95 GBP, order 1, Europe / United Kingdom) was told")
    assert any(line.startswith("dispatch 1 left 2026-05-04") for line in told.systems["fulfil"])
    assert any("capture shipment 1 is there" in line for line in told.systems["Centra"])
    assert "its money: captured" in told.systems["Centra"]
    assert "equal to fulfil in every part" in "\n".join(told.systems["Centra"])
    assert told.next == "nobody: it is finished"
    live = lines(stage, made, "shipment", live=True)
    assert "now: shipment 1-1 of its order, 40.95 GBP: sent, captured" in live
    assert "now: CS00001 is done: 2 × " in live
    assert "1Z9" not in live


def test_a_parcel_that_waits_says_for_what(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number, tracking=[])
    follow(stage)
    told = story.tell(stage.world, "brand", made, kind="shipment")
    assert told.next.startswith("Lockstep: CS00001 lacks a tracking number; waited for until 13:00 UTC")


@pytest.mark.parametrize("words", [["order", "1"], ["shipment", "fulfil-1"]])
def test_order_and_shipment_are_told_at_the_command_line(lockstep: Any, stage: Stage, words: list[str]) -> None:
    shipped(stage, bought(stage))
    result = lockstep(*words)
    assert result.exit_code == 0, result.output
    assert "shipment 1-1" in result.output
    document = json.loads(lockstep(*words, "--json").output)
    assert document["kind"] == words[0]


def test_status_counts_parcels_and_captures_that_have_not_settled(lockstep: Any, stage: Stage) -> None:
    stage.centra.switches.capture_settles_after = 1e6
    shipped(stage, bought(stage))
    leave(stage, bought(stage), tracking=[])
    follow(stage)
    told = health.status(stage.world)
    assert told["shipments"] == {"proven": 1, "held": 1}
    assert told["captures_pending"] == 1
    assert told["orders"]["proven"] == 2
    shown = lockstep("status").output
    assert "shipments: 1 held, 1 proven" in shown or "shipments: 1 proven, 1 held" in shown
    assert "captures that have not settled: 1" in shown


def test_an_erasure_takes_the_tracking_numbers_too(lockstep: Any, stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number)
    words = ("erase", number, "--instance", "brand", "--reason", "GDPR 17", "--actor", "ann", "--yes")
    assert lockstep(*words).exit_code == 0
    id = parcel(stage, made).id
    with stage.store.read() as tx, pytest.raises(VaultError, match="erased"):
        documents.latest(tx, stage.world.vault, id, "dispatch")
    stage.world.ring("take", Key("brand", "shipment", made))
    stage.sweep(2)
    assert parcel(stage, made).state == "proven"


def test_a_replay_of_parcels_says_what_it_would_do(stage: Stage) -> None:
    stage.centra.faults.plan("user-error", "createShipment")
    made = shipped(stage, bought(stage))
    (case,) = stage.open_cases()
    (step,) = casework.plan(stage.world, ids=[case.id]).steps
    assert step.order == made
    assert "read again" in step.does


def test_the_feeds_of_shipments_are_there() -> None:
    wanted = {"dispatches", "recount_dispatches", "captures", "unacknowledged", "recheck_shipments"}
    assert wanted <= set(feed.FEEDS)
    assert CentraSwitches().captured_on_request

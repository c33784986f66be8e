"""What a support agent reads out about goods and money that came back."""

import json
from decimal import Decimal
from typing import Any

import pytest
from stage import ADDRESS, Stage
from steps.back import come_back, follow, goods_row, money_row, send_back, sold, with_rule

from integration import casework, story
from integration.vault import VaultError


def lines(stage: Stage, kind: str, number: str, *, live: bool = False) -> str:
    return "\n".join(story.tell(stage.world, "brand", number, kind=kind, live=live).lines())


@pytest.fixture
def back_home(stage: Stage) -> tuple[str, str, str]:
    """An order, its return that came back, and the refund of it."""
    number = sold(stage, 2)
    made = send_back(stage, number)
    follow(stage)
    stage.centra.refund_return(int(made))
    stage.clock.sleep(10)
    follow(stage)
    come_back(stage, made)
    return number, made, money_row(stage, number).number


def test_an_order_names_its_returns_and_refunds_with_what_became_of_them(
    stage: Stage, back_home: tuple[str, str, str]
) -> None:
    number, made, refund = back_home
    told = story.tell(stage.world, "brand", number)
    kin = {(each["kind"], each["number"]): each for each in told.kin}
    assert kin["return", made]["state"] == kin["refund", refund]["state"] == "proven"
    text = lines(stage, "order", number)
    assert f"return {made} (18.00 GBP): proven, completed in Centra: received and inspected" in text
    assert f"refund {refund} (18.00 GBP): proven, proved equal to the minor unit as INV" in text


def test_a_return_is_told_from_its_announcement_to_its_completion(
    stage: Stage, back_home: tuple[str, str, str]
) -> None:
    number, made, refund = back_home
    told = story.tell(stage.world, "brand", made, kind="return", live=True)
    assert told.headline == (
        f"Return {made} of brand (18.00 GBP, order {number}, Europe / United Kingdom) has come back: received and "
        "inspected in fulfil, completed in Centra."
    )
    assert any(line.startswith("booked in by the warehouse 2026-05-04") for line in told.decided)
    assert f"now: completed; 1 × {stage.sku()}; restocks" in told.systems["Centra"]
    assert f"now: CRS-00001 is inspected: 1 × {stage.sku()} restock" in told.systems["fulfil"]
    assert [(each["kind"], each["number"]) for each in told.kin] == [("order", number), ("refund", refund)]
    assert (told.late, told.next) == ([], "nobody: it is finished")


def test_a_refund_names_its_memo_its_order_and_its_return(stage: Stage, back_home: tuple[str, str, str]) -> None:
    number, made, refund = back_home
    told = story.tell(stage.world, "brand", refund, kind="refund", live=True)
    assert told.headline == (
        f"Refund {refund} of brand (18.00 GBP, order {number}, Europe / United Kingdom) is credited in fulfil, equal to "
        "the minor unit."
    )
    assert "now: settled, 18.00 GBP" in told.systems["Centra"]
    assert any(line.startswith("now: INV") and "posted, 18.00 GBP" in line for line in told.systems["fulfil"])
    assert any("equal to Centra in every part" in line for line in told.systems["fulfil"])
    assert [(each["kind"], each["number"]) for each in told.kin] == [("order", number), ("return", made)]


def test_a_return_that_waits_for_goods_says_who_acts_next(stage: Stage) -> None:
    number = sold(stage, 2)
    made = send_back(stage, number)
    follow(stage)
    told = story.tell(stage.world, "brand", made, kind="return")
    assert "is awaited by the warehouse in fulfil" in told.headline
    assert told.next.startswith("the warehouse: it is awaited there")


def test_a_refund_on_the_work_list_says_what_to_key(stage: Stage) -> None:
    stage.apply(with_rule("credit", 'strategy = "off"'))
    number = sold(stage, 2)
    stage.centra.refund(int(number), Decimal("6.00"), "goodwill")
    stage.clock.sleep(10)
    follow(stage)
    told = story.tell(stage.world, "brand", money_row(stage, number).number, kind="refund")
    assert told.next.startswith("Finance, by ")
    assert "Goodwill 6.00 GBP at 20 %, net 5.00 GBP; total 6.00 GBP" in told.decided[0]


def test_no_word_of_the_customer_is_in_these_stories(stage: Stage, back_home: tuple[str, str, str]) -> None:
    number, made, refund = back_home
    for kind, named in (("order", number), ("return", made), ("refund", refund)):
        text = lines(stage, kind, named, live=True)
        text += json.dumps(story.tell(stage.world, "brand", named, kind=kind).document(), default=str)
        for name, value in ADDRESS.items():
            assert name == "country" or value not in text


def test_return_and_refund_are_told_at_the_command_line(
    lockstep: Any, stage: Stage, back_home: tuple[str, str, str]
) -> None:
    _, made, refund = back_home
    for words in (["return", made], ["refund", refund]):
        assert lockstep(*words).output.startswith(words[0].capitalize())
        told = json.loads(lockstep(*words, "--json").output)
        assert (told["kind"], told["number"], told["state"]) == (words[0], words[1], "proven")
    assert "no return 99 is in the ledger" in lockstep("return", "99").output


def test_an_erasure_takes_what_the_erp_said_of_returns_and_refunds_too(lockstep: Any, stage: Stage) -> None:
    number = sold(stage, 2)
    stage.fulfil.faults.plan("user-error", operation="return_order")
    made = send_back(stage, number)
    follow(stage)
    (case,) = stage.open_cases()
    assert casework.evidence(stage.world, case.id, "ann")
    words = ("erase", number, "--instance", "brand", "--reason", "GDPR 17", "--actor", "ann", "--yes")
    assert lockstep(*words).exit_code == 0
    with pytest.raises(VaultError, match="erased"):
        casework.evidence(stage.world, case.id, "ann")
    assert goods_row(stage, made).state == "dead"


def test_a_return_nobody_told_of_is_unknown(stage: Stage) -> None:
    with pytest.raises(story.UnknownOrder, match="no return 5 of brand"):
        story.tell(stage.world, "brand", "5", kind="return")
    assert goods_row(stage, "5") is None

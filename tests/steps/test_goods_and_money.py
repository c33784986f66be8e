"""Two machines, goods and money: whichever is first, each comes to its own end, and stock never rises before inspection."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage
from steps.back import (
    all_memos,
    back,
    centra_return,
    completed,
    credited,
    follow,
    goods_row,
    in_centra,
    money_row,
    money_rows,
    send_back,
    sold,
)
from steps.looking import book, run_feed

from integration.sandbox.centra_orders import Refused
from integration.sandbox.centra_switches import CentraSwitches

GOODS, MONEY = ("hear", "receive", "inspect"), ("refund", "told")
INTERLEAVINGS = sorted({"".join(turns) for turns in itertools.permutations("GGGMM")})
CASES = [(turns, True) for turns in INTERLEAVINGS] + [(turns, False) for turns in ("GGGMM", "MMGGG", "GMGMG")]
"""Whether a refund completes the return in Centra is unconfirmed: each way, and there every interleaving."""


class Story:
    """One return of one piece, and everything that can happen to it."""

    def __init__(self, *, refund_completes: bool) -> None:
        """Without pushes, so that Centra's stock shows what completing did to it: a refund of its own may complete early."""
        self.early = refund_completes
        self.stage = Stage(centra=CentraSwitches(refund_completes_return=refund_completes))
        self.number = sold(self.stage, 2)
        self.before = in_centra(self.stage)
        self.made = send_back(self.stage, self.number)
        self.inspected = self.deleted = False

    def act(self, name: str) -> None:
        acts: dict[str, Callable[[], Any]] = {
            "hear": lambda: follow(self.stage, times=1),
            "receive": lambda: self.stage.fulfil.receive_return(f"return-{self.made}"),
            "inspect": self.inspect,
            "refund": lambda: self.stage.centra.refund_return(int(self.made)),
            "told": lambda: follow(self.stage, times=1),
            "delete": self.delete,
            "goodwill": lambda: self.stage.centra.refund(int(self.number), Decimal("1.20"), "goodwill"),
            "lose an answer of Centra's": lambda: self.stage.centra.faults.plan("timeout-after", "completeReturn"),
            "lose an answer of Fulfil's": lambda: self.stage.fulfil.faults.plan("timeout-after", "return_order"),
            "lose a memo's answer": lambda: self.stage.fulfil.faults.plan("drop-after", "create_invoice"),
            "wait": lambda: self.stage.sweep(2, every=120),
        }
        try:
            acts[name]()
        except (Refused, ValueError):  # not possible now: nothing has arrived, or it was paid back already
            return
        self.stage.clock.sleep(6)

    def inspect(self) -> None:
        self.stage.fulfil.inspect_return(f"return-{self.made}", "restock")
        self.inspected = True

    def delete(self) -> None:
        self.stage.centra.cancel_return(int(self.made))
        self.deleted = True
        run_feed(self.stage, "events")

    def check(self) -> None:
        """What must hold after every act, once everybody has been heard."""
        asked = self.stage.centra.requests["completeReturn"]
        assert not asked or self.inspected, "we completed a return that was not inspected"
        risen = in_centra(self.stage) - self.before
        assert risen <= self.inspected or self.early, "stock rose before the goods were inspected"
        settled = [r for r in book(self.stage, self.number)["refunds"] if r["status"] == "SUCCESS"]
        assert len(all_memos(self.stage)) <= len(settled), "a memo without a refund"


@pytest.mark.scenario("RET-01")
@pytest.mark.parametrize(("turns", "refund_completes"), CASES)
def test_in_every_order_goods_and_money_both_come_to_their_end(turns: str, refund_completes: bool) -> None:
    story = Story(refund_completes=refund_completes)
    goods, money = iter(GOODS), iter(MONEY)
    left = []
    for turn in turns:
        name = next(goods if turn == "G" else money)
        story.act(name)
        if name == "receive" and goods_row(story.stage, story.made) is None:
            left = ["receive", "inspect"]  # a parcel cannot be received before it is announced
        follow(story.stage, times=2)
        story.check()
    for name in left:
        story.act(name)
        follow(story.stage, times=2)
        story.check()
    story.stage.sweep(4)
    back(story.stage, story.made)
    credited(story.stage, money_row(story.stage, story.number), "18.00")
    assert completed(story.stage, story.number, story.made)
    assert in_centra(story.stage) == story.before + 1
    assert story.stage.open_cases() == []
    story.stage.store.close()


ACTS = [
    *("hear", "receive", "inspect", "refund", "told", "delete", "goodwill", "wait"),
    *("lose an answer of Centra's", "lose an answer of Fulfil's", "lose a memo's answer"),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=10)
@given(st.lists(st.sampled_from(ACTS), min_size=4, max_size=10), st.booleans())
def test_whatever_happens_in_whatever_order_nothing_rises_early_and_nothing_is_credited_twice(
    acts: list[str], refund_completes: bool
) -> None:
    story = Story(refund_completes=refund_completes)
    for name in acts:
        story.act(name)
        follow(story.stage, times=2)
        story.check()
    story.stage.sweep(14, every=60)
    follow(story.stage, times=6)
    story.check()
    for row in money_rows(story.stage, story.number):
        assert row.state == "proven", f"{row.number}: {row.state}: {row.reason}"
    settled = [r for r in book(story.stage, story.number)["refunds"] if r["status"] == "SUCCESS"]
    assert len(all_memos(story.stage)) == len(settled)
    goods = goods_row(story.stage, story.made)
    if story.deleted:
        assert goods is None or goods.state in ("cancelled", "observed", "dead"), goods.reason
    elif story.inspected:
        back(story.stage, story.made)
        assert centra_return(story.stage, story.number, story.made)["status"] == "COMPLETED"
    else:
        assert goods.state == "opened", goods.reason
    story.stage.store.close()

"""What a person does at the desk: every act by name, with a token, kept in the case's history."""

import re
from typing import Any

import pytest
from desk.morning import WHO
from desk.visitor import Desk, Visitor

NORWAY = "/exceptions/cause?type=ORDER_MARKET_UNMAPPED&cause=fulfil.toml%3A%5Bmarkets%5D+Norway&plan=yes"
CAUSE = {"type": "ORDER_MARKET_UNMAPPED", "cause": "fulfil.toml:[markets] Norway"}


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


def _plan(page: str) -> dict[str, str]:
    """The hidden fields of the plan's form."""
    return {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("ids", "token")}


def _states(desk: Desk) -> list[tuple[str, int]]:
    rows = [desk.ledger.job(f"1002{30 + n}") for n in range(12)]
    return [(row.state, row.dirty_seq) for row in rows]


def test_replay_wakes_the_order_and_rings_it(desk: Desk, visitor: Visitor, broker: Any) -> None:
    case = desk.cases["sku"][0]
    before, waiting = desk.ledger.job("100250"), broker.llen("orders")
    page = visitor.post(f"/exceptions/{case}/replay", reason="the product is active now")
    after = desk.ledger.job("100250")
    assert "Sent through the whole step again." in page.words
    assert (after.state, after.dirty_seq, after.attempts) == ("seen", before.dirty_seq + 1, 0)
    assert ("ann", "replayed", "the product is active now") in desk.ledger.history(case)
    assert ("ann", "replayed", f"exception {case}") in desk.ledger.audit()
    assert broker.llen("orders") == waiting + 1


def test_a_second_replay_moves_nothing_and_says_why(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["sku"][1]
    visitor.post(f"/exceptions/{case}/replay")
    once = desk.ledger.job("100251").dirty_seq
    page = visitor.post(f"/exceptions/{case}/replay")
    assert "Nothing to replay: already on its way." in page.words
    assert desk.ledger.job("100251").dirty_seq == once


def test_the_message_after_an_act_is_shown_once(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["tax"][0]
    as_browsers_do = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{desk.flower.port}"}
    assert "Given to bob." in visitor.post(f"/exceptions/{case}/assign", headers=as_browsers_do, to="bob").words
    assert "Given to bob." not in visitor.get(f"/exceptions/{case}").words


def test_assign_comment_and_snooze_are_in_the_history_by_name(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["tax"][1]
    visitor.post(f"/exceptions/{case}/assign", to="bob")
    visitor.post(f"/exceptions/{case}/comment", text="asked the tax office")
    deadline = desk.ledger.case(case).act_by
    page = visitor.post(f"/exceptions/{case}/snooze", hours="4")
    assert "No reminders for 4 h; the deadline stays." in page.words
    row = desk.ledger.case(case)
    assert (row.assignee, row.state, row.act_by) == ("bob", "acknowledged", deadline)
    assert row.snoozed_until is not None
    told = desk.ledger.history(case)
    assert ("ann", "assigned", "bob") in told
    assert ("ann", "comment", "asked the tax office") in told
    assert {actor for actor, _, _ in told} == {"lockstep", "ann"}


def test_resolving_needs_a_reason_and_closes_the_order(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["doubt"][0]
    page = visitor.post(f"/exceptions/{case}/resolve", how="accepted as it is", reason="   ")
    assert "reason is needed" in page.words
    assert desk.ledger.case(case).state == "open"
    page = visitor.post(f"/exceptions/{case}/resolve", how="accepted as it is", reason="4723 was cancelled by hand")
    assert "nothing more is sent for it" in page.words
    assert desk.ledger.case(case).state == "resolved"
    assert desk.ledger.job("100274").state == "closed"
    assert any(
        "4723 was cancelled by hand" in note for _, verb, note in desk.ledger.history(case) if verb == "resolved"
    )


@pytest.mark.parametrize(("verb", "field"), [("assign", "to"), ("comment", "text"), ("resolve", "reason")])
def test_an_empty_form_changes_nothing(desk: Desk, visitor: Visitor, verb: str, field: str) -> None:
    case = desk.cases["tax"][2]
    before = desk.ledger.history(case)
    page = visitor.post(f"/exceptions/{case}/{verb}", **{field: "  ", "how": "accepted as it is"})
    assert "is needed" in page.words
    assert desk.ledger.history(case) == before


@pytest.mark.parametrize("token", ["", "made-up"])
@pytest.mark.parametrize("verb", ["replay", "assign", "comment", "snooze", "resolve", "evidence"])
def test_a_form_without_its_token_is_refused(desk: Desk, visitor: Visitor, verb: str, token: str) -> None:
    case = desk.cases["sku"][2]
    before = desk.ledger.history(case)
    answer = visitor.post(f"/exceptions/{case}/{verb}", xsrf=token, to="bob", text="x", reason="x", hours="1")
    assert answer.status == 403
    assert desk.ledger.history(case) == before


def test_a_form_sent_by_another_site_is_refused(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["sku"][2]
    visitor.get("/exceptions")
    answer = visitor.post(f"/exceptions/{case}/replay", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert desk.ledger.job("100252").state == "dead"


def test_a_plan_is_shown_first_and_done_exactly_so_after_it_is_confirmed(desk: Desk, visitor: Visitor) -> None:
    before = _states(desk)
    page = visitor.get(NORWAY)
    assert "The plan: nothing has been done yet 12 orders: read again, then post." in page.words
    assert page.text.count("<td>read again, then post</td>") == 12
    assert _states(desk) == before
    plan = _plan(page.text)

    refused = visitor.post("/exceptions/cause", **CAUSE, **plan, reason="")
    assert "say what was corrected" in refused.words
    refused = visitor.post(
        "/exceptions/cause", **CAUSE, **{**plan, "token": "1-made-up"}, reason="the market is mapped"
    )
    assert "Nothing was done: this plan is more than ten minutes old" in refused.words
    assert _states(desk) == before

    visitor.post(f"/exceptions/{desk.cases['norway'][5]}/replay")  # the world moves on meanwhile
    moved = _states(desk)
    refused = visitor.post("/exceptions/cause", **CAUSE, **plan, reason="the market is mapped")
    assert "Nothing was done: what this plan covers has changed" in refused.words
    assert _states(desk) == moved

    plan = _plan(visitor.get(NORWAY).text)
    done = visitor.post("/exceptions/cause", **CAUSE, **plan, reason="the market is mapped")
    assert "11 orders sent through the whole step again." in done.words
    assert _states(desk) == [("seen", 2)] * 12
    assert ("ann", "replayed", "the market is mapped") in desk.ledger.history(desk.cases["norway"][0])


def test_what_the_erp_said_is_shown_on_request_only_and_the_request_is_noted(desk: Desk, visitor: Visitor) -> None:
    case = desk.cases["address"][0]
    before = visitor.get(f"/exceptions/{case}")
    assert "Show what Fulfil said" in before.words
    assert "Personsdatter" not in before.text
    shown = visitor.post(f"/exceptions/{case}/evidence", follow=False)
    assert shown.status == 200
    assert WHO in shown.words
    assert ("ann", "evidence opened", f"exception {case}") in desk.ledger.audit()
    assert visitor.post("/exceptions/1/evidence").status == 404


def test_markup_in_any_text_is_shown_as_text(desk: Desk, visitor: Visitor) -> None:
    bad = "<script>alert('1')</script><img src=x onerror=alert(2)>"
    case = desk.ledger.dead("<b>9</b>", "ORDER_REJECTED_BY_ERP", f"fulfil: {bad}", bad, minutes=1, market=bad)
    visitor.post(f"/exceptions/{case}/comment", text=bad)
    visitor.post(f"/exceptions/{case}/assign", to="<i>bob</i>")
    paths = ["/exceptions", "/exceptions?view=cases", f"/exceptions/{case}", "/exceptions?text=%3Cscript%3E%22"]
    paths += ["/orders?number=%3Cscript%3E", visitor.get("/orders?number=%3Cb%3E9%3C%2Fb%3E").goes_to]
    for path in paths:
        text = visitor.get(path).text
        assert not re.search(r"<script>|<img src=x|<i>bob|<b>9", text), path

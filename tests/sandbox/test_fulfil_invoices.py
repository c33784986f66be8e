"""Invoices and credit notes of Fulfil's sandbox: made by sales, by hand, and by the credit wizard."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.faults import Drop, Hang
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Answer, Session, order, typed

CREATE = "model/sale.channel/create_order"
INVOICE, LINE = "model/account.invoice", "model/account.invoice.line"
SKU, OTHER = "LS101NVS", "LS102NVM"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 15, 12, tzinfo=UTC))


@pytest.fixture
def fulfil(clock: HandClock) -> Fulfil:
    return Fulfil(clock)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    session = Session(fulfil.app)
    assert session.put(CREATE, [1, order("1", (SKU, 3, "45.00"), (OTHER, 1, "59.00"))]).status == 200
    return session


def totals(fulfil: Fulfil) -> list[tuple[str, str, str]]:
    return [(invoice["untaxed"], invoice["tax"], invoice["total"]) for invoice in fulfil.books()["invoices"]]


def refusal(answer: Answer) -> str:
    assert answer.status == 400, answer.body
    return str(answer.words["message"])


def note(**words: Any) -> dict[str, Any]:
    """A credit note for two pieces of the first line, as a client writes it."""
    line = {
        "product": 1,
        "description": "Returned: too big",
        "quantity": -2,
        "unit_price": typed("45.00"),
        "taxes": [["add", [10]]],
        "origin": "sale.line,1",
    }
    head = {"type": "out", "party": 1, "currency": 1, "reference": "centra-1-R1"}
    return head | {"lines": [["create", [line]]]} | words


# -------------------------------------------------------------------------------------------- made by a sale


def test_a_shipment_brings_the_invoice_for_what_left(fulfil: Fulfil, session: Session) -> None:
    assert fulfil.books()["invoices"] == []
    fulfil.ship(1, {SKU: 2})
    fulfil.ship(2)
    assert totals(fulfil) == [("94.00", "18.80", "112.80"), ("104.00", "20.80", "124.80")]
    first, second = fulfil.books()["invoices"]
    assert first["lines"] == [
        (SKU, 2.0, "45.00", "90.00", "18.00", "sale.line,1"),
        (None, 1.0, "4.00", "4.00", "0.80", "sale.line,3"),
    ]
    assert [line[0] for line in second["lines"]] == [SKU, OTHER]
    sale = session.get("model/sale.sale/1").value
    assert (sale["invoices"], sale["invoice_state"]) == ([1, 2], "waiting")
    invoice = session.get(f"{INVOICE}/1").value
    assert (invoice["type"], invoice["state"], invoice["number"], invoice["sales"]) == ("out", "draft", None, [1])
    assert (invoice["reference"], invoice["party"], invoice["customer_shipments"]) == ("#1", 1, [1])
    assert session.put(f"{INVOICE}/search", [[["sales", "in", [1]]]]).words == [1, 2]


def test_a_channel_may_invoice_at_processing(fulfil: Fulfil, session: Session) -> None:
    session.put("model/sale.channel/1", {"invoice_method": "order"})
    session.put(CREATE, [1, order("2")])
    assert totals(fulfil) == [("94.00", "18.80", "112.80")]
    assert session.get("model/sale.sale/2").value["write_date"] is None
    fulfil.ship("2")
    assert len(totals(fulfil)) == 1


def test_the_invoices_of_sales_may_come_posted(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.invoices_made = "posted"
    fulfil.ship(1)
    (book,) = fulfil.books()["invoices"]
    assert (book["state"], book["number"], book["invoice_date"]) == ("posted", "INV00001", "2026-03-15")
    assert session.put(f"{INVOICE}/pay", [[1]]).status == 200
    sale = session.get("model/sale.sale/1").value
    assert (sale["invoice_state"], str(sale["amount_invoiced"])) == ("paid", "237.60")


def test_a_received_return_brings_a_negative_invoice(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1)
    lines = [{"order_line_id": 1, "return_quantity": 2}, {"order_line_id": 3, "unit_price": "1.50"}]
    session.put("model/sale.sale/1/return_order", [{"channel_identifier": "R", "reference": "r", "lines": lines}])
    assert len(totals(fulfil)) == 1
    fulfil.receive_return("R")
    assert totals(fulfil)[1] == ("-91.50", "-18.30", "-109.80")
    invoice = session.get(f"{INVOICE}/2").value
    assert (invoice["sales"], invoice["customer_return_shipments"], invoice["type"]) == ([2], [1], "out")
    assert session.get(f"{LINE}/4?fields=origin").words["origin"] == "sale.line,4"
    fulfil.inspect_return("R")
    assert len(totals(fulfil)) == 2


def test_a_return_worth_nothing_brings_no_invoice(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1)
    free = {"order_line_id": 1, "return_quantity": 1, "unit_price": "0"}
    session.put("model/sale.sale/1/return_order", [{"channel_identifier": "R", "lines": [free]}])
    fulfil.receive_return("R", "restock")
    assert len(totals(fulfil)) == 1


def test_a_return_without_goods_is_invoiced_at_once(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1)
    session.put("model/sale.sale/1/return_order", [{"channel_identifier": "R", "lines": [{"order_line_id": 3}]}])
    assert totals(fulfil)[1] == ("-4.00", "-0.80", "-4.80")


# -------------------------------------------------------------------------------------------- made by hand


def test_a_credit_note_written_by_hand_adds_up_and_belongs_to_its_sale(fulfil: Fulfil, session: Session) -> None:
    answer = session.post(INVOICE, [note()])
    assert answer.status == 201
    assert answer.words[0]["id"] == 1
    assert totals(fulfil) == [("-90.00", "-18.00", "-108.00")]
    assert session.get("model/sale.sale/1").words["invoices"] == [1]
    fields = ["reference", "state", "total_amount", "sales", "lines", "account", "company"]
    (row,) = session.put(f"{INVOICE}/search_read", [[["reference", "=", "centra-1-R1"]], 0, 2, None, fields]).value
    assert (row["state"], str(row["total_amount"]), row["sales"], row["lines"]) == ("draft", "-108.00", [1], [1])
    (line,) = session.put(f"{LINE}/search_read", [[], 0, 2, None, ["amount", "taxes", "quantity", "account"]]).value
    assert (str(line["amount"]), line["taxes"], line["quantity"], line["account"]) == ("-90.00", [10], -2.0, 1)


def test_a_given_tax_is_kept_or_computed_by_switch(fulfil: Fulfil, session: Session) -> None:
    document = note()
    document["lines"][0][1][0]["tax_amount"] = "-17.99"
    session.put(f"{INVOICE}/create", [[document]])
    fulfil.switches.tax_amount = "computed"
    session.put(f"{INVOICE}/create", [[document]])
    assert [total for _, _, total in totals(fulfil)] == ["-107.99", "-108.00"]


def test_a_draft_may_change_and_a_posted_invoice_may_not(fulfil: Fulfil, session: Session) -> None:
    session.put(f"{INVOICE}/create", [[note()]])
    session.put(f"{LINE}/write", [[1], {"quantity": -1}])
    assert totals(fulfil) == [("-45.00", "-9.00", "-54.00")]
    more = {"description": "Delivery", "quantity": -1, "unit_price": "4.00"}
    session.put(f"{INVOICE}/1", {"lines": [["create", [more]]]})
    assert totals(fulfil) == [("-49.00", "-9.00", "-58.00")]
    session.put(f"{LINE}/delete", [[2]])
    assert totals(fulfil) == [("-45.00", "-9.00", "-54.00")]
    session.put(f"{INVOICE}/post", [[1]])
    for path, body in ((f"{INVOICE}/1", {"comment": "x"}), (f"{LINE}/1", {"quantity": -2})):
        assert "posted" in refusal(session.put(path, body))
    assert session.delete(f"{LINE}/1").status == 400
    assert session.delete(f"{INVOICE}/1").status == 400
    assert totals(fulfil) == [("-45.00", "-9.00", "-54.00")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"party": None}, "Party"),
        ({"state": "posted"}, "Allowed states: draft"),
        ({"lines": [["create", [{"quantity": 1}]]]}, "unit_price"),
        ({"lines": [["create", [{"quantity": 1, "unit_price": "1.00001"}]]]}, "decimal digits"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_a_bad_invoice_is_refused_whole(fulfil: Fulfil, session: Session, words: dict[str, Any], text: str) -> None:
    assert text in refusal(session.put(f"{INVOICE}/create", [[note(**words)]]))
    assert fulfil.books()["invoices"] == []
    assert session.get("model/sale.sale/1").words["invoices"] == []


def test_an_invoice_walks_through_its_states(fulfil: Fulfil, session: Session) -> None:
    session.put(f"{INVOICE}/create", [[note()]])
    for method, state in (("validate_invoice", "validated"), ("draft", "draft"), ("post", "posted"), ("pay", "paid")):
        assert session.put(f"{INVOICE}/1/{method}").status == 200
        assert session.get(f"{INVOICE}/1").words["state"] == state
    row = session.get(f"{INVOICE}/1").value
    assert (row["number"], row["invoice_date"].isoformat(), str(row["balance"])) == ("INV00001", "2026-03-15", "0")
    assert "paid" in refusal(session.put(f"{INVOICE}/cancel", [[1]]))
    session.put(f"{INVOICE}/create", [[note()]])
    assert session.put(f"{INVOICE}/2/cancel").status == 200
    assert session.get("model/sale.sale/1").words["invoice_state"] == "exception"


def test_a_closed_period_refuses_the_posting_alone(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.change({"closed_until": "2026-02-28"})
    day = {"__class__": "date", "iso_string": "2026-02-28"}
    session.put(f"{INVOICE}/create", [[note(invoice_date=day), note()]])
    assert "2026-02-28 is closed" in refusal(session.put(f"{INVOICE}/1/post"))
    assert session.put(f"{INVOICE}/2/post").status == 200
    assert (
        session.put(f"{INVOICE}/1", {"invoice_date": {"__class__": "date", "iso_string": "2026-03-01"}}).status == 200
    )
    assert session.put(f"{INVOICE}/1/post").status == 200


def test_amounts_keep_the_decimals_of_the_invoices_currency(fulfil: Fulfil, session: Session) -> None:
    line = {"quantity": -3, "unit_price": "333.3333"}
    for currency in (5, 6):
        session.put(f"{INVOICE}/create", [[note(currency=currency, lines=[["create", [line]]])]])
    assert [total for _, _, total in totals(fulfil)] == ["-1000", "-1000.000"]


# ---------------------------------------------------------------------------------------------------- the wizard


def wizard(session: Session, ids: list[int], *, with_refund: bool = False) -> Answer:
    context = {"active_ids": ids, "active_id": ids[0], "active_model": "account.invoice"}
    made = session.put("wizard/account.invoice.credit/create", [context]).words
    assert made[1:] == ["start", "end"]
    asked = session.put("wizard/account.invoice.credit/execute", [made[0], {}, "start", context]).words
    assert "view" in asked
    form = {"start": {"with_refund": with_refund}}
    answer = session.put("wizard/account.invoice.credit/execute", [made[0], form, "credit", context])
    assert session.put("wizard/account.invoice.credit/delete", [made[0], context]).words is None
    return answer


def test_the_wizard_makes_a_credit_note(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1)
    answer = wizard(session, [1])
    assert answer.words["actions"][0][0]["res_id"] == [2]
    assert totals(fulfil)[1] == ("-198.00", "-39.60", "-237.60")
    book = fulfil.books()["invoices"][1]
    assert (book["state"], book["sales"]) == ("draft", [1])
    assert book["lines"][0][5] == "account.invoice.line,1"


def test_the_wizard_refunds_only_what_is_posted_and_unpaid(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1)
    assert "not posted" in refusal(wizard(session, [1], with_refund=True))
    session.put(f"{INVOICE}/1/post")
    assert wizard(session, [1], with_refund=True).status == 200
    assert [invoice["state"] for invoice in fulfil.books()["invoices"]] == ["paid", "paid"]
    assert "has payments" in refusal(wizard(session, [1], with_refund=True))


def test_a_wizard_without_a_session_is_not_there(session: Session) -> None:
    assert session.put("wizard/account.invoice.credit/execute", [7, {}, "start", {}]).status == 404
    assert session.put("wizard/account.invoice.credit/delete", [7]).status == 404
    assert session.put("wizard/no.such.wizard/create", [{}]).status == 404
    assert session.put("wizard/account.invoice.credit/eat", [{}]).status == 404


# -------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("post", [True, False])
@pytest.mark.parametrize(
    ("fault", "answered", "made"),
    [("error-after", 500, 1), ("error-before", 500, 0), ("timeout-after", Hang, 1), ("drop-after", Drop, 1)],
)
def test_the_creation_of_an_invoice_has_faults_of_its_own(
    fulfil: Fulfil, session: Session, fault: str, answered: Any, made: int, post: bool
) -> None:
    fulfil.faults.plan(fault, "create_invoice", number="centra-1-R1")
    session.put("model/party.party/create", [[{"name": "Ann"}]])

    def create() -> Answer:
        return session.post(INVOICE, [note()]) if post else session.put(f"{INVOICE}/create", [[note()]])

    if isinstance(answered, int):
        assert create().status == answered
    else:
        with pytest.raises(answered):
            create()
    assert len(fulfil.books()["invoices"]) == made
    assert fulfil.faults.fired[fault] == 1


def test_a_new_invoice_may_differ_by_little_or_hide(fulfil: Fulfil, session: Session, clock: HandClock) -> None:
    fulfil.faults.plan("recalculated", "create_invoice")
    session.post(INVOICE, [note()])
    assert totals(fulfil)[0][2] == "-107.99"
    fulfil.faults.plan("search-lag", "create_invoice", seconds=9)
    session.post(INVOICE, [note()])
    search = (f"{INVOICE}/search", [[["reference", "=", "centra-1-R1"]]])
    assert session.put(*search).words == [1]
    clock.pass_time(9)
    assert session.put(*search).words == [1, 2]


def test_a_posting_may_hang_after_its_effect(fulfil: Fulfil, session: Session) -> None:
    session.post(INVOICE, [note()])
    fulfil.faults.plan("timeout-after", "post", number="centra-1-R1")
    with pytest.raises(Hang):
        session.put(f"{INVOICE}/post", [[1]])
    assert fulfil.books()["invoices"][0]["state"] == "posted"

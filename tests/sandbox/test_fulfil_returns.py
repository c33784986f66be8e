"""return_order of Fulfil's sandbox, and what becomes of the goods that come back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.faults import Drop, Hang
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Answer, Session, order

CREATE = "model/sale.channel/create_order"
RETURN = "model/sale.sale/1/return_order"
SKU, OTHER = "LS101NVS", "LS102NVM"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def fulfil(clock: HandClock) -> Fulfil:
    return Fulfil(clock)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    """Three shirts, one jumper and the delivery were sold and shipped."""
    session = Session(fulfil.app)
    assert session.put(CREATE, [1, order("1", (SKU, 3, "45.00"), (OTHER, 1, "59.00"))]).status == 200
    fulfil.ship(1)
    return session


def wish(*lines: dict[str, Any], key: str | None = "RET-1", **rest: Any) -> list[dict[str, Any]]:
    return [{"channel_identifier": key, "reference": "return-#1", "lines": list(lines), **rest}]


def refusal(answer: Answer) -> str:
    assert answer.status == 400, answer.body
    return str(answer.words["message"])


ONE = {"order_line_id": 1, "return_quantity": 1, "channel_identifier": "59160778", "return_reason": "Too big"}


# ------------------------------------------------------------------------------------------------ the return sale


def test_a_return_is_a_new_sale_with_negative_lines(fulfil: Fulfil, session: Session) -> None:
    answer = session.put(RETURN, wish(ONE))
    assert answer.words == {"__class__": "Model", "model_name": "sale.sale", "id": 2, "rec_name": "SO00002 (return-#1)"}
    domain = [["reference", "=", "return-#1"], ["has_return", "=", True]]
    fields = ["channel", "channel_identifier", "origin", "state", "total_amount", "shipments", "shipment_returns"]
    (sale,) = session.put("model/sale.sale/search_read", [domain, 0, 5, None, fields]).value
    assert (sale["channel"], sale["channel_identifier"], sale["origin"]) == (1, "RET-1", "sale.sale,1")
    assert (sale["state"], str(sale["total_amount"])) == ("processing", "-54.00")
    assert (sale["shipments"], sale["shipment_returns"]) == ([], [1])
    fields = ["quantity", "unit_price", "amount", "tax_amount", "is_return", "origin", "return_type"]
    fields += ["return_reason.name", "channel_identifier"]
    (line,) = session.put("model/sale.line/search_read", [[["sale", "=", 2]], 0, 5, None, fields]).value
    assert (line["quantity"], str(line["unit_price"]), str(line["amount"])) == (-1.0, "45.00", "-45.00")
    assert (line["is_return"], line["origin"], line["return_type"]) == (True, "sale.line,1", "credit")
    assert (line["return_reason.name"], line["channel_identifier"]) == ("Too big", "59160778")
    assert fulfil.books()["sales"][1]["lines"] == [(SKU, -1.0, "45.00", "-45.00", "-9.00")]


def test_what_is_left_out_takes_the_dangerous_defaults(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE))
    session.put(RETURN, wish({"order_line_id": 1}, {"order_line_id": 3}, key="RET-2"))
    lines = fulfil.books()["sales"][2]["lines"]
    assert lines == [(SKU, -2.0, "45.00", "-90.00", "-18.00"), (None, -1.0, "4.00", "-4.00", "-0.80")]


def test_an_unknown_reason_is_made_once(session: Session) -> None:
    session.put(RETURN, wish(ONE))
    session.put(RETURN, wish(ONE, key="RET-2"))
    rows = session.put("model/sale.return.reason/search_read", [[], 0, 9, None, ["name"]]).words
    assert rows == [{"id": 1, "name": "Too big"}]


def test_a_lower_price_is_a_partial_refund(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE | {"unit_price": "40.25"}))
    assert fulfil.books()["sales"][1]["total"] == "-48.30"


def test_an_exchange_sends_another_piece_on_the_same_sale(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE | {"exchange_product": 2, "exchange_unit_price": "50.00", "exchange_quantity": 1}))
    back, out = fulfil.books()["sales"][1]["lines"]
    assert back[:2] == (SKU, -1.0)
    assert out == ("LS101NVM", 1.0, "50.00", "50.00", "10.00")
    sale = session.get("model/sale.sale/2").value
    assert (sale["shipments"], sale["shipment_returns"]) == ([2], [1])
    session.put(RETURN, wish(ONE | {"exchange_quantity": 1}, key="RET-2"))
    assert fulfil.books()["sales"][2]["lines"][1] == (SKU, 1.0, "45.00", "45.00", "9.00")
    assert fulfil.books()["sales"][2]["total"] == "0.00"


def test_nothing_returned_and_something_exchanged_is_a_charge(fulfil: Fulfil, session: Session) -> None:
    charge = {"order_line_id": 1, "return_quantity": 0, "exchange_product": 5, "exchange_quantity": 1}
    session.put(RETURN, wish(charge | {"exchange_unit_price": "5.00"}))
    assert fulfil.books()["sales"][1]["lines"] == [("LS101GRM", 1.0, "5.00", "5.00", "1.00")]


# ------------------------------------------------------------------------------------------------- the same again


def test_the_same_key_again_is_the_same_return(fulfil: Fulfil, session: Session) -> None:
    first, again = session.put(RETURN, wish(ONE)), session.put(RETURN, wish(ONE | {"return_quantity": 2}))
    assert first.words == again.words
    assert len(fulfil.books()["returns"]) == 1
    assert fulfil.books()["sales"][1]["lines"][0][1] == -1.0


@pytest.mark.parametrize(("rule", "status", "sales"), [("refuse", 400, 2), ("another", 200, 3)])
def test_the_replay_follows_the_switch(fulfil: Fulfil, session: Session, rule: str, status: int, sales: int) -> None:
    fulfil.switches.change({"return_replay": rule})
    session.put(RETURN, wish(ONE))
    assert session.put(RETURN, wish(ONE)).status == status
    assert len(fulfil.books()["sales"]) == sales


@pytest.mark.parametrize(("form", "words"), [("list", list), ("id", int), ("null", type(None))])
def test_the_answer_follows_the_switch(fulfil: Fulfil, session: Session, form: str, words: type) -> None:
    fulfil.switches.change({"return_response": form})
    assert isinstance(session.put(RETURN, wish(ONE)).words, words)


def test_a_key_of_an_order_is_no_key_of_a_return(session: Session) -> None:
    assert "unique" in refusal(session.put(RETURN, wish(ONE, key="1")))


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (ONE | {"return_quantity": 4}, "only 3 can be returned"),
        (ONE | {"return_quantity": -1}, "Cannot return -1"),
        (ONE | {"return_quantity": "x"}, "not a number"),
        (ONE | {"order_line_id": 77}, "has no line 77"),
        (ONE | {"colour": "red"}, "unknown fields: colour"),
        (ONE | {"exchange_quantity": 0}, "above 0"),
        (5, "must be an object"),
    ],
)
def test_a_bad_line_is_refused_and_leaves_nothing(fulfil: Fulfil, session: Session, line: Any, text: str) -> None:
    assert text in refusal(session.put(RETURN, wish(line)))
    assert len(fulfil.books()["sales"]) == 1
    assert session.put("model/sale.return.reason/search_count", [[]]).words == 0


def test_more_than_was_shipped_and_not_returned_is_refused(fulfil: Fulfil, session: Session) -> None:
    assert session.put(RETURN, wish(ONE | {"return_quantity": 2})).status == 200
    assert "only 1" in refusal(session.put(RETURN, wish(ONE | {"return_quantity": 2}, key="RET-2")))
    twice = (ONE, {"order_line_id": 1, "return_quantity": 1})
    assert "only 0" in refusal(session.put(RETURN, wish(*twice, key="RET-3")))
    session.put(RETURN, wish(ONE, key="RET-4"))
    assert "only 0" in refusal(session.put(RETURN, wish({"order_line_id": 1}, key="RET-5")))


def test_what_has_not_left_cannot_come_back_unless_the_switch_says(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("2")])
    line = session.get("model/sale.sale/3?fields=lines")
    assert line.status == 404
    first = session.get("model/sale.sale/2?fields=lines").words["lines"][0]
    path = "model/sale.sale/2/return_order"
    assert "only 0" in refusal(session.put(path, wish({"order_line_id": first, "return_quantity": 1})))
    fulfil.switches.returnable = "ordered"
    assert session.put(path, wish({"order_line_id": first, "return_quantity": 1})).status == 200


def test_a_return_needs_a_live_sale_lines_and_rights(fulfil: Fulfil, session: Session) -> None:
    assert session.put("model/sale.sale/99/return_order", wish(ONE)).status == 404
    assert "required" in refusal(session.put(RETURN, wish()))
    assert session.put(RETURN, wish(ONE, warehouse=12345)).status == 404
    session.put("model/sale.sale/create", [[{"channel": 1}]])
    assert "draft" in refusal(session.put("model/sale.sale/2/return_order", wish(ONE)))
    fulfil.forbid(1)
    assert session.put(RETURN, wish(ONE)).status == 403


@pytest.mark.parametrize("body", [None, 5, [], [5], [None], [{}], [[1, {}]]])
def test_nonsense_is_answered(session: Session, body: object) -> None:
    assert session.put(RETURN, body).status in (400, 500)


# ------------------------------------------------------------------------------------------- the goods come back


def available(fulfil: Fulfil, sku: str = SKU) -> tuple[float, float, float, float]:
    book = fulfil.books()["stock"][sku]
    place = book["by_warehouse"]["LON"]
    return place["on_hand"], place["available"], book["input"], book["quarantine"]


def test_goods_are_on_hand_when_received_and_available_when_put_away(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE))
    assert available(fulfil) == (4997.0, 4997.0, 0.0, 0.0)
    assert session.put("model/stock.shipment.out.return/1/receive").status == 200
    assert available(fulfil) == (4998.0, 4997.0, 1.0, 0.0)
    assert session.put("model/stock.shipment.out.return/done", [[1]]).status == 200
    assert available(fulfil) == (4998.0, 4998.0, 0.0, 0.0)
    row = session.get("model/stock.shipment.out.return/1").value
    assert (row["number"], row["state"], row["sales"], row["reference"]) == ("CRS-00001", "done", [2], "return-#1")
    sale = session.get("model/sale.sale/2").value
    assert (sale["state"], sale["shipment_state"]) == ("done", "sent")
    (move,) = session.put("model/stock.move/read", [row["incoming_moves"], ["origin", "shipment", "quantity"]]).words
    assert move["quantity"] == 1.0
    assert (move["origin"], move["shipment"]) == ("sale.line,4", "stock.shipment.out.return,1")


def test_the_destination_of_the_inventory_move_is_the_verdict(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE | {"return_quantity": 3}))
    session.put("model/stock.shipment.out.return/1/receive")
    (move,) = session.get("model/stock.shipment.out.return/1").words["inventory_moves"]
    session.put("model/stock.move/write", [[move], {"to_location": 403}])
    session.put("model/stock.shipment.out.return/1/done")
    assert available(fulfil) == (5000.0, 4997.0, 0.0, 3.0)
    assert fulfil.books()["returns"][0]["dispositions"] == [(SKU, 3.0, "quarantine")]


def test_people_receive_and_inspect(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE | {"return_quantity": 3}, {"order_line_id": 2}))
    assert [row["state"] for row in fulfil.expected_returns()] == ["draft"]
    assert fulfil.receive_return("RET-1") == [1]
    with pytest.raises(ValueError, match="pieces are to be disposed of"):
        fulfil.inspect_return(1, {SKU: {"restock": 1}})
    with pytest.raises(ValueError, match="no disposition 'eat'"):
        fulfil.inspect_return(1, "eat")
    verdict = {SKU: {"restock": 1, "quarantine": 1, "scrap": 1}, OTHER: "scrap"}
    assert fulfil.inspect_return("CRS-00001", verdict) == [1]
    book = fulfil.books()["returns"][0]
    assert sorted(book["dispositions"]) == [
        (SKU, 1.0, "quarantine"), (SKU, 1.0, "restock"), (SKU, 1.0, "scrap"), (OTHER, 1.0, "scrap"),
    ]  # fmt: skip
    assert available(fulfil) == (4999.0, 4998.0, 0.0, 1.0)
    assert fulfil.books()["stock"][OTHER]["lost"] == 1.0
    assert fulfil.expected_returns() == []
    with pytest.raises(ValueError, match="no return is expected"):
        fulfil.receive_return("RET-1")


def test_what_did_not_arrive_stays_expected(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE | {"return_quantity": 3}, {"order_line_id": 2}))
    fulfil.receive_return(1, "restock", {SKU: 2})
    first, second = fulfil.books()["returns"]
    assert [line[:2] for line in first["lines"]] == [(SKU, 2.0)]
    assert [line[:2] for line in second["lines"]] == [(SKU, 1.0), (OTHER, 1.0)]
    assert session.get("model/sale.sale/2").words["shipment_returns"] == [1, 2]
    assert session.get("model/sale.sale/2").words["state"] == "processing"
    fulfil.receive_return("RET-1", "restock")
    assert session.get("model/sale.sale/2").words["state"] == "done"
    assert [invoice["total"] for invoice in fulfil.books()["invoices"][1:]] == ["-108.00", "-124.80"]


def test_goods_may_come_back_to_another_warehouse(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE, warehouse=65))
    fulfil.receive_return(1, "restock")
    assert fulfil.books()["stock"][SKU]["by_warehouse"]["RTM"] == {"on_hand": 5001.0, "available": 5001.0}


def test_a_bundle_comes_back_as_its_components(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("2", ("BX501ST1", 2, "129.00"))])
    fulfil.ship("2")
    line = session.get("model/sale.sale/2?fields=lines").words["lines"][0]
    session.put("model/sale.sale/2/return_order", wish({"order_line_id": line}))
    assert available(fulfil, "LS106NVM")[:2] == (4996.0, 4996.0)
    fulfil.receive_return(1)
    assert available(fulfil, "LS106NVM") == (5000.0, 4996.0, 4.0, 0.0)
    fulfil.inspect_return(1, {"BX501ST1": {"restock": 1, "quarantine": 1}})
    assert available(fulfil, "LS106NVM") == (5000.0, 4998.0, 0.0, 2.0)


# --------------------------------------------------------------------------------------------------- change of mind


def test_a_return_can_be_cancelled_until_it_is_received(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE))
    assert session.put("model/sale.sale/2/cancel").status == 200
    assert [row["state"] for row in fulfil.books()["returns"]] == ["cancel"]
    assert session.put(RETURN, wish(ONE | {"return_quantity": 3}, key="RET-2")).status == 200
    fulfil.receive_return("RET-2")
    assert "is done" in refusal(session.put("model/sale.sale/3/cancel"))


def test_a_received_return_can_go_back_to_draft(fulfil: Fulfil, session: Session) -> None:
    session.put(RETURN, wish(ONE))
    assert session.put("model/stock.shipment.out.return/1/done").status == 400
    session.put("model/stock.shipment.out.return/1/receive")
    assert session.put("model/stock.shipment.out.return/1/draft").status == 200
    assert available(fulfil) == (4997.0, 4997.0, 0.0, 0.0)


def test_a_return_waits_for_its_processing_as_an_order_does(fulfil: Fulfil, session: Session, clock: HandClock) -> None:
    fulfil.switches.change({"process": "after-seconds", "process_seconds": 8})
    session.put(RETURN, wish(ONE))
    assert fulfil.books()["sales"][1]["state"] == "draft"
    assert fulfil.books()["returns"] == []
    clock.pass_time(8)
    assert fulfil.books()["sales"][1]["state"] == "processing"
    assert len(fulfil.books()["returns"]) == 1


# ---------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "status", "returns"),
    [("error-after", 500, 1), ("error-before", 500, 0), ("user-error", 400, 0), ("duplicate-race", 400, 1)],
)
def test_a_fault_answers_and_does_what_it_says(
    fulfil: Fulfil, session: Session, fault: str, status: int, returns: int
) -> None:
    fulfil.faults.plan(fault, "return_order", number="RET-1")
    assert session.put(RETURN, wish(ONE)).status == status
    assert len(fulfil.books()["returns"]) == returns
    assert session.put(RETURN, wish(ONE)).status == 200
    assert len(fulfil.books()["returns"]) == 1


@pytest.mark.parametrize(("fault", "raised"), [("timeout-after", Hang), ("drop-after", Drop), ("late", Hang)])
def test_a_fault_without_an_answer_has_its_effect(
    fulfil: Fulfil, session: Session, clock: HandClock, fault: str, raised: type[Exception]
) -> None:
    fulfil.faults.plan(fault, "return_order", seconds=20)
    with pytest.raises(raised):
        session.put(RETURN, wish(ONE))
    clock.pass_time(20)
    assert len(fulfil.books()["returns"]) == 1


def test_a_new_return_may_hide_from_searches(fulfil: Fulfil, session: Session, clock: HandClock) -> None:
    fulfil.faults.plan("search-lag", "return_order", seconds=20)
    session.put(RETURN, wish(ONE))
    search = ("model/sale.sale/search", [[["channel_identifier", "=", "RET-1"]]])
    assert session.put(*search).words == []
    clock.pass_time(20)
    assert session.put(*search).words == [2]


def test_a_recalculated_return_differs_by_little(fulfil: Fulfil, session: Session) -> None:
    fulfil.faults.plan("recalculated", "return_order")
    session.put(RETURN, wish(ONE))
    assert fulfil.books()["sales"][1]["total"] in ("-53.99", "-53.98")


def test_returns_are_driven_over_http(session: Session) -> None:
    session.put(RETURN, wish(ONE))
    assert session.get("/_sandbox/returns").words[0]["lines"] == [[SKU, 1.0]]
    assert session.post("/_sandbox/returns/RET-1/receive", {"quantities": {SKU: 1}}).words == [1]
    assert session.post("/_sandbox/returns/1/inspect", {"dispositions": {SKU: "quarantine"}}).words == [1]
    assert session.post("/_sandbox/returns/1/inspect").status == 400
    assert session.get("/_sandbox/books").words["returns"][0]["dispositions"] == [[SKU, 1.0, "quarantine"]]

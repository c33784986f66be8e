"""What sales and shipments of Fulfil's sandbox may become."""

import pytest

from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"


@pytest.fixture
def fulfil() -> Fulfil:
    return Fulfil(RealClock())


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    return Session(fulfil.app)


def state(session: Session, path: str = "sale.sale/1", field: str = "state") -> str:
    return str(session.get(f"model/{path}?fields={field}").value[field])


def test_a_sale_made_by_hand_walks_from_draft_to_processing(session: Session) -> None:
    lines = [["create", [{"product": 1, "quantity": 3}]]]
    session.put("model/sale.sale/create", [[{"channel": 1, "warehouse": 66, "lines": lines}]])
    for method, target in [("quote", "quotation"), ("confirm", "confirmed"), ("process", "processing")]:
        assert session.put(f"model/sale.sale/{method}", [[1]]).status == 200
        assert state(session) == target
    (shipment,) = session.put(
        "model/stock.shipment.out/search_read", [[], 0, 5, None, ["warehouse", "total_quantity"]]
    ).value
    assert (shipment["warehouse"], shipment["total_quantity"]) == (66, 3.0)


def test_a_step_that_the_state_does_not_allow_is_refused(session: Session) -> None:
    session.put("model/sale.sale/create", [[{"channel": 1}]])
    answer = session.put("model/sale.sale/process", [[1]])
    assert answer.status == 400
    assert "draft" in answer.words["message"]
    assert state(session) == "draft"


def test_a_step_that_the_state_does_not_allow_is_ignored_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.wrong_transition = "ignore"
    session.put("model/sale.sale/create", [[{"channel": 1}]])
    assert session.put("model/sale.sale/process", [[1]]).status == 200
    assert state(session) == "draft"


def test_several_sales_move_together_or_not_at_all(session: Session) -> None:
    session.put("model/sale.sale/create", [[{"channel": 1}, {"channel": 1}]])
    session.put("model/sale.sale/2/cancel")
    assert session.put("model/sale.sale/quote", [[1, 2]]).status == 400
    assert state(session) == "draft"
    assert session.put("model/sale.sale/2/draft").status == 200
    assert session.put("model/sale.sale/quote", [[1, 2]]).status == 200


def test_a_process_that_fails_halfway_leaves_no_shipment(session: Session) -> None:
    lines = [["create", [{"product": 1, "quantity": 1}]]]
    session.put("model/sale.sale/create", [[{"channel": 1, "lines": lines}, {"channel": 1}]])
    session.put("model/sale.sale/quote", [[1]])
    session.put("model/sale.sale/confirm", [[1]])
    assert session.put("model/sale.sale/process", [[1, 2]]).status == 400
    assert session.get("model/sale.sale/1").value["shipments"] == []
    assert session.put("model/stock.shipment.out/search_count", [[]]).words == 0
    assert session.put("model/sale.sale/process", [[1]]).status == 200
    assert session.get("model/sale.sale/1").value["shipments"] == [2]


def test_a_processing_sale_is_cancelled_after_its_shipments(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    answer = session.put("model/sale.sale/1/cancel")
    assert answer.status == 400
    assert "CS00001" in answer.words["message"]
    assert session.put("model/stock.shipment.out/1/cancel").status == 200
    assert state(session, field="shipment_state") == "exception"
    assert session.put("model/sale.sale/cancel", [[1]]).status == 200
    assert state(session) == "cancel"


@pytest.mark.parametrize("rule", ["never", "always"])
def test_cancelling_a_processing_sale_follows_the_switch(fulfil: Fulfil, session: Session, rule: str) -> None:
    fulfil.switches.change({"cancel_processing": rule})
    session.put(CREATE, [1, order("1")])
    assert session.put("model/sale.sale/1/cancel").status == (200 if rule == "always" else 400)
    assert state(session, "stock.shipment.out/1") == ("cancel" if rule == "always" else "waiting")


def test_a_packed_shipment_keeps_its_sale_alive(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    fulfil.pack(1)
    assert state(session, "stock.shipment.out/1") == "packed"
    assert session.put("model/stock.shipment.out/1/cancel").status == 400
    assert session.put("model/sale.sale/1/cancel").status == 400
    fulfil.switches.cancel_processing = "always"
    assert session.put("model/sale.sale/1/cancel").status == 400
    assert state(session) == "processing"


def test_a_sale_is_done_when_everything_is_shipped(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    fulfil.pack(1)
    fulfil.ship(1, tracking=("TRACK-1",))
    assert state(session) == "done"
    assert state(session, field="shipment_state") == "sent"
    fields = ["state", "tracking_number", "tracking_number.tracking_number", "effective_date"]
    (shipment,) = session.put("model/stock.shipment.out/read", [[1], fields]).value
    assert shipment["tracking_number"] == 1
    assert shipment["tracking_number.tracking_number"] == "TRACK-1"
    assert shipment["effective_date"] is not None


def test_a_shipment_can_be_held(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    session.put("model/stock.shipment.out/hold", [[1], "payment review"])
    assert session.put("model/stock.shipment.out/search", [[["on_hold", "=", True]]]).value == [1]
    session.put("model/stock.shipment.out/unhold", [[1], ""])
    assert session.put("model/stock.shipment.out/search", [[["on_hold", "=", True]]]).value == []


def test_a_sale_processed_again_keeps_its_shipments(session: Session, fulfil: Fulfil) -> None:
    session.put(CREATE, [1, order("1")])
    fulfil.ship(1)
    assert session.put("model/sale.sale/process", [[1]]).status == 200
    assert session.put("model/stock.shipment.out/search_count", [[]]).words == 1


def test_a_method_on_a_sale_that_is_not_there_is_404(session: Session) -> None:
    assert session.put("model/sale.sale/7/cancel").status == 404
    assert session.put("model/sale.sale/cancel", [[7]]).status == 404

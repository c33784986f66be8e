"""Partial shipments, parcels, tracking and new labels in Fulfil's sandbox."""

from datetime import UTC, datetime

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"
ITEMS = (("LS101NVS", 3, "45.00"), ("LS102NVM", 1, "59.00"))


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def fulfil(clock: HandClock) -> Fulfil:
    return Fulfil(clock)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    session = Session(fulfil.app)
    assert session.put(CREATE, [1, order("centra-1", *ITEMS)]).status == 200
    return session


def test_a_part_ships_and_the_remainder_is_another_shipment_of_the_sale(fulfil: Fulfil, session: Session) -> None:
    assert fulfil.ship(1, {"LS101NVS": 2}) == [1]
    first, second = fulfil.books()["shipments"]
    assert first["lines"] == [("LS101NVS", 2.0, "sale.line,1", "done")]
    assert second["lines"] == [("LS101NVS", 1.0, "sale.line,1", "draft"), ("LS102NVM", 1.0, "sale.line,2", "draft")]
    assert (first["state"], second["state"], second["sales"]) == ("done", "waiting", [1])
    sale = session.get("model/sale.sale/1").value
    assert (sale["shipments"], sale["state"], sale["shipment_state"]) == ([1, 2], "processing", "waiting")
    assert sorted(sale["moves"]) == [1, 2, 3]
    assert fulfil.ship("centra-1") == [2]
    assert fulfil.books()["sales"][0]["state"] == "done"


def test_a_sale_ships_in_three_parts_by_its_key_or_number(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship("centra-1", {"LS101NVS": 1})
    fulfil.ship("SO00001", {1: 1})
    fulfil.ship("CS00003", {"LS101NVS": 1, "LS102NVM": 1})
    shipped = [line[:2] for row in fulfil.books()["shipments"] for line in row["lines"]]
    assert sorted(shipped) == [("LS101NVS", 1.0), ("LS101NVS", 1.0), ("LS101NVS", 1.0), ("LS102NVM", 1.0)]
    assert fulfil.books()["sales"][0]["shipment_state"] == "sent"


def test_more_than_there_is_cannot_ship(fulfil: Fulfil, session: Session) -> None:
    with pytest.raises(ValueError, match="LS102NVM"):
        fulfil.ship("centra-1", {"LS102NVM": 2})
    with pytest.raises(ValueError, match="centra-2"):
        fulfil.ship("centra-2")


def test_each_parcel_has_its_tracking_and_the_first_is_the_master(fulfil: Fulfil, session: Session) -> None:
    fulfil.ship(1, tracking=("1ZA", "1ZB"), carrier_service="royal-mail-24")
    fields = ["tracking_number.tracking_number", "tracking_number.tracking_url", "carrier.name", "carrier_service.code"]
    (row,) = session.put("model/stock.shipment.out/read", [[1], fields]).words
    assert row["tracking_number.tracking_number"] == "1ZA"
    assert row["tracking_number.tracking_url"].endswith("/1ZA")
    assert (row["carrier.name"], row["carrier_service.code"]) == ("Royal Mail", "royal-mail-24")
    packages = session.get("model/stock.shipment.out/1").words["packages"]
    names = ["code", "moves", "tracking_number.tracking_number", "tracking_number.is_master"]
    assert [
        (p["tracking_number.tracking_number"], p["tracking_number.is_master"], p["moves"])
        for p in session.put("model/stock.package/read", [packages, names]).words
    ] == [("1ZA", True, [1]), ("1ZB", False, [2])]
    assert session.put("model/stock.shipment.out/read", [[1], ["packages.code"]]).status == 400
    domain = [["packages.tracking_number.tracking_number", "=", "1ZB"]]
    assert session.put("model/stock.shipment.out/search", [domain]).words == [1]
    assert session.put("model/stock.shipment.out/search", [[["moves.product.code", "=", "LS102NVM"]]]).words == [1]


def test_a_new_label_after_shipping_touches_the_shipment(fulfil: Fulfil, session: Session, clock: HandClock) -> None:
    fulfil.ship(1, tracking=("1ZA",))
    before = session.get("model/stock.shipment.out/1").value["write_date"]
    clock.pass_time(60)
    fulfil.relabel(1, ("1ZB",), "royal-mail-24")
    shipment = session.get("model/stock.shipment.out/1").value
    assert (shipment["state"], shipment["tracking_number"]) == ("done", 2)
    assert shipment["write_date"] > before
    states = session.put("model/shipment.tracking/search_read", [[], 0, 9, None, ["tracking_number", "state"]]).words
    assert [(row["tracking_number"], row["state"]) for row in states] == [("1ZA", "cancelled"), ("1ZB", "in_transit")]
    clock.pass_time(60)
    fulfil.void("centra-1")
    assert session.get("model/stock.shipment.out/1").value["tracking_number"] is None
    assert fulfil.books()["shipments"][0]["tracking"] == []


def test_a_packed_shipment_without_tracking_is_ready_for_a_label(fulfil: Fulfil, session: Session) -> None:
    fulfil.pack(1)
    domain = [["state", "=", "packed"], ["tracking_number", "=", None]]
    assert session.put("model/stock.shipment.out/search", [domain]).words == [1]


def test_picking_is_told(session: Session) -> None:
    for method, status in (("assign", None), ("start_picking", "in-progress"), ("done_picking", "done")):
        assert session.put(f"model/stock.shipment.out/{method}", [[1]]).status == 200
        assert session.get("model/stock.shipment.out/1").words["picking_status"] == status
    assert session.put("model/stock.shipment.out/wait", [[1]]).status == 200
    assert session.get("model/stock.move/1").words["state"] == "draft"


def test_split_takes_the_listed_moves_into_another_shipment(session: Session, fulfil: Fulfil) -> None:
    day = {"__class__": "date", "iso_string": "2026-03-09"}
    answer = session.put("model/stock.shipment.out/split", [1, [{"id": 1, "quantity": 1}], day])
    assert (answer.status, answer.words) == (200, 2)
    old, new = fulfil.books()["shipments"]
    assert [line[:2] for line in old["lines"]] == [("LS101NVS", 2.0), ("LS102NVM", 1.0)]
    assert [line[:2] for line in new["lines"]] == [("LS101NVS", 1.0)]
    assert session.get("model/stock.shipment.out/2").value["planned_date"].isoformat() == "2026-03-09"
    assert session.put("model/stock.shipment.out/1/split", [[{"id": 2, "quantity": 1}]]).words == 3


@pytest.mark.parametrize("pieces", [[{"id": 1, "quantity": 4}], [{"id": 9, "quantity": 1}], [{"id": 1, "quantity": 0}]])
def test_a_split_that_makes_no_sense_is_refused(session: Session, pieces: list[dict[str, int]]) -> None:
    assert session.put("model/stock.shipment.out/split", [1, pieces]).status == 400
    whole = [{"id": 1, "quantity": 3}, {"id": 2, "quantity": 1}]
    assert session.put("model/stock.shipment.out/split", [1, whole]).status == 400
    session.put("model/stock.shipment.out/1/cancel")
    assert session.put("model/stock.shipment.out/split", [1, [{"id": 1, "quantity": 1}]]).status == 400


def test_a_sale_from_two_warehouses_ships_from_both(fulfil: Fulfil) -> None:
    document = order("2", *ITEMS)
    document["sale_lines"][1]["warehouse"] = 65
    session = Session(fulfil.app)
    session.put(CREATE, [1, document])
    assert fulfil.ship("2", tracking=("A", "B")) == [1, 2]
    assert [row["tracking_number"] for row in fulfil.books()["shipments"]] == ["A", "B"]


def test_the_warehouse_can_be_driven_over_http(session: Session) -> None:
    assert session.get("/_sandbox/shipments").words[0]["lines"] == [["LS101NVS", 3.0], ["LS102NVM", 1.0]]
    answer = session.post("/_sandbox/shipments/centra-1/ship", {"lines": {"LS101NVS": 1}, "tracking": ["1ZA"]})
    assert (answer.status, answer.words) == (200, [1])
    assert session.post("/_sandbox/shipments/1/relabel", {"tracking": ["1ZB"]}).status == 200
    assert session.post("/_sandbox/shipments/1/void").status == 200
    assert session.post("/_sandbox/shipments/centra-9/ship").status == 400
    assert session.post("/_sandbox/counts", {"sku": "LS101NVS", "quantity": 7, "warehouse": "LON"}).words == {"id": 1}
    assert session.post("/_sandbox/receipts", {"sku": "LS101NVS", "quantity": 3, "warehouse": 4}).status == 200
    stock = session.get("/_sandbox/books").words["stock"]["LS101NVS"]
    assert stock["by_warehouse"]["LON"] == {"on_hand": 10.0, "available": 8.0}

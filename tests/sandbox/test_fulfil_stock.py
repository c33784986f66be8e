"""Levels, moves, counts and bundles of Fulfil's sandbox."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"
LEVELS = ["quantity_on_hand", "quantity_available", "quantity_buildable"]
SKU, BUNDLE = "LS101NVS", "BX501ST1"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def fulfil(clock: HandClock) -> Fulfil:
    return Fulfil(clock)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    return Session(fulfil.app)


def levels(session: Session, sku: str = SKU, context: str = "") -> tuple[float, float, float]:
    path = f"model/product.product/search_read{context}"
    (row,) = session.put(path, [[["code", "=", sku]], 0, 1, None, LEVELS]).words
    return tuple(row[name] for name in LEVELS)  # type: ignore[return-value]  # as many as named


def test_a_warehouse_opens_with_stock_and_a_sum_over_all_is_the_default(session: Session) -> None:
    assert levels(session) == (20000.0, 20000.0, 0.0)
    assert levels(session, context='?context={"locations":[4]}') == (5000.0, 5000.0, 0.0)
    assert levels(session, context='?context={"locations":[4,65]}') == (10000.0, 10000.0, 0.0)


def test_quantities_travel_as_plain_numbers(session: Session) -> None:
    (row,) = session.put("model/product.product/read", [[1], LEVELS]).words
    assert row == {"id": 1, "quantity_on_hand": 20000.0, "quantity_available": 20000.0, "quantity_buildable": 0.0}
    assert all(isinstance(row[name], float) for name in LEVELS)


def test_inventory_by_place_is_a_map_of_maps_with_text_for_keys(session: Session) -> None:
    answer = session.put("model/product.product/get_product_inventory", [[1, 2], [4, 402]])
    level = {"quantity_on_hand": 5000.0, "quantity_available": 5000.0}
    assert answer.words == {"1": {"4": level, "402": level}, "2": {"4": level, "402": level}}
    assert session.put("model/product.product/get_product_inventory", [[999], [4]]).status == 404


def test_a_processing_sale_reserves_and_a_shipped_one_takes(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1", (SKU, 3, "45.00"))])
    assert levels(session, context='?context={"locations":[4]}') == (5000.0, 4997.0, 0.0)
    fulfil.ship(1)
    assert levels(session, context='?context={"locations":[4]}') == (4997.0, 4997.0, 0.0)


@pytest.mark.parametrize("fault", ["channel-exception", None])
def test_a_draft_sale_reserves_nothing(fulfil: Fulfil, session: Session, fault: str | None) -> None:
    fulfil.switches.process = "stay-draft" if fault is None else "at-once"
    session.put(CREATE, [1, order("1")], **({"HTTP_X_SANDBOX_FAULT": fault} if fault else {}))
    assert levels(session) == (20000.0, 20000.0, 0.0)


def test_a_confirmed_sale_reserves_before_it_has_moves(session: Session) -> None:
    bundle = session.put("model/product.product/search", [[["code", "=", BUNDLE]]]).words[0]
    lines = [["create", [{"product": 1, "quantity": 3}, {"product": bundle, "quantity": 2}]]]
    session.put("model/sale.sale/create", [[{"channel": 1, "warehouse": 65, "lines": lines}]])
    session.put("model/sale.sale/quote", [[1]])
    assert levels(session)[1] == 20000.0
    session.put("model/sale.sale/confirm", [[1]])
    assert levels(session, context='?context={"locations":[65]}')[:2] == (5000.0, 4997.0)
    assert levels(session, "LS106NVM")[1] == 19996.0
    session.put("model/sale.sale/process", [[1]])
    assert levels(session)[1] == 19997.0
    assert levels(session, "LS106NVM")[1] == 19996.0


def test_a_cancelled_shipment_gives_back_what_it_held(session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    session.put("model/stock.shipment.out/1/cancel")
    assert levels(session)[1] == 20000.0


def test_available_may_be_negative(fulfil: Fulfil, session: Session) -> None:
    fulfil.adjust(SKU, 1, "LON")
    session.put(CREATE, [1, order("1", (SKU, 3, "45.00"))])
    assert levels(session, context='?context={"locations":[4]}') == (1.0, -2.0, 0.0)


def test_a_bundle_holds_nothing_and_takes_its_components(fulfil: Fulfil, session: Session) -> None:
    assert levels(session, BUNDLE) == (0.0, 0.0, 4 * 2500.0)
    session.put(CREATE, [1, order("1", (BUNDLE, 2, "129.00"))])
    assert levels(session, BUNDLE) == (0.0, 0.0, 3 * 2500.0 + 2498.0)
    assert levels(session, "LS104NVM")[:2] == (20000.0, 19998.0)
    assert levels(session, "LS106NVM")[:2] == (20000.0, 19996.0)
    fulfil.ship(1)
    assert levels(session, "LS106NVM")[:2] == (19996.0, 19996.0)
    assert levels(session, BUNDLE)[:2] == (0.0, 0.0)
    (bom,) = session.get("model/product.product?code=BX501ST1&fields=boms").words[0]["boms"]
    fields = ["product.code", "quantity"]
    parts = session.put("model/production.bom.input/search_read", [[["bom", "=", bom]], 0, 9, None, fields]).words
    assert [(part["product.code"], part["quantity"]) for part in parts] == [("LS104NVM", 1.0), ("LS106NVM", 2.0)]


def test_moves_tell_which_products_changed_since(fulfil: Fulfil, session: Session, clock: HandClock) -> None:
    def changed_since(moment: datetime) -> list[str]:
        stamp = {"__class__": "datetime", "iso_string": moment.isoformat()}
        domain = ["OR", [["write_date", ">", stamp]], [["create_date", ">", stamp]]]
        rows = session.put("model/stock.move/search_read", [domain, 0, 500, [["id", "ASC"]], ["product.code"]]).words
        return sorted({row["product.code"] for row in rows})

    start = clock.now()
    clock.pass_time(10)
    session.put(CREATE, [1, order("1", (SKU, 1, "45.00"), (BUNDLE, 1, "129.00"))])
    assert changed_since(start) == [BUNDLE, SKU, "LS104NVM", "LS106NVM"]
    assert changed_since(clock.now()) == []
    ordered = clock.now()
    clock.pass_time(10)
    fulfil.ship(1)
    assert changed_since(ordered) == [BUNDLE, SKU, "LS104NVM", "LS106NVM"]
    clock.pass_time(10)
    fulfil.receive_goods("LS102NVS", 5, 65)
    fulfil.adjust("LS103NVS", 4999, 65)
    assert changed_since(datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)) == ["LS102NVS", "LS103NVS"]
    stamp = {"__class__": "datetime", "iso_string": "2026-03-01T12:00:25"}
    assert session.put("model/product.product/search_count", [[["last_stock_change", ">", stamp]]]).words == 2


def test_an_outgoing_move_says_where_from_and_what_for(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1", (SKU, 2, "45.00"))])
    fields = [
        "product.code",
        "quantity",
        "state",
        "origin",
        "shipment",
        "from_location.parent.code",
        "to_location.type",
    ]
    (move,) = session.put("model/stock.move/search_read", [[], 0, 9, None, fields]).words
    assert move == {
        "id": 1,
        "product.code": SKU,
        "quantity": 2.0,
        "state": "draft",
        "origin": "sale.line,1",
        "shipment": "stock.shipment.out,1",
        "from_location.parent.code": "LON",
        "to_location.type": "customer",
    }
    session.put("model/stock.shipment.out/assign", [[1]])
    assert session.get("model/stock.move/1?fields=state").words["state"] == "assigned"
    fulfil.ship(1)
    move = session.get("model/stock.move/1").value
    assert (move["state"], move["effective_date"].isoformat()) == ("done", "2026-03-01")
    domain: list[Any] = [["shipment.state", "=", "done", "stock.shipment.out"]]
    assert session.put("model/stock.move/search", [domain]).words == [1]


def test_a_count_sets_what_lies_in_storage(fulfil: Fulfil, session: Session) -> None:
    lines = [["create", [{"product": 1, "quantity": 4990}, {"product": 2, "quantity": 5003}]]]
    count = {"location": 4, "lost_found": 9003, "type": "cycle", "lines": lines}
    (id,) = session.put("model/stock.inventory/create", [[count]]).words
    assert session.put(f"model/stock.inventory/{id}/complete").status == 200
    assert session.get("model/stock.inventory.line/1").words["expected_quantity"] == 5000.0
    assert levels(session)[0] == 20000.0
    assert session.put("model/stock.inventory/confirm", [[id]]).status == 200
    assert levels(session)[0] == 19990.0
    assert fulfil.books()["stock"]["LS101NVM"]["by_warehouse"]["LON"] == {"on_hand": 5003.0, "available": 5003.0}
    assert session.put(f"model/stock.inventory/{id}/confirm").status == 400


def test_a_product_may_not_be_counted_twice(session: Session) -> None:
    lines = [["create", [{"product": 1, "quantity": 1}, {"product": 1, "quantity": 2}]]]
    session.put("model/stock.inventory/create", [[{"location": 4, "lines": lines}]])
    answer = session.put("model/stock.inventory/1/confirm")
    assert answer.status == 400
    assert "twice" in answer.words["message"]
    assert levels(session)[0] == 20000.0


def test_stock_is_moved_by_hand_with_the_methods_of_a_move(fulfil: Fulfil, session: Session) -> None:
    move = {"product": 1, "quantity": 7, "from_location": 402, "to_location": 403}
    session.put("model/stock.move/create", [[move]])
    assert levels(session)[:2] == (20000.0, 19993.0)
    assert session.put("model/stock.move/do", [[1]]).status == 200
    for words in ({"state": "draft"}, {"quantity": 9}):
        assert session.put("model/stock.move/1", words).status == 400
    assert session.put("model/stock.move/create", [[{"product": 1}]]).status == 400
    book = fulfil.books()["stock"][SKU]
    assert (book["on_hand"], book["available"], book["quarantine"]) == (20000.0, 19993.0, 7.0)


def test_a_refused_act_leaves_the_levels_as_they_were(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1", (SKU, 3, "45.00"))])
    before = fulfil.books()["stock"]
    with pytest.raises(ValueError, match="not enough"):
        fulfil.ship(1, {SKU: 4})
    with pytest.raises(ValueError, match="no warehouse"):
        fulfil.adjust(SKU, 1, "XX")
    with pytest.raises(ValueError, match="no product"):
        fulfil.adjust("nothing", 1, 4)
    assert fulfil.books()["stock"] == before
    assert fulfil.books()["shipments"][0]["state"] == "waiting"


def test_the_books_agree_with_what_the_api_says(fulfil: Fulfil, session: Session) -> None:
    for number in range(4):
        session.put(CREATE, [1, order(str(number), (SKU, 3, "45.00"), (BUNDLE, 1, "129.00"))])
    fulfil.ship(2)
    fulfil.ship(3, {SKU: 1})
    for sku, book in fulfil.books()["stock"].items():
        assert (book["on_hand"], book["available"], book["buildable"]) == levels(session, sku)


def test_a_place_knows_what_of_one_product_lies_there(session: Session) -> None:
    rows = session.get('model/stock.location?ids=4,402,403&fields=quantity_on_hand&context={"product":1}').words
    assert [(row["id"], row["quantity_on_hand"]) for row in rows] == [(4, 5000.0), (402, 5000.0), (403, 0.0)]

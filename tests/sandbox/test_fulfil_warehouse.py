"""The warehouse that works by itself: everything ends, nothing is lost, and a seed is a day."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from integration.sandbox import catalogue
from integration.sandbox.clock import HandClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order
from integration.sandbox.warehouse import Habits, Warehouse

BUSY = Habits(in_parts=0.5, in_parcels=0.4, relabelled=0.4, arrives_in_parts=0.4, mixed=0.4, goods_in=0.1)


def day(seed: int, habits: Habits = BUSY) -> tuple[Fulfil, list[str]]:
    """Forty orders, shipped; then half of their shirts and all their sets come back."""
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    fulfil = Fulfil(clock)
    session, warehouse = Session(fulfil.app), Warehouse(fulfil, Random(seed), clock, 60, habits)
    for number in range(40):
        document = order(str(number), ("LS101NVS", 4, "45.00"), ("BX501ST1", 2, "129.00"))
        assert session.put("model/sale.channel/create_order", [1, document]).status == 200
    said = looks(clock, warehouse.step, 1000)
    assert {sale["state"] for sale in fulfil.books()["sales"]} == {"done"}
    for sale in fulfil.books()["sales"]:
        ids = session.get(f"model/sale.sale/{sale['id']}?fields=lines").words["lines"]
        lines = [{"order_line_id": ids[0], "return_quantity": 2}, {"order_line_id": ids[1]}]
        form = [{"channel_identifier": f"R{sale['id']}", "reference": "r", "lines": lines}]
        assert session.put(f"model/sale.sale/{sale['id']}/return_order", form).status == 200
    return fulfil, said + looks(clock, warehouse.step, 2500)


def looks(clock: HandClock, step: Callable[[], list[str]], times: int) -> list[str]:
    said: list[str] = []
    for _ in range(times):
        clock.pass_time(1)
        said += step()
    return said


@pytest.mark.parametrize("seed", range(3))
def test_everything_is_shipped_and_put_away_and_nothing_is_lost(seed: int) -> None:
    fulfil, _ = day(seed)
    books = fulfil.books()
    assert {row["state"] for row in (*books["sales"], *books["shipments"], *books["returns"])} == {"done"}
    moved = Counter[str]()
    for row in books["shipments"]:
        for sku, quantity, _, _ in row["lines"]:
            moved[sku] -= quantity
    assert moved == {"LS101NVS": -160, "BX501ST1": -80}
    moved.clear()
    for row in books["returns"]:
        for sku, quantity, word in row["dispositions"]:
            moved[f"{sku} {word}"] += quantity
    back: dict[str, Any] = {sku: sum(n for key, n in moved.items() if sku in key) for sku in ("LS101NVS", "BX501ST1")}
    assert back == {"LS101NVS": 80, "BX501ST1": 80}
    total = sum(float(invoice["total"]) for invoice in books["invoices"])
    assert total == pytest.approx(40 * (2 * 45 + 4) * 1.2)
    for sku, parts in (("LS101NVS", {"LS101NVS": 1}), ("BX501ST1", {"LS104NVM": 1, "LS106NVM": 2})):
        for part, each in parts.items():
            book = books["stock"][part]
            assert book["lost"] == moved[f"{sku} scrap"] * each
            assert book["quarantine"] == moved[f"{sku} quarantine"] * each
            assert book["input"] == 0
            assert book["on_hand"] - book["available"] == book["quarantine"]


def test_the_same_seed_is_the_same_day() -> None:
    (one, said), (other, again) = day(5), day(5)
    assert said == again
    assert one.books() == other.books()
    assert day(6)[1] != said


def test_all_of_its_habits_happen() -> None:
    fulfil, said = day(1)
    kinds = {text.split(" ")[0] + (" in part" if "in part" in text else "") for text in said}
    assert kinds == {"shipped", "shipped in part", "relabelled", "received", "received in part", "inspected"}
    shipments = fulfil.books()["shipments"]
    assert {len(row["tracking"]) for row in shipments} == {1, 2, 3}
    assert max(Counter(row["sales"][0] for row in shipments).values()) == BUSY.most_shipments
    words = {word for row in fulfil.books()["returns"] for _, _, word in row["dispositions"]}
    assert words == {"restock", "quarantine", "scrap"}


def test_what_is_held_or_cancelled_stays() -> None:
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    fulfil = Fulfil(clock)
    session, warehouse = Session(fulfil.app), Warehouse(fulfil, Random(1), clock, 60, Habits(goods_in=0))
    for number in range(2):
        session.put("model/sale.channel/create_order", [1, order(str(number))])
    session.put("model/stock.shipment.out/hold", [[1], "review"])
    warehouse.step()
    session.put("model/stock.shipment.out/cancel", [[2]])
    assert looks(clock, warehouse.step, 600) == []
    session.put("model/stock.shipment.out/unhold", [[1], ""])
    assert looks(clock, warehouse.step, 600)[0] == "shipped 1"


def test_it_works_by_itself_on_a_clock_until_it_stops() -> None:
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    fulfil = Fulfil(clock)
    warehouse = Warehouse(fulfil, Random(1), clock, 60)
    warehouse.start()
    session = Session(fulfil.app)
    session.put("model/sale.channel/create_order", [1, order("1")])
    clock.pass_time(400)
    assert fulfil.books()["sales"][0]["state"] == "done"
    warehouse.stop()
    session.put("model/sale.channel/create_order", [1, order("2")])
    clock.pass_time(800)
    assert fulfil.books()["sales"][1]["state"] == "processing"


def test_goods_come_in_now_and_then() -> None:
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    fulfil = Fulfil(clock)
    said = looks(clock, Warehouse(fulfil, Random(1), clock).step, 200)
    assert said
    plain = [sku for sku in catalogue.ERP_SKUS if not catalogue.GOODS[sku].is_bundle]
    assert sum(book["on_hand"] for book in fulfil.books()["stock"].values()) > len(plain) * 4 * catalogue.OPENING_STOCK

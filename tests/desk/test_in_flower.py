"""What the desk adds to Flower itself: navigation, dead-letter queues, metrics; and that it takes nothing away."""

import threading
from pathlib import Path
from typing import Any

import pytest
from desk.morning import WHO, Ledger
from desk.visitor import Desk, Visitor
from servers import wait_until

from tasks.desk import figures, overlay
from tasks.desk.figures import Figures, Reading


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker"])
def test_flowers_own_pages_lead_to_the_exceptions_and_say_how_many_there_are(visitor: Visitor, path: str) -> None:
    visitor.get("/metrics")  # takes a reading
    page = visitor.get(path)
    assert page.status == 200
    assert 'href="/exceptions"' in page.text
    assert "Exceptions 22" in page.words
    assert 'name="number"' in page.text
    assert "desk/desk.css" in page.text


def test_dead_letter_queues_are_in_the_broker_tab_with_their_length(visitor: Visitor, broker: Any) -> None:
    broker.lpush("stock.dlq", "a letter", "another")
    try:
        queues = visitor.get("/api/queues/length").text
        page = visitor.get("/broker").words
    finally:
        broker.delete("stock.dlq")
    assert '{"name": "stock.dlq", "messages": 2' in queues
    for lane in ("orders", "shipments", "returns", "stock", "finance"):
        assert f"{lane}.dlq" in page
    assert "stock.dlq 2" in page


def test_metrics_tell_what_the_alerts_ask_for_and_name_no_order_or_person(visitor: Visitor) -> None:
    told = Visitor(visitor.flower, None).get("/metrics").text
    for line in (
        'lockstep_open_exceptions{type="ORDER_MARKET_UNMAPPED"} 12.0',
        'lockstep_open_money_minor{currency="JPY",type="ORDER_DUPLICATE_SUSPECT"} 18400.0',
        'lockstep_lane_oldest_seconds{lane="orders"}',
        'lockstep_lane_due{lane="finance"} 0.0',
        'lockstep_orders{state="dead"}',
        'lockstep_dead_letters{lane="orders"} 0.0',
        'lockstep_heartbeat_age_seconds{process="sweep"}',
        'lockstep_breaker_open{system="fulfil"} 1.0',
        "lockstep_ledger_up 1.0",
        "flower_events_total",
    ):
        assert line in told
    assert "1002" not in told
    assert not [word for word in WHO.split(", ") if word in told]


def test_every_metric_of_the_alerts_exists() -> None:
    import re

    rules = (Path(__file__).parents[2] / "deploy/alerts.yaml").read_text()
    assert set(re.findall(r"lockstep_\w+", rules)) <= {*figures.HELP, "lockstep_ledger_up"}


def test_below_a_prefix_and_read_only_every_link_fits_and_nothing_can_be_changed(desk: Desk, start_flower: Any) -> None:
    flower = start_flower(desk.ledger, "--url_prefix=desk", "--read_only=true", prefix="/desk")
    visitor = Visitor(flower)
    board = visitor.get("/exceptions")
    assert 'href="/desk/exceptions/cause?type=' in board.text
    assert 'href="/exceptions' not in board.text
    assert visitor.get("/desk/desk.css").status == 200
    case = visitor.get(f"/exceptions/{desk.cases['address'][0]}")
    assert 'method="post"' not in case.text
    assert 'href="/desk/orders/brand/100277"' in case.text
    assert visitor.get("/orders?number=100277").goes_to == "/desk/orders/brand/100277"
    answer = visitor.post(f"/exceptions/{desk.cases['address'][0]}/replay")
    assert answer.status == 403
    assert "read-only" in answer.words
    assert desk.ledger.job("100277").state == "dead"


def test_without_its_ledger_the_desk_says_so_and_flower_goes_on(start_flower: Any, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    flower = start_flower(ledger, LOCKSTEP_DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    visitor = Visitor(flower)
    answer = visitor.get("/exceptions")
    assert answer.status == 503
    assert "run `lockstep migrate`" in answer.words
    assert visitor.get("/workers").status == 200
    metrics = visitor.get("/metrics").text
    assert "lockstep_ledger_up 0.0" in metrics
    assert "lockstep_orders{" not in metrics


def test_a_flower_whose_templates_moved_is_refused_by_name() -> None:
    with pytest.raises(overlay.UnknownFlower, match=r"navbar.html .* 0 times"):
        overlay._inserted("navbar.html", "<nav></nav>")


def test_the_ledger_is_asked_once_however_many_ask() -> None:
    gate, asked = threading.Event(), []

    def read(world: Any) -> Reading:
        asked.append(world)
        gate.wait(5)
        return Reading(3, {name: {} for name in figures.HELP})

    counting = Figures(lambda: None, read)
    assert counting.open_cases() == 0  # at once, though the ledger has not answered
    waits = [counting.refresh() for _ in range(20)]
    gate.set()
    for wait in waits:
        wait.result(5)
    wait_until(lambda: counting.open_cases() == 3, "the count is known")
    assert len(asked) == 1
    assert {metric.name for metric in counting.collect()} == {*figures.HELP, "lockstep_ledger_up"}


def test_figures_that_cannot_be_read_are_not_told_from_memory() -> None:
    answers = [Reading(3, {name: {("x",): 1.0} if name == "lockstep_orders" else {} for name in figures.HELP})]
    counting = Figures(lambda: None, lambda world: answers.pop())
    counting.refresh().result(5)
    assert counting.open_cases() == 3
    counting._taken_at = float("-inf")
    counting.refresh().result(5)
    told = {metric.name: metric.samples for metric in counting.collect()}
    assert told["lockstep_ledger_up"][0].value == 0
    assert not told["lockstep_orders"]

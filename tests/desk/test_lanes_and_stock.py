"""The Lanes and Stock pages: depth, age, pace and forecast; desired, pushed, read back and how stale."""

from datetime import UTC, datetime, timedelta

import pytest
from desk.visitor import Desk, Visitor
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from integration import outlook
from integration.budget import LANES, Quota
from integration.domain.order import Key
from integration.store import ledger, levels, schedule, spending
from integration.store.tables import level
from tasks.desk.lanes import CHART_HEIGHT, bars

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


@pytest.mark.parametrize("path", ["/lanes", "/stock"])
def test_nobody_sees_the_pages_without_a_name(desk: Desk, path: str) -> None:
    assert Visitor(desk.flower, None).get(path).status == 401


def test_the_lanes_page_shows_every_lane_in_order_of_precedence_with_its_forecast(visitor: Visitor) -> None:
    page = visitor.get("/lanes")
    assert page.status == 200
    body = page.text[page.text.index("<tbody>") :]
    places = [body.index(f"<strong>{lane}</strong>") for lane in LANES]
    assert places == sorted(places)
    assert page.text.count('desk-forecast">clear<') == len(LANES)
    assert page.text.count("desk-chart") == len(LANES)


def test_the_lanes_page_says_who_spends_the_budget_and_when_a_peak_is_declared(desk: Desk, visitor: Visitor) -> None:
    with desk.ledger.store.write("spent") as tx:
        schedule.set_peak(tx, on=True)
        slot = Quota("mutations", 1_800, timedelta(hours=1)).slot(tx.now)
        spending.add(tx, "brand", "stock", [("mutations/3600000ms", slot, 120)])
        spending.add(tx, "brand", "others", [("mutations/3600000ms", slot, 60)])
    page = visitor.get("/lanes")
    with desk.ledger.store.write("over") as tx:
        schedule.set_peak(tx, on=False)
    assert "Peak : sweeps and slow movers wait" in page.words
    assert "180 of 1,800, 10 %" in page.words
    assert "stock 120" in page.words
    assert "others 60" in page.words


def test_a_launch_is_counted_beside_the_lanes_and_its_story_is_found_by_its_sku(desk: Desk, visitor: Visitor) -> None:
    ledger.mark(desk.ledger.store, [Key("brand", "product", "CAP/1 M")], "operator")
    assert "1 launch going on" in visitor.get("/lanes").words
    answer = visitor.get("/orders?number=CAP%2F1%20M")
    assert (answer.status, answer.goes_to) == (303, "/orders/brand/CAP%2F1%20M?kind=product")
    assert "SKU CAP/1 M of brand is to be launched" in visitor.get(answer.goes_to).words
    assert visitor.get("/orders/brand/CAP%2F1%20M?kind=nonsense").status == 404


def test_a_sku_of_which_only_stock_is_known_is_found_there_too(desk: Desk, visitor: Visitor) -> None:
    with desk.ledger.store.write("stock") as tx:
        levels.add(tx, "fulfil", "1", ["COAT/1 M"])
    answer = visitor.get("/orders?number=COAT%2F1%20M")
    assert (answer.status, answer.goes_to) == (303, "/stock?sku=COAT/1%20M")
    assert visitor.get("/orders?number=COAT%2F2%20M").status == 404


def test_the_stock_page_shows_what_waits_first_and_finds_a_sku(desk: Desk, visitor: Visitor) -> None:
    with desk.ledger.store.write("stock") as tx:
        for sku, figure, pushed, shown, waits in (
            ("ABC-1", 5, 4, 4, None),
            ("ABC-2", 3, 1, 1, tx.now),
            ("XYZ-9", 7, 7, 7, None),
        ):
            levels.add(tx, "fulfil", "1", [sku])
            told = {"figure": figure, "unposted": 1, "buffer": 0, "desired": pushed, "pushed": pushed, "shown": shown}
            tx.execute(update(level).where(level.c.sku == sku).values(**told, state="shown", waits_since=waits))
    page = visitor.get("/stock")
    assert page.status == 200
    body = page.words[page.words.index("Standing") :]
    assert body.index("ABC-2") < body.index("ABC-1")
    assert "1 SKU on the way to the storefront" in page.words
    assert "ABC-2 warehouse 1, from fulfil" in page.words
    found = visitor.get("/stock?sku=ABC").words
    assert "ABC-1" in found
    assert "XYZ-9" not in found
    assert "No SKU begins like this" in visitor.get("/stock?sku=%3Cscript%3E").words


def test_a_forecast_says_when_the_backlog_is_clear_at_the_pace_of_the_last_ten_minutes() -> None:
    told = outlook.forecast(backlog=120, finished=60, now=NOON)
    assert told["clears_at"] == NOON + timedelta(minutes=20)
    assert told["words"] == "clears at 12:20 UTC"
    assert outlook.forecast(0, 60, NOON)["words"] == "clear"
    assert outlook.forecast(5, 0, NOON)["clears_at"] is None
    assert outlook.forecast(1_440, 10, NOON)["words"] == "clears at 12:00 UTC on 05 May"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_a_bar_is_never_taller_than_its_chart_and_stands_on_its_ground(finished: list[int]) -> None:
    for bar, count in zip(bars(finished), finished, strict=True):
        assert 0 <= bar.height <= CHART_HEIGHT
        assert abs(bar.y + bar.height - CHART_HEIGHT) < 0.01
        assert f"{count:,}" in bar.said

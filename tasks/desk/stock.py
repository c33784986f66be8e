"""The Stock page: what each SKU should show, what was pushed, what the storefront shows, and how stale that is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integration.store import stock_views
from integration.wiring import World
from tasks.desk import words
from tasks.desk.page import Page

PAGE = 100
AGES = ("under 1 min", "1 to 5 min", "5 to 15 min", "15 to 60 min", "over an hour")
STATES = {
    "hinted": "to be read",
    "read": "to be pushed",
    "pushed": "to be read back",
    "shown": "shown",
    "held": "held by the brake",
    "orphan": "unknown on one side",
}


@dataclass(frozen=True, slots=True)
class Level:
    """One SKU of one place, as words."""

    sku: str
    place: str
    connection: str
    figure: str
    unposted: str
    buffer: str
    desired: str
    pushed: str
    shown: str
    state: str
    waits: str
    urgency: str


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows; `ages` are (words, SKUs, share of the largest group in percent)."""

    standing: dict[str, int]
    ages: list[tuple[str, int, int]]
    levels: list[Level]
    text: str
    page: int
    more: bool


def read_stock(world: World, text: str, page: int) -> View:
    """The stock as the ledger has it now."""
    with world.store.read() as tx:
        rows = stock_views.listed(tx, text=text, limit=PAGE + 1, offset=PAGE * page)
        counted, standing, now = stock_views.ages(tx), stock_views.standing(tx), tx.now
    most = max([1, *counted])
    ages = [(AGES[place], count, round(100 * count / most)) for place, count in enumerate(counted)]
    return View(standing, ages, [_level(row, now) for row in rows[:PAGE]], text, page, len(rows) > PAGE)


def _level(row: Any, now: datetime) -> Level:
    waits = now - row.waits_since if row.waits_since else None
    differs = row.shown is not None and row.shown != row.desired
    return Level(
        sku=row.sku,
        place=row.place,
        connection=row.connection,
        figure=_shown(row.figure),
        unposted=_shown(row.unposted),
        buffer=_shown(row.buffer),
        desired=_shown(row.desired),
        pushed=_shown(row.pushed),
        shown=_shown(row.shown),
        state=STATES.get(row.state, row.state),
        waits=words.span(waits) if waits is not None else "up to date",
        urgency="late" if differs and waits is None else "soon" if waits is not None else "calm",
    )


def _shown(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


class StockPage(Page):
    """GET /stock"""

    async def get(self) -> None:
        view = await self.ask(read_stock, self.word("sku")[:128], self.number("page", 0))
        self.show("stock.html", view=view)

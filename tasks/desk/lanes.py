"""The Lanes page: depth, age, pace and forecast of every lane, its last hour as a chart, and who spends which budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integration import outlook
from integration.wiring import World
from tasks.desk import words
from tasks.desk.page import Page

MINUTES = 60
CHART_HEIGHT = 36
BAR_WIDTH = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of a chart, in the chart's own units; `said` is what a reader is told of it."""

    x: int
    y: float
    height: float
    said: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane as it is shown."""

    name: str
    backlog: int
    oldest: str
    resting: int
    dead: int
    pace: str
    forecast: str
    bars: list[Bar]
    most: int


@dataclass(frozen=True, slots=True)
class Budget:
    """One quota: `parts` are (who, units, share of the whole in percent, its place from the left)."""

    system: str
    measure: str
    used: str
    share: int
    parts: list[tuple[str, int, float, float]]


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    at: str
    peak: bool
    lanes: list[Lane]
    settling: list[str]
    catalogue: list[str]
    budgets: list[Budget]


def bars(finished: Sequence[int]) -> list[Bar]:
    """A minute a bar, the tallest as high as the chart."""
    most = max([1, *finished])
    found = []
    for place, count in enumerate(finished):
        height = round(CHART_HEIGHT * count / most, 1)
        ago = len(finished) - place
        said = f"{words.count(count, 'document')} {ago} min ago"
        found.append(Bar(place * (BAR_WIDTH + 1), CHART_HEIGHT - height, height, said))
    return found


def read_lanes(world: World) -> View:
    """The lanes as the ledger has them now."""
    told = outlook.outlook(world)
    with world.store.read() as tx:
        finished = outlook.history(tx, MINUTES)
    lanes = [_lane(row, finished[row["lane"]]) for row in told["lanes"]]
    settling = [
        f"{words.count(row['orders'], 'order')} for {row['amount']} to {row['connection']}, the next at"
        f" {words.instant(row['goes_at'])}"
        for row in told["settling"]
    ]
    catalogue = [lives["words"] for lives in told["catalogue"]]
    budgets = [_budget(row) for row in told["budgets"]]
    return View(words.instant(told["at"]), told["peak"], lanes, settling, catalogue, budgets)


def _lane(row: dict[str, Any], finished: Sequence[int]) -> Lane:
    age = row["oldest_seconds"]
    return Lane(
        name=row["lane"],
        backlog=row["backlog"],
        oldest=words.span(timedelta(seconds=age)) if age is not None else "–",
        resting=row["resting"],
        dead=row["dead"],
        pace=f"{row['per_minute']:g} a minute",
        forecast=row["words"],
        bars=bars(finished),
        most=max(finished),
    )


def _budget(row: dict[str, Any]) -> Budget:
    parts, at = [], 0.0
    for who, units in row["by_lane"].items():
        width = round(100 * units / row["units"], 1)
        parts.append((who, units, min(width, 100 - at), at))
        at = min(at + width, 100)
    window = words.span(timedelta(seconds=row["window_seconds"])) if row["window_seconds"] >= 60 else None
    return Budget(
        system=row["system"],
        measure=f"{row['measure']} in {window or str(row['window_seconds']) + ' s'}",
        used=f"{row['used']:,} of {row['units']:,}",
        share=round(100 * row["used"] / row["units"]),
        parts=parts,
    )


class LanesPage(Page):
    """GET /lanes"""

    async def get(self) -> None:
        view = await self.ask(read_lanes)
        self.show("lanes.html", view=view, height=CHART_HEIGHT, width=MINUTES * (BAR_WIDTH + 1), bar=BAR_WIDTH)

"""The Exceptions page: cards by cause, or single cases, with filters. Facts are read in a thread and shown as words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from integration.store import exceptions
from integration.wiring import World
from integration.wording import called
from mappings import Playbook
from tasks.desk import words
from tasks.desk.page import Page

PAGE = 100
STATES = (
    ("open", "Open"),
    ("acknowledged", "Open, taken by someone"),
    ("resolved", "Resolved"),
    ("all", "Open and resolved"),
)


@dataclass(frozen=True, slots=True)
class Card:
    """One cause as it is shown."""

    title: str
    cause: str
    size: str
    money: list[str]
    owner: str
    age: str
    urgency: str
    lateness: str
    act_by: str
    link: str


@dataclass(frozen=True, slots=True)
class Line:
    """One case as a row of the table."""

    link: str
    subject: str
    market: str
    title: str
    message: str
    money: str
    owner: str
    assignee: str
    urgency: str
    deadline: str
    snoozed: str


@dataclass(slots=True)
class Board:
    """All that the page shows. `asked` is what the address says: view, text, owner, type, cause, state, page."""

    base: str
    asked: dict[str, str]
    open: int = 0
    late: int = 0
    causes: int = 0
    money: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    types: list[tuple[str, str]] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    cases: list[Line] = field(default_factory=list)
    more: bool = False
    states: tuple[tuple[str, str], ...] = STATES

    @property
    def view(self) -> str:
        return self.asked["view"]

    @property
    def filtered(self) -> bool:
        return any(self.asked[name] for name in ("text", "owner", "type", "cause")) or self.asked["state"] != "open"

    def link(self, **changes: str) -> str:
        """This page with other filters; an empty one is left out."""
        told = {name: value for name, value in (self.asked | changes).items() if value}
        return f"{self.base}?{urlencode(told)}"

    @property
    def before(self) -> str:
        page = int(self.asked["page"])
        return self.link(page=str(page - 1)) if page else ""

    @property
    def after(self) -> str:
        return self.link(page=str(int(self.asked["page"]) + 1)) if self.more else ""


def read_board(world: World, base: str, asked: dict[str, str]) -> Board:
    """The board as the store has it now."""
    board = Board(base, asked)
    with world.store.read() as tx:
        now = tx.now
        everything = exceptions.by_cause(tx)
        if board.view == "causes":
            fitting = exceptions.by_cause(tx, text=asked["text"], owner=asked["owner"], type=asked["type"])
            fitting = [row for row in fitting if not asked["cause"] or row.cause == asked["cause"]]
            board.cards = _cards(fitting, world.playbook, base, now)
        else:
            wanted = {name: asked[name] for name in ("text", "owner", "cause", "type", "state")}
            rows = exceptions.listed(tx, **wanted, limit=PAGE + 1, offset=PAGE * int(asked["page"]))
            board.more = len(rows) > PAGE
            board.cases = [line(row, world.playbook, base, now) for row in rows[:PAGE]]
    _sum_up(board, everything, world.playbook, now)
    return board


def _sum_up(board: Board, rows: Sequence[Any], playbook: Playbook, now: datetime) -> None:
    board.open = sum(row.members for row in rows)
    board.causes = len({(row.type, row.cause) for row in rows})
    board.late = len({(row.type, row.cause) for row in rows if row.act_by < now})
    board.money = sums(rows)
    board.owners = sorted({row.owner for row in rows})
    board.types = sorted(((type, playbook.rule(type).title) for type in {row.type for row in rows}), key=lambda t: t[1])


def sums(rows: Iterable[Any]) -> list[str]:
    """Money at risk per currency, as words, largest figure first."""
    total: Counter[str] = Counter()
    for row in rows:
        total[row.currency] += int(row.money_minor)
    told = ((currency, minor) for currency, minor in total.most_common() if currency and minor)
    return [words.money(minor, currency) for currency, minor in told]


def _cards(rows: Sequence[Any], playbook: Playbook, base: str, now: datetime) -> list[Card]:
    """Rows per (type, cause, currency, owner) as one card per cause, the nearest deadline first."""
    grouped: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        grouped.setdefault((row.type, row.cause), []).append(row)
    return [_card(group, playbook, base, now) for group in grouped.values()]


def _card(group: Sequence[Any], playbook: Playbook, base: str, now: datetime) -> Card:
    first, members = group[0], sum(row.members for row in group)
    act_by = min(row.act_by for row in group)
    alone = f"{base}/{first.first_id}"
    many = f"{base}/cause?{urlencode({'type': first.type, 'cause': first.cause})}"
    return Card(
        title=playbook.rule(first.type).title,
        cause=first.cause,
        size=words.count(members, "order" if any(row.currency for row in group) else "case"),
        money=sums(group),
        owner=words.listed(sorted({row.owner for row in group})),
        age=words.span(now - min(row.opened_at for row in group)),
        urgency=words.urgency(act_by, now),
        lateness=words.lateness(act_by, now),
        act_by=words.instant(act_by),
        link=alone if members == 1 else many,
    )


def line(row: Any, playbook: Playbook, base: str, now: datetime) -> Line:
    """A case as a row of a table. `row` is of `exceptions.listed` or `members`."""
    resolved = row.state == "resolved"
    return Line(
        link=f"{base}/{row.id}",
        subject=f"{called(row.kind)} {row.number}" if row.number else f"Connection {row.connection}",
        market=row.market or row.instance or "",
        title=playbook.rule(row.type).title,
        message=row.message,
        money=words.money(row.money_minor, row.currency),
        owner=row.owner,
        assignee=row.assignee,
        urgency="calm" if resolved else words.urgency(row.act_by, now),
        deadline=f"resolved {words.instant(row.resolved_at)}" if resolved else words.lateness(row.act_by, now),
        snoozed=words.instant(row.snoozed_until) if row.snoozed_until and row.snoozed_until > now else "",
    )


class ExceptionsPage(Page):
    """GET /exceptions"""

    async def get(self) -> None:
        asked = {name: self.word(name) for name in ("text", "owner", "type", "cause")}
        state = self.word("state", "open")
        asked["state"] = state if state in dict(STATES) else "open"
        single = self.word("view") == "cases" or asked["state"] != "open"
        asked |= {"view": "cases" if single else "causes", "page": str(self.number("page", 0))}
        board = await self.ask(read_board, self.reverse_url("exceptions"), asked)
        self.show("exceptions.html", board=board)

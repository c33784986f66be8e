"""One cause: its cases, and replay all of them, but first the plan."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tornado.web import HTTPError

from integration import casework
from integration.casework import CaseworkError
from integration.store import exceptions
from integration.wiring import World
from tasks.desk import words
from tasks.desk.board import Line, line, sums
from tasks.desk.page import Page

SHOWN = 200
"""Cases listed on the page of a cause; the plan lists every one."""


@dataclass(frozen=True, slots=True)
class Cause:
    """All that the page of a cause shows, but for the plan."""

    base: str
    link: str
    type: str
    cause: str
    title: str
    owner: str
    deputy: str
    meaning: str
    action: str
    verifier: str
    urgency: str
    deadline: str
    money: list[str]
    open: int
    cases: list[Line]
    replayable: bool


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """What a replay would do: the sum of it, one line per order, and the token that stands for exactly this.

    `batch` is for two people to compare; it is empty where one may do it alone.
    """

    summary: str
    lines: list[tuple[str, str]]
    ids: str
    token: str
    moves: int
    batch: str


def read_cause(world: World, base: str, type: str, cause: str) -> Cause:
    """The open cases of a cause. Raises 404 when there is none: it was dealt with, or never was."""
    with world.store.read() as tx:
        now = tx.now
        rows: Sequence[Any] = exceptions.members(tx, type=type, cause=cause)
    if not rows:
        raise HTTPError(404, "No case of this cause is open any more.")
    rule = world.playbook.rule(type)
    act_by = min(row.act_by for row in rows)
    return Cause(
        base=base,
        link=f"{base}/cause?{urlencode({'type': type, 'cause': cause})}",
        type=type,
        cause=cause,
        title=rule.title,
        owner=words.listed(sorted({row.owner for row in rows})),
        deputy=rule.deputy,
        meaning=rule.meaning,
        action=rule.action,
        verifier=rule.verifier,
        urgency=words.urgency(act_by, now),
        deadline=words.lateness(act_by, now),
        money=sums(rows),
        open=len(rows),
        cases=[line(row, world.playbook, base, now) for row in rows[:SHOWN]],
        replayable=any(row.job_id is not None for row in rows),
    )


def read_plan(world: World, type: str, cause: str) -> ShownPlan:
    """What replaying all of them would do. Raises `CaseworkError`."""
    plan = casework.plan(world, type, cause)
    parts = [f"{words.count(count, 'order')}: {told}" for told, count in plan.counts.items()]
    return ShownPlan(
        summary=f"{words.listed(parts)}." if parts else "",
        lines=[(step.order or f"case {step.exception}", step.words) for step in plan.steps],
        ids=",".join(str(i) for i in plan.ids),
        token=plan.token,
        moves=plan.moves,
        batch=plan.batch if plan.moves > casework.MOST_ALONE else "",
    )


class CausePage(Page):
    """GET /exceptions/cause shows it, with `plan=yes` the plan too; POST does what the plan said, or nothing."""

    async def get(self) -> None:
        type, name = self.word("type"), self.word("cause")
        cause = await self.ask(read_cause, self.reverse_url("exceptions"), type, name)
        plan = await self._plan(type, name) if self.word("plan") and cause.replayable else None
        self.show("cause.html", board=cause, cause=cause, plan=plan)

    async def _plan(self, type: str, cause: str) -> ShownPlan:
        try:
            return await self.ask(read_plan, type, cause)
        except CaseworkError as error:
            raise HTTPError(404, words.sentence(str(error))) from error

    async def post(self) -> None:
        type, name, token = self.word("type"), self.word("cause"), self.word("token")
        ids = [int(part) for part in self.get_argument("ids", "").split(",") if re.fullmatch(r"[0-9]{1,18}", part)]
        back = f"{self.reverse_url('exceptions')}/cause?{urlencode({'type': type, 'cause': name, 'plan': 'yes'})}"
        reason = self.word("reason")
        if not (ids and token and reason):
            self.say("Nothing was done: say what was corrected, and send the plan that you have seen.", failed=True)
            self.redirect(back, status=303)
            return
        try:
            keys = await self.ask(casework.replay, ids, self.actor, reason, token)
        except CaseworkError as error:
            self.say(f"Nothing was done: {error}.", failed=True)
            self.redirect(back, status=303)
            return
        self.say(f"{words.count(len(keys), 'order')} sent through the whole step again. Each case closes by itself.")
        self.redirect(self.reverse_url("exceptions"), status=303)

"""One case: what happened, what to do, what was done, and the buttons. Every button is a POST that ends in a redirect."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tornado.web import HTTPError

from integration import casework
from integration.casework import CaseworkError
from integration.store import exceptions, proofs, views
from integration.vault import VaultError
from integration.wiring import World
from integration.wording import called, noun, stands
from mappings import Rule
from tasks.desk import words
from tasks.desk.order import story_link
from tasks.desk.page import Page

MOST_HOURS = 24 * 7
"""Nobody puts a case out of sight for longer than a week."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of a penny proof."""

    name: str
    ours: str
    theirs: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """A penny proof as it is shown."""

    at: str
    rows: list[Compared]
    carried: list[tuple[str, str]]

    @property
    def different(self) -> int:
        return sum(not row.equal for row in self.rows)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a case's history."""

    at: str
    actor: str
    verb: str
    note: str


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt of a worker."""

    at: str
    link: str
    outcome: str
    note: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that the page of one case shows."""

    id: int
    base: str
    link: str
    cause_link: str
    story_link: str
    shared: int
    title: str
    subject: str
    number: str
    money: str
    owner: str
    deputy: str
    assignee: str
    urgency: str
    deadline: str
    message: str
    meaning: str
    action: str
    verifier: str
    theirs: str
    said_by: str
    facts: list[tuple[str, str]]
    proof: Proof | None
    history: list[Moment]
    attempts: list[Try]
    sealed: bool
    resolved: bool
    resolution: str
    ways: tuple[str, ...] = casework.WAYS


def read_case(world: World, base: str, orders: str, case_id: int) -> Case:
    """A case as it stands. Raises 404 when there is none of this id."""
    with world.store.read() as tx:
        now = tx.now
        row = exceptions.one(tx, case_id)
        if row is None:
            raise HTTPError(404, "There is no case with this number.")
        history = exceptions.timeline(tx, case_id)
        shared = len(exceptions.members(tx, type=row.type, cause=row.cause))
        proof = proofs.latest(tx, row.job_id) if row.job_id else None
        attempts = views.attempts(tx, row.job_id) if row.job_id else []
    rule = world.playbook.rule(row.type)
    resolved = row.state == "resolved"
    return Case(
        id=row.id,
        base=base,
        link=f"{base}/{row.id}",
        cause_link=f"{base}/cause?{urlencode({'type': row.type, 'cause': row.cause})}",
        story_link=story_link(orders, row.instance, row.kind, row.number) if row.number else "",
        shared=shared if shared > 1 else 0,
        title=rule.title,
        subject=f"{called(row.kind)} {row.number}" if row.number else f"Connection {row.connection}",
        number=row.number or "",
        money=words.money(row.money_minor, row.currency),
        owner=row.owner,
        deputy=rule.deputy,
        assignee=row.assignee,
        urgency="calm" if resolved else words.urgency(row.act_by, now),
        deadline="resolved" if resolved else words.lateness(row.act_by, now),
        message=row.message,
        meaning=rule.meaning,
        action=rule.action,
        verifier=rule.verifier,
        theirs=(row.connection or "the ERP").capitalize(),
        said_by=_said_by(row),
        facts=_facts(row, rule, now),
        proof=_proof(proof) if proof is not None else None,
        history=[Moment(words.instant(h.at), h.actor, h.verb, h.note) for h in history],
        attempts=_tries(attempts),
        sealed=row.document_id is not None,
        resolved=resolved,
        resolution=f"{row.resolution}, {words.instant(row.resolved_at)}",
    )


def _facts(row: Any, rule: Rule, now: datetime) -> list[tuple[str, str]]:
    """What a person wants to know first, in words; what does not apply is left out."""
    told = [
        ("Cause", row.cause),
        ("Market", f"{row.market} ({row.instance})") if row.market else ("Centra", row.instance),
        *_stands(row),
        ("In the ERP", (f"as {row.erp_ref}" if row.erp_ref else "nothing that we know of") if row.number else ""),
        ("Open for", f"{words.span(now - row.opened_at)}, since {words.instant(row.opened_at)}"),
        ("Act by", f"{words.instant(row.act_by)} ({words.span(timedelta(minutes=rule.act_within_minutes))} to act)"),
        ("Seen", "once" if row.occurrences == 1 else f"{row.occurrences:,} times"),
        ("With", row.assignee or "nobody yet"),
    ]
    if row.snoozed_until and row.snoozed_until > now and row.state != "resolved":
        told.append(("Quiet until", f"{words.instant(row.snoozed_until)}; the deadline stays"))
    return [(name, fact) for name, fact in told if fact]


def _stands(row: Any) -> list[tuple[str, str]]:
    if not row.number:
        return []
    return [(f"The {noun(row.kind)}", stands(row.kind, row.job_state, row.connection or "the ERP"))]


def _said_by(row: Any) -> str:
    """Whose words are sealed with a case: an ERP's, Centra's, or those of a fault of ours."""
    if row.type == "DEAD_LETTER":
        return "our own step"
    return "Centra" if row.cause.startswith("centra:") else (row.connection or "the ERP").capitalize()


def _proof(row: Any) -> Proof:
    """The stored comparison, differences first."""
    told = json.loads(row.document)
    compared = [
        Compared(name, _value(ours), _value(theirs), ours == theirs) for name, ours, theirs in told["components"]
    ]
    return Proof(words.instant(row.at), sorted(compared, key=lambda c: c.equal), [tuple(c) for c in told["carried"]])


def _value(value: object) -> str:
    return "missing" if value is None else str(value)


def _tries(rows: Sequence[Any]) -> list[Try]:
    return [Try(words.instant(row.started_at), row.link, row.outcome, row.note) for row in rows]


class CasePage(Page):
    """GET /exceptions/<id>"""

    async def get(self, case_id: str) -> None:
        await self.show_case(int(case_id))

    async def show_case(self, case_id: int, evidence: str | None = None) -> None:
        base, orders = self.reverse_url("exceptions"), self.reverse_url("orders")
        case = await self.ask(read_case, base, orders, case_id)
        self.show("case.html", case=case, evidence=evidence)


class EvidencePage(CasePage):
    """POST /exceptions/<id>/evidence: shown in the answer itself, so that no address leads to it."""

    async def post(self, case_id: str) -> None:
        try:
            evidence = await self.ask(casework.evidence, int(case_id), self.actor)
        except CaseworkError as error:
            raise HTTPError(404, str(error)) from error
        except VaultError as error:
            evidence = f"It cannot be shown: {error}."
        await self.show_case(int(case_id), evidence)


class CaseAct(Page):
    """POST /exceptions/<id>/<verb>: do it, go back to the case, say what was done or why not."""

    async def post(self, case_id: str, verb: str) -> None:
        act = getattr(self, f"_{verb}")
        try:
            self.say(await self.ask(act, int(case_id)))
        except CaseworkError as error:
            self.say(words.sentence(str(error)), failed=True)
        self.redirect(f"{self.reverse_url('exceptions')}/{case_id}", status=303)

    def _replay(self, world: World, case_id: int) -> str:
        if casework.replay(world, [case_id], self.actor, self.word("reason")):
            return "Sent through the whole step again. This case closes by itself once both systems agree."
        raise CaseworkError(f"Nothing to replay: {casework.plan(world, ids=[case_id]).steps[0].skips}.")

    def _assign(self, world: World, case_id: int) -> str:
        casework.assign(world, case_id, self.word("to"), self.actor)
        return f"Given to {self.word('to')}."

    def _comment(self, world: World, case_id: int) -> str:
        casework.comment(world, case_id, self.word("text"), self.actor)
        return "Your note is in the history."

    def _snooze(self, world: World, case_id: int) -> str:
        quiet = timedelta(hours=min(max(self.number("hours", 1), 1), MOST_HOURS))
        casework.snooze(world, case_id, world.store.now() + quiet, self.actor)
        return f"No reminders for {words.span(quiet)}; the deadline stays."

    def _resolve(self, world: World, case_id: int) -> str:
        done = casework.resolve(world, case_id, self.word("how"), self.word("reason"), self.actor)
        return words.sentence(done)

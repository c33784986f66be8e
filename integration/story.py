"""A document's story in plain English, from the ledger alone: an agent reads it out to a customer.

Of an order, a dispatch, a return, a refund, or of a SKU's launch or archiving. No name, address or e-mail is in it; with
`live=True` both systems are asked as well, and what they say now is added.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from integration.domain.money import Money
from integration.domain.order import Key
from integration.inquiry import ask_centra, ask_erp
from integration.lifecycles import checked, terms
from integration.store import Transaction, aftersales, exceptions, ledger, lives, proofs, spending, views
from integration.store.effects import PENDING
from integration.wiring import World
from integration.wording import MILESTONES, OF_SKU, called, noun, stands

LATE_AFTER = timedelta(minutes=15)
"""A released order that has not been proven in the ERP by then is called late, exception or not: the house's proposal."""

OUTCOMES = {
    "open": "is at work",
    "done": "done",
    "parked": "waits",
    "retry": "will try again",
    "unknown": "got no clear answer",
    "dead": "stopped",
    "lost": "was broken off",
}
EFFECTS = {
    "intent": "may have been sent: no answer is on record",
    "accepted": "was accepted without an id",
    "unknown": "was sent, and no clear answer came",
    "void": "surely did not happen: to be sent again",
    "refused": "was refused",
}


@dataclass(frozen=True, slots=True)
class Story:
    """What can be told of one document. `systems` maps a system to what it says; `timeline` is in order of time; `kin` are
    the documents that belong to it.
    """

    key: Key
    headline: str
    state: str
    arrived: list[str]
    decided: list[str]
    systems: dict[str, list[str]]
    late: list[str]
    next: str
    exceptions: list[dict[str, Any]]
    timeline: list[tuple[datetime, str]]
    facts: dict[str, Any] = field(default_factory=dict)
    kin: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For a program: the parts by name; instants are aware datetimes, money minor units."""
        timeline = [{"at": at, "text": text} for at, text in self.timeline]
        told = {name: getattr(self, name) for name in ("headline", "state", "facts", "arrived", "decided", "systems")}
        key = {"instance": self.key.instance, "kind": self.key.kind, "number": self.key.number}
        return {
            **key,
            **told,
            "late": self.late,
            "next": self.next,
            "exceptions": self.exceptions,
            "kin": self.kin,
            "timeline": timeline,
        }

    def lines(self) -> Iterator[str]:
        """For a person, top to bottom."""
        parts = {"What arrived": self.arrived, "What was decided, and why": self.decided}
        parts |= {f"What {system} says": told for system, told in self.systems.items()}
        parts |= {"What belongs to it": [kin["text"] for kin in self.kin]} if self.kin else {}
        parts |= {"What is late": self.late or ["nothing"], "Who acts next": [self.next]}
        parts["What happened"] = [f"{_shown(at)}  {text}" for at, text in self.timeline]
        yield self.headline
        for title, lines in parts.items():
            yield from ("", title, *(f"  {line}" for line in lines))


class UnknownOrder(LookupError):
    """The ledger has no such order, or no such document of another kind."""


def tell(world: World, instance: str, number: str, *, kind: str = "order", live: bool = False) -> Story:
    """The story of a document. Raises `UnknownOrder`; a system that cannot be asked live is part of the story."""
    key = Key(instance, kind, number)
    with world.store.read() as tx:
        row = ledger.find(tx, key)
        if row is None:
            raise UnknownOrder(f"no {kind} {number} of {instance} is in the ledger: nothing has told us of it")
        cases = views.exceptions_of(tx, row.id)
        effects = views.effects(tx, row.id)
        erp = row.connection or "the ERP"
        story = Story(
            key=key,
            headline=_headline(row, erp),
            state=row.state,
            arrived=_arrived(tx, row),
            decided=_decided(row),
            systems=_systems(tx, row, effects, erp),
            late=_late(row, cases, tx.now),
            next=_next(tx, row, cases, world),
            exceptions=[_case(case) for case in cases],
            timeline=_timeline(tx, row, effects, cases),
            facts=_facts(row),
            kin=[_kin(each) for each in aftersales.kin(tx, row)],
        )
    if row.kind in OF_SKU:
        return _of_sku(world, row, story, live=live)
    if live:
        story.systems["Centra"].extend(ask_centra(world, row))
        story.systems[erp].extend(ask_erp(world, row))
    return story


def _of_sku(world: World, row: Any, story: Story, *, live: bool) -> Story:
    """What only a launch or an archiving has to tell."""
    if row.kind == "product":
        story.decided.extend(terms(world, row.instance))
    if live:
        found = checked(world, row.instance, row.number)
        for system, words in found.systems.items():
            story.systems.setdefault(system, []).append(f"now: {words}")
        story.decided.extend(found.checks if row.kind == "archive" else ())
    return story


def _headline(row: Any, erp: str) -> str:
    about = [_amount(row)] if _amount(row) else []
    about += [f"order {row.order_number}"] if row.order_number else []
    about += [row.market] if row.market else []
    shown = f" ({', '.join(about)})" if about else ""
    return f"{called(row.kind)} {row.number} of {row.instance}{shown} {stands(row.kind, row.state, erp)}."


def _amount(row: Any) -> str:
    return str(Money(row.total_minor, row.currency)) if row.currency and row.total_minor is not None else ""


def _kin(row: Any) -> dict[str, Any]:
    """A document that belongs to the one that is told of."""
    amount = f" ({_amount(row)})" if _amount(row) else ""
    text = f"{noun(row.kind)} {row.number}{amount}: {row.state}{f', {row.reason}' if row.reason else ''}"
    names = ("kind", "number", "state", "reason", "total_minor", "currency")
    return {name: getattr(row, name) for name in names} | {"text": text}


def _facts(row: Any) -> dict[str, Any]:
    names = (
        *("market", "currency", "total_minor", "connection", "mapping_version", "source_status", "erp_ref", "reason"),
        *("attempts", "first_seen_at", "read_at", "released_at", "posted_at", "done_at", "not_before"),
        *("order_number", "return_number", "occurred_at"),
    )
    return {name: getattr(row, name) for name in names}


def _arrived(tx: Transaction, row: Any) -> list[str]:
    told = []
    for came in views.arrivals(tx, row.id):
        times = "once" if came.hints == 1 else f"{came.hints} times, last {_shown(came.last_at)}"
        told.append(f"{came.source}: {_shown(came.first_at)}, {times}")
    return told


def _decided(row: Any) -> list[str]:
    told = [row.reason] if row.reason else ["nothing yet: it has not been read"]
    if row.connection:
        version = f", by version {row.mapping_version} of its mapping" if row.mapping_version else ""
        told.append(f"it goes to {row.connection}{version}")
    named = {"released_at": "released", "posted_at": "accepted by the ERP", "done_at": "finished"}
    named |= MILESTONES.get(row.kind, {})
    return told + [f"{word} {_shown(getattr(row, name))}" for name, word in named.items() if getattr(row, name)]


def _systems(tx: Transaction, row: Any, effects: Collection[Any], erp: str) -> dict[str, list[str]]:
    """What each system has; a dispatch is the ERP's, and what is written about it stands in Centra."""
    if row.kind in OF_SKU:
        made: dict[str, list[Any]] = {"Centra": [], erp: []}
        for effect in effects:  # what is made in an ERP is called so: there may be several
            made.setdefault(effect.name.rpartition(" in ")[2] if " in " in effect.name else "Centra", []).append(effect)
        written = {system: _writes(tx, row, some) for system, some in made.items()}
        return written | {"Centra": _centra(tx, row) + (written["Centra"] if made["Centra"] else [])}
    if row.kind != "shipment":
        return {"Centra": _centra(tx, row), erp: _writes(tx, row, effects)}
    left = f"dispatch {row.erp_ref} left {_shown(row.occurred_at)}" if row.occurred_at else "it has not left"
    money = [f"its money: {row.source_status}"] if row.source_status else []
    return {"Centra": _writes(tx, row, effects) + money, erp: [left]}


def _centra(tx: Transaction, row: Any) -> list[str]:
    if row.read_at is None:
        return ["not asked yet"]
    told = [f"status {row.source_status or 'unknown'}, as of {_shown(row.read_at)}"]
    if row.kind == "order" and row.posted_version and row.posted_version != row.source_version:
        told.append("it was changed there after it was sent")
    erased = views.erased_at(tx, row.id)
    return told + ([f"the customer's data was erased here {_shown(erased)}"] if erased else [])


def _writes(tx: Transaction, row: Any, effects: Collection[Any]) -> list[str]:
    told = []
    for effect in effects:
        tries = "" if effect.tries == 1 else f", after {effect.tries} tries"
        if effect.answer is not None:
            done = f"is there as {effect.answer}" if effect.name != "cancellation" else "is done"
            told.append(f"{_write(effect)} {effect.reference} {done}, since {_shown(effect.answered_at)}{tries}")
            continue
        doubt = effect.state in PENDING and effect.unknown_until is not None and effect.unknown_until > tx.now
        until = f"; until {_shown(effect.unknown_until)} its absence proves nothing" if doubt else ""
        told.append(f"{_write(effect)} {effect.reference} {EFFECTS[effect.state]}{tries}{until}")
    proof = proofs.latest(tx, row.id)
    if proof is not None:
        other = row.connection if row.kind == "shipment" else "Centra"
        word = f"equal to {other} in every part" if proof.equal else f"NOT equal to {other}"
        told.append(f"read back {_shown(proof.at)}: {word}")
    return told or ["nothing was sent to it"]


def _write(effect: Any) -> str:
    """What a write is called: an archiving's are numbered by how often a person began it, which is nobody's word."""
    number, _, name = effect.name.partition(" ")
    return name if name and number.isdecimal() else str(effect.name)


def _late(row: Any, cases: Collection[Any], now: datetime) -> list[str]:
    told = []
    if (
        row.kind == "order"
        and row.state in ("ready", "posted")
        and row.released_at
        and now - row.released_at > LATE_AFTER
    ):
        told.append(f"released {_span(now - row.released_at)} ago and not yet proven in the ERP")
    overdue = [case for case in cases if case.state != "resolved" and case.act_by < now]
    return told + [f"{c.owner} was to act by {_shown(c.act_by)}, {_span(now - c.act_by)} ago" for c in overdue]


def _next(tx: Transaction, row: Any, cases: Collection[Any], world: World) -> str:
    for case in cases:
        if case.state != "resolved":
            rule = world.playbook.rule(case.type)
            who = f"{case.assignee} of {case.owner}" if case.assignee else case.owner
            return f"{who}, by {_shown(case.act_by)}: {rule.title} (exception {case.id}). {rule.action}"
    if row.until is not None and row.until > tx.now:
        return "Lockstep: it is being worked on now"
    if row.dirty_seq == row.clean_seq:
        if row.state in lives.FINAL:
            return "nobody: it is finished" if row.state != "observed" else "nobody: it is only watched"
        if row.state == "opened":
            return "the warehouse: it is awaited there, and its receipt or inspection is read as soon as it is booked"
        if row.state == "held" and row.kind != "order":
            return f"Lockstep: {row.reason}. Looked at again when that changes, or {_when(row.not_before, tx.now)}"
        if row.state == "held":
            return f"Centra: {row.reason}. Looked at again when it changes, or {_when(row.not_before, tx.now)}"
    shut = spending.breaker_of(tx, row.connection or row.instance)
    if shut is not None and shut.open_since is not None:
        return (
            f"Lockstep, as soon as {shut.system} can be reached again: it has been away since {_shown(shut.open_since)}"
        )
    return f"Lockstep, {_when(row.not_before, tx.now)}"


def _when(at: datetime | None, now: datetime) -> str:
    return f"at {_shown(at)}" if at is not None and at > now else "now"


def _case(case: Any) -> dict[str, Any]:
    names = ("id", "type", "cause", "message", "owner", "assignee", "state", "opened_at", "act_by", "resolution")
    return {name: getattr(case, name) for name in names}


def _timeline(
    tx: Transaction, row: Any, effects: Collection[Any], cases: Collection[Any]
) -> list[tuple[datetime, str]]:
    told = [(came.first_at, f"first told of by {came.source}") for came in views.arrivals(tx, row.id)]
    told += _attempts(tx, row)
    told += [(effect.intent_at, f"about to send the {_write(effect)}") for effect in effects]
    told += [(effect.answered_at, f"{_write(effect)} is {effect.answer}") for effect in effects if effect.answered_at]
    for case in cases:
        for entry in exceptions.timeline(tx, case.id):
            words = f": {entry.note}" if entry.note else ""
            told.append((entry.at, f"exception {case.id} ({case.type}) {entry.verb} by {entry.actor}{words}"))
    return sorted(told, key=lambda entry: entry[0])


def _attempts(tx: Transaction, row: Any) -> Iterator[tuple[datetime, str]]:
    """One line for attempts in a row that came to the same."""
    for (link, outcome, note), same in groupby(views.attempts(tx, row.id), lambda a: (a.link, a.outcome, a.note)):
        found = list(same)
        times = (
            ""
            if len(found) == 1
            else f" ({len(found)} times, last {_shown(found[-1].ended_at or found[-1].started_at)})"
        )
        yield (
            found[0].ended_at or found[0].started_at,
            f"{link}: {OUTCOMES[outcome]}{f': {note}' if note else ''}{times}",
        )


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"

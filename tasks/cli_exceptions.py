"""`lockstep exceptions …`: the verbs of the desk, typed. Each act is audited under the name of its actor."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from tasks.terminal import (
    actor_option,
    as_json_option,
    instant,
    open_world,
    reason_option,
    say,
    say_json,
    say_table,
    yes_option,
)

if TYPE_CHECKING:
    from integration.casework import Plan
    from integration.wiring import World

MOST_LISTED = 200


def _listed_option(name: str, help: str) -> Callable[[Any], Any]:
    return click.option(name, default="", help=help)


@click.group("exceptions")
def cases() -> None:
    """The cases that wait for a person."""


def _cause_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("ids", nargs=-1, type=int),
        _listed_option("--type", "With --cause: all open cases of one cause."),
        _listed_option("--cause", "As `exceptions list` shows it."),
    ):
        command = option(command)
    return command


@cases.command("list")
@_listed_option("--owner", "Only this owner's.")
@_listed_option("--cause", "Only this cause.")
@_listed_option("--type", "Only this type.")
@_listed_option("--search", "Text in what is shown.")
@click.option("--state", type=click.Choice(["open", "acknowledged", "resolved", "all"]), default="open")
@as_json_option
def list_exceptions(owner: str, cause: str, type: str, search: str, state: str, as_json: bool) -> None:
    """Cases, the most urgent first."""
    from integration.store import exceptions

    world = open_world()
    with world.store.read() as tx:
        terms = {"owner": owner, "cause": cause, "type": type, "text": search, "state": state}
        found = [_case(world, row, tx.now) for row in exceptions.listed(tx, **terms, limit=MOST_LISTED)]
    if as_json:
        say_json({"exceptions": found})
        return
    rows = []
    for case in found:
        at_risk, who = case["money"], case["assignee"] or case["owner"]
        due = f"{case['act_by']:%Y-%m-%d %H:%M}{' LATE' if case['overdue'] else ''}"
        rows.append((case["id"], case["type"], case["cause"], case["order"], _shown(at_risk), who, due))
    say_table(("id", "type", "cause", "order", "at risk", "who", "act by (UTC)"), rows, none="no exception matches")
    if len(found) == MOST_LISTED:
        say(f"These are the {MOST_LISTED} most urgent; narrow it down with --type, --owner, --cause or --search.")


def _case(world: "World", row: Any, now: datetime) -> dict[str, Any]:
    """A case for a reader and for a program: `order` is empty where none is concerned."""
    from integration.health import money

    names = ("id", "type", "cause", "owner", "assignee", "state", "instance", "connection", "message", "occurrences")
    times = ("opened_at", "act_by", "snoozed_until", "resolved_at", "resolution", "job_state", "erp_ref", "market")
    nothing = {"minor": 0, "currency": "", "amount": ""}
    return {
        **{name: getattr(row, name) for name in (*names, *times)},
        "title": world.playbook.rule(row.type).title,
        "order": row.number or "",
        "money": money(int(row.money_minor), row.currency) if row.currency else nothing,
        "overdue": row.state != "resolved" and row.act_by < now,
    }


@cases.command("show")
@click.argument("exception_id", metavar="ID", type=int)
@click.option("--evidence", is_flag=True, help="Open the other system's own words; they may name a person. Audited.")
@actor_option
@as_json_option
def show_exception(exception_id: int, evidence: bool, actor: str, as_json: bool) -> None:
    """One case: what it means, what to do, and its history."""
    from integration import casework
    from integration.store import exceptions

    world = open_world()
    opened = casework.evidence(world, exception_id, actor) if evidence else None
    with world.store.read() as tx:
        row = exceptions.one(tx, exception_id)
        if row is None:
            raise casework.CaseworkError(f"there is no exception {exception_id}")
        case = _case(world, row, tx.now)
        steps = [
            {"at": h.at, "actor": h.actor, "verb": h.verb, "note": h.note}
            for h in exceptions.timeline(tx, exception_id)
        ]
    rule = world.playbook.rule(row.type)
    if as_json:
        told = {"meaning": rule.meaning, "action": rule.action, "verifier": rule.verifier, "deputy": rule.deputy}
        say_json({**case, **told, "history": steps, **({"evidence": opened} if evidence else {})})
        return
    about = {"order": case["order"], "cause": row.cause, "at risk": _shown(case["money"])}
    about |= {"owner": f"{row.owner} (deputy {rule.deputy})", "assigned to": row.assignee, "state": row.state}
    about |= {"act by": f"{row.act_by:%Y-%m-%d %H:%M} UTC{', LATE' if case['overdue'] else ''}"}
    say(f"{row.id}  {rule.title} ({row.type})", "", row.message, "")
    say(*(f"{name:12} {value}" for name, value in about.items() if value))
    say("", rule.meaning, rule.action, f"It is over when: {rule.verifier}", "")
    for step in steps:
        note = f": {step['note']}" if step["note"] else ""
        say(f"{step['at']:%Y-%m-%d %H:%M:%S}  {step['actor']} {step['verb']}{note}")
    if opened is not None:
        say("", "In the other system's own words:", opened)


def _shown(money: Mapping[str, str]) -> str:
    return f"{money['amount']} {money['currency']}".strip()


@cases.command("plan")
@_cause_options
@as_json_option
def plan_replay(ids: tuple[int, ...], type: str, cause: str, as_json: bool) -> None:
    """What a replay would do, item by item, and nothing else. Its token holds for ten minutes."""
    from integration import casework

    _show_plan(casework.plan(open_world(), type, cause, ids=ids), as_json=as_json)


def _show_plan(plan: "Plan", *, as_json: bool = False) -> None:
    if as_json:
        steps = [{"exception": s.exception, "order": s.order, "does": s.does, "skips": s.skips} for s in plan.steps]
        say_json({"token": plan.token, "batch": plan.batch, "counts": plan.counts, "steps": steps})
        return
    rows = [(s.exception, s.order, s.words) for s in plan.steps]
    say_table(("exception", "order", "what a replay does"), rows, none="nothing to replay")
    say(*(f"{n} × {words}" for words, n in plan.counts.items()), f"batch {plan.batch}", f"plan {plan.token}")


@cases.command("replay")
@_cause_options
@click.option("--plan", "token", default="", help="Only if exactly this plan still holds.")
@reason_option
@actor_option
@yes_option
def replay(ids: tuple[int, ...], type: str, cause: str, token: str, reason: str, actor: str, yes: bool) -> None:
    """Send orders through the whole step again, by ID or all of one cause (its plan is shown first)."""
    from integration import casework

    world = open_world()
    plan = casework.plan(world, type, cause, ids=ids)
    if not ids and not token:
        _show_plan(plan)
        if not yes:
            click.confirm("Replay these?", abort=True)
    keys = casework.replay(world, plan.ids, actor, reason, token or plan.token)
    say(*(f"exception {step.exception}: {step.skips}; nothing was done" for step in plan.steps if step.skips))
    say(f"{len(keys)} {'order goes' if len(keys) == 1 else 'orders go'} through the whole step again.")


@cases.command("assign")
@click.argument("exception_id", metavar="ID", type=int)
@click.argument("person")
@actor_option
def assign(exception_id: int, person: str, actor: str) -> None:
    """Give a case to a person."""
    from integration import casework

    casework.assign(open_world(), exception_id, person, actor)
    say(f"exception {exception_id} is assigned to {person}")


@cases.command("comment")
@click.argument("exception_id", metavar="ID", type=int)
@click.argument("text")
@actor_option
def comment(exception_id: int, text: str, actor: str) -> None:
    """Add a remark to a case. Do not name customers: it is kept in the open."""
    from integration import casework

    casework.comment(open_world(), exception_id, text, actor)
    say(f"noted on exception {exception_id}")


@cases.command("snooze")
@click.argument("exception_id", metavar="ID", type=int)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True, max=24 * 365), default=None)
@click.option("--until", default="", help="A date or date-time, UTC unless it says otherwise.")
@actor_option
def snooze(exception_id: int, hours: float | None, until: str, actor: str) -> None:
    """Stop reminding for a while; the promise clock runs on."""
    from integration import casework

    if (hours is None) == (not until):
        raise click.UsageError("say either --hours or --until")
    world = open_world()
    end = instant(until, "--until") if hours is None else world.store.now() + timedelta(hours=hours)
    casework.snooze(world, exception_id, end, actor)
    say(f"exception {exception_id} is snoozed until {end:%Y-%m-%d %H:%M} UTC; its deadline stays")


@cases.command("resolve")
@click.argument("exception_id", metavar="ID", type=int)
@click.option("--how", default="something else", show_default=True, help='E.g. "corrected by hand in the ERP".')
@click.option("--reason", default="", help="Required: why it is over.")
@actor_option
def resolve(exception_id: int, how: str, reason: str, actor: str) -> None:
    """End a case by your word. Its order is closed for good: nothing more is sent for it."""
    from integration import casework

    say(casework.resolve(open_world(), exception_id, how, reason, actor))

"""`lockstep lanes` and `lockstep nights`: how fast the work goes, and what the books of a day say."""

from typing import TYPE_CHECKING, Any

import click

from tasks.terminal import (
    Failed,
    actor_option,
    as_json_option,
    open_world,
    reason_option,
    say,
    say_json,
    say_table,
)

if TYPE_CHECKING:
    from integration.wiring import World


@click.command()
@click.option("--peak", type=click.Choice(["on", "off"]), help="Begin or end a peak: sweeps and slow movers wait.")
@reason_option
@actor_option
@as_json_option
def lanes(peak: str | None, reason: str, actor: str, as_json: bool) -> None:
    """Depth, age, pace and forecast of every lane, and who spends which budget."""
    from integration import outlook

    world = open_world()
    if peak is not None:
        if not reason:
            raise Failed("say why with --reason: it stands in the audit")
        outlook.set_peak(world, on=peak == "on", actor=actor, reason=reason)
    told = outlook.outlook(world)
    if as_json:
        say_json(told)
        return
    if told["peak"]:
        say("A peak is declared: sweeps and slow-moving SKUs wait. `lockstep lanes --peak off` ends it.")
    rows = [
        (n["lane"], n["backlog"], _age(n["oldest_seconds"]), n["resting"], n["dead"], n["per_minute"], n["words"])
        for n in told["lanes"]
    ]
    say_table(("lane", "backlog", "oldest", "resting", "dead", "per minute", "forecast"), rows, none="")
    for waits in told["settling"]:
        say(
            f"{waits['orders']} order{'s' if waits['orders'] != 1 else ''} for {waits['amount']} settle before they go to"
            f" {waits['connection']}; the next at {waits['goes_at']:%H:%M} UTC"
        )
    for lives in told["catalogue"]:
        say(f"{lives['words']}: `lockstep products` names them")
    spent = [
        (b["system"], f"{b['measure']} in {b['window_seconds']} s", f"{b['used']} of {b['units']}", _by_lane(b))
        for b in told["budgets"]
    ]
    say_table(("system", "budget", "used", "by whom"), spent, none="no budgets: every system is unlimited")


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _by_lane(budget: dict[str, Any]) -> str:
    return ", ".join(f"{lane} {units}" for lane, units in budget["by_lane"].items())


@click.command()
@click.argument("day", required=False)
@click.option("--connection", default="", help="Only this ERP connection; else all of them.")
@click.option("--so-far", is_flag=True, help="Have today counted now; it is counted once more when it is over.")
@as_json_option
def nights(day: str | None, connection: str, so_far: bool, as_json: bool) -> None:
    """The books of a business day (2026-05-04; default: the newest): both systems by market, and what differs why."""
    from integration import nights as books

    world = open_world()
    names = [mapping.connection for mapping in world.connections()]
    if connection and connection not in names:
        raise Failed(f"there is no connection {connection}: there is {', '.join(names) or 'none'}")
    asked = [connection] if connection else names
    if so_far:
        for name in asked:
            days = books.call_days(name, world, so_far=True)
            marked = [key.number.removeprefix(f"{name}-") for key in days]
            say(f"{name}: the finance lane counts {', '.join(marked) or 'nothing: no order is known'}")
        say("ask again without --so-far")
        return
    found = [_night(world, name, day or "") for name in asked]
    if as_json:
        say_json(found)
        return
    for night in found:
        _tell(night)
    if not any(night["sums"] for night in found):
        raise Failed(f"no connection has books of {day or 'any day'} yet")


def _night(world: "World", connection: str, day: str) -> dict[str, Any]:
    """The books of a connection's day, or of its newest."""
    from integration.store import tallies

    with world.store.read() as tx:
        counted = tallies.days(tx, connection)
        chosen = day or (counted[0] if counted else "")
        sums = [dict(row._mapping) for row in tallies.of_day(tx, connection, chosen)]
        differences = [dict(row._mapping) for row in tallies.differences(tx, connection, chosen)]
    return {"connection": connection, "day": chosen, "counted": counted, "sums": sums, "differences": differences}


def _tell(night: dict[str, Any]) -> None:
    if not night["sums"]:
        counted = ", ".join(night["counted"]) or "none"
        say(f"{night['connection']} has no books of {night['day'] or 'any day'} yet; counted: {counted}")
        return
    say(f"{night['connection']}, {night['day']}")
    rows = [
        (s["kind"], s["market"], s["storefront_count"], _sum(s, "storefront"), s["erp_count"], _sum(s, "erp"),
         "equal" if s["storefront_sum"] == s["erp_sum"] and s["storefront_count"] == s["erp_count"] else "differs")
        for s in night["sums"]
    ]  # fmt: skip
    say_table(("", "market", "Centra", "sum", "ERP", "sum", ""), rows, none="")
    say_table(
        ("", "number", "market", "difference", "class", "reason"),
        [
            (d["kind"], d["number"], d["market"], _amount(d["minor"], d["currency"]), d["class"], d["reason"])
            for d in night["differences"]
        ],
        none="nothing differs",
    )


def _sum(row: dict[str, Any], side: str) -> str:
    return _amount(row[f"{side}_sum"], row["currency"])


def _amount(minor: int, currency: str) -> str:
    from integration.domain.money import Money

    return str(Money(minor, currency)) if currency else f"{minor} pieces"

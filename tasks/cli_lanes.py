"""`lockstep lanes` and `lockstep nights`: how fast the work goes, and what the books of a day say."""

from typing import Any

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
@click.option("--connection", default="", help="The ERP connection; needed only where there are several.")
@click.option("--so-far", is_flag=True, help="Have today counted now; it is counted once more when it is over.")
@as_json_option
def nights(day: str | None, connection: str, so_far: bool, as_json: bool) -> None:
    """The books of a business day (2026-05-04; default: the newest): both systems by market, and what differs why."""
    from integration import nights as books
    from integration.store import tallies

    world = open_world()
    names = [mapping.connection for mapping in world.connections()]
    if connection not in names and (connection or len(names) != 1):
        raise Failed(f"say which connection with --connection: {', '.join(names) or 'there is none'}")
    connection = connection or names[0]
    if so_far:
        marked = [key.number.removeprefix(f"{connection}-") for key in books.call_days(connection, world, so_far=True)]
        say(f"the finance lane counts {', '.join(marked) or 'nothing: no order is known'}; ask again without --so-far")
        return
    with world.store.read() as tx:
        counted = tallies.days(tx, connection)
        chosen = day or (counted[0] if counted else "")
        sums = [dict(row._mapping) for row in tallies.of_day(tx, connection, chosen)]
        found = [dict(row._mapping) for row in tallies.differences(tx, connection, chosen)]
    if as_json:
        say_json({"connection": connection, "day": chosen, "counted": counted, "sums": sums, "differences": found})
        return
    if not sums:
        raise Failed(f"{connection} has no books of {chosen or 'any day'} yet; counted: {', '.join(counted) or 'none'}")
    say(f"{connection}, {chosen}")
    rows = [
        (s["kind"], s["market"], s["storefront_count"], _sum(s, "storefront"), s["erp_count"], _sum(s, "erp"),
         "equal" if s["storefront_sum"] == s["erp_sum"] and s["storefront_count"] == s["erp_count"] else "differs")
        for s in sums
    ]  # fmt: skip
    say_table(("", "market", "Centra", "sum", "ERP", "sum", ""), rows, none="")
    say_table(
        ("", "number", "market", "difference", "class", "reason"),
        [
            (d["kind"], d["number"], d["market"], _amount(d["minor"], d["currency"]), d["class"], d["reason"])
            for d in found
        ],
        none="nothing differs",
    )


def _sum(row: dict[str, Any], side: str) -> str:
    return _amount(row[f"{side}_sum"], row["currency"])


def _amount(minor: int, currency: str) -> str:
    from integration.domain.money import Money

    return str(Money(minor, currency)) if currency else f"{minor} pieces"

"""`lockstep stock`: what shoppers can buy and why, what waits, and a person's word on it."""

from datetime import datetime, timedelta
from typing import Any

import click

from tasks.terminal import Failed, actor_option, as_json_option, open_world, reason_option, say, say_json, say_table


@click.command()
@click.argument("sku", required=False)
@click.option("--release", default="", metavar="CONNECTION", help="A mass change that waits is right: let it pass.")
@click.option("--stop", "hours", type=click.FloatRange(0), help="Sell nothing of SKU for so many hours; 0 ends it.")
@reason_option
@actor_option
@as_json_option
def stock(sku: str | None, release: str, hours: float | None, reason: str, actor: str, as_json: bool) -> None:
    """The way from the ERP's figure to what shoppers see, of one SKU; or the SKUs that need somebody, worst first."""
    from integration import waterfall

    world = open_world()
    if (release or hours is not None) and not reason:
        raise Failed("say why with --reason: it stands in the audit")
    if release:
        if release not in {mapping.connection for mapping in world.connections()}:
            raise Failed(f"there is no connection {release!r}")
        held = waterfall.release(world, release, actor=actor, reason=reason)
        say(f"{held} SKUs of {release} were held; what leaps passes for the next half hour")
        return
    told = waterfall.waterfall(world, sku) if sku else waterfall.worst(world)
    if hours is not None:
        _stop(world, sku, told, hours, actor=actor, reason=reason)
        return
    if as_json:
        say_json(told)
    elif sku:
        _say_waterfalls(sku, told)
    else:
        rows = [
            (t["sku"], t["place"], t["state"], t["figure"], t["desired"], t["shown"], _minutes(t), t["waits_for"])
            for t in told
        ]
        columns = ("SKU", "place", "state", "ERP", "shall show", "shows", "waits", "for")
        say_table(columns, rows, none="every SKU is shown as it should be")


def _stop(world: Any, sku: str | None, told: list[dict[str, Any]], hours: float, *, actor: str, reason: str) -> None:
    from integration import waterfall

    if not sku or not told:
        raise Failed("name a SKU that has stock: lockstep stock SKU --stop HOURS --reason ...")
    until = world.store.now() + timedelta(hours=hours)
    for connection in sorted({t["connection"] for t in told}):
        places = waterfall.stop(world, connection, sku, until, actor=actor, reason=reason)
        say(f"{sku} is not sold in {', '.join(places)} until {until:%Y-%m-%d %H:%M} UTC")


def _minutes(told: dict[str, Any]) -> str:
    return "" if told["waits_seconds"] is None else f"{told['waits_seconds'] // 60} min"


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "never"


def _say_waterfalls(sku: str, told: list[dict[str, Any]]) -> None:
    if not told:
        raise Failed(f"no stock of {sku!r} is known; a bundle has none of its own: ask for its parts")
    for level in told:
        say(f"{sku} in Centra's warehouse {level['place']}, from {level['connection']}")
        say(*(f"  {line}" for line in _lines(level)), "")


def _lines(level: dict[str, Any]) -> list[str]:
    if level["figure"] is None:
        return [f"nothing was read yet; it waits for {level['waits_for']}"]
    lines = [f"{level['figure']:>7}  {level['connection']} has {level['figure_kind']}, read {_at(level['figure_at'])}"]
    if level["sold_unknown"] is not None:
        held = f"Centra holds {level['allocated']} for orders and {level['demand']} more are sold"
        taken = f"{level['known']} of these are off the figure already"
        seen = level["allocated"] + (level["demand"] or 0) - (level["known"] or 0)
        ours = f"; by our own ledger {level['unposted']}, and more counts" if (level["unposted"] or 0) > seen else ""
        lines.append(f"{-level['sold_unknown']:>7}  sold and not yet off the figure: {held}; {taken}{ours}")
        lines.append(f"{-level['buffer']:>7}  held back")
        lines.append(f"{level['desired']:>7}  shoppers may buy")
        if level["uncovered"]:
            lines.append(f"{level['uncovered']:>7}  sold without any stock behind them")
    lines.append(f"Centra was told {level['pushed']} {level['quantity_type']}, {_at(level['pushed_at'])}")
    lines.append(f"read back: {level['shown']} to buy, {_at(level['shown_at'])}")
    since = f", since {_at(level['waits_since'])}" if level["waits_since"] else ""
    lines.append(f"waits for {level['waits_for']}{since}" if level["waits_for"] else "nothing waits")
    return lines

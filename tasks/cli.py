"""`lockstep …`: what a person types. Everything heavy is imported inside the command that needs it, so help is quick.

A list or show command takes `--json` and prints one JSON document. Whatever can be expected to go wrong is one line on
stderr and exit code 2.
"""

import importlib
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tasks.cli_exceptions import cases
from tasks.cli_lanes import lanes, nights
from tasks.cli_mappings import mappings
from tasks.cli_products import archive, products
from tasks.cli_stock import stock
from tasks.terminal import (
    Door,
    Failed,
    actor_option,
    as_json_option,
    instance_option,
    instant,
    open_world,
    say,
    say_json,
    say_table,
    yes_option,
)

if TYPE_CHECKING:
    from integration.wiring import World

MOST_PAGES = 200
"""Of a back-fill's window: 20,000 orders, which is a day's budget of calls. Longer histories go in parts."""
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}
words_argument = click.argument("words", nargs=-1, type=click.UNPROCESSED)


@click.group(cls=Door)
def main() -> None:
    """Keeps Centra and the ERPs behind it in step."""


main.add_command(cases)
main.add_command(mappings)
main.add_command(lanes)
main.add_command(nights)
main.add_command(stock)
main.add_command(products)
main.add_command(archive)


# ------------------------------------------------------------------------------------------------------ how it stands


def _story_of(kind: str, told: str) -> None:
    """`lockstep KIND NUMBER`: the story of one document."""

    @main.command(kind, help=told)
    @click.argument("number")
    @instance_option
    @click.option("--live", is_flag=True, help="Ask both systems too.")
    @as_json_option
    def story(number: str, instance: str, live: bool, as_json: bool) -> None:
        _tell(kind, number, instance, live=live, as_json=as_json)


for _kind, _told in {
    "order": "An order's story: what arrived, what was decided and why, what is late, who acts next.",
    "shipment": "A dispatch's story: was the customer told, is it paid for. `lockstep order NUMBER` names an order's"
    " dispatches.",
    "return": "A return's story, by Centra's number: where its goods are, and what was paid back for it.",
    "refund": "A refund's story: whether its credit memo is booked. `lockstep order NUMBER` names an order's refunds.",
}.items():
    _story_of(_kind, _told)


def _tell(kind: str, number: str, instance: str, *, live: bool, as_json: bool) -> None:
    from integration import story

    world = open_world()
    told = story.tell(world, _instance_of(world, number, instance, kind), number, kind=kind, live=live)
    if as_json:
        say_json(told.document())
    else:
        say(*told.lines())


def _instance_of(world: "World", number: str, instance: str, kind: str = "order") -> str:
    """The instance that was named, or the only one that has the document."""
    from integration.store import views

    if instance:
        return instance
    with world.store.read() as tx:
        found = [row.instance for row in views.numbered(tx, number, kind)]
    if len(found) != 1:
        several = f"{', '.join(found)} each have {'an' if kind == 'order' else 'a'} {kind} {number}: say which with --instance"
        raise Failed(several if found else f"no {kind} {number} is in the ledger: nothing has told us of it")
    return str(found[0])


@main.command()
@as_json_option
def status(as_json: bool) -> None:
    """Lanes, orders, exceptions, breakers, signs of life and budgets, now."""
    from integration import health

    told = health.status(open_world())
    if as_json:
        say_json(told)
        return
    lanes = [
        (n["lane"], n["due"], _age(n["oldest_seconds"]), n["working"], n["resting"], n["dead"]) for n in told["lanes"]
    ]
    say_table(("lane", "due", "oldest", "at work", "resting", "dead"), lanes, none="")
    for kind in ("orders", "shipments", "returns", "refunds", "launches", "archivings"):
        say(f"{kind}: " + (", ".join(f"{n} {state}" for state, n in told[kind].items() if n) or "none"))
    if told["captures_pending"]:
        say(f"captures that have not settled: {told['captures_pending']}")
    rows = []
    for kind in told["exceptions"]:
        money = " + ".join(f"{part['amount']} {part['currency']}" for part in kind["money"])
        rows.append(
            (kind["type"], kind["owner"], kind["open"], kind["overdue"], money, f"{kind['act_by']:%Y-%m-%d %H:%M}")
        )
    say_table(
        ("open exceptions", "owner", "open", "late", "at risk", "first act by (UTC)"), rows, none="no open exceptions"
    )
    for breaker in told["breakers"]:
        if breaker["open"]:
            say(f"{breaker['system']} has been away since {breaker['open_since']:%Y-%m-%d %H:%M} UTC: {breaker['why']}")
        elif breaker["throttled"]:
            say(f"{breaker['system']} asks us to wait until {breaker['closed_until']:%H:%M:%S} UTC")
    beats = [(b["process"], _age(b["age_seconds"])) for b in told["heartbeats"]]
    say_table(("process", "last sign of life"), beats, none="no process has given a sign of life yet")
    spent = []
    for budget in told["budgets"]:
        by_lane = ", ".join(f"{lane} {n}" for lane, n in budget["by_lane"].items())
        window = f"{budget['measure']} in {budget['window_seconds']} s"
        spent.append((budget["system"], window, f"{budget['used']} of {budget['units']}", by_lane))
    say_table(("system", "budget", "used", "by lane"), spent, none="no budgets: every system is unlimited")


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


@main.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Examine configuration, systems, database, broker and mappings; exit 1 when something would break a promise."""
    from tasks import doctor as examination

    findings = list(examination.examine())
    if as_json:
        say_json({"ok": not any(f.grade == "FAIL" for f in findings), "findings": [f.document() for f in findings]})
    else:
        say(*(str(finding) for finding in findings))
    if any(finding.grade == "FAIL" for finding in findings):
        sys.exit(1)


# ------------------------------------------------------------------------------------------------- acts on the ledger


@main.command()
def migrate() -> None:
    """Bring the database to the schema of this release. Safe to repeat."""
    from integration.settings import read_settings
    from integration.store import Store
    from integration.store.migrate import revision, upgrade
    from integration.wiring import SystemClock

    store = Store(read_settings().database_url.reveal(), SystemClock())
    with store.read():
        before = revision(store)  # inside, so that a database that is away is a StoreDown
    upgrade(store)
    say(f"the database is at schema {revision(store)}; it was at {before or 'none'}")
    store.close()


@main.command()
@click.option("--instance", required=True, help="The Centra instance.")
@click.option("--since", required=True, help="Orders placed from here on; UTC unless it says otherwise.")
@click.option("--until", required=True, help="Orders placed before this.")
@actor_option
@yes_option
def backfill(instance: str, since: str, until: str, actor: str, yes: bool) -> None:
    """Bring in orders placed in a window that the ledger does not know. The plan is shown first."""
    from integration.domain.order import Key
    from integration.store import ledger, reference, views

    world = open_world()
    start, end = instant(since, "--since"), instant(until, "--until")
    if start >= end:
        raise click.UsageError("--since lies before --until")
    starts = [mapping.start_at for mapping in world.mappings(instance)] if instance in world.storefronts else []
    if not starts:
        raise Failed(f"{instance} is no Centra instance with a mapping in force")
    turn = min(max(min(starts), start), end)
    early, due = _placed(world, instance, start, turn), _placed(world, instance, turn, end)
    with world.store.read() as tx:
        known = views.known(tx, instance, early | due)
    say(
        f"{len(early | due)} orders were placed in {instance} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC:",
        f"{len(known):7} are known and left as they are",
        f"{len(early - known):7} are new and from before the mapping's start: they would be observed, not posted",
        f"{len(due - known):7} are new: they would be posted as soon as Centra has released them",
    )
    fresh = sorted((early | due) - known)
    if not fresh or not (yes or click.confirm("Bring in the new ones?", abort=True)):
        return
    with world.store.write("backfill") as tx:
        for first in range(0, len(fresh), views.MANY):
            some = fresh[first : first + views.MANY]
            ledger.mark_in(tx, [Key(instance, "order", number) for number in some], "operator")
        reference.record_act(tx, actor, "back-fill", f"{instance}: {len(fresh)} orders", f"{start} to {end}")
    say(f"{len(fresh)} orders are marked; the sweeper takes them from here")


def _placed(world: "World", instance: str, since: datetime, until: datetime) -> set[str]:
    """Numbers of the orders that Centra says were placed in [since, until)."""
    found: set[str] = set()
    for page in range(1, MOST_PAGES + 1):
        if since >= until:
            return found
        seen, more = world.storefronts[instance].placed_between(since, until, page)
        found |= {sighting.number for sighting in seen}
        if not more:
            return found
    raise Failed(f"the window holds more than {MOST_PAGES} pages of orders: take a shorter one")


@main.command()
@click.argument("number")
@click.option("--instance", required=True, help="The Centra instance.")
@click.option("--reason", required=True, help="Why: the request's own reference, for the audit.")
@actor_option
@yes_option
def erase(number: str, instance: str, reason: str, actor: str, yes: bool) -> None:
    """Erase a person's data of one order and of all that belongs to it: the keys go; ledger, proofs, audit still verify."""
    from integration.domain.order import Key
    from integration.store import aftersales, documents, ledger, lives, reference

    world = open_world()
    key = Key(instance, "order", number)
    with world.store.read() as tx:
        row = ledger.find(tx, key)
    if row is None:
        raise Failed(f"no order {number} of {instance} is in the ledger")
    if not reason.strip():
        raise Failed("a reason is needed: an erasure is answered for")
    if row.state not in lives.FINAL and not yes:
        click.confirm(
            f"This order is not finished ({row.state}) and cannot be posted once erased. Erase it?", abort=True
        )
    with world.store.write("erase") as tx:
        keys = [documents.erase(tx, each.id) for each in (row, *aftersales.kin(tx, row))]
        if erased := any(keys):
            reference.record_act(tx, actor, "data erased", f"{key}", reason)
    say(f"{key}: the person's data is {'erased' if erased else 'erased already; nothing was done'}")
    _verified(world)


@main.command()
@as_json_option
def verify(as_json: bool) -> None:
    """Check the seals of all proofs and of the audit trail; exit 1 when one does not fit."""
    if not _verified(open_world(), as_json=as_json):
        sys.exit(1)


def _verified(world: "World", *, as_json: bool = False) -> bool:
    from integration.store import proofs, reference

    with world.store.read() as tx:
        broken = {"proofs": proofs.broken(tx), "audit_rows": reference.broken_audit_rows(tx)}
        kept = {"proofs": proofs.count(tx), "audit_rows": len(reference.audit_trail(tx))}
    holds = not any(broken.values())
    if as_json:
        say_json({"ok": holds, "checked": kept, "broken": broken})
        return holds
    for name, ids in broken.items():
        what = f"{kept[name]} {name.replace('_', ' ')}"
        say(f"{what}: BROKEN, ids {', '.join(map(str, ids))}" if ids else f"{what}: every seal fits")
    return holds


# ---------------------------------------------------------------------------------------------------------- processes


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, envvar="LOCKSTEP_WEB_PORT")
def web(host: str, port: int) -> None:
    """Receive webhooks. Put a proxy with TLS in front."""
    import waitress

    from integration import telemetry
    from integration.web import LARGEST, Receiver

    world = open_world()
    telemetry.configure(world.settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # waitress then finishes what it is answering
    try:
        waitress.serve(
            Receiver(world),
            host=host,
            port=port,
            threads=8,
            ident=None,
            connection_limit=500,  # bounded memory: a crowd waits in the kernel
            channel_timeout=30,  # a sender that dawdles gives its place to another
            max_request_body_size=LARGEST + 1,  # what is larger never reaches us
            max_request_header_size=8_192,
        )
    except OSError as error:
        raise Failed(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


@main.command()
def sweep() -> None:
    """Ring what is due and was not rung, until told to stop."""
    from tasks import sweep as sweeper

    sweeper.main()


@main.command("dead-letters")
def dead_letters() -> None:
    """Turn dead letters into exceptions, until told to stop."""
    from tasks import dead_letters as drainer

    drainer.main()


@main.command(context_settings=PASSED_ON)
@words_argument
def sandbox(words: Sequence[str]) -> None:
    """Centra, Fulfil and OrderWise as servers on local ports; --help says more."""
    from integration.sandbox import serve

    serve.main(words)


@main.command()
@click.option("--once", is_flag=True, help="End when the day is over; do not stay to be looked at.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
@click.option("--orders", type=click.IntRange(1), default=320, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--keep", is_flag=True, help="Keep the temporary folder.")
def demo(once: bool, as_json: bool, orders: int, seed: int, keep: bool) -> None:
    """A brand's day on this machine in about five minutes, with two ERPs and mishaps."""
    from tasks import demo as day

    sys.exit(day.main(once=once, as_json=as_json, orders=orders, seed=seed, keep=keep))


@main.command()
@click.option("--seed", type=int, required=True)
def simulate(seed: int) -> None:
    """Tell the story of one seed of the deterministic simulation."""
    try:
        play: Any = importlib.import_module("tasks.simulate")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "integration":
            raise
        raise Failed("the simulation is not installed here: run this from a checkout with its tests") from error
    sys.exit(play.main(seed))


if __name__ == "__main__":
    main()

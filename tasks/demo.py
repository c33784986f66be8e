"""`lockstep demo`: a day of a fashion brand in about three minutes, on this machine, with things going wrong on purpose.

Starts the packaged broker, the sandbox and every process of the Procfile in a temporary folder on free ports; plays a
generated day; breaks things; holds the result against the sandbox's own books; stops everything and leaves nothing.
"""

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.domain.money import Money
from integration.store import Store, counts
from integration.wiring import SystemClock
from mappings import playbook
from tasks.inspection import inspect
from tasks.stack import Stack

DAY_SECONDS = 75.0
"""How long the generated day takes to play."""
SETTLE_SECONDS = 150.0
"""How long the last orders may take to come to rest."""
MISHAPS = 4
SETTINGS = {
    "LOCKSTEP_LEASE_SECONDS": "20",  # a killed worker's orders are taken over before anyone looks away
    "LOCKSTEP_HTTP_READ_SECONDS": "4",
    "LOCKSTEP_POLL_SECONDS": "20",
    "LOCKSTEP_REREAD_SECONDS": "60",
    "LOCKSTEP_BREAKER_SECONDS": "5",
    "LOCKSTEP_PROVE_PATIENCE_SECONDS": "5",
}


@dataclass
class Happening:
    """Something planned to go wrong, and when (a fraction of the day)."""

    at: float
    words: str
    act: Callable[[], None]
    done: bool = False


@dataclass
class Progress:
    """What the ledger says now."""

    seen: int = 0
    states: Counter[str] = field(default_factory=Counter)
    due: int = 0
    exceptions: Counter[str] = field(default_factory=Counter)


def main(*, once: bool, as_json: bool, orders: int, seed: int, keep: bool) -> int:
    """Run the demo. Returns the exit code: 0 only if every invariant holds."""
    began = time.monotonic()
    sandbox = ["--seed", str(seed), "--day", str(orders), "--speed", str(86_400 / DAY_SECONDS)]
    sandbox += ["--mishaps", str(MISHAPS), "--limits", "growth"]
    signal.signal(signal.SIGTERM, _interrupt)
    stack = Stack(keep=keep, **SETTINGS)
    stack.sandbox_words = [*sandbox, *stack.webhook_words()]
    say = _quiet if as_json else _speak
    say(
        "Starting the broker, the sandbox (Centra and Fulfil), workers, receiver, sweeper, drainer, beat and Flower ..."
    )
    try:
        with stack:
            store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
            _play(stack, store, orders, say, quiet=as_json)
            summary = _summary(stack, store, round(time.monotonic() - began, 1))
            if not as_json:
                _show(summary, stack)
            if not once:
                _linger(stack, say)
            store.close()
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    if as_json:
        sys.stdout.write(json.dumps(summary["json"]) + "\n")
    return 0 if summary["json"]["ok"] else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _quiet(words: str) -> None:
    sys.stderr.write(words + "\n")


def _speak(words: str) -> None:
    from rich.console import Console

    Console().print(words, highlight=False)


def _mishaps(stack: Stack) -> list[Happening]:
    """What goes wrong, in order. The unmapped market, the unknown SKU and the wrong totals are in the generated day."""
    plan = {"fault": "timeout-after", "operation": "create_order", "times": 3}
    drop = {"fault": "drop-after", "operation": "create_order", "times": 2}
    processes = stack.supervisor.processes
    return [
        Happening(0.10, "Fulfil takes three orders and never answers", lambda: _fault(stack, plan)),
        Happening(0.20, "Fulfil takes two orders and the connection is cut in mid-answer", lambda: _fault(stack, drop)),
        Happening(0.35, "kill -9 of the order worker", processes["orders"].kill),
        Happening(0.50, "the broker is wiped", lambda: _wipe(stack)),
        Happening(0.60, "kill -9 of the webhook receiver", processes["web"].kill),
        Happening(0.75, "somebody creates the SKUs that Fulfil did not know", lambda: _create_items(stack)),
    ]


def _fault(stack: Stack, plan: dict[str, Any]) -> None:
    stack.ask(stack.fulfil_url, "/_sandbox/faults", plan)


def _wipe(stack: Stack) -> None:
    import redis

    with redis.Redis(port=stack.broker_port) as client:
        client.flushall()


def _create_items(stack: Stack) -> None:
    from integration.sandbox.catalogue import UNKNOWN_SKUS

    for sku in UNKNOWN_SKUS:
        stack.ask(stack.fulfil_url, "/_sandbox/products", {"sku": sku, "name": "Added during the demo"})


def _play(stack: Stack, store: Store, orders: int, say: Callable[[str], None], *, quiet: bool) -> None:
    """Let the day pass, with its mishaps, until everything has come to rest."""
    began = time.monotonic()
    happenings = _mishaps(stack)
    rest = _Rest()
    with _display(orders, quiet=quiet) as show:
        while not rest.reached(time.monotonic() - began):
            passed = (time.monotonic() - began) / DAY_SECONDS
            for happening in happenings:
                if not happening.done and passed >= happening.at:
                    happening.done = True
                    say(f"  [{time.monotonic() - began:5.1f} s] {happening.words}")
                    happening.act()
            for name in stack.supervisor.restart_dead():
                say(f"  [{time.monotonic() - began:5.1f} s] {name} was dead and is started again")
            now = _progress(store)
            show(now)
            rest.look(now, passed > 1, _unfinished(store))
            time.sleep(0.5)


class _Rest:
    """Everything has come to rest when, for a while after the day's end, nothing is due and nothing changes."""

    QUIET_LOOKS = 12

    def __init__(self) -> None:
        self.quiet = 0
        self.last: Any = None

    def look(self, now: Progress, over: bool, unfinished: int) -> None:
        self.quiet = self.quiet + 1 if over and not unfinished and now == self.last else 0
        self.last = now

    def reached(self, seconds: float) -> bool:
        return self.quiet >= self.QUIET_LOOKS or seconds > DAY_SECONDS + SETTLE_SECONDS


def _progress(store: Store) -> Progress:
    with store.read() as tx:
        states, exceptions = counts.orders_by_state(tx), counts.open_by_type(tx)
    return Progress(sum(states.values()), Counter(states), 0, Counter(exceptions))


def _unfinished(store: Store) -> int:
    """Orders that are not at rest: on their way in the ledger, or not yet in it."""
    with store.read() as tx:
        return counts.moving(tx)


@contextmanager
def _display(orders: int, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A live line of progress; nothing where nobody watches."""
    if quiet:
        yield lambda now: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:>18}"), BarColumn(40), MofNCompleteColumn())
    with Bars(*columns) as bars:
        rows = {word: bars.add_task(word, total=orders) for word in ("seen", "proven", "held in Centra", "exceptions")}

        def show(now: Progress) -> None:
            bars.update(rows["seen"], completed=now.seen)
            bars.update(rows["proven"], completed=now.states["proven"])
            bars.update(rows["held in Centra"], completed=now.states["held"] + now.states["cancelled"])
            bars.update(rows["exceptions"], completed=now.exceptions.total())

        yield show


def _summary(stack: Stack, store: Store, seconds: float) -> dict[str, Any]:
    """Counts, cases with money and owner, and every invariant held against the sandbox's own books."""
    centra = stack.ask(stack.centra_url, "/_sandbox/books")
    fulfil = stack.ask(stack.fulfil_url, "/_sandbox/books")
    orders = centra["orders"] if isinstance(centra, dict) else centra
    with store.read() as tx:
        jobs, cases = counts.all_orders(tx), counts.open_cases(tx)
    broken = inspect(orders, fulfil, jobs, [case for case in cases if case["number"]])
    broken["personal_data_only_in_the_vault"] = _leaks(stack, orders)
    states = Counter(str(job["state"]) for job in jobs)
    fired = stack.ask(stack.fulfil_url, "/_sandbox/faults")["fired"]
    return {
        "json": {
            "ok": not any(broken.values()),
            "seen": len(jobs),
            "proven": states["proven"],
            "waiting": states["held"],
            "cancelled": states["cancelled"],
            "exceptions": dict(Counter(str(case["type"]) for case in cases)),
            "invariants": {name: not sentences for name, sentences in broken.items()},
            "seconds": seconds,
        },
        "broken": broken,
        "cases": cases,
        "held": Counter(str(job["reason"]) for job in jobs if job["state"] == "held"),
        "fired": fired,
    }


def _leaks(stack: Stack, orders: list[dict[str, Any]]) -> list[str]:
    """Customers' addresses found in a log, the broker's file or the ledger's own bytes."""
    emails = {str(order["email"]).encode() for order in orders if order.get("email")}
    found = []
    for path in sorted(stack.folder.rglob("*")):
        if path.is_file() and path.name != "sandbox.log":
            content = path.read_bytes()
            found += [f"{path.name}: a customer's e-mail" for email in emails if email in content]
    return found


def _show(summary: dict[str, Any], stack: Stack) -> None:
    """The summary for a person."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console, told = Console(), summary["json"]
    console.rule("[bold]The day is over")
    console.print(
        f"[bold]{told['seen']}[/] orders seen, [bold]{told['proven']}[/] posted and proved equal to the minor unit, "
        f"{told['cancelled']} cancelled in both, {told['waiting']} waiting, {sum(told['exceptions'].values())} exceptions."
    )
    for reason, count in summary["held"].most_common():
        console.print(f"  waiting: {count} because {escape(reason)}")
    console.print(_table_of_cases(summary["cases"]))
    checks = Table("Held against the sandbox's own books", "", title_justify="left")
    for name, sentences in summary["broken"].items():
        checks.add_row(
            name.replace("_", " "), "[green]holds[/]" if not sentences else f"[red]{'; '.join(sentences[:3])}[/]"
        )
    console.print(checks)
    console.print(f"Faults that fired at Fulfil: {summary['fired']}. {told['seconds']} s.")
    config = _config(stack)
    for words in (
        f"Flower with the Exceptions page: {stack.flower_url}/exceptions",
        f"  user demo, password {stack.flower_password}",
        f"At a shell: LOCKSTEP_CONFIG={config} lockstep order {told['seen']}",
        f"Centra's books: {stack.centra_url}/_sandbox/books",
        f"Fulfil's books: {stack.fulfil_url}/_sandbox/books",
    ):
        console.print(words, soft_wrap=True, highlight=False)


def _config(stack: Stack) -> Path:
    """The demo's settings as a file, so that `lockstep` can be typed at it."""
    path = stack.folder / "demo.conf"
    path.touch(mode=0o600)
    lines = [f"{name}={value}" for name, value in stack.environment.items() if name.startswith("LOCKSTEP_")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _table_of_cases(cases: list[dict[str, Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    rules = playbook()
    table = Table("Exceptions by cause", "orders", "money at risk", "owner", title_justify="left")
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in cases:
        grouped.setdefault((case["type"], case["cause"]), []).append(case)
    for (type, cause), members in sorted(grouped.items()):
        money = Counter[str]()
        for case in members:
            money[case["currency"]] += case["money_minor"]
        worth = ", ".join(str(Money(minor, currency)) for currency, minor in sorted(money.items()) if currency)
        table.add_row(escape(f"{rules.rule(type).title}: {cause}"), str(len(members)), worth, members[0]["owner"])
    return table


def _linger(stack: Stack, say: Callable[[str], None]) -> None:
    say("Everything is still running: look around. Ctrl-C stops it and removes its folder.")
    while True:
        stack.supervisor.restart_dead()
        time.sleep(1)

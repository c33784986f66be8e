"""`lockstep demo`: a day of a fashion brand in about five minutes, on this machine, with things going wrong on purpose.

Starts the packaged broker, the sandbox and every process of the Procfile in a temporary folder on free ports; plays a
generated day: orders, stock, shipments, returns, refunds; breaks things; has the night count the day; holds the result
against the sandbox's own books; stops everything and leaves nothing.
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

import mappings
from integration.release import SETTLING
from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.demo_clerk import Clerk
from tasks.demo_mishaps import IN_THE_DAY, mishaps
from tasks.demo_summary import show, summary
from tasks.stack import Stack

DAY_SECONDS = 60.0
"""How long the generated day takes to play, once the shelves are full."""
SETTLE_SECONDS = 480.0
"""How long the last documents may take to come to rest: much less is needed where nobody else uses the machine."""
NIGHT_SECONDS = 30.0
WAREHOUSE_SPEED, CUSTOMERS_SPEED = 3_000.0, 250_000.0
"""The warehouse works through its four hours, and customers through the weeks afterwards, while somebody watches."""
SCARCE = 6
"""SKUs of which there is so little that they sell out."""
SETTINGS = {
    "LOCKSTEP_LEASE_SECONDS": "20",  # a killed worker's orders are taken over before anyone looks away
    "LOCKSTEP_HTTP_READ_SECONDS": "4",
    "LOCKSTEP_POLL_SECONDS": "8",
    "LOCKSTEP_POLL_OVERLAP_SECONDS": "30",
    "LOCKSTEP_REREAD_SECONDS": "60",
    "LOCKSTEP_BREAKER_SECONDS": "5",
    "LOCKSTEP_PROVE_PATIENCE_SECONDS": "5",
    # A day in a minute: quotas of ten real seconds would be two hours of it. `make bench` keeps to the real ones.
    "LOCKSTEP_BRAND_PLAN": "unlimited",
    "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "0",
    "LOCKSTEP_ORDERWISE_REQUESTS_PER_SECOND": "0",
}
CONNECTIONS = ("fulfil", "orderwise")
IN_A_HURRY = {
    "settle_minutes = 30": "settle_minutes = 1",
    "at_most_minutes = 240": "at_most_minutes = 2",
    "every_minutes = 15": "every_minutes = 1",
    "queue_minutes = 15": "queue_minutes = 2",
    "schedule_minutes = 5 ": "schedule_minutes = 1 ",
}
"""What is shorter in the demo's OrderWise mapping than in the example: a minute is the least a mapping can say, and so these
orders leave up to two minutes after the last of the day was placed.
"""
STAGED = """
[products]
staging = "on"
release = "variant status"
template = "LS101NVS"
required = ["ean", "name"]
"""
"""What is new is sold once OrderWise has it: made there from the variant of a SKU that there is."""


@dataclass
class Progress:
    """What the ledger says now: documents by kind and state, open exceptions by type. Stock never rests, so it is left out."""

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)

    def of(self, kind: str, *states: str) -> int:
        return sum(n for (its, state), n in self.states.items() if its == kind and (not states or state in states))


def main(*, once: bool, as_json: bool, orders: int, seed: int, keep: bool) -> int:
    """Run the demo. Returns the exit code: 0 only if every invariant holds."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    mapped = {"orderwise": hurried()}
    stack = Stack(keep=keep, sandbox_first=True, connections=CONNECTIONS, mapped=mapped, **SETTINGS)
    stack.sandbox_words = [*_sandbox(orders, seed), *stack.webhook_words()]
    say = _quiet if as_json else _speak
    say(
        "Starting the broker, the sandbox (Centra, Fulfil and OrderWise), workers, receiver, sweeper, drainer, beat and Flower ..."
    )
    try:
        with stack:
            store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
            stack.register_inventory_webhook()
            _fill_shelves(stack, say)
            made = _play(stack, store, orders, say, quiet=as_json)
            _night(stack, store, say)
            told = _summary(stack, store, began, made)
            if not as_json:
                show(told, stack)
            for name, sentences in told["broken"].items() if as_json else ():
                for sentence in sentences[:5]:
                    say(f"{name}: {sentence}")
            if not once:
                _linger(stack, say)
            store.close()
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    if as_json:
        sys.stdout.write(json.dumps(told["json"]) + "\n")
    return 0 if told["json"]["ok"] else 1


def _sandbox(orders: int, seed: int) -> list[str]:
    words = {"--seed": seed, "--day": orders, "--speed": 86_400 / DAY_SECONDS, "--mishaps": IN_THE_DAY}
    words |= {"--scarce": SCARCE, "--warehouse": WAREHOUSE_SPEED, "--customers": CUSTOMERS_SPEED}
    return [*(str(word) for pair in words.items() for word in pair), "--empty-shelves", "--both"]


def hurried() -> str:
    """OrderWise's example mapping with its minutes shortened, and with products."""
    text = Path(mappings.__file__).with_name("orderwise.toml").read_text("utf-8") + STAGED
    for slow, quick in IN_A_HURRY.items():
        if slow not in text:
            raise ValueError(f"mappings/orderwise.toml does not say {slow!r} any more")
        text = text.replace(slow, quick)
    return text


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _quiet(words: str) -> None:
    sys.stderr.write(words + "\n")


def _speak(words: str) -> None:
    from rich.console import Console

    Console().print(words, highlight=False)


def _fill_shelves(stack: Stack, say: Callable[[str], None]) -> None:
    """The shop opens when our first push has filled its shelves: nothing that no ERP has can be sold."""
    say("Centra's shelves are empty; the stock lane fills them from Fulfil and OrderWise, and the shop opens ...")
    while not stack.ask(stack.centra_url, "/_sandbox/orders"):
        stack.supervisor.restart_dead()
        time.sleep(0.25)


def _play(stack: Stack, store: Store, orders: int, say: Callable[[str], None], *, quiet: bool) -> Counter[str]:
    """Let the day pass, with its mishaps, until everything has come to rest. The exceptions made on purpose, by type."""
    began = time.monotonic()
    happenings, clerk, rest = mishaps(stack, store), Clerk(stack), _Rest()
    with _display(orders, quiet=quiet) as show_progress:
        while not rest.reached(time.monotonic() - began):
            passed = (time.monotonic() - began) / DAY_SECONDS
            for happening in happenings:
                if happening.due(passed):
                    say(f"  [{time.monotonic() - began:5.1f} s] {happening.words}")
            for name in stack.supervisor.restart_dead():
                say(f"  [{time.monotonic() - began:5.1f} s] {name} was dead and is started again")
            now = _progress(store)
            show_progress(now)
            keying = clerk.work(store)
            over = passed > 1 and not keying and all(happening.done for happening in happenings)
            rest.look(now, over and not _afoot(stack, store, now))
            time.sleep(0.5)
    spoiled = [each.opens for each in happenings if each.opens and each.done]
    return Counter([*spoiled, *clerk.spared.values()])


def _afoot(stack: Stack, store: Store, now: Progress) -> bool:
    """Whether anything is on its way: in our ledger, in the warehouse, or known to Centra alone."""
    with store.read() as tx:
        if _settling(counts.all_orders(tx)):
            return True
    doors = [(stack.url_of(name), f"/_sandbox/{what}") for name in stack.texts for what in ("shipments", "returns")]
    if any(stack.ask(*door) for door in doors):
        return True
    told = stack.ask(stack.centra_url, "/_sandbox/ledger")
    return _moving(store) or len(told["returns"]) > now.of("return") or len(told["refunds"]) > now.of("refund")


def _settling(orders: list[dict[str, Any]]) -> bool:
    return any(row["state"] == "held" and row["reason"].startswith(SETTLING) for row in orders)


def _night(stack: Stack, store: Store, say: Callable[[str], None]) -> None:
    """The finance lane counts the business day in both systems: as any night, only that nobody waits for midnight."""
    say("The night: the finance lane counts the business day in all systems ...")
    for connection in stack.texts:
        stack.lockstep("nights", "--so-far", "--connection", connection)
    until = time.monotonic() + NIGHT_SECONDS
    while time.monotonic() < until and _progress(store).of("day", "proven") != _progress(store).of("day"):
        stack.supervisor.restart_dead()
        time.sleep(0.25)


def _summary(stack: Stack, store: Store, began: float, made: Counter[str]) -> dict[str, Any]:
    """The summary of a moment in which nothing moves and all is well, or of the last one when patience ends: every five
    minutes, what has changed in an ERP is proved again, and stock is looked at as often as the ERPs are polled.
    """
    until = time.monotonic() + NIGHT_SECONDS
    while True:
        moved = _moving(store)
        told = summary(stack, store, round(time.monotonic() - began, 1), made)
        if (told["json"]["ok"] and not moved and not _moving(store)) or time.monotonic() > until:
            return told
        stack.supervisor.restart_dead()
        time.sleep(1)


def _moving(store: Store) -> bool:
    with store.read() as tx:
        return bool(counts.moving(tx, but=["stock"]))


class _Rest:
    """Everything has come to rest when, for a while after the day's end, nothing is due and nothing changes."""

    QUIET_LOOKS = 8

    def __init__(self) -> None:
        self.quiet = 0
        self.last: Any = None

    def look(self, now: Progress, still: bool) -> None:
        self.quiet = self.quiet + 1 if still and now == self.last else 0
        self.last = now

    def reached(self, seconds: float) -> bool:
        return self.quiet >= self.QUIET_LOOKS or seconds > DAY_SECONDS + SETTLE_SECONDS


def _progress(store: Store) -> Progress:
    with store.read() as tx:
        states = {(kind, state): n for (kind, state), n in counts.by_state(tx).items() if kind != "stock"}
        return Progress(Counter(states), Counter(counts.open_by_type(tx)))


@contextmanager
def _display(orders: int, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A live line of progress; nothing where nobody watches."""
    if quiet:
        yield lambda now: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:>18}"), BarColumn(40), MofNCompleteColumn())
    words = (
        "seen",
        "proven",
        "held in Centra",
        "shipments told",
        "returns completed",
        "refunds credited",
        "exceptions",
    )
    with Bars(*columns) as bars:
        rows = {word: bars.add_task(word, total=orders) for word in words}

        def show_progress(now: Progress) -> None:
            figures = (
                now.of("order"),
                now.of("order", "proven"),
                now.of("order", "held", "cancelled"),
                now.of("shipment", "proven"),
                now.of("return", "proven"),
                now.of("refund", "proven"),
                now.exceptions.total(),
            )
            for word, figure in zip(words, figures, strict=True):
                bars.update(rows[word], completed=figure)

        yield show_progress


def _linger(stack: Stack, say: Callable[[str], None]) -> None:
    say("Everything is still running: look around. Ctrl-C stops it and removes its folder.")
    while True:
        stack.supervisor.restart_dead()
        time.sleep(1)

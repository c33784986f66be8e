"""All sandbox systems on real ports of this machine: `python -m integration.sandbox.serve --orders 50`.

Prints one line of JSON when ready (addresses, tokens, process id) and runs until SIGTERM or SIGINT.
"""

import argparse
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

from waitress.channel import ClientDisconnected
from waitress.server import create_server

from integration.sandbox import catalogue, goods
from integration.sandbox.centra import DEFAULT_TOKEN, Centra
from integration.sandbox.centra_customers import Customers
from integration.sandbox.centra_orders import Order
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock, RealClock
from integration.sandbox.faults import Drop, Hang
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_access import TOKEN
from integration.sandbox.generator import Generator, Mishaps, Timeline, play, shared_markets
from integration.sandbox.orderwise import PASSWORD, USER, OrderWise, OrderWiseSwitches
from integration.sandbox.warehouse import Habits, Warehouse

App = Callable[[Any, Any], Iterable[bytes]]
THREADS = 12
"""Per system; a call under a time-out fault sits on one of them."""
DAY = 86_400.0
LOOK, PATIENCE = 0.25, 240
"""Seconds between two looks at the shelves, and how many looks before the shop opens anyway."""
AFTER_A_DAY = {
    "kept": 64, "returned": 10, "returned-partly": 10, "returned-with-cost": 4, "changed-mind": 3,
    "refunded-goodwill": 5, "refunded-shipping": 4,
}  # fmt: skip
"""What becomes of the day's orders; nobody sends damaged goods back, for the warehouse's verdicts are drawn apart."""
ATTENTIVE = Habits(look=900.0, quarantined=0.03, scrapped=0.02, mixed=0.02)
"""A warehouse that seldom judges otherwise than a return announced."""


def serving(app: App, clock: Clock, longest: float = 120.0) -> App:
    """`app` for a waitress server: `Hang` sleeps (at most `longest` seconds) and closes, `Drop` sends half a body."""

    def served(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Hang as hang:
            clock.sleep(min(hang.seconds, longest))
            raise ClientDisconnected from None  # waitress closes the connection and answers nothing
        except Drop as drop:
            body = drop.body or b"{}"
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body[: len(body) // 2]]  # less than promised: waitress closes the connection

    return served


class Server:
    """One app on 127.0.0.1; port 0 takes a free one."""

    def __init__(self, app: App, clock: Clock, port: int = 0, longest_hang: float = 120.0) -> None:
        self._server = create_server(serving(app, clock, longest_hang), host="127.0.0.1", port=port, threads=THREADS)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._run, name=f"sandbox {self.url}", daemon=True)
        self._closing = False

    def start(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        """Serve until the port is closed, which happens in the middle of whatever the server waits for."""
        try:
            self._server.run()
        except OSError:
            if not self._closing:
                raise

    def stop(self) -> None:
        """Close the port; calls in flight have a moment to end."""
        self._closing = True
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def journal(path: Path) -> Callable[[Order, str], None]:
    """A watcher that appends every change of an order to `path`, one JSON object a line."""

    def note(order: Order, change: str) -> None:
        words = {
            "at": order.updated_at.isoformat(),
            "number": order.number,
            "change": change,
            "text": order.history[-1][1],
            "status": order.status,
            "grand_total": str(order.grand_total),
            "currency": order.currency,
        }
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(words, ensure_ascii=False) + "\n")

    return note


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description="Centra, Fulfil and OrderWise doubles on local ports")
    parser.add_argument("--centra-port", type=int, default=0)
    parser.add_argument("--fulfil-port", type=int, default=0)
    parser.add_argument("--orderwise-port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limits", choices=("off", "growth", "enhanced"), default="off")
    parser.add_argument("--orders", type=int, default=0, help="orders that are there from the start")
    parser.add_argument("--day", type=int, default=0, help="orders of a day that is played while the server runs")
    parser.add_argument("--speed", type=float, default=60.0, help="how many times faster than real the day is played")
    parser.add_argument(
        "--both", type=int, nargs="?", const=20, default=0, metavar="PERCENT", choices=range(1, 100),
        help="so many orders of a hundred (20) are of a market that OrderWise serves",
    )  # fmt: skip
    parser.add_argument("--mishaps", type=int, default=0, help="of the day's orders, this many of each kind go wrong")
    parser.add_argument("--warehouse", type=float, metavar="SPEED", help="the ERPs' warehouses work, this much faster")
    parser.add_argument("--customers", type=float, metavar="SPEED", help="customers send goods back, this much faster")
    parser.add_argument("--scarce", type=int, default=0, help="SKUs of which no ERP has more than a dozen anywhere")
    parser.add_argument("--skus", type=int, default=0, help="so many SKUs more, which all systems know")
    parser.add_argument(
        "--empty-shelves", action="store_true", help="Centra has no stock, sells none, and opens with some"
    )
    parser.add_argument("--webhook", nargs=3, action="append", default=[], metavar=("STORE", "URL", "SECRET"))
    parser.add_argument(
        "--shop", nargs=3, action="append", default=[], metavar=("SESSION", "URL", "LOGIN"),
        help="OrderWise's session calls this address on its schedule, times --speed; LOGIN is user:password",
    )  # fmt: skip
    parser.add_argument("--journal", type=Path, help="append every change of an order to this file")
    return parser.parse_args(words)


def prepare(asked: argparse.Namespace, clock: Clock) -> Centra:
    """A Centra as asked for on the command line; its day begins when its shelves are filled."""
    centra = Centra(clock, CentraSwitches(limits=asked.limits, checkout_stops_at_zero=asked.empty_shelves), asked.seed)
    if asked.journal:
        centra.watchers.append(journal(asked.journal))
    for store, url, secret in asked.webhook:
        centra.register_webhook(url, secret, int(store))
    generator = Generator(asked.seed, shared_markets(asked.both))
    for _ in range(asked.orders):
        centra.confirm(centra.place_order(generator.basket()))
    if asked.empty_shelves:
        clear_shelves(centra, both=bool(asked.both))
    if asked.day:
        wrong = Mishaps(asked.mishaps, asked.mishaps, asked.mishaps)
        day: list[Timeline] = generator.day(asked.day, mishaps=wrong)
        when_stocked(centra, clock, lambda: play(centra, day, clock, asked.speed), both=bool(asked.both))
    if asked.customers:
        random = Random(f"{asked.seed} customers")
        Customers(centra, random, clock, asked.customers, AFTER_A_DAY, DAY / 4, completes=False).start()
    return centra


def shelves(*, both: bool = False) -> Iterator[tuple[int, str]]:
    """Every shelf that Fulfil can fill, or `both` ERPs can: (Centra's warehouse, SKU)."""
    plain = [sku for sku in catalogue.ERP_SKUS if not catalogue.GOODS[sku].is_bundle]
    return itertools.product(catalogue.CENTRA_WAREHOUSES if both else catalogue.FULFIL_BUILDINGS, plain)


def clear_shelves(centra: Centra, *, both: bool = False) -> None:
    """Nothing of what the ERPs know is there; what they have never heard of stays, or nobody could sell it."""
    for warehouse, sku in shelves(both=both):
        centra.set_physical(sku, 0, warehouse)


def when_stocked(
    centra: Centra, clock: Clock, begin: Callable[[], Any], looked: int = 0, *, both: bool = False
) -> None:
    """Begin once every shelf has something, or after `PATIENCE` looks whatever there is."""
    if looked >= PATIENCE or all(centra.book.stock.at(*shelf) for shelf in shelves(both=both)):
        begin()
    else:
        clock.later(LOOK, lambda: when_stocked(centra, clock, begin, looked + 1, both=both))


def prepare_fulfil(asked: argparse.Namespace, clock: Clock) -> Fulfil:
    """A Fulfil as asked for: some SKUs nearly sold out, its warehouse at work."""
    fulfil, random = Fulfil(clock, seed=asked.seed), Random(f"{asked.seed} stock")
    for sku in scarce(asked, random):
        for warehouse in catalogue.FULFIL_WAREHOUSES:
            fulfil.adjust(sku, random.randint(4, 12), warehouse)
    if asked.warehouse:
        Warehouse(fulfil, Random(f"{asked.seed} warehouse"), clock, asked.warehouse, ATTENTIVE).start()
    return fulfil


def scarce(asked: argparse.Namespace, random: Random) -> list[str]:
    """The SKUs that are nearly sold out; the same ones everywhere, for `random` is fresh."""
    return random.sample(sorted({sku for _, sku in shelves()}), asked.scarce)


def prepare_orderwise(asked: argparse.Namespace, clock: Clock) -> OrderWise:
    """An OrderWise as asked for: the same SKUs nearly sold out, its warehouse at work."""
    orderwise, random = OrderWise(clock, seed=asked.seed), Random(f"{asked.seed} stock")
    for sku in scarce(asked, random):
        orderwise.adjust(sku, random.randint(4, 12))
    if asked.warehouse:
        Warehouse(orderwise, Random(f"{asked.seed} Leeds"), clock, asked.warehouse, ATTENTIVE).start()
    for session, url, login in asked.shop:
        begin = partial(orderwise.schedule_session, url, int(session), asked.speed, login=login, delivery_lines=True)
        clock.later(0, begin)
    return orderwise


def main(words: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    asked, clock = _arguments(sys.argv[1:] if words is None else words), RealClock()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    goods.grow(asked.skus)
    fulfil = Server(prepare_fulfil(asked, clock).app, clock, asked.fulfil_port).start()
    orderwise = Server(prepare_orderwise(asked, clock).app, clock, asked.orderwise_port).start()
    centra = Server(prepare(asked, clock).app, clock, asked.centra_port).start()
    ready = {
        "pid": os.getpid(),
        "centra": {"url": centra.url, "token": DEFAULT_TOKEN},
        "fulfil": {"url": fulfil.url, "token": TOKEN},
        "orderwise": {"url": orderwise.url + OrderWiseSwitches().directory, "user": USER, "password": PASSWORD},
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    stop.wait()
    centra.stop()
    fulfil.stop()
    orderwise.stop()


if __name__ == "__main__":
    main()

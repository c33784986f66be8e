"""Does one ERP wait for the other? From Centra's webhook to posted in Fulfil, while OrderWise answers, takes 20 s, or hangs.

Both connections are in one installation, and orders of OrderWise's markets arrive among Fulfil's. A round is one stack of its
own and three measurements in turn; a ratio is taken within its round, and the median of the rounds is held against the target.
What counts begins when slowness has been noticed: its first calls hold as many workers as took one, each once.
"""

import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from rows import Row, at_percent, printed
from shop import call

import mappings
from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.stack import Stack
from tasks.supervisor import wait_for

ROUNDS = 5
ORDERS, A_SECOND = 50, 5
"""Of Fulfil's markets, in one measurement."""
EVERY = 5
"""One order of OrderWise's markets comes with so many of Fulfil's."""
OUTLET, UNITED_KINGDOM = 8, 1
BOUND = 1.1
NOTICED = 45.0
"""Seconds until the first slow answers have come, or have failed to."""
PROCFILE = ("web", "orders", "lanes", "finance", "sweep")
SETTINGS = {
    "LOCKSTEP_BRAND_PLAN": "unlimited",
    "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "0",
    "LOCKSTEP_ORDERWISE_REQUESTS_PER_SECOND": "0",
    "LOCKSTEP_BRAND_EVENTS": "no",  # only the webhook tells of an order
    "LOCKSTEP_POLL_SECONDS": "86400",
}
PHASES = {"healthy": None, "answers in 20 s": ("slow", 20), "does not answer": ("timeout-before", 60)}


def measure() -> list[Row]:
    waits: dict[str, list[float]] = {phase: [] for phase in PHASES}
    ratios: dict[str, list[float]] = {phase: [] for phase in list(PHASES)[1:]}
    for number in range(ROUNDS):
        found = _round(number)
        for phase, seconds in found.items():
            waits[phase] += seconds
        for phase, of_phase in ratios.items():
            of_phase.append(at_percent(95, found[phase]) / at_percent(95, found["healthy"]))
        told = ", ".join(f"{phase} {at_percent(95, found[phase]):.3f} s" for phase in PHASES)
        sys.stderr.write(f"slow ERP, round {number + 1}: p95 with OrderWise that is/that {told}\n")
    rows = []
    for phase, seconds in waits.items():
        how = f"{len(seconds)} orders of Fulfil's, {A_SECOND} a second, one of OrderWise's with every {EVERY}; {ROUNDS} rounds"
        rows += [
            Row(
                f"Fulfil order posted, OrderWise {phase}, p{part}",
                round(at_percent(part, seconds), 3),
                "s",
                "",
                None,
                how,
            )
            for part in (50, 95)
        ]
    for phase, found_ratios in ratios.items():
        value = round(statistics.median(found_ratios), 2)
        how = f"median of the rounds: {', '.join(f'{ratio:.2f}' for ratio in sorted(found_ratios))}"
        rows.append(Row(f"p95, OrderWise {phase} / healthy", value, "ratio", f"<= {BOUND}", value <= BOUND, how))
    return rows


def _round(number: int) -> dict[str, list[float]]:
    """Seconds from the webhook to posted of every order of Fulfil's, by what OrderWise does."""
    with Stack(
        processes=PROCFILE,
        connections=("fulfil", "orderwise"),
        mapped={"orderwise": _at_once()},
        sandbox=("--seed", str(number + 1)),
        **SETTINGS,
    ) as stack:
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        try:
            _arriving(stack, store, orders=15)
            time.sleep(10)
            found = {}
            for phase, fault in PHASES.items():
                if fault is not None:
                    _suffer(stack, *fault)
                    for order in _place(stack, OUTLET, 8):
                        call(stack, order)
                    time.sleep(NOTICED)
                found[phase] = _arriving(stack, store, orders=ORDERS)
                stack.ask(stack.orderwise_url, "/_sandbox/faults", method="DELETE")
                time.sleep(5)
            return found
        finally:
            store.close()


def _at_once() -> str:
    """OrderWise's example mapping, in which orders need not settle: they are to be under way at the same time."""
    example = Path(mappings.__file__).with_name("orderwise.toml").read_text(encoding="utf-8")
    return example.replace('trigger = "schedule"', 'trigger = "event"')


def _suffer(stack: Stack, fault: str, seconds: int) -> None:
    for operation in ("create_order", "export_definition", "token"):
        plan = {"fault": fault, "operation": operation, "seconds": seconds, "times": 10_000}
        stack.ask(stack.orderwise_url, "/_sandbox/faults", plan)


def _place(stack: Stack, market: int, orders: int) -> list[int]:
    """Confirmed orders that nobody was told of."""
    words = {"generate": orders, "seed": market, "market_id": market}
    return [int(n) for n in stack.ask(stack.centra_url, "/_sandbox/orders", words)["numbers"]]


def _arriving(stack: Stack, store: Store, orders: int) -> list[float]:
    """Let orders of both arrive; seconds from the call of the webhook to posted, for Fulfil's."""
    numbers, others = _place(stack, UNITED_KINGDOM, orders), _place(stack, OUTLET, orders // EVERY)
    called: dict[str, datetime] = {}
    began = time.monotonic()
    for place, number in enumerate(numbers):
        time.sleep(max(0.0, began + place / A_SECOND - time.monotonic()))
        if place % EVERY == 0 and others:
            call(stack, others.pop())
        called[str(number)] = datetime.now(UTC)
        call(stack, number)
    found: dict[str, datetime] = {}

    def all_there() -> bool:
        time.sleep(0.2)
        with store.read() as tx:
            rows = [row for row in counts.all_orders(tx) if row["number"] in called]
        found.update({row["number"]: row["posted_at"] for row in rows if row["posted_at"]})
        return len(found) + sum(row["state"] == "dead" for row in rows) >= len(called)

    wait_for(all_there, f"the posting of {len(called)} orders", 180)
    return [(found[number] - called[number]).total_seconds() for number in called if number in found]


if __name__ == "__main__":
    printed(measure())

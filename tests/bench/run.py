"""`make bench`: one table of what was measured here, now, with the targets beside it. Ratios travel; times do not.

Load goes to this machine only and ends by itself. `--json` prints the rows as a list, `--only NAME,…` chooses.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import budget
import priority
import skus
import slow
from rows import Row, at_percent, printed

from integration.store import Store, counts
from integration.wiring import SystemClock
from tasks.stack import Stack
from tasks.supervisor import ROOT, wait_for

HERE = Path(__file__).parent
QUERY = ROOT / "integration" / "centra" / "queries" / "orders.graphql"
ROUNDS = 5
BACKLOG = 400
"""Orders of one throughput round."""
DRAIN = 1_000
"""Orders of the backlog whose API calls are counted."""
TRICKLE = 40
"""Orders of the latency measurement, one at a time."""
UNLIMITED = {"LOCKSTEP_BRAND_PLAN": "unlimited", "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "0"}
LINE = ("orders", "lanes", "sweep")


def main() -> None:
    words = argparse.ArgumentParser(prog="bench", description=__doc__)
    words.add_argument("--json", action="store_true", help="print the rows as JSON")
    words.add_argument("--only", default="", help=f"some of: {', '.join(MEASURES)}")
    asked = words.parse_args()
    chosen = [name for name in asked.only.split(",") if name] or list(MEASURES)
    rows: list[Row] = []
    for name in chosen:
        began = time.monotonic()
        rows += MEASURES[name]()
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    printed(rows, as_json=asked.json)


def throughput() -> list[Row]:
    """Ours and the plain chain in turn, so that a noisy machine disturbs both alike."""
    ours, plain = [], []
    for _ in range(ROUNDS):
        ours.append(_ours())
        plain.append(_plain())
    mine, theirs = statistics.median(ours), statistics.median(plain)
    ratio = round(mine / theirs, 2)
    how = (
        f"{BACKLOG} waiting orders, two worker processes each, remote limits off, median of {ROUNDS} alternating rounds"
    )
    return [
        Row("orders a second, whole lane", round(mine, 1), "1/s", "", None, how),
        Row(
            "orders a second, plain Celery chain",
            round(theirs, 1),
            "1/s",
            "",
            None,
            "fetch, create, read back; one order at a time",
        ),
        Row("whole lane / plain chain", ratio, "ratio", ">= 0.7", ratio >= 0.7, how),
    ]


def _ours() -> float:
    """From the start of the sweeper, with the worker idle and warm, until the last order is proven."""
    with Stack(processes=("orders",), sandbox=("--orders", str(BACKLOG), "--seed", "5"), **UNLIMITED) as stack:
        wait_for(lambda: "ready." in _log(stack, "orders"), "the worker's start", 30)
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        began = time.monotonic()
        stack.supervisor.start("sweep", [sys.executable, "-m", "tasks.cli", "sweep"])
        _until_done(store, BACKLOG, 120)
        seconds = time.monotonic() - began
        store.close()
        return BACKLOG / seconds


def _plain() -> float:
    """From the first publish until the last read-back, with the worker idle and warm."""
    with Stack(processes=(), sandbox=("--orders", str(BACKLOG), "--seed", "5"), **UNLIMITED) as stack:
        environment = {
            "BENCH_BROKER_URL": stack.environment["LOCKSTEP_BROKER_URL"],
            "BENCH_CENTRA_URL": stack.centra_url,
            "BENCH_FULFIL_URL": stack.fulfil_url,
            "BENCH_QUERY": str(QUERY),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        }
        words = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "plain_chain",
            "worker",
            "-c",
            "2",
            "-n",
            "plain@%h",
            "-l",
            "info",
        ]
        stack.supervisor.start("plain", [*words, "--without-gossip", "--without-mingle"], **environment)
        wait_for(lambda: "ready." in _log(stack, "plain"), "the plain worker's start", 30)
        numbers = stack.ask(stack.centra_url, "/_sandbox/orders")
        began = time.monotonic()
        send = f"import plain_chain; plain_chain.send({numbers})"
        subprocess.run([sys.executable, "-c", send], env=stack.environment | environment, check=True, timeout=60)
        wait_for(lambda: _read_backs(stack) >= 2 * BACKLOG, "the plain chain's end", 120)
        return BACKLOG / (time.monotonic() - began)


def _read_backs(stack: Stack) -> int:
    time.sleep(0.1)
    return int(stack.ask(stack.fulfil_url, "/_sandbox/books")["requests"].get("search_read", 0))


def _log(stack: Stack, name: str) -> str:
    return (stack.folder / f"{name}.log").read_text(errors="replace")


def _until_done(store: Store, orders: int, seconds: float) -> None:
    """Until that many orders are proven or dead."""

    def done() -> bool:
        time.sleep(0.05)
        with store.read() as tx:
            states = counts.orders_by_state(tx)
        return states.get("proven", 0) + states.get("dead", 0) >= orders

    wait_for(done, f"{orders} orders proven", seconds)


def calls() -> list[Row]:
    """API calls while a backlog of 1,000 drains under the quotas: what the two systems themselves counted."""
    # Quotas as in production would make this take two minutes; a higher rate changes no count.
    fast = {"LOCKSTEP_BRAND_PLAN": "growth", "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "200"}
    with Stack(processes=LINE, sandbox=("--orders", str(DRAIN), "--seed", "6"), **fast) as stack:
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        _until_done(store, DRAIN, 240)
        centra = sum(stack.ask(stack.centra_url, "/_sandbox/requests").values())
        fulfil = sum(stack.ask(stack.fulfil_url, "/_sandbox/books")["requests"].values())
        store.close()
    how = f"a backlog of {DRAIN} drains at 200 Fulfil calls a second at most; counted by the sandbox"
    return [
        Row("Centra requests an order", centra / DRAIN, "calls", "<= 0.2", centra / DRAIN <= 0.2, how),
        Row("Fulfil requests an order", fulfil / DRAIN, "calls", "<= 1.1", fulfil / DRAIN <= 1.1, how),
    ]


def latency() -> list[Row]:
    """One order at a time: from the webhook's row to posted, and to proven."""
    with Stack(processes=("web", *LINE)) as stack:
        for store_id in (1, 2, 3):
            endpoint = {"url": f"{stack.web_url}/centra/brand", "secret": "sandbox-webhook-secret", "store": store_id}
            stack.ask(stack.centra_url, "/_sandbox/webhooks", endpoint)
        wait_for(lambda: "ready." in _log(stack, "orders") and "ready." in _log(stack, "lanes"), "the workers' start")
        time.sleep(2)
        for n in range(TRICKLE):
            stack.ask(stack.centra_url, "/_sandbox/orders", {"generate": 1, "seed": 100 + n, "confirm": True})
            time.sleep(0.7)
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        _until_done(store, TRICKLE, 60)
        with store.read() as tx:
            jobs = counts.all_orders(tx)
        store.close()
    posted = [(j["posted_at"] - j["first_seen_at"]).total_seconds() for j in jobs if j["posted_at"]]
    proven = [(j["done_at"] - j["first_seen_at"]).total_seconds() for j in jobs if j["done_at"]]
    how = f"{TRICKLE} orders, one every 0.7 s, from the webhook's commit"
    rows = _percentiles("webhook to posted", posted, how, p95="< 1 s")
    return rows + _percentiles("webhook to proven", proven, how)


def _percentiles(name: str, seconds: list[float], how: str, p95: str = "") -> list[Row]:
    rows = []
    for percent in (50, 95, 99):
        value = round(at_percent(percent, seconds), 3)
        target = p95 if percent == 95 else ""
        rows.append(Row(f"{name}, p{percent}", value, "s", target, value < 1 if target else None, how))
    return rows


def start_up() -> list[Row]:
    """`lockstep --help`, a fresh process each time."""
    taken = []
    for _ in range(11):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "tasks.cli", "--help"], check=True, capture_output=True, timeout=30)
        taken.append((time.monotonic() - began) * 1000)
    value = round(statistics.median(taken))
    return [Row("lockstep --help", value, "ms", "< 300 ms", value < 300, "median of 11 starts")]


MEASURES: dict[str, Callable[[], list[Any]]] = {
    "order": throughput,
    "calls": calls,
    "latency": latency,
    "start": start_up,
    "priority": priority.measure,
    "budget": budget.measure,
    "skus": skus.measure,
    "slow": slow.measure,
}

if __name__ == "__main__":
    main()

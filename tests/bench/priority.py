"""Do orders wait for anybody? From Centra's webhook to posted: idle, before 70,000 waiting rows, before 70,000 messages.

The processes are the Procfile's. A round is one stack of its own and three measurements in turn (idle, flooded broker,
full ledger), so that a noisy machine disturbs them alike; a ratio is taken within its round, and the median of the rounds
is held against the target.
"""

import json
import shutil
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kombu import Connection, Exchange, Producer
from rows import Row, at_percent, printed
from servers import NotOnThisMachine, RabbitMQ, own_folder
from shop import call

from integration.domain.order import Key
from integration.store import Store, counts, ledger, levels, pace, schedule
from integration.wiring import SystemClock
from tasks.stack import Stack
from tasks.supervisor import wait_for

ROUNDS = 5
ORDERS = 60
"""Of one measurement; five a second."""
A_SECOND = 5
FINANCE, STOCK = 50_000, 20_000
CHUNK = 1_000
BOUND = 1.25
SYNTHETIC = 5_000
"""SKUs of the sandbox beside its own, in four warehouses each: 20,000 levels."""
PROCFILE = ("web", "orders", "lanes", "finance", "sweep")
SETTINGS = {
    "LOCKSTEP_BRAND_PLAN": "enhanced",  # five orders a second are more than the smallest plan's requests
    "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "30",  # its figure is unconfirmed
    "LOCKSTEP_BRAND_EVENTS": "no",  # only the webhook tells of an order
    "LOCKSTEP_POLL_SECONDS": "86400",
}
LOADS = ("idle", "messages", "rows")


def measure() -> list[Row]:
    """Both brokers."""
    rows = _on("Redis", "")
    try:
        with _rabbitmq() as server:
            rows += _on("RabbitMQ", server)
    except NotOnThisMachine as reason:
        rows.append(Row("priority on RabbitMQ", 0, "", "", None, f"not measured: {reason}"))
    return rows


@contextmanager
def _rabbitmq() -> Iterator[RabbitMQ]:
    folder = own_folder("bench")
    try:
        server = RabbitMQ(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _on(name: str, broker: RabbitMQ | str) -> list[Row]:
    """Five rounds; the percentiles over all orders of a load, and the median ratio of the rounds' p95."""
    waits: dict[str, list[float]] = {load: [] for load in LOADS}
    ratios: dict[str, list[float]] = {load: [] for load in LOADS[1:]}
    for number in range(ROUNDS):
        url = broker if isinstance(broker, str) else broker.fresh_vhost()
        found = _round(url, number)
        for load, seconds in found.items():
            waits[load] += seconds
        for load, of_load in ratios.items():
            of_load.append(at_percent(95, found[load]) / at_percent(95, found["idle"]))
        told = ", ".join(f"{load} {at_percent(95, found[load]):.3f} s" for load in LOADS)
        sys.stderr.write(f"priority on {name}, round {number + 1}: p95 {told}\n")
    rows: list[Row] = []
    for load in LOADS:
        how = f"{len(waits[load])} orders, {A_SECOND} a second, {ROUNDS} alternating rounds; {EXPLAINED[load]}"
        rows += [
            Row(
                f"webhook to posted, {name}, {load}, p{percent}",
                round(at_percent(percent, waits[load]), 3),
                "s",
                "",
                None,
                how,
            )
            for percent in (50, 95, 99)
        ]
    for load, found_ratios in ratios.items():
        value = round(statistics.median(found_ratios), 2)
        how = f"median of the rounds: {', '.join(f'{ratio:.2f}' for ratio in sorted(found_ratios))}"
        rows.append(Row(f"p95 with {load} waiting / idle, {name}", value, "ratio", f"<= {BOUND}", value <= BOUND, how))
    return rows


EXPLAINED = {
    "idle": "nothing else to do",
    "messages": f"{FINANCE} finance and {STOCK} stock messages in the broker at the start",
    "rows": f"{FINANCE} finance jobs and {STOCK} stock levels waiting in the ledger at the start",
}


def _round(broker_url: str, number: int) -> dict[str, list[float]]:
    """Seconds from the webhook to posted of every order, by load."""
    sandbox = ("--seed", str(number + 1), "--skus", str(SYNTHETIC), "--limits", "enhanced")
    with Stack(processes=PROCFILE, sandbox=sandbox, broker_url=broker_url, **SETTINGS) as stack:
        store = Store(stack.environment["LOCKSTEP_DATABASE_URL"], SystemClock())
        try:
            _wait_for_workers(stack)
            _warm_up(stack, store)
            idle = _arriving(stack, store, 1)
            _flood(stack)
            flooded = _arriving(stack, store, 2)
            _purge(stack)
            _fill(store)
            full = _arriving(stack, store, 3)
            return {"idle": idle, "messages": flooded, "rows": full}
        finally:
            store.close()
            if not stack.own_broker:
                stack.supervisor.stop()


def _wait_for_workers(stack: Stack) -> None:
    def ready() -> bool:
        logs = [(stack.folder / f"{name}.log").read_text(errors="replace") for name in ("orders", "lanes", "finance")]
        return all("ready." in log for log in logs)

    wait_for(ready, "the workers' start", 60)


def _warm_up(stack: Stack, store: Store) -> None:
    """A few orders, so that items are known and connections stand; and the first compare of all stock is over."""
    _arriving(stack, store, 0, orders=15)

    def at_rest() -> bool:
        time.sleep(0.5)
        with store.read() as tx:
            compared = (schedule.read_cursor(tx, "fulfil", "compare") or "").endswith("done")
            return compared and not counts.moving(tx) and not pace.waiting_skus(tx)

    wait_for(at_rest, "the end of the warm-up", 180)


def _arriving(stack: Stack, store: Store, phase: int, orders: int = ORDERS) -> list[float]:
    """Tell of confirmed orders, five a second; seconds from the call of the webhook to posted."""
    wanted = {"generate": orders, "seed": 100 + phase}
    numbers = stack.ask(stack.centra_url, "/_sandbox/orders", wanted)["numbers"]
    called: dict[str, datetime] = {}
    began = time.monotonic()
    for place, number in enumerate(numbers):
        time.sleep(max(0.0, began + place / A_SECOND - time.monotonic()))
        called[str(number)] = datetime.now(UTC)
        call(stack, int(number))
    posted = _posted(store, called)
    return [(posted[number] - called[number]).total_seconds() for number in called if number in posted]


def _posted(store: Store, called: dict[str, datetime]) -> dict[str, datetime]:
    """When each was posted. Raises `TimeoutError` when one of them never was; one that was refused is left out."""
    found: dict[str, datetime] = {}

    def all_there() -> bool:
        time.sleep(0.2)
        with store.read() as tx:
            rows = [row for row in counts.all_orders(tx) if row["number"] in called]
        found.update({row["number"]: row["posted_at"] for row in rows if row["posted_at"]})
        return len(found) + sum(row["state"] == "dead" for row in rows) >= len(called)

    wait_for(all_there, f"the posting of {len(called)} orders", 120)
    return found


def _flood(stack: Stack) -> None:
    """Messages by hand, as `ring` would publish them, for documents that nobody knows."""
    with Connection(stack.environment["LOCKSTEP_BROKER_URL"]) as connection:
        on_redis = connection.transport.driver_type == "redis"
        channel = connection.channel()
        exchange = Exchange("lockstep", type="direct" if on_redis else "topic", durable=True)
        producer = Producer(channel, exchange, auto_declare=False)
        for lane, task, kind, count in (
            ("finance", "finance.take_refund", "refund", FINANCE),
            ("stock", "stock.take_levels", "stock", STOCK),
        ):
            if on_redis:
                _pour(channel, lane, task, kind, count)
                continue
            for n in range(count):
                body, headers = _message(task, kind, f"flood-{n}")
                producer.publish(
                    body, routing_key=lane, serializer="json", headers=headers, correlation_id=headers["id"]
                )


def _message(task: str, kind: str, number: str) -> tuple[Any, dict[str, Any]]:
    id = str(uuid.uuid4())
    headers = {"lang": "py", "task": task, "id": id, "root_id": id, "retries": 0, "ignore_result": True}
    return (("brand", kind, number), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}), headers


def _pour(channel: Any, lane: str, task: str, kind: str, count: int) -> None:
    """On Redis a message is an entry of a list; one by one, 70,000 of them take a minute."""
    for start in range(0, count, CHUNK):
        entries = []
        for n in range(start, min(start + CHUNK, count)):
            body, headers = _message(task, kind, f"flood-{n}")
            message = channel.prepare_message(
                json.dumps(body), headers=headers, content_type="application/json", content_encoding="utf-8"
            )
            told = {
                "delivery_info": {"exchange": "lockstep", "routing_key": lane},
                "delivery_tag": headers["id"],
                "priority": 0,
            }
            message["properties"] |= told | {"correlation_id": headers["id"]}
            message["body"], message["properties"]["body_encoding"] = channel.encode_body(message["body"], "base64")
            entries.append(json.dumps(message))
        with channel.conn_or_acquire() as client:
            client.lpush(lane, *entries)


def _purge(stack: Stack) -> None:
    with Connection(stack.environment["LOCKSTEP_BROKER_URL"]) as connection:
        for lane in ("finance", "stock"):
            connection.default_channel.queue_purge(lane)


def _fill(store: Store) -> None:
    """Rows as feeds would mark them: refunds of orders that are not there, and a hint for every level."""
    refunds = [Key("brand", "refund", f"full-{n}") for n in range(FINANCE)]
    for start in range(0, FINANCE, CHUNK):
        ledger.mark(store, refunds[start : start + CHUNK], "poll", connection="fulfil", order_number="1")
    skus = [f"SY{n // 3:05d}{n % 3}" for n in range(STOCK // 4)]
    for start in range(0, len(skus), CHUNK):
        with store.write("fill") as tx:
            ledger.mark_in(tx, [Key("brand", "stock", "fulfil")], "movements", connection="fulfil")
            levels.mark(tx, "fulfil", ("1", "2", "3", "4"), skus[start : start + CHUNK])


if __name__ == "__main__":
    printed(measure())

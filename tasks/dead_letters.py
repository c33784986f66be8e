"""The drainer of `<lane>.dlq`: peek, record, commit, remove. Killed anywhere it loses no letter and records none twice.

A letter whose attempt is on record is only noted: its exception was opened in the transaction that ended the attempt.
The rest (an unknown task, a lost worker, an undecodable body) opens DEAD_LETTER. It is no Celery worker: a worker would
run the dead.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded
from celery.signals import task_failure, worker_init
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from celeryconfig import DEAD_LETTERS, IS_REDIS, dead_letter_queue
from integration import telemetry
from integration.budget import LANES
from integration.domain.order import Key
from integration.errors import Unavailable
from integration.settings import read_settings
from integration.store import Transaction, exceptions, ledger, letters, lives, schedule
from integration.wiring import World
from tasks.celery import app, world
from tasks.supervisor import told_to_stop

log = structlog.get_logger()

IDLE = 0.5
"""Seconds between looks at empty queues."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead message: who it was (never what it said)."""

    lane: str
    task: str
    task_id: str
    deaths: int
    key: Key | None


def read_letter(lane: str, raw: bytes) -> Letter:
    """What can be told from a raw message; one that cannot be read is known by its digest."""
    digest = hashlib.sha256(raw).hexdigest()[:32]
    try:
        message = json.loads(raw)
        headers = message.get("headers") or {}
        body = message.get("body")
        return from_headers(lane, headers, _arguments(body, message.get("properties") or {}), digest)
    except (ValueError, AttributeError, TypeError):
        return Letter(lane, "(unreadable)", digest, 1, None)


def from_headers(lane: str, headers: dict[str, Any], arguments: Any, digest: str) -> Letter:
    """A letter from Celery's message headers and its decoded body."""
    args = arguments[0] if isinstance(arguments, list) and arguments else None
    whole = isinstance(args, list) and len(args) == 3 and all(isinstance(part, str) for part in args)
    deaths = headers.get("x-death")
    return Letter(
        lane=lane,
        task=_printable(headers.get("task") or "(no task name)")[:128],
        task_id=_printable(headers.get("id") or digest)[:64],
        deaths=len(deaths) if isinstance(deaths, list) else 1,
        key=Key(*args) if whole and isinstance(args, list) else None,
    )


def _printable(word: object) -> str:
    """A header as any database takes it: a forged one must not stop the drainer."""
    return re.sub(r"[^ -~]", "?", str(word))


def _arguments(body: Any, properties: dict[str, Any]) -> Any:
    if properties.get("body_encoding") == "base64":
        import base64

        body = base64.b64decode(body)
    return json.loads(body)


def record(world: World, letter: Letter) -> None:
    """Note a letter, and open its exception unless its attempt or its order says that there is nothing to open."""
    with world.store.write("letter") as tx:
        if not letters.note(tx, letter.task_id, letter.deaths, lane=letter.lane, task=letter.task):
            return
        if ledger.attempt_recorded(tx, letter.task_id):
            return
        opened = _open(tx, world, letter)
        if opened is not None:
            letters.belongs_to(tx, letter.task_id, letter.deaths, opened)


def _open(tx: Transaction, world: World, letter: Letter) -> int | None:
    row = ledger.find(tx, letter.key) if letter.key else None
    if row is not None and (row.state in lives.FINAL or exceptions.is_open(tx, row.id)):
        return None
    where = f"order {row.number}" if row is not None else f"task {letter.task_id}"
    case = world.case(
        "DEAD_LETTER",
        f"{letter.lane}: {letter.task}",
        f"a message for {letter.task} in lane {letter.lane} died before any worker recorded why ({where})",
        instance=row.instance if row is not None else "",
        connection=(row.connection or "") if row is not None else "",
        job_id=row.id if row is not None else None,
        money_minor=(row.total_minor or 0) if row is not None else 0,
        currency=(row.currency or "") if row is not None else "",
    )
    return exceptions.open_case(tx, case)


def drain(connection: Connection, world: World) -> int:
    """Empty every dead-letter queue once. Returns how many letters were recorded and removed."""
    return sum(
        _drain_redis(connection, world, lane) if IS_REDIS else _drain_rabbit(connection, world, lane) for lane in LANES
    )


def _drain_redis(connection: Connection, world: World, lane: str) -> int:
    client = connection.default_channel.client
    queue, removed = dead_letter_queue(lane), 0
    while (raw := client.lindex(queue, -1)) is not None:
        record(world, read_letter(lane, raw))
        world.point("letter.recorded")
        client.lrem(queue, -1, raw)
        removed += 1
    return removed


def _drain_rabbit(connection: Connection, world: World, lane: str) -> int:
    channel, removed = connection.default_channel, 0
    while (message := channel.basic_get(dead_letter_queue(lane))) is not None:
        digest = hashlib.sha256(str(message.body).encode()).hexdigest()[:32]
        headers = dict(message.properties.get("application_headers") or message.headers or {})
        try:
            arguments = json.loads(message.body)
        except (ValueError, TypeError):
            arguments = None
        record(world, from_headers(lane, headers, arguments, digest))
        world.point("letter.recorded")
        channel.basic_ack(message.delivery_tag)
        removed += 1
    return removed


def declare(connection: Connection) -> None:
    """Make sure that RabbitMQ has the dead-letter exchange and queues before anything can die. Redis needs nothing."""
    if IS_REDIS:
        return
    for lane in LANES:
        name = dead_letter_queue(lane)
        Queue(name, DEAD_LETTERS, routing_key=name, queue_arguments={"x-queue-type": "quorum"})(
            connection.default_channel
        ).declare()


def main() -> None:
    """Drain until told to stop; a broker or ledger that is away is waited for."""
    telemetry.configure(read_settings())
    here, stopping = world(), told_to_stop()
    away = (OperationalError, OSError, *app.connection_for_read().connection_errors)
    while not stopping:
        try:
            with app.connection_for_read() as connection:
                declare(connection)
                _drain_until(stopping, connection, here)
        except away as error:
            log.warning("drainer.waits", error=type(error).__name__)
            here.clock.sleep(2)
        except Unavailable as error:
            log.error("drainer.waits", error=str(error))
            here.clock.sleep(2)


def _drain_until(stopping: list[int], connection: Connection, world: World) -> None:
    beats = 0
    while not stopping:
        drain(connection, world)
        if beats % 20 == 0:
            with world.store.write("drainer.beat") as tx:
                schedule.beat(tx, "dead letters")
        beats += 1
        world.clock.sleep(IDLE)


@worker_init.connect
def _before_consuming(**_: Any) -> None:
    """Nothing may die before its queue for the dead exists."""
    with app.connection_for_write() as connection:
        declare(connection)


@task_failure.connect
def _cut_off(sender: Any = None, task_id: str = "", exception: Any = None, args: Any = (), **_: Any) -> None:
    """A hard time limit is acknowledged, not rejected, so it leaves no letter: it is recorded here, by the parent."""
    if isinstance(exception, TimeLimitExceeded):
        key = Key(*args) if len(args) == 3 else None
        record(world(), Letter(sender.name.partition(".")[0], sender.name, task_id, 1, key))

"""The machinery's promises: its settings fit each other, every queue is a lane, and forged messages move nothing."""

import json
import shlex
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.app.amqp import Queues
from sqlalchemy import select
from stage import Stage

import celeryconfig
from integration.budget import LANES
from integration.settings import read_settings
from integration.store.tables import metadata
from tasks.celery import CHAINS, TASKS, app, reserve_orders
from tasks.feed import FEEDS
from tasks.step import SHORT_WAIT, Verdict

app.loader.import_default_modules()
OURS = sorted(name for name in app.tasks if not name.startswith(("celery.", "pytest_celery.")))
PROCFILE = Path(celeryconfig.__file__).parent / "Procfile"


@pytest.mark.parametrize(
    ("name", "broker", "heard"),
    [
        ("lanes@host", "amqp://", ["shipments", "stock"]),
        ("lanes@host", "amqps://", ["shipments", "stock"]),
        ("lanes@host", "redis://", ["orders", "shipments", "stock"]),
        ("everything@host", "amqp://", ["orders", "shipments", "stock"]),
    ],
)
def test_on_rabbitmq_no_order_is_handed_to_the_worker_of_the_lower_lanes(
    name: str, broker: str, heard: list[str]
) -> None:
    queues = Queues(list(celeryconfig.task_queues))
    queues.select(("orders", "shipments", "stock"))
    conf = SimpleNamespace(broker_url=broker)
    reserve_orders(name, SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues), conf=conf)))
    assert list(queues.consume_from) == heard


def test_messages_are_json_and_there_is_no_result_backend() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.result_backend is None
    assert app.conf.task_ignore_result is True
    assert type(app.backend).__name__ == "DisabledBackend"


@pytest.mark.scenario("PLT-07")
def test_a_link_ends_before_its_lease_and_its_lease_before_the_message_comes_back() -> None:
    lease = read_settings({}).lease.total_seconds()
    visibility = celeryconfig.broker_transport_options["visibility_timeout"]
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit < lease < visibility
    assert SHORT_WAIT.total_seconds() < visibility  # a countdown beyond it is delivered again and again


def test_every_terminal_failure_is_rejected_and_a_lost_worker_counts_as_a_retry() -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.task_acks_on_failure is False
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.task_retry_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1


def procfile_queues() -> list[list[str]]:
    lines = [shlex.split(line.partition(":")[2]) for line in PROCFILE.read_text().splitlines() if line.strip()]
    return [words[words.index("-Q") + 1].split(",") for words in lines if "-Q" in words]


def test_every_lane_has_a_worker_in_the_procfile_and_every_worker_only_lanes_in_their_order() -> None:
    declared = [queue.name for queue in celeryconfig.task_queues]
    assert declared == list(LANES)
    for queues in procfile_queues():
        assert queues == [lane for lane in LANES if lane in queues]
    assert {queue for queues in procfile_queues() for queue in queues} == set(LANES)
    assert ["orders"] in procfile_queues()  # a worker reserved for orders


def test_every_tasks_name_begins_with_its_lane_and_is_routed_there() -> None:
    assert len(OURS) > 8
    for name in OURS:
        lane = name.partition(".")[0]
        assert lane in LANES
        assert app.amqp.router.route({}, name)["queue"].name == lane


def test_everything_that_is_rung_is_a_registered_task() -> None:
    assert {TASKS[kind, link] for (kind, _), chain in CHAINS.items() for link in chain} <= set(OURS)


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.6, 1.0, 5.1])
def test_a_retry_waits_whole_seconds_and_never_none(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """RabbitMQ's delayed delivery refuses a countdown below one second, and the message would die of it."""
    task, asked = app.tasks["orders.post_order"], []
    monkeypatch.setattr("tasks.step.world", lambda: None)
    monkeypatch.setattr("tasks.step.run", lambda *_, **__: Verdict(retry_in=timedelta(seconds=seconds)))
    monkeypatch.setattr(task, "retry", lambda countdown, exc: asked.append(countdown) or ValueError("retried"))
    with pytest.raises(ValueError, match="retried"):
        task.run("brand", "order", "1")
    (countdown,) = asked
    assert isinstance(countdown, int)
    assert countdown >= 1
    assert 0 <= countdown - seconds < 1


HOSTILE: list[tuple[Any, ...]] = [
    (),
    ("brand",),
    ("brand", "order", "1", "more"),
    ("brand", "order", "999999"),
    ("brand", "order", "1'; DROP TABLE job; --"),
    ("brand", "order", "x" * 100_000),
    ("brand", "return", "1"),
    ("elsewhere", "order", "1"),
    ("elsewhere", "feed", "0"),
    ("", "", ""),
    ("../../etc/passwd", "feed", "1"),
    (None, None, None),
    (1, 2, 3),
    ({"$ne": ""}, ["order"], {"n": 1}),
    ("brand\x00", "order", "1\x00"),
]


def everything(stage: Stage) -> str:
    """All the ledger says, less its signs of life."""
    with stage.store.read() as tx:
        tables = {
            name: [tuple(row) for row in tx.execute(select(table))]
            for name, table in metadata.tables.items()
            if name not in ("heartbeat", "breaker", "spend")
        }
    return json.dumps(tables, default=repr, sort_keys=True)


@pytest.mark.parametrize("name", OURS)
def test_a_forged_message_changes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    for module in ("step", "feed", "upkeep"):
        monkeypatch.setattr(f"tasks.{module}.world", lambda: stage.world)
    numbers = [stage.order(), stage.order(off_by=1), stage.order(on_hold=True)]
    stage.hint(*numbers)
    stage.work()
    stage.sweep()
    stage.queue.clear()
    before, sales = everything(stage), stage.fulfil.books()
    for arguments in HOSTILE:
        if name in ("orders.canary", "orders.feeds", "finance.upkeep") and not arguments:
            continue  # without arguments it is no forgery
        if name.partition(".")[2] in FEEDS and len(arguments) == 3 and arguments[0] == "brand":
            continue  # nor is a feed of ours that is only read early
        app.tasks[name].apply(args=arguments)
        assert everything(stage) == before, arguments
    assert stage.fulfil.books()["sales"] == sales["sales"]
    assert not stage.queue
    stage.store.close()

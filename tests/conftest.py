"""What every test may ask for: real servers, a fresh database or broker, and pytest-celery's nodes without Docker."""

import gc
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
from local_nodes import LocalBroker, LocalWorker, Worker
from pytest_celery import CeleryTestBroker, CeleryTestWorker
from servers import NotOnThisMachine, Postgres, Process, RabbitMQ, Valkey, own_folder
from xdist.scheduler import LoadScopeScheduling

AnyServer = TypeVar("AnyServer", bound=Process)

# No deadline per example: machines are shared, and a slow example is not a wrong one.
hypothesis.settings.register_profile("lockstep", deadline=None)
hypothesis.settings.load_profile("lockstep")


# ---------------------------------------------------------------------------------------- servers, one a session


@contextmanager
def _prepared(kind: Callable[[Path], AnyServer]) -> Iterator[AnyServer]:
    """A server in a folder of its own, not started yet; ended and cleared away afterwards."""
    folder = own_folder("test")
    try:
        server = kind(folder)
        try:
            yield server
        finally:
            server.stop()
    except NotOnThisMachine as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a child may still be writing its last line


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with _prepared(Valkey) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """`postgres.fresh_database()` gives the URL of a new one."""
    with _prepared(Postgres) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """`rabbitmq.fresh_vhost()` gives the URL of a new one."""
    with _prepared(RabbitMQ) as server:
        server.start()
        yield server


# ------------------------------------------------------------------------------------- the test's own, both kinds


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, as SQLAlchemy's URL; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lockstep.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.fresh_database()


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty broker that other tests use later, so not to be killed; the test runs once on each kind."""
    if request.param == "redis":
        valkey: Valkey = request.getfixturevalue("valkey")
        valkey.wipe()
        yield valkey.url
    else:
        rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
        url = rabbitmq.fresh_vhost()
        yield url
        rabbitmq.drop_vhost(url)


# --------------------------------------------------- pytest-celery without Docker: its leaf fixtures, overridden


@pytest.fixture
def celery_broker_kind() -> str:
    """ "redis" or "rabbitmq"; parametrize it to run on both."""
    return "redis"


@pytest.fixture
def celery_broker(celery_broker_kind: str) -> Iterator[CeleryTestBroker]:
    """A broker of this test's own: kill it, restart it."""
    with _prepared({"redis": Valkey, "rabbitmq": RabbitMQ}[celery_broker_kind]) as server:
        yield CeleryTestBroker(LocalBroker(server))


@pytest.fixture
def celery_backend_cluster() -> None:
    """There is no result backend, in tests either."""


StartWorker = Callable[..., CeleryTestWorker]


@pytest.fixture
def start_worker(celery_broker: CeleryTestBroker, tmp_path: Path) -> Iterator[StartWorker]:
    """`start_worker(app, *options, queues="orders", environment={})`: a worker on this test's broker, ready for work.

    `app` and `queues` are what follows -A and -Q. Call it again for another worker.
    """
    nodes: list[LocalWorker] = []
    numbers = count(1)

    def start(
        app: str, *options: str, queues: str = "celery", environment: dict[str, str] | None = None
    ) -> CeleryTestWorker:
        folder = tmp_path / f"worker{next(numbers)}"
        folder.mkdir()
        url = celery_broker.config()["url"]
        node = LocalWorker(Worker(folder, app, url, *options, queues=queues, environment=environment))
        nodes.append(node)
        return CeleryTestWorker(node, app=None)

    yield start
    for node in nodes:
        node.teardown()


@pytest.fixture
def celery_worker_arguments() -> dict[str, object]:
    """What `start_worker` is given for the worker of `celery_setup`; override it beside the tests that need another."""
    return {"app": "tasks", "queues": "orders,shipments,returns,stock,finance"}


@pytest.fixture
def celery_worker(start_worker: StartWorker, celery_worker_arguments: dict[str, object]) -> CeleryTestWorker:
    return start_worker(**celery_worker_arguments)


# ------------------------------------------------------------------------------- what runs where, and saying so


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=_first_come)
    if os.environ.get("LOCKSTEP_TEST_TIER") in ("ci", "whole"):
        return
    for item in items:
        if item.get_closest_marker("ci"):
            item.add_marker(pytest.mark.skip(reason="the tests of CI (LOCKSTEP_TEST_TIER=ci)"))


def pytest_collection_finish() -> None:
    """What is there now stays until the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


REAL_PROCESSES = tuple(
    f"tests/{name}"
    for name in ("chaos/", "lanes/test_real", "lanes/test_dead", "house/test_local_nodes", "house/test_servers")
)
"""Tests of processes that are killed, stopped and waited for."""


def _has_real_processes(nodeid: str) -> bool:
    """These run one at a time: on the worker that has the run's one RabbitMQ."""
    return nodeid.startswith(REAL_PROCESSES) or "rabbitmq" in nodeid


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types for it
    """Tests run on several workers: a file stays on one, so its servers start once; each whole seed goes anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        if _has_real_processes(nodeid):
            return "real processes"
        return nodeid if nodeid.startswith("tests/sim/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    config.option.loadscopereorder = False  # the order is ours: what takes longest begins first
    return ByFile(config, log)


def _first_come(item: pytest.Item) -> int:
    """What takes longest begins first, or one worker would end long after the other."""
    if _has_real_processes(item.nodeid):
        return 0
    return 1 if item.get_closest_marker("slow") else 2 if item.nodeid.startswith("tests/sim/") else 3


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this run, the same for all its workers."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """The last lines say what did not run here, and why."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, tests in sorted(reasons.items()):
        terminalreporter.write_line(f"not run here: {reason}: {tests} {'test' if tests == 1 else 'tests'}")

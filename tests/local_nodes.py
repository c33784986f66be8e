"""pytest-celery's nodes over local processes: brokers and workers without Docker.

The plugin's nodes, clusters and `celery_setup` talk to a container; `LocalNode` is one as far as they can see.
"""

import sys
from pathlib import Path
from signal import Signals
from typing import Any

import celery
from pytest_celery import CeleryTestContainer
from servers import Process, RabbitMQ, Valkey


class LocalNode(CeleryTestContainer):
    """A process that looks like a container to `CeleryTestNode` and `CeleryTestSetup`."""

    def __init__(self, process: Process) -> None:  # not super().__init__: that one wants a container of Docker's
        self.process = process
        process.start()

    @property
    def id(self) -> str:
        return str(self.process.pid)

    @property
    def name(self) -> str:
        return type(self.process).__name__.lower()

    @property
    def status(self) -> str:
        return "running" if self.process.alive else "exited"

    def reload(self) -> None:
        """Nothing is cached."""

    def ready(self) -> bool:
        return self.process.alive and self.process.ready()

    def logs(self) -> str:
        return self.process.log()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """As Docker: SIGKILL ends everything inside, any other signal goes to the program alone."""
        if signal in ("SIGKILL", 9):
            self.process.kill()
        else:
            self.process.signal(Signals[signal] if isinstance(signal, str) else signal)

    def restart(self, timeout: float = 10) -> None:
        self.process.stop(timeout)
        self.process.start()

    def teardown(self) -> None:
        self.process.stop()


class LocalBroker(LocalNode):
    """A broker of the test's own: it may be killed and restarted."""

    process: Valkey | RabbitMQ

    @property
    def celeryconfig(self) -> dict[str, Any]:
        return {"url": self.process.url, "host_url": self.process.url}


class LocalWorker(LocalNode):
    """`celery -A <app> worker <options>` in a process of its own."""

    process: "Worker"

    def teardown(self) -> None:
        self.process.kill()  # a warm shutdown takes seconds, and the test is over

    def version(self) -> str:
        return str(celery.__version__)

    def log_level(self) -> str:
        return "INFO"

    def worker_name(self) -> str:
        return self.process.worker_name

    def worker_queue(self) -> str:
        return self.process.queues


class Worker(Process):
    """A Celery worker.

    `app` is what follows -A, `queues` what follows -Q. The broker reaches it as CELERY_BROKER_URL, which Celery
    prefers to any configuration.
    """

    def __init__(
        self,
        folder: Path,
        app: str,
        broker_url: str,
        *options: str,
        queues: str = "celery",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.worker_name = folder.name
        self.queues = queues
        names = ["-n", f"{self.worker_name}@%h", "-Q", queues, "-l", "INFO"]
        quiet = ["--without-gossip", "--without-mingle"]
        super().__init__(
            folder,
            [sys.executable, "-m", "celery", "-A", app, "worker", *names, *quiet, *options],
            {"CELERY_BROKER_URL": broker_url, **(environment or {})},
        )

    def ready(self) -> bool:
        return " ready." in self.log()

"""Lanes on both brokers: an environment for real processes, and a look into the broker's queues."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError
from local_nodes import Worker
from servers import Process
from stage import MAPPINGS, VAULT_KEY

from integration.store import Store, migrate, reference
from integration.wiring import SystemClock

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Lanes:
    """A broker and a ledger, and the processes that a test starts on them."""

    def __init__(self, broker_url: str, folder: Path, **more: str) -> None:
        self.broker_url = broker_url
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'lockstep.db'}", SystemClock())
        migrate.upgrade(self.store)
        with self.store.write() as tx:
            reference.apply_mapping(tx, "fulfil", (MAPPINGS / "fulfil.toml").read_text(), actor="test")
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.environment = passed_on | {
            "PYTHONPATH": f"{ROOT}:{HERE}",
            "LOCKSTEP_BROKER_URL": broker_url,
            "LOCKSTEP_DATABASE_URL": self.store.url,
            "LOCKSTEP_CENTRA": "brand",
            "LOCKSTEP_BRAND_URL": "https://brand.centra.test",
            "LOCKSTEP_BRAND_TOKEN": "sandbox-centra-token",
            "LOCKSTEP_BRAND_PLAN": "unlimited",
            "LOCKSTEP_FULFIL_URL": "https://fulfil.test",
            "LOCKSTEP_FULFIL_TOKEN": "sandbox-token",
            "LOCKSTEP_VAULT_KEY": VAULT_KEY,
            **more,
        }
        self.processes: list[Process] = []
        self._numbers = iter(range(1_000))

    def worker(self, app: str, *options: str, queues: str = "orders") -> Worker:
        worker = Worker(self._folder(), app, self.broker_url, *options, queues=queues, environment=self.environment)
        self.processes.append(worker)
        worker.start()
        return worker

    def process(self, *words: str, **more: str) -> Process:
        """A Python process that goes on until it is stopped."""
        process = Process(self._folder(), [sys.executable, *words], {**self.environment, **more})
        self.processes.append(process)
        process.start()
        return process

    def run(self, *words: str) -> str:
        """A Python program, to its end."""
        told = subprocess.run(
            [sys.executable, *words], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert told.returncode == 0, told.stderr
        return told.stdout

    def waiting(self, queue: str) -> int:
        """Messages in a queue that nobody holds."""
        if self.broker_url.startswith("redis"):
            return int(redis.Redis.from_url(self.broker_url).llen(queue))
        try:
            with Connection(self.broker_url) as connection:
                return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
        except (OperationalError, connection.channel_errors):
            return 0

    def held(self) -> int:
        """Messages that a worker holds unacknowledged (Redis; RabbitMQ gives them back when the worker is gone)."""
        return int(redis.Redis.from_url(self.broker_url).hlen("unacked")) if "redis" in self.broker_url else 0

    def wipe(self, queue: str) -> None:
        if self.broker_url.startswith("redis"):
            redis.Redis.from_url(self.broker_url).flushall()
            return
        with Connection(self.broker_url) as connection:
            connection.default_channel.queue_purge(queue)

    def stop(self) -> None:
        for process in self.processes:
            if process.alive:
                process.kill()
        self.store.close()

    def _folder(self) -> Path:
        folder = self.folder / f"process{next(self._numbers)}"
        folder.mkdir()
        return folder


@pytest.fixture
def lanes(broker_url: str, tmp_path: Path) -> Iterator[Lanes]:
    made = Lanes(broker_url, tmp_path)
    yield made
    made.stop()

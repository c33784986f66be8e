"""Flower as an operator starts it, and a visitor who behaves like a browser without scripts."""

import base64
import http.client
import re
import signal
import sys
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

from desk.morning import Ledger
from servers import Process, free_port

ROOT = Path(__file__).parents[2]
USER, PASSWORD = "ann", "a password with: colons"


class Flower(Process):
    """`celery -A tasks flower --conf=deploy/flowerconfig.py`, as an operator starts it."""

    stop_signal = signal.SIGKILL  # nobody needs its data, and its orderly stop takes a second

    def __init__(self, folder: Path, environment: dict[str, str], *options: str, prefix: str = "") -> None:
        self.port, self.prefix = free_port(), prefix
        command = [sys.executable, "-m", "celery", "-A", "tasks", "flower", f"--conf={ROOT / 'deploy/flowerconfig.py'}"]
        mine = {
            "LOCKSTEP_FLOWER_PORT": str(self.port),
            "LOCKSTEP_FLOWER_USER": USER,
            "LOCKSTEP_FLOWER_PASSWORD": PASSWORD,
        }
        super().__init__(folder, [*command, *options], environment | mine)

    def ready(self) -> bool:
        try:
            return Visitor(self, None).get("/healthcheck").status == 200
        except OSError:
            return False


@dataclass
class Answer:
    """An HTTP answer. `text` is the body, `words` the body without its tags."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def words(self) -> str:
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.text)).split())

    @property
    def goes_to(self) -> str:
        return self.headers["Location"] or ""


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, sends its name, and the token with its forms."""

    flower: Flower
    credentials: str | None = f"{USER}:{PASSWORD}"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(
        self,
        path: str,
        *,
        xsrf: str | None = None,
        headers: dict[str, str] | None = None,
        follow: bool = True,
        **form: str,
    ) -> Answer:
        """Send a form with its token, or with another, and go where it leads."""
        if "_xsrf" not in self.cookies:
            self.get("/exceptions")  # a page with forms sets the cookie
        told = form | {"_xsrf": self.cookies.get("_xsrf", "") if xsrf is None else xsrf}
        answer = self._ask("POST", path, urlencode({k: v for k, v in told.items() if v}), headers or {})
        if answer.status == 303 and follow:
            return self.get(answer.goes_to.removeprefix(self.flower.prefix))
        return answer

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        line = http.client.HTTPConnection("127.0.0.1", self.flower.port, timeout=20)
        sent = dict(headers)
        if self.credentials is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            line.request(method, self.flower.prefix + path, body, sent)
            answer = line.getresponse()
            text = answer.read().decode()
        finally:
            line.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if value in ("", '""'):
                del self.cookies[name]
        return Answer(answer.status, answer.headers, text)


@dataclass
class Desk:
    """A running desk, its ledger and the cases in it by cause."""

    flower: Flower
    ledger: Ledger
    cases: dict[str, list[int]]

    def visitor(self, credentials: str | None = f"{USER}:{PASSWORD}") -> Visitor:
        return Visitor(self.flower, credentials)

"""Between the systems: requests to the sandboxes with their faults and outages, and the calls of others to our receiver."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from sim.sim_erps import ORDERWISE
from sim.sim_faults import OLD_ANSWER, Swarm
from sim.sim_scheduler import Scheduler, SimClock
from urllib3.exceptions import MaxRetryError, NewConnectionError
from wsgi_transport import App, WsgiTransport

from integration.sandbox.call import Answer, call

CENTRA = "brand.centra.test"
SILENCE = 5.0
"""Seconds after which a client gives up to connect."""


class Network(WsgiTransport):
    """The requests transport of every world. `watch(host, what, body)` sees each request just before it arrives."""

    def __init__(
        self, apps: dict[str, App], scheduler: Scheduler, clock: SimClock, swarm: Swarm, watch: Callable[..., None]
    ) -> None:
        super().__init__(apps, wait=scheduler.sleep, around=self._on_the_way)
        self.scheduler, self.clock, self.swarm, self.watch = scheduler, clock, swarm, watch
        self.down_until: dict[str, datetime] = {}
        self.closed: dict[str, float] = {}
        """Hosts that nobody reaches until they are opened again, and how long it takes to see that."""

    def cut(self, host: str, seconds: float) -> None:
        """Nobody reaches `host` for a while."""
        self.down_until[host] = self.clock.now() + timedelta(seconds=seconds)

    def is_up(self, host: str) -> bool:
        return host not in self.closed and not (host in self.down_until and self.clock.now() < self.down_until[host])

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """What was read at once may arrive late, and is old by then."""
        answer = super().send(request, **options)
        if urlsplit(str(request.url)).hostname == ORDERWISE and self.swarm.hit(OLD_ANSWER):
            self.scheduler.sleep(self.swarm.random.uniform(1, 25))
        return answer

    def _on_the_way(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(str(request.url))
        host = str(parts.hostname)
        if host in self.closed:
            self.scheduler.sleep(self.closed[host])
        if not self.is_up(host) or self.swarm.hit("host unreachable"):
            reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # there is no connection to name
            raise requests.exceptions.ConnectionError(MaxRetryError(None, str(request.url), reason))  # type: ignore[arg-type]  # nor a pool
        self.watch(host, parts.path.rsplit("/", 1)[-1], request.body)


class Post:
    """Others' calls to the receiver: `deliver` and `send` are handed to the sandboxes. It can be killed in mid-request."""

    def __init__(self, scheduler: Scheduler, receiver: App, check: Callable[[list[str]], Callable[[], None]]) -> None:
        self.scheduler, self.receiver, self.check = scheduler, receiver, check
        self._ids = count(1)

    def deliver(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int | None:
        """A webhook's HTTP status, or None when no answer came in time."""

        def receive() -> Answer:
            kept = self.check(numbers_in(body))
            answer = call(self.receiver, "POST", urlsplit(url).path, body, headers)
            if 200 <= answer.status < 300:
                kept()
            return answer

        answer = self._ask(receive, timeout)
        return answer.status if answer else None

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """A call of OrderWise's session; raises `OSError` without an answer."""
        answer = self._ask(lambda: call(self.receiver, method, urlsplit(url).path, body, headers), 30.0)
        if answer is None:
            raise ConnectionError("no answer")
        return answer.status, answer.body

    def _ask(self, receive: Callable[[], Answer], timeout: float) -> Answer | None:
        caller, answers, waits = self.scheduler.actor, list[Answer](), [True]
        assert caller is not None

        def work() -> None:
            answers.append(receive())
            if any(waits):
                self.scheduler.wake(caller)

        self.scheduler.spawn(f"receiver-{next(self._ids)}", work, mortal=lambda actor: None)
        self.scheduler.park(timeout)
        waits.clear()
        return answers[0] if answers else None


def numbers_in(body: bytes) -> list[str]:
    """The order numbers that a webhook of Centra's names, read by ourselves."""
    if body.startswith(b"["):
        return []  # Fulfil's, of no order
    told: Any = json.loads(parse_qs(body.decode())["payload"][0])
    return [str(event["id"]) for event in told["events"] if event["type"] == "order"]

"""Between the systems: requests to the sandbox with its faults and outages, and Centra's webhooks to our receiver."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from sim.sim_faults import Swarm
from sim.sim_scheduler import Scheduler, SimClock
from urllib3.exceptions import MaxRetryError, NewConnectionError
from wsgi_transport import App, WsgiTransport

from integration.sandbox.call import call

CENTRA, FULFIL = "brand.centra.test", "fulfil.test"


class Network(WsgiTransport):
    """The requests transport of every world. `watch(host, what, body)` sees each request just before it arrives."""

    def __init__(
        self, apps: dict[str, App], scheduler: Scheduler, clock: SimClock, swarm: Swarm, watch: Callable[..., None]
    ) -> None:
        super().__init__(apps, wait=scheduler.sleep, around=self._on_the_way)
        self.scheduler, self.clock, self.swarm, self.watch = scheduler, clock, swarm, watch
        self.down_until: dict[str, datetime] = {}

    def cut(self, host: str, seconds: float) -> None:
        """Nobody reaches `host` for a while."""
        self.down_until[host] = self.clock.now() + timedelta(seconds=seconds)

    def _on_the_way(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(str(request.url))
        host = str(parts.hostname)
        away = host in self.down_until and self.clock.now() < self.down_until[host]
        if away or self.swarm.hit("host unreachable"):
            reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # there is no connection to name
            raise requests.exceptions.ConnectionError(MaxRetryError(None, str(request.url), reason))  # type: ignore[arg-type]  # nor a pool
        self.watch(host, parts.path.rsplit("/", 1)[-1], request.body)


class Post:
    """Centra's calls to the receiver: `deliver` is handed to the sandbox. The receiver can be killed in mid-request."""

    def __init__(self, scheduler: Scheduler, receiver: App, check: Callable[[list[str]], Callable[[], None]]) -> None:
        self.scheduler, self.receiver, self.check = scheduler, receiver, check
        self._ids = count(1)

    def deliver(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int | None:
        """The HTTP status, or None when no answer came in time."""
        caller, answers = self.scheduler.actor, []
        assert caller is not None

        def receive() -> None:
            kept = self.check(numbers_in(body))
            status = call(self.receiver, "POST", urlsplit(url).path, body, headers).status
            if 200 <= status < 300:
                kept()
            answers.append(status)
            self.scheduler.wake(caller)

        self.scheduler.spawn(f"receiver-{next(self._ids)}", receive, mortal=lambda actor: None)
        self.scheduler.park(timeout)
        return answers[0] if answers else None


def numbers_in(body: bytes) -> list[str]:
    """The order numbers that a webhook of Centra's names, read by ourselves."""
    if body.startswith(b"["):
        return []  # Fulfil's, of no order
    told: Any = json.loads(parse_qs(body.decode())["payload"][0])
    return [str(event["id"]) for event in told["events"] if event["type"] == "order"]

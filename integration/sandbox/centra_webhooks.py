"""Centra's Webhook plugin, version "Integration API": form-encoded, signed, no promise of delivery or order.

One endpoint is one installed plugin of one store. Documented: the body, the signature, 5 s time-out, at most 100 events a
call, no retries unless set (up to 3). Unconfirmed and therefore switches: how long changes are gathered, the retry delays.
"""

import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults

TIMEOUT = 5.0
WEBHOOK_FAULTS = {
    "webhook-lost": "the change is never told",
    "webhook-doubled": "the change is told twice, in two calls",
    "webhook-late": "the change is told `seconds` later than due",
    "webhook-forged": "somebody without the secret tells of an order that does not exist, too",
    "webhook-reordered": "the change is told after the next one (or `seconds` later)",
}

Deliver = Callable[[str, bytes, Mapping[str, str], float], int | None]
"""(url, body, headers, time-out in seconds) -> HTTP status, or None when there was no answer."""


def signature(secret: str, stamp: int, body: bytes) -> str:
    """The header `X-Centra-Signature` over the body exactly as sent."""
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int | None:
    """Deliver for real. Blocks its thread for `timeout` seconds at most; nothing is raised."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310  # the tester's own URL
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310  # the tester's own URL
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return None


@dataclass
class Endpoint:
    """Where one store's changes are told; `waiting` holds what has not been told yet, oldest first."""

    url: str
    secret: str
    store_id: int
    retries: int = 0
    max_events: int = 100
    waiting: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    busy: bool = False
    calls: int = 0


class Webhooks:
    """All endpoints of one Centra. `deliver` is handed in; the clock's `later` is where it runs."""

    def __init__(self, clock: Clock, switches: CentraSwitches, faults: Faults, deliver: Deliver) -> None:
        self.clock, self.switches, self.faults, self.deliver = clock, switches, faults, deliver
        self.endpoints: list[Endpoint] = []
        self._guard = threading.Lock()

    def register(self, url: str, secret: str, store: int, retries: int = 0, max_events: int = 100) -> Endpoint:
        """Install a plugin; `retries` 0 to 3, else `ValueError`."""
        if not 0 <= retries <= 3:
            raise ValueError("retries must be 0 to 3")
        endpoint = Endpoint(url, secret, store, retries, max_events)
        self.endpoints.append(endpoint)
        return endpoint

    def changed(self, kind: str, action: str, id: int, store_id: int, number: int | None = None) -> None:
        """Something to tell; `id` is the order's number, as the vendor sends it for orders, or a shipment's or return's
        id with the order's `number` beside it.
        """
        here = self.clock.now().astimezone(ZoneInfo(self.switches.time_zone))
        event = {"type": kind, "action": action, "date": here.strftime("%Y-%m-%d %H:%M:%S.%f"), "id": id}
        for endpoint in self.endpoints:
            if endpoint.store_id == store_id:
                self._tell(endpoint, event, str(id if number is None else number))

    def _tell(self, endpoint: Endpoint, event: dict[str, Any], number: str) -> None:
        plan = self.faults.due("webhook", number, among=WEBHOOK_FAULTS)
        fault, seconds = (plan.fault, plan.seconds) if plan else ("", 0.0)
        if fault == "webhook-lost":
            return
        if fault == "webhook-late":
            self.clock.later(seconds, lambda: self._queue(endpoint, event))
            return
        if fault == "webhook-reordered":
            endpoint.held.append(event)
            self.clock.later(seconds, lambda: self._release(endpoint))
            return
        self._queue(endpoint, event)
        if fault == "webhook-doubled":
            self.clock.later(self.switches.webhook_delay + seconds, lambda: self._queue(endpoint, event))
        if fault == "webhook-forged":
            forged = {**event, "id": event["id"] + 900_000}
            self.clock.later(0, lambda: self._forge(endpoint, forged))

    def _queue(self, endpoint: Endpoint, event: dict[str, Any]) -> None:
        endpoint.waiting.append(event)
        endpoint.waiting.extend(endpoint.held)
        endpoint.held.clear()
        self._soon(endpoint)

    def _release(self, endpoint: Endpoint) -> None:
        endpoint.waiting.extend(endpoint.held)
        endpoint.held.clear()
        self._soon(endpoint)

    def _soon(self, endpoint: Endpoint) -> None:
        with self._guard:
            if endpoint.busy or not endpoint.waiting:
                return
            endpoint.busy = True
        self.clock.later(self.switches.webhook_delay, lambda: self._flush(endpoint))

    def _flush(self, endpoint: Endpoint) -> None:
        batch = endpoint.waiting[: endpoint.max_events]
        del endpoint.waiting[: len(batch)]
        self._attempt(endpoint, batch, 0)

    def _attempt(self, endpoint: Endpoint, batch: list[dict[str, Any]], tried: int) -> None:
        """One call; after the last retry the batch is dropped and the next goes out (documented)."""
        status = self._post(endpoint, batch, endpoint.secret)
        arrived = status is not None and 200 <= status < 300
        if not arrived and tried < endpoint.retries:
            delay = self.switches.webhook_retry_delay * 2**tried
            self.clock.later(delay, lambda: self._attempt(endpoint, batch, tried + 1))
            return
        endpoint.busy = False
        self._soon(endpoint)

    def _forge(self, endpoint: Endpoint, event: dict[str, Any]) -> None:
        self._post(endpoint, [event], "not the secret")

    def _post(self, endpoint: Endpoint, batch: list[dict[str, Any]], secret: str) -> int | None:
        payload = json.dumps({"events": batch}, separators=(",", ":"))
        body = urlencode({"payload": payload}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Centra-Signature": signature(secret, int(self.clock.now().timestamp()), body),
        }
        endpoint.calls += 1
        return self.deliver(endpoint.url, body, headers, TIMEOUT)

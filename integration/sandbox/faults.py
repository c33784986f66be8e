"""Faults by name: planned ahead or asked for by one request, and always counted when they fire.

A fault is asked for in two ways:

* per call, with the request header `X-Sandbox-Fault: timeout-after` (several separated by commas);
* ahead of time, `Faults.plan("timeout-after", operation="create_order", times=1, skip=2)`, or over HTTP
  `POST /_sandbox/faults` with the same words as JSON. `operation` is matched exactly; leave it out for any call.

`GET /_sandbox/faults` tells what is planned and how often each fault fired: a test that asked for a fault which
never fired has tested nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from integration.sandbox.clock import Clock

WIRE_FAULTS = {
    "error-before": "answers 500 and does nothing",
    "error-after": "does the work, then answers 500 with an HTML body",
    "timeout-after": "does the work, then never answers",
    "timeout-before": "never answers and does nothing",
    "late": "never answers; the work is done `seconds` after the caller gave up",
    "drop-after": "does the work, then cuts the connection in mid-body",
    "slow": "answers after `seconds`",
    "unavailable": "answers 503 with Retry-After and does nothing",
    "throttled": "answers 429 with Retry-After in delta seconds",
    "throttled-date": "answers 429 with Retry-After as an HTTP date",
    "throttled-timestamp": "answers 429 with Retry-After as an epoch timestamp",
    "throttled-silent": "answers 429 without Retry-After",
    "html": "answers 200 with an HTML maintenance page and does nothing",
    "not-json": "answers 200 with a broken JSON body and does nothing",
    "redirect": "answers 302 to another host and does nothing",
    "unauthorised": "answers 401 as for a revoked token",
    "forbidden": "answers 403",
}
"""Faults of the wire: every app of the sandbox knows them for every operation."""


class Hang(Exception):
    """The server never answers; a real server sleeps `seconds` and closes, a simulated one lets the client time out."""

    def __init__(self, seconds: float = 120.0) -> None:
        super().__init__(f"no answer for {seconds} s")
        self.seconds = seconds


class Drop(Exception):
    """The connection is cut after `body` has been promised and partly sent."""

    def __init__(self, body: bytes) -> None:
        super().__init__("connection cut in mid-body")
        self.body = body


@dataclass
class Plan:
    """One fault that waits for its call."""

    fault: str
    operation: str | None = None
    times: int = 1
    skip: int = 0
    seconds: float = 2.0
    number: str | None = None
    """Only for calls about this document (an order number, a channel_identifier)."""


@dataclass
class Faults:
    """The faults of one app: what is known, planned and fired."""

    known: dict[str, str]
    plans: list[Plan] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, fault: str, operation: str | None = None, **terms: float | str | None) -> Plan:
        """Plan a fault; raises `KeyError` naming the known ones when it does not exist."""
        if fault not in self.known:
            raise KeyError(f"no fault named {fault!r}; there are: {', '.join(sorted(self.known))}")
        plan = Plan(fault, operation, **terms)  # type: ignore[arg-type]  # JSON words; Plan's own types say the rest
        with self._lock:
            self.plans.append(plan)
        return plan

    def clear(self) -> None:
        """Forget every planned fault; what fired stays counted."""
        with self._lock:
            self.plans.clear()

    def due(
        self, operation: str, number: str | None = None, asked: str = "", among: Container[str] | None = None
    ) -> Plan | None:
        """The fault this call must suffer, if any, counted as fired.

        `asked` is the request's `X-Sandbox-Fault` header. `among` limits the answer to faults that can happen here:
        a webhook's fault must not be used up by a request.
        """
        with self._lock:
            for name in (part.strip() for part in asked.split(",")):
                if name in self.known and (among is None or name in among):
                    self.fired[name] += 1
                    return Plan(name, operation)
            for plan in self.plans:
                if plan.operation not in (None, operation) or plan.number not in (None, number):
                    continue
                if among is not None and plan.fault not in among:
                    continue
                if plan.skip > 0:
                    plan.skip -= 1
                    continue
                plan.times -= 1
                if plan.times <= 0:
                    self.plans.remove(plan)
                self.fired[plan.fault] += 1
                return plan
        return None


class Answered(Protocol):
    """What a fault must know of an answer."""

    @property
    def body(self) -> bytes: ...


Reply = TypeVar("Reply", bound=Answered)


def suffer(plan: Plan, work: Callable[[], Reply], clock: Clock, refuse: Callable[[str], Reply | None]) -> Reply:
    """The answer to a call under a fault; raises `Hang` or `Drop` where there is none.

    `refuse` says in the vendor's words how a fault that does nothing is answered, by its name; None where the fault is of
    what the work means, so that the work is done.
    """
    match plan.fault:
        case "error-after":
            work()
            refused = refuse("error-before")
            assert refused is not None
            return refused
        case "timeout-after":
            work()
            raise Hang
        case "timeout-before":
            raise Hang
        case "late":
            clock.later(plan.seconds, lambda: _discard(work()))
            raise Hang
        case "drop-after":
            raise Drop(work().body)
        case "slow":
            clock.sleep(plan.seconds)
            return work()
    refused = refuse(plan.fault)
    return work() if refused is None else refused


def _discard(reply: Answered) -> None:
    """Nobody is left to receive it."""

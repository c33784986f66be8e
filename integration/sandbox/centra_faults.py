"""How a fault of the wire looks from outside."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from integration.sandbox.centra_limits import retry_after
from integration.sandbox.centra_webhooks import WEBHOOK_FAULTS
from integration.sandbox.clock import Clock
from integration.sandbox.faults import WIRE_FAULTS, Drop, Hang, Plan

GRAPHQL_FAULTS = {
    "partial": "answers `errors` and data in which one field became null",
    "user-error": "a mutation does nothing and answers `userErrors`",
    "permission-removed": "answers as if the token had lost the first permission it needs",
}
OTHER_FAULTS = {
    "psp-refuses": "the payment provider refuses a capture, a refund or the cancelling of an authorisation",
    "capture-fails": "the payment provider refuses a capture: a warning of createShipment, an error of captureShipment",
    "settlement-fails": "a capture or refund that was requested is reported as failed (operation `settlement`)",
    "clamp": "setStock silently sets its first size to what is allocated, as if sold in between",
    "events-doubled": "a change is queued as two events",
}
CENTRA_FAULTS = WIRE_FAULTS | GRAPHQL_FAULTS | OTHER_FAULTS | WEBHOOK_FAULTS
CALL_FAULTS = WIRE_FAULTS | GRAPHQL_FAULTS
"""What can befall a call; the others happen at moments of their own."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, words: Any, **headers: str) -> Reply:
    """`words` as a JSON answer; Decimals become text, dates ISO 8601."""
    return Reply(status, json.dumps(words, ensure_ascii=False, default=str).encode(), headers=headers)


def _page(status: int, text: str) -> Reply:
    return Reply(status, f"<html><body><h1>{text}</h1></body></html>".encode(), "text/html; charset=utf-8")


def suffer(plan: Plan, work: Callable[[], Reply], clock: Clock) -> Reply:
    """The answer of a call under a wire fault; raises `Hang` or `Drop` where there is none."""
    if plan.fault in ("timeout-after", "drop-after", "error-after", "slow"):
        reply = work()
        if plan.fault == "timeout-after":
            raise Hang
        if plan.fault == "drop-after":
            raise Drop(reply.body)
        if plan.fault == "error-after":
            return _page(500, "Internal Server Error")
        clock.sleep(plan.seconds)
        return reply
    if plan.fault == "late":
        clock.later(plan.seconds, lambda: _done(work))
        raise Hang
    if plan.fault == "timeout-before":
        raise Hang
    return _refusal(plan, clock)


def _done(work: Callable[[], Reply]) -> None:
    work()


def _refusal(plan: Plan, clock: Clock) -> Reply:
    """The answers of a server that did nothing."""
    wait, now = max(1, round(plan.seconds)), clock.now()
    too_many = {"errors": [{"message": "Too many requests"}]}
    answers: dict[str, Callable[[], Reply]] = {
        "error-before": lambda: _page(500, "Internal Server Error"),
        "unavailable": lambda: Reply(503, b"Service Unavailable", "text/plain", {"Retry-After": str(wait)}),
        "throttled": lambda: as_json(429, too_many, **{"Retry-After": retry_after("seconds", now, wait)}),
        "throttled-date": lambda: as_json(429, too_many, **{"Retry-After": retry_after("http-date", now, wait)}),
        "throttled-timestamp": lambda: as_json(429, too_many, **{"Retry-After": retry_after("timestamp", now, wait)}),
        "throttled-silent": lambda: as_json(429, too_many),
        "html": lambda: _page(200, "We will be right back"),
        "not-json": lambda: Reply(200, b'{"data": {"orders": [{"id": "'),
        "redirect": lambda: Reply(302, b"", "text/plain", {"Location": "http://elsewhere.invalid/graphql"}),
        "unauthorised": lambda: as_json(401, {"errors": [{"message": "Invalid token"}]}),
        "forbidden": lambda: as_json(403, {"errors": [{"message": "Forbidden"}]}),
    }
    return answers[plan.fault]()

"""Fulfil's faults: those of the wire in Fulfil's words, and those of its own meaning."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

from integration.sandbox import faults
from integration.sandbox.clock import Clock
from integration.sandbox.faults import WIRE_FAULTS, Plan
from integration.sandbox.fulfil_webhooks import WEBHOOK_FAULTS
from integration.sandbox.fulfil_wire import HTML_TYPE, Refused, Reply, http_error, page_too_large, user_error

ORDER_FAULTS = {
    "channel-exception": "accepts the order but leaves it in draft with a channel exception",
    "recalculated": "accepts the order but one line costs, or is taxed, one minor unit more",
    "duplicate-race": "answers 400 for a key taken at the same moment; the order is there afterwards",
    "search-lag": "creates the sale but searches do not see it for `seconds`",
}
"""Faults of what makes a document: they wait for the next call that can suffer them."""

_MEANT = {
    "create_order": ORDER_FAULTS.keys(),
    "return_order": ORDER_FAULTS.keys() - {"channel-exception"},
    "create_invoice": {"recalculated", "search-lag"},
}
"""Operation to the faults of meaning it can suffer."""

FULFIL_FAULTS = WIRE_FAULTS | ORDER_FAULTS | WEBHOOK_FAULTS | {
    "user-error": "answers 400 UserError and does nothing",
    "page-size": "answers 429 for a page too large and does nothing",
}  # fmt: skip

_log = logging.getLogger(__name__)
_ELSEWHERE = "https://login.example.invalid/"
_MAINTENANCE = b"<!doctype html><title>Maintenance</title><h1>We will be back shortly</h1>"
_OOPS = b"<!doctype html><title>500 Internal Server Error</title><h1>Internal Server Error</h1>"


def possible(operation: str) -> set[str]:
    """The faults a call of that operation can suffer."""
    return FULFIL_FAULTS.keys() - WEBHOOK_FAULTS.keys() - ORDER_FAULTS.keys() | set(_MEANT.get(operation, ()))


def server_error() -> Reply:
    """500 as the official client expects it: any text, and `X-Sentry-ID`."""
    return Reply(500, _OOPS, HTML_TYPE, [("X-Sentry-ID", "5a4d0b0c8e1f4e0f9d1b2c3d4e5f6a7b")])


def suffer(plan: Plan, work: Callable[[], Reply], clock: Clock, page_size: int) -> Reply:
    """The answer to a call under a fault; raises `Hang` or `Drop` where there is none."""
    return faults.suffer(plan, work, clock, lambda name: _refusal(name, plan.seconds, clock, page_size))


def _refusal(name: str, length: float, clock: Clock, page_size: int) -> Reply | None:
    """The answer of a fault that does nothing; None for one of meaning."""
    if name in ORDER_FAULTS:
        return None
    seconds = max(1, math.ceil(length))
    until = clock.now() + timedelta(seconds=seconds)
    throttled = http_error(429).reply
    refusals: dict[str, Callable[[], Reply]] = {
        "unavailable": lambda: Reply(503, _MAINTENANCE, HTML_TYPE, [("Retry-After", str(seconds))]),
        "throttled": lambda: replace(throttled, headers=[("Retry-After", str(seconds))]),
        "throttled-date": lambda: replace(throttled, headers=[("Retry-After", format_datetime(until, usegmt=True))]),
        "throttled-timestamp": lambda: replace(throttled, headers=[("Retry-After", str(int(until.timestamp())))]),
        "throttled-silent": lambda: throttled,
        "html": lambda: Reply(200, _MAINTENANCE, HTML_TYPE),
        "not-json": lambda: Reply(200, b'{"id": 12, "rec_name": "SO'),
        "redirect": lambda: Reply(302, b"", HTML_TYPE, [("Location", _ELSEWHERE)]),
        "unauthorised": lambda: http_error(401).reply,
        "forbidden": lambda: http_error(403).reply,
        "user-error": lambda: user_error("The sandbox was asked to refuse this call.").reply,
        "page-size": lambda: page_too_large(page_size).reply,
    }
    return refusals.get(name, server_error)()


def settled(work: Callable[[], Reply]) -> Reply:
    """The answer of `work`, a refusal included; nonsense that no check foresaw is a logged 500, as at the vendor's."""
    try:
        return work()
    except Refused as refused:
        return refused.reply
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError):
        _log.exception("the call made no sense to Fulfil's sandbox")
        return server_error()

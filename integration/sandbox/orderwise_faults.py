"""OrderWise's faults: those of the wire in its words, and those of its own meaning."""

import logging
import math
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

from integration.sandbox import faults
from integration.sandbox.clock import Clock
from integration.sandbox.faults import WIRE_FAULTS, Plan
from integration.sandbox.orderwise_wire import HTML_TYPE, Refused, Reply

ORDER_FAULTS = {
    "recalculated": "imports the order but one line costs one minor unit more",
    "import-fails": "accepts the order without an id; the session's run then fails on it and sends an e-mail",
    "queued": "accepts the order without an id; it is there after the session's next run",
    "duplicate-race": "imports the order and answers 400 for a number that is taken",
    "repriced-tax": "imports the order but taxes its lines at the next tax code",
    "refused": "answers 400 in OrderWise's words and imports nothing",
}
"""Faults of what becomes of an order: they wait for the next order that can suffer them."""
CREDIT_FAULTS = {name: ORDER_FAULTS[name] for name in ("recalculated", "import-fails", "queued", "refused")}
"""Those of them that a credit can suffer."""

ORDERWISE_FAULTS = WIRE_FAULTS | ORDER_FAULTS

_log = logging.getLogger(__name__)
_MAINTENANCE = b"<!doctype html><title>Service Unavailable</title><h2>Service Unavailable</h2>"
_OOPS = b"<!doctype html><title>Runtime Error</title><h1>Server Error in '/OWAPI' Application.</h1>"


def possible(operation: str) -> set[str]:
    """The faults a call of that operation can suffer."""
    return set(WIRE_FAULTS | {"create_order": ORDER_FAULTS, "create_credit": CREDIT_FAULTS}.get(operation, {}))


def server_error() -> Reply:
    """IIS's yellow page, with none of its details."""
    return Reply(500, _OOPS, HTML_TYPE)


def suffer(plan: Plan, work: Callable[[], Reply], clock: Clock, form: str) -> Reply:
    """The answer to a call under a fault; raises `Hang` or `Drop` where there is none. `form`: see `error_body`."""
    return faults.suffer(plan, work, clock, lambda name: _refusal(name, plan.seconds, clock, form))


def _refusal(name: str, length: float, clock: Clock, form: str) -> Reply | None:
    """The answer of a fault that does nothing; None for one of meaning."""
    seconds = max(1, math.ceil(length))
    until = clock.now() + timedelta(seconds=seconds)

    def throttled(*headers: tuple[str, str]) -> Reply:
        said = Refused(429, "Too many requests.").reply(form)
        return Reply(429, said.body, said.content_type, list(headers))

    refusals: dict[str, Callable[[], Reply]] = {
        "unavailable": lambda: Reply(503, _MAINTENANCE, HTML_TYPE, [("Retry-After", str(seconds))]),
        "throttled": lambda: throttled(("Retry-After", str(seconds))),
        "throttled-date": lambda: throttled(("Retry-After", format_datetime(until, usegmt=True))),
        "throttled-timestamp": lambda: throttled(("Retry-After", str(int(until.timestamp())))),
        "throttled-silent": throttled,
        "html": lambda: Reply(200, _MAINTENANCE, HTML_TYPE),
        "not-json": lambda: Reply(200, b'{"orderId": 36'),
        "redirect": lambda: Reply(302, b"", HTML_TYPE, [("Location", "https://login.example.invalid/")]),
        "unauthorised": lambda: Refused(401, "Authorization has been denied for this request.").reply(form),
        "forbidden": lambda: Refused(403, "You do not have permission to use this area of the API.").reply(form),
    }
    return None if name in ORDER_FAULTS else refusals.get(name, server_error)()


def settled(work: Callable[[], Reply], form: str) -> Reply:
    """The answer of `work`, a refusal included; nonsense that no check foresaw is a logged 500, as at the vendor's."""
    try:
        return work()
    except Refused as refused:
        return refused.reply(form)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError):
        _log.exception("the call made no sense to OrderWise's sandbox")
        return server_error()

"""Centra's webhook: what its signature proves and which documents it names (centra.dev, Webhooks).

`X-Centra-Signature: t=<unix>,v1=<hex>` with `v1 = HMAC-SHA256(secret, t + "." + raw body)`. A webhook is a hint: nothing
of its content is used but the numbers of the documents to look at.
"""

import hashlib
import hmac
import re
from collections.abc import Collection
from datetime import datetime
from urllib.parse import parse_qs

from integration.domain.order import Key
from integration.http import NotJson, parse_json

MAX_BODY = 1_000_000
MAX_HEADER = 1_000
MAX_SIGNATURES = 5
MAX_EVENTS = 1_000
TOLERANCE_SECONDS = 300

FOLLOWED = ("order", "return")

_TIME = re.compile(rb"[0-9]{8,11}")
_HEX = re.compile(rb"[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,12}")


class Forged(ValueError):
    """The request does not prove that it comes from Centra now. Every cause looks the same from outside."""


class Malformed(ValueError):
    """Signed, and yet not a webhook we can read."""


def verify(header: bytes, body: bytes, secrets: Collection[str], now: datetime) -> None:
    """Raises `Forged` unless one of our secrets signed exactly these bytes within five minutes of now, either way."""
    stamps, signatures = _parts(header)
    if len(stamps) != 1 or not signatures or len(signatures) > MAX_SIGNATURES:
        raise Forged("the signature header is not readable")
    if abs(now.timestamp() - int(stamps[0])) > TOLERANCE_SECONDS:
        raise Forged("the signature is too old or from the future")
    signed = stamps[0] + b"." + body
    good = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        for candidate in signatures:
            good |= hmac.compare_digest(expected, candidate)
    if not good:
        raise Forged("no secret of ours made this signature")


def _parts(header: bytes) -> tuple[list[bytes], list[bytes]]:
    stamps, signatures = [], []
    if len(header) > MAX_HEADER:
        raise Forged("the signature header is too long")
    for pair in header.split(b","):
        name, _, value = pair.strip().partition(b"=")
        if name == b"t" and _TIME.fullmatch(value):
            stamps.append(value)
        elif name == b"v1" and _HEX.fullmatch(value):
            signatures.append(value)
        elif name in (b"t", b"v1"):
            raise Forged("the signature header is not readable")
    return stamps, signatures


def named_documents(instance: str, body: bytes) -> list[Key]:
    """The orders and returns that a verified body names. Raises `Malformed`.

    Other kinds are passed over; so are shipments, whose id does not say which dispatch of ours, or which order, is meant.
    """
    try:
        form = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=4)
        (payload,) = form["payload"]
        told = parse_json(payload.encode("utf-8"))
        events = told["events"]
    except (UnicodeError, ValueError, KeyError, TypeError, NotJson) as error:
        raise Malformed(f"not a Centra webhook ({type(error).__name__})") from error
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise Malformed("the event list is missing or too long")
    keys = []
    for event in events:
        if not isinstance(event, dict):
            raise Malformed("an event is not an object")
        number, kind = event.get("id"), event.get("type")
        if kind not in FOLLOWED:
            continue
        if isinstance(number, bool) or not isinstance(number, int | str) or not _NUMBER.fullmatch(str(number)):
            raise Malformed(f"the id of a {kind} is not a number")
        keys.append(Key(instance, kind, str(int(number))))
    return keys

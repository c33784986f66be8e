"""Fulfil's inventory webhook: what its signature proves and which SKUs it names (developers.fulfil.io, Webhooks).

`X-Fulfil-Hmac-SHA256` is base64(HMAC-SHA256(key = base64 decoded secret, raw body)). Only the body is signed, so an old
message can be sent again: that costs one more look, because a message is a hint and no figure of it is ever used. The first
guide had no signature at all, and whether every delivery is signed today is unconfirmed: an unsigned one is refused unless
the connection's setting says otherwise. Fulfil waits five seconds and archives a webhook in silence after nineteen failures.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection

from integration.http import NotJson, parse_json

MAX_BODY = 1_000_000
MAX_EVENTS = 1_000
MAX_SKU = 128
EVENT = "product.product.inventory_level_changed"
"""The one event that is documented; any other is acknowledged and passed over."""


class Forged(ValueError):
    """The request does not prove that it comes from Fulfil. Every cause looks the same from outside."""


class Malformed(ValueError):
    """Proven, and yet not a webhook we can read."""


def verify(signature: bytes | None, body: bytes, secrets: Collection[str], *, unsigned: bool) -> None:
    """Raises `Forged` unless one of our secrets signed exactly these bytes, or there is no signature and none is wanted."""
    if signature is None:
        if not unsigned:
            raise Forged("there is no signature")
        return
    good = False
    for secret in secrets:
        try:
            key = base64.b64decode(secret, validate=True)
        except binascii.Error:
            continue  # it can sign nothing
        expected = base64.b64encode(hmac.new(key, body, hashlib.sha256).digest())
        good |= hmac.compare_digest(expected, signature)
    if not good:
        raise Forged("no secret of ours made this signature")


def named_skus(event: str, body: bytes) -> list[str]:
    """The SKUs that a message names, each once; none for another event. Raises `Malformed`."""
    try:
        told = parse_json(body)
    except NotJson as error:
        raise Malformed("not a Fulfil webhook") from error
    if event and event != EVENT:
        return []
    if not isinstance(told, list) or len(told) > MAX_EVENTS:
        raise Malformed("not a list of events, or too long a one")
    found: dict[str, None] = {}
    for each in told:
        sku = each.get("product_code") if isinstance(each, dict) else 0
        if sku is None:
            continue
        if not isinstance(sku, str) or not 0 < len(sku) <= MAX_SKU:
            raise Malformed("an event without a product code")
        found[sku] = None
    return list(found)

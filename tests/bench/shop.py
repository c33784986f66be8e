"""The shop's call of the webhook, by ourselves: what the sandbox does before it calls is no part of a figure."""

import json
import time
from urllib.parse import urlencode

from integration.sandbox import centra_webhooks
from tasks.stack import WEBHOOK_SECRET, Stack


def call(stack: Stack, number: int) -> None:
    """Tell the receiver of an order, as the shop's plugin would. Raises `AssertionError` unless it is taken."""
    event = {"type": "order", "action": "insert", "id": number}
    body = urlencode({"payload": json.dumps({"events": [event]})}).encode()
    signed = centra_webhooks.signature(WEBHOOK_SECRET, int(time.time()), body)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Centra-Signature": signed}
    answer = centra_webhooks.post(f"{stack.web_url}/centra/brand", body, headers, timeout=5)
    assert answer == 200, f"the receiver answered {answer}"

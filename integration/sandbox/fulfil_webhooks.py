"""Webhooks of `product.product.inventory_level_changed`: signed JSON, no promise of arrival or order.

Vendor's guide: the records `ir.webhook`, the array payload, the two headers, 5 s, 3xx is a failure, 19 retries in 48 hours,
archived after 19 failures in a row without notice. Official client: the signature. Unconfirmed: the pauses between retries,
`failures`, that a secret is invented when none is given, that products changed by one act share one call.
"""

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_stock import Stock
from integration.sandbox.fulfil_switches import FulfilSwitches

EVENT = "product.product.inventory_level_changed"
ORGANIZATION = "sandbox"
TIMEOUT = 5.0
RETRIES = 19
WEBHOOK_FAULTS = {
    "webhook-lost": "the change is never told",
    "webhook-doubled": "the change is told twice",
    "webhook-late": "the change is told `seconds` later than due",
    "webhook-forged": "somebody without the secret tells of other levels, too",
    "webhook-reordered": "the change is told after the next one (or `seconds` later)",
}

Deliver = Callable[[str, bytes, Mapping[str, str], float], int | None]
"""(url, body, headers, time-out in seconds) -> HTTP status, or None when there was no answer."""


def signature(secret: str, body: bytes) -> str:
    """The header `X-Fulfil-Hmac-SHA256`; `secret` is base64."""
    return base64.b64encode(hmac.new(base64.b64decode(secret), body, hashlib.sha256).digest()).decode()


class _Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int | None:
    """Deliver for real. Blocks its thread for `timeout` seconds at most; nothing is raised."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310  # the tester's own URL
    try:
        with urllib.request.build_opener(_Stays).open(request, timeout=timeout) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return None


class Webhooks:
    """Tells the registered addresses. Deliveries run on the clock, outside of the app's lock; `locked` takes it."""

    def __init__(
        self,
        records: Records,
        stock: Stock,
        switches: FulfilSwitches,
        clock: Clock,
        faults: Callable[[], Faults],
        locked: Callable[[Callable[[], None]], None],
        deliver: Deliver,
        random: Random,
    ) -> None:
        self._records, self._stock, self._switches, self._clock = records, stock, switches, clock
        self._faults, self._locked, self._deliver, self._random = faults, locked, deliver, random
        self._told: dict[int, list[Row]] = {}
        self._held: dict[int, list[bytes]] = {}

    def defaults(self) -> Row:
        """A new webhook is active and has a secret of 32 bytes in base64."""
        secret = base64.b64encode(self._random.randbytes(32)).decode()
        return {"active": True, "failures": 0, "secret": secret, "event": EVENT}

    def tell(self, products: Iterable[int]) -> None:
        """The levels of these products may have changed. Called under the app's lock, after an act."""
        hooks = [
            hook for hook in self._records.rows["ir.webhook"].values() if hook["active"] and hook["event"] == EVENT
        ]
        if not hooks:
            return
        events = [event for product in products if (event := self._event(product))]
        if events:
            for hook in hooks:
                self._plan(hook["id"], events)

    def _event(self, product: int) -> Row | None:
        """None for a product whose levels are as they were told last."""
        row = self._records.rows["product.product"].get(product)
        if row is None:
            return None
        places = self._stock.warehouses()
        levels: list[Row] = [
            {"warehouse_id": place["id"], "warehouse_code": place["code"]}
            | {name: _plain(quantity) for name, quantity in level.words.items()}
            for place, level in zip(places, self._stock.levels(row, [[p["id"]] for p in places]), strict=True)
        ]
        if self._told.get(product) == levels:
            return None
        self._told[product] = levels
        stamp = self._records.now().isoformat(timespec="microseconds")
        words = {"timestamp": stamp, "product_id": product, "product_code": row["code"]}
        return words | {"warehouse_quantities": levels, "listing_quantities": []}

    def _plan(self, hook: int, events: list[Row]) -> None:
        plan = self._faults().due("webhook", events[0]["product_code"], among=WEBHOOK_FAULTS)
        fault, seconds = (plan.fault, plan.seconds) if plan else ("", 0.0)
        body, delay = json.dumps(events).encode(), self._switches.webhook_delay
        if fault == "webhook-lost":
            return
        if fault == "webhook-reordered":
            self._held.setdefault(hook, []).append(body)
            self._clock.later(delay + seconds, lambda: self._release(hook))
            return
        self._clock.later(delay + seconds * (fault == "webhook-late"), lambda: self._first(hook, body))
        if fault == "webhook-doubled":
            self._clock.later(delay + seconds, lambda: self._attempt(hook, body, 0))
        if fault == "webhook-forged":
            self._clock.later(delay, lambda: self._forge(hook, events))

    def _first(self, hook: int, body: bytes) -> None:
        self._attempt(hook, body, 0)
        self._release(hook)

    def _release(self, hook: int) -> None:
        for body in self._held.pop(hook, []):
            self._attempt(hook, body, 0)

    def _attempt(self, hook: int, body: bytes, tried: int) -> None:
        """One call; the nth retry waits n steps of the switch."""
        row = self._records.rows["ir.webhook"].get(hook)
        if row is None or not row["active"]:
            return
        status = self._post(row, body, row["secret"])
        arrived = status is not None and 200 <= status < 300
        self._locked(lambda: self._note(row, arrived=arrived))
        if not arrived and tried < RETRIES:
            delay = self._switches.webhook_retry_step * (tried + 1)
            self._clock.later(delay, lambda: self._attempt(hook, body, tried + 1))

    def _note(self, row: Row, *, arrived: bool) -> None:
        failures = 0 if arrived else row["failures"] + 1
        if failures != row["failures"]:
            words = {"failures": failures, "active": failures < RETRIES}
            self._records.update("ir.webhook", row, words)

    def _forge(self, hook: int, events: list[Row]) -> None:
        false = [dict(event, warehouse_quantities=_halved(event["warehouse_quantities"])) for event in events]
        row = self._records.rows["ir.webhook"].get(hook)
        if row is not None and row["active"]:
            self._post(row, json.dumps(false).encode(), base64.b64encode(b"not the secret").decode())

    def _post(self, row: Row, body: bytes, secret: str) -> int | None:
        headers = {
            "Content-Type": "application/json",
            "X-Fulfil-Event": row["event"],
            "X-Fulfil-Organization": ORGANIZATION,
        }
        if self._switches.sign_webhooks:
            headers["X-Fulfil-Hmac-SHA256"] = signature(secret, body)
        return self._deliver(row["url"], body, headers, TIMEOUT)


def _plain(quantity: float) -> float:
    """12 for 12.0, as the vendor's example has it."""
    return int(quantity) if quantity == int(quantity) else quantity


def _halved(levels: list[Row]) -> list[Row]:
    return [dict(level, quantity_available=level["quantity_available"] // 2) for level in levels]

"""Centra as a `Storefront`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from integration.centra import wire
from integration.centra.nodes import ids, instant_of, rows
from integration.centra.products import Products
from integration.centra.return_wire import refund_mark
from integration.centra.returns import Returns
from integration.centra.shipments import Shipments
from integration.centra.stock import Stock
from integration.domain.order import Order
from integration.errors import Unavailable
from integration.http import is_storable
from integration.ports import Allowance, Event, Fetched, Sighting, Taking

PAGE = 100
"""Orders in one answer; Centra allows 200 (centra.dev: "Limit must be in range 1 - 200")."""
EVENTS = 200
FETCH_COMPLEXITY = 60
"""Our guess of what one order node costs of the complexity budget; Centra's answer tells the truth afterwards."""


class Centra(Stock, Shipments, Returns, Products):
    """One Centra instance: orders and events here, the rest of an order's life in the parts it is made of."""

    def fetch(self, numbers: Sequence[str]) -> Mapping[str, Fetched]:
        asked = ids(numbers)
        if not asked:
            return {}
        wanted = {"numbers": asked, "limit": len(asked)}
        answer = self.client.read("orders", wanted, lane="orders", complexity=FETCH_COMPLEXITY * len(asked))
        return {str(node["number"]): self._fetched(node) for node in rows(answer, "orders")}

    def _fetched(self, node: Mapping[str, Any]) -> Fetched:
        stamp = _stamp(node)
        if not is_storable(node):
            problem = "a character that no database takes"
            return Fetched(None, b"{}", self.fingerprint(stamp.encode("utf-8", "replace")), stamp, problem=problem)
        content = wire.to_bytes(node)
        mark = self.fingerprint(wire.substance(node))
        try:
            order, changed_at = wire.read_order(self.name, node), instant_of(node.get("updatedAt"))
            return Fetched(order, content, mark, stamp, changed_at=changed_at)
        except wire.BadOrder as error:
            return Fetched(None, content, mark, stamp, problem=str(error))

    def reread(self, content: bytes) -> Order:
        return wire.read_order(self.name, wire.from_bytes(content))

    def placed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("placed", window, lane="orders", complexity=5 * PAGE), "orders")
        return _sightings(found), len(found) == PAGE

    def takings(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Taking], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("takings", window, lane="finance", complexity=PAGE * 4), "orders")
        return [wire.read_taking(row) for row in found], len(found) == PAGE

    def changed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("updated", window, lane="orders", complexity=5 * PAGE), "orders")
        return _sightings(found), len(found) == PAGE

    def stamps(self, numbers: Sequence[str]) -> Sequence[Sighting]:
        asked = ids(numbers)
        if not asked:
            return []
        wanted = {"numbers": asked, "limit": len(asked)}
        return _sightings(rows(self.client.read("stamps", wanted, lane="finance", complexity=5 * len(asked)), "orders"))

    def events(self) -> Sequence[Event]:
        answer = self.client.read("events", {"limit": EVENTS}, lane="orders", complexity=5 * EVENTS)
        return [_event(row) for row in rows(answer, "events")]

    def confirm_events(self, ids: Collection[int]) -> None:
        self.client.change("confirm_events", {"ids": sorted(ids)}, lane="orders")

    def listen(self) -> None:
        """Subscribe our integration's queue to orders, shipments and returns; repeatable: it adds, never replaces."""
        self.client.change("listen", {}, lane="orders")

    def limits(self) -> Sequence[Allowance]:
        return [_allowance(row) for row in rows(self.client.read("rate_limits", {}, lane="orders"), "rateLimits")]

    def check(self) -> str:
        told = (f"{a.measure} {a.units - a.used}/{a.units} per {a.window.total_seconds():g} s" for a in self.limits())
        return "reachable; " + ", ".join(told)


def _event(row: Mapping[str, Any]) -> Event:
    """A shipment is known to us by its order, a deleted return by the event's own reference (unconfirmed: its id)."""
    seen = row.get("object") or {}
    kind, number = "order", seen.get("orderNumber")
    if "shippedOrder" in seen:
        kind, number = "shipment", (seen["shippedOrder"] or {}).get("number")
    elif row.get("objectType") == "Return":
        deleted = row.get("objectReference") if not seen else None
        kind, number = "return", seen.get("returnId", deleted)
    known = ids([str(number)])
    return Event(int(str(row["id"])), str(known[0]) if known else "", kind)


MEASURES = {"REQUEST_COUNT": "requests", "MUTATION_COUNT": "mutations", "QUERY_COMPLEXITY": "complexity"}
WINDOWS = {"TEN_SECONDS": timedelta(seconds=10), "ONE_HOUR": timedelta(hours=1)}


def _allowance(row: Mapping[str, Any]) -> Allowance:
    try:
        return Allowance(
            MEASURES[row["type"]], WINDOWS[row["intervalSeconds"]], int(row["quota"]), int(row["usedQuota"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("Centra tells its rate limits in a form that is not known") from error


def _sightings(told: Sequence[Mapping[str, Any]]) -> list[Sighting]:
    return [Sighting(str(row["number"]), _stamp(row), instant_of(row.get("createdAt"))) for row in told]


def _stamp(node: Mapping[str, Any]) -> str:
    """What tells that an order changed: Centra's own stamp, which has whole seconds, what a second may hide, and refunds,
    for it is unconfirmed that a refund touches the stamp.
    """
    flags = "".join("y" if node.get(name) else "n" for name in ("isOnHold", "isWaitingForPayment", "isInternal"))
    refunds = refund_mark(node.get("paymentHistory") or ())
    return f"{node.get('updatedAt') or ''} {node.get('status') or ''} {flags}{refunds}"[:80]

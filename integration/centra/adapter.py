"""Centra as a `Storefront`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from integration.centra import wire
from integration.centra.nodes import ids, instant_of, rows
from integration.centra.returns import Returns
from integration.centra.shipments import Shipments
from integration.centra.stock import Stock
from integration.domain.order import Order
from integration.http import is_storable
from integration.ports import Event, Fetched, Sighting, Taking

PAGE = 100
"""The largest page of orders seen working in public; Centra's own maximum is unconfirmed."""
EVENTS = 200
FETCH_COMPLEXITY = 60
"""Our guess of what one order node costs of the complexity budget; Centra's answer tells the truth afterwards."""


class Centra(Stock, Shipments, Returns):
    """One Centra instance: orders and events here, the rest of an order's life in the parts it is made of."""

    def fetch(self, numbers: Sequence[str]) -> Mapping[str, Fetched]:
        asked = ids(numbers)
        if not asked:
            return {}
        wanted = {"numbers": asked, "limit": len(asked)}
        answer = self.client.read("orders", wanted, lane="orders", complexity=FETCH_COMPLEXITY * len(asked))
        return {str(node["number"]): self._fetched(node) for node in rows(answer, "orders")}

    def _fetched(self, node: Mapping[str, object]) -> Fetched:
        stamp = _stamp(node)
        if not is_storable(node):
            problem = "a character that no database takes"
            return Fetched(None, b"{}", self.fingerprint(stamp.encode("utf-8", "replace")), stamp, problem=problem)
        content = wire.to_bytes(node)
        mark = self.fingerprint(wire.substance(node))
        try:
            return Fetched(wire.read_order(self.name, node), content, mark, stamp)
        except wire.BadOrder as error:
            return Fetched(None, content, mark, stamp, problem=str(error))

    def reread(self, content: bytes) -> Order:
        return wire.read_order(self.name, wire.from_bytes(content))

    def placed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("placed", window, lane="orders", complexity=PAGE), "orders")
        return _sightings(found), len(found) == PAGE

    def takings(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Taking], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("takings", window, lane="finance", complexity=PAGE * 4), "orders")
        return [wire.read_taking(row) for row in found], len(found) == PAGE

    def changed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        found = rows(self.client.read("updated", window, lane="orders", complexity=PAGE), "orders")
        return _sightings(found), len(found) == PAGE

    def stamps(self, numbers: Sequence[str]) -> Sequence[Sighting]:
        asked = ids(numbers)
        if not asked:
            return []
        wanted = {"numbers": asked, "limit": len(asked)}
        return _sightings(rows(self.client.read("stamps", wanted, lane="finance", complexity=len(asked)), "orders"))

    def events(self) -> Sequence[Event]:
        answer = self.client.read("events", {"limit": EVENTS}, lane="orders", complexity=EVENTS)
        found = []
        for row in rows(answer, "events"):
            seen = row.get("object")
            number = seen.get("orderNumber") if isinstance(seen, dict) else None
            found.append(Event(int(str(row["id"])), "" if number is None else str(number)))
        return found

    def confirm_events(self, ids: Collection[int]) -> None:
        self.client.change("confirm_events", {"ids": sorted(ids)}, lane="orders")

    def listen(self) -> None:
        """Subscribe our integration's queue to orders; repeatable."""
        self.client.change("listen", {}, lane="orders")

    def check(self) -> str:
        limits = rows(self.client.read("rate_limits", {}, lane="orders"), "rateLimits")
        told = (f"{r['type']} {r['remainingQuota']}/{r['quota']} per {r['intervalSeconds']}" for r in limits)
        return "reachable; " + ", ".join(told)


def _sightings(told: Sequence[Mapping[str, object]]) -> list[Sighting]:
    return [Sighting(str(row["number"]), _stamp(row), instant_of(row.get("createdAt"))) for row in told]


def _stamp(node: Mapping[str, object]) -> str:
    """What tells that an order changed: Centra's own stamp, which has whole seconds, and what a second may hide."""
    flags = "".join("y" if node.get(name) else "n" for name in ("isOnHold", "isWaitingForPayment", "isInternal"))
    return f"{node.get('updatedAt') or ''} {node.get('status') or ''} {flags}"[:80]

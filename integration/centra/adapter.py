"""Centra as a `Storefront`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from integration.centra import wire
from integration.centra.client import CentraClient
from integration.domain.order import Order
from integration.errors import Unavailable
from integration.http import is_storable
from integration.ports import Event, Fetched, Sighting, Taking

PAGE = 100
"""The largest page of orders seen working in public; Centra's own maximum is unconfirmed."""
EVENTS = 200
FETCH_COMPLEXITY = 60
"""Our guess of what one order node costs of the complexity budget; Centra's answer tells the truth afterwards."""


class Centra:
    """One Centra instance. `fingerprint` turns bytes into a keyed hash."""

    def __init__(self, name: str, client: CentraClient, *, fingerprint: Callable[[bytes], str]) -> None:
        self.name = name
        self.client = client
        self.fingerprint = fingerprint

    def fetch(self, numbers: Sequence[str]) -> Mapping[str, Fetched]:
        asked = _numbers(numbers)
        if not asked:
            return {}
        wanted = {"numbers": asked, "limit": len(asked)}
        answer = self.client.read("orders", wanted, lane="orders", complexity=FETCH_COMPLEXITY * len(asked))
        return {str(node["number"]): self._fetched(node) for node in _rows(answer, "orders")}

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
        rows = _rows(self.client.read("placed", window, lane="orders", complexity=PAGE), "orders")
        return _sightings(rows), len(rows) == PAGE

    def takings(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Taking], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        rows = _rows(self.client.read("takings", window, lane="finance", complexity=PAGE * 4), "orders")
        return [wire.read_taking(row) for row in rows], len(rows) == PAGE

    def changed_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        window = {"from": wire.instant(since), "to": wire.instant(until), "limit": PAGE, "page": page}
        rows = _rows(self.client.read("updated", window, lane="orders", complexity=PAGE), "orders")
        return _sightings(rows), len(rows) == PAGE

    def stamps(self, numbers: Sequence[str]) -> Sequence[Sighting]:
        asked = _numbers(numbers)
        if not asked:
            return []
        wanted = {"numbers": asked, "limit": len(asked)}
        return _sightings(_rows(self.client.read("stamps", wanted, lane="finance", complexity=len(asked)), "orders"))

    def events(self) -> Sequence[Event]:
        rows = _rows(self.client.read("events", {"limit": EVENTS}, lane="orders", complexity=EVENTS), "events")
        found = []
        for row in rows:
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
        rows = _rows(self.client.read("rate_limits", {}, lane="orders"), "rateLimits")
        told = (f"{r['type']} {r['remainingQuota']}/{r['quota']} per {r['intervalSeconds']}" for r in rows)
        return "reachable; " + ", ".join(told)


def _numbers(told: Sequence[str]) -> list[int]:
    """Those that can be order numbers: one beyond GraphQL's 32 bits would have the whole page refused."""
    return [int(n) for n in told if n.isascii() and n.isdigit() and len(n) <= 10 and int(n) < 2**31]


def _rows(answer: Mapping[str, object], name: str) -> list[dict[str, object]]:
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unavailable(f"Centra answered without {name}")
    return rows


def _sightings(rows: Sequence[Mapping[str, object]]) -> list[Sighting]:
    return [Sighting(str(row["number"]), _stamp(row), _instant(row.get("createdAt"))) for row in rows]


def _stamp(node: Mapping[str, object]) -> str:
    """What tells that an order changed: Centra's own stamp, which has whole seconds, and what a second may hide."""
    flags = "".join("y" if node.get(name) else "n" for name in ("isOnHold", "isWaitingForPayment", "isInternal"))
    return f"{node.get('updatedAt') or ''} {node.get('status') or ''} {flags}"[:80]


def _instant(told: object) -> datetime | None:
    """An aware instant, or `None` where Centra gives none that can be read."""
    try:
        read = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return read if read.tzinfo else None

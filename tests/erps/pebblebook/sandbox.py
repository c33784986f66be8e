"""Pebblebook's sandbox: an ERP that nobody sells, made up for these tests, as a WSGI app with its books in memory.

    POST /<collection>                {"reference": ..., ...}    201 {"id": 7}, or 409 {"code": "duplicate", "id": 7}
    POST /<collection>/<id>/<verb>                               200, the record
    POST /<collection>/query          see `query`                200 {"rows": [...], "next": an id, or null}

Collections: items, orders, shipments, returns, credits; and levels, which is only queried. Every call bears a token. What is
refused is told as {"code", "message", "key"}.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from erps.pebblebook.books import BINS, TRACKED_AT, Books, Refused, Row

from integration.sandbox.clock import Clock
from integration.sandbox.faults import WIRE_FAULTS, Faults, Plan, suffer

TOKEN = "pebbles"
PAGE = 500
FAULTS = WIRE_FAULTS | {
    "search-lag": "no query but one by id shows what the call makes, for `seconds`",
    "recalculated": "what the call makes has one step more tax on its first line",
}


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


def _json(status: int, document: object) -> Reply:
    return Reply(status, json.dumps(document, default=str).encode())


class Pebblebook:
    """One tenant; what is not the API is what its people do all day."""

    def __init__(self, clock: Clock, *_: object) -> None:
        self.clock = clock
        self.books = Books(clock)
        self.faults = Faults(FAULTS)
        self.requests: Counter[str] = Counter()

    def app(self, environ: Row, start_response: Callable[..., Any]) -> Iterable[bytes]:
        reply = self._reply(environ)
        start_response(f"{reply.status} as told", [("Content-Type", "application/json"), *reply.headers])
        return [reply.body]

    def _reply(self, environ: Row) -> Reply:
        body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        collection, *rest = environ["PATH_INFO"].strip("/").split("/")
        verb = rest[-1] if rest else "create"
        operation = f"{verb} {collection}"
        self.requests[operation] += 1
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {TOKEN}":
            return _json(401, {"code": "token"})

        plan = self.faults.due(operation, body.get("reference"), environ.get("HTTP_X_SANDBOX_FAULT", ""))

        def work() -> Reply:
            try:
                return self._work(collection, rest, verb, body, plan)
            except Refused as refused:
                return _json(refused.status, refused.document)

        return suffer(plan, work, self.clock, lambda name: self._refusal(name, plan.seconds)) if plan else work()

    def _work(self, collection: str, rest: Sequence[str], verb: str, body: Row, plan: Plan | None) -> Reply:
        if verb == "query":
            return _json(200, self.query(collection, body))
        if verb == "create":
            fault = plan.fault if plan else ""
            hidden = plan.seconds if plan and fault == "search-lag" else 0.0
            row = self.books.create(collection, body, hidden=hidden, off=fault == "recalculated")
            return _json(201, {"id": row["id"]})
        return _json(200, self.books.act(collection, int(rest[0]), verb))

    def _refusal(self, fault: str, length: float) -> Reply | None:
        seconds = max(1, math.ceil(length))
        until = self.clock.now() + timedelta(seconds=seconds)
        waits = {
            "throttled": str(seconds),
            "throttled-date": format_datetime(until, usegmt=True),
            "throttled-timestamp": str(int(until.timestamp())),
        }
        if fault in ("search-lag", "recalculated"):
            return None
        if fault.startswith("throttled"):
            return Reply(429, b"{}", [("Retry-After", waits[fault])] if fault in waits else [])
        return {
            "unavailable": Reply(503, b"", [("Retry-After", str(seconds))]),
            "html": Reply(200, b"<h1>Back soon</h1>"),
            "not-json": Reply(200, b'{"id": 3'),
            "redirect": Reply(302, b"", [("Location", "https://elsewhere.example/")]),
            "unauthorised": _json(401, {"code": "token"}),
            "forbidden": _json(403, {"code": "rights"}),
        }.get(fault, Reply(500, b"<h1>Oh dear</h1>"))

    def query(self, collection: str, asked: Row) -> Row:
        """Rows by id, one page at a time: `after` an id, of these `id`s, `reference`s or `sku`s (`alike`: whatever their
        case), or changed `since`. Levels: of `sku`s in `warehouses`, or the SKUs that moved `since`.
        """
        since = datetime.fromisoformat(asked["since"]) if "since" in asked else None
        if collection == "levels":
            moved = [{"sku": sku} for sku, at in self.books.moved.items() if since and at >= since]
            return {"rows": moved or list(self.books.levels(asked.get("sku", [])[:PAGE], asked.get("warehouses", [])))}
        fold = str.casefold if asked.get("alike") else str
        fields = [name for name in ("id", "reference", "sku") if name in asked]
        wanted = {name: {fold(str(value)) for value in asked[name]} for name in fields}
        found = [
            row
            for id, row in self.books.kept[collection].items()
            if id > asked.get("after", 0)
            and all(fold(str(row[name])) in wanted[name] for name in fields)
            and (since is None or datetime.fromisoformat(row["changed_at"]) >= since)
            and ("id" in fields or self.books.hidden_until.get(id, self.clock.now()) <= self.clock.now())
        ]
        return {"rows": found[:PAGE], "next": found[PAGE - 1]["id"] if len(found) > PAGE else None}

    # ------------------------------------------------------------------------------------------- what people do all day

    def under(self, collection: str, reference: str) -> list[Row]:
        return [row for row in self.books.kept[collection].values() if row["reference"] == reference]

    def pack(self, reference: str) -> None:
        """Too late to cancel."""
        self.books.change(self.under("orders", reference)[0], state="packed")

    def adjust(self, sku: str, quantity: float, warehouse: int) -> None:
        """A count finds so many pieces."""
        self.books.put(sku, warehouse, Decimal(str(quantity)) - self.books.on_hand[sku, warehouse])

    def ship(
        self, reference: str, lines: Mapping[str, int] | None = None, tracking: Sequence[str] = ("P1",)
    ) -> list[int]:
        """A parcel or more leaves with these pieces by SKU, or with all that is left of an order."""
        order = self.under("orders", reference)[0]
        left = Counter(lines) if lines is not None else None
        shipped = []
        for line in order["lines"]:
            pieces = line["quantity"] - line["sent"] if line["sku"] else 0
            pieces = pieces if left is None else min(pieces, left[line["sku"]])
            if pieces:
                line["sent"] += pieces
                shipped.append({"key": line["key"], "sku": line["sku"], "quantity": pieces})
                for part, each in self.books.parts_of(line["sku"]).items():
                    self.books.put(part, order["warehouse"], -each * pieces)
        done = all(line["sent"] == line["quantity"] for line in order["lines"] if line["sku"])
        self.books.change(order, state="done" if done else "packed")
        row = {
            "reference": reference, "lines": shipped, "carrier": order["carrier"], "sent_at": self.clock.now().isoformat(),
            "parcels": _parcels(order["carrier"], tracking),
        }  # fmt: skip
        return [self.books.keep("shipments", row)["id"]]

    def relabel(self, reference: str, tracking: Sequence[str]) -> None:
        row = self.under("shipments", reference)[-1]
        self.books.change(row, parcels=_parcels(row["carrier"], tracking))

    def receive_return(
        self, reference: str, dispositions: Any = None, quantities: Mapping[str, int] | None = None
    ) -> None:
        """All of a return arrives, or these pieces by SKU; with `dispositions` it is inspected at once."""
        row = self.under("returns", reference)[0]
        for line in row["lines"]:
            line["received"] = line["quantity"] if quantities is None else quantities.get(line["sku"], 0)
        self.books.change(row, state="arrived", received_at=self.clock.now().isoformat())
        if dispositions:
            self.inspect_return(reference, dispositions)

    def inspect_return(self, reference: str, dispositions: Any = "restock") -> None:
        """One word for everything, or by SKU a word or pieces by word; what goes on the shelf can be sold again."""
        row = self.under("returns", reference)[0]
        warehouse = self.books.kept["orders"][row["order"]]["warehouse"]
        for line in row["lines"]:
            told = dispositions if isinstance(dispositions, str) else dispositions[line["sku"]]
            pieces = {told: line["received"]} if isinstance(told, str) else told
            line["bins"] = {BINS[word]: n for word, n in pieces.items()}
            for part, each in self.books.parts_of(line["sku"]).items():
                self.books.put(part, warehouse, each * pieces.get("restock", 0))
        self.books.change(row)

    def credit(self, order_reference: str) -> int:
        """A person credits a whole order, under no reference."""
        order = self.under("orders", order_reference)[0]
        document = {
            "reference": "",
            "order": order["id"],
            "date": self.clock.now().date().isoformat(),
            "currency": order["currency"],
            "lines": [dict(line) for line in order["lines"]],
            "total": order["total"],
        }
        row = self.books.create("credits", document)
        return int(self.books.act("credits", row["id"], "post")["id"])


def _parcels(carrier: str, tracking: Sequence[str]) -> list[Row]:
    return [{"tracking": number, "url": TRACKED_AT[carrier] + number} for number in tracking]

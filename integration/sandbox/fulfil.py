"""Fulfil's `/api/v2` for orders, as a WSGI app with state in memory.

    from wsgiref.simple_server import make_server
    make_server("127.0.0.1", 8801, Fulfil(RealClock()).app).serve_forever()

The shapes follow Fulfil's public pages, its official Python client and clients in the wild; what none of them says is
a switch (`FulfilSwitches`). Faults that leave a caller without an answer are raised out of the app as `Hang` and `Drop`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from integration.sandbox import fulfil_control, fulfil_seed
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults, Plan
from integration.sandbox.fulfil_access import TOKEN, Access
from integration.sandbox.fulfil_books import books
from integration.sandbox.fulfil_calls import Calls
from integration.sandbox.fulfil_faults import FULFIL_FAULTS, possible, settled, suffer
from integration.sandbox.fulfil_orders import Orders
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_routes import ROOT, Call, Request, Routes, query_of
from integration.sandbox.fulfil_search import Search
from integration.sandbox.fulfil_states import States
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import HTML_TYPE, REASONS, Reply, http_error, parsed

__all__ = ["TOKEN", "Fulfil", "FulfilSwitches"]

StartResponse = Callable[..., Any]


class Fulfil:
    """One tenant. `seed` decides what the fault "recalculated" changes; everything else is exact."""

    def __init__(self, clock: Clock, switches: FulfilSwitches | None = None, seed: int = 0) -> None:
        self.switches = switches or FulfilSwitches()
        self.faults = Faults(dict(FULFIL_FAULTS))
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._lock = threading.RLock()
        self._records = Records(clock)
        fulfil_seed.fill(self._records)
        self._records.effects.clear()
        self._access = Access(self._records, clock, self.switches)
        self._states = States(self._records, self.switches)
        calls = Calls(self._records, Search(self._records), self._access, self.switches)
        orders = Orders(self._records, self._access, self._states, self.switches, self._later, Random(seed))
        self._routes = Routes(self._records, calls, orders, self._states)

    def app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        reply = settled(lambda: self._reply(environ))
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *reply.headers]
        start_response(f"{reply.status} {REASONS[reply.status]}", headers)
        return [reply.body]

    def books(self) -> Row:
        """The oracle; see `fulfil_books`."""
        with self._lock:
            return books(self._records, self.requests)

    def add_product(self, sku: str, name: str = "Added product") -> int:
        """Create a missing SKU; the id of its product."""
        with self._lock:
            return int(fulfil_seed.product(self._records, sku, name)["id"])

    def grant(self, token: str, channels: list[int] | None = None) -> int:
        """Make `token` valid: for the sandbox's user, or for a new one that knows only `channels`. The user's id."""
        with self._lock:
            user = 1 if channels is None else fulfil_seed.user(self._records, "Another user", channels)["id"]
            self._access.tokens[token] = user
            return int(user)

    def revoke(self, token: str | None = None) -> None:
        """Make `token`, or every token, invalid from now on."""
        with self._lock:
            for known in [token] if token else list(self._access.tokens):
                self._access.tokens.pop(known, None)

    def allow(self, channel: int) -> None:
        """Give the sandbox's user create access to a channel."""
        self.forbid(channel)
        with self._lock:
            self._records.get("res.user", 1)["allowed_create_channels"].append(channel)

    def forbid(self, channel: int) -> None:
        """Take it away: create_order on the channel answers 403."""
        with self._lock:
            user = self._records.get("res.user", 1)
            user["allowed_create_channels"] = [id for id in user["allowed_create_channels"] if id != channel]

    def pack(self, shipment: int) -> None:
        """The warehouse assigns, picks and packs a shipment; there is no way back."""
        self._walk(shipment, "assign", "pack")

    def ship(self, shipment: int, tracking_number: str | None = None) -> None:
        """The warehouse hands a shipment to its carrier."""
        self._walk(shipment, "assign", "pack", "done")
        if tracking_number:
            with self._lock:
                row = self._records.get("stock.shipment.out", shipment)
                words = {"tracking_number": tracking_number, "carrier": row["carrier"], "state": "in_transit"}
                tracking = self._records.insert("shipment.tracking", words)
                self._records.update("stock.shipment.out", row, {"tracking_number": tracking["id"]})

    def _walk(self, shipment: int, *methods: str) -> None:
        done = {"waiting": 0, "assigned": 1, "packed": 2, "done": 3}
        with self._lock:
            row = self._records.get("stock.shipment.out", shipment)
            for method in methods[done.get(row["state"], 0) :]:
                self._states.move("stock.shipment.out", method, row)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:
                act()

        self._clock.later(seconds, locked)

    def _reply(self, environ: dict[str, Any]) -> Reply:
        verb, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        words = parsed(body) if body else None
        if path.startswith(fulfil_control.ROOT):
            return fulfil_control.open_door(self, verb, path, words)
        if not path.startswith(ROOT + "/"):
            raise http_error(404)
        query = environ.get("QUERY_STRING", "")
        if len(query) > self.switches.uri_limit:
            return Reply(414, b"<h1>Request-URI Too Long</h1>", HTML_TYPE)
        with self._lock:
            user = self._access.user(environ.get("HTTP_X_API_KEY"), environ.get("HTTP_AUTHORIZATION"))
            call = self._routes.find(Request(verb, path, query_of(query), words, user))
            self.requests[call.operation] += 1
        asked = environ.get("HTTP_X_SANDBOX_FAULT", "")
        plan = self.faults.due(call.operation, call.number, asked, possible(call.operation))
        work = partial(settled, partial(self._work, call, user, plan))
        return suffer(plan, work, self._clock, self.switches.page_size) if plan else work()

    def _work(self, call: Call, user: int, plan: Plan | None) -> Reply:
        with self._lock:
            headers = self._access.spend(user)
            reply = settled(lambda: self._act(call, plan))
        return replace(reply, headers=[*reply.headers, *headers])

    def _act(self, call: Call, plan: Plan | None) -> Reply:
        with self._records.all_or_nothing():
            return call.act(plan)

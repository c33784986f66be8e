"""Fulfil's `/api/v2` for orders, stock, shipments, returns and invoices, as a WSGI app with state in memory.

    from wsgiref.simple_server import make_server
    make_server("127.0.0.1", 8801, Fulfil(RealClock()).app).serve_forever()

The shapes follow Fulfil's public pages, its official Python client and clients in the wild; what none of them says is
a switch (`FulfilSwitches`). Faults that leave a caller without an answer are raised out of the app as `Hang` and `Drop`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from integration.sandbox import catalogue, fulfil_control, fulfil_seed
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults, Plan
from integration.sandbox.fulfil_access import TOKEN, Access
from integration.sandbox.fulfil_books import books
from integration.sandbox.fulfil_calls import Calls, Rule
from integration.sandbox.fulfil_faults import FULFIL_FAULTS, possible, settled, suffer
from integration.sandbox.fulfil_floor import Floor, Which
from integration.sandbox.fulfil_orders import Orders
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_return_shipments import Disposition
from integration.sandbox.fulfil_returns import Returns
from integration.sandbox.fulfil_routes import ROOT, Call, Request, Routes, query_of
from integration.sandbox.fulfil_search import Computed, Search
from integration.sandbox.fulfil_states import States
from integration.sandbox.fulfil_stock import Stock
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_webhooks import Deliver, Webhooks, post
from integration.sandbox.fulfil_wire import HTML_TYPE, REASONS, Refused, Reply, http_error, parsed

__all__ = ["TOKEN", "Fulfil", "FulfilSwitches"]

StartResponse = Callable[..., Any]


class Fulfil:
    """One tenant. `seed` decides what the fault "recalculated" changes and the secrets of webhooks; everything else is
    exact. Every public method takes the lock; webhooks go out through `deliver`.
    """

    refusals = (Refused, ValueError)
    """What is raised by an act of the floor that cannot be done."""

    def __init__(
        self, clock: Clock, switches: FulfilSwitches | None = None, seed: int = 0, deliver: Deliver = post
    ) -> None:
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
        stock, invoices = self._states.stock, self._states.invoices
        self._floor = Floor(self._records, self._states)
        self._webhooks = Webhooks(
            self._records, stock, self.switches, clock, lambda: self.faults, self._locked, deliver, Random(seed)
        )
        rules = {
            "account.invoice": Rule(
                partial(invoices.settle, "account.invoice"),
                partial(invoices.check, "account.invoice"),
                invoices.defaults,
            ),
            "account.invoice.line": Rule(
                partial(invoices.settle, "account.invoice.line"), partial(invoices.check, "account.invoice.line")
            ),
            "stock.move": Rule(stock.settle, stock.check),
            "ir.webhook": Rule(lambda hook, given: None, defaults=self._webhooks.defaults),
        }
        calls = Calls(self._records, Search(self._records, _computed(stock)), self._access, self.switches, rules)
        orders = Orders(self._records, self._access, self._states, self.switches, self._later, Random(seed))
        returns = Returns(self._records, self._access, orders, self.switches)
        self._routes = Routes(self._records, calls, orders, returns, self._states)

    def app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        reply = settled(lambda: self._reply(environ))
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *reply.headers]
        start_response(f"{reply.status} {REASONS[reply.status]}", headers)
        return [reply.body]

    def books(self) -> Row:
        """The oracle; see `fulfil_books`."""
        with self._lock:
            return books(self._records, self._states.stock, self.requests)

    def add_product(self, sku: str, name: str = "Added product") -> int:
        """Create a missing SKU; the id of its product."""
        with self._lock:
            return int(fulfil_seed.product(self._records, sku, name)["id"])

    def change_product(self, sku: str, **words: Any) -> None:
        """A person edits a product: `code`, `active`, `upc`, `variant_name`."""
        with self._changing():
            (row,) = self._records.find("product.product", "code", sku)
            self._records.update("product.product", row, words)

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

    def pack(self, shipment: Which) -> list[int]:
        """The warehouse assigns, picks and packs a shipment (or all of a sale); there is no way back."""
        with self._changing():
            return self._floor.pack(shipment)

    def ship(
        self,
        which: Which,
        lines: Mapping[str, float] | Mapping[int, float] | None = None,
        tracking: Sequence[str] = ("1Z9",),
        carrier_service: str | None = None,
    ) -> list[int]:
        """The warehouse hands a shipment, or part of it, to its carrier; see `Floor.ship`."""
        with self._changing():
            return self._floor.ship(which, lines, tracking, carrier_service)

    def void(self, which: Which) -> None:
        """The labels of a shipment are cancelled."""
        with self._changing():
            self._floor.void(which)

    def relabel(self, which: Which, tracking: Sequence[str] = ("1Z9-NEW",), carrier_service: str | None = None) -> None:
        """The labels of a shipment are replaced."""
        with self._changing():
            self._floor.relabel(which, tracking, carrier_service)

    def receive_return(
        self,
        which: Which,
        dispositions: Mapping[str, Disposition] | Disposition | None = None,
        quantities: Mapping[str, float] | None = None,
    ) -> list[int]:
        """Returned goods arrive, and with `dispositions` are inspected at once; see `Floor.receive_return`."""
        with self._changing():
            return self._floor.receive_return(which, dispositions, quantities)

    def inspect_return(
        self, which: Which, dispositions: Mapping[str, Disposition] | Disposition | None = None
    ) -> list[int]:
        """Returned goods are judged and put away; see `Floor.inspect_return`."""
        with self._changing():
            return self._floor.inspect_return(which, dispositions)

    def adjust(self, sku: str, quantity: float, warehouse: Which) -> int:
        """A count finds `quantity` of a SKU in a warehouse's storage (id or code); the id of the count."""
        with self._changing():
            return self._states.stock.set_on_hand(sku, quantity, warehouse)

    def receive_goods(self, sku: str, quantity: float, warehouse: Which) -> int:
        """`quantity` more of a SKU comes from a supplier into storage; the id of the move."""
        with self._changing():
            return self._states.stock.receive_goods(sku, quantity, warehouse)

    def waiting_shipments(self) -> list[Row]:
        """What could be shipped now; see `Floor.waiting`."""
        with self._lock:
            return self._floor.waiting()

    def expected_returns(self) -> list[Row]:
        """What is on its way back or waits for inspection; see `Floor.coming_back`."""
        with self._lock:
            return self._floor.coming_back()

    @property
    def places(self) -> list[int]:
        """Where goods from suppliers come in."""
        return list(catalogue.FULFIL_WAREHOUSES)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The lock around one act that happens wholly or not at all, and the webhooks it brings about."""
        with self._lock:
            try:
                with self._records.all_or_nothing():
                    yield
            finally:
                changed = list(self._states.stock.changed)
                self._states.stock.changed.clear()
                self._webhooks.tell(changed)

    def _locked(self, act: Callable[[], None]) -> None:
        with self._lock:
            act()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def changing() -> None:
            with self._changing():
                act()

        self._clock.later(seconds, changing)

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
        with self._changing():
            return call.act(plan)


def _computed(stock: Stock) -> dict[tuple[str, str], Computed]:
    """The fields that are worked out when read: levels in the `locations` of the call's context, the age of a change."""

    def level(name: str) -> Computed:
        return lambda product, context: getattr(stock.level(product, context.get("locations")), name)

    def lying(place: Row, context: Row) -> float | None:
        product = context.get("product")
        return stock.level(stock.known(product), [place["id"]]).on_hand if product else None

    return {
        ("product.product", "quantity_on_hand"): level("on_hand"),
        ("product.product", "quantity_available"): level("available"),
        ("product.product", "quantity_buildable"): level("buildable"),
        ("product.product", "last_stock_change"): lambda product, context: stock.last_change(product),
        ("stock.location", "quantity_on_hand"): lying,
    }

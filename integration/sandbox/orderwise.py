"""OrderWise's OWAPI for orders, stock, variants and export definitions, as a WSGI app with its books in memory.

    from wsgiref.simple_server import make_server
    make_server("127.0.0.1", 8802, OrderWise(RealClock()).app).serve_forever()      # http://127.0.0.1:8802/OWAPI

The vendor publishes nothing: what integrators' code and manuals show is built as they show it, what nobody shows is a switch
(`OrderWiseSwitches`, where both are listed) and the tables' unconfirmed names are marked in `orderwise.sql`. Faults that leave
a caller without an answer are raised out of the app as `Hang` and `Drop`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from integration.sandbox import orderwise_control, orderwise_seed
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults, Plan
from integration.sandbox.orderwise_access import Access
from integration.sandbox.orderwise_aftersales import Aftersales
from integration.sandbox.orderwise_books import books
from integration.sandbox.orderwise_calls import Calls
from integration.sandbox.orderwise_catalogue import LEEDS, PASSWORD, USER
from integration.sandbox.orderwise_exports import Exports
from integration.sandbox.orderwise_faults import ORDERWISE_FAULTS, possible, settled, suffer
from integration.sandbox.orderwise_floor import Floor, Pieces, Which
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_orders import Orders
from integration.sandbox.orderwise_routes import Request, Route, find, number_of, query_of
from integration.sandbox.orderwise_sessions import Sessions
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_variants import Variants
from integration.sandbox.orderwise_web_service import (
    PATHS,
    SESSION_FAULTS,
    Paths,
    Run,
    Send,
    WebService,
    send_over_http,
)
from integration.sandbox.orderwise_wire import REASONS, Refused, Reply, Row, four, parsed

__all__ = ["PASSWORD", "USER", "OrderWise", "OrderWiseSwitches"]


class OrderWise:
    """One tenant. `seed` decides its tokens; everything else is exact. Every public method takes the lock. The time zone is
    that of the switch at the start.
    """

    refusals = (ValueError,)
    """What is raised by an act of the floor that cannot be done."""

    def __init__(self, clock: Clock, switches: OrderWiseSwitches | None = None, seed: int = 0) -> None:
        self.switches = switches or OrderWiseSwitches()
        self.faults = Faults(ORDERWISE_FAULTS | SESSION_FAULTS)
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._lock = threading.RLock()
        self._ledger = ledger = Ledger(clock, self.switches.time_zone)
        self._access = Access(clock, self.switches, Random(seed))
        self._stock = Stock(ledger)
        with ledger.whole():
            orderwise_seed.fill(ledger)
            self._recalculate_kits()
        self._sessions = Sessions(ledger, clock, self._changing)
        self._orders = Orders(ledger, self._stock, self.switches)
        self._exports = Exports(ledger)
        self._web_service = WebService(ledger, clock, self._sessions, self._orders, lambda: self.faults, self._changing)
        self._floor = Floor(ledger, self._stock)
        self._aftersales = Aftersales(ledger, self._stock, self._floor, self._orders.rate, self.switches)
        variants, credit = Variants(ledger, self._stock, self.switches), self._aftersales.credit_by_order
        self._calls = Calls(
            ledger,
            self._access,
            self._orders,
            self._sessions,
            self._stock,
            self._exports,
            variants,
            credit,
            self.switches,
        )

    def app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        reply = settled(lambda: self._reply(environ), self.switches.error_body)
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *reply.headers]
        start_response(f"{reply.status} {REASONS[reply.status]}", headers)
        return [reply.body]

    def books(self) -> Row:
        """The oracle; see `orderwise_books`."""
        with self._lock:
            return books(self._ledger, self._orders, self._sessions, self.requests)

    # ----------------------------------------------------------------------------------------------- the tenant's set-up

    def paste_export(self, id: int, sql: str, name: str = "") -> Row:
        """Save an API export definition; raises `ValueError` with SQL's complaint. Its id and parameters."""
        with self._lock:
            return self._exports.paste(id, sql, name)

    def rename_column(self, id: int, column: str, to: str) -> None:
        """Somebody edits a definition: a column has another name until it is pasted again."""
        with self._lock:
            self._exports.rename(id, column, to)

    def change_session(self, id: int, **settings: Any) -> None:
        """Settings of an e-commerce session; see `orderwise_sessions`."""
        with self._lock:
            self._sessions.all[id].change(settings)

    def run_import(self, id: int) -> list[int]:
        """A session runs now: what waits is imported, or fails with an e-mail; the oh_ids."""
        with self._changing():
            return self._sessions.run(self._sessions.all[id])

    def run_session(
        self,
        base_url: str,
        session: int = 21,
        send: Send = send_over_http,
        paths: Paths = PATHS,
        login: str | None = None,
        look_back: timedelta = timedelta(hours=24),
        delivery_lines: bool = False,
    ) -> Run:
        """OrderWise's scheduler runs a session against the shop at `base_url`: see `orderwise_web_service`.

        `send` carries the calls (by default to this machine only). Despatch and stock that changed in the last `look_back`
        are posted, `delivery_lines` in a template of the tenant's that says what a delivery holds. Raises `Refused` for a
        session that is not active.
        """
        return self._web_service.run(base_url, session, send, paths, login, look_back, delivery_lines)

    def schedule_session(self, base_url: str, session: int = 21, speed: float = 1.0, **terms: Any) -> None:
        """Run it now, and again as often as its schedule says (`speed` times as often); terms as for `run_session`."""

        def run() -> None:
            with suppress(Refused):  # not active any more, or not yet
                self.run_session(base_url, session, **terms)
            self._clock.later(self._sessions.all[session].schedule_minutes * 60 / speed, run)

        run()

    def add_discount(self, name: str) -> None:
        """A record for a discount or surcharge, so that an order in XML may name it."""
        with self._lock:
            self._web_service.discounts.add(name)

    def expire_tokens(self) -> None:
        """Every token is dead from now on; logging in makes another."""
        with self._lock:
            self._access.expire()

    def set_password(self, password: str, user: str = USER) -> None:
        """A user, new or with a new password; tokens that were made live on."""
        with self._lock:
            self._access.users[user] = password
            self._access.forbidden.setdefault(user, set())

    def allow(self, area: str) -> None:
        """Tick an area of the API for the sandbox's user; see `orderwise_access.AREAS`."""
        with self._lock:
            self._access.tick(area, may=True)

    def forbid(self, area: str) -> None:
        """Take the tick away: 403."""
        with self._lock:
            self._access.tick(area, may=False)

    def add_product(self, sku: str, name: str = "Added product", parts: Mapping[str, int] | None = None) -> int:
        """Create a SKU somebody forgot, with `parts` (SKU to pieces) as a kit; its vad_id."""
        with self._changing():
            id = orderwise_seed.variant(self._ledger, sku, name, "")
            if parts:
                orderwise_seed.kit(
                    self._ledger, id, {self._stock.known(part): pieces for part, pieces in parts.items()}
                )
                self._stock.recalculate([id])
            return id

    def change_product(self, sku: str, **columns: Any) -> None:
        """A person edits a variant: `code`, `ean`, `description`, `discontinued`, `disallowed`."""
        names = {"code": "vad_variant_code", "ean": "vad_ean_code", "description": "vad_description"}
        flags = {"discontinued": "vas_discontinued_product", "disallowed": "vas_disallow_sale"}
        if not columns.keys() <= names.keys() | flags.keys():
            raise ValueError(f"no such words of a variant: {', '.join(columns)}")
        with self._changing():
            id = self._stock.known(sku)
            stamp = {"vad_last_amended_datetime": self._ledger.now()}
            own = {names[key]: value for key, value in columns.items() if key in names}
            self._ledger.update("variant_detail", "vad_id", id, **own, **stamp)
            for key in columns.keys() & flags.keys():
                self._ledger.update("variant_setting", "vas_vad_id", id, **{flags[key]: int(columns[key])})

    # ------------------------------------------------------------------------------------------- what people do all day

    def adjust(self, sku: str, quantity: float, location: Which = LEEDS) -> None:
        """A count finds `quantity` of a SKU at a location (id or name)."""
        with self._changing():
            self._stock.count(self._stock.known(sku), four(quantity), self._stock.place(location))

    def receive_goods(self, sku: str, quantity: float, location: Which = LEEDS) -> None:
        """`quantity` more of a SKU comes from a supplier."""
        with self._changing():
            variant = self._stock.known(sku)
            self._stock.move(variant, four(quantity), self._stock.place(location))
            self._stock.recalculate([variant])

    def recalculate(self, *skus: str) -> None:
        """OrderWise calculates stock levels anew (of all kits when none is named): a kit catches up with its parts."""
        with self._changing():
            self._stock.recalculate([self._stock.known(sku) for sku in skus])
            if not skus:
                self._recalculate_kits()

    def pack(self, which: Which) -> list[int]:
        """The warehouse picks an order: too late to cancel it."""
        with self._changing():
            return self._floor.pack(which)

    def ship(
        self, which: Which, lines: Pieces | None = None, tracking: Sequence[str] = ("1Z9",), method: Which | None = None
    ) -> list[int]:
        """One delivery with its consignments; see `Floor.ship`."""
        with self._changing():
            return self._floor.ship(which, lines, tracking, method)

    def order_direct(self, which: Which, sku: str) -> None:
        """A line is to come direct from a supplier; see `Floor.order_direct`."""
        with self._changing():
            self._floor.order_direct(which, sku)

    def supplier_ships(self, which: Which) -> None:
        """Direct lines are sent, without a delivery of ours."""
        with self._changing():
            self._floor.supplier_ships(which)

    def relabel(self, which: Which, tracking: Sequence[str] = ("1Z9-NEW",), method: Which | None = None) -> None:
        """The last delivery of an order gets other consignment numbers."""
        with self._changing():
            self._floor.relabel(which, tracking, method)

    def void(self, which: Which) -> None:
        """The last delivery of an order is undone."""
        with self._changing():
            self._floor.void(which)

    def cancel(self, which: Which) -> None:
        """A person cancels what is still to be sent; `ValueError` when the warehouse has begun."""
        with self._changing():
            self._floor.cancel(which)

    def amend(
        self, which: Which, sku: str, quantity: float | None = None, net: str | None = None, gross: str | None = None
    ) -> None:
        """A person changes a line of an order; see `Floor.amend`."""
        with self._changing():
            self._floor.amend(which, sku, quantity, net, gross)

    def copy_line(self, which: Which, sku: str, variant: bool = True) -> None:
        """A person copies a line of an order; see `Floor.copy_line`."""
        with self._changing():
            self._floor.copy_line(which, sku, variant)

    def hold(self, which: Which, held: bool = True) -> None:
        """An order goes on hold, or comes off it."""
        with self._changing():
            self._floor.hold(which, held)

    def set_status(self, which: Which, text: str) -> None:
        """An order gets a status by its text, which may be one nobody has seen before."""
        with self._changing():
            self._floor.set_status(which, text)

    def raise_return(self, which: Which, lines: Pieces | None = None, reference: str | None = None) -> int:
        """A person raises a linked return; see `Aftersales.raise_return`."""
        with self._changing():
            return self._aftersales.raise_return(which, lines, reference)

    def receive_return(
        self, which: Which, dispositions: Any = None, quantities: Mapping[str, float] | None = None
    ) -> list[int]:
        """Returned goods arrive, and with `dispositions` are inspected at once; see `Aftersales.receive`."""
        with self._changing():
            return self._aftersales.receive(which, dispositions, quantities)

    def inspect_return(self, which: Which, dispositions: Any = None) -> list[int]:
        """Returned goods are judged and put away; see `Aftersales.inspect`."""
        with self._changing():
            return self._aftersales.inspect(which, dispositions)

    def credit(self, which: Which, *terms: Any, **words: Any) -> int:
        """A person credits an order or part of it; see `Aftersales.credit`."""
        with self._changing():
            return self._aftersales.credit(which, *terms, **words)

    def waiting_shipments(self) -> list[Row]:
        """What could be shipped now; see `Floor.waiting`."""
        with self._lock:
            return self._floor.waiting()

    def expected_returns(self) -> list[Row]:
        """What is on its way back or waits for inspection; see `Aftersales.coming_back`."""
        with self._lock:
            return self._aftersales.coming_back()

    # ---------------------------------------------------------------------------------------------------------- one call

    @property
    def places(self) -> list[int]:
        """Where goods from suppliers come in."""
        return [LEEDS]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The lock around one act that happens wholly or not at all."""
        with self._lock, self._ledger.whole():
            yield

    def _recalculate_kits(self) -> None:
        kits = self._ledger.rows("SELECT vas_vad_id FROM variant_setting WHERE vas_kit_variant = 1")
        self._stock.recalculate([row["vas_vad_id"] for row in kits])

    def _reply(self, environ: dict[str, Any]) -> Reply:
        verb, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path.startswith(orderwise_control.ROOT):
            return orderwise_control.open_door(self, verb, path, body)
        directory = self.switches.directory.rstrip("/")
        if not path.lower().startswith(f"{directory.lower()}/"):
            raise Refused(404, "Not found.")
        path, authorization = path[len(directory) :], environ.get("HTTP_AUTHORIZATION")
        if path.rstrip("/").lower() == "/token/gettoken":
            return self._call("token", None, environ, lambda plan: self._access.login(authorization))
        with self._lock:
            user = self._access.caller(authorization)
            each, id = find(self._calls.routes, verb, path)
        words = parsed(body) if body else None
        request = Request(id, query_of(environ.get("QUERY_STRING", "")), words)
        operation = _operation(each, words)
        return self._call(operation, number_of(operation, id, words), environ, partial(self._act, each, user, request))

    def _call(
        self, operation: str, number: str | None, environ: dict[str, Any], act: Callable[[Plan | None], Reply]
    ) -> Reply:
        """Count a call and let it suffer what is planned for it."""
        form = self.switches.error_body
        with self._lock:
            self.requests[operation] += 1
        plan = self.faults.due(operation, number, environ.get("HTTP_X_SANDBOX_FAULT", ""), possible(operation))
        work = partial(settled, partial(self._locked, act, plan), form)
        return suffer(plan, work, self._clock, form) if plan else work()

    def _locked(self, act: Callable[[Plan | None], Reply], plan: Plan | None) -> Reply:
        with self._lock:
            return act(plan)

    def _act(self, each: Route, user: str, request: Request, plan: Plan | None) -> Reply:
        self._access.admit(user, each.area)
        with self._changing():
            reply = each.act(request, plan)
        if plan and plan.fault == "duplicate-race":
            raise Refused(400, "The order number already exists in this e-commerce session.")
        return reply


def _operation(each: Route, words: Any) -> str:
    """A credit comes in by the door of the orders."""
    head = words.get("orderheader") if isinstance(words, dict) else None
    credit = each.operation == "create_order" and isinstance(head, dict) and head.get("systemordertype") == 4
    return "create_credit" if credit else each.operation

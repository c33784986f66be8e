"""An e-commerce session of transfer type Web Service, as OrderWise runs it: it calls the shop, never the other way round.

1. It pulls the order document and imports it order by order; an order that fails is an e-mail, and the others come in.
2. It posts `ExportData=12345~12346`, the numbers that imported, as a form. Whatever is not named must be offered again.
3. It posts despatch and stock as XML in the form field `ExportData`, and wants `XMLFile/Responses/Response` back.

Seen at two integrators. Unconfirmed: the paths (they are fields of the session), what becomes of an order that is offered
again although it is there, and what an answer other than `Log` does.
"""

import base64
import http.client
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox import orderwise_xml as xml
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_orders import MISPRICED, Orders
from integration.sandbox.orderwise_sessions import Session, Sessions
from integration.sandbox.orderwise_wire import Refused

SESSION_FAULTS = {
    "ack-lost": "the session imports and its list of what imported never arrives",
    "pull-lost": "the session pulls the orders and dies before it imports any",
    "garbled": "the session posts half of its despatch and stock documents",
}
"""Faults of a session's run, for the operation "session". An order in it suffers `session_import` by its number."""

Send = Callable[[str, str, bytes, Mapping[str, str]], tuple[int, bytes]]
"""(method, address, body, headers) to (status, body); raises `OSError` when nobody answers."""


@dataclass(frozen=True)
class Paths:
    """Below the shop's address; the first two are those of the integrator who published them. None: not exported."""

    orders: str = "/orderwise_export"
    success: str = "/orderwise_success"
    despatch: str | None = "/orderwise_despatch"
    stock: str | None = "/orderwise_stock"


PATHS = Paths()


@dataclass
class Run:
    """What one run did: order numbers offered, imported and failed (with the e-mail's words), and what the shop answered."""

    offered: list[str] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    replies: dict[str, Any] = field(default_factory=dict)


def send_over_http(method: str, address: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """To a server of this machine, and to no other; raises `OSError` without an answer."""
    parts = urlsplit(address)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"the sandbox calls nobody but this machine, not {parts.hostname}")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError("the shop did not answer in HTTP") from error
    finally:
        connection.close()


class WebService:
    """The runs of all sessions. Nothing is locked while the shop is called."""

    def __init__(
        self, ledger: Ledger, clock: Clock, sessions: Sessions, orders: Orders, faults: Callable[[], Faults],
        changing: Callable[[], AbstractContextManager[Any]],
    ) -> None:  # fmt: skip
        self._ledger, self._clock, self._sessions, self._orders = ledger, clock, sessions, orders
        self._faults, self._changing = faults, changing
        self.discounts = set(own.DISCOUNTS)

    def run(
        self, base: str, session: int, send: Send, paths: Paths, login: str | None, look_back: timedelta, lines: bool
    ) -> Run:
        """One run against the shop at `base`; `login` (user:password) is sent as Basic. See `OrderWise.run_session`."""
        own_session, done = self._sessions.ready(session), Run()
        plan = self._faults().due("session", str(session), among=SESSION_FAULTS)
        fault = plan.fault if plan else ""
        headers: dict[str, str] = {}
        if login:
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        shop = _Shop(base.rstrip("/"), send, headers, done)
        status, body = shop.get(paths.orders)
        if fault == "pull-lost" or status != 200:
            return done
        self._import(body, own_session, done)
        if done.imported and fault != "ack-lost":
            shop.post("success", paths.success, "~".join(done.imported).encode())
        since = self._ledger.local(self._clock.now() - look_back)
        for name, path in (("despatch", paths.despatch), ("stock", paths.stock)):
            if path is None:
                continue
            with self._changing():
                text = (
                    xml.stock(self._ledger, since)
                    if name == "stock"
                    else xml.despatch(self._ledger, session, since, lines)
                )
            self._export(shop, name, path, text[: len(text) // 2] if fault == "garbled" else text, own_session)
        return done

    def _import(self, body: bytes, session: Session, done: Run) -> None:
        """Each order by itself."""
        try:
            offered = xml.orders(body)
        except Refused as refused:
            self._sessions.mail(session, "", refused.message)
            return
        for element in offered:
            number = xml.number_of(element)
            done.offered.append(number)
            plan = self._faults().due("session_import", number, among=(*MISPRICED, "import-fails"))
            try:
                with self._changing():
                    if plan and plan.fault == "import-fails":
                        raise Refused(400, f"Order {number} could not be imported.")
                    self._orders.take(xml.read(session.id, element, self._named), session, plan)
            except Refused as refused:
                if self._orders.switches.offered_again == "named" and self._has(number, session):
                    done.imported.append(number)
                    continue
                done.failed[number] = refused.message
                self._sessions.mail(session, number, refused.message)
            else:
                done.imported.append(number)

    def _has(self, number: str, session: Session) -> bool:
        with self._changing():
            return self._orders.has(number, session.id)

    def _export(self, shop: "_Shop", name: str, path: str, text: bytes, session: Session) -> None:
        """One document; an answer that is none is an e-mail."""
        status, body = shop.post(name, path, text)
        try:
            if status != 200:
                raise Refused(status, f"The web service answered {status} to the {name} export.")
            shop.done.replies[name] = xml.responses(body)
        except Refused as refused:
            self._sessions.mail(session, "", refused.message)

    def _named(self, kind: str, name: str) -> int:
        """A record by its exact name; raises the refusal."""
        if kind == "discount":
            found = 0 if name in self.discounts else None
        else:
            found = self._ledger.value(_NAMED[kind], name)
        if found is None:
            raise Refused(400, f"There is no {kind} {name!r}.")
        return int(found)


_NAMED = {
    "tax": "SELECT vr_id FROM vat_rate WHERE vr_vat_code = ?",
    "method": "SELECT dm_id FROM delivery_method WHERE dm_description = ?",
    "payment": "SELECT pm_id FROM payment_method WHERE pm_description = ?",
}


@dataclass
class _Shop:
    """The other side of a run; what it answers is noted. 0 is the status of no answer."""

    base: str
    send: Send
    headers: dict[str, str]
    done: Run

    def get(self, path: str) -> tuple[int, bytes]:
        return self._call("orders", "GET", path, b"", self.headers)

    def post(self, name: str, path: str, text: bytes) -> tuple[int, bytes]:
        """`text` as the form field ExportData."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._call(name, "POST", path, urlencode({"ExportData": text}).encode(), self.headers | form)

    def _call(self, name: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            status, answer = self.send(method, self.base + path, body, headers)
        except OSError:
            status, answer = 0, b""
        self.done.replies[name] = status
        return status, answer

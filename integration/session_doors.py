"""The doors that OrderWise's e-commerce sessions knock at: they fetch orders, say what they imported, post despatch and stock.

`/orderwise/<connection>/<session>/` and then `orders` (GET or POST), `success`, `despatch` or `stock` (POST). A door is there for
a session that the connection's mapping names as a channel; those of orders only where its transport is the session. Every
caller shows a login. What a document says of despatch and stock is a hint: both are read by OWAPI.
"""

import hashlib
from collections.abc import Callable, Collection
from typing import Any

import structlog

from integration import offers, stock
from integration.domain.order import Key
from integration.erp.orderwise import OrderWise, sessions, xml_orders
from integration.erp.orderwise.profile import SESSION
from integration.errors import Unavailable
from integration.store import Transaction, schedule
from integration.wiring import World

log = structlog.get_logger()

Reply = tuple[str, str, bytes]
"""Why it was answered so, the status line and the body."""
NO_DOOR: Reply = ("no such door", "404 Not Found", b"not found\n")


class SessionDoors:
    """`read(limit)` gives a request's body, or `None` when it is larger."""

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(
        self, path: str, method: str, authorization: str, logins: Collection[str], read: Callable[[int], bytes | None]
    ) -> Reply:
        """The answer to `<connection>/<session>/<door>`."""
        connection, session, door = path.split("/")
        try:
            erp = self._tenant(connection, session)
            if erp is None or door not in self._open(erp):
                return NO_DOOR
            if method != "POST" and not (door == "orders" and method == "GET"):
                return "method", "405 Method Not Allowed", b"not with this method\n"
            sessions.verify(authorization, logins)
            if door == "orders":
                drafts = offers.fetch(connection, session, erp.profile.session.orders_per_pull, self.world)
                return "fetched", "200 OK", xml_orders.document([str(draft.request["xml"]) for draft in drafts])
            body = read(sessions.MAX_BODY)
            if body is None:
                return "too large", "413 Content Too Large", b"too large\n"
            told = self._heard(door, erp, sessions.exported(body))
        except sessions.Forged as error:
            log.warning("session.refused", connection=connection, reason=str(error))
            return "forged", "401 Unauthorized", b"not authorised\n"
        except sessions.Malformed as error:
            log.warning("session.unreadable", connection=connection, door=door, reason=str(error))
            return "malformed", "400 Bad Request", b"not what a session sends\n"
        except Unavailable as error:
            log.error("session.not_stored", connection=connection, door=door, reason=str(error))
            return "store down", "503 Service Unavailable", b"try again\n"
        return "received", "200 OK", sessions.logged(told)

    def _tenant(self, connection: str, session: str) -> OrderWise | None:
        """The adapter of a connection that sells through this session."""
        mapping = next((m for m in self.world.connections() if m.connection == connection), None)
        if mapping is None or session not in {str(market.channel) for market in mapping.markets.values()}:
            return None
        erp = self.world.erp(connection)
        return erp if isinstance(erp, OrderWise) else None

    def _open(self, erp: OrderWise) -> Collection[str]:
        hints = ("despatch", "stock")
        return ("orders", "success", *hints) if erp.profile.transport == SESSION else hints

    def _heard(self, door: str, erp: OrderWise, text: str) -> str:
        """What was committed, in words for OrderWise's log."""
        if door == "success":
            numbers = sessions.acknowledged(text)
            for key in offers.acknowledge(erp.name, numbers, self.world):
                self.world.ring("post", key)
            return f"{len(numbers)} orders acknowledged"
        element = erp.profile.session.order_element if door == "despatch" else erp.profile.session.sku_element
        named = sessions.texts(text, element)
        hints: dict[str, Callable[[Transaction], list[tuple[str, Key]]]] = {
            "despatch": lambda tx: [("dispatches", Key(erp.name, "feed", f"{tx.now:%Y%m%d%H%M%S}"))],
            "stock": lambda tx: [
                ("take", key) for key in stock.hint(tx, erp.name, named, look=False, source="webhook")
            ],
        }
        with self.world.store.write("session.hinted") as tx:
            fresh = bool(named) and self._is_news(tx, erp.name, door, text)
            rung: list[Any] = hints[door](tx) if fresh else []
        for link, key in rung:
            self.world.ring(link, key)
        return f"{len(named)} {'orders' if door == 'despatch' else 'variants'} noted"

    def _is_news(self, tx: Transaction, connection: str, door: str, text: str) -> bool:
        """The same document comes again and again: what is complete is told for as long as the template looks back."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        if schedule.read_cursor(tx, connection, f"told {door}") == digest:
            return False
        schedule.move_cursor(tx, connection, f"told {door}", digest)
        return True

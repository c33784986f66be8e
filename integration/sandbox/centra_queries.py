"""What GraphQL reads: the resolvers of `Query` and of the fields that take arguments."""

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from graphql import GraphQLError

from integration.sandbox.catalogue import BASE_CURRENCY, COUNTRIES
from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_dates import read_date
from integration.sandbox.centra_events import Event, Events
from integration.sandbox.centra_limits import Limits
from integration.sandbox.centra_orders import Order
from integration.sandbox.centra_parcel_queries import ParcelQueries
from integration.sandbox.centra_run import Resolver
from integration.sandbox.centra_shapes import (
    CURRENCIES,
    MARKET_SHAPES,
    PRICELIST_SHAPES,
    RULE_SHAPES,
    STORE_SHAPES,
    Shape,
    Shapes,
    country_shape,
    money,
)
from integration.sandbox.centra_stock import StockChange
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.currencies import BASE_RATES
from integration.sandbox.goods import GOODS

Arguments = Mapping[str, Any]
_FLAGS = {
    "isOnHold": "on_hold",
    "isLocked": "locked",
    "isInternal": "internal",
    "isWaitingForPayment": "waiting_for_payment",
}
_SORTS: dict[str, Callable[[Order], Any]] = {
    "id": lambda order: order.id,
    "number": lambda order: order.number,
    "orderDate": lambda order: order.created_at,
    "createdAt": lambda order: order.created_at,
    "updatedAt": lambda order: order.updated_at,
}


@dataclass
class Queries:
    """Reads on behalf of one token: `store_id` limits what it may see, `integration` owns its event queue."""

    orders: Orders
    shapes: Shapes
    events: Events
    limits: Limits
    switches: CentraSwitches
    clock: Clock
    store_id: int | None
    integration: str

    @property
    def parcels(self) -> ParcelQueries:
        return ParcelQueries(self.orders, self.shapes, self.switches)

    def resolvers(self) -> dict[tuple[str, str], Resolver]:
        """(type, field) to resolver."""
        named = {
            "order": self.order,
            "orders": self.order_list,
            "orderConnection": self.order_connection,
            "product": lambda _, a: self.shapes.products.get(a["id"]),
            "products": self.products,
            "productSizes": self.product_sizes,
            "stores": lambda _, a: [s for i, s in STORE_SHAPES.items() if self.store_id in (None, i)],
            "market": lambda _, a: MARKET_SHAPES.get(a["id"]),
            "markets": lambda _, a: self._of_store(MARKET_SHAPES, a),
            "pricelists": lambda _, a: self._of_store(PRICELIST_SHAPES, a),
            "countries": lambda _, a: [country_shape(code) for code in COUNTRIES],
            "currencies": self.currencies,
            "warehouses": lambda _, a: self._page(_picked(self.shapes.warehouses, a), a),
            "allocationRules": lambda _, a: list(RULE_SHAPES.values()),
            "events": self.event_list,
            "eventListeners": self.event_listeners,
            "rateLimits": lambda _, a: self.limits.shown(self.switches.limits, self.clock.now()),
            "counters": lambda _, a: {},
            "returns": self.return_list,
            "stockChangeLines": lambda _, a: self._page(list(self.stock_change_lines()), a),
            "idConversions": lambda _, a: [],
        }
        found: dict[tuple[str, str], Resolver] = {("Query", name): resolve for name, resolve in named.items()}
        found |= self.parcels.resolvers()
        found["DirectToConsumerOrder", "lines"] = _lines
        found["DirectToConsumerOrder", "paymentHistory"] = _payment_history
        found["OrderLine", "lineValue"] = self.line_value
        found["ProductSize", "stockTotals"] = self.stock_totals
        found["Counters", "orders"] = lambda _, a: len(self._matching(a.get("where")))
        found["Counters", "products"] = lambda _, a: len(self._products(a.get("where") or {}))
        return found

    def order(self, _: Any, arguments: Arguments) -> Shape | None:
        order = self.orders.by_id.get(arguments["id"])
        visible = order is not None and self.store_id in (None, order.store.id)
        return self.shapes.order(order) if order and visible else None

    def order_list(self, _: Any, arguments: Arguments) -> list[Shape]:
        found = _sorted(self._matching(arguments.get("where")), arguments.get("sort"))
        return [self.shapes.order(order) for order in self._page(found, arguments)]

    def order_connection(self, _: Any, arguments: Arguments) -> Shape:
        """Cursors are base64 of `number:<n>`, as one of the vendor's samples decodes."""
        found = _sorted(self._matching(arguments.get("where")), arguments.get("sort"))
        places = {cursor(order): index for index, order in enumerate(found)}
        try:
            start = places[arguments["after"]] + 1 if arguments.get("after") else 0
            end = places[arguments["before"]] if arguments.get("before") else len(found)
        except KeyError as error:
            raise GraphQLError(f"Invalid cursor {error}") from None
        size = self._limit(arguments.get("first") or arguments.get("last"))
        if arguments.get("last") and not arguments.get("first"):
            start = max(start, end - size)
        else:
            end = min(end, start + size)
        edges = [{"cursor": cursor(order), "node": self.shapes.order(order)} for order in found[start:end]]
        page = {
            "hasNextPage": end < len(found),
            "hasPreviousPage": start > 0,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        }
        return {"totalCount": len(found), "pageInfo": page, "edges": edges}

    def line_value(self, line: Shape, arguments: Arguments) -> Shape:
        including = arguments.get("includingTax")
        if including is None:
            including = self.switches.including_tax_default
        value: Shape = line["gross" if including else "net"]
        return value

    def stock_totals(self, size: Shape, arguments: Arguments) -> Shape:
        """Over all warehouses or those asked for; available now = free - demand (documented). A bundle has no stock."""
        asked = (arguments.get("where") or {}).get("warehouseId")
        houses = [house for house in self.shapes.warehouses if asked is None or house in asked]
        totals = Counter[str]()
        for house in houses:
            totals.update(self.orders.stock.totals(size["SKU"], house))
        return {
            "physicalQuantity": totals["physical"],
            "availableQuantity": totals["free"] - totals["demand"],
            "allocatedQuantity": totals["allocated"],
            "demandQuantity": totals["demand"],
            "unshippedQuantity": totals["allocated"] + totals["demand"],
            "onDeliveryQuantity": 0,
            "linkedIncomingQuantity": 0,
            "unlinkedIncomingQuantity": 0,
        }

    def stock_change_lines(self) -> Iterator[Shape]:
        """Every line of every change of physical stock, oldest first (the order is unconfirmed)."""
        for change in self.orders.stock.changes:
            head = self.stock_change(change)
            for line in change.lines:
                yield {
                    "id": line.id,
                    "deliveredQuantity": line.quantity,
                    "freeToAllocateQuantity": line.free,
                    "unitCost": money(*line.unit_cost) if line.unit_cost else None,
                    "currencyBaseRate": float(BASE_RATES[line.unit_cost[1]]) if line.unit_cost else None,
                    "productSize": self.shapes.sizes[GOODS[line.sku].size_id],
                    "stockChange": head,
                }

    def stock_change(self, change: StockChange) -> Shape:
        return {
            "id": change.id,
            "createdAt": change.at,
            "comment": change.comment,
            "type": change.kind,
            "warehouse": self.shapes.warehouses[change.warehouse_id],
        }

    def return_list(self, _: Any, arguments: Arguments) -> list[Shape]:
        where = arguments.get("where") or {}
        found = []
        for made in self.orders.parcels.returns.values():
            order = self.orders.find(made.order_number)
            wanted = (
                self.store_id in (None, order.store.id)
                and (where.get("id") is None or made.id in where["id"])
                and (where.get("orderNumber") is None or made.order_number in where["orderNumber"])
                and where.get("storeType", order.store.type) == order.store.type
                and where.get("customerId", order.customer.id) == order.customer.id
                and self._within(made.created_at, where.get("createdAt") or {})
            )
            if wanted:
                found.append(made)
        return [self.parcels.returned(made) for made in self._page(found, arguments)]

    def products(self, _: Any, arguments: Arguments) -> list[Shape]:
        found = self._products(arguments.get("where") or {})
        for sort in reversed(arguments.get("sort") or []):
            name, _, way = sort.rpartition("_")
            found.sort(key=lambda product: product[name], reverse=way == "DESC")  # used at once
        return self._page(found, arguments)

    def product_sizes(self, _: Any, arguments: Arguments) -> list[Shape]:
        where = arguments.get("where") or {}
        found = _picked(self.shapes.sizes, arguments)
        for name in ("EAN", "UPC"):
            if name in where:
                found = [size for size in found if _matches(size[name], where[name])]
        if "sizeId" in where:
            found = [size for size in found if size["size"]["id"] == where["sizeId"]]
        if "updatedAt" in where:
            found = [size for size in found if self._within(size["updatedAt"], where["updatedAt"])]
        return self._page(found, arguments)

    def currencies(self, _: Any, arguments: Arguments) -> list[Shape]:
        base = (arguments.get("where") or {}).get("isBase")
        return [shape for code, shape in CURRENCIES.items() if base is None or base == (code == BASE_CURRENCY)]

    def event_list(self, _: Any, arguments: Arguments) -> list[Shape]:
        where, found = arguments.get("where") or {}, []
        size = self._limit(arguments.get("limit"))
        for event in self._own_events():
            wanted = (
                event.object_type in where.get("objectType", (event.object_type,))
                and event.change in where.get("changeType", (event.change,))
                and event.store_id == where.get("storeId", event.store_id)
                and event.market_id == where.get("marketId", event.market_id)
            )
            if not wanted:
                continue
            found.append(
                {
                    "id": event.id,
                    "objectType": event.object_type,
                    "changeType": event.change,
                    "objectReference": event.reference,
                    "createdAt": event.at,
                    "store": STORE_SHAPES[event.store_id],
                    "market": MARKET_SHAPES[event.market_id],
                    "object": self._object(event) if event.change != "DELETED" else None,
                }
            )
            if len(found) == size:
                break
        return found

    def _object(self, event: Event) -> Shape | None:
        """What an event is about, as it is now; None when it is gone."""
        id, parcels = int(event.reference), self.orders.parcels
        if event.object_type == "Shipment":
            return self.parcels.shipment(parcels.shipments[id]) if id in parcels.shipments else None
        if event.object_type == "Return":
            return self.parcels.returned(parcels.returns[id]) if id in parcels.returns else None
        order = self.orders.by_number.get(id)
        return self.shapes.order(order) if order else None

    def _own_events(self) -> list[Event]:
        """The unconfirmed events this token may see, oldest first."""
        events = self.events.queue(self.integration).events.values()
        return [event for event in events if self.store_id in (None, event.store_id)]

    def event_listeners(self, _: Any, __: Arguments) -> list[Shape]:
        return [
            {
                "integrationName": self.integration,
                "objectType": listener.object_type,
                "changeTypes": sorted(listener.changes),
                "createdAt": listener.created_at,
                "updatedAt": listener.updated_at,
            }
            for listener in self.events.queue(self.integration).listeners.values()
        ]

    def _matching(self, where: Mapping[str, Any] | None) -> list[Order]:
        where = where or {}
        if "number" in where or "id" in where:
            numbers, ids = where.get("number"), where.get("id")
            named = (self.orders.by_number.get(n) for n in numbers) if numbers is not None else ()
            by_id = (self.orders.by_id.get(i) for i in ids) if numbers is None and ids is not None else ()
            found = [order for order in (*named, *by_id) if order and (ids is None or order.id in ids)]
        else:
            found = list(self.orders.by_number.values())
            if not self.switches.held_orders_listed:
                found = [order for order in found if not order.on_hold and not order.waiting_for_payment]
        if self.store_id is not None:
            found = [order for order in found if order.store.id == self.store_id]
        for name, wanted in where.items():
            found = self._filtered(found, name, wanted)
        return found

    def _filtered(self, found: list[Order], name: str, wanted: Any) -> list[Order]:
        """`found` after one key of `OrderFilter`; keys that cannot narrow the sandbox's orders change nothing."""
        if wanted is None:
            return found
        if name in _FLAGS:
            return [order for order in found if getattr(order, _FLAGS[name]) == wanted]
        if name in ("createdAt", "orderDate", "updatedAt"):
            stamp = "updated_at" if name == "updatedAt" else "created_at"
            from_, to = self._range(wanted)
            return [
                o for o in found if (not from_ or getattr(o, stamp) >= from_) and (not to or getattr(o, stamp) <= to)
            ]
        if name == "status":
            return [order for order in found if order.status in wanted]
        if name == "storeType":
            return [order for order in found if order.store.type == wanted]
        if name == "storeId":
            return [order for order in found if order.store.id == wanted]
        return found

    def _range(self, wanted: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
        return self.date(wanted.get("from")), self.date(wanted.get("to"))

    def _within(self, at: datetime, wanted: Mapping[str, Any]) -> bool:
        from_, to = self._range(wanted)
        return (not from_ or at >= from_) and (not to or at <= to)

    def date(self, word: Any) -> datetime | None:
        """The instant a date of the input means."""
        if word is None:
            return None
        try:
            return read_date(str(word), self.clock.now(), ZoneInfo(self.switches.time_zone))
        except ValueError as error:
            raise GraphQLError(str(error)) from None

    def _products(self, where: Mapping[str, Any]) -> list[Shape]:
        found = _picked(self.shapes.products, {"where": where})
        if "status" in where:
            found = [product for product in found if product["status"] in where["status"]]
        if "updatedAt" in where:
            found = [product for product in found if self._within(product["updatedAt"], where["updatedAt"])]
        return found

    def _of_store(self, shapes: Mapping[int, Shape], arguments: Arguments) -> list[Shape]:
        wanted = (arguments.get("where") or {}).get("storeId")
        found = [s for s in _picked(shapes, arguments) if wanted in (None, s["store"]["id"])]
        return self._page([s for s in found if self.store_id in (None, s["store"]["id"])], arguments)

    def _limit(self, asked: int | None) -> int:
        size = self.switches.limit_default if asked is None else asked
        if size > self.switches.limit_maximum and self.switches.limit_overrun == "error":
            raise GraphQLError(f"Limit cannot be greater than {self.switches.limit_maximum}")
        return max(0, min(size, self.switches.limit_maximum))

    def _page(self, found: list[Any], arguments: Arguments) -> list[Any]:
        size, page = self._limit(arguments.get("limit")), arguments.get("page")
        start = (max(1, page if page is not None else 1) - 1) * size
        return found[start : start + size]


def cursor(order: Order) -> str:
    return base64.b64encode(f"number:{order.number}".encode()).decode()


def _lines(order: Shape, arguments: Arguments) -> list[Shape]:
    """An order's lines; a fully cancelled one only when asked for (documented)."""
    lines: list[Shape] = order["lines"]
    if arguments.get("includeFullyCancelled"):
        return lines
    return [line for line in lines if line["quantity"] or not line["cancelledQuantity"]]


def _payment_history(order: Shape, arguments: Arguments) -> list[Shape]:
    wanted = (arguments.get("where") or {}).get("entryType")
    return [entry for entry in order["paymentHistory"] if wanted is None or entry["entryType"] in wanted]


def _matches(text: str | None, wanted: Mapping[str, str]) -> bool:
    """StringMatch: `equals` and `contains`, without regard to case (unconfirmed)."""
    here = (text or "").lower()
    equals, contains = wanted.get("equals"), wanted.get("contains")
    return (equals is None or here == equals.lower()) and (contains is None or contains.lower() in here)


def _picked(shapes: Mapping[int, Shape], arguments: Arguments) -> list[Shape]:
    """By `where.id` and `where.name`, sorted by id where asked."""
    where = arguments.get("where") or {}
    ids = where.get("id")
    found = list(shapes.values()) if ids is None else [shapes[id] for id in sorted(set(ids)) if id in shapes]
    if where.get("name") is not None:
        found = [s for s in found if _matches(s["name"], where["name"])]
    if "id_DESC" in (arguments.get("sort") or ()):
        found.reverse()
    return found


def _sorted(found: list[Order], sorts: list[str] | None) -> list[Order]:
    """By each sort word, the first counting most; by number when none is given (unconfirmed)."""
    if not sorts:
        return sorted(found, key=lambda order: order.number)
    for sort in reversed(sorts):
        name, _, way = sort.rpartition("_")
        found = sorted(found, key=_SORTS[name], reverse=way == "DESC")
    return found

"""What goes wrong in the demo's day, on purpose; each must be healed, or be an exception with an owner at the end.

The unmapped market, the unknown SKUs and the totals that do not add up are in the generated day itself.
"""

import tomllib
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from integration.sandbox.catalogue import (
    FULFIL_WAREHOUSES,
    GOODS,
    ORDERWISE_MARKETS,
    UNKNOWN_SKUS,
    UNMAPPED_SERVICE,
)
from integration.store import Store, counts
from tasks.books import ORDER_PREFIX
from tasks.stack import Stack

RENAMED = "despatch"
"""The export definition of OrderWise whose column is renamed for a few seconds."""
LAUNCHED = UNKNOWN_SKUS[0]
"""The product that is launched through staging: until then no ERP has it."""
IN_THE_DAY = 4
"""Orders of each kind that a person must sort out."""


@dataclass
class Happening:
    """Something planned to go wrong, and when (a fraction of the day). `act` tells whether there was anything to spoil:
    what finds nothing yet is tried again, and given up after `patience` (a fraction of the day). `opens` is the type of the
    exception that stays of it.
    """

    at: float
    words: str
    act: Callable[[], Any]
    patience: float = inf
    opens: str = ""
    done: bool = False

    def due(self, passed: float) -> bool:
        """Act when its time has come; whether it has happened just now."""
        if self.done or passed < self.at:
            return False
        happened = self.act() is not False
        self.done = happened or passed > self.at + self.patience
        return happened


def mishaps(stack: Stack, store: Store) -> list[Happening]:
    """What goes wrong, in order of time."""
    fulfil, centra = partial(_fault, stack, stack.fulfil_url), partial(_fault, stack, stack.centra_url)
    orderwise = partial(_fault, stack, stack.orderwise_url)
    kill, ending = stack.supervisor.processes, WrongOrder(stack, store)
    return [
        Happening(0.10, "Fulfil takes three orders and never answers", fulfil("timeout-after", "create_order", 3)),
        Happening(
            0.15,
            "a carrier service that nobody mapped",
            lambda: _send_by_courier(stack),
            opens="SHIPMENT_CARRIER_UNMAPPED",
        ),
        Happening(0.20, "Fulfil takes two orders and is cut off", fulfil("drop-after", "create_order", 2)),
        Happening(0.25, "three inventory webhooks of Fulfil are lost", fulfil("webhook-lost", "webhook", 3)),
        Happening(0.28, "somebody renames a column of OrderWise's export", lambda: _rename(stack)),
        Happening(0.30, "Centra makes a shipment and never answers", centra("timeout-after", "createShipment", 2)),
        Happening(0.35, "kill -9 of the order worker", kill["orders"].kill),
        Happening(0.40, "a capture is refused", centra("capture-fails", "captureShipment", 1), opens="CAPTURE_FAILED"),
        Happening(
            0.45,
            "a return is put aside that Centra means to restock",
            lambda: _put_aside(stack),
            opens="RETURN_STOCK_CONFLICT",
        ),
        Happening(0.48, "that export is pasted in again, as its exception says", lambda: _paste_again(stack, store)),
        Happening(0.50, "the broker is wiped", lambda: _wipe(stack)),
        Happening(0.55, f"{LAUNCHED} is launched, as its exception says", lambda: _launch(stack, store), patience=1),
        Happening(0.60, "kill -9 of the webhook receiver", kill["web"].kill),
        Happening(0.65, "kill -9 of the worker of the other lanes", kill["lanes"].kill),
        Happening(0.70, "OrderWise will take an order and not answer", orderwise("timeout-after", "create_order", 1)),
        Happening(0.75, "somebody creates the SKUs that neither ERP knew", lambda: _create_items(stack), patience=4),
        Happening(
            0.80, "a product with open orders is deactivated in OrderWise, and then archived", ending.begin, patience=1
        ),
        Happening(0.82, "that product is activated again, as its exception says", ending.repair, patience=2),
        Happening(
            0.95, "OrderWise takes three seconds for a while", orderwise("slow", "export_definition", 8, seconds=3)
        ),
        Happening(1.00, "a customer cancels what OrderWise has already", lambda: _cancel_in_time(stack), patience=2.5),
    ]


def _fault(stack: Stack, url: str, fault: str, operation: str, times: int, **more: float) -> Callable[[], Any]:
    words = {"fault": fault, "operation": operation, "times": times} | more
    return lambda: stack.ask(url, "/_sandbox/faults", words)


def _rename(stack: Stack) -> None:
    """The column that says what left by which parcel has another name: no empty list, but an exception."""
    id = tomllib.loads(stack.texts["orderwise"])["tenant"]["exports"][RENAMED]
    words = {"column": "tracking", "to": "consignment"}
    stack.ask(stack.orderwise_url, f"/_sandbox/export-definitions/{id}/rename", words)


def _paste_again(stack: Stack, store: Store) -> bool:
    """Somebody does what the exception asks for; False until there is one."""
    if not _is_open(store, "SCHEMA_CHANGE"):
        return False
    stack.paste_exports(RENAMED)
    return True


def _is_open(store: Store, type: str, words: str = "") -> bool:
    """Whether OrderWise's connection has an open exception of a type that says this."""
    with store.read() as tx:
        cases = [case for case in counts.open_cases(tx) if (case["type"], case["connection"]) == (type, "orderwise")]
    return any(words in case["message"] for case in cases)


def _launch(stack: Stack, store: Store) -> bool:
    """A product that Centra sells and OrderWise lacks is held back, made there, read back, and put on sale."""
    if not _is_open(store, "PRODUCT_SELLABLE_UNVERIFIED", LAUNCHED):
        return False
    stack.lockstep("products", LAUNCHED, "--launch")
    return True


@dataclass
class WrongOrder:
    """Somebody ends a product in the wrong order: OrderWise first, while orders that settle still name it."""

    stack: Stack
    store: Store
    family: Sequence[str] = ()
    """All sizes of it: what is on sale in Centra is a whole colour."""

    def begin(self) -> bool:
        """False while no order of OrderWise's markets settles."""
        orders = self.stack.ask(self.stack.centra_url, "/_sandbox/books")
        settling = [o for o in orders if o["market_id"] in ORDERWISE_MARKETS and o["status"] == "CONFIRMED"]
        told = [_family(line["sku"]) for order in reversed(settling) for line in order["lines"]]
        self.family = next((family for family in told if not _in_bundles(family)), ())
        if not self.family:
            return False
        self._discontinue(discontinued=True)
        self.stack.lockstep("archive", self.family[0], "--go")
        return True

    def repair(self) -> bool:
        """Activate it until these orders are done; False until there is an exception that says so."""
        if not self.family or not _is_open(self.store, "PRODUCT_ARCHIVE_VIOLATION", "too early"):
            return False
        self._discontinue(discontinued=False)
        return True

    def _discontinue(self, **words: bool) -> None:
        for sku in self.family:
            self.stack.ask(self.stack.orderwise_url, f"/_sandbox/products/{sku}/change", words)


def _family(sku: str) -> list[str]:
    return [name for name, good in GOODS.items() if good.variant_id == GOODS[sku].variant_id]


def _in_bundles(family: Sequence[str]) -> bool:
    """Whether it is a bundle, a piece of one, or not to be had: these cannot be ended."""
    bundles = {name: {name, *dict(good.parts)} for name, good in GOODS.items() if good.is_bundle}
    return any(sku in UNKNOWN_SKUS or any(sku in names for names in bundles.values()) for sku in family)


def _wipe(stack: Stack) -> None:
    import redis

    with redis.Redis(port=stack.broker_port) as client:
        client.flushall()


def _send_by_courier(stack: Stack) -> bool:
    """The warehouse hands one shipment to a courier of its own; False while it has none to send."""
    waiting = stack.ask(stack.fulfil_url, "/_sandbox/shipments")
    if not waiting:
        return False
    words = {"tracking": ["CC-1"], "carrier_service": UNMAPPED_SERVICE}
    stack.ask(stack.fulfil_url, f"/_sandbox/shipments/{waiting[-1]['id']}/ship", words)
    return True


def _put_aside(stack: Stack) -> bool:
    """One return goes into quarantine whole; False while none is on its way."""
    expected = [row for row in stack.ask(stack.fulfil_url, "/_sandbox/returns") if row["state"] == "draft"]
    if not expected:
        return False
    words = {"dispositions": "quarantine"}
    stack.ask(stack.fulfil_url, f"/_sandbox/returns/{expected[-1]['id']}/receive", words)
    return True


def _cancel_in_time(stack: Stack) -> bool:
    """A customer rings before the parcel has left: the warehouse puts it on hold, and the order is cancelled in Centra. That
    OrderWise follows is left to us and our work-list. False while there is no such order.
    """
    whole = {row["sale"] for row in stack.ask(stack.orderwise_url, "/_sandbox/shipments") if row["shipments"] == 1}
    orders = stack.ask(stack.orderwise_url, "/_sandbox/books")["orders"] if whole else []
    for reference in [str(order["reference"]) for order in orders if order["id"] in whole]:
        number, held = reference.removeprefix(ORDER_PREFIX), f"/_sandbox/orders/{reference}/hold"
        try:
            stack.ask(stack.orderwise_url, held, {})
        except urllib.error.HTTPError:  # it has just left
            continue
        try:
            stack.ask(stack.centra_url, f"/_sandbox/orders/{number}/cancel", {"comment": "changed my mind"})
        except urllib.error.HTTPError:
            stack.ask(stack.orderwise_url, held, {"held": False})
            continue
        return True
    return False


def _create_items(stack: Stack) -> bool:
    """The SKUs, and a few pieces of each; False while the launch has not made its own: nobody keys what is being made."""
    if LAUNCHED not in stack.ask(stack.orderwise_url, "/_sandbox/books")["stock"]:
        return False
    for sku in UNKNOWN_SKUS:
        stack.ask(stack.fulfil_url, "/_sandbox/products", {"sku": sku, "name": "Added during the demo"})
        for warehouse in FULFIL_WAREHOUSES:
            words = {"sku": sku, "quantity": 20, "warehouse": warehouse}
            stack.ask(stack.fulfil_url, "/_sandbox/receipts", words)
        if sku not in stack.ask(stack.orderwise_url, "/_sandbox/books")["stock"]:
            stack.ask(stack.orderwise_url, "/_sandbox/products", {"sku": sku, "name": "Added during the demo"})
        stack.ask(stack.orderwise_url, "/_sandbox/receipts", {"sku": sku, "quantity": 20})
    return True

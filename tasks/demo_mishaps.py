"""What goes wrong in the demo's day, on purpose; each must be healed, or be an exception with an owner at the end.

The unmapped market, the unknown SKUs and the totals that do not add up are in the generated day itself.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from integration.sandbox.catalogue import FULFIL_WAREHOUSES, UNKNOWN_SKUS, UNMAPPED_SERVICE
from integration.store import Store, counts
from tasks.stack import Stack

RENAMED = "despatch"
"""The export definition of OrderWise whose column is renamed for a few seconds."""
IN_THE_DAY = 4
"""Orders of each kind that a person must sort out."""


@dataclass
class Happening:
    """Something planned to go wrong, and when (a fraction of the day). `act` tells whether there was anything to spoil:
    what finds nothing yet is tried again.
    """

    at: float
    words: str
    act: Callable[[], Any]
    done: bool = False

    def due(self, passed: float) -> bool:
        """Act when its time has come; whether it has happened just now."""
        if self.done or passed < self.at:
            return False
        self.done = self.act() is not False
        return self.done


def mishaps(stack: Stack, store: Store) -> list[Happening]:
    """What goes wrong, in order of time."""
    fulfil, centra = partial(_fault, stack, stack.fulfil_url), partial(_fault, stack, stack.centra_url)
    orderwise = partial(_fault, stack, stack.orderwise_url)
    kill = stack.supervisor.processes
    return [
        Happening(0.10, "Fulfil takes three orders and never answers", fulfil("timeout-after", "create_order", 3)),
        Happening(0.15, "a carrier service that nobody mapped", lambda: _send_by_courier(stack)),
        Happening(0.20, "Fulfil takes two orders and is cut off", fulfil("drop-after", "create_order", 2)),
        Happening(0.25, "three inventory webhooks of Fulfil are lost", fulfil("webhook-lost", "webhook", 3)),
        Happening(0.28, "somebody renames a column of OrderWise's export", lambda: _rename(stack)),
        Happening(0.30, "Centra makes a shipment and never answers", centra("timeout-after", "createShipment", 2)),
        Happening(0.35, "kill -9 of the order worker", kill["orders"].kill),
        Happening(0.40, "a capture is refused", centra("capture-fails", "captureShipment", 1)),
        Happening(0.45, "a return is put aside that Centra means to restock", lambda: _put_aside(stack)),
        Happening(0.48, "that export is pasted in again, as its exception says", lambda: _paste_again(stack, store)),
        Happening(0.50, "the broker is wiped", lambda: _wipe(stack)),
        Happening(0.60, "kill -9 of the webhook receiver", kill["web"].kill),
        Happening(0.65, "kill -9 of the worker of the other lanes", kill["lanes"].kill),
        Happening(0.70, "OrderWise will take an order and not answer", orderwise("timeout-after", "create_order", 1)),
        Happening(0.75, "somebody creates the SKUs that neither ERP knew", lambda: _create_items(stack)),
        Happening(
            0.95, "OrderWise takes three seconds for a while", orderwise("slow", "export_definition", 8, seconds=3)
        ),
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
    with store.read() as tx:
        cases = counts.open_cases(tx)
    if not any(case["type"] == "SCHEMA_CHANGE" and case["connection"] == "orderwise" for case in cases):
        return False
    stack.paste_exports(RENAMED)
    return True


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


def _create_items(stack: Stack) -> None:
    """The SKUs, and a few pieces of each."""
    for sku in UNKNOWN_SKUS:
        stack.ask(stack.fulfil_url, "/_sandbox/products", {"sku": sku, "name": "Added during the demo"})
        for warehouse in FULFIL_WAREHOUSES:
            words = {"sku": sku, "quantity": 20, "warehouse": warehouse}
            stack.ask(stack.fulfil_url, "/_sandbox/receipts", words)
        stack.ask(stack.orderwise_url, "/_sandbox/products", {"sku": sku, "name": "Added during the demo"})
        stack.ask(stack.orderwise_url, "/_sandbox/receipts", {"sku": sku, "quantity": 20})

"""Centra's event queue: per integration name, oldest unconfirmed first, repeated until confirmed (documented)."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

CHANGES = ("CREATED", "UPDATED", "DELETED", "COMPLETED", "DEPENDENT_DATA_CHANGED")


@dataclass(frozen=True)
class Event:
    """One change of one object; `reference` is the order's number, or the id of a shipment or return, as text (its type
    is unconfirmed).
    """

    id: int
    object_type: str
    change: str
    reference: str
    at: datetime
    store_id: int
    market_id: int


@dataclass
class Listener:
    """What one integration wants to hear of one type of object."""

    object_type: str
    changes: set[str]
    created_at: datetime
    updated_at: datetime


@dataclass
class Queue:
    """The listeners and unconfirmed events of one integration name."""

    listeners: dict[str, Listener] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)


class Events:
    """All queues. `copies(number)` says how many times an event is queued (a fault makes it two)."""

    def __init__(self, copies: Callable[[str], int]) -> None:
        self.queues: dict[str, Queue] = {}
        self._copies = copies
        self._ids = itertools.count(1)

    def queue(self, integration: str) -> Queue:
        return self.queues.setdefault(integration, Queue())

    def listen(self, integration: str, object_type: str, changes: Iterable[str] | None, at: datetime) -> None:
        """Add change types to a listener, never replace them; none named means all."""
        listeners = self.queue(integration).listeners
        listener = listeners.setdefault(object_type, Listener(object_type, set(), at, at))
        listener.changes |= set(changes or CHANGES)
        listener.updated_at = at

    def unlisten(self, integration: str, object_type: str, changes: Iterable[str] | None) -> None:
        """Take change types away; their queued events go with them."""
        queue, gone = self.queue(integration), set(changes or CHANGES)
        listener = queue.listeners.get(object_type)
        if listener is None:
            return
        listener.changes -= gone
        if not listener.changes:
            del queue.listeners[object_type]
        queue.events = {
            id_: event
            for id_, event in queue.events.items()
            if event.object_type != object_type or event.change not in gone
        }

    def happened(
        self,
        object_type: str,
        change: str,
        reference: str,
        at: datetime,
        store_id: int,
        market_id: int,
        number: int | None = None,
    ) -> None:
        """Queue a change for every integration that listens to it. `number` is the order's, where that is not the
        reference.
        """
        for queue in self.queues.values():
            listener = queue.listeners.get(object_type)
            if listener is None or change not in listener.changes:
                continue
            for _ in range(self._copies(reference if number is None else str(number))):
                event = Event(next(self._ids), object_type, change, reference, at, store_id, market_id)
                queue.events[event.id] = event

    def confirm(self, integration: str, ids: Iterable[int]) -> list[int]:
        """Drop events; the ids that were not there are given back."""
        events = self.queue(integration).events
        return [id_ for id_ in ids if events.pop(id_, None) is None]

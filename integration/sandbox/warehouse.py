"""A warehouse that works: it ships what waits, opens and inspects what comes back, and gets goods in.

    Warehouse(fulfil, Random(7), clock, speed=60).start()      # a minute of its day in a second
    Warehouse(orderwise, Random(7), clock, speed=60).step()    # one look around, for a caller that owns the time

Equal seeds and equal looks give equal days. Its habits (`Habits`) are invented; nothing here follows a vendor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Protocol

from integration.sandbox import catalogue
from integration.sandbox.clock import Clock

Row = dict[str, Any]
Disposition = str | Mapping[str, float]
"""One of `DISPOSITIONS`, or pieces by these words."""
DISPOSITIONS = ("restock", "quarantine", "scrap")
Span = tuple[float, float]
"""Seconds, from and to, before `speed`."""


class Tenant(Protocol):
    """What a warehouse asks of the ERP it works in."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What is raised by an act that cannot be done."""

    @property
    def places(self) -> list[int]:
        """Where goods from suppliers come in."""

    def waiting_shipments(self) -> list[Row]:
        """`id`, `shipments` (of that sale), `lines` [(sku, pieces)]."""

    def expected_returns(self) -> list[Row]:
        """`id`, `state` ("draft" while it is on its way), `lines` [(sku, pieces)]."""

    def ship(self, which: int, lines: Mapping[str, float] | None, tracking: list[str], /) -> object: ...
    def relabel(self, which: int, tracking: list[str], /) -> object: ...
    def receive_return(self, which: int, dispositions: None, quantities: Mapping[str, float] | None, /) -> object: ...
    def inspect_return(self, which: int, dispositions: Mapping[str, Disposition], /) -> object: ...
    def receive_goods(self, sku: str, quantity: float, place: int, /) -> object: ...


@dataclass(frozen=True)
class Habits:
    """How long things take and how often (0 to 1) they go another way."""

    look: float = 60.0
    """Seconds between two looks around."""

    ship_after: Span = (600.0, 14_400.0)
    receive_after: Span = (3_600.0, 28_800.0)
    inspect_after: Span = (600.0, 7_200.0)
    relabel_after: Span = (300.0, 3_600.0)
    in_parts: float = 0.15
    most_shipments: int = 3
    """Of one sale; after that everything left goes at once."""

    in_parcels: float = 0.1
    relabelled: float = 0.05
    arrives_in_parts: float = 0.05
    quarantined: float = 0.08
    scrapped: float = 0.06
    mixed: float = 0.06
    goods_in: float = 0.02
    """Per look."""


class Warehouse:
    """All warehouses of one tenant; `speed` divides every time."""

    def __init__(
        self, tenant: Tenant, random: Random, clock: Clock, speed: float = 1.0, habits: Habits | None = None
    ) -> None:
        self._tenant, self._random, self._clock, self._speed = tenant, random, clock, speed
        self._habits = habits or Habits()
        self._due: dict[tuple[str, int], datetime] = {}
        self._works = False

    def start(self) -> None:
        """Look around at once and again and again, on the clock, until `stop`."""
        self._works = True
        self._tick()

    def stop(self) -> None:
        self._works = False

    def step(self) -> list[str]:
        """One look around: do what is due, plan what is new. What was done, in plain words."""
        done: list[str] = []
        for shipment in self._tenant.waiting_shipments():
            self._when_due("ship", shipment["id"], self._habits.ship_after, partial(self._ship, shipment), done)
        for row in self._tenant.expected_returns():
            if row["state"] == "draft":
                self._when_due("receive", row["id"], self._habits.receive_after, partial(self._receive, row), done)
            else:
                self._when_due("inspect", row["id"], self._habits.inspect_after, partial(self._inspect, row), done)
        for act, id in list(self._due):
            if act == "relabel":
                self._when_due(act, id, self._habits.relabel_after, partial(self._relabel, id), done)
        if self._chance(self._habits.goods_in):
            done.append(self._goods_in())
        return done

    def _tick(self) -> None:
        if self._works:
            self.step()
            self._clock.later(self._habits.look / self._speed, self._tick)

    def _when_due(self, act: str, id: int, span: Span, work: Callable[[], str], done: list[str]) -> None:
        """Work on a thing whose time has come; a thing seen for the first time gets its time."""
        key = (act, id)
        if key not in self._due:
            self._due[key] = self._after(span)
        if self._due[key] > self._clock.now():
            return
        del self._due[key]
        try:
            done.append(work())
        except self._tenant.refusals:
            done.append(f"{act} {id}: not any more")  # somebody cancelled it while we looked

    def _ship(self, shipment: Row) -> str:
        habits, lines = self._habits, _by_sku(shipment["lines"])
        part = None
        if sum(lines.values()) > 1 and shipment["shipments"] < habits.most_shipments and self._chance(habits.in_parts):
            part = self._some_of(lines)
        parcels = self._random.randint(2, 3) if self._chance(habits.in_parcels) else 1
        self._tenant.ship(shipment["id"], part, [self._number() for _ in range(parcels)])
        if self._chance(habits.relabelled):
            self._due["relabel", shipment["id"]] = self._after(habits.relabel_after)
        return f"shipped {shipment['id']}" + (" in part" if part else "")

    def _relabel(self, shipment: int) -> str:
        self._tenant.relabel(shipment, [self._number()])
        return f"relabelled {shipment}"

    def _receive(self, row: Row) -> str:
        lines = _by_sku(row["lines"])
        arrived = None
        if sum(lines.values()) > 1 and self._chance(self._habits.arrives_in_parts):
            arrived = self._some_of(lines)
        self._tenant.receive_return(row["id"], None, arrived)
        return f"received return {row['id']}" + (" in part" if arrived else "")

    def _inspect(self, row: Row) -> str:
        wishes = {sku: self._verdict(pieces) for sku, pieces in _by_sku(row["lines"]).items() if self._single(row, sku)}
        self._tenant.inspect_return(row["id"], wishes)
        return f"inspected return {row['id']}"

    def _single(self, row: Row, sku: str) -> bool:
        """Whether the SKU is on one line only; a mixed verdict is about one line."""
        return [own for own, _ in row["lines"]].count(sku) == 1

    def _verdict(self, pieces: float) -> Disposition:
        habits, drawn = self._habits, self._random.random()
        if pieces > 1 and drawn < habits.mixed:
            restocked = float(self._random.randint(1, int(pieces) - 1))
            return {"restock": restocked, self._random.choice(DISPOSITIONS[1:]): pieces - restocked}
        if drawn < habits.mixed + habits.quarantined:
            return "quarantine"
        return "scrap" if drawn < habits.mixed + habits.quarantined + habits.scrapped else "restock"

    def _goods_in(self) -> str:
        sku = self._random.choice([sku for sku in catalogue.ERP_SKUS if not catalogue.GOODS[sku].is_bundle])
        place = self._random.choice(self._tenant.places)
        pieces = self._random.randrange(10, 210, 10)
        self._tenant.receive_goods(sku, pieces, place)
        return f"received {pieces} of {sku} in {place}"

    def _some_of(self, lines: dict[str, float]) -> dict[str, float]:
        """At least one piece and not all of them."""
        pieces = [sku for sku, quantity in lines.items() for _ in range(int(quantity))]
        taken: dict[str, float] = {}
        for sku in self._random.sample(pieces, self._random.randint(1, len(pieces) - 1)):
            taken[sku] = taken.get(sku, 0.0) + 1
        return taken

    def _number(self) -> str:
        return f"1Z{self._random.randrange(10**12):012d}"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _after(self, span: Span) -> datetime:
        return self._clock.now() + timedelta(seconds=self._random.uniform(*span) / self._speed)


def _by_sku(lines: list[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, Any] = {}
    for sku, pieces in lines:
        found[sku] = found.get(sku, 0.0) + pieces
    return found

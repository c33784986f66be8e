"""What left a warehouse, in the ERP's facts, and how the storefront shows it."""

from dataclasses import dataclass
from datetime import datetime

from integration.domain.money import Money


@dataclass(frozen=True, slots=True)
class ShippedLine:
    """`quantity` whole pieces of the order line with the storefront's id `order_line`; where it is the ERP's own number, it
    only keeps the lines of one dispatch apart.
    """

    order_line: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """One tracked parcel; `tracking` is empty where nothing is tracked."""

    tracking: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A shipment as the ERP reads it back; for one order, a part of it or all.

    `life` is one of open, done, cancelled: only what is done has left the building. `service` is the ERP's carrier
    service in its own spelling. `stamp` changes whenever the record changes.
    """

    ref: str
    number: str
    order_number: str
    life: str
    lines: tuple[ShippedLine, ...]
    service: str
    parcels: tuple[Parcel, ...]
    dispatched_at: datetime | None
    stamp: str


@dataclass(frozen=True, slots=True)
class ShownShipment:
    """A shipment as the storefront reads it back. `total` is what a capture of it asks for."""

    ref: str
    number: str
    order_number: str
    lines: tuple[ShippedLine, ...]
    good_to_go: bool
    paid: bool
    captured: bool
    capture_pending: bool
    shipped: bool
    carrier: str
    service: str
    tracking: str
    packages: int
    total: Money

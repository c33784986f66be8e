"""What a dispatch that was just read needs: pure rules over facts, no network and no clock of its own."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from integration.domain.money import Money, total
from integration.domain.order import Order
from integration.domain.shipment import Dispatch, Parcel, ShippedLine, ShownShipment
from integration.errors import Rejected
from mappings import Mapping as Mapped
from mappings import Service


@dataclass(frozen=True, slots=True)
class Past:
    """How far the storefront has been told, by the ledger: each write was begun (and may have happened), or is done."""

    create_begun: bool
    created: bool
    captured: bool
    complete_begun: bool
    completed: bool


@dataclass(frozen=True, slots=True)
class Waybill:
    """A dispatch in the words of its order, as the storefront is to show it.

    `before` are the shipments that the order had before we showed this one: none of them can be ours.
    """

    dispatch: Dispatch
    order_id: str
    before: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """For the vault: tracking numbers are personal data."""
        return json.dumps(asdict(self), default=datetime.isoformat, sort_keys=True).encode()

    def substance(self) -> bytes:
        """All that the storefront is told: equal substance needs no correction."""
        told = {name: value for name, value in asdict(self.dispatch).items() if name in ("lines", "service", "parcels")}
        return json.dumps(told, sort_keys=True).encode()


def waybill(content: bytes) -> Waybill:
    """A waybill from its bytes."""
    told: dict[str, Any] = json.loads(content)
    words = told["dispatch"]
    left = words["dispatched_at"]
    words |= {
        "lines": tuple(ShippedLine(**line) for line in words["lines"]),
        "parcels": tuple(Parcel(**parcel) for parcel in words["parcels"]),
        "dispatched_at": datetime.fromisoformat(left) if left else None,
    }
    return Waybill(Dispatch(**words), told["order_id"], tuple(told["before"]))


def next_state(past: Past, *, captures: bool) -> str:
    """Which link is due, by what is done: never an earlier one than that."""
    if past.completed:
        return "posted"
    if past.created and (past.captured or not captures):
        return "captured"
    return "created" if past.created else "ready"


def in_order_lines(dispatch: Dispatch, order: Order, *, by_sku: bool = False) -> Dispatch:
    """The dispatch with one line for each order line. Raises `Rejected` where the goods are not the order's.

    `by_sku`: its lines have numbers of the ERP's own, and only their SKUs say what they are.

    SHIPMENT_QTY_CONFLICT for an unknown line or another SKU than was ordered, SHIPMENT_INCOMPLETE for no line at all.
    """
    ordered = {line.id: line for line in order.lines}
    pieces: Counter[str] = Counter()
    for line in _by_sku(dispatch.lines, order) if by_sku else dispatch.lines:
        wanted = ordered.get(line.order_line)
        if wanted is None:
            raise conflict(f"{line.sku} belongs to no line of the order: never ordered, or cancelled in Centra")
        if wanted.sku != line.sku:
            raise conflict(f"{wanted.sku} was ordered on line {wanted.id}, and the warehouse sent {line.sku}")
        pieces[line.order_line] += line.quantity
    if not pieces:
        raise Rejected("SHIPMENT_INCOMPLETE", "no lines", f"{dispatch.number} names no whole pieces of an order line")
    lines = tuple(ShippedLine(id, ordered[id].sku, quantity) for id, quantity in sorted(pieces.items()))
    return replace(dispatch, lines=lines)


def _by_sku(lines: Collection[ShippedLine], order: Order) -> list[ShippedLine]:
    """Pieces of which only the SKU is known, as lines of the order: filled in their sequence, the last takes what is left."""
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.quantity
    found = []
    for ordered in order.lines:
        here = min(pieces[ordered.sku], ordered.quantity)
        pieces[ordered.sku] -= here
        found.append(ShippedLine(ordered.id, ordered.sku, here))
    last = {ordered.sku: ordered.id for ordered in order.lines}
    found += [ShippedLine(last.get(sku, ""), sku, left) for sku, left in pieces.items()]
    return [line for line in found if line.quantity]


def check_room(dispatch: Dispatch, order: Order, others: Sequence[ShownShipment]) -> None:
    """Raises `Rejected` (SHIPMENT_QTY_CONFLICT) when more left than was ordered and not yet shown as shipped."""
    left = unshipped(order, others)
    for line in dispatch.lines:
        if line.quantity > left[line.order_line]:
            ordered = next(o.quantity for o in order.lines if o.id == line.order_line)
            shown = f"{ordered - left[line.order_line]} are on other shipments in Centra"
            raise conflict(f"{line.quantity} of {line.sku} left the warehouse; {ordered} are ordered, and {shown}")


def conflict(message: str) -> Rejected:
    return Rejected("SHIPMENT_QTY_CONFLICT", "pieces differ from the order", message)


def unshipped(order: Order, shown: Sequence[ShownShipment]) -> dict[str, int]:
    """Pieces by order line that no shipment has: ordered, less cancelled (the storefront's own quantity), less shown."""
    left = Counter({line.id: line.quantity for line in order.lines})
    for shipment in shown:
        for line in shipment.lines:
            left[line.order_line] -= line.quantity
    return dict(left)


def missing(dispatch: Dispatch, mapping: Mapped) -> str:
    """What the customer could not be told, in words; empty when all is there.

    Raises `Unmapped` for a service that the mapping does not have.
    """
    if not dispatch.service and "" not in mapping.shipments.services:
        return "a carrier service"
    service = mapping.service(dispatch.service)
    tracked = all(parcel.tracking for parcel in dispatch.parcels) and bool(dispatch.parcels)
    if not tracked and (service.tracking or mapping.shipments.tracking) == "required":
        return "a tracking number"
    return ""


def asks(order: Order, lines: Collection[ShippedLine], others: Sequence[ShownShipment]) -> Money:
    """What a capture of these lines will ask for, as far as can be said before: the first one takes all other costs."""
    gross = {line.id: (line.gross, line.quantity) for line in order.lines}
    worth = {line.order_line: line.quantity for line in lines}
    if others:
        return total([_part(*gross[id], pieces) for id, pieces in worth.items()], order.currency)
    stays = [_part(amount, quantity, quantity - worth.get(id, 0)) for id, (amount, quantity) in gross.items()]
    return order.grand_total - total(stays, order.currency)


def _part(amount: Money, quantity: int, pieces: int) -> Money:
    return amount.share(Fraction(pieces, quantity))


def told(dispatch: Dispatch, service: Service | None, fingerprint: Any) -> dict[str, Any]:
    """What the storefront must show of a dispatch, by component; tracking numbers as a keyed fingerprint."""
    named = service or Service(carrier=f"(not mapped: {dispatch.service})", service="")
    parcels = [parcel.tracking for parcel in dispatch.parcels if parcel.tracking]
    return _lines(dispatch.lines) | {
        "shipped": "yes",
        "carrier": named.carrier,
        "service": named.service,
        "tracking": _numbers(parcels, fingerprint),
        "parcels": max(1, len(dispatch.parcels)),
    }


def shown(shipment: ShownShipment, fingerprint: Any) -> dict[str, Any]:
    """The same components from the storefront's shipment."""
    parcels = shipment.tracking.replace(",", " ").split()
    return _lines(shipment.lines) | {
        "shipped": "yes" if shipment.shipped else "no",
        "carrier": shipment.carrier,
        "service": shipment.service,
        "tracking": _numbers(parcels, fingerprint),
        "parcels": max(1, shipment.packages),
    }


def _lines(lines: Collection[ShippedLine]) -> dict[str, Any]:
    return {f"line {line.order_line} quantity": line.quantity for line in lines}


def _numbers(parcels: Collection[str], fingerprint: Any) -> str:
    """`2 numbers 3fb1…`: tells whether they are the same ones, and not which."""
    return f"{len(parcels)} {fingerprint(' '.join(sorted(parcels)).encode())[:12]}" if parcels else "none"


def captures(order: Order) -> Money:
    """What the payment provider has taken for an order: captures that settled."""
    return total([p.amount for p in order.payments if p.kind == "CAPTURE" and p.settled], order.currency)


def trouble(order: Order, all_shown: Sequence[ShownShipment]) -> Rejected | None:
    """What is wrong with an order as a whole once it is all shipped, or is said to be; `None` when nothing is.

    CAPTURE_MISMATCH with the arithmetic, ORDER_COMPLETION_MISMATCH.
    """
    left = {id: pieces for id, pieces in unshipped(order, [s for s in all_shown if s.shipped]).items() if pieces > 0}
    if left:
        if not order.ended:
            return None
        message = (
            f"Centra calls the order {order.status}; {sum(left.values())} pieces of it are on no shipment that left"
        )
        return Rejected("ORDER_COMPLETION_MISMATCH", "complete too early", message)
    if any(s.capture_pending or not s.paid for s in all_shown):
        return None
    taken = captures(order)
    if all(s.captured for s in all_shown) and taken != order.grand_total:
        parts = " + ".join(str(s.total.decimal) for s in all_shown)
        message = (
            f"all is shipped: the shipments ask {parts} = {total([s.total for s in all_shown], order.currency)}, "
            f"captured are {taken}, the order comes to {order.grand_total}: {taken - order.grand_total} between them"
        )
        return Rejected("CAPTURE_MISMATCH", "captures differ from the order", message)
    if not order.ended:
        message = f"every line is shipped and paid for, and Centra still calls the order {order.status}"
        return Rejected("ORDER_COMPLETION_MISMATCH", "not complete", message)
    return None

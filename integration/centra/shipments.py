"""Shipments and captures in Centra.

A shipment is made ready to go, captured and completed by one call each, so that each fact has its own outcome. What
integrators saw Centra say is matched loosely; that one text field takes several tracking numbers is unconfirmed.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from integration.centra.client import words
from integration.centra.instance import SEARCH_LAG, Instance
from integration.centra.nodes import BadNode, ids, rows
from integration.centra.shipment_wire import PENDING_CAPTURES, pieces, read_shipments, shipment_input, tracking_numbers
from integration.centra.wire import instant
from integration.domain.shipment import Dispatch, ShownShipment
from integration.errors import Rejected, Unknown
from integration.ports import CAPTURE, COMPLETION, SHIPMENT, EffectClass, Write

COMPLEXITY = 60
"""Our guess of what one order with its shipments costs; Centra's answer tells the truth afterwards."""

ALREADY_SHIPPED = re.compile(r"already (fully |completely )?shipped|is \"shipped\"", re.IGNORECASE)
ALREADY_CAPTURED = re.compile(r"already (fully )?(captured|requested)", re.IGNORECASE)
"""Wordings that integrators saw; anything else is a refusal."""

NOT_ACKED, FAILED = "SHIPMENT_NOT_ACKED", "CAPTURE_FAILED"


class Shipments(Instance):
    """The part of the adapter that shows what left the warehouse, and takes the money for it."""

    def shipments(self, order_numbers: Collection[str]) -> Mapping[str, Sequence[ShownShipment]]:
        found = {}
        for number, node in self._shipped_orders(order_numbers).items():
            try:
                found[number] = read_shipments(node)
            except BadNode:
                continue
        return found

    def _shipped_orders(self, order_numbers: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        asked = ids(order_numbers)
        if not asked:
            return {}
        wanted = {"numbers": asked, "limit": len(asked)}
        answer = self.client.read("shipments", wanted, lane="shipments", complexity=COMPLEXITY * len(asked))
        return {str(node["number"]): node for node in rows(answer, "orders")}

    def _of_order(self, order_number: str) -> Sequence[ShownShipment]:
        """Raises `Rejected` where they cannot be read: a shipment that is overlooked would be made twice."""
        node = self._shipped_orders([order_number]).get(order_number)
        try:
            return read_shipments(node or {})
        except BadNode as error:
            raise Rejected("SCHEMA_CHANGE", "centra:shipments", f"{error} {order_number}") from error

    def create_shipment(
        self, dispatch: Dispatch, order_id: str, *, bound: Collection[str], paid: bool = False
    ) -> Write:
        wanted = shipment_input(dispatch, order_id, paid=paid)

        def found() -> list[str]:
            shown = self._of_order(dispatch.order_number)
            same = [each.ref for each in shown if pieces(each.lines) == pieces(dispatch.lines)]
            return [ref for ref in same if ref not in bound]

        def send() -> str:
            try:
                answer = self.client.change(
                    "create_shipment", {"input": wanted}, lane="shipments", refused_as=NOT_ACKED
                )
            except Rejected as refusal:
                there = found() if ALREADY_SHIPPED.search(refusal.evidence) else []
                if len(there) != 1:
                    raise
                return there[0]
            return _id(answer, "create_shipment")

        return Write(
            name=SHIPMENT,
            effect_class=EffectClass.LOOK_UP,
            reference=f"order {dispatch.order_number}, dispatch {dispatch.ref}",
            fingerprint=self.mark_of(wanted),
            send=send,
            find=found,
            wait=SEARCH_LAG,
            takes=2 * self.takes,
        )

    def capture_shipment(self, ref: str, order_number: str) -> Write:
        def found() -> list[str]:
            shown = [each for each in self._of_order(order_number) if each.ref == ref]
            return [each.ref for each in shown if each.captured or each.capture_pending]

        return Write(
            name=CAPTURE,
            effect_class=EffectClass.LOOK_UP,
            reference=f"shipment {ref}",
            fingerprint=f"capture {ref}",
            send=lambda: self._capture(ref),
            find=found,
            wait=SEARCH_LAG,
            takes=self.takes,
        )

    def _capture(self, ref: str) -> str:
        """A clean answer may hide a capture that failed: it counts when the shipment or the payment entry says so."""
        try:
            answer = self.client.change("capture_shipment", {"id": int(ref)}, lane="shipments", refused_as=FAILED)
        except Rejected as refusal:
            if ALREADY_CAPTURED.search(refusal.evidence):
                return ref
            raise
        entry, shipment = answer.get("paymentHistoryEntry") or {}, answer.get("shipment") or {}
        requested = entry.get("entryType") in PENDING_CAPTURES and entry.get("status") == "PENDING"
        taken = entry.get("entryType") in ("CAPTURE", *PENDING_CAPTURES) and entry.get("status") == "SUCCESS"
        failed = entry.get("status") == "FAILED"
        if not failed and (requested or taken or shipment.get("isCaptured")):
            return ref
        message = f"Centra answered the capture of shipment {ref} cleanly, and nothing was captured"
        raise Rejected(FAILED, "centra:capture_shipment", message, evidence=words(answer.get("userWarnings")))

    def complete_shipment(self, ref: str, dispatch: Dispatch, carrier: str, service: str) -> Write:
        about: dict[str, object] = {"carrier": carrier, "service": service}
        if dispatch.parcels:
            about["packagesNumber"] = len(dispatch.parcels)
        if tracking := tracking_numbers(dispatch):
            about["trackingNumber"] = ", ".join(tracking)
        wanted: dict[str, object] = {"sendEmail": True, "shipmentInfo": about}
        if at := self._past(dispatch.dispatched_at):
            wanted["shippedAt"] = instant(at)
        return Write(
            name=COMPLETION,
            effect_class=EffectClass.LOOK_UP,
            reference=f"shipment {ref}",
            fingerprint=self.mark_of([ref, about]),
            send=lambda: self._complete(ref, wanted),
            find=lambda: [
                each.ref for each in self._of_order(dispatch.order_number) if each.ref == ref and each.shipped
            ],
            wait=timedelta(0),
            takes=self.takes,
        )

    def _past(self, at: datetime | None) -> datetime | None:
        """A moment Centra will take: it refuses the future, by a clock that is not ours. Left out, it says now."""
        return at if at is not None and at < self.client.now() - timedelta(minutes=1) else None

    def _complete(self, ref: str, wanted: Mapping[str, object]) -> str:
        change = {"id": int(ref), "input": wanted}
        try:
            answer = self.client.change("complete_shipment", change, lane="shipments", refused_as=NOT_ACKED)
        except Rejected as refusal:
            if ALREADY_SHIPPED.search(refusal.evidence):
                return ref
            raise
        if not (answer.get("shipment") or {}).get("isShipped"):
            message = f"Centra answered the completion of shipment {ref} cleanly, and it is not shipped"
            raise Rejected(NOT_ACKED, "centra:complete_shipment", message, evidence=words(answer.get("userWarnings")))
        return ref


def _id(answer: Mapping[str, object], name: str) -> str:
    made = answer.get("shipment")
    id = made.get("id") if isinstance(made, dict) else None
    if not isinstance(id, int) or isinstance(id, bool):
        raise Unknown(f"Centra answered {name} without naming the shipment")
    return str(id)

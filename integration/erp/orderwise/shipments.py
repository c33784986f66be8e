"""What leaves through OrderWise: its deliveries, and what suppliers sent directly.

A sales order has any number of deliveries, a delivery any number of consignments, and the same finished order is told again and
again: a dispatch's stamp is its content, so that telling it again means nothing. What a supplier sends has no delivery at all:
it is a dispatch of its own once the order is complete. Unconfirmed: the tables of a delivery's lines and consignments.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from integration.domain.money import digits
from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.erp.orderwise.client import Row
from integration.erp.orderwise.profile import SESSION
from integration.erp.orderwise.tenant import Tenant, instant, sku_of, stamp_of
from integration.erp.orderwise.wire import line_of
from integration.ports import Hint
from mappings import Mapping as Mapped

LANE = "shipments"
DIRECT = "direct"
"""In place of a delivery's id: what a supplier sent."""


class Shipments(Tenant):
    """`ERPShipments`. A ref is `<order id>-<delivery id>`, or `<order id>-direct`."""

    def dispatched_since(self, since: datetime) -> Sequence[Hint]:
        found = self._dispatches(self.changed("despatch", since, lane=LANE))
        return [
            Hint(each.ref, each.stamp, each.order_number, each.number) for each in found.values() if each.life != "open"
        ]

    def keeps_lines(self, mapping: Mapped) -> bool:
        return self.profile_in(mapping).transport != SESSION  # a session's import numbers lines by itself

    def dispatches(self, refs: Collection[str]) -> Mapping[str, Dispatch]:
        orders = {int(order) for ref in refs if (order := ref.partition("-")[0]).isdigit()}
        found = self._dispatches(self.named("despatch", orders, lane=LANE))
        return {ref: dispatch for ref, dispatch in found.items() if ref in refs}

    def _dispatches(self, rows: Iterable[Row]) -> dict[str, Dispatch]:
        parts: dict[str, dict[str, list[Row]]] = {}
        for row in rows:
            part = DIRECT if row["kind"] == DIRECT else row["delivery_id"]
            kinds = parts.setdefault(f"{row['order_id']}-{part}", {})
            kinds.setdefault(str(row["kind"]), []).append(row)
        found = {}
        for ref, kinds in parts.items():
            dispatch = self._sent_directly(ref, kinds[DIRECT]) if DIRECT in kinds else self._delivery(ref, kinds)
            if dispatch is not None:
                found[ref] = dispatch
        return found

    def _delivery(self, ref: str, kinds: Mapping[str, list[Row]]) -> Dispatch | None:
        if "delivery" not in kinds:
            return None
        head, lines = kinds["delivery"][0], self._lines(kinds.get("line", ()))
        numbers = [
            number for row in (head, *kinds.get("parcel", ())) for number in _numbers(str(row["tracking"] or ""))
        ]
        life = "cancelled" if head["cancelled"] else "done" if head["sent_at"] else "open"
        return self._dispatch(ref, head, life, lines, [_parcel(number, head) for number in dict.fromkeys(numbers)])

    def _sent_directly(self, ref: str, rows: Sequence[Row]) -> Dispatch | None:
        return self._dispatch(ref, rows[0], "done", self._lines(rows), [])

    def _dispatch(
        self, ref: str, head: Row, life: str, lines: tuple[ShippedLine, ...], parcels: Sequence[Parcel]
    ) -> Dispatch | None:
        number = self.number_of(str(head["reference"] or ""))
        if not number:
            return None
        method = "" if head["method"] is None else str(head["method"])
        facts: list[Any] = [life, method, sorted(map(repr, lines)), [parcel.tracking for parcel in parcels]]
        return Dispatch(
            ref=ref,
            number=str(head["number"] or ref),
            order_number=number,
            life=life,
            lines=lines,
            service=method,
            parcels=tuple(parcels),
            dispatched_at=instant(head["sent_at"], self.profile.zone) if life != "open" else None,
            stamp=stamp_of(facts),
        )

    def _lines(self, rows: Iterable[Row]) -> tuple[ShippedLine, ...]:
        """Pieces by order line, several rows of one line as one; none at all where any are no whole pieces: a part of what
        left must not be shown as all of it, and a dispatch without lines is a case.
        """
        pieces: Counter[tuple[str, str]] = Counter()
        for row in rows:
            quantity = digits(row["quantity"] or 0)
            if quantity != quantity.to_integral_value():
                return ()
            pieces[line_of(row["item"])[0], sku_of(row)] += int(quantity)
        return tuple(ShippedLine(line, sku, n) for (line, sku), n in pieces.items() if n)


def _numbers(told: str) -> list[str]:
    """The consignment numbers in a text that people type into: a comma, semicolon, bar or line's end stands between two of
    them, and a space within one is none of it (unconfirmed: our reading).
    """
    return [number for part in re.split(r"[,;|\n]", told) if (number := "".join(part.split()))]


def _parcel(number: str, head: Row) -> Parcel:
    prefix, suffix = str(head["url_prefix"] or ""), str(head["url_suffix"] or "")
    return Parcel(number, f"{prefix}{number}{suffix}" if prefix else "")

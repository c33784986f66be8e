"""Goods coming back: `sale.sale/<id>/return_order` and the return shipments it makes.

The form of `return_order` is a customer's production code, whose comments read like the vendor's page; what is left out of
it is dangerous (the whole returnable quantity, the original price, an exchange), so every field is sent. Goods are announced
at no value: the refund alone decides about money (deploy/decisions/0015). Unconfirmed: its answer, that it knows its key
again, that the return sale bears our `channel_identifier` (else its `reference` finds it), and that an inspection shows as
inventory moves to the place the goods were put in (strategy "inventory moves"; "off" knows no dispositions).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from integration.domain.returns import InspectedLine, Receipt, Return
from integration.erp.fulfil.client import UserError
from integration.erp.fulfil.tenant import (
    CANCELLED,
    SEARCH_LAG,
    Tenant,
    batches,
    changed,
    fingerprint,
    moment_of,
    named_id,
    of_line,
    stamp_of,
    whole,
)
from integration.errors import Rejected, Unavailable, Unknown
from integration.ports import EXPECTED_RETURN, RETURN_CANCELLATION, EffectClass, Hint, Write
from mappings import Mapping as Mapped

MODEL = "stock.shipment.out.return"
LANE = "returns"
PREFIX = "return-"
"""Begins the reference of every return of ours."""

WITHOUT_VALUE = "0"
INSPECTED_BY_MOVES = "inventory moves"

SALE_FIELDS = ("channel_identifier", "reference", "number", "state", "shipment_returns", "write_date", "create_date")
FIELDS = ("number", "state", "effective_date", "incoming_moves", "inventory_moves", "write_date", "create_date")
MOVE_FIELDS = ("product.code", "quantity", "state", "to_location.name", "write_date", "create_date")

Row = Mapping[str, Any]


class Returns(Tenant):
    """`ERPReturns`."""

    def return_reference(self, number: str) -> str:
        return f"{PREFIX}{number}"

    def return_number(self, reference: str) -> str:
        return reference.removeprefix(PREFIX) if reference.startswith(PREFIX) else ""

    def open_return(self, document: Return, order_ref: str, mapping: Mapped) -> Write:
        reference = self.return_reference(document.key.number)
        return Write(
            name=EXPECTED_RETURN,
            effect_class=EffectClass.LOOK_UP,
            reference=reference,
            fingerprint=fingerprint([order_ref, [[line.order_line, line.quantity] for line in document.lines]]),
            send=lambda: self._open(reference, document, order_ref, mapping),
            find=lambda: [str(sale["id"]) for sale in self._sales([reference])],
            wait=SEARCH_LAG,
            takes=self.takes(5),
        )

    def _open(self, reference: str, document: Return, order_ref: str, mapping: Mapped) -> str:
        request: dict[str, object] = {
            "channel_identifier": reference,
            "reference": reference,
            "warehouse": self._warehouse(order_ref),
            "lines": self._request_lines(reference, document, order_ref, mapping.returns.reason),
        }
        try:
            answer = self.client.act("sale.sale", order_ref, "return_order", request, lane=LANE)
        except UserError as error:
            if "unique" in error.words.lower():
                raise Unknown("Fulfil says our return exists already") from error
            message = f"Fulfil refused to expect return {document.key.number}; its words are attached"
            raise Rejected("RETURN_REJECTED_BY_ERP", "fulfil:return_order", message, evidence=error.words) from error
        return named_id(answer, "the return")

    def _warehouse(self, order_ref: str) -> int:
        """Where the order left from is where its goods come back."""
        sales = self.by_id("sale.sale", [int(order_ref)], ("warehouse",), lane=LANE)
        if not sales:
            raise Unavailable(f"{self.name} does not show its sale {order_ref} now", system=self.name)
        return int(sales[int(order_ref)]["warehouse"])

    def _request_lines(self, reference: str, document: Return, order_ref: str, reason: str) -> list[dict[str, object]]:
        fields = ("channel_identifier", "quantity")
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for found in self.client.search_read("sale.line", [["sale", "=", int(order_ref)]], fields, lane=LANE):
            rows[str(found["channel_identifier"] or "").partition("/")[0]].append(found)
        split = [row["id"] for own in rows.values() if len(own) > 1 for row in own]
        taken = self._taken(split)
        asked: list[dict[str, object]] = []
        for line in document.lines:
            if line.order_line not in rows:
                message = f"the sales order has no line {line.order_line}, which return {document.key.number} returns"
                raise Rejected("RETURN_REJECTED_BY_ERP", f"fulfil:line {line.order_line}", message)
            for row, quantity in _spread(line.quantity, rows[line.order_line], taken):
                asked.append(
                    {
                        "order_line_id": row["id"],
                        "return_quantity": quantity,
                        "unit_price": WITHOUT_VALUE,
                        "channel_identifier": f"{line.id}/{row['id']}",
                        "note": "",
                        "return_reason": reason,
                    }
                )
                taken[row["id"]] += quantity
        return asked

    def _taken(self, lines: Collection[int]) -> Counter[int]:
        """Pieces that living returns have announced already, by sale line."""
        found: Counter[int] = Counter()
        if lines:
            domain = [["origin", "in", [f"sale.line,{id}" for id in lines]], ["sale.state", "not in", list(CANCELLED)]]
            for row in self.client.search_read("sale.line", domain, ("origin", "quantity"), lane=LANE):
                found[of_line(row["origin"])] += whole(-row["quantity"])
        return found

    def _sales(self, references: Collection[str]) -> list[dict[str, Any]]:
        """Return sales by our references."""
        wanted = sorted(references)
        domain = ["OR", ["channel_identifier", "in", wanted], [["reference", "in", wanted], ["has_return", "=", True]]]
        return list(self.client.search_read("sale.sale", [domain], SALE_FIELDS, lane=LANE))

    def cancel_return(self, reference: str, ref: str) -> Write:
        return Write(
            name=RETURN_CANCELLATION,
            effect_class=EffectClass.UNIQUE_KEY,
            reference=reference,
            fingerprint=f"cancel {ref}",
            send=lambda: self._withdraw(ref or self._found(reference)),
            find=lambda: [ref or reference] if self._withdrawn(ref or self._found(reference)) else [],
            wait=timedelta(0),
            takes=self.takes(4),
        )

    def _found(self, reference: str) -> str:
        """The return sale of a reference whose announcement was never answered."""
        sales = self._sales([reference])
        if not sales:
            raise Unavailable(f"{self.name} does not show {reference} now", system=self.name)
        return str(sales[0]["id"])

    def _return_sale(self, ref: str) -> Row:
        rows = self.by_id("sale.sale", [int(ref)], SALE_FIELDS, lane=LANE)
        if not rows:
            raise Unavailable(f"{self.name} does not show its sale {ref} now", system=self.name)
        return rows[int(ref)]

    def _withdrawn(self, ref: str) -> bool:
        return self._return_sale(ref)["state"] in CANCELLED

    def _withdraw(self, ref: str) -> str:
        """Cancel what is still expected, then the sale; never what has arrived, though Tryton would let us."""
        sale = self._return_sale(ref)
        if sale["state"] in CANCELLED:
            return ref
        shipments = self.by_id(MODEL, sale["shipment_returns"], ("state",), lane=LANE)
        if any(row["state"] in ("received", "done") for row in shipments.values()):
            raise _too_late("")
        try:
            for id, row in shipments.items():
                if row["state"] not in CANCELLED:
                    self.client.act(MODEL, str(id), "cancel", lane=LANE)
            self.client.act("sale.sale", ref, "cancel", lane=LANE)
        except UserError as error:
            if self._withdrawn(ref):
                return ref
            raise _too_late(error.words) from error
        return ref

    def receipts(self, references: Collection[str], mapping: Mapped) -> Mapping[str, Sequence[Receipt]]:
        found: dict[str, list[Receipt]] = {reference: [] for reference in references}
        for batch in batches(sorted(references)):
            sales = self._sales(batch)
            shipments = self.by_id(MODEL, [id for sale in sales for id in sale["shipment_returns"]], FIELDS, lane=LANE)
            wanted = [id for row in shipments.values() for id in (*row["incoming_moves"], *row["inventory_moves"])]
            moves = self.by_id("stock.move", wanted, MOVE_FIELDS, lane=LANE)
            for sale in sales:
                key = sale["channel_identifier"]
                reference = key if key in found else sale["reference"]
                own = [shipments[id] for id in sale["shipment_returns"] if id in shipments]
                found[reference] += [_receipt(reference, row, moves, mapping) for row in own]
                if not own:
                    found[reference].append(_announced(reference, sale))
        return found

    def received_since(self, since: datetime) -> Sequence[Hint]:
        domain = [["state", "!=", "draft"], changed(since)]
        fields = ("number", "sales", "write_date", "create_date")
        rows = list(self.client.search_read(MODEL, domain, fields, lane=LANE))
        sales = self.by_id(
            "sale.sale", [id for row in rows for id in row["sales"]], ("channel_identifier", "reference"), lane=LANE
        )
        references = {id: _ours(sale) for id, sale in sales.items()}
        orders = self.returned_orders([id for id, reference in references.items() if not reference], lane=LANE)
        unannounced = [Hint("", stamp_of(row), "", str(row["number"])) for row in rows if not row["sales"]]
        return unannounced + [
            Hint(references.get(id, ""), stamp_of(row), orders.get(id, ""), str(row["number"]))
            for row in rows
            for id in row["sales"]
            if references.get(id) or id in orders
        ]


def _spread(quantity: int, rows: Sequence[Row], taken: Mapping[int, int]) -> Iterable[tuple[Row, int]]:
    """Pieces of an order line over its rows in the ERP, by what each has left; too many are asked of the last one."""
    left = quantity
    for place, row in enumerate(rows, 1):
        free = max(0, whole(row["quantity"]) - taken.get(row["id"], 0))
        share = left if place == len(rows) else min(left, free)
        if share:
            yield row, share
        left -= share


def _too_late(words: str) -> Rejected:
    message = "withdrawn in Centra, but Fulfil has received goods of it or will not cancel it any more"
    return Rejected("RETURN_CANCELLED_LATE", "fulfil:return cancel", message, evidence=words)


def _announced(reference: str, sale: Row) -> Receipt:
    """A return that Fulfil has made no return shipment for, yet or any more."""
    life = "cancelled" if sale["state"] in CANCELLED else "expected"
    return Receipt(reference, str(sale["id"]), str(sale["number"] or ""), life, (), None, stamp_of(sale))


def _receipt(reference: str, row: Row, moves: Mapping[int, Row], mapping: Mapped) -> Receipt:
    incoming = [moves[id] for id in row["incoming_moves"] if id in moves]
    inventory = [moves[id] for id in row["inventory_moves"] if id in moves and moves[id]["state"] not in CANCELLED]
    by_moves = mapping.returns.inspection == INSPECTED_BY_MOVES
    arrived = row["state"] in ("received", "done")
    life = "cancelled" if row["state"] in CANCELLED else "received" if arrived else "expected"
    if arrived and by_moves and inventory and all(move["state"] == "done" for move in inventory):
        life = "inspected"
    return Receipt(
        reference=reference,
        ref=str(row["id"]),
        number=str(row["number"]),
        life=life,
        lines=_lines(incoming, inventory if arrived and by_moves else (), mapping),
        received_at=moment_of(row["effective_date"], incoming) if arrived else None,
        stamp=stamp_of(row),
    )


def _lines(incoming: Iterable[Row], inventory: Iterable[Row], mapping: Mapped) -> tuple[InspectedLine, ...]:
    """Pieces by SKU and disposition. What came in and no inspection names yet has none."""
    pieces: Counter[tuple[str, str]] = Counter()
    for move in incoming:
        pieces[str(move["product.code"]), ""] += whole(move["quantity"])
    for move in inventory:
        if move["state"] == "done":
            sku, quantity = str(move["product.code"]), whole(move["quantity"])
            pieces[sku, mapping.disposition(str(move["to_location.name"]))] += quantity
            pieces[sku, ""] -= quantity
    return tuple(InspectedLine(sku, n, disposition) for (sku, disposition), n in pieces.items() if n > 0)


def _ours(sale: Row) -> str:
    """Our reference of a return sale; empty when we did not announce it."""
    named = (str(sale[field] or "") for field in ("channel_identifier", "reference"))
    return next((name for name in named if name.startswith(PREFIX)), "")

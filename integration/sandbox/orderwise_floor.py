"""What people do with orders: pick, despatch, label again, undo, cancel, change. Acts on the sandbox, no calls of the API.

An order is named by its oh_id (a number) or by text: its e-commerce number, or OrderWise's own. What cannot be done is a
`ValueError`. Every act moves `ohd_last_amended_datetime`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_wire import Row, four

Which = int | str
Pieces = Mapping[str, float] | Mapping[int, float]


class Floor:
    """Not locked; the app locks around each act."""

    def __init__(self, ledger: Ledger, stock: Stock) -> None:
        self._ledger, self._stock = ledger, stock

    def order(self, which: Which) -> Row:
        """The newest order of that name that is still open, else the newest; raises `ValueError`."""
        by = "oh_id = ?1" if isinstance(which, int) else "(oh_ecommerce_number = ?1 OR oh_order_number = ?1)"
        sql = f"SELECT * FROM order_header WHERE {by} ORDER BY oh_order_complete, oh_id DESC"  # noqa: S608  # two texts
        found = self._ledger.row(sql, which)
        if found is None:
            raise ValueError(f"there is no order {which!r}")
        return found

    def lines(self, order: int) -> list[Row]:
        """With their SKU."""
        return self._ledger.rows(
            "SELECT order_line_item.*, vad_variant_code AS sku FROM order_line_item"
            " JOIN variant_detail ON vad_id = oli_vad_id WHERE oli_oh_id = ? ORDER BY oli_item_number, oli_id",
            order,
        )

    def pack(self, which: Which) -> list[int]:
        """The warehouse picks the order: too late to cancel it."""
        order = self._open(which)
        self._status(order["oh_id"], own.PICKING)
        return [order["oh_id"]]

    def ship(
        self, which: Which, lines: Pieces | None = None, tracking: Sequence[str] = ("1Z9",), method: Which | None = None
    ) -> list[int]:
        """One delivery of what `lines` say (SKU or oli_id to pieces; None: all that is left), a consignment for each number of
        `tracking`; the dh_id. `method` (id or name) is what it went by at last. Lines direct from a supplier stay behind.
        """
        order = self._open(which)
        taken = self._taken(order, lines)
        now, used = self._ledger.now(), self._method(method) if method is not None else order["oh_dm_id"]
        id = self._ledger.insert(
            "delivery_header",
            dh_oh_id=order["oh_id"],
            dh_consignment_number=tracking[0] if tracking else None,
            dh_datetime=now,
            dh_dm_id=used,
        )
        self._ledger.update("delivery_header", "dh_id", id, dh_number=f"D{id}")
        self._label(id, tracking)
        for line, pieces in taken:
            self._ledger.insert("delivery_line_item", dli_dh_id=id, dli_oli_id=line["oli_id"], dli_qty_sent=pieces)
        self._sent(order["oh_id"], taken, 1)
        return [id]

    def order_direct(self, which: Which, sku: str) -> None:
        """Nothing of a line was sent yet, and a supplier is to send it: it takes no stock of ours. That such lines are marked
        and their order goes by a method of its own was seen; that a person may mark them later is unconfirmed.
        """
        order = self._open(which)
        line = next((line for line in self.lines(order["oh_id"]) if line["sku"] == sku), None)
        if line is None or line["oli_qty_sent"] or line["oli_direct"]:
            raise ValueError(f"{which!r} has no line of {sku} that a supplier could send")
        self._ledger.update("order_line_item", "oli_id", line["oli_id"], oli_direct=1)
        self._ledger.update("order_header_detail", "ohd_oh_id", order["oh_id"], ohd_dm_id=own.DIRECT)
        self._amended(order["oh_id"])
        self._freed([line])

    def supplier_ships(self, which: Which) -> None:
        """The lines that go direct from a supplier are sent; there is no delivery of ours."""
        order = self._open(which)
        taken = [(line, four(line["oli_qty_tbsent"])) for line in self.lines(order["oh_id"]) if line["oli_direct"]]
        if not taken:
            raise ValueError(f"nothing of {which!r} comes from a supplier")
        self._sent(order["oh_id"], taken, 1)

    def relabel(self, which: Which, tracking: Sequence[str] = ("1Z9-NEW",), method: Which | None = None) -> None:
        """The last delivery of the order gets these consignment numbers instead, perhaps by another method."""
        order = self.order(which)
        delivery = self._last_delivery(which, order)
        self._ledger.base.execute("DELETE FROM delivery_consignment WHERE dc_dh_id = ?", (delivery["dh_id"],))
        words = {"dh_dm_id": self._method(method)} if method is not None else {}
        first = tracking[0] if tracking else None
        self._ledger.update("delivery_header", "dh_id", delivery["dh_id"], dh_consignment_number=first, **words)
        self._label(delivery["dh_id"], tracking)
        self._amended(order["oh_id"])

    def void(self, which: Which) -> None:
        """The last despatch is undone: its goods are back on the shelf and still to be sent."""
        order = self.order(which)
        delivery = self._last_delivery(which, order)
        self._ledger.update("delivery_header", "dh_id", delivery["dh_id"], dh_cancelled=1)
        sent = self._ledger.rows("SELECT * FROM delivery_line_item WHERE dli_dh_id = ?", delivery["dh_id"])
        lines = {line["oli_id"]: line for line in self.lines(order["oh_id"])}
        self._sent(order["oh_id"], [(lines[row["dli_oli_id"]], four(row["dli_qty_sent"])) for row in sent], -1)

    def cancel(self, which: Which) -> None:
        """A person cancels what is still to be sent; raises `ValueError` when the warehouse has begun."""
        order = self._open(which)
        if order["oh_os_id"] == own.PICKING:
            raise ValueError(f"{which!r} is being picked")
        lines = self.lines(order["oh_id"])
        for line in lines:
            self._ledger.update("order_line_item", "oli_id", line["oli_id"], oli_qty_tbsent=0)
        sent = any(line["oli_qty_sent"] for line in lines)
        self._ledger.update("order_header", "oh_id", order["oh_id"], oh_order_complete=1, oh_on_hold=0)
        self._status(order["oh_id"], own.COMPLETED if sent else own.CANCELLED)
        self._freed(lines)

    def amend(
        self, which: Which, sku: str, quantity: float | None = None, net: str | None = None, gross: str | None = None
    ) -> None:
        """A person changes a line: its pieces, or what one piece costs; the order's totals follow by as much."""
        order = self._open(which)
        line = next((line for line in self.lines(order["oh_id"]) if line["sku"] == sku), None)
        if line is None:
            raise ValueError(f"{which!r} has no line of {sku}")
        before = four(line["oli_qty_required"])
        pieces = before if quantity is None else four(quantity)
        was = {"net": four(line["oli_item_net"]), "gross": four(line["oli_item_gross"])}
        now = {"net": was["net"] if net is None else four(net), "gross": was["gross"] if gross is None else four(gross)}
        self._ledger.update(
            "order_line_item",
            "oli_id",
            line["oli_id"],
            oli_qty_required=pieces,
            oli_qty_tbsent=pieces - four(line["oli_qty_sent"]),
            oli_item_net=now["net"],
            oli_item_gross=now["gross"],
            oli_item_tax=now["gross"] - now["net"],
        )
        more = {name: now[name] * pieces - was[name] * before for name in now}
        totals = {f"oh_{name}": four(order[f"oh_{name}"]) + more[name] for name in more}
        totals["oh_tax"] = totals["oh_gross"] - totals["oh_net"]
        self._ledger.update("order_header", "oh_id", order["oh_id"], **totals)
        self._amended(order["oh_id"])
        self._freed([line])

    def copy_line(self, which: Which, sku: str, variant: bool = True) -> None:
        """A person copies a line: a row of the same item number, at no price and with no tax code, of its variant or of none."""
        order = self._open(which)
        line = next((line for line in self.lines(order["oh_id"]) if line["sku"] == sku), None)
        if line is None:
            raise ValueError(f"{which!r} has no line of {sku}")
        row = {name: value for name, value in line.items() if name.startswith("oli_") and name != "oli_id"}
        row |= dict.fromkeys(("oli_item_net", "oli_item_gross", "oli_item_tax"), 0) | {"oli_tax_code": None}
        id = self._ledger.insert("order_line_item", **(row if variant else row | {"oli_vad_id": None}))
        if variant:
            self._stock.copy_bill(line["oli_vad_id"], id)
        self._amended(order["oh_id"])
        self._freed([line])

    def hold(self, which: Which, held: bool = True) -> None:
        """On hold, or not any more."""
        order = self._open(which)
        self._ledger.update("order_header", "oh_id", order["oh_id"], oh_on_hold=int(held))
        self._status(order["oh_id"], own.HELD if held else own.AWAITING)

    def set_status(self, which: Which, text: str) -> None:
        """A status by its text; one the tenant did not have yet is made."""
        known = self._ledger.value("SELECT os_id FROM order_status WHERE os_description = ?", text)
        self._status(self.order(which)["oh_id"], known or self._ledger.insert("order_status", os_description=text))

    def waiting(self) -> list[Row]:
        """Orders that could be shipped now: `id`, `sale` (both oh_id), `shipments` (sent, and this), `lines` [(sku, pieces left)]."""
        open = "SELECT oh_id FROM order_header WHERE oh_order_complete = 0 AND oh_on_hold = 0 AND oh_sot_id = 1 ORDER BY oh_id"
        found: list[Row] = []
        for row in self._ledger.rows(open):
            id = row["oh_id"]
            left = [line for line in self.lines(id) if line["oli_qty_tbsent"] and not line["oli_direct"]]
            count = self._ledger.value(
                "SELECT COUNT(*) FROM delivery_header WHERE dh_oh_id = ? AND dh_cancelled = 0", id
            )
            lines = [(line["sku"], line["oli_qty_tbsent"]) for line in left]
            found += [{"id": id, "sale": id, "shipments": count + 1, "lines": lines}] if left else []
        return found

    def _taken(self, order: Row, lines: Pieces | None) -> list[tuple[Row, Decimal]]:
        wanted = None if lines is None else {key: four(pieces) for key, pieces in lines.items()}
        taken: list[tuple[Row, Decimal]] = []
        for line in self.lines(order["oh_id"]):
            pieces = four(line["oli_qty_tbsent"])
            if wanted is not None:
                key = line["oli_id"] if line["oli_id"] in wanted else line["sku"]
                pieces = min(pieces, wanted.get(key, Decimal(0)))
                if pieces:
                    wanted[key] -= pieces
            if pieces and not line["oli_direct"]:
                taken.append((line, pieces))
        missing = [key for key, pieces in (wanted or {}).items() if pieces]
        if missing or not taken:
            raise ValueError(f"order {order['oh_id']} has not enough left to send of {missing or 'anything'}")
        return taken

    def _sent(self, order: int, taken: list[tuple[Row, Decimal]], sign: int) -> None:
        """Lines, shelves and status after a delivery, or (-1) after it was undone."""
        for line, pieces in taken:
            sent = four(line["oli_qty_sent"]) + sign * pieces
            left = {"oli_qty_sent": sent, "oli_qty_tbsent": four(line["oli_qty_tbsent"]) - sign * pieces}
            self._ledger.update("order_line_item", "oli_id", line["oli_id"], **left)
            if not line["oli_direct"]:
                for variant, each in self._stock.of_line(line).items():
                    self._stock.move(variant, -sign * pieces * each, line["oli_sl_id"])
        lines = self.lines(order)
        left_over, sent_any = (any(line[name] for line in lines) for name in ("oli_qty_tbsent", "oli_qty_sent"))
        status = own.PARTLY if sent_any else own.AWAITING
        self._ledger.update("order_header", "oh_id", order, oh_order_complete=int(not left_over))
        self._status(order, status if left_over else own.COMPLETED)
        self._freed([line for line, _ in taken])

    def _freed(self, lines: list[Row]) -> None:
        self._stock.recalculate(sorted({variant for line in lines for variant in self._stock.of_line(line)}))

    def _label(self, delivery: int, tracking: Sequence[str]) -> None:
        for number in tracking:
            self._ledger.insert("delivery_consignment", dc_dh_id=delivery, dc_consignment_number=number)

    def _last_delivery(self, which: Which, order: Row) -> Row:
        last = "SELECT * FROM delivery_header WHERE dh_oh_id = ? AND dh_cancelled = 0 ORDER BY dh_id DESC"
        found = self._ledger.row(last, order["oh_id"])
        if found is None:
            raise ValueError(f"nothing of {which!r} was despatched")
        return found

    def _method(self, which: Which) -> int:
        found = self._ledger.value("SELECT dm_id FROM delivery_method WHERE dm_id = ?1 OR dm_description = ?1", which)
        if found is None:
            raise ValueError(f"no delivery method {which!r}")
        return int(found)

    def _open(self, which: Which) -> Row:
        order = self.order(which)
        if order["oh_order_complete"]:
            raise ValueError(f"order {which!r} is complete")
        return order

    def _status(self, order: int, status: int) -> None:
        self._ledger.update("order_header", "oh_id", order, oh_os_id=status)
        self._amended(order)

    def _amended(self, order: int) -> None:
        self._ledger.update("order_header_detail", "ohd_oh_id", order, ohd_last_amended_datetime=self._ledger.now())

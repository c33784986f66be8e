"""What sales and shipments may become, by which method, and what that brings about.

Transitions of sale.sale and stock.shipment.out: Tryton 4.0, on which Fulfil is built. Unconfirmed for Fulfil: whether a
processing sale can be cancelled (switch `cancel_processing`), and whether a method in the wrong state is an error
(switch `wrong_transition`). A packed or done shipment is never cancelled here.
"""

from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

SALE_METHODS = {
    "quote": ("quotation", {"draft"}),
    "confirm": ("confirmed", {"quotation"}),
    "process": ("processing", {"confirmed", "done"}),
    "cancel": ("cancel", {"draft", "quotation"}),
    "draft": ("draft", {"quotation", "cancel"}),
}
"""Method to the state it leads to and the states it may be called in."""

SHIPMENT_METHODS = {
    "wait": ("waiting", {"draft", "assigned"}),
    "assign": ("assigned", {"waiting"}),
    "pack": ("packed", {"assigned"}),
    "done": ("done", {"packed"}),
    "cancel": ("cancel", {"draft", "waiting", "assigned"}),
    "draft": ("draft", {"waiting", "cancel"}),
}


class States:
    """State methods, called with the rows they change."""

    def __init__(self, records: Records, switches: FulfilSwitches) -> None:
        self._records, self._switches = records, switches

    def move(self, model: str, method: str, row: Row) -> None:
        """Call `method` on a sale or shipment; raises the UserError when its state does not allow that."""
        if model == "sale.sale":
            self._move_sale(row, method)
        elif method in ("hold", "unhold"):
            self._records.update(model, row, {"on_hold": method == "hold"})
        else:
            self._move_shipment(row, method)

    def process(self, sale: Row, touch: bool = True) -> None:
        """Make the sale processing, with one waiting shipment for each warehouse its goods come from."""
        changes: Row = {"state": "processing", "shipment_state": "waiting"}
        if sale["confirmation_time"] is None:
            changes["confirmation_time"] = self._records.now()
        self._records.update("sale.sale", sale, changes, touch)
        if any(shipment["state"] != "cancel" for shipment in self._shipments(sale)):
            return
        lines = [line for line in self._records.find("sale.line", "sale", sale["id"]) if line["product"]]
        pieces: dict[int | None, float] = {}
        for line in lines:
            place = line["warehouse"] or sale["warehouse"]
            pieces[place] = pieces.get(place, 0.0) + (line["quantity"] or 0.0)
        made = [self._ship_from(sale, place, total)["id"] for place, total in pieces.items()]
        self._records.update("sale.sale", sale, {"shipments": sale["shipments"] + made}, touch)

    def _ship_from(self, sale: Row, warehouse: int | None, total: float) -> Row:
        return self._records.insert(
            "stock.shipment.out",
            {
                "number": f"CS{self._records.next_id('stock.shipment.out'):05d}",
                "state": "waiting",
                "customer": sale["party"],
                "delivery_address": sale["shipment_address"],
                "warehouse": warehouse,
                "planned_date": self._records.now().date(),
                "carrier": sale["carrier"],
                "carrier_service": sale["carrier_service"],
                "on_hold": False,
                "priority": sale["priority"],
                "delivery_mode": "ship",
                "sales": [sale["id"]],
                "order_numbers": sale["number"],
                "total_quantity": total,
            },
        )

    def _move_sale(self, sale: Row, method: str) -> None:
        target, allowed = SALE_METHODS[method]
        if method == "cancel" and sale["state"] == "processing":
            self._cancel_processing(sale)
        elif sale["state"] not in allowed:
            self._wrong_state("Sale", sale, target)
        elif method == "process":
            self.process(sale)
        else:
            if method == "confirm":
                self._records.update("sale.sale", sale, {"confirmation_time": self._records.now()})
            self._records.update("sale.sale", sale, {"state": target})

    def _cancel_processing(self, sale: Row) -> None:
        live = [shipment for shipment in self._shipments(sale) if shipment["state"] != "cancel"]
        rule = self._switches.cancel_processing
        if rule == "never":
            return self._wrong_state("Sale", sale, "cancel")
        if live and rule == "shipments-first":
            names = ", ".join(shipment["number"] for shipment in live)
            raise user_error(f"Sale {sale['rec_name']} cannot be cancelled before its shipments are: {names}")
        for shipment in live:
            self._move_shipment(shipment, "cancel")
        self._records.update("sale.sale", sale, {"state": "cancel", "shipment_state": "none"})
        return None

    def _move_shipment(self, shipment: Row, method: str) -> None:
        target, allowed = SHIPMENT_METHODS[method]
        if shipment["state"] not in allowed:
            return self._wrong_state("Shipment", shipment, target)
        changes: Row = {"state": target}
        if target == "done":
            changes["effective_date"] = self._records.now().date()
        self._records.update("stock.shipment.out", shipment, changes)
        for id in shipment["sales"]:
            self._follow(self._records.get("sale.sale", id))
        return None

    def _follow(self, sale: Row) -> None:
        """The sale's shipment_state after one of its shipments moved: sent, exception or waiting."""
        states = {shipment["state"] for shipment in self._shipments(sale)}
        changes: Row = {"shipment_state": "exception" if "cancel" in states else "waiting"}
        if states == {"done"}:
            changes = {"shipment_state": "sent"}
            if sale["state"] == "processing":
                changes["state"] = "done"
        self._records.update("sale.sale", sale, changes)

    def _shipments(self, sale: Row) -> list[Row]:
        return [self._records.get("stock.shipment.out", id) for id in sale["shipments"]]

    def _wrong_state(self, kind: str, row: Row, target: str) -> None:
        if self._switches.wrong_transition == "refuse":
            raise user_error(f"{kind} {row['rec_name']} is {row['state']} and cannot become {target}.")

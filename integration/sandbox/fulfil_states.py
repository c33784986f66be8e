"""What a step of a document brings about: a processed sale its shipments and invoices, a shipment its sale's progress.

Unconfirmed for Fulfil: whether a processing sale can be cancelled (switch `cancel_processing`), and that a return sale is
cancelled together with its return shipments as long as nothing was received.
"""

from collections.abc import Container

from integration.sandbox.fulfil_invoices import Invoices
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_return_shipments import ReturnShipments
from integration.sandbox.fulfil_shipments import Shipments
from integration.sandbox.fulfil_steps import (
    COUNT_METHODS,
    INVOICE_METHODS,
    MOVE_METHODS,
    RETURN_METHODS,
    SALE_METHODS,
    SHIPMENT_METHODS,
    refuse,
)
from integration.sandbox.fulfil_stock import Stock
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

OUT, BACK = "stock.shipment.out", "stock.shipment.out.return"

METHODS: dict[str, Container[str]] = {
    "sale.sale": SALE_METHODS,
    OUT: {*SHIPMENT_METHODS, "hold", "unhold"},
    BACK: RETURN_METHODS,
    "stock.move": MOVE_METHODS,
    "stock.inventory": COUNT_METHODS,
    "account.invoice": INVOICE_METHODS,
}
"""The state methods of every model."""


class States:
    """State methods, called with the rows they change."""

    def __init__(self, records: Records, switches: FulfilSwitches) -> None:
        self._records, self._switches = records, switches
        self.stock = Stock(records, switches)
        self.shipments = Shipments(records, self.stock, switches)
        self.returns = ReturnShipments(records, self.stock, switches)
        self.invoices = Invoices(records, switches)

    def move(self, model: str, method: str, row: Row) -> None:
        """Call `method` on a record; raises the UserError when its state does not allow that."""
        match model:
            case "sale.sale":
                self._move_sale(row, method)
            case "stock.shipment.out":
                self._move_shipment(row, method)
            case "stock.shipment.out.return":
                self._move_return(row, method)
            case "stock.move":
                self.stock.step(row, method)
            case "stock.inventory":
                self.stock.count(row, method)
            case _:
                self.invoices.step(row, method)

    def process(self, sale: Row, touch: bool = True) -> None:
        """Make the sale processing, with a shipment for each warehouse goods leave, and a return shipment for each they
        come back to. The invoice follows the sale's method; without any goods it comes at once.
        """
        changes: Row = {"state": "processing", "shipment_state": "waiting"}
        if sale["confirmation_time"] is None:
            changes["confirmation_time"] = self._records.now()
        self._records.update("sale.sale", sale, changes, touch)
        if any(shipment["state"] != "cancel" for shipment in self._shipments(sale)):
            return
        lines = self._records.find("sale.line", "sale", sale["id"])
        leaving, coming = self._by_warehouse(sale, lines)
        out = [self.shipments.make(sale, place, some) for place, some in leaving.items()]
        back = [self.returns.make(sale, place, some) for place, some in coming.items()]
        changes = {
            "shipments": sale["shipments"] + [shipment["id"] for shipment in out],
            "shipment_returns": sale["shipment_returns"] + [shipment["id"] for shipment in back],
            "moves": sale["moves"] + [move for shipment in (*out, *back) for move in shipment["moves"]],
        }
        if not changes["moves"]:
            changes["shipment_state"] = "none"
        self._records.update("sale.sale", sale, changes, touch)
        if sale["invoice_method"] == "order" or not changes["moves"]:
            self.invoices.of_sale(sale, None, touch=touch)

    def _by_warehouse(
        self, sale: Row, lines: list[Row]
    ) -> tuple[dict[int | None, list[Row]], dict[int | None, list[Row]]]:
        """The lines with goods that leave, and those with goods that come back."""
        sides: tuple[dict[int | None, list[Row]], dict[int | None, list[Row]]] = ({}, {})
        for line in lines:
            if line["product"]:
                side = sides[(line["quantity"] or 0) < 0]
                side.setdefault(line["warehouse"] or sale["warehouse"], []).append(line)
        return sides

    def _move_sale(self, sale: Row, method: str) -> None:
        target, allowed = SALE_METHODS[method]
        for line in self._records.find("sale.line", "sale", sale["id"]):
            self.stock.touch(line["product"])
        if method == "cancel" and sale["state"] == "processing":
            self._cancel_processing(sale)
        elif sale["state"] not in allowed:
            refuse(self._switches, "Sale", sale, target)
        elif method == "process":
            self.process(sale)
        else:
            if method == "confirm":
                self._records.update("sale.sale", sale, {"confirmation_time": self._records.now()})
            self._records.update("sale.sale", sale, {"state": target})

    def _cancel_processing(self, sale: Row) -> None:
        live = [shipment for shipment in self._outgoing(sale) if shipment["state"] != "cancel"]
        coming = [shipment for shipment in self._incoming(sale) if shipment["state"] != "cancel"]
        rule = self._switches.cancel_processing
        if rule == "never":
            return refuse(self._switches, "Sale", sale, "cancel")
        blocking = live if rule == "shipments-first" else []
        blocking = blocking + [shipment for shipment in coming if shipment["state"] != "draft"]
        if blocking:
            names = ", ".join(shipment["number"] for shipment in blocking)
            raise user_error(f"Sale {sale['rec_name']} cannot be cancelled before its shipments are: {names}")
        for shipment in live:
            self._move_shipment(shipment, "cancel")
        for shipment in coming:
            self._move_return(shipment, "cancel")
        self._records.update("sale.sale", sale, {"state": "cancel", "shipment_state": "none"})
        return None

    def _move_shipment(self, shipment: Row, method: str) -> None:
        if not self.shipments.step(shipment, method):
            return
        for id in shipment["sales"]:
            sale = self._records.get("sale.sale", id)
            self.advance(sale)
            if method == "done" and sale["invoice_method"] != "order":
                self.invoices.of_sale(sale, self._quantities(shipment["outgoing_moves"], sale, 1), out=shipment)

    def _move_return(self, shipment: Row, method: str) -> None:
        if not self.returns.step(shipment, method):
            return
        for id in shipment["sales"]:
            sale = self._records.get("sale.sale", id)
            self.advance(sale)
            if method == "receive" and sale["invoice_method"] != "order":
                self.invoices.of_sale(sale, self._quantities(shipment["incoming_moves"], sale, -1), back=shipment)

    def _quantities(self, moves: list[int], sale: Row, sign: int) -> dict[int, float]:
        """Sale line id to what `moves` brought of it."""
        lines = {f"sale.line,{line['id']}": line["id"] for line in self._records.find("sale.line", "sale", sale["id"])}
        found: dict[int, float] = {}
        for move in (self._records.get("stock.move", id) for id in moves):
            line = lines.get(move["origin"])
            if line is not None:
                found[line] = found.get(line, 0.0) + sign * move["quantity"]
        return found

    def advance(self, sale: Row) -> None:
        """The sale's shipment_state after one of its shipments moved: sent, exception or waiting."""
        states = {shipment["state"] for shipment in self._shipments(sale)}
        changes: Row = {"shipment_state": "exception" if "cancel" in states else "waiting"}
        if states <= {"done", "received"}:
            changes = {"shipment_state": "sent"}
            if sale["state"] == "processing":
                changes["state"] = "done"
        self._records.update("sale.sale", sale, changes)

    def _outgoing(self, sale: Row) -> list[Row]:
        return [self._records.get(OUT, id) for id in sale["shipments"]]

    def _incoming(self, sale: Row) -> list[Row]:
        return [self._records.get(BACK, id) for id in sale["shipment_returns"]]

    def _shipments(self, sale: Row) -> list[Row]:
        return [*self._outgoing(sale), *self._incoming(sale)]

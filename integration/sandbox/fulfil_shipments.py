"""Shipments to customers: their moves, how they are divided, their parcels and tracking.

One shipment takes the lines of one sale that leave one warehouse, with one outgoing move for each line (origin
`sale.line,<id>`). Partial shipping makes another shipment for the remainder (vendor's 3PL pages). Tracking is a record of
its own, and each package can carry one. Unconfirmed: that `split` moves the listed quantities into the new shipment and
answers its id, that a voided label becomes `cancelled` and a new label a new record, the form of a tracking_url.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_seed import CUSTOMERS
from integration.sandbox.fulfil_steps import SHIPMENT_METHODS, step
from integration.sandbox.fulfil_stock import Stock
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

MODEL = "stock.shipment.out"
_MOVES_IN = {"draft": "draft", "waiting": "draft", "assigned": "assigned", "packed": "assigned"}
"""State of a shipment to the state of its moves, where they differ."""
_PICKING = {"start_picking": "in-progress", "done_picking": "done"}
_COPIED = (
    "customer", "delivery_address", "warehouse", "carrier", "carrier_service", "on_hold", "priority", "delivery_mode",
    "sales", "order_numbers",
)  # fmt: skip


class Shipments:
    """Makes and changes shipments; what that means for the sale is said elsewhere (`fulfil_states`)."""

    def __init__(self, records: Records, stock: Stock, switches: FulfilSwitches) -> None:
        self._records, self._stock, self._switches = records, stock, switches

    def make(self, sale: Row, warehouse: int | None, lines: Iterable[Row]) -> Row:
        """A waiting shipment of `lines`, all from one warehouse."""
        today = self._records.now().date()
        shipment = self._insert(
            {
                "state": "waiting",
                "customer": sale["party"],
                "delivery_address": sale["shipment_address"],
                "warehouse": warehouse,
                "planned_date": today,
                "carrier": sale["carrier"],
                "carrier_service": sale["carrier_service"],
                "on_hold": False,
                "priority": sale["priority"],
                "delivery_mode": "ship",
                "sales": [sale["id"]],
                "order_numbers": sale["number"],
            }
        )
        place = self._records.rows["stock.location"].get(warehouse or 0) or self._stock.warehouses()[0]
        words = {"shipment": f"{MODEL},{shipment['id']}", "planned_date": today}
        moves = [
            self._stock.make(
                line["product"], float(line["quantity"] or 0), place["storage_location"] or place["id"], CUSTOMERS,
                origin=f"sale.line,{line['id']}", **words,
            )
            for line in lines
        ]  # fmt: skip
        self._hold_moves(shipment, moves, touch=False)
        return shipment

    def step(self, shipment: Row, method: str) -> bool:
        """A method of the shipment; whether its state was set. Raises the UserError when it may not be."""
        if method in ("hold", "unhold"):
            self._records.update(MODEL, shipment, {"on_hold": method == "hold"})
            return False
        target = step(self._switches, "Shipment", SHIPMENT_METHODS, shipment, method)
        if target is None:
            return False
        changes: Row = {"state": target}
        if method in _PICKING:
            changes["picking_status"] = _PICKING[method]
        if target == "done":
            changes["effective_date"] = self._records.now().date()
        for move in self.moves(shipment):
            self._stock.change(move, state=_MOVES_IN.get(target, target))
        self._records.update(MODEL, shipment, changes)
        return True

    def moves(self, shipment: Row) -> list[Row]:
        return [self._records.get("stock.move", id) for id in shipment["outgoing_moves"]]

    def split(self, shipment: Row, wanted: Any, planned: date | None = None) -> Row:
        """A new shipment with the quantities of `wanted` ([{"id": move, "quantity": q}]), taken out of this one."""
        if shipment["state"] not in ("draft", "waiting", "assigned"):
            raise user_error(f"Shipment {shipment['rec_name']} is {shipment['state']} and cannot be split.")
        own = {move["id"]: move for move in self.moves(shipment)}
        taken: list[Row] = []
        for piece in wanted:
            move, quantity = own.get(piece["id"]), float(piece["quantity"])
            if move is None or not 0 < quantity <= move["quantity"]:
                raise user_error(f"Shipment {shipment['rec_name']} has no {quantity} of move {piece['id']}.")
            taken.append(move if quantity == move["quantity"] else self._stock.split(move, quantity))
        left = [move for move in own.values() if move not in taken]
        if not left:
            raise user_error(f"Nothing would be left of shipment {shipment['rec_name']}.")
        copied = {name: shipment[name] for name in _COPIED}
        words = {"state": shipment["state"], "planned_date": planned or shipment["planned_date"]}
        new = self._insert(copied | words | {"sales": list(shipment["sales"])})
        for move in taken:
            self._stock.change(move, shipment=f"{MODEL},{new['id']}")
        self._hold_moves(new, taken, touch=False)
        self._hold_moves(shipment, left)
        for id in shipment["sales"]:
            sale = self._records.get("sale.sale", id)
            moves = list(dict.fromkeys([*sale["moves"], *(move["id"] for move in taken)]))
            self._records.update("sale.sale", sale, {"shipments": [*sale["shipments"], new["id"]], "moves": moves})
        return new

    def label(self, shipment: Row, numbers: Sequence[str], service: Row | None = None) -> None:
        """One parcel for each tracking number, the first being the master; `service` is what it went by at last."""
        if service is not None:
            changes = {"carrier": service["carrier"], "carrier_service": service["id"]}
            self._records.update(MODEL, shipment, changes)
        records = [self._tracking(shipment, number, master=not place) for place, number in enumerate(numbers)]
        reference, moves = f"{MODEL},{shipment['id']}", shipment["outgoing_moves"]
        packages = [
            self._records.insert(
                "stock.package",
                {
                    "code": f"PK{self._records.next_id('stock.package'):05d}",
                    "shipment": reference,
                    "tracking_number": tracking["id"],
                    "moves": moves[place :: len(records)],
                },
            )["id"]
            for place, tracking in enumerate(records)
        ]
        master = records[0]["id"] if records else None
        self._records.update(MODEL, shipment, {"tracking_number": master, "packages": packages})

    def void(self, shipment: Row) -> None:
        """The labels of a shipment are cancelled; what has left stays done."""
        for id in shipment["packages"]:
            package = self._records.get("stock.package", id)
            if package["tracking_number"]:
                tracking = self._records.get("shipment.tracking", package["tracking_number"])
                self._records.update("shipment.tracking", tracking, {"state": "cancelled"})
                self._records.update("stock.package", package, {"tracking_number": None})
        self._records.update(MODEL, shipment, {"tracking_number": None, "packages": []})

    def _tracking(self, shipment: Row, number: str, *, master: bool) -> Row:
        words = {"carrier": shipment["carrier"], "origin": f"{MODEL},{shipment['id']}", "is_master": master}
        url = f"https://track.example.invalid/{number}"
        return self._records.insert(
            "shipment.tracking", words | {"tracking_number": number, "tracking_url": url, "state": "in_transit"}
        )

    def _insert(self, words: Row) -> Row:
        return self._records.insert(MODEL, words | {"number": f"CS{self._records.next_id(MODEL):05d}"})

    def _hold_moves(self, shipment: Row, moves: list[Row], *, touch: bool = True) -> None:
        ids = [move["id"] for move in moves]
        total = sum(move["quantity"] for move in moves)
        words = {"moves": ids, "outgoing_moves": list(ids), "total_quantity": float(total)}
        self._records.update(MODEL, shipment, words, touch)

"""Shipments that bring goods back: expected, received into the input zone, inspected and put away.

`draft -> received -> done`, and `cancel` (Tryton 4.0). Receiving makes the inventory moves out of the input zone; until
then goods in it are on hand and not available. Unconfirmed: the disposition of an inspection is the destination of the
inventory move (storage, quarantine, or lost and found for scrap); that what did not arrive waits on another shipment.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_seed import CUSTOMERS, LOST_FOUND
from integration.sandbox.fulfil_steps import RETURN_METHODS, step
from integration.sandbox.fulfil_stock import Stock
from integration.sandbox.fulfil_switches import FulfilSwitches

MODEL = "stock.shipment.out.return"
DISPOSITIONS = ("restock", "quarantine", "scrap")
Disposition = str | Mapping[str, float]
"""One word for all pieces, or pieces by word: `{"restock": 1, "scrap": 2}`."""


class ReturnShipments:
    """Makes and changes return shipments; what that means for the sale is said elsewhere (`fulfil_states`)."""

    def __init__(self, records: Records, stock: Stock, switches: FulfilSwitches) -> None:
        self._records, self._stock, self._switches = records, stock, switches

    def make(self, sale: Row, warehouse: int | None, lines: Iterable[Row]) -> Row:
        """A draft return shipment of `lines` (their quantities are negative) into one warehouse."""
        today = self._records.now().date()
        shipment = self._insert(
            {
                "state": "draft",
                "customer": sale["party"],
                "origin_address": sale["shipment_address"],
                "warehouse": warehouse,
                "planned_date": today,
                "sales": [sale["id"]],
                "order_numbers": sale["number"],
                "reference": sale["reference"],
            }
        )
        words = {"shipment": f"{MODEL},{shipment['id']}", "planned_date": today}
        moves = [
            self._stock.make(
                line["product"], -float(line["quantity"]), CUSTOMERS, self._place(shipment)["input_location"],
                origin=f"sale.line,{line['id']}", **words,
            )
            for line in lines
        ]  # fmt: skip
        self._hold_moves(shipment, [move["id"] for move in moves], [], touch=False)
        return shipment

    def step(self, shipment: Row, method: str) -> bool:
        """A method of the shipment; whether its state was set. Raises the UserError when it may not be."""
        target = step(self._switches, "Return shipment", RETURN_METHODS, shipment, method)
        if target is None:
            return False
        changes: Row = {"state": target}
        match target:
            case "received":
                self._set(shipment["incoming_moves"], "done")
                self._plan(shipment)
                changes["effective_date"] = self._records.now().date()
            case "done":
                self._set(shipment["inventory_moves"], "done")
            case _:
                self._set(shipment["incoming_moves"], target)
                self._set(shipment["inventory_moves"], "cancel")
                self._hold_moves(shipment, shipment["incoming_moves"], [])
        self._records.update(MODEL, shipment, changes)
        return True

    def dispose(self, shipment: Row, wishes: Mapping[str, Disposition] | Disposition | None) -> None:
        """Aim the inventory moves of a received shipment: one wish for everything, or one for each SKU."""
        ids: list[int] = []
        for id in shipment["inventory_moves"]:
            move = self._records.get("stock.move", id)
            sku = self._records.get("product.product", move["product"])["code"]
            ids.append(id)
            for quantity, word in _shares(_wish_of(wishes, sku), move["quantity"]):
                piece = move if quantity == move["quantity"] else self._stock.split(move, quantity)
                self._stock.change(piece, to_location=self._target(shipment, word))
                ids.append(piece["id"])
        self._hold_moves(shipment, shipment["incoming_moves"], list(dict.fromkeys(ids)))

    def leave_open(self, shipment: Row, quantities: Mapping[str, float]) -> Row | None:
        """Expect on another shipment what did not arrive; `quantities` by SKU did. None when everything did."""
        arrived, open_moves = dict(quantities), []
        for id in shipment["incoming_moves"]:
            move = self._records.get("stock.move", id)
            sku = self._records.get("product.product", move["product"])["code"]
            here = min(float(arrived.get(sku, 0)), move["quantity"])
            arrived[sku] = float(arrived.get(sku, 0)) - here
            if here < move["quantity"]:
                open_moves.append(move if not here else self._stock.split(move, move["quantity"] - here))
        if not open_moves:
            return None
        late = [move["id"] for move in open_moves]
        names = ("customer", "origin_address", "warehouse", "planned_date", "order_numbers", "reference")
        copied = {name: shipment[name] for name in names}
        new = self._insert(copied | {"state": "draft", "sales": list(shipment["sales"])})
        for move in open_moves:
            self._stock.change(move, shipment=f"{MODEL},{new['id']}")
        self._hold_moves(new, late, [], touch=False)
        self._hold_moves(shipment, [id for id in shipment["incoming_moves"] if id not in late], [])
        for id in shipment["sales"]:
            sale = self._records.get("sale.sale", id)
            changes = {
                "shipment_returns": [*sale["shipment_returns"], new["id"]],
                "moves": list(dict.fromkeys([*sale["moves"], *late])),
            }
            self._records.update("sale.sale", sale, changes)
        return new

    def _plan(self, shipment: Row) -> None:
        """Everything received is to be put into storage, unless somebody says otherwise."""
        moves = [
            self._stock.make(
                move["product"], move["quantity"], move["to_location"], self._target(shipment, "restock"),
                origin=move["origin"], shipment=move["shipment"], planned_date=self._records.now().date(),
            )["id"]
            for move in (self._records.get("stock.move", id) for id in shipment["incoming_moves"])
        ]  # fmt: skip
        self._hold_moves(shipment, shipment["incoming_moves"], moves)

    def _target(self, shipment: Row, word: str) -> int:
        place = self._place(shipment)
        targets = {"restock": place["storage_location"], "quarantine": place["quarantine_location"]}
        return int((targets | {"scrap": LOST_FOUND})[word])

    def _place(self, shipment: Row) -> Row:
        return self._records.rows["stock.location"].get(shipment["warehouse"] or 0) or self._stock.warehouses()[0]

    def _set(self, moves: list[int], state: str) -> None:
        for id in moves:
            self._stock.change(self._records.get("stock.move", id), state=state)

    def _insert(self, words: Row) -> Row:
        return self._records.insert(MODEL, words | {"number": f"CRS-{self._records.next_id(MODEL):05d}"})

    def _hold_moves(self, shipment: Row, incoming: list[int], inventory: list[int], *, touch: bool = True) -> None:
        total = sum(self._records.get("stock.move", id)["quantity"] for id in incoming)
        words = {"incoming_moves": list(incoming), "inventory_moves": inventory, "moves": [*incoming, *inventory]}
        self._records.update(MODEL, shipment, words | {"total_quantity": float(total)}, touch)


def _wish_of(wishes: Any, sku: str) -> Disposition:
    if isinstance(wishes, Mapping) and not wishes.keys() <= set(DISPOSITIONS):
        wishes = wishes.get(sku)
    return wishes or "restock"


def _shares(wish: Disposition, quantity: float) -> list[tuple[float, str]]:
    """The pieces of each disposition, the original move's own share last; raises `ValueError` for a wrong wish."""
    shares = {wish: quantity} if isinstance(wish, str) else {word: float(pieces) for word, pieces in wish.items()}
    if strange := sorted(shares.keys() - set(DISPOSITIONS)):
        raise ValueError(f"no disposition {strange[0]!r}; there are: {', '.join(DISPOSITIONS)}")
    if sum(shares.values()) != quantity:
        raise ValueError(f"{quantity} pieces are to be disposed of, not {sum(shares.values())}")
    return [(pieces, word) for word, pieces in shares.items() if pieces]

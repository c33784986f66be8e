"""What people in the warehouse do: pick, pack and ship, label again, open and inspect returns, count, put goods away.

These are acts on the sandbox, not calls of Fulfil's API. A shipment or return is named by its id (a number), or by text: its
own number, or the number or channel_identifier of its sale. What cannot be done is a `ValueError` or the API's own refusal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_return_shipments import Disposition
from integration.sandbox.fulfil_states import BACK, OUT, States

Which = int | str
_WALK = ("waiting", "assigned", "packed", "done")


class Floor:
    """The warehouse floor. Not locked; the app locks around each act."""

    def __init__(self, records: Records, states: States) -> None:
        self._records, self._states = records, states

    def pack(self, which: Which) -> list[int]:
        """Assign, pick and pack; the ids of the shipments. There is no way back."""
        found = self._open(which)
        for shipment in found:
            self._walk(shipment, "packed")
        return [shipment["id"] for shipment in found]

    def ship(
        self,
        which: Which,
        lines: Mapping[str, float] | Mapping[int, float] | None = None,
        tracking: Sequence[str] = ("1Z9",),
        carrier_service: str | None = None,
    ) -> list[int]:
        """Ship what `lines` say (SKU or sale line id to pieces; None: everything); the ids of the shipments done.

        What is left of a shipment becomes another one. Each tracking number is one parcel; when a sale leaves in several
        shipments, each takes one number in turn. `carrier_service` (its code) is what it went by at last.
        """
        wanted: dict[str | int, float] | None = None
        if lines is not None:
            wanted = {key: float(pieces) for key, pieces in lines.items()}
        service = self._service(carrier_service)
        found = self._open(which)
        done: list[int] = []
        for place, shipment in enumerate(found):
            if wanted is not None and not self._separate(shipment, wanted):
                continue
            numbers = tracking if len(found) == 1 or not tracking else [tracking[min(place, len(tracking) - 1)]]
            self._walk(shipment, "packed")
            self._states.shipments.label(shipment, numbers, service)
            self._walk(shipment, "done")
            done.append(shipment["id"])
        if wanted and any(wanted.values()):
            missing = ", ".join(f"{pieces:g} of {key}" for key, pieces in wanted.items() if pieces)
            raise ValueError(f"{which!r} has not enough left to ship: {missing}")
        return done

    def void(self, which: Which) -> None:
        """Cancel the labels of a packed or done shipment."""
        for shipment in self._labelled(which):
            self._states.shipments.void(shipment)

    def relabel(self, which: Which, tracking: Sequence[str] = ("1Z9-NEW",), carrier_service: str | None = None) -> None:
        """Cancel the labels and print others, perhaps of another service."""
        service = self._service(carrier_service)
        for shipment in self._labelled(which):
            self._states.shipments.void(shipment)
            self._states.shipments.label(shipment, tracking, service)

    def receive_return(
        self,
        which: Which,
        dispositions: Mapping[str, Disposition] | Disposition | None = None,
        quantities: Mapping[str, float] | None = None,
    ) -> list[int]:
        """Receive expected returns; the ids of the return shipments. With `dispositions` they are inspected at once.

        `quantities` (SKU to pieces) says what arrived when it is not everything; the rest stays expected on another
        return shipment.
        """
        found = [row for row in self._find(BACK, which) if row["state"] == "draft"]
        if not found:
            raise ValueError(f"no return is expected for {which!r}")
        for shipment in found:
            if quantities is not None:
                self._states.returns.leave_open(shipment, quantities)
            self._states.move(BACK, "receive", shipment)
            if dispositions is not None:
                self._inspect(shipment, dispositions)
        return [shipment["id"] for shipment in found]

    def inspect_return(
        self, which: Which, dispositions: Mapping[str, Disposition] | Disposition | None = None
    ) -> list[int]:
        """Decide on received goods and put them away; the ids of the return shipments.

        `dispositions`: "restock" (also when nothing is said), "quarantine" or "scrap" for everything, or by SKU one of these
        words or pieces by word.
        """
        found = [row for row in self._find(BACK, which) if row["state"] == "received"]
        if not found:
            raise ValueError(f"nothing was received for {which!r}")
        for shipment in found:
            self._inspect(shipment, dispositions)
        return [shipment["id"] for shipment in found]

    def waiting(self) -> list[Row]:
        """Shipments that could be shipped now: `id`, `sale` (id), `shipments` (of that sale), `lines` [(sku, pieces)]."""
        return [
            self._words(shipment, "outgoing_moves")
            for shipment in self._records.rows[OUT].values()
            if shipment["state"] in _WALK[:3] and not shipment["on_hold"] and shipment["outgoing_moves"]
        ]

    def coming_back(self) -> list[Row]:
        """Return shipments that are expected or received: `id`, `state`, `sale` and `lines` [(sku, pieces)]."""
        return [
            self._words(shipment, "incoming_moves") | {"state": shipment["state"]}
            for shipment in self._records.rows[BACK].values()
            if shipment["state"] in ("draft", "received")
        ]

    def _words(self, shipment: Row, moves: str) -> Row:
        found = [self._records.get("stock.move", id) for id in shipment[moves]]
        lines = [(self._sku(move), move["quantity"]) for move in found]
        sale = [*shipment["sales"], None][0]
        shipments = len(self._records.get("sale.sale", sale)["shipments"]) if sale else 0
        return {"id": shipment["id"], "sale": sale, "shipments": shipments, "lines": lines}

    def _inspect(self, shipment: Row, dispositions: Any) -> None:
        self._states.returns.dispose(shipment, dispositions)
        self._states.move(BACK, "done", shipment)

    def _separate(self, shipment: Row, wanted: dict[str | int, float]) -> bool:
        """Leave in `shipment` only what is wanted of it, and take that off `wanted`; False when nothing is."""
        rest: list[Row] = []
        takes = 0.0
        for move in self._states.shipments.moves(shipment):
            line = int((move["origin"] or ",0").partition(",")[2])
            key = line if line in wanted else self._sku(move)
            here = min(wanted.get(key, 0.0), move["quantity"])
            if here:
                wanted[key] -= here
                takes += here
            if here < move["quantity"]:
                rest.append({"id": move["id"], "quantity": move["quantity"] - here})
        if takes and rest:
            self._states.shipments.split(shipment, rest)
        return takes > 0

    def _walk(self, shipment: Row, target: str) -> None:
        methods = ("assign", "pack", "done")
        at = _WALK.index(shipment["state"]) if shipment["state"] in _WALK else 0
        for method in methods[at : _WALK.index(target)]:
            self._states.move(OUT, method, shipment)

    def _open(self, which: Which) -> list[Row]:
        found = self._find(OUT, which)
        return [row for row in found if row["state"] not in ("done", "cancel")] if isinstance(which, str) else found

    def _labelled(self, which: Which) -> list[Row]:
        found = [row for row in self._find(OUT, which) if row["state"] in ("packed", "done")]
        if not found:
            raise ValueError(f"no parcel of {which!r} has a label")
        return found

    def _find(self, model: str, which: Which) -> list[Row]:
        if isinstance(which, int):
            return [self._records.get(model, which)]
        named = self._records.find(model, "number", which)
        field = "shipments" if model == OUT else "shipment_returns"
        for name in ("number", "channel_identifier"):
            for sale in self._records.find("sale.sale", name, which):
                named = [*named, *(self._records.get(model, id) for id in sale[field])]
        if not named:
            raise ValueError(f"there is no {model} for {which!r}")
        return named

    def _service(self, code: str | None) -> Row | None:
        if code is None:
            return None
        for service in self._records.find("carrier.service", "code", code):
            return service
        raise ValueError(f"no carrier service {code!r}")

    def _sku(self, move: Row) -> str:
        return str(self._records.get("product.product", move["product"])["code"])

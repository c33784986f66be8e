"""What leaves Fulfil's warehouses: `stock.shipment.out`, found by poll (no shipment webhook is documented).

A shipment takes the lines of one sale, or of several when somebody merged shipments; then each order of ours has a part of
its own, under the ref `<shipment>/<order number>`. What a shipment holds is read off its outgoing moves, whose origin is
the sale line (Tryton 4.0). Unconfirmed: that a shipment cancelled after it was done keeps its effective date, and that a
kit's components, where they move in its place, name the kit's sale line as their origin.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.erp.fulfil.tenant import PREFIX, Tenant, batches, changed, moment_of, of_line, stamp_of, whole
from integration.ports import Hint
from mappings import Mapping as Mapped

MODEL = "stock.shipment.out"
LANE = "shipments"
LIVES = {"done": "done", "cancel": "cancelled", "cancelled": "cancelled"}
"""Fulfil's states in our words; every other one is open."""

VOID = ("cancelled", "pending_cancellation")
"""States of a tracking record whose label counts for nothing."""

TRACKING = ("tracking_number.tracking_number", "tracking_number.tracking_url", "tracking_number.state")
FIELDS = (
    "number", "state", "effective_date", "carrier_service.code", "carrier.name", "outgoing_moves", "packages", *TRACKING,
    "write_date", "create_date",
)  # fmt: skip
MOVE_FIELDS = ("product.code", "quantity", "state", "origin", "shipment", "write_date", "create_date")
LINE_FIELDS = ("channel_identifier", "product", "product.code", "sale.channel_identifier")

Row = Mapping[str, Any]


class Shipments(Tenant):
    """`ERPShipments`."""

    def dispatched_since(self, since: datetime) -> Sequence[Hint]:
        was_done = ["OR", ["state", "=", "done"], [["state", "in", ["cancel"]], ["effective_date", "!=", None]]]
        domain = [["sales.channel_identifier", "like", f"{PREFIX}%"], was_done, changed(since)]
        fields = ("sales", "write_date", "create_date")
        rows = list(self.client.search_read(MODEL, domain, fields, lane=LANE))
        sales = self.by_id("sale.sale", [id for row in rows for id in row["sales"]], ("channel_identifier",), lane=LANE)
        numbers = {id: self.number_of(str(sale["channel_identifier"] or "")) for id, sale in sales.items()}
        hints = []
        for row in rows:
            ours = [number for id in row["sales"] if (number := numbers.get(id))]
            hints += [Hint(_ref(row["id"], number, ours), stamp_of(row), number) for number in ours]
        return hints

    def keeps_lines(self, mapping: Mapped) -> bool:
        return True

    def dispatches(self, refs: Collection[str]) -> Mapping[str, Dispatch]:
        found: dict[str, Dispatch] = {}
        wanted = sorted({int(ref.partition("/")[0]) for ref in refs})
        for batch in batches(wanted):
            found |= self._page(batch)
        return {ref: dispatch for ref, dispatch in found.items() if ref in refs}

    def _page(self, ids: Sequence[int]) -> dict[str, Dispatch]:
        rows = self.by_id(MODEL, ids, FIELDS, lane=LANE)
        moves = self.by_id("stock.move", _all(rows, "outgoing_moves"), MOVE_FIELDS, lane=LANE)
        packages = self.by_id("stock.package", _all(rows, "packages"), TRACKING, lane=LANE)
        origins = {line for move in moves.values() if (line := of_line(move["origin"]))}
        lines = self.by_id("sale.line", origins, LINE_FIELDS, lane=LANE)
        kits = self._kits(moves.values(), lines)
        found: dict[str, Dispatch] = {}
        for id, row in rows.items():
            own = [moves[move] for move in row["outgoing_moves"] if move in moves]
            parcels = _parcels([row, *(packages[package] for package in row["packages"] if package in packages)])
            parts = self._parts(own, lines, kits.get(id, {}))
            for number, shipped in parts.items():
                if shipped is not None:
                    dispatch = _dispatch(_ref(id, number, parts), row, number, shipped, parcels, own)
                    found[dispatch.ref] = dispatch
        return found

    def _parts(
        self, moves: Iterable[Row], lines: Mapping[int, Row], kits: Mapping[int, int]
    ) -> dict[str, tuple[ShippedLine, ...] | None]:
        """What each order of ours has of a shipment, by its number; None where it is no whole number of pieces.

        Goods that belong to no line of an order are told as pieces of the order line "".
        """
        pieces: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        strange: Counter[tuple[str, str]] = Counter()
        broken: set[str] = set()
        for move in moves:
            if move["state"] in ("cancel", "cancelled"):
                continue
            line_id = of_line(move["origin"])
            line = lines.get(line_id)
            if line is None:
                strange["", str(move["product.code"])] += whole(move["quantity"])
                continue
            number = self.number_of(str(line["sale.channel_identifier"] or ""))
            identifier = str(line["channel_identifier"] or "").partition("/")[0]
            if line_id in kits:
                pieces[number][identifier, str(line["product.code"])] = kits[line_id]
            else:
                pieces[number][identifier, str(move["product.code"])] += whole(move["quantity"])
                broken |= {number} if whole(move["quantity"]) != move["quantity"] else set()
        pieces.pop("", None)
        for number in pieces:
            pieces[number] += strange
        return {
            number: None if number in broken else tuple(ShippedLine(line, sku, n) for (line, sku), n in counted.items())
            for number, counted in pieces.items()
        }

    def _kits(self, moves: Iterable[Row], lines: Mapping[int, Row]) -> dict[int, dict[int, int]]:
        """Shipment to sale line to the whole kits it completes, for kits of which only components move.

        A kit is shipped when the last of its components is, so the line's moves are taken in the order they were done.
        """
        found: defaultdict[int, dict[int, int]] = defaultdict(dict)
        other = {
            line: int(lines[line]["product"])
            for move in moves
            if (line := of_line(move["origin"])) in lines and move["product.code"] != lines[line]["product.code"]
        }
        recipes = self._recipes(set(other.values())) if other else {}
        kits = {line: recipes[product] for line, product in other.items() if product in recipes}
        if not kits:
            return found
        domain = [["origin", "in", [f"sale.line,{line}" for line in kits]], ["state", "=", "done"]]
        done = list(self.client.search_read("stock.move", domain, MOVE_FIELDS, lane=LANE))
        for line, recipe in kits.items():
            own = [move for move in done if of_line(move["origin"]) == line and move["product.code"] in recipe]
            for shipment, pieces in _completed(own, recipe):
                found[shipment][line] = pieces
        return found

    def _recipes(self, products: Collection[int]) -> dict[int, dict[str, int]]:
        """The bills of materials of these products: component SKU to pieces in one kit."""
        bills = self.by_id("product.product", products, ("boms",), lane=LANE)
        homes = {bill: id for id, row in bills.items() for bill in row["boms"][:1]}
        domain = [["bom", "in", sorted(homes)]]
        fields = ("bom", "product.code", "quantity")
        found: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for row in self.client.search_read("production.bom.input", domain, fields, lane=LANE) if homes else ():
            found[homes[row["bom"]]][str(row["product.code"])] = max(1, whole(row["quantity"]))
        return found


def _completed(moves: Sequence[Row], recipe: Mapping[str, int]) -> Iterable[tuple[int, int]]:
    """(shipment, kits it completes) as one shipment of components follows another."""
    have: Counter[str] = Counter()
    told = 0
    shipments: defaultdict[int, list[Row]] = defaultdict(list)
    for move in sorted(moves, key=lambda move: (stamp_of(move), move["id"])):
        shipments[int(str(move["shipment"]).partition(",")[2])].append(move)
    for shipment, own in shipments.items():
        for move in own:
            have[str(move["product.code"])] += whole(move["quantity"])
        kits = min(have[part] // pieces for part, pieces in recipe.items())
        yield shipment, kits - told
        told = kits


def _dispatch(
    ref: str, row: Row, number: str, lines: Iterable[ShippedLine], parcels: tuple[Parcel, ...], moves: Sequence[Row]
) -> Dispatch:
    life = LIVES.get(str(row["state"]), "open")
    done = [move for move in moves if move["state"] == "done"]
    return Dispatch(
        ref=ref,
        number=str(row["number"]),
        order_number=number,
        life=life,
        lines=tuple(line for line in lines if line.quantity),
        service=str(row["carrier_service.code"] or row["carrier.name"] or ""),
        parcels=parcels,
        dispatched_at=moment_of(row["effective_date"], done) if life != "open" else None,
        stamp=stamp_of(row),
    )


def _parcels(labelled: Iterable[Row]) -> tuple[Parcel, ...]:
    """Every tracking number once, the master's first."""
    found: dict[str, Parcel] = {}
    for row in labelled:
        number = str(row["tracking_number.tracking_number"] or "")
        if number and row["tracking_number.state"] not in VOID:
            found.setdefault(number, Parcel(number, str(row["tracking_number.tracking_url"] or "")))
    return tuple(found.values())


def _ref(shipment: int, number: str, ours: Collection[str]) -> str:
    """A shipment's id; with the order's number when several orders of ours share it."""
    return f"{shipment}/{number}" if len(set(ours)) > 1 else str(shipment)


def _all(rows: Mapping[int, Row], field: str) -> list[int]:
    return [id for row in rows.values() for id in row[field]]

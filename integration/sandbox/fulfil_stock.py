"""What lies where: stock as the sum of its moves, as Tryton keeps it.

A warehouse has an input zone, a storage zone (which is its output too, so an outgoing shipment has no inventory moves)
and a quarantine. On hand counts all three; available is what lies in storage less what open moves and confirmed sales
will take from there, and may be negative. Quantities are floats, as the wire has them.

Unconfirmed: the zones' names, the quarantine, the exact formula of available, `last_stock_change`. A bundle "built on the
fly" holds nothing: each of its moves has one move for each component beside it (origin `stock.move,<id>`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from integration.sandbox import catalogue
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_seed import CUSTOMERS, LOST_FOUND, PRODUCTION, SUPPLIERS
from integration.sandbox.fulfil_steps import COUNT_METHODS, MOVE_METHODS, step
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

_OPEN = ("staging", "draft", "assigned")
_OUTSIDE = (CUSTOMERS, SUPPLIERS)


@dataclass(frozen=True)
class Level:
    """A product in one place or in several together."""

    on_hand: float
    available: float
    buildable: float = 0.0

    @property
    def words(self) -> dict[str, float]:
        return {"quantity_on_hand": self.on_hand, "quantity_available": self.available}


class Stock:
    """Levels, moves and counts. `changed` are the products touched since somebody last emptied it."""

    def __init__(self, records: Records, switches: FulfilSwitches) -> None:
        self._records, self._switches = records, switches
        goods = catalogue.GOODS
        plain = [sku for sku in (*catalogue.ERP_SKUS, *catalogue.SYNTHETIC) if not goods[sku].is_bundle]
        self._opening = {records.find("product.product", "code", sku)[0]["id"] for sku in plain}
        self.changed: dict[int, None] = {}
        records.watchers["stock.move"] = lambda move: self.touch(move["product"])

    def touch(self, product: int | None) -> None:
        """The level of a product may have changed."""
        if product is not None:
            self.changed[product] = None

    def warehouses(self) -> list[Row]:
        return [row for row in self._records.rows["stock.location"].values() if row["type"] == "warehouse"]

    def warehouse(self, which: int | str) -> Row:
        """By id or code; raises `ValueError` for none."""
        for row in self.warehouses():
            if which in (row["id"], row["code"]):
                return row
        raise ValueError(f"no warehouse {which!r}")

    def product(self, sku: str) -> Row:
        """Raises `ValueError` for an unknown SKU."""
        for row in self._records.find("product.product", "code", sku):
            return row
        raise ValueError(f"no product {sku!r}")

    def known(self, product: Any) -> Row:
        """By id; raises the 404 for none."""
        return self._records.get("product.product", product)

    # ------------------------------------------------------------------------------------------------- levels

    def level(self, product: Row, locations: Iterable[int] | None = None) -> Level:
        """The sum over warehouses or zones by id; without any, over all warehouses."""
        places = [row["id"] for row in self.warehouses()] if locations is None else list(locations)
        return self.levels(product, [places])[0]

    def levels(self, product: Row, groups: list[list[int]]) -> list[Level]:
        """The level of each group of warehouses or zones."""
        if product["boms"]:
            return [Level(0.0, 0.0, self._buildable(product, places)) for places in groups]
        lying, wanted = self.lying(product["id"]), self._wanted(product["id"])
        return [self._sum(places, lying, wanted) for places in groups]

    def _sum(self, places: list[int], lying: Mapping[int, float], wanted: Mapping[int, float]) -> Level:
        on_hand = available = 0.0
        for place in places:
            row = self._records.rows["stock.location"].get(place, {})
            own = row.get("type") == "warehouse"
            storage = row["storage_location"] if own else place
            on_hand += sum([lying.get(row[name], 0.0) for name in ZONES]) if own else lying.get(place, 0.0)
            if own or self._is_storage(place):
                available += lying.get(storage, 0.0) - wanted.get(storage, 0.0)
        return Level(on_hand, available)

    def lying(self, product: int) -> defaultdict[int, float]:
        """What lies in each zone, by its id."""
        found: defaultdict[int, float] = defaultdict(float)
        if product in self._opening:
            for warehouse in self.warehouses():
                found[warehouse["storage_location"]] += catalogue.OPENING_STOCK
        for move in self._records.find("stock.move", "product", product):
            if move["state"] == "done":
                found[move["from_location"]] -= move["quantity"]
                found[move["to_location"]] += move["quantity"]
        return found

    def _wanted(self, product: int) -> defaultdict[int, float]:
        """What will leave each zone: open moves, and confirmed sales that have no moves yet."""
        found: defaultdict[int, float] = defaultdict(float)
        for move in self._records.find("stock.move", "product", product):
            if move["state"] in _OPEN:
                found[move["from_location"]] += move["quantity"]
        for sale in self._records.find("sale.sale", "state", "confirmed"):
            for line in self._records.find("sale.line", "sale", sale["id"]):
                quantity = float(line["quantity"] or 0) * self._share(line["product"], product)
                warehouse = self._records.rows["stock.location"].get(line["warehouse"] or sale["warehouse"])
                if quantity > 0 and warehouse:
                    found[warehouse["storage_location"]] += quantity
        return found

    def _share(self, sold: int | None, product: int) -> float:
        """How many pieces of `product` one piece sold takes."""
        if sold == product:
            return 1.0
        return self.components(sold).get(product, 0.0) if sold else 0.0

    def _buildable(self, bundle: Row, places: list[int]) -> float:
        """What the components in each place suffice for, added up."""
        parts = self.components(bundle["id"])
        products = self._records.rows["product.product"]
        total = 0.0
        for place in places:
            counts = [self.level(products[part], [place]).available // quantity for part, quantity in parts.items()]
            total += max(0.0, min(counts, default=0.0))
        return total

    def _is_storage(self, zone: int) -> bool:
        parent = self._records.rows["stock.location"].get(zone, {}).get("parent")
        return parent is not None and self._records.rows["stock.location"][parent]["storage_location"] == zone

    def components(self, product: int) -> dict[int, float]:
        """Product id to quantity of what one bundle consists of; empty for anything else."""
        known = self._records.rows["product.product"]
        boms = known[product]["boms"] if product in known else []
        lines = [line for bom in boms for line in self._records.find("production.bom.input", "bom", bom)]
        return {line["product"]: line["quantity"] for line in lines if line["product"] in known}

    def last_change(self, product: Row) -> datetime | None:
        """When a move of the product was last made or changed, naive UTC."""
        moves = self._records.find("stock.move", "product", product["id"])
        return max((move["write_date"] or move["create_date"] for move in moves), default=None)

    def get_product_inventory(self, products: Any, locations: Any) -> dict[str, dict[str, Row]]:
        """Product id to location id to its two quantities; the keys are strings, as JSON has them."""
        if not isinstance(products, list) or not isinstance(locations, list):
            raise user_error("get_product_inventory takes a list of products and a list of locations.")
        rows = [self._records.get("product.product", id) for id in products]
        return {str(row["id"]): {str(place): self.level(row, [place]).words for place in locations} for row in rows}

    # -------------------------------------------------------------------------------------------------- moves

    def make(self, product: int, quantity: float, source: int, target: int, **words: Any) -> Row:
        """A draft move; `words`: state, shipment and origin (References), planned_date."""
        values = {"product": product, "quantity": quantity, "uom": "Unit", "from_location": source}
        move = self._records.insert("stock.move", {"state": "draft"} | words | values | {"to_location": target})
        for part, each in self.components(product).items():
            origin = {"origin": f"stock.move,{move['id']}", "planned_date": move["planned_date"]}
            self._records.insert("stock.move", origin | self._beside(move, part, each))
        return move

    def change(self, move: Row, **values: Any) -> None:
        """Change a move, and the moves of its components with it."""
        if values.get("state") == "done":
            values.setdefault("effective_date", self._records.now().date())
        self._records.update("stock.move", move, values)
        self.follow(move)

    def follow(self, move: Row) -> None:
        """Let the moves of the components agree with their bundle's move."""
        each = self.components(move["product"])
        for part in self._records.find("stock.move", "origin", f"stock.move,{move['id']}"):
            if part["product"] in each:
                self._records.update("stock.move", part, self._beside(move, part["product"], each[part["product"]]))

    def check(self, move: Row) -> None:
        """Raises the UserError when a move may not be changed by hand any more (Tryton)."""
        if move["state"] in ("done", "cancel"):
            raise user_error(f'You can not modify move "{move["rec_name"]}" because it is in "{move["state"]}" state.')

    def settle(self, move: Row, given: Row) -> None:
        """A move written by hand: what it needs, and what follows for its components."""
        for name in ("product", "quantity", "from_location", "to_location"):
            if move[name] is None:
                raise user_error(f'The field "{name}" on "Stock Move" is required.')
        self._records.update("stock.move", move, {"quantity": float(move["quantity"])}, touch=False)
        self.follow(move)

    def split(self, move: Row, quantity: float) -> Row:
        """Take `quantity` out of an open move; the new move that holds it."""
        words = {name: move[name] for name in ("state", "shipment", "origin", "planned_date")}
        self.change(move, quantity=move["quantity"] - quantity)
        return self.make(move["product"], quantity, move["from_location"], move["to_location"], **words)

    def resize(self, line: Row) -> None:
        """The one open move of a changed sale line takes its new quantity."""
        moves = self._records.find("stock.move", "origin", f"sale.line,{line['id']}")
        if [move["state"] in _OPEN for move in moves] == [True]:
            self.change(moves[0], product=line["product"], quantity=abs(line["quantity"]))

    def step(self, move: Row, method: str) -> None:
        """A state method of stock.move; raises the UserError when the state does not allow it."""
        target = step(self._switches, "Stock move", MOVE_METHODS, move, method)
        if target:
            self.change(move, state=target)

    def _beside(self, move: Row, part: int, each: float) -> Row:
        """The move of a component: what comes from or goes to customers is taken apart and built in production."""
        source, target = (
            PRODUCTION if move[name] in _OUTSIDE else move[name] for name in ("from_location", "to_location")
        )
        names = ("state", "effective_date")
        words = {"product": part, "quantity": move["quantity"] * each, "uom": "Unit", **{n: move[n] for n in names}}
        return words | {"from_location": source, "to_location": target}

    # ------------------------------------------------------------------------------------------------- counts

    def count(self, count: Row, method: str) -> None:
        """A method of stock.inventory: `complete` notes what is expected, `confirm` makes the difference a move."""
        target = step(self._switches, "Inventory", COUNT_METHODS, count, method)
        lines = self._records.find("stock.inventory.line", "inventory", count["id"])
        products = [line["product"] for line in lines]
        if len(set(products)) < len(products):
            raise user_error(f"A product appears twice in the inventory {count['rec_name']}.")
        place = self._records.get("stock.location", count["location"])
        zone = place["storage_location"] or place["id"]
        if target is None:
            return
        moves: list[int] = []
        for line in lines if method != "cancel" else ():
            expected = self.lying(line["product"])[zone]
            self._records.update("stock.inventory.line", line, {"expected_quantity": expected})
            change = float(line["quantity"] or 0) - expected
            if method == "confirm" and change:
                lost = count["lost_found"] or LOST_FOUND
                source, goal = (lost, zone) if change > 0 else (zone, lost)
                moves.append(self._adjustment(line, abs(change), source, goal, count["date"]))
        self._records.update("stock.inventory", count, {"state": target, "moves": count["moves"] + moves})

    def _adjustment(self, line: Row, quantity: float, source: int, target: int, day: date | None) -> int:
        origin = f"stock.inventory.line,{line['id']}"
        move = self.make(line["product"], quantity, source, target, origin=origin, planned_date=day)
        self.change(move, state="done")
        return int(move["id"])

    def set_on_hand(self, sku: str, quantity: float, warehouse: int | str) -> int:
        """A count of one product's storage that finds `quantity`; the id of the count."""
        place, product = self.warehouse(warehouse), self.product(sku)
        words = {"location": place["id"], "lost_found": LOST_FOUND, "type": "cycle", "state": "draft"}
        count = self._records.insert("stock.inventory", words | {"date": self._records.now().date()})
        line = {"inventory": count["id"], "product": product["id"], "quantity": float(quantity)}
        self._records.insert("stock.inventory.line", line)
        self.count(count, "confirm")
        return int(count["id"])

    def receive_goods(self, sku: str, quantity: float, warehouse: int | str) -> int:
        """Goods from a supplier, put into storage at once; the id of the move."""
        place = self.warehouse(warehouse)["storage_location"]
        move = self.make(self.product(sku)["id"], float(quantity), SUPPLIERS, place)
        self.change(move, state="done")
        return int(move["id"])


ZONES = ("input_location", "storage_location", "quarantine_location")
"""The fields of a warehouse that name its zones."""

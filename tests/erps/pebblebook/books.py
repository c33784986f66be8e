"""What Pebblebook keeps, and its rules. Amounts are decimal strings, quantities whole pieces.

Every record has an `id`, a `version` that grows by one with every change, and the instant `changed_at`. Among what is not
cancelled a `reference` is unique in its collection.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from integration.sandbox import catalogue
from integration.sandbox.clock import Clock

Row = dict[str, Any]

CHANNELS = range(1, 8)
WAREHOUSES = (1, 2, 3)
TRACKED_AT = {"post": "https://post.example/?n=", "courier": "https://courier.example/?n="}
TAXES = {f"{c.code}-{p.normalize():f}" for c in catalogue.COUNTRIES.values() for p in (*c.taxes.values(), Decimal(0))}
BINS = {"restock": "shelf", "quarantine": "cage", "scrap": "skip"}
"""Where what came back is put, by what a sandbox's warehouse is told."""


class Refused(Exception):
    """A call that changes nothing. `key` is the word of the request that it is about."""

    def __init__(self, code: str, message: str, key: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status = 409 if code == "duplicate" else 422
        self.document = {"code": code, "message": message, "key": key} | more


class Books:
    """The records of one tenant, by collection and id."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.closed_until = ""
        self.kept: dict[str, dict[int, Row]] = {
            name: {} for name in ("items", "orders", "shipments", "returns", "credits")
        }
        self.on_hand: Counter[tuple[str, int]] = Counter()
        self.moved: dict[str, datetime] = {}
        self.hidden_until: dict[int, datetime] = {}
        self._last_id = 0
        for sku in catalogue.ERP_SKUS:
            good = catalogue.GOODS[sku]
            name = f"{good.product_name} {good.variant_name} {good.size_name}"
            price = str(good.prices["GBP"])
            self.add_item(sku, name=name, ean=good.ean, price=price, parts=dict(good.parts))
            for place in WAREHOUSES if not good.parts else ():
                self.on_hand[sku, place] = Decimal(catalogue.OPENING_STOCK)

    # ------------------------------------------------------------------------------------------------------- records

    def add_item(self, sku: str, **words: Any) -> Row:
        told = {"name": "Added item", "ean": "", "price": "0", "parts": {}, "active": True}
        self.moved.setdefault(sku, self.clock.now())
        return self.keep("items", {"sku": sku} | told | words)

    def create(self, collection: str, document: Row, *, hidden: float = 0.0, off: bool = False) -> Row:
        """A new record. For `hidden` seconds no query but one by id shows it; `off`: its first tax is one step too high."""
        make = {"orders": self._order, "returns": self._return, "credits": self._credit}.get(collection)
        if make is None:
            raise Refused("not_made_here", f"{collection} are not made by a call")
        reference = document["reference"]
        for row in self.kept[collection].values():
            if reference and row["reference"] == reference and row["state"] != "cancelled":
                raise Refused("duplicate", f"{reference} is there already", reference, id=row["id"])
        made = make(document)
        if off:
            tax = Decimal(made["lines"][0]["tax"])
            made["lines"][0]["tax"] = str(tax + Decimal(1).scaleb(int(tax.as_tuple().exponent)))
        row = self.keep(collection, made)
        self.hidden_until[row["id"]] = self.clock.now() + timedelta(seconds=hidden)
        return row

    def act(self, collection: str, id: int, verb: str) -> Row:
        """`cancel` anything, `post` a credit; what is so already stays so."""
        row = self.kept.get(collection, {}).get(id)
        if row is None:
            raise Refused("not_there", f"{collection} have no {id}", str(id))
        if (collection, verb) == ("credits", "post"):
            if row["state"] == "draft" and row["date"] <= self.closed_until:
                raise Refused("period_closed", f"The books are closed until {self.closed_until}")
            wanted, before = "posted", ("draft",)
        elif verb == "cancel":
            wanted, before = (
                "cancelled",
                {"orders": ("open",), "returns": ("expected",), "credits": ("draft",)}.get(collection, ()),
            )
        else:
            raise Refused("no_such_verb", f"{collection} cannot {verb}", verb)
        if row["state"] == wanted:
            return row
        if row["state"] not in before:
            raise Refused("too_late", f"It is {row['state']}")
        self._moves(row["lines"] if collection == "orders" else [])
        return self.change(row, state=wanted)

    def change(self, row: Row, **values: Any) -> Row:
        row.update(values, version=row["version"] + 1, changed_at=self.clock.now().isoformat())
        return row

    def keep(self, collection: str, row: Row) -> Row:
        self._last_id += 1
        row |= {"id": self._last_id, "number": f"{collection[0].upper()}{self._last_id:05d}", "version": 0}
        self.kept[collection][self._last_id] = row
        return self.change(row)

    # ----------------------------------------------------------------------------------------------------- documents

    def _order(self, told: Row) -> Row:
        _known(told["channel"], CHANNELS, "channel")
        _known(told["warehouse"], WAREHOUSES, "warehouse")
        _known(told["carrier"], TRACKED_AT, "carrier")
        _add_up(told)
        sold = {item["sku"] for item in self.kept["items"].values() if item["active"]}
        for line in told["lines"]:
            _known(line["sku"], sold | {""}, "sku")
            _known(line["tax_code"], TAXES, "tax")
        lines = [line | {"sent": 0} for line in told["lines"]]
        self._moves(lines)
        return told | {"state": "open", "lines": lines}

    def _return(self, told: Row) -> Row:
        order = self._order_of(told["order"])
        lines = []
        for asked in told["lines"]:
            (line,) = [line for line in order["lines"] if line["key"] == asked["key"]] or [{"sku": ""}]
            _known(asked["key"], {line.get("key")}, "line")
            if asked["quantity"] > line["sent"] - self._coming_back(order["id"], line["key"]):
                raise Refused("too_many", "More than has been sent and not been returned", asked["key"])
            lines.append(asked | {"sku": line["sku"], "received": 0, "bins": {}})
        return told | {
            "state": "expected", "lines": lines, "received_at": None, "order_reference": order["reference"],
        }  # fmt: skip

    def _coming_back(self, order: int, key: str) -> int:
        living = [row for row in self.kept["returns"].values() if row["order"] == order and row["state"] != "cancelled"]
        return sum(line["quantity"] for row in living for line in row["lines"] if line["key"] == key)

    def _credit(self, told: Row) -> Row:
        order = self._order_of(told["order"])
        _known(told["currency"], {order["currency"]}, "currency")
        _add_up(told)
        for line in told["lines"]:
            _known(line["tax_code"], TAXES | {""}, "tax")
            _known(line["sku"], {sold["sku"] for sold in order["lines"]} | {""}, "sku")
        return told | {"state": "draft", "order_reference": order["reference"]}

    def _order_of(self, id: int) -> Row:
        _known(id, self.kept["orders"], "order")
        return self.kept["orders"][id]

    # --------------------------------------------------------------------------------------------------------- stock

    def parts_of(self, sku: str) -> Mapping[str, int]:
        """The stocked pieces in one: its own, or a kit's."""
        item = next((item for item in self.kept["items"].values() if item["sku"] == sku), None)
        return item["parts"] or {sku: 1} if item else {}

    def _moves(self, lines: list[Row]) -> None:
        self.moved |= {sku: self.clock.now() for line in lines for sku in self.parts_of(line["sku"])}

    def put(self, sku: str, warehouse: int, pieces: float | Decimal) -> None:
        """So many pieces more, or fewer, lie in a warehouse."""
        self.on_hand[sku, warehouse] += Decimal(str(pieces))
        self._moves([{"sku": sku}])

    def levels(self, skus: list[str], warehouses: list[int]) -> Iterator[Row]:
        """`on_hand`, and `available`: less what open orders have reserved. A kit is what can be built of its parts."""
        items = {item["sku"]: item for item in self.kept["items"].values() if item["active"]}
        reserved: Counter[tuple[str, int]] = Counter()
        for order in self.kept["orders"].values():
            for line in order["lines"] if order["state"] in ("open", "packed") else ():
                for part, each in self.parts_of(line["sku"]).items():
                    reserved[part, order["warehouse"]] += each * (line["quantity"] - line["sent"])
        for sku in skus:
            if sku in items:
                recipe = items[sku]["parts"] or {sku: 1}
                here = {part: sum(Decimal(self.on_hand[part, w]) for w in warehouses) for part in recipe}
                free = {part: here[part] - sum(reserved[part, w] for w in warehouses) for part in recipe}
                on_hand, available = (min(side[p] / each for p, each in recipe.items()) for side in (here, free))
                yield {"sku": sku, "on_hand": str(on_hand), "available": str(available)}


def _known(word: Any, words: Any, what: str) -> None:
    if word not in words:
        raise Refused(f"unknown_{what}", f"There is no {what} {word}", str(word))


def _add_up(told: Row) -> None:
    """A document says its total, and each key of it once."""
    found = sum(Decimal(line["net"]) + Decimal(line["tax"]) for line in told["lines"])
    if found != Decimal(told["total"]):
        raise Refused("totals", f"The lines are {found} together, the document says {told['total']}")
    for key, times in Counter(line["key"] for line in told["lines"]).items():
        if times > 1:
            raise Refused("repeated_key", "A line's key is there twice", key)

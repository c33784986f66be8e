"""An ERP of the simulated world as the judges know it: where it is reached, and what its own books say in words of ours.

No code of the product is in here, so that an adapter's mistake is nobody else's. A shelf is (Centra's warehouse, SKU); goods
are named by the SKU that is stocked, a bundle by its parts.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from integration.sandbox.catalogue import FULFIL_BUILDINGS, GOODS
from integration.sandbox.fulfil import TOKEN, Fulfil

PREFIX, RETURN, REFUND = "centra-", "return-", "refund-"
"""How our references of orders, returns and refunds begin in an ERP."""
FULFIL, ORDERWISE = "fulfil.test", "orderwise.test"
Shelf = tuple[int, str]
Goods = tuple[tuple[str, int], ...]


class Sale(NamedTuple):
    """A sales order: `scope` within which a reference may stand once, `counts` unless it was cancelled."""

    id: str
    scope: str
    reference: str
    counts: bool


class Memo(NamedTuple):
    """A credit note that was not cancelled: `amount` is what is given back."""

    posted: bool
    amount: Decimal
    words: str


class Left(NamedTuple):
    """Pieces that left a shelf for an order."""

    order: int
    shelf: Shelf
    pieces: int


class Erp(Protocol):
    """One ERP. Whatever is read is as of now."""

    connection: str
    host: str
    houses: Collection[int]
    """Centra's warehouses that it stands behind."""

    @property
    def tenant(self) -> Any:
        """Its sandbox."""

    def changes(self) -> int:
        """Moves on whenever its books may have changed."""

    def moves(self) -> int:
        """The same whenever pieces may have moved."""

    def sales(self) -> list[Sale]: ...

    def sale(self, id: str) -> Mapping[str, Any]:
        """`total`, `tax`, `untaxed`, `currency`, `lines` (SKU, pieces, _, net amount, _) and `additions` of its own."""

    def wanted(self, what: str, body: Any) -> str:
        """The reference of the order that a request asks for; empty for any other request."""

    def dispatches(self) -> Mapping[int, list[tuple[str, Goods]]]:
        """What has left its warehouses, by order: (our number of the dispatch, goods)."""

    def undone(self) -> Mapping[int, list[tuple[str, Goods]]]:
        """The same of what had left and was taken back."""

    def memos(self) -> Mapping[str, list[Memo]]:
        """By our number of the refund."""

    def receipts(self) -> Mapping[int, list[str]]:
        """How far goods are that come back: draft, received or done, by Centra's return."""

    def lying(self, skus: Collection[str]) -> dict[Shelf, int]:
        """Pieces in storage."""

    def left(self) -> list[Left]: ...

    def available(self, skus: Collection[str]) -> dict[Shelf, int]:
        """What it says can be sold."""

    def held(self) -> Mapping[int, Counter[str]]:
        """Pieces by order that it has deducted from what can be sold."""

    def pack(self, which: int) -> None: ...

    def waiting(self) -> list[int]:
        """What could be packed or shipped."""

    def set_stock(self, shelf: Shelf, pieces: float) -> None:
        """A count finds so many."""

    def goods_in(self, shelf: Shelf, pieces: int) -> None: ...

    def revoke(self) -> None:
        """Our token or password does not work any more."""

    def grant(self) -> None:
        """It works again."""


class FulfilBooks:
    """`Erp`."""

    connection, host, houses = "fulfil", FULFIL, tuple(FULFIL_BUILDINGS)

    def __init__(self, fulfil: Fulfil) -> None:
        self.tenant = fulfil
        self._records = fulfil._records
        self._moved = 0
        self._told = self._records.watchers["stock.move"]
        self._records.watchers["stock.move"] = self._moves

    def changes(self) -> int:
        return sum(self.tenant.requests.values())

    def _moves(self, move: Any) -> None:
        self._moved += 1
        self._told(move)

    def moves(self) -> int:
        return self._moved

    def sales(self) -> list[Sale]:
        """Those that sell; what Fulfil expects back is a sale, too."""
        return [
            Sale(str(sale["id"]), str(sale["channel"]), str(sale["channel_identifier"]), sale["state"] != "cancel")
            for sale in self._records.rows["sale.sale"].values()
            if not str(sale["channel_identifier"]).startswith(RETURN)
        ]

    def sale(self, id: str) -> Mapping[str, Any]:
        (found,) = [sale for sale in self.tenant.books()["sales"] if str(sale["id"]) == id]
        return {"additions": (), **found}

    def wanted(self, what: str, body: Any) -> str:
        return str(json.loads(body)[1]["channel_identifier"]) if what == "create_order" else ""

    def _reference(self, sale: int) -> str:
        return str(self._records.rows["sale.sale"][sale]["channel_identifier"])

    def dispatches(self) -> Mapping[int, list[tuple[str, Goods]]]:
        found: dict[int, list[tuple[str, Goods]]] = defaultdict(list)
        for shipment in self._records.rows["stock.shipment.out"].values():
            if shipment["state"] != "done":
                continue
            gone: Counter[str] = Counter()
            for id in shipment["outgoing_moves"]:
                move = self._records.rows["stock.move"][id]
                gone[self._records.rows["product.product"][move["product"]]["code"]] += round(move["quantity"])
            for reference in map(self._reference, shipment["sales"]):
                if reference.startswith(PREFIX):
                    told = (f"{self.connection}-{shipment['id']}", tuple(sorted(gone.items())))
                    found[int(reference.removeprefix(PREFIX))].append(told)
        return found

    def undone(self) -> Mapping[int, list[tuple[str, Goods]]]:
        """Nothing: what is done in Fulfil stays so."""
        return defaultdict(list)

    def memos(self) -> Mapping[str, list[Memo]]:
        found: dict[str, list[Memo]] = defaultdict(list)
        for invoice in self._records.rows["account.invoice"].values():
            reference, state = str(invoice["reference"]), invoice["state"]
            if reference.startswith(REFUND) and state != "cancel":
                amount = -Decimal(invoice["total_amount"])
                told = Memo(state in ("posted", "paid"), amount, f"{state} {invoice['total_amount']}")
                found[reference.removeprefix(REFUND)].append(told)
        return found

    def receipts(self) -> Mapping[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for shipment in self._records.rows["stock.shipment.out.return"].values():
            for reference in map(self._reference, shipment["sales"]):
                if reference.startswith(RETURN) and shipment["state"] != "cancel":
                    found[int(reference.removeprefix(RETURN))].append(str(shipment["state"]))
        return found

    def lying(self, skus: Collection[str]) -> dict[Shelf, int]:
        stock, found = self.tenant._states.stock, {}
        for sku in skus:
            lies = stock.lying(stock.product(sku)["id"])
            for house in self.houses:
                storage = self._records.rows["stock.location"][self._building(house)]["storage_location"]
                found[house, sku] = round(lies[storage])
        return found

    def left(self) -> list[Left]:
        found = []
        house_of = {place.fulfil_id: house for house, place in FULFIL_BUILDINGS.items()}
        for shipment in self._records.rows["stock.shipment.out"].values():
            orders = [r for r in map(self._reference, shipment["sales"]) if r.startswith(PREFIX)]
            if shipment["state"] != "done" or not orders:
                continue
            for id in shipment["outgoing_moves"]:
                move = self._records.rows["stock.move"][id]
                sku = self._records.rows["product.product"][move["product"]]["code"]
                for part, each in GOODS[sku].parts or ((sku, 1),):
                    shelf = (house_of[shipment["warehouse"]], part)
                    found.append(Left(int(orders[0].removeprefix(PREFIX)), shelf, round(move["quantity"] * each)))
        return found

    def available(self, skus: Collection[str]) -> dict[Shelf, int]:
        stock = self.tenant._states.stock
        return {
            (house, sku): round(stock.level(stock.product(sku), [self._building(house)]).available)
            for sku in skus
            for house in self.houses
        }

    def held(self) -> Mapping[int, Counter[str]]:
        found: dict[int, Counter[str]] = defaultdict(Counter)
        for sale in self._records.rows["sale.sale"].values():
            reference = str(sale["channel_identifier"])
            if not reference.startswith(PREFIX) or sale["state"] in ("cancel", "draft", "quotation"):
                continue
            for line in self._records.find("sale.line", "sale", sale["id"]):
                product = self._records.rows["product.product"].get(line["product"])
                for sku, each in (GOODS[product["code"]].parts or ((product["code"], 1),)) if product else ():
                    found[int(reference.removeprefix(PREFIX))][sku] += round(line["quantity"] * each)
        return found

    def pack(self, which: int) -> None:
        self.tenant.pack(which)

    def waiting(self) -> list[int]:
        rows = self._records.rows["stock.shipment.out"].values()
        return [shipment["id"] for shipment in rows if shipment["state"] == "waiting"]

    def set_stock(self, shelf: Shelf, pieces: float) -> None:
        self.tenant.adjust(shelf[1], pieces, self._building(shelf[0]))

    def goods_in(self, shelf: Shelf, pieces: int) -> None:
        self.tenant.receive_goods(shelf[1], pieces, self._building(shelf[0]))

    def _building(self, house: int) -> int:
        return FULFIL_BUILDINGS[house].fulfil_id

    def revoke(self) -> None:
        self.tenant.revoke(TOKEN)

    def grant(self) -> None:
        self.tenant.grant(TOKEN)

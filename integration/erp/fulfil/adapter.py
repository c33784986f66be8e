"""Fulfil as an `ERP`."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from integration import translation
from integration.domain.order import Order
from integration.domain.proof import Value
from integration.erp.fulfil import wire
from integration.erp.fulfil.client import FulfilClient, UserError
from integration.erp.fulfil.credit import Credit
from integration.erp.fulfil.products import Products
from integration.erp.fulfil.returns import Returns
from integration.erp.fulfil.shipments import Shipments
from integration.erp.fulfil.stock import Stock
from integration.erp.fulfil.tenant import (
    CANCELLED,
    PREFIX,
    SEARCH_LAG,
    batches,
    changed,
    fingerprint,
    named_id,
    stamp_of,
    whole,
)
from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http
from integration.ports import CANCELLATION, ERP, SALES_ORDER, Booking, Draft, EffectClass, Standing, Write
from mappings import Mapping as Mapped


class Fulfil(Stock, Shipments, Returns, Credit, Products):
    """One Fulfil tenant: orders here, the rest of their life in the parts it is made of."""

    def items(self, skus: Collection[str]) -> Mapping[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(skus)
        for batch in batches(sorted(skus)):
            domain = [["code", "in", batch]]
            for row in self.client.search_read("product.product", domain, ("code", "active"), lane="orders"):
                if row["code"] in found and row["active"]:
                    found[row["code"]] = str(row["id"])
        return found

    def compose(self, order: Order, mapping: Mapped) -> Draft:
        market = translation.market_of(order, mapping)
        found = translation.priced(order, mapping)
        reference = self.reference(order.number)
        request = wire.order_request(reference, found, mapping)
        body = {"channel": market.channel, "file": mapping.file, "order": request}
        return Draft(
            reference=reference,
            request=body,
            fingerprint=fingerprint(body),
            components={"channel": market.channel, "warehouse": market.warehouse}
            | wire.our_components(request, order.currency),
            carried=translation.carried(found),
        )

    def order_write(self, draft: Draft) -> Write:
        return Write(
            name=SALES_ORDER,
            effect_class=EffectClass.UNIQUE_KEY,
            reference=draft.reference,
            fingerprint=draft.fingerprint,
            send=lambda: self._create(draft),
            find=lambda: self._refs(draft.reference),
            wait=SEARCH_LAG,
            takes=self.takes(1),
        )

    def _create(self, draft: Draft) -> str:
        request: Any = draft.request["order"]
        try:
            answer = self.client.call(
                "sale.channel", "create_order", [draft.request["channel"], request], lane="orders", writes=True
            )
        except UserError as error:
            if error.status == 404:
                channel = draft.request["channel"]
                cause = f"{draft.request['file']}:[markets] channel {channel}"
                raise Rejected("ORDER_MARKET_UNMAPPED", cause, f"Fulfil has no channel {channel}") from error
            if "unique" in error.words.lower():
                raise Unknown("Fulfil says our order exists already") from error
            raise wire.refusal(error.words, request, str(draft.request["file"])) from error
        return named_id(answer, "the order")

    def _refs(self, reference: str) -> list[str]:
        domain = [["channel_identifier", "=", reference]]
        rows = self.client.search_read("sale.sale", domain, ("state",), lane="orders")
        return [str(row["id"]) for row in rows]

    def keyed_by_hand(self, order: Order) -> Sequence[str]:
        domain = [
            ["channel_identifier", "=", None],
            ["create_date", ">=", order.placed_at],
            ["total_amount", "=", order.grand_total.decimal],
        ]
        sales = {
            sale["id"]: str(sale["number"] or sale["id"])
            for sale in self.client.search_read("sale.sale", domain, wire.BOOKING_FIELDS, lane="orders")
            if wire.booking(sale).life != "cancelled" and sale["currency.code"] == order.currency
        }
        goods = _pieces((line.sku, line.quantity) for line in order.lines)
        found = []
        for sale, lines in self._lines(list(sales)).items():
            pieces = _pieces((str(line["product.code"]), whole(line["quantity"])) for line in lines)
            if all(pieces[sku] == wanted for sku, wanted in goods.items()):  # shipping may be a line, too
                found.append(sales[sale])
        return found

    def cancel_write(self, reference: str, ref: str) -> Write:
        return Write(
            name=CANCELLATION,
            effect_class=EffectClass.UNIQUE_KEY,
            reference=reference,
            fingerprint=f"cancel {ref}",
            send=lambda: self._cancel(ref),
            find=lambda: [ref] if self._state(ref) in CANCELLED else [],
            wait=timedelta(0),
            takes=self.takes(3),
        )

    def _sale(self, ref: str, field: str) -> Any:
        """One field of a sale that is there, though a search may not show it yet."""
        rows = list(self.client.search_read("sale.sale", [["id", "=", int(ref)]], (field,), lane="orders"))
        if not rows:
            raise Unavailable(f"{self.name} does not show its sale {ref} now", system=self.name)
        return rows[0][field]

    def _state(self, ref: str) -> str:
        return str(self._sale(ref, "state"))

    def _cancel(self, ref: str) -> str:
        """Cancel the shipments, then the sale: the order of calls seen in production (Fulfil's own rule is unconfirmed)."""
        if self._state(ref) in CANCELLED:
            return ref
        try:
            wanted = [["id", "in", self._sale(ref, "shipments")]]
            for shipment in list(self.client.search_read("stock.shipment.out", wanted, ("state",), lane="orders")):
                if shipment["state"] not in CANCELLED:  # an earlier try may have come this far
                    self.client.act("stock.shipment.out", str(shipment["id"]), "cancel", lane="orders")
            self.client.act("sale.sale", ref, "cancel", lane="orders")
        except UserError as error:
            if self._state(ref) in CANCELLED:
                return ref
            message = "cancelled in Centra, but Fulfil will not cancel it any more"
            raise Rejected("ORDER_CANCEL_TOO_LATE", "fulfil:cancel", message, evidence=error.words) from error
        return ref

    def standing(self, references: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        found: dict[str, list[Standing]] = {reference: [] for reference in references}
        for batch in batches(sorted(references)):
            sales = list(
                self.client.search_read(
                    "sale.sale", [["channel_identifier", "in", batch]], wire.SALE_FIELDS, lane="orders"
                )
            )
            lines = self._lines([sale["id"] for sale in sales])
            for sale in sales:
                found[sale["channel_identifier"]].append(self._standing(sale, lines.get(sale["id"], [])))
        return found

    def _lines(self, sales: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
        lines: dict[int, list[Mapping[str, Any]]] = {}
        if sales:
            for row in self.client.search_read("sale.line", [["sale", "in", sales]], wire.LINE_FIELDS, lane="orders"):
                lines.setdefault(row["sale"], []).append(row)
        return lines

    def _standing(self, sale: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Standing:
        return Standing(
            ref=str(sale["id"]),
            reference=str(sale["channel_identifier"]),
            number=str(sale["number"] or ""),
            life=wire.LIVES.get(str(sale["state"]), "draft"),
            components=_place(sale) | wire.their_components(sale, lines) if lines else {},
            stamp=stamp_of(sale),
            problem="a channel exception holds the order" if sale["has_channel_exception"] else "",
        )

    def bookings(self, references: Collection[str]) -> Mapping[str, Sequence[Booking]]:
        found: dict[str, list[Booking]] = {reference: [] for reference in references}
        for batch in batches(sorted(references)):
            domain = [["channel_identifier", "in", batch]]
            for sale in self.client.search_read("sale.sale", domain, wire.BOOKING_FIELDS, lane="finance"):
                found[sale["channel_identifier"]].append(wire.booking(sale))
        return found

    def changed_since(self, since: datetime) -> Sequence[Standing]:
        domain = [
            ["channel_identifier", "like", f"{PREFIX}%"],
            changed(since),
        ]
        rows = self.client.search_read("sale.sale", domain, wire.SALE_FIELDS, lane="finance")
        return [self._standing(sale, []) for sale in rows]

    def check(self) -> str:
        told = self.client.call("res.user", "get_preferences", [True], lane="orders")
        return f"reachable; acting as a user with {len(told) if isinstance(told, dict) else 0} preferences"


def connect(name: str, http: Http, mapping: Mapped) -> ERP:
    """The adapter of a connection: what a mapping file's `adapter` line names must have this function."""
    return Fulfil(name, FulfilClient(http))


def headers(token: str) -> dict[str, str]:
    """How a personal access token travels."""
    return {"X-API-KEY": token}


def _pieces(lines: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for sku, quantity in lines:
        found[sku] += quantity
    return found


def _place(sale: Mapping[str, Any]) -> dict[str, Value]:
    """Where Fulfil put an order: a mapping that names the wrong channel or warehouse shows here."""
    return {"channel": sale["channel"], "warehouse": sale["warehouse"]}

"""Pebblebook as an `ERP`: the smallest adapter that keeps every contract, for whoever writes the next one.

Its orders and returns have a unique key, our reference: what was asked twice is there once, and is told by its id (class A). A
credit is a draft until it is posted, and is compared before (class B).
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from erps.pebblebook import wire
from erps.pebblebook.client import Client, Refusal, Row

from integration import translation
from integration.domain.credit import Refund
from integration.domain.money import Money
from integration.domain.order import Order
from integration.domain.product import ARCHIVED, ON_SALE, Item
from integration.domain.proof import compare
from integration.domain.returns import InspectedLine, Receipt, Return
from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http
from integration.ports import (
    CANCELLATION,
    CREDIT_MEMO,
    ERP,
    EXPECTED_RETURN,
    RETURN_CANCELLATION,
    SALES_ORDER,
    Booking,
    Draft,
    EffectClass,
    Figure,
    Hint,
    Memo,
    Standing,
    Write,
)
from mappings import Mapping as Mapped

ORDER, RETURN, REFUND = "centra-", "return-", "refund-"
"""What our references begin with."""

SEARCH_LAG = timedelta(seconds=20)
"""How long after a doubtful call a query may not show what it made."""

MARGIN = timedelta(seconds=5)


class Pebblebook:
    """One tenant."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.client = client

    def _write(
        self, name: str, effect: EffectClass, reference: str, asked: object, send: Callable[[], str],
        find: Callable[[], Sequence[str]], *, calls: int = 1,
    ) -> Write:  # fmt: skip
        takes = timedelta(seconds=self.client.http.timeouts.total) * calls + MARGIN
        return Write(name, effect, reference, _fingerprint(asked), send, find, SEARCH_LAG, takes)

    def _refs(self, collection: str, reference: str, *, lane: str) -> list[str]:
        """Ids of what stands under a reference."""
        rows = self.client.named(collection, "reference", [reference], lane=lane)
        return [str(row["id"]) for row in rows if row["state"] != "cancelled"]

    def _state(self, collection: str, ref: str, *, lane: str) -> str:
        for row in self.client.named(collection, "id", [int(ref)], lane=lane):
            return str(row["state"])
        raise Unavailable(f"{self.name} does not show {ref} of its {collection} now", system=self.name)

    def _cancel(self, collection: str, ref: str, too_late: Rejected, *, lane: str) -> str:
        try:
            return self.client.act(collection, ref, "cancel", lane=lane)
        except Refusal as refusal:
            too_late.evidence = refusal.words
            raise too_late from refusal

    def check(self) -> str:
        self.client.page("items", {"sku": []}, lane="orders")
        return "reachable"

    # -------------------------------------------------------------------------------------------------------- orders

    def reference(self, order_number: str) -> str:
        return f"{ORDER}{order_number}"

    def number_of(self, reference: str) -> str:
        number = reference.removeprefix(ORDER)
        return number if number != reference and number.isascii() and number.isdigit() else ""

    def items(self, skus: Collection[str]) -> Mapping[str, str | None]:
        rows = self.client.named("items", "sku", skus, lane="orders")
        return dict.fromkeys(skus) | {row["sku"]: str(row["id"]) for row in rows if row["active"]}

    def compose(self, order: Order, mapping: Mapped) -> Draft:
        market = translation.market_of(order, mapping)
        found = translation.priced(order, mapping)
        reference = self.reference(order.number)
        document = wire.order_document(reference, found, market, mapping)
        body = {"file": mapping.file, "document": document}
        return Draft(reference, body, _fingerprint(body), wire.components(document), translation.carried(found))

    def order_write(self, draft: Draft) -> Write:
        send = partial(self._create, "orders", draft.request, "ORDER_REJECTED_BY_ERP", "orders")
        find = partial(self._refs, "orders", draft.reference, lane="orders")
        return self._write(SALES_ORDER, EffectClass.UNIQUE_KEY, draft.reference, draft.request, send, find)

    def _create(self, collection: str, request: Mapping[str, Any], type: str, lane: str) -> str:
        try:
            return self.client.create(collection, request["document"], lane=lane)
        except Refusal as refusal:
            raise wire.refused(refusal, type, request["document"], request["file"]) from refusal

    def cancel_write(self, reference: str, ref: str) -> Write:
        message = "cancelled in Centra, but Pebblebook will not cancel it any more"
        too_late = Rejected("ORDER_CANCEL_TOO_LATE", f"{self.name}:cancel", message)
        send = partial(self._cancel, "orders", ref, too_late, lane="orders")

        def find() -> list[str]:
            return [ref] if self._state("orders", ref, lane="orders") == "cancelled" else []

        return self._write(CANCELLATION, EffectClass.UNIQUE_KEY, reference, ["cancel", ref], send, find)

    def standing(self, references: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        rows = self.client.named("orders", "reference", references, lane="orders")
        return {
            reference: [_standing(row) for row in rows if row["reference"] == reference] for reference in references
        }

    def keyed_by_hand(self, order: Order) -> Sequence[str]:
        return ()  # its list shows no goods

    def bookings(self, references: Collection[str]) -> Mapping[str, Sequence[Booking]]:
        found: dict[str, list[Booking]] = {reference: [] for reference in references}
        for row in self.client.named("orders", "reference", references, lane="finance"):
            total = Money.of(row["total"], row["currency"])
            found[row["reference"]].append(
                Booking(str(row["id"]), row["number"], wire.LIVES.get(row["state"], "draft"), total)
            )
        return found

    def changed_since(self, since: datetime) -> Sequence[Standing]:
        rows = self.client.changed("orders", since, lane="finance")
        return [_standing(row) for row in rows if self.number_of(row["reference"])]

    # --------------------------------------------------------------------------------------------------------- stock

    def figures(self, skus: Collection[str], warehouses: Collection[int]) -> Mapping[str, Figure]:
        rows = self.client.named("levels", "sku", skus, lane="stock", warehouses=sorted(warehouses))
        return {row["sku"]: Figure(_whole(row["on_hand"]), _whole(row["available"])) for row in rows}

    def moved_since(self, since: datetime) -> Collection[str]:
        return {row["sku"] for row in self.client.changed("levels", since, lane="stock")}

    def stocked(self, after: str) -> tuple[Sequence[str], str]:
        rows, following = self.client.page("items", {"after": int(after or 0)}, lane="stock")
        return [row["sku"] for row in rows if row["active"]], str(following or "")

    def definitions(self, skus: Collection[str], *, parts: bool = False) -> Sequence[Item]:
        rows = self.client.named("items", "sku", skus, lane="stock", alike=True)
        return [_item(row, parts=parts) for row in rows]

    def item(self, ref: str) -> Item:
        for row in self.client.named("items", "id", [int(ref)], lane="stock"):
            return _item(row, parts=True)
        raise Rejected("SCHEMA_CHANGE", f"{self.name}:items", f"Pebblebook has no item {ref} any more")

    def create_item(self, offer: Item, template: str) -> Write | None:
        """Items are a person's work here."""
        return None

    def deactivate_item(self, item: Item) -> Write | None:
        return None

    # ----------------------------------------------------------------------------------------------------- shipments

    def dispatched_since(self, since: datetime) -> Sequence[Hint]:
        rows = self.client.changed("shipments", since, lane="shipments")
        return [
            Hint(str(row["id"]), _stamp(row), number, row["number"])
            for row in rows
            if (number := self.number_of(row["reference"]))
        ]

    def keeps_lines(self, mapping: Mapped) -> bool:
        return True

    def dispatches(self, refs: Collection[str]) -> Mapping[str, Dispatch]:
        wanted = [int(ref) for ref in refs if ref.isdigit()]
        rows = self.client.named("shipments", "id", wanted, lane="shipments")
        return {str(row["id"]): self._dispatch(row) for row in rows if self.number_of(row["reference"])}

    def _dispatch(self, row: Row) -> Dispatch:
        return Dispatch(
            ref=str(row["id"]),
            number=row["number"],
            order_number=self.number_of(row["reference"]),
            life="done",
            lines=tuple(ShippedLine(line["key"], line["sku"], line["quantity"]) for line in row["lines"]),
            service=row["carrier"],
            parcels=tuple(Parcel(parcel["tracking"], parcel["url"]) for parcel in row["parcels"]),
            dispatched_at=datetime.fromisoformat(row["sent_at"]),
            stamp=_stamp(row),
        )

    # ------------------------------------------------------------------------------------------------------- returns

    def return_reference(self, number: str) -> str:
        return f"{RETURN}{number}"

    def return_number(self, reference: str) -> str:
        return reference.removeprefix(RETURN) if reference.startswith(RETURN) else ""

    def open_return(self, document: Return, order_ref: str, mapping: Mapped) -> Write:
        reference = self.return_reference(document.key.number)
        pieces: Counter[str] = Counter()
        for line in document.lines:
            pieces[line.order_line] += line.quantity
        told = [{"key": key, "quantity": quantity} for key, quantity in pieces.items()]
        asked = {"file": mapping.file, "document": {"reference": reference, "order": int(order_ref), "lines": told}}
        send = partial(self._create, "returns", asked, "RETURN_REJECTED_BY_ERP", "returns")
        find = partial(self._refs, "returns", reference, lane="returns")
        return self._write(EXPECTED_RETURN, EffectClass.UNIQUE_KEY, reference, asked, send, find)

    def cancel_return(self, reference: str, ref: str) -> Write:
        message = "withdrawn in Centra, but Pebblebook has received goods of it"
        too_late = Rejected("RETURN_CANCELLED_LATE", f"{self.name}:return", message)

        def found() -> str:
            refs = [ref] if ref else self._refs("returns", reference, lane="returns")
            if not refs:
                raise Unavailable(f"{self.name} does not show {reference} now", system=self.name)
            return refs[0]

        def find() -> list[str]:
            id = found()
            return [id] if self._state("returns", id, lane="returns") == "cancelled" else []

        def send() -> str:
            return self._cancel("returns", found(), too_late, lane="returns")

        return self._write(RETURN_CANCELLATION, EffectClass.UNIQUE_KEY, reference, ["cancel", ref], send, find, calls=2)

    def receipts(self, references: Collection[str], mapping: Mapped) -> Mapping[str, Sequence[Receipt]]:
        found: dict[str, list[Receipt]] = {reference: [] for reference in references}
        for row in self.client.named("returns", "reference", references, lane="returns"):
            found[row["reference"]] += _receipts(row, mapping)
        return found

    def received_since(self, since: datetime) -> Sequence[Hint]:
        hints = []
        for row in self.client.changed("returns", since, lane="returns"):
            ours = row["reference"] if self.return_number(row["reference"]) else ""
            number = self.number_of(row["order_reference"])
            if row["state"] != "expected" and (ours or number):
                hints.append(Hint(ours, _stamp(row), number, row["number"]))
        return hints

    # -------------------------------------------------------------------------------------------------------- credit

    def memo_reference(self, refund: Refund) -> str:
        return f"{REFUND}{refund.key.number}"

    def refund_number(self, reference: str) -> str:
        return reference.removeprefix(REFUND) if reference.startswith(REFUND) else ""

    def compose_memo(self, refund: Refund, order: Order, order_ref: str, mapping: Mapped) -> Draft:
        reference = self.memo_reference(refund)
        parts = translation.parts_of(refund, order, mapping)
        document = wire.credit_document(reference, refund, parts, order, order_ref, mapping)
        body = {"file": mapping.file, "document": document}
        carried = {"vouchers of the refund": str(refund.vouchers)} if refund.vouchers else {}
        return Draft(reference, body, _fingerprint(body), wire.components(document), carried)

    def memo_write(self, draft: Draft) -> Write:
        def find() -> list[str]:
            return [memo.ref for memo in self.memos([draft.reference])[draft.reference] if memo.life == "posted"]

        send = partial(self._book, draft)
        return self._write(
            CREDIT_MEMO, EffectClass.DRAFT_THEN_CONFIRM, draft.reference, draft.request, send, find, calls=3
        )

    def _book(self, draft: Draft) -> str:
        """Make a draft or adopt the one that is there, compare it, and post it."""
        document: Any = draft.request["document"]
        try:
            ref = self.client.create("credits", document, lane="finance")
        except Refusal as refusal:
            type = "CREDIT_MISMATCH" if refusal.code == "unknown_currency" else "CREDIT_REJECTED_BY_ERP"
            raise wire.refused(refusal, type, document, str(draft.request["file"])) from refusal
        try:
            return self._post(ref, draft)
        except Unavailable as error:  # a draft stands: it is looked for before anything is made again
            raise Unknown(f"{self.name} has a draft of the memo, which was not posted: {error}") from error

    def _post(self, ref: str, draft: Draft) -> str:
        (row,) = self.client.named("credits", "id", [int(ref)], lane="finance")
        differences = compare(draft.components, wire.components(row)).differences
        try:
            if not differences:
                return self.client.act("credits", ref, "post", lane="finance")
            self.client.act("credits", ref, "cancel", lane="finance")
        except Refusal as refusal:
            type = "CREDIT_PERIOD_CLOSED" if refusal.code == "period_closed" else "CREDIT_REJECTED_BY_ERP"
            raise wire.refused(refusal, type, {}, "") from refusal
        words = "; ".join(str(difference) for difference in differences[:3])
        raise Rejected("CREDIT_MISMATCH", f"{self.name}:draft", f"Pebblebook makes another memo of it: {words}")

    def memos(self, references: Collection[str]) -> Mapping[str, Sequence[Memo]]:
        found: dict[str, list[Memo]] = {reference: [] for reference in references}
        for row in self.client.named("credits", "reference", references, lane="finance"):
            if row["state"] != "cancelled":
                memo = Memo(
                    str(row["id"]), row["reference"], row["number"], row["state"], wire.components(row), _stamp(row)
                )
                found[row["reference"]].append(memo)
        return found

    def memos_since(self, since: datetime) -> Sequence[Hint]:
        hints = []
        for row in self.client.changed("credits", since, lane="finance"):
            ours = row["reference"] if self.refund_number(row["reference"]) else ""
            number = self.number_of(row["order_reference"])
            if row["state"] != "cancelled" and (ours or number):
                hints.append(Hint(ours, _stamp(row), number, row["number"]))
        return hints


def _standing(row: Row) -> Standing:
    life = wire.LIVES.get(row["state"], "draft")
    return Standing(str(row["id"]), row["reference"], row["number"], life, wire.components(row), _stamp(row))


def _item(row: Row, *, parts: bool) -> Item:
    fields = {name: str(row[name]) for name in ("ean", "name", "price")}
    recipe = {sku: Fraction(pieces) for sku, pieces in row["parts"].items()} if parts else None
    status = ON_SALE if row["active"] else ARCHIVED
    return Item(row["sku"], str(row["id"]), status, fields, recipe, is_bundle=bool(row["parts"]))


def _receipts(row: Row, mapping: Mapped) -> Iterator[Receipt]:
    """What has arrived, and what has not, apart."""
    told = partial(Receipt, row["reference"], str(row["id"]), row["number"], stamp=_stamp(row))
    left = [(line["sku"], line["quantity"] - line["received"]) for line in row["lines"]]
    coming = tuple(InspectedLine(sku, pieces) for sku, pieces in left if pieces > 0)
    here = tuple(each for line in row["lines"] for each in _arrived(line, mapping))
    if row["state"] == "cancelled":
        yield told(life="cancelled", lines=coming, received_at=None)
        return
    if coming or not here:
        yield told(life="expected", lines=coming, received_at=None)
    if here:
        life = "inspected" if all(line.disposition for line in here) else "received"
        yield told(life=life, lines=here, received_at=datetime.fromisoformat(row["received_at"]))


def _arrived(line: Row, mapping: Mapped) -> Iterator[InspectedLine]:
    """By the bin it was put into. Raises `Unmapped` for a bin that the mapping does not know."""
    bins = line["bins"] if mapping.returns.inspection != "off" else {}
    for bin, pieces in bins.items():
        yield InspectedLine(line["sku"], pieces, mapping.disposition(bin))
    if left := line["received"] - sum(bins.values()):
        yield InspectedLine(line["sku"], left)


def _stamp(row: Row) -> str:
    return f"v{row['version']}"


def _whole(pieces: str) -> int:
    return math.floor(Decimal(pieces))


def _fingerprint(asked: object) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def connect(name: str, http: Http, mapping: Mapped) -> ERP:
    """The adapter of a connection: what the mapping file's `adapter` line names must have this function."""
    return Pebblebook(name, Client(http))


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}

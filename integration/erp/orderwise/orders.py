"""Sales orders in OrderWise.

Whether `POST /sales/order` makes the order at once or queues it for its session's next run is unconfirmed, and nothing shows
it to know a reference again. So an answer with an id is done, an answer without one is in doubt, and doubt is resolved by
ORDER_BY_REF once the session must have run. What was accepted and is absent even then may wait for a session that does not
run, so it is a case and not posted again before a person says so.

With `transport = "session"` nobody is called at all: the order is offered, and its session pulls it. The pull is the sending
(class C, look-up only): it may die before the import or after it, what it acknowledges may get lost, and the import may refuse
an order in an e-mail; so a pulled order is in doubt until ORDER_BY_REF shows it, and goes back on offer once that proves that
it was not imported. Offering twice is harmless: a session refuses a number that it has. No public call cancels an order: a person does, and ORDER_BY_REF shows it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from integration import translation
from integration.domain.money import Money, MoneyError
from integration.domain.order import Order
from integration.domain.pricing import PricedOrder
from integration.erp.orderwise import wire, xml_orders
from integration.erp.orderwise.client import Refusal, Row, named
from integration.erp.orderwise.discounts import Dissur, dissurs, names
from integration.erp.orderwise.profile import SESSION
from integration.erp.orderwise.tenant import Tenant, fingerprint, sku_of, stamp_of
from integration.errors import NotReady, Rejected, Unknown, Unmapped
from integration.ports import CANCELLATION, SALES_ORDER, Booking, Draft, EffectClass, Offer, Standing, Write
from mappings import Mapping as Mapped

LANE = "orders"


class Orders(Tenant):
    """Everything of `ERP` that concerns sales orders and items."""

    def items(self, skus: Collection[str]) -> Mapping[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(skus)
        for row in self.named("products", skus, lane=LANE, after=0, until=0):
            sku = sku_of(row)
            if row["kind"] == "variant" and sku in found and not row["discontinued"] and row["for_sale"]:
                found[sku] = str(row["id"])
        return found

    def compose(self, order: Order, mapping: Mapped) -> Draft:
        market, profile = translation.market_of(order, mapping), self.profile_in(mapping)
        found, discounts = self._priced(order, mapping)
        reference = self.reference(order.number)
        request = wire.order_request(reference, found, market, mapping, profile, discounts)
        body = {"session": market.channel, "file": mapping.file, "order": request}
        if profile.transport == SESSION:
            request = xml_orders.numbered(request)
            body = {"session": market.channel, "xml": xml_orders.sales_order(request, profile)}
        return Draft(
            reference=reference,
            request=body,
            fingerprint=fingerprint(body),
            components=wire.our_components(market.channel, request, order.currency),
            carried=translation.carried(found),
        )

    def _priced(self, order: Order, mapping: Mapped) -> tuple[PricedOrder, Sequence[Dissur]]:
        """The order with the discounts beside it that OrderWise is to show; with none where it could not come to the total."""
        shown = names(order, mapping, self.profile_in(mapping))
        if shown:
            found = translation.priced(order, mapping, beside=shown)
            rows = dissurs(found, shown)
            if rows is not None:
                return found, rows
        return translation.priced(order, mapping), ()

    def order_write(self, draft: Draft) -> Write:
        pulled, session = "xml" in draft.request, self.profile.session
        offer = Offer(str(draft.request["session"]), session.acknowledged_within)
        return Write(
            name=SALES_ORDER,
            effect_class=EffectClass.LOOK_UP,
            reference=draft.reference,
            fingerprint=draft.fingerprint,
            send=lambda: self._offer(offer) if pulled else self._create(draft),
            find=lambda: [str(row["order_id"]) for row in self._heads([draft.reference])],
            wait=session.imports_within if pulled else self.profile.queue,
            takes=timedelta(0) if pulled else self.takes(1),
            offer=offer if pulled else None,
        )

    def _offer(self, offer: Offer) -> str:
        until = self.client.http.gate.store.now() + offer.within
        raise NotReady(f"on offer to e-commerce session {offer.channel}; OrderWise has not pulled it yet", until=until)

    def _create(self, draft: Draft) -> str:
        request: Any = draft.request["order"]
        try:
            answer = self.post_order(int(str(draft.request["session"])), request)
        except Refusal as refused:
            if says_taken(refused.words, draft.reference):
                raise Unknown("OrderWise says our order exists already", accepted=True) from refused
            raise wire.refusal(refused.words, request, str(draft.request["file"])) from refused
        told = named(answer, "ecommerceordernumber")
        if told and told != draft.reference:
            raise Unknown(f"OrderWise answered {draft.reference} with an order of another reference", accepted=True)
        ref = named(answer, "orderid", "id")
        if not ref.isdigit():
            message = "OrderWise took the order and names no id: it may wait for the next run of its session"
            raise Unknown(message, accepted=True)
        return ref

    def post_order(self, session: int, request: Mapping[str, Any], *, lane: str = LANE) -> Row:
        order_path = self.profile.order_path
        path, fixed = order_path.replace("{session}", str(session)), "{session}" not in order_path.partition("?")[0]
        return self.client.post(path, wire.plain(dict(request)), lane=lane, fixed=fixed)

    def keyed_by_hand(self, order: Order) -> Sequence[str]:
        return ()  # our export definitions tell of orders under our references only

    def cancel_write(self, reference: str, ref: str) -> Write:
        return Write(
            name=CANCELLATION,
            effect_class=EffectClass.UNIQUE_KEY,
            reference=reference,
            fingerprint=f"cancel {ref}",
            send=lambda: self._cancelled(reference, ref),
            find=lambda: [ref] if self._life(reference, ref) == "cancelled" else [],
            wait=timedelta(0),
            takes=self.takes(1),
        )

    def _cancelled(self, reference: str, ref: str) -> str:
        if self._life(reference, ref) == "cancelled":
            return ref
        message = (
            f"cancelled in Centra; OrderWise has no call for it: cancel sales order {ref} ({reference}) there by hand, or take it "
            "back as a return if it has left"
        )
        raise Rejected("ORDER_CANCEL_TOO_LATE", "orderwise:cancelled by hand", message)

    def _life(self, reference: str, ref: str) -> str:
        rows = [row for row in self._heads([reference]) if str(row["order_id"]) == ref]
        return self._lived(rows[0])[0] if rows else ""

    def _heads(self, references: Collection[str]) -> list[Row]:
        rows = self.named("order_by_ref", references, lane=LANE)
        return [row for row in rows if row["kind"] == "order" and row["reference"] in references]

    def standing(self, references: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        found: dict[str, list[Standing]] = {reference: [] for reference in references}
        orders: dict[int, list[Row]] = {}
        for row in self.named("order_by_ref", references, lane=LANE):
            orders.setdefault(row["order_id"], []).append(row)
        for _, rows in sorted(orders.items()):
            head = next((row for row in rows if row["kind"] == "order"), None)
            if head is not None and head["reference"] in found:
                found[head["reference"]].append(self._judged(head, rows))
        return found

    def _judged(self, head: Row, rows: Sequence[Row]) -> Standing:
        """An order that cannot be read is refused alone: a page of others goes on."""
        try:
            components = wire.their_components(rows, self._currency(head)) if len(rows) > 1 else {}
        except MoneyError as error:
            shown = f"sales order {head['order_id']} ({head['reference']}) is not readable in ORDER_BY_REF: its {error}"
            cause = f"{self.name}:export order_by_ref unreadable"
            return replace(self._standing(head, {}), refusal=Rejected("SCHEMA_CHANGE", cause, shown))
        return self._standing(head, components)

    def _currency(self, head: Row) -> str:
        """The currency's code. Unconfirmed which a tenant shows, code or id: an id is the one that we send for the code."""
        codes = {str(id): code for code, id in self.profile.currencies.items()}
        told = str(head["currency"] or "").strip()
        return codes.get(told, told)

    def _standing(self, head: Row, components: Mapping[str, Any]) -> Standing:
        life, refusal = self._lived(head)
        return Standing(
            ref=str(head["order_id"]),
            reference=str(head["reference"]),
            number=str(head["number"] or ""),
            life=life,
            components=components,
            stamp=f"{head['changed_at']} {stamp_of([head['status'], head['gross'], head['on_hold']])[:8]}",
            problem="it is on hold in OrderWise" if head["on_hold"] and life == "draft" else "",
            refusal=refusal,
        )

    def _lived(self, head: Row) -> tuple[str, Rejected | None]:
        """Our word for a status text; an unknown text is a draft that nobody may judge yet."""
        status = str(head["status"] or "")
        life = self.profile.statuses.get(status)
        if life is None:
            return "draft", Unmapped(
                "ORDER_STATUS_UNMAPPED", file=self.profile.file, table="tenant.statuses", key=status
            )
        return "draft" if head["on_hold"] and life == "processing" else life, None

    def bookings(self, references: Collection[str]) -> Mapping[str, Sequence[Booking]]:
        found: dict[str, list[Booking]] = {reference: [] for reference in references}
        for row in self.named("order_by_ref", references, lane="finance"):
            if row["kind"] == "order" and row["reference"] in found:
                # Without a total it differs, and stops no other.
                total = Money.of(row["gross"] or 0, self._currency(row))
                life = self._lived(row)[0]
                booking = Booking(str(row["order_id"]), str(row["number"] or ""), life, total)
                found[row["reference"]].append(booking)
        return found

    def changed_since(self, since: datetime) -> Sequence[Standing]:
        rows = self.changed("order_status", since, lane="finance")
        return [self._standing(row, {}) for row in rows if self.number_of(str(row["reference"] or ""))]


def says_taken(words: str, reference: str) -> bool:
    """Whether a refusal says that the order's number is taken. An address or an e-mail that "already exists" is none of it."""
    number, taken = rf"(?:{re.escape(reference)}|order[ -]?(?:number|reference))", r"already (?:exists|imported|used)"
    said = rf"{number}[^.,:;]*(?:{taken}|duplicate)|duplicate[^.,:;]*{number}"
    return re.search(said, words, re.IGNORECASE) is not None

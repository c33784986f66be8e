"""Credit notes. By default a person keys them under our reference, and CREDITS shows that they are the refund (strategy "off").

Strategy "credit order" posts a sales order of system order type 4. That the type means a credit is one source's word; that it can
be made this way, that it books at once and what links it to its order are unproven: try it on a test tenant first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.domain.credit import Refund
from integration.domain.money import Money, MoneyError, digits, total
from integration.domain.order import Order
from integration.domain.proof import Value
from integration.erp.orderwise import wire
from integration.erp.orderwise.client import Refusal, Row, named
from integration.erp.orderwise.orders import Orders
from integration.erp.orderwise.tenant import alike, fingerprint, local, sku_of, stamp_of
from integration.errors import Rejected, Unknown
from integration.ports import CREDIT_MEMO, Draft, EffectClass, Hint, Memo, Write
from integration.translation import TITLES, RefundPart, market_of, parts_of
from mappings import Mapping as Mapped

LANE = "finance"
PREFIX = "refund-"
"""Begins the reference of every credit note of ours."""

_WORDS = {title.casefold(): word for word, title in TITLES.items()} | {"delivery": "shipping"}
"""What a line without goods is called. Unconfirmed: that a credited delivery is called that."""


class Credit(Orders):
    """`ERPCredit`."""

    def memo_reference(self, refund: Refund) -> str:
        return f"{PREFIX}{refund.key.number}"

    def refund_number(self, reference: str) -> str:
        told = alike(reference)
        return told.removeprefix(PREFIX) if told.startswith(PREFIX) else ""

    def compose_memo(self, refund: Refund, order: Order, order_ref: str, mapping: Mapped) -> Draft:
        parts = parts_of(refund, order, mapping)
        reference = self.memo_reference(refund)
        request = self._request(reference, refund, order, order_ref, parts, mapping)
        body: dict[str, object] = {
            "session": market_of(order, mapping).channel,
            "order": order_ref,
            "order_reference": self.reference(order.number),
            "credit": request,
        }
        return Draft(
            reference=reference,
            request=body,
            fingerprint=fingerprint(body),
            components=_our_components(parts, refund.amount.currency),
            carried={"vouchers of the refund": str(refund.vouchers)} if refund.vouchers else {},
        )

    def _request(
        self, reference: str, refund: Refund, order: Order, order_ref: str, parts: Sequence[RefundPart], mapping: Mapped
    ) -> dict[str, object]:
        market, currency = market_of(order, mapping), refund.amount.currency
        profile, country = self.profile_in(mapping), order.ship_to.country
        charge = wire.charge_tax(country, mapping)
        shipping = [part for part in parts if part.component == "shipping"]
        carriage = [total([getattr(part, name) for part in shipping], currency) for name in ("net", "tax")]
        untaxed, tax = (total([getattr(part, name) for part in parts], currency) for name in ("net", "tax"))
        words = {part.component: part for part in parts if not part.sku and part.component != "shipping"}
        return {
            "customer": {"id": profile.customer},
            "orderHeader": {
                "systemOrderType": wire.CREDIT,
                "eCommerceOrderNumber": reference,
                "customerOrderRef": self.reference(order.number),
                "originalOrderId": int(order_ref),
                "orderDate": local(refund.at, profile.zone),
                "pricesAsNet": profile.prices_as_net,
                "deliveryNet": carriage[0].decimal,
                "deliveryTax": carriage[1].decimal,
                "deliveryGross": (carriage[0] + carriage[1]).decimal,
                "deliveryTaxCodeId": charge,
                "orderNet": untaxed.decimal,
                "orderTax": tax.decimal,
                "orderGross": (untaxed + tax).decimal,
            },
            "orderLines": [
                row for part in parts if part.sku for row in _lines(part, market.warehouse, country, mapping)
            ],
            "dissurs": [_dissur(part, country, mapping) for part in words.values()],
        }

    def memo_write(self, draft: Draft) -> Write:
        return Write(
            name=CREDIT_MEMO,
            effect_class=EffectClass.LOOK_UP,
            reference=draft.reference,
            fingerprint=draft.fingerprint,
            send=lambda: self._book(draft),
            find=lambda: [memo.ref for memo in self.memos([draft.reference])[draft.reference]],
            wait=self.profile.queue,
            takes=self.takes(3),
        )

    def _book(self, draft: Draft) -> str:
        """Post it once: one that stands already is it."""
        for memo in self.memos([draft.reference])[draft.reference]:
            return memo.ref
        told = {str(row["order_id"]) for row in self._heads([str(draft.request["order_reference"])])}
        if draft.request["order"] not in told:
            message = f"sales order {draft.request['order']} is not the one that the refund belongs to"
            raise Rejected("CREDIT_MISMATCH", "orderwise:order of the refund", message)
        request: Any = draft.request["credit"]
        try:
            answer = self.post_order(int(str(draft.request["session"])), request, lane=LANE)
        except Refusal as refused:
            message = "OrderWise refused the credit note; its words are attached"
            raise Rejected(
                "CREDIT_REJECTED_BY_ERP", "orderwise:credit order", message, evidence=refused.words
            ) from refused
        ref = named(answer, "orderid", "id")
        if not ref.isdigit():
            message = "OrderWise took the credit note and names no id: it may wait for the next run of its session"
            raise Unknown(message, accepted=True)
        return ref

    def memos(self, references: Collection[str]) -> Mapping[str, Sequence[Memo]]:
        found: dict[str, list[Memo]] = {reference: [] for reference in references}
        asked = {alike(reference): reference for reference in references}
        for head, lines in _by_credit(self.named("credits", references, lane=LANE)):
            reference = asked.get(alike(head["reference"]))
            if reference is not None:
                found[reference].append(_memo(reference, head, lines, self._currency(head)))
        return found

    def memos_since(self, since: datetime) -> Sequence[Hint]:
        hints = []
        for head, lines in _by_credit(self.changed("credits", since, lane=LANE)):
            refund = self.refund_number(str(head["reference"] or ""))
            ours = f"{PREFIX}{refund}" if refund else ""
            number = self.number_of(str(head["order_reference"] or ""))
            if ours or number:
                hints.append(Hint(ours, stamp_of([head, *lines]), number, str(head["number"] or head["credit_id"])))
        return hints


def _lines(part: RefundPart, location: int, country: str, mapping: Mapped) -> Iterable[Row]:
    decimals = min(4, int(str(mapping.options["unit_price_decimals"])))
    assert part.percent is not None
    for place, (quantity, net, gross) in enumerate(
        wire.unit_rows(part.net, part.net + part.tax, part.quantity, decimals)
    ):
        yield {
            "itemNumber": wire.item_number(part.order_line, place),
            "variantCode": part.sku,
            "quantity": quantity,
            "itemNet": net,
            "itemGross": gross,
            "taxRateId": wire.tax_id(country, part.percent, mapping),
            "stockLocationId": location,
        }


def _dissur(part: RefundPart, country: str, mapping: Mapped) -> Row:
    """A part without goods: what goes back raises the credit, what is kept lowers it."""
    percent = part.percent if part.percent is not None else Decimal(0)
    kept = (part.net + part.tax).minor < 0
    return {
        "description": part.title,
        "price": abs((part.net + part.tax).decimal),
        "taxRateId": wire.tax_id(country, percent, mapping),
        "discount": kept,
        "grossDiscount": True,
    }


def _our_components(parts: Iterable[RefundPart], currency: str) -> dict[str, Value]:
    """What the read-back must show, amounts positive where money goes back."""
    parts = list(parts)
    rows = [(part.sku, part.component, Decimal(part.quantity), part.net) for part in parts]
    untaxed, tax = (total([getattr(part, name) for part in parts], currency) for name in ("net", "tax"))
    return _components(rows, currency) | {"untaxed": untaxed, "tax": tax, "total": untaxed + tax}


def _memo(reference: str, head: Row, lines: Sequence[Row], currency: str) -> Memo:
    return Memo(
        ref=str(head["credit_id"]),
        reference=reference,
        number=str(head["number"] or ""),
        life="posted" if head["posted"] else "draft",
        components=_their_components(head, lines, currency),
        stamp=stamp_of([head, *lines]),
    )


def _their_components(head: Row, lines: Sequence[Row], currency: str) -> dict[str, Value]:
    """What a credit note shows. A total that it does not tell is left out, and all but its currency where an amount or the
    currency itself is none: no refund is equal to that. A line without goods and without an amount is a text.
    """
    totals = {"untaxed": head["net"], "tax": head["tax"], "total": head["gross"]}
    try:
        rows = [
            (sku_of(row), _word_of(row), digits(row["quantity"] or 0), Money.of(row["net"] or 0, currency))
            for row in lines
            if sku_of(row) or row["net"]
        ]
        told = {name: Money.of(amount, currency) for name, amount in totals.items() if amount is not None}
        return _components(rows, currency) | told
    except MoneyError:
        return {"currency": currency}


def _word_of(row: Row) -> str:
    """Which part without goods a line is, by what it is called."""
    return _WORDS.get(str(row["description"] or "").strip().casefold(), f"(row {row['line_id']})")


def _components(rows: Iterable[tuple[str, str, Decimal, Money]], currency: str) -> dict[str, Value]:
    """Of rows (SKU, word, pieces, net): pieces and net by SKU, net by word."""
    found: dict[str, Value] = {"currency": currency}
    pieces: dict[str, Decimal] = {}
    nets: dict[str, Money] = {}
    for sku, word, quantity, net in rows:
        name = f"line {sku}" if sku else word
        nets[name] = nets.get(name, Money.zero(currency)) + net
        if sku:
            pieces[name] = pieces.get(name, Decimal(0)) + quantity
    found |= {f"{name} quantity": int(n) if n == n.to_integral_value() else str(n) for name, n in pieces.items()}
    return found | {f"{name} net": net for name, net in nets.items()}


def _by_credit(rows: Iterable[Row]) -> list[tuple[Row, list[Row]]]:
    heads: dict[int, Row] = {}
    lines: dict[int, list[Row]] = {}
    for row in rows:
        if row["kind"] == "credit":
            heads[row["credit_id"]] = row
        else:
            lines.setdefault(row["credit_id"], []).append(row)
    return [(head, lines.get(id, [])) for id, head in sorted(heads.items())]

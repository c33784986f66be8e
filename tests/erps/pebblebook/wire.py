"""Our orders and refunds as Pebblebook's documents, and either's documents as components.

Pebblebook takes the net and tax of a whole line and no unit price, and keeps each line's `key`: so shipping is a line without
a SKU, nothing is ever split, and what it reads back is compared with what was sent by one and the same function.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from erps.pebblebook.client import Refusal, Row

from integration.domain.credit import Refund
from integration.domain.money import Money, digits, total
from integration.domain.order import Address, Order
from integration.domain.pricing import Part, PricedOrder
from integration.domain.proof import Value
from integration.errors import Rejected
from integration.translation import RefundPart
from mappings import Mapping as Mapped
from mappings import Market

LIVES = {"open": "processing", "packed": "processing", "done": "done", "cancelled": "cancelled"}


def order_document(reference: str, found: PricedOrder, market: Market, mapping: Mapped) -> Row:
    """Raises `Unmapped`."""
    order = found.order
    kind = {"authorised": "AUTH", "captured": "CAPTURE"}.get(str(mapping.options["payments"]))
    paid = [(tender.amount, tender.type) for tender in found.tenders]
    paid += [(p.amount, order.payment_method) for p in order.payments if p.kind == kind and p.settled]
    return {
        "reference": reference,
        "placed_at": order.placed_at.isoformat(),
        "channel": market.channel,
        "warehouse": market.warehouse,
        "carrier": mapping.carrier(order.market, order.shipping_option),
        "currency": order.currency,
        "email": order.customer_email,
        "ship_to": _address(order.ship_to),
        "bill_to": _address(order.bill_to),
        "lines": [_line(part.id, part, order, mapping) for part in found.parts],
        "payments": [{"method": mapping.tender(word), "amount": str(amount.decimal)} for amount, word in paid],
        "total": str(found.total.decimal),
    }


def credit_document(
    reference: str, refund: Refund, parts: Sequence[RefundPart], order: Order, order_ref: str, mapping: Mapped
) -> Row:
    """Amounts positive where money goes back, negative where it is kept. Raises `Unmapped`."""
    return {
        "reference": reference,
        "order": int(order_ref),
        "date": refund.at.astimezone(ZoneInfo(mapping.time_zone)).date().isoformat(),
        "currency": refund.amount.currency,
        "lines": [_line(part.order_line or part.component, part, order, mapping) for part in parts],
        "total": str(refund.amount.decimal),
    }


def _line(key: str, part: Part | RefundPart, order: Order, mapping: Mapped) -> Row:
    percent = part.tax_percent if isinstance(part, Part) else part.percent
    return {
        "key": key,
        "sku": part.sku,
        "quantity": part.quantity,
        "net": str(part.net.decimal),
        "tax": str(part.tax.decimal),
        "tax_code": "" if percent is None else mapping.tax_name(order.ship_to.country, digits(percent)),
    }


def _address(place: Address) -> dict[str, str]:
    words = ("name", "company", "line1", "line2", "city", "postcode", "state", "country", "phone")
    return {word: getattr(place, word) for word in words}


def components(document: Mapping[str, Any]) -> dict[str, Value]:
    """What is compared, of a document that we send or that Pebblebook shows."""
    currency = str(document["currency"])
    found: dict[str, Value] = {"currency": currency}
    found |= {name: document[name] for name in ("channel", "warehouse", "carrier") if name in document}
    for line in document["lines"]:
        name = f"line {line['key']}" if line["sku"] else str(line["key"])
        if line["sku"]:
            found |= {f"{name} sku": line["sku"], f"{name} quantity": line["quantity"]}
        found |= {f"{name} {side}": Money.of(line[side], currency) for side in ("net", "tax")}
        found[f"{name} tax code"] = line["tax_code"]
    for method in {payment["method"] for payment in document.get("payments", ())}:
        amounts = [Money.of(p["amount"], currency) for p in document["payments"] if p["method"] == method]
        found[f"paid by {method}"] = total(amounts, currency)
    sums = {side: [Money.of(line[side], currency) for line in document["lines"]] for side in ("net", "tax")}
    return found | {
        "untaxed": total(sums["net"], currency),
        "tax": total(sums["tax"], currency),
        "total": Money.of(document["total"], currency),
    }


_UNKNOWN = {
    "unknown_channel": ("ORDER_MARKET_UNMAPPED", "markets"),
    "unknown_carrier": ("ORDER_SHIPPING_UNMAPPED", "carriers"),
    "unknown_tax": ("ORDER_TAX_UNMAPPED", "taxes"),
}
"""What Pebblebook does not know of our mapping's words, and the table that names it."""


def refused(refusal: Refusal, type: str, document: Row, file: str) -> Rejected:
    """A refusal in business terms: one that names a word we sent, or else of `type`. Its sentence is evidence."""
    lines = document.get("lines", ())
    sent = {str(document.get("channel")), str(document.get("carrier"))}
    sent |= {str(line.get(name)) for line in lines for name in ("sku", "tax_code")}
    key = refusal.key if refusal.key in sent else ""
    if key and refusal.code == "unknown_sku":
        message = f"Pebblebook does not accept SKU {key}"
        return Rejected("ORDER_UNKNOWN_SKU", f"{key} refused", message, evidence=refusal.words)
    if key and refusal.code in _UNKNOWN:
        unmapped, table = _UNKNOWN[refusal.code]
        message = f"Pebblebook does not know {key!r}, which [{table}] of {file} names"
        return Rejected(unmapped, f"{file}:[{table}] {key}", message, evidence=refusal.words)
    message = f"Pebblebook refused ({refusal.code or 'no code'}); its words are attached"
    return Rejected(type, f"pebblebook:{refusal.code}", message, evidence=refusal.words)

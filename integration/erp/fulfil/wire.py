"""Our order as `sale.channel.create_order` wants it, and a `sale.sale` as components.

From the channel guide (developers.fulfil.io, Creating orders): unit price is before tax and after every discount,
`channel_identifier` is the only key, `discounts` is undocumented and so never sent. Unconfirmed: how many decimals a unit
price keeps (`unit_price_decimals` of the mapping) and that shipping lines become sale lines under their own identifier.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from integration.domain.money import Money, digits, total, unit_prices
from integration.domain.order import Address, Order
from integration.domain.pricing import Part, PricedOrder
from integration.domain.proof import Value
from integration.errors import Rejected
from integration.ports import Booking
from mappings import Mapping as Mapped

SHIPPING_LINE = "shipping"
HANDLING_LINE = "handling"


def order_request(reference: str, found: PricedOrder, mapping: Mapped) -> dict[str, object]:
    """The body of `create_order`, after the channel id. Money is Decimal: the client types it."""
    order = found.order
    decimals = int(str(mapping.options["unit_price_decimals"]))
    return {
        "channel_identifier": reference,
        "reference": f"#{order.number}",
        "confirmed_at": order.placed_at.isoformat(),
        "customer": {"name": _customer_name(order), "contacts": _contacts(order)},
        "billing_address": _address(order.bill_to, order),
        "shipping_address": _address(order.ship_to, order),
        "sale_lines": [row for part in found.lines for row in _lines(part, order, mapping, decimals)],
        "shipping_lines": _charges(found, mapping),
        "payments": _payments(found, mapping),
        "amount": found.total.decimal,
        "currency_code": order.currency,
        "status": "pending",
        "financial_status": "paid",
        "fulfillment_status": "unshipped",
    }


def _lines(part: Part, order: Order, mapping: Mapped, decimals: int) -> list[dict[str, object]]:
    """One sale line, or two at neighbouring unit prices where no single price gives the net exactly."""
    rows = unit_prices(part.net, part.quantity, decimals)
    amounts = [Money.of(unit * quantity, part.net.currency) for quantity, unit in rows]
    taxes = part.tax.allocate([a.minor for a in amounts] if part.net else [1] + [0] * (len(rows) - 1))
    return [
        {
            "channel_identifier": part.id if i == 0 else f"{part.id}/{i + 1}",
            "sku": part.sku,
            "description": part.name,
            "quantity": quantity,
            "unit_price": unit,
            "amount": amounts[i].decimal,
            "tax_lines": _taxes(part, taxes[i], order, mapping),
        }
        for i, (quantity, unit) in enumerate(rows)
    ]


def _taxes(part: Part, tax: Money, order: Order, mapping: Mapped) -> list[dict[str, object]]:
    percent = digits(part.tax_percent)
    name = mapping.tax_name(order.ship_to.country, percent)
    return [{"name": name, "rate": percent / 100, "amount": tax.decimal}]


def _charges(found: PricedOrder, mapping: Mapped) -> list[dict[str, object]]:
    """Shipping and handling. A way of shipping that costs nothing is a line, too: it names the carrier."""
    order = found.order
    rows = [_charge(part, order, mapping) for part in (found.shipping, found.handling) if part]
    if found.shipping is None and order.shipping_option:
        carrier = mapping.carrier(order.market, order.shipping_option)
        free = {"channel_identifier": SHIPPING_LINE, "description": order.shipping_option, "tax_lines": []}
        rows.insert(0, {**free, "amount": Decimal(0), "carrier_service_code": carrier})
    return rows


def _charge(part: Part, order: Order, mapping: Mapped) -> dict[str, object]:
    row: dict[str, object] = {
        "channel_identifier": part.id,
        "description": order.shipping_option if part.id == SHIPPING_LINE else "Handling",
        "amount": part.net.decimal,
        "tax_lines": _taxes(part, part.tax, order, mapping),
    }
    if part.id == SHIPPING_LINE:
        row["carrier_service_code"] = mapping.carrier(order.market, order.shipping_option)
    return row


def _payments(found: PricedOrder, mapping: Mapped) -> list[dict[str, object]]:
    """Tenders, and what the provider authorised or captured, as the mapping's `payments` option says."""
    order, choice = found.order, mapping.options["payments"]
    rows = [_payment(t.amount, t.code, mapping.tender(t.type)) for t in found.tenders]
    kind = {"authorised": "AUTH", "captured": "CAPTURE"}.get(str(choice))
    taken = [p for p in order.payments if p.kind == kind and p.settled]
    return rows + [_payment(p.amount, p.reference, mapping.tender(order.payment_method)) for p in taken]


def _payment(amount: Money, reference: str, method: str) -> dict[str, object]:
    return {"amount": amount.decimal, "provider_reference": reference, "method": method, "state": "success"}


def _customer_name(order: Order) -> str:
    return order.bill_to.name or order.bill_to.company or order.ship_to.name or order.ship_to.company or "Guest"


def _contacts(order: Order) -> list[list[str]]:
    email = order.customer_email or order.bill_to.email or order.ship_to.email
    phone = order.bill_to.phone or order.ship_to.phone
    return [[kind, value] for kind, value in (("email", email), ("phone", phone)) if value]


def _address(place: Address, order: Order) -> dict[str, str]:
    return {
        "name": place.name or place.company or _customer_name(order),
        "address1": place.line1,
        "address2": ", ".join(part for part in (place.line2, place.company if place.name else "") if part),
        "city": place.city,
        "zip": place.postcode,
        "subdivision_code": place.state,
        "country_code": place.country,
        "email": place.email or order.customer_email,
        "phone": place.phone,
    }


def our_components(request: Mapping[str, Any], currency: str) -> dict[str, Value]:
    """What the read-back must show: every line's SKU, quantity and net, the totals and the currency."""
    found: dict[str, Value] = {"currency": currency}
    net, tax = Money.zero(currency), Money.zero(currency)
    for row in [*request["sale_lines"], *request["shipping_lines"]]:
        amount = Money.of(row["amount"], currency)
        taxes = [Money.of(t["amount"], currency) for t in row["tax_lines"]]
        found |= _line_components(row["channel_identifier"], row.get("sku", ""), row.get("quantity", 1), amount)
        net, tax = net + amount, tax + total(taxes, currency)
    return found | {"untaxed": net, "tax": tax, "total": Money.of(request["amount"], currency)}


def _line_components(identifier: str, sku: str, quantity: Value, net: Money) -> dict[str, Value]:
    line = f"line {identifier}" if sku else str(identifier)
    words: dict[str, Value] = {f"{line} sku": sku, f"{line} quantity": quantity} if sku else {}
    return words | {f"{line} net": net}


SALE_FIELDS = (
    "channel_identifier", "number", "state", "currency.code", "untaxed_amount", "tax_amount", "total_amount",
    "has_channel_exception", "write_date", "create_date", "channel", "warehouse",
)  # fmt: skip
LINE_FIELDS = ("sale", "channel_identifier", "product.code", "quantity", "unit_price", "amount")

LIVES = {
    "draft": "draft",
    "quotation": "draft",
    "confirmed": "processing",
    "processing": "processing",
    "done": "done",
    "cancel": "cancelled",
    "cancelled": "cancelled",
}
"""Fulfil's sale states in our four words (Tryton 4.0; `cancelled` is later Tryton's spelling)."""


BOOKING_FIELDS = ("channel_identifier", "number", "state", "currency.code", "total_amount")


def booking(sale: Mapping[str, Any]) -> Booking:
    """A sale as the night's books have it."""
    total = Money.of(sale["total_amount"], str(sale["currency.code"]))
    return Booking(str(sale["id"]), str(sale["number"] or ""), LIVES.get(str(sale["state"]), "draft"), total)


def their_components(sale: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Value]:
    """The same components from a sale and its lines."""
    currency = str(sale["currency.code"])
    found: dict[str, Value] = {"currency": currency}
    for row in lines:
        identifier = row["channel_identifier"] or f"(row {row['id']})"
        sku = "" if identifier in (SHIPPING_LINE, HANDLING_LINE) else str(row["product.code"] or "(no product)")
        found |= _line_components(identifier, sku, _whole(row["quantity"]), Money.of(row["amount"], currency))
    return found | {
        "untaxed": Money.of(sale["untaxed_amount"], currency),
        "tax": Money.of(sale["tax_amount"], currency),
        "total": Money.of(sale["total_amount"], currency),
    }


def _whole(quantity: Any) -> Value:
    """Fulfil's quantities are floats; ours are whole, and a fraction must show as a difference."""
    exact = Decimal(str(quantity))
    return int(exact) if exact == exact.to_integral_value() else str(exact)


def refusal(words: str, request: Mapping[str, Any], mapping_file: str) -> Rejected:
    """A `UserError` of `create_order` as a business type; the ERP's own words go along as evidence.

    Known wordings come from the open sale-channel module; the offending key is taken from our request, never from
    their text, so that no personal data reaches a title.
    """
    for row in [*request["sale_lines"], *request["shipping_lines"]]:
        for tax in row["tax_lines"]:
            if f"{tax['name']} (tax)" in words:
                key = f"{mapping_file}:[taxes] {tax['name']}"
                return _refused("ORDER_TAX_UNMAPPED", key, f"Fulfil has no tax {tax['name']!r} at this rate", words)
        carrier = row.get("carrier_service_code")
        if carrier and _names(words, carrier, "carrier"):
            key = f"{mapping_file}:[carriers] {carrier}"
            return _refused("ORDER_SHIPPING_UNMAPPED", key, f"Fulfil's channel has no carrier code {carrier!r}", words)
        sku = str(row.get("sku") or "")
        if sku and _names(words, sku, "sku|product|item|variant"):
            # Not the SKU alone: an item that is there and refused must not release itself by being found.
            return _refused("ORDER_UNKNOWN_SKU", f"{sku} refused", f"Fulfil does not accept SKU {sku}", words)
    return _refused(
        "ORDER_REJECTED_BY_ERP", "fulfil:create_order", "Fulfil refused the order; its words are attached", words
    )


def _names(words: str, code: str, subjects: str) -> bool:
    """Whether a message about one of the subjects names a code, whole."""
    whole = re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", words)
    return whole is not None and re.search(subjects, words, re.IGNORECASE) is not None


def _refused(type: str, cause: str, message: str, words: str) -> Rejected:
    return Rejected(type, cause, message, evidence=words)

"""Our order as `POST /sales/order` wants it, and a sales order as components.

Seen at two integrators: `customer`, `orderHeader`, `customerDeliveryAddress`, `orderLines` and their commonest fields. Every
other name is the XML import's in camelCase and unconfirmed; all of them stand in this file alone. Amounts of a line are per
unit, with four decimals. The header's totals are the sums of the very parts that are sent, however OrderWise rounds: where
they differ, it was seen to book a discount of its own. Tax codes are always sent, the delivery's too, so that no fall-back of
the session is used; OrderWise is never asked to price a line.

A line's `itemNumber` is the storefront's line id, because that is how a delivery names its lines again. Unconfirmed that
OrderWise keeps it; where it does not, every order's proof says so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from integration.domain.money import Money, MoneyError, digits, exponent, unit_prices
from integration.domain.order import Address, Order
from integration.domain.pricing import Part, PricedOrder
from integration.domain.proof import Value
from integration.erp.orderwise.client import Row
from integration.erp.orderwise.discounts import Dissur, adds_up, tax_by_rate
from integration.erp.orderwise.profile import Profile
from integration.erp.orderwise.tenant import local, sku_of
from integration.errors import Rejected
from mappings import Mapping as Mapped
from mappings import Market

ORDER, CREDIT = 1, 4
"""System order types (one source)."""

MORE_ROWS = 100_000_000
"""A line that needs several rows has further ones under its id plus this, times the row."""

UnitRow = tuple[int, Decimal, Decimal]
"""Pieces, and what one of them costs net and gross."""


def order_request(
    reference: str, found: PricedOrder, market: Market, mapping: Mapped, profile: Profile, discounts: Sequence[Dissur]
) -> Row:
    """The body of the call; `discounts` are those beside the order's parts. Money is Decimal: it becomes numbers when it is sent. Raises `Unmapped`, `Rejected`."""
    order = found.order
    rows = line_rows(found, discounts, min(4, int(str(mapping.options["unit_price_decimals"]))))
    lines = [
        row for part, own in zip(found.lines, rows, strict=True) for row in _lines(part, own, order, market, mapping)
    ]
    charge = charge_tax(order.ship_to.country, mapping)
    nothing = Money.zero(order.currency)
    net, tax = (found.shipping.net, found.shipping.tax) if found.shipping else (nothing, nothing)
    method = id_of(mapping.carrier(order.market, order.shipping_option), "ORDER_SHIPPING_UNMAPPED", "carriers", mapping)
    header: Row = {
        "systemOrderType": ORDER,
        "eCommerceOrderNumber": reference,
        "customerOrderRef": f"#{order.number}",
        "orderDate": local(order.placed_at, profile.zone),
        "deliveryMethodId": method,
        "pricesAsNet": profile.prices_as_net,
        "orderNet": found.untaxed.decimal,
        "orderTax": found.tax.decimal,
        "orderGross": found.total.decimal,
        "deliveryNet": net.decimal,
        "deliveryTax": tax.decimal,
        "deliveryGross": (net + tax).decimal,
        "deliveryTaxCodeId": charge,
    }
    if order.currency in profile.currencies:
        header["currencyId"] = profile.currencies[order.currency]
    return {
        "customer": {"id": profile.customer},
        "orderHeader": header,
        "customerDeliveryAddress": _address("delivery", order.ship_to, order, profile) | {"deliveryMethodId": method},
        "customerInvoiceAddress": _address("invoice", order.bill_to, order, profile),
        "orderLines": lines,
        "dissurs": [
            *([_handling(found.handling, charge, profile)] if found.handling else []),
            *(_discount(each, tax_id(order.ship_to.country, each.tax_percent, mapping)) for each in discounts),
        ],
        "payments": _payments(found, mapping) if profile.send_payments else [],
    }


def id_of(word: str, type: str, table: str, mapping: Mapped) -> int:
    """An OrderWise id out of the mapping, where ids are text."""
    if not (word.isascii() and word.isdigit()):
        message = f"{word!r} is no id of OrderWise: [{table}] of {mapping.file} needs its number"
        raise Rejected(type, f"{mapping.file}:[{table}] {word}", message)
    return int(word)


def tax_id(country: str, percent: Decimal, mapping: Mapped) -> int:
    return id_of(mapping.tax_name(country, percent), "ORDER_TAX_UNMAPPED", f"taxes.{country}", mapping)


def charge_tax(country: str, mapping: Mapped) -> int:
    """The tax rate on delivery and handling: sent even when delivery is free."""
    return tax_id(country, mapping.charge_percent(country), mapping)


def not_representable(what: str, why: str) -> Rejected:
    return Rejected("ORDER_NOT_REPRESENTABLE", f"orderwise:{what}", f"OrderWise cannot hold it exactly: {why}")


def _lines(part: Part, rows: Sequence[UnitRow], order: Order, market: Market, mapping: Mapped) -> Iterator[Row]:
    for place, (quantity, net, gross) in enumerate(rows):
        yield {
            "itemNumber": item_number(part.id, place),
            "variantCode": part.sku,
            "quantity": quantity,
            "itemNet": net,
            "itemGross": gross,
            "taxRateId": tax_id(order.ship_to.country, digits(part.tax_percent), mapping),
            "stockLocationId": market.warehouse,
        }


def line_rows(found: PricedOrder, discounts: Sequence[Dissur], decimals: int) -> list[list[UnitRow]]:
    """The rows of each line of an order. Each line rounds to its amounts; where the order would not come to its totals if
    OrderWise rounded at the end only, the lines that are furthest off are sent at whole minor units until it does.
    """
    amounts = [(part.net, part.net + part.tax) for part in found.lines]
    rows = [unit_rows(*both, part.quantity, decimals) for both, part in zip(amounts, found.lines, strict=True)]

    def off(place: int) -> Fraction:
        return max(abs(Fraction(a.decimal) - b) for a, b in zip(amounts[place], _sums(rows[place]), strict=True))

    for place in sorted(range(len(rows)), key=off, reverse=True):
        if adds_up(found, discounts, [_sums(each) for each in rows]):
            break
        rows[place] = unit_rows(*amounts[place], found.lines[place].quantity, exponent(found.order.currency))
    return rows


def _sums(rows: Sequence[UnitRow]) -> tuple[Fraction, Fraction]:
    """Net and gross of a line's rows, not rounded."""
    net = sum((pieces * Fraction(price) for pieces, price, _ in rows), Fraction(0))
    return net, sum((pieces * Fraction(price) for pieces, _, price in rows), Fraction(0))


def unit_rows(net: Money, gross: Money, quantity: int, decimals: int) -> list[UnitRow]:
    """Rows that give both amounts exactly once each is rounded: one where prices of so many decimals do, else a few at whole
    minor units.
    """
    try:
        nets, grosses = (unit_prices(amount, quantity, decimals) for amount in (net, gross))
        if len(nets) > 1 or len(grosses) > 1:
            nets, grosses = (unit_prices(amount, quantity, exponent(net.currency)) for amount in (net, gross))
    except MoneyError as error:
        raise not_representable("unit price", str(error)) from error
    rows: list[UnitRow] = []
    left = [list(nets), list(grosses)]
    while left[0] and left[1]:
        pieces = min(left[0][0][0], left[1][0][0])
        rows.append((pieces, left[0][0][1], left[1][0][1]))
        for side in left:
            have, price = side.pop(0)
            if have > pieces:
                side.insert(0, (have - pieces, price))
    return rows


def item_number(line: str, place: int) -> int:
    """`itemNumber` of a row of a storefront line."""
    if not (line.isascii() and line.isdigit() and 0 < int(line) < MORE_ROWS and place < 20):
        raise not_representable("itemNumber", f"line id {line} does not fit its item number")
    return int(line) + place * MORE_ROWS


def line_of(item: object) -> tuple[str, int]:
    """The storefront line of an item number, which may come with decimals, and which of its rows it is. Raises `MoneyError`."""
    number = digits(item or 0)
    if number != number.to_integral_value():
        raise MoneyError("an item number that is not whole")
    place, line = divmod(int(number), MORE_ROWS)
    return str(line), place


def _handling(part: Part, tax: int, profile: Profile) -> Row:
    """A surcharge, which OrderWise taxes by its rate: refused where that is another tax than the storefront's."""
    expected = tax_by_rate(part)
    if expected != part.tax:
        raise not_representable("handling", f"{part.net} of handling is taxed {part.tax}, its rate gives {expected}")
    return {
        "description": profile.handling,
        "price": part.net.decimal,
        "taxRateId": tax,
        "discount": False,
        "grossDiscount": False,
    }


def _discount(told: Dissur, tax: int) -> Row:
    return {
        "description": told.name,
        "price": told.price,
        "taxRateId": tax,
        "discount": True,
        "grossDiscount": False,
    }


def _payments(found: PricedOrder, mapping: Mapped) -> list[Row]:
    """Tenders, and what the provider authorised or captured, as the mapping's `payments` option says."""
    order = found.order
    kind = {"authorised": "AUTH", "captured": "CAPTURE"}.get(str(mapping.options["payments"]))
    paid = [(t.amount, mapping.tender(t.type)) for t in found.tenders]
    paid += [(p.amount, mapping.tender(order.payment_method)) for p in order.payments if p.kind == kind and p.settled]
    return [
        {"paymentMethodId": id_of(word, "ORDER_PAYMENT_UNMAPPED", "tenders", mapping), "amount": amount.decimal}
        for amount, word in paid
    ]


def _address(role: str, place: Address, order: Order, profile: Profile) -> Row:
    name = place.name or place.company or order.ship_to.name or order.ship_to.company or "Guest"
    return {
        f"{role}Name": place.company or name,
        "contactName": name,
        "address1": place.line1,
        "address2": place.line2,
        "address3": "",
        "town": place.city,
        "county": place.state,
        "country": profile.countries.get(place.country, place.country),
        "countryCode": place.country,
        "postcode": place.postcode,
        "telephone": place.phone,
        "email": place.email or order.customer_email,
    }


def plain(value: Any) -> Any:
    """Decimal as JSON numbers: the shortest form of a double gives four decimals back exactly."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


# ------------------------------------------------------------------------------------------------------- components


def our_components(session: int, request: Mapping[str, Any], currency: str) -> dict[str, Value]:
    """What the read-back must show, of the very request that is sent."""
    header = request["orderHeader"]
    found = _head(session, currency, header["deliveryMethodId"])
    for row in request["orderLines"]:
        about = (row["itemNumber"], row["variantCode"], row["quantity"], row["taxRateId"], row["stockLocationId"])
        found |= _line(found, *about, row["itemNet"], row["itemGross"], currency)
    found |= _delivery(header["deliveryNet"], header["deliveryTax"], header["deliveryTaxCodeId"], currency)
    for row in sorted(request["dissurs"], key=lambda row: (row["description"], str(row["taxRateId"]))):
        found |= _dissur(
            found, row["description"], row["price"], row["taxRateId"], row["discount"], row["grossDiscount"], currency
        )
    for row in request["payments"]:
        found |= _payment(found, row["paymentMethodId"], row["amount"], currency)
    return found | _totals(header["orderNet"], header["orderTax"], header["orderGross"], currency)


def their_components(rows: Sequence[Row], currency: str) -> dict[str, Value]:
    """The same of the rows of one order in ORDER_BY_REF; what OrderWise added itself is there too.

    Raises `MoneyError` naming the kind of row that has an amount, a quantity or a number that cannot be read.
    """
    found: dict[str, Value] = {}
    for row in sorted(rows, key=lambda row: (str(row["description"] or ""), _text(row["tax_code"]))):
        try:
            found |= _shown(found, row, currency)
        except MoneyError as error:
            raise MoneyError(f"{row['kind']} row: {error}") from error
    return found


def _shown(found: Mapping[str, Value], row: Row, currency: str) -> dict[str, Value]:
    kind = row["kind"]
    if kind == "order":
        head = _head(int(digits(row["session"] or 0)), currency, row["method"])
        return head | _totals(row["net"], row["tax"], row["gross"], currency)
    if kind == "line":
        about = (row["item"], sku_of(row), row["quantity"], row["tax_code"], row["location"])
        return _line(found, *about, row["net"], row["gross"], currency)
    if kind == "delivery":
        return _delivery(row["net"] or 0, row["tax"] or 0, row["tax_code"], currency)
    if kind == "dissur":
        flags = (bool(row["is_discount"]), bool(row["is_gross"]))
        return _dissur(found, row["description"], row["net"], row["tax_code"], *flags, currency)
    return _payment(found, row["method"], row["gross"], currency) if kind == "payment" else {}


def _head(session: int, currency: str, method: object) -> dict[str, Value]:
    return {"session": session, "currency": currency, "delivery method": _text(method)}


def _line(
    found: Mapping[str, Value],
    item: object,
    sku: str,
    quantity: object,
    tax: object,
    location: object,
    net: object,
    gross: object,
    currency: str,
) -> dict[str, Value]:
    """A row by its item number; one that comes twice is two: a copied line or a piece of a kit is picked, whatever it costs."""
    line, place = line_of(item)
    name = f"line {line}/{place + 1}" if place else f"line {line}"
    while f"{name} sku" in found:
        name += " again"
    pieces = digits(quantity)
    amount, with_tax = (Money.of(digits(each) * pieces, currency) for each in (net, gross))
    return {
        f"{name} sku": sku,
        f"{name} quantity": int(pieces) if pieces == pieces.to_integral_value() else str(pieces),
        f"{name} net": amount,
        f"{name} tax": with_tax - amount,
        f"{name} tax rate": _text(tax),
        f"{name} location": _text(location),
    }


def _delivery(net: object, tax: object, code: object, currency: str) -> dict[str, Value]:
    return {
        "shipping net": Money.of(net, currency),
        "shipping tax": Money.of(tax, currency),
        "shipping tax rate": _text(code),
    }


def _dissur(
    found: Mapping[str, Value],
    description: object,
    price: object,
    tax: object,
    discount: bool,
    gross: bool,
    currency: str,
) -> dict[str, Value]:
    """A surcharge or discount by its name; one that comes twice is two."""
    name = f"{'discount' if discount else 'surcharge'} {description}"
    while f"{name} amount" in found:
        name += " again"
    words: dict[str, Value] = {f"{name} amount": Money.of(price, currency), f"{name} tax rate": _text(tax)}
    return words | ({f"{name} includes": "tax"} if gross else {})


def _payment(found: Mapping[str, Value], method: object, amount: object, currency: str) -> dict[str, Value]:
    """What was paid by a method, together."""
    name = f"payment by method {_text(method)}"
    before = found.get(name)
    paid = Money.of(amount, currency)
    return {name: before + paid if isinstance(before, Money) else paid}


def _totals(net: object, tax: object, gross: object, currency: str) -> dict[str, Value]:
    return {name: Money.of(v, currency) for name, v in (("untaxed", net), ("tax", tax), ("total", gross))}


def _text(id: object) -> str:
    return "" if id is None else str(id)


# --------------------------------------------------------------------------------------------------------- refusals


def refusal(words: str, request: Mapping[str, Any], mapping_file: str) -> Rejected:
    """A refusal of an order as a business type; OrderWise's own words go along as evidence.

    No wording of OrderWise is known: what we sent is looked for in it, so that no personal data reaches a title.
    """
    header = request["orderHeader"]
    for row in request["orderLines"]:
        sku = str(row["variantCode"])
        if _names(words, sku, "sku|product|item|variant|code"):
            # Not the SKU alone: an item that is there and refused must not release itself by being found.
            return Rejected(
                "ORDER_UNKNOWN_SKU", f"{sku} refused", f"OrderWise does not accept SKU {sku}", evidence=words
            )
        if _numbers(words, row["taxRateId"], "tax|vat"):
            key = f"{mapping_file}:[taxes] {row['taxRateId']}"
            message = f"OrderWise has no tax rate {row['taxRateId']}"
            return Rejected("ORDER_TAX_UNMAPPED", key, message, evidence=words)
    for row in request["dissurs"]:
        if _names(words, str(row["description"]), "discount|surcharge|dissur"):
            key = f"{mapping_file}:[tenant] {row['description']}"
            message = f"OrderWise has no discount or surcharge named {row['description']}"
            return Rejected("ORDER_DISCOUNT_UNMAPPED", key, message, evidence=words)
    if _numbers(words, header["deliveryMethodId"], "delivery"):
        key = f"{mapping_file}:[carriers] {header['deliveryMethodId']}"
        message = f"OrderWise has no delivery method {header['deliveryMethodId']}"
        return Rejected("ORDER_SHIPPING_UNMAPPED", key, message, evidence=words)
    if re.search(r"\bsession\b", words, re.IGNORECASE):
        message = "OrderWise does not take orders for this e-commerce session"
        return Rejected("ORDER_MARKET_UNMAPPED", f"{mapping_file}:[markets] session", message, evidence=words)
    message = "OrderWise refused the order; its words are attached"
    return Rejected("ORDER_REJECTED_BY_ERP", "orderwise:sales order", message, evidence=words)


def _names(words: str, code: str, subjects: str) -> bool:
    """Whether a message about one of the subjects names a code, whole."""
    whole = re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", words)
    return whole is not None and re.search(subjects, words, re.IGNORECASE) is not None


def _numbers(words: str, id: int, subject: str) -> bool:
    """Whether a message gives this id as the subject's: right after it, for a bare 1 may be the number of a line."""
    named = rf"(?:{subject})(?:[\s_-]*(?:rate|code|method|id))*\W{{1,3}}{id}(?![\w-])"
    return re.search(named, words, re.IGNORECASE) is not None

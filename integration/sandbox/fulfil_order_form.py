"""An order as a channel sends it, read and checked before anything is written.

Fields, enums and de-duplication words: the vendor's guide "Creating orders". Refusal texts for taxes and carriers: the
vendor's open sale-channel module. Unconfirmed: every other text, that `amount` contains the taxes, that customer, amount
and currency_code are required, and everything `FulfilSwitches` names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from integration.sandbox.currencies import rounded
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import naive, user_error

_ORDER = frozenset(
    "channel_identifier reference confirmed_at customer billing_address shipping_address sale_lines shipping_lines"
    " payments currency_code amount gift_message comment status financial_status fulfillment_status payment_term"
    " priority metadata".split()
)
_LINE = frozenset(
    "channel_identifier sku variant_identifier quantity unit_price amount description list_price comment metadata"
    " shipping_date fulfil_strategy gift_message warehouse delivery_address recipient_name recipient_email"
    " tax_lines".split()
)
_SHIPPING = frozenset("channel_identifier description carrier_service_code amount tax_lines".split())
_TAX = frozenset("name rate amount".split())
_PAYMENT = frozenset("amount provider_reference method state".split())
_CUSTOMER = frozenset("name contacts".split())
_ADDRESS = frozenset(
    "name address1 address2 city zip subdivision_code country_code email phone channel_identifier".split()
)
_CHOICES = {
    "status": ("pending", "completed", "cancelled"),
    "financial_status": ("paid", "unpaid", "refunded"),
    "fulfillment_status": ("unshipped", "partial", "shipped"),
}
_MOST_DIGITS = 15  # more than any amount of money has, few enough to compute with
_STRATEGIES = ("ship", "pick_up", "dropship", "backorder", "make_on_order")
_CONTACTS = frozenset(
    "phone mobile fax email website skype twitter facebook instagram pigeon-post".split()
)  # fmt: skip
_KEPT_OF_A_LINE = ("list_price", "comment", "metadata", "shipping_date", "fulfil_strategy", "gift_message")


@dataclass(frozen=True)
class FormLine:
    """A sale or shipping line ready to be written; amounts in the order's currency."""

    values: Row
    amount: Decimal
    given_tax: Decimal
    computed_tax: Decimal
    carrier: Row | None = None
    """The channel's carrier row of a shipping line."""


@dataclass
class Form:
    """A checked order. `complaints` are the mismatches that leave it in draft with a channel exception."""

    channel: Row
    identifier: str
    reference: str | None
    confirmed_at: datetime | None
    currency: Row
    customer: Row
    billing: Row | None
    shipping: Row | None
    lines: list[FormLine]
    payments: list[Row]
    rest: Row
    complaints: list[str] = field(default_factory=list)

    @property
    def untaxed(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def given_tax(self) -> Decimal:
        return sum((line.given_tax for line in self.lines), Decimal(0))

    @property
    def computed_tax(self) -> Decimal:
        return sum((line.computed_tax for line in self.lines), Decimal(0))


def decimal(value: Any, name: str) -> Decimal:
    """An amount: a Decimal object, a string or a number; anything else is a UserError."""
    try:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            amount = Decimal(value)
            if amount.is_finite() and abs(amount.adjusted()) < _MOST_DIGITS:
                return amount
    except InvalidOperation:
        pass
    raise user_error(f'The value {value!r} of "{name}" is not a number.')


class OrderForm:
    """Reads orders against what the records know."""

    def __init__(self, records: Records, switches: FulfilSwitches) -> None:
        self._records, self._switches = records, switches

    def read(self, channel: Row, order: Row) -> Form:
        """The checked order; raises the 400 UserError for the first thing that is wrong."""
        self._known(order, _ORDER, "order")
        for name in ("channel_identifier", "customer", "sale_lines", "currency_code", "amount"):
            _need(order, name, "order")
        for name, choices in _CHOICES.items():
            if order.get(name) not in (None, *choices):
                raise user_error(f"Invalid {name} {order[name]!r}. Allowed: {', '.join(choices)}")
        form = Form(
            channel=channel,
            identifier=str(order["channel_identifier"]),
            reference=order.get("reference"),
            confirmed_at=_moment(order.get("confirmed_at")),
            currency=self._currency(order["currency_code"]),
            customer=self._customer(order["customer"]),
            billing=self._address(order.get("billing_address")),
            shipping=self._address(order.get("shipping_address")),
            lines=[],
            payments=self._payments(order.get("payments") or []),
            rest={
                name: order.get(name) for name in ("gift_message", "comment", "metadata", "payment_term", "priority")
            },
        )
        form.lines.extend(self._sale_line(form, line) for line in _list(order["sale_lines"], "sale_lines"))
        form.lines.extend(
            self._shipping_line(form, line) for line in _list(order.get("shipping_lines"), "shipping_lines")
        )
        self._check_total(form, decimal(order["amount"], "amount"))
        return form

    def _sale_line(self, form: Form, line: Row) -> FormLine:
        self._known(line, _LINE, "sale line")
        for name in ("channel_identifier", "quantity", "unit_price", "amount"):
            _need(line, name, "sale line")
        if line.get("fulfil_strategy") not in (None, *_STRATEGIES):
            raise user_error(f"Invalid fulfil_strategy {line['fulfil_strategy']!r}.")
        if line.get("warehouse") is not None:
            self._records.get("stock.location", line["warehouse"])
        product = self._product(line)
        price, quantity = decimal(line["unit_price"], "unit_price"), decimal(line["quantity"], "quantity")
        self._check_digits(price)
        values = {name: line[name] for name in _KEPT_OF_A_LINE if name in line} | {
            "channel_identifier": line["channel_identifier"],
            "product": product["id"],
            "description": line.get("description") or product["rec_name"],
            "quantity": float(quantity),
            "unit_price": price,
            "warehouse": line.get("warehouse"),
        }
        amount = self._line_amount(form, line, price * quantity)
        return self._with_taxes(values, amount, line.get("tax_lines"), form.currency["code"])

    def _shipping_line(self, form: Form, line: Row) -> FormLine:
        self._known(line, _SHIPPING, "shipping line")
        _need(line, "amount", "shipping line")
        price = decimal(line["amount"], "amount")
        code = line.get("carrier_service_code")
        values = {
            "channel_identifier": line.get("channel_identifier"),
            "description": line.get("description") or code or "Shipping",
            "quantity": 1.0,
            "unit_price": price,
            "shipment_cost": True,
        }
        amount = self._line_amount(form, line, price)
        carrier = self._carrier(form.channel, code) if code is not None else None
        return self._with_taxes(values, amount, line.get("tax_lines"), form.currency["code"], carrier)

    def _with_taxes(
        self, values: Row, amount: Decimal, tax_lines: Any, currency: str, carrier: Row | None = None
    ) -> FormLine:
        taxes: list[int] = []
        given = computed = Decimal(0)
        for tax_line in _list(tax_lines, "tax_lines"):
            self._known(tax_line, _TAX, "tax line")
            tax = self._tax(tax_line)
            taxes.append(tax["id"])
            tax_amount = rounded(amount * tax["rate"], currency)
            computed += tax_amount
            given += decimal(tax_line["amount"], "amount") if tax_line.get("amount") is not None else tax_amount
        kept = computed if self._switches.tax_amount == "computed" else given
        return FormLine(
            values | {"amount": amount, "taxes": taxes, "tax_amount": kept}, amount, given, computed, carrier
        )

    def _line_amount(self, form: Form, line: Row, product: Decimal) -> Decimal:
        """Fulfil's own amount of a line, compared with the one that was sent."""
        own, sent = rounded(product, form.currency["code"]), decimal(line["amount"], "amount")
        if own != sent:
            self._mismatch(form, f"Line {line.get('channel_identifier')}: amount {sent} differs from {own}.", "line")
        return own

    def _check_total(self, form: Form, amount: Decimal) -> None:
        tax = form.computed_tax if self._switches.tax_amount == "computed" else form.given_tax
        if amount != form.untaxed + tax:
            self._mismatch(
                form, f"Order amount {amount} differs from the computed total {form.untaxed + tax}.", "total"
            )

    def _mismatch(self, form: Form, text: str, which: str) -> None:
        rule = self._switches.line_mismatch if which == "line" else self._switches.total_mismatch
        if rule == "refuse":
            raise user_error(text)
        if rule == "draft-with-exception":
            form.complaints.append(text)

    def _check_digits(self, price: Decimal) -> None:
        limit = self._switches.unit_price_digits
        if round(price, limit) != price:
            raise user_error(f'The value "{price}" for "Unit Price" has more than {limit} decimal digits.')

    def _product(self, line: Row) -> Row:
        """By sku, or by variant_identifier, which in this sandbox is the variant's code too."""
        code = line.get("sku") or line.get("variant_identifier")
        if not code:
            raise user_error('A sale line needs "sku" or "variant_identifier".')
        for product in self._records.find("product.product", "code", code):
            if product["active"]:
                return product
        raise user_error(f'Product with code "{code}" was not found.')

    def _tax(self, tax_line: Row) -> Row:
        _need(tax_line, "name", "tax line")
        rate = decimal(tax_line.get("rate"), "rate")
        for tax in self._records.find("account.tax", "name", tax_line["name"]):
            if tax["rate"] == rate:
                return tax
        raise user_error(f"{tax_line['name']} (tax) of rate {rate:.6f} was not found.")

    def _carrier(self, channel: Row, code: str) -> Row:
        for row in self._records.find("sale.channel.carrier", "channel", channel["id"]):
            if row["code"].lower() == str(code).lower():
                return row
        raise user_error(f"Shipping carrier is not configured for code: {code}")

    def _currency(self, code: Any) -> Row:
        for currency in self._records.find("currency.currency", "code", code):
            return currency
        raise user_error(f"Currency with code {code!r} was not found.")

    def _customer(self, customer: Any) -> Row:
        self._known(customer, _CUSTOMER, "customer")
        _need(customer, "name", "customer")
        contacts = _list(customer.get("contacts"), "contacts", list)
        if not all(len(pair) == 2 and pair[0] in _CONTACTS for pair in contacts):
            raise user_error("A contact is a pair of its type and value.")
        emails = [value for kind, value in contacts if kind == "email" and value]
        return {"name": customer["name"], "email": emails[0] if emails else None}

    def _address(self, address: Any) -> Row | None:
        if address is None:
            return None
        self._known(address, _ADDRESS, "address")
        code = address.get("country_code")
        countries = self._records.find("country.country", "code", code)
        if code is not None and not countries:
            raise user_error(f"Country with code {code!r} was not found.")
        words = {name: address.get(name) for name in _ADDRESS - {"country_code"}}
        return words | {"country": countries[0]["id"] if countries else None}

    def _payments(self, payments: Any) -> list[Row]:
        """Those with state "success"; the vendor ignores every other state."""
        kept: list[Row] = []
        for payment in _list(payments, "payments"):
            self._known(payment, _PAYMENT, "payment")
            if payment.get("state") != "success":
                continue
            gateways = self._records.find("payment_gateway.gateway", "code", payment.get("method"))
            if gateways:
                amount = decimal(payment.get("amount"), "amount")
                reference = payment.get("provider_reference")
                kept.append({"gateway": gateways[0]["id"], "amount": amount, "provider_reference": reference})
            elif self._switches.unknown_gateway == "refuse":
                raise user_error(f"Payment gateway is not configured for code: {payment.get('method')}")
        return kept

    def _known(self, words: Any, known: Iterable[str], what: str) -> None:
        if not isinstance(words, dict):
            raise user_error(f"The {what} must be an object.")
        if self._switches.unknown_keys == "refuse" and (strange := sorted(words.keys() - known)):
            raise user_error(f"The {what} has unknown fields: {', '.join(strange)}")


def _need(words: Row, name: str, what: str) -> None:
    if words.get(name) in (None, "", []):
        raise user_error(f'The field "{name}" of the {what} is required.')


def _list(value: Any, name: str, of: type = dict) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, of) for item in value):
        raise user_error(f"{name} must be a list.")
    return value


def _moment(value: Any) -> datetime | None:
    """ISO 8601 with or without a zone (without means UTC here, unconfirmed)."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        return naive(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        raise user_error(f"confirmed_at {value!r} is not a date and time.") from None

"""Our order as an e-commerce session of OrderWise imports it: the same parts as the call to OWAPI, with names for ids.

The elements are those of one integrator's six years of production. Delivery method, payment and surcharge are matched by their
exact names, taxes by Sage-style codes; amounts of a line are per unit. Whether the order of elements matters is unknown, so it
is kept as it was seen. A line has no number of its own in XML: OrderWise numbers lines as they come. Unconfirmed: where it
keeps `eCommerceItemID`, and that a line's stock location is the session's own.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

from integration.erp.orderwise.client import Row
from integration.erp.orderwise.profile import Profile
from integration.errors import Unmapped

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written."""

_ADDRESS = {
    "Address1": "address1",
    "Address2": "address2",
    "Town": "town",
    "County": "county",
    "Country": "country",
    "CountryCode": "countryCode",
    "Postcode": "postcode",
    "Email": "email",
    "Telephone": "telephone",
}
_TOTALS = ("Gross", "Net", "Tax")


def document(orders: Sequence[str]) -> bytes:
    """The answer to a pull: `SalesOrder` elements as text, in one document. No order is an empty list."""
    schema = "http://www.w3.org/2001/XMLSchema"
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<XMLFile xmlns:xsi="{schema}-instance" xmlns:xsd="{schema}">'
    return f"{head}<SalesOrders>{''.join(orders)}</SalesOrders></XMLFile>".encode()


def numbered(request: Row) -> Row:
    """The request with its lines numbered as an import numbers them."""
    lines = [row | {"itemNumber": place} for place, row in enumerate(request["orderLines"], start=1)]
    return request | {"orderLines": lines}


def sales_order(request: Row, profile: Profile) -> str:
    """One `SalesOrder` of `wire.order_request`. Raises `Unmapped` for an id whose name or code the profile does not have."""
    header, session = request["orderHeader"], _Names(profile)
    method = session.method(header["deliveryMethodId"])
    payments = request["payments"]
    words: dict[str, Any] = {
        "OrderNumber": header["eCommerceOrderNumber"],
        "OrderDate": header["orderDate"].partition(".")[0],
        "CustomerOrderRef": header["customerOrderRef"],
        "OrderOnHold": False,
        "PricesAsNet": header["pricesAsNet"],
        "DeliveryMethod": method,
        **{f"Delivery{part}": header[f"delivery{part}"] for part in _TOTALS},
        "DeliveryTaxCode": session.tax(header["deliveryTaxCodeId"]),
        **{f"Order{part}": header[f"order{part}"] for part in _TOTALS},
    }
    if payments:
        words["AmountPaid"] = sum((row["amount"] for row in payments), Decimal(0))
    words["Customer"] = _customer(request, method, profile.session.account)
    if payments:
        words["Payments"] = [
            ("SalesPayment", {"Description": session.payment(row["paymentMethodId"]), "Amount": row["amount"]})
            for row in payments
        ]
    words["Lines"] = [("SalesOrderLine", _line(row, session)) for row in request["orderLines"]]
    words["Dissurs"] = [("SalesDissur", _dissur(row, session)) for row in request["dissurs"]]
    return ET.tostring(_element("SalesOrder", words), encoding="unicode")


def _line(row: Row, session: "_Names") -> Row:
    return {
        "Code": row["variantCode"],
        "Quantity": row["quantity"],
        "eCommerceItemID": row["itemNumber"],
        "ItemGross": row["itemGross"],
        "ItemNet": row["itemNet"],
        "TaxCode": session.tax(row["taxRateId"]),
    }


def _dissur(row: Row, session: "_Names") -> Row:
    """A discount unless `Discount` says N: what is a surcharge says so."""
    surcharge = {} if row["discount"] else {"Discount": "N"}
    return {
        "Description": row["description"],
        "Price": row["price"],
        "TaxCode": session.tax(row["taxRateId"]),
        "GrossDiscount": row["grossDiscount"],
        **surcharge,
    }


def _customer(request: Row, method: str, account: str) -> Row:
    delivery, invoice = request["customerDeliveryAddress"], request["customerInvoiceAddress"]
    billed = {"Name": invoice["contactName"]} | {name: invoice[key] for name, key in _ADDRESS.items()}
    sent = {"Name": delivery["deliveryName"], "Contact": delivery["contactName"]}
    return {
        "eCommerceAccountNumber": account,
        **{f"{role}{name}": value for role in ("Statement", "Invoice") for name, value in billed.items()},
        "CustomerContact": {name: billed[name] for name in ("Name", "Email", "Telephone")},
        "DeliveryAddress": sent | {name: delivery[key] for name, key in _ADDRESS.items()} | {"DeliveryMethod": method},
    }


def _element(name: str, value: Any) -> ET.Element:
    """An object's entries or a list's (name, value) pairs as children; anything else as text."""
    made = ET.Element(name)
    if isinstance(value, dict | list):
        made.extend(_element(*pair) for pair in (value.items() if isinstance(value, dict) else value))
    else:
        made.text = _text(value)
    return made


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else _NOT_XML.sub(" ", str(value))


class _Names:
    """The tenant's records by the exact names that XML needs."""

    def __init__(self, profile: Profile) -> None:
        self._file, self._session = profile.file, profile.session

    def tax(self, id: object) -> str:
        return self._of("tax_codes", self._session.tax_codes, id, "ORDER_TAX_UNMAPPED")

    def method(self, id: object) -> str:
        return self._of("delivery_methods", self._session.delivery_methods, id, "ORDER_SHIPPING_UNMAPPED")

    def payment(self, id: object) -> str:
        return self._of("payment_methods", self._session.payment_methods, id, "ORDER_PAYMENT_UNMAPPED")

    def _of(self, table: str, names: Mapping[str, str], id: object, type: str) -> str:
        if str(id) not in names:
            raise Unmapped(type, file=self._file, table=f"tenant.session.{table}", key=str(id))
        return names[str(id)]

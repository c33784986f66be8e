"""A sales order as it comes in, read into one form whichever way it came. Names that are not known are ignored.

Seen in JSON at one integrator or two: customer.id and accountNumber; orderHeader's systemOrderType, eCommerceOrderNumber,
orderDate, requiredDate, specialInstructions, deliveryMethodId, orderGross, deliveryGross; customerDeliveryAddress; lines with
itemNumber, variantCode, quantity, itemGross, taxRateId, stockLocationId, calculateLineSystemPrice. Unconfirmed: every other
name below, which is the XML's name in camelCase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from integration.sandbox.orderwise_wire import Refused, Row

ADDRESS = ("name", "address1", "address2", "address3", "town", "county", "country", "countrycode", "postcode", "email",
           "telephone")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line; `net`, `gross` and `tax` are of one piece, `tax_rate` and `place` ids."""

    number: int
    code: str
    quantity: Decimal
    net: Decimal | None
    gross: Decimal | None
    tax_rate: int | None
    place: int | None
    system_price: bool = False
    direct: bool = False
    original: int | None = None


@dataclass(frozen=True)
class Dissur:
    """A discount (or surcharge), by name; `gross` when `price` holds tax."""

    description: str
    price: Decimal
    tax_rate: int | None
    discount: bool
    gross: bool


@dataclass(frozen=True)
class Form:
    """An order for one session; an amount that was not sent is None."""

    session: int
    number: str
    type: int
    customer: int | str | None
    order_date: str | None
    method: int | None
    prices_as_net: bool
    currency: str | int | None
    on_hold: bool
    customer_ref: str | None
    gross: Decimal | None
    net: Decimal | None
    tax: Decimal | None
    delivery_gross: Decimal | None
    delivery_net: Decimal | None
    delivery_tax: Decimal | None
    delivery_tax_rate: int | None
    lines: tuple[Line, ...]
    dissurs: tuple[Dissur, ...] = ()
    payments: tuple[tuple[int, Decimal], ...] = ()
    addresses: dict[str, Row] = field(default_factory=dict)
    original: int | None = None


def read(session: int, body: Any) -> Form:
    """The JSON of `POST /sales/order`, its names in lower case; raises the 400 for what cannot be read."""
    if not isinstance(body, Mapping) or not isinstance(body.get("orderheader"), Mapping):
        raise Refused(400, "orderHeader is required.")
    head, customer = body["orderheader"], body.get("customer") or {}
    number = head.get("ecommerceordernumber")
    if not number:
        raise Refused(400, "eCommerceOrderNumber is required.")
    return Form(
        session=session,
        number=str(number),
        type=_whole(head, "systemordertype") or 1,
        customer=_whole(customer, "id") or customer.get("accountnumber"),
        order_date=moment(head.get("orderdate")),
        method=_whole(head, "deliverymethodid"),
        prices_as_net=bool(head.get("pricesasnet")),
        currency=_whole(head, "currencyid") or head.get("currency"),
        on_hold=bool(head.get("orderonhold")),
        customer_ref=head.get("customerorderref"),
        gross=_amount(head, "ordergross"),
        net=_amount(head, "ordernet"),
        tax=_amount(head, "ordertax"),
        delivery_gross=_amount(head, "deliverygross"),
        delivery_net=_amount(head, "deliverynet"),
        delivery_tax=_amount(head, "deliverytax"),
        delivery_tax_rate=_whole(head, "deliverytaxcodeid"),
        lines=tuple(_line(place, words) for place, words in enumerate(body.get("orderlines") or [], start=1)),
        dissurs=tuple(_dissur(words) for words in body.get("dissurs") or []),
        payments=tuple(
            (_whole(words, "paymentmethodid") or 0, _amount(words, "amount") or Decimal(0))
            for words in body.get("payments") or []
        ),
        addresses={
            role: _address(body[f"customer{role}address"])
            for role in ("delivery", "invoice", "statement")
            if body.get(f"customer{role}address")
        },
        original=_whole(head, "originalorderid"),
    )


def moment(value: Any) -> str | None:
    """A local date-time as the books keep it; SQL Server takes a trailing Z without moving the hands, and no offset."""
    if value is None:
        return None
    text = str(value)
    try:
        read = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as error:
        raise Refused(400, f"{text!r} is not a date and time.") from error
    if read.tzinfo is not None:
        raise Refused(400, "Conversion failed when converting date and/or time from character string.")
    return read.isoformat(timespec="milliseconds")


def _line(place: int, words: Any) -> Line:
    if not words.get("variantcode"):
        raise Refused(400, f"Line {place}: variantCode is required.")
    return Line(
        number=_whole(words, "itemnumber") or place,
        code=str(words["variantcode"]),
        quantity=_amount(words, "quantity") or Decimal(0),
        net=_amount(words, "itemnet"),
        gross=_amount(words, "itemgross"),
        tax_rate=_whole(words, "taxrateid"),
        place=_whole(words, "stocklocationid"),
        system_price=bool(words.get("calculatelinesystemprice")),
        direct=bool(words.get("direct")),
        original=_whole(words, "originalorderlineid"),
    )


def _dissur(words: Any) -> Dissur:
    return Dissur(
        description=str(words.get("description") or ""),
        price=_amount(words, "price") or Decimal(0),
        tax_rate=_whole(words, "taxrateid"),
        discount=words.get("discount") in (None, True),
        gross=bool(words.get("grossdiscount")),
    )


def _address(words: Any) -> Row:
    """`deliveryName` is the delivery address's name; the other roles' is unconfirmed."""
    name = next((words[key] for key in words if key.endswith("name") and key != "contactname"), None)
    return {"name": name} | {key: words.get(key) for key in ADDRESS if key != "name"}


def _amount(words: Any, name: str) -> Decimal | None:
    value = words.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused(400, f"{name} is not a number.")
    return Decimal(value)


def _whole(words: Any, name: str) -> int | None:
    value = words.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(400, f"{name} is not a whole number.")
    return value

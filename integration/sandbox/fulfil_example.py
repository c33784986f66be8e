"""A first order and a first call, for tests, demos and newcomers.

session = Session(Fulfil(RealClock()).app)
session.put("model/sale.channel/create_order", [1, order("100", ("LS101NVS", 2, "45.00"))]).value
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from integration.sandbox.currencies import rounded
from integration.sandbox.fulfil_access import TOKEN
from integration.sandbox.fulfil_wire import parsed

Item = tuple[str, int, str]
"""SKU, quantity, net unit price in major units."""


def order(
    number: str,
    *items: Item,
    currency: str = "GBP",
    tax: tuple[str, str] = ("UK VAT Standard", "0.20"),
    shipping: tuple[str, str] | None = ("royal-mail-48", "4.00"),
    email: str = "ann@example.com",
) -> dict[str, Any]:
    """An order that adds up, with one tax (name, rate) on every line; `shipping` is (carrier code, net amount)."""
    sale_lines = []
    total = Decimal(0)
    for place, (sku, quantity, price) in enumerate(items or [("LS101NVS", 2, "45.00")], start=1):
        amount = rounded(Decimal(price) * quantity, currency)
        tax_amount = rounded(amount * Decimal(tax[1]), currency)
        total += amount + tax_amount
        words = {
            "channel_identifier": f"{number}-{place}",
            "sku": sku,
            "quantity": quantity,
            "unit_price": typed(price),
        }
        sale_lines.append(words | {"amount": typed(amount), "tax_lines": [_tax_line(tax, tax_amount)]})
    shipping_lines = []
    if shipping is not None:
        tax_amount = rounded(Decimal(shipping[1]) * Decimal(tax[1]), currency)
        total += Decimal(shipping[1]) + tax_amount
        words = {"carrier_service_code": shipping[0], "amount": typed(shipping[1]), "description": "Delivery"}
        shipping_lines.append(words | {"tax_lines": [_tax_line(tax, tax_amount)]})
    address = {"name": "Ann Example", "address1": "1 High St", "city": "Town", "zip": "N1 9GU", "country_code": "GB"}
    return {
        "channel_identifier": number,
        "reference": f"#{number}",
        "confirmed_at": "2026-03-01T08:20:23+01:00",
        "customer": {"name": "Ann Example", "contacts": [["email", email], ["phone", "020 7946 0000"]]},
        "billing_address": address,
        "shipping_address": address,
        "sale_lines": sale_lines,
        "shipping_lines": shipping_lines,
        "payments": [
            {"amount": typed(total), "provider_reference": f"psp-{number}", "method": "adyen", "state": "success"}
        ],
        "amount": typed(total),
        "currency_code": currency,
        "status": "pending",
        "financial_status": "paid",
        "fulfillment_status": "unshipped",
    }


def typed(amount: Decimal | str) -> dict[str, str]:
    """An amount as a Decimal object of the wire."""
    return {"__class__": "Decimal", "decimal": str(amount)}


def _tax_line(tax: tuple[str, str], amount: Decimal) -> dict[str, Any]:
    return {"name": tax[0], "rate": float(tax[1]), "amount": typed(amount)}


@dataclass(frozen=True)
class Answer:
    """What came back; `value` has Python's types, `words` the JSON as it travelled."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        return parsed(self.body)

    @property
    def words(self) -> Any:
        return json.loads(self.body)


class Session:
    """The app called in this process, as a client would call it over HTTP."""

    def __init__(self, app: Callable[..., Any], token: str | None = TOKEN) -> None:
        self._app, self._token = app, token

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def put(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.send("PUT", path, body, headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.send("POST", path, body, headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.send("DELETE", path, None, headers)

    def send(self, verb: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        """`path` is relative to `/api/v2/` unless it begins with a slash; `headers` are named as WSGI names them."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": verb,
            "PATH_INFO": path if path.startswith("/") else f"/api/v2/{path}",
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.input": io.BytesIO(raw),
            **headers,
        }
        if self._token:
            environ.setdefault("HTTP_X_API_KEY", self._token)
        begun: list[Any] = []
        answer = b"".join(self._app(environ, lambda status, fields: begun.extend([status, fields])))
        return Answer(int(begun[0].split()[0]), dict(begun[1]), answer)

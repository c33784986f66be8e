"""A first order and a first call, for tests, demos and newcomers.

client = Client(OrderWise(RealClock()).app)
client.post("sales/order?session_id=21", order("centra-100", ("LS101NVS", 2, "37.50"))).words["orderId"]
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from integration.sandbox.call import Answer as Called
from integration.sandbox.call import call
from integration.sandbox.currencies import rounded
from integration.sandbox.orderwise_catalogue import LEEDS, PASSWORD, USER, WEB_CUSTOMER

Item = tuple[str, int, str]
"""SKU, quantity, net unit price in major units."""


def order(
    number: str, *items: Item, tax: tuple[int, str] = (1, "20"), delivery: str = "4.00", **head: Any
) -> dict[str, Any]:
    """An order that adds up, with one tax (id, percent) on everything; `head` overrides words of orderHeader."""
    rate = Decimal(tax[1]) / 100
    lines, net, gross = [], Decimal(delivery), rounded(Decimal(delivery) * (1 + rate), "GBP")
    carriage = gross
    for place, (sku, quantity, price) in enumerate(items or [("LS101NVS", 2, "37.50")], start=1):
        with_tax = rounded(Decimal(price) * (1 + rate), "GBP")
        net += Decimal(price) * quantity
        gross += with_tax * quantity
        words = {
            "itemNumber": place,
            "variantCode": sku,
            "quantity": quantity,
            "taxRateId": tax[0],
            "stockLocationId": LEEDS,
        }
        lines.append(words | {"itemNet": float(price), "itemGross": float(with_tax)})
    address = {
        "deliveryName": "Ann Example",
        "address1": "1 High Street",
        "town": "Leeds",
        "country": "United Kingdom",
        "countryCode": "GB",
        "postcode": "LS1 1AA",
        "telephone": "01130000000",
        "email": "ann@example.com",
    }
    return {
        "customer": {"id": WEB_CUSTOMER},
        "orderHeader": {
            "systemOrderType": 1,
            "eCommerceOrderNumber": number,
            "orderDate": "2026-03-01T09:20:23.000",
            "deliveryMethodId": 1,
            "pricesAsNet": True,
            "orderGross": float(gross),
            "orderNet": float(net),
            "orderTax": float(gross - net),
            "deliveryGross": float(carriage),
            "deliveryNet": float(delivery),
            "deliveryTax": float(carriage - Decimal(delivery)),
            "deliveryTaxCodeId": tax[0],
            **head,
        },
        "customerDeliveryAddress": address,
        "orderLines": lines,
        "payments": [{"paymentMethodId": 1, "amount": float(gross)}],
    }


@dataclass(frozen=True)
class Answer:
    """What came back; `words` is its JSON."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def words(self) -> Any:
        return json.loads(self.body)


class Client:
    """The app called in this process, as a client would call it over HTTP: it logs in first."""

    def __init__(
        self, app: Callable[..., Any], user: str = USER, password: str = PASSWORD, root: str = "/OWAPI"
    ) -> None:
        self._app, self._login, self._root = app, f"{user}:{password}", root
        self.token: str | None = None

    def log_in(self) -> Answer:
        basic = base64.b64encode(self._login.encode()).decode()
        got = self._call("GET", f"{self._root}/token/gettoken", b"", {"Authorization": f"Basic {basic}"})
        self.token = got.words if got.status == 200 else None
        return got

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.send("POST", path, body, headers)

    def put(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.send("PUT", path, body, headers)

    def run(self, id: int, **parameters: Any) -> Answer:
        """An export definition with its parameters by name."""
        body = [{"name": f"@{name}", "value": value} for name, value in parameters.items()] or [
            {"name": "", "value": None}
        ]
        return self.post(f"system/export-definition/{id}", body)

    def send(self, verb: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        """`path` is relative to the directory unless it begins with a slash."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        where = path if path.startswith("/") else f"{self._root}/{path}"
        if self.token is None:
            self.log_in()
        given = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", **headers}
        return self._call(verb, where, raw, given)

    def _call(self, verb: str, path: str, raw: bytes, headers: dict[str, str]) -> Answer:
        got: Called = call(self._app, verb, path, raw, headers)
        return Answer(got.status, got.headers, got.body)

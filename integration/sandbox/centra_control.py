"""The sandbox's own controls on HTTP, JSON in and out. No token, no limits, no faults: they are the tester's hands.

GET|POST|DELETE faults; GET books; GET ledger; GET requests; GET|POST orders; GET orders/<n>;
POST orders/<n>/confirm|pay|hold|release|cancel|edit|return|refund; POST returns/<id>/complete|refund|cancel; GET|POST stock;
POST products/<SKU>/withhold|make|change;
GET|POST switches; GET|POST|DELETE webhooks; POST|DELETE tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integration.sandbox.centra_faults import Reply, as_json
from integration.sandbox.generator import Generator

if TYPE_CHECKING:
    from integration.sandbox.centra import Centra

Words = dict[str, Any]


class Control:
    """Routes `/_sandbox/` calls of one `Centra`."""

    def __init__(self, centra: Centra) -> None:
        self.centra = centra
        self._generators: dict[int, Any] = {}
        self._routes: dict[tuple[str, str], Callable[[Words], Any]] = {
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._plan_fault,
            ("DELETE", "faults"): lambda _: self._clear_faults(),
            ("GET", "books"): lambda _: centra.books(),
            ("GET", "ledger"): lambda _: centra.ledger(),
            ("GET", "stock"): lambda _: centra.ledger()["stock"],
            ("POST", "stock"): self._stock,
            ("GET", "requests"): lambda _: dict(centra.requests),
            ("GET", "orders"): lambda _: sorted(centra.orders),
            ("POST", "orders"): self._place,
            ("GET", "switches"): lambda _: asdict(centra.switches),
            ("POST", "switches"): self._switch,
            ("GET", "webhooks"): lambda _: [asdict(endpoint) for endpoint in centra.webhooks.endpoints],
            ("POST", "webhooks"): self._webhook,
            ("DELETE", "webhooks"): lambda _: self._forget_webhooks(),
            ("POST", "tokens"): self._grant,
            ("DELETE", "tokens"): lambda words: centra.revoke(words["token"]),
        }

    def __call__(self, method: str, path: str, body: bytes) -> Reply:
        """Answer one call; what the caller got wrong is a 400 with the reason, an unknown place a 404."""
        try:
            words = json.loads(body, parse_float=Decimal) if body else {}
            route = self._routes.get((method, path))
            if route:
                return as_json(200, route(words))
            if path.startswith("orders/"):
                return self._order(method, path.split("/")[1:], words)
            if method == "POST" and path.startswith("products/"):
                return self._product(path.split("/")[1:], words)
            if method == "POST" and path.startswith("returns/"):
                return self._return(path.split("/")[1:], words)
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            return as_json(400, {"error": str(error)})
        return as_json(404, {"error": f"no {method} {path} here", "routes": [" ".join(r) for r in self._routes]})

    def _order(self, method: str, parts: list[str], words: Words) -> Reply:
        number = int(parts[0])
        acts: dict[str, Callable[[], None]] = {
            "confirm": lambda: self.centra.confirm(number),
            "pay": lambda: self.centra.pay(number),
            "hold": lambda: self.centra.hold(number, words.get("reason", "")),
            "release": lambda: self.centra.release(number, words.get("reason", "")),
            "cancel": lambda: self.centra.cancel(number, words.get("comment", "")),
            "edit": lambda: self.centra.edit(number, **words),
            "return": lambda: self._take_back(number, words),
            "refund": lambda: self.centra.refund(number, Decimal(words["amount"]), words.get("note", "")),
        }
        if method == "POST" and len(parts) == 2:
            if parts[1] not in acts:
                raise KeyError(f"an order cannot be told to {parts[1]}; it can: {', '.join(acts)}")
            acts[parts[1]]()
        if number not in self.centra.orders:
            return as_json(404, {"error": f"no order {number}"})
        return as_json(200, next(book for book in self.centra.books() if book["number"] == number))

    def _take_back(self, number: int, words: Words) -> None:
        """`{"items": {SKU: pieces}, "stock": "release" | "remove", "shipping": 4.95, "return_cost": 2}`."""
        amounts = {name: Decimal(words[name]) for name in ("shipping", "return_cost") if words.get(name) is not None}
        self.centra.return_items(number, words["items"], stock=words.get("stock", "release"), **amounts)

    def _return(self, parts: list[str], words: Words) -> Reply:
        """Tell a return to do something; the answer is all returns of its order."""
        id, verb = int(parts[0]), parts[1] if len(parts) == 2 else ""
        acts: dict[str, Callable[..., None]] = {
            "complete": self.centra.complete_return,
            "refund": self.centra.refund_return,
            "cancel": self.centra.cancel_return,
        }
        if verb not in acts:
            raise KeyError(f"a return cannot be told to {verb}; it can: {', '.join(acts)}")
        number = self.centra.returns.find(id).order_number
        acts[verb](id)
        return as_json(200, next(book["returns"] for book in self.centra.books() if book["number"] == number))

    def _product(self, parts: list[str], words: Words) -> Reply:
        """`make` takes `{"status": "INACTIVE"}`, `change` what a person edits; the answer is the variant's status."""
        sku, verb = parts[0], parts[1] if len(parts) == 2 else ""
        acts: dict[str, Callable[..., None]] = {
            "withhold": self.centra.withhold_product,
            "make": self.centra.make_product,
            "change": self.centra.change_product,
        }
        if verb not in acts:
            raise KeyError(f"a product cannot be told to {verb}; it can: {', '.join(acts)}")
        acts[verb](sku, **words)
        return as_json(200, {"status": "withheld" if verb == "withhold" else self.centra.products.status(sku)})

    def _stock(self, words: Words) -> Any:
        """`{"sku": "LS101NVS", "quantity": 3, "warehouse_id": 1}` sets physical pieces; the answer is the SKU's totals."""
        self.centra.set_physical(words["sku"], int(words["quantity"]), int(words.get("warehouse_id", 1)))
        return self.centra.ledger()["stock"][words["sku"]]

    def _faults(self) -> Words:
        faults = self.centra.faults
        return {"known": faults.known, "planned": [vars(p) for p in faults.plans], "fired": dict(faults.fired)}

    def _plan_fault(self, words: Words) -> Words:
        terms: dict[str, Any] = {n: float(word) if isinstance(word, Decimal) else word for n, word in words.items()}
        if terms.get("number") is not None:
            terms["number"] = str(terms["number"])
        return vars(self.centra.faults.plan(**terms))

    def _clear_faults(self) -> Words:
        self.centra.faults.clear()
        return self._faults()

    def _place(self, words: Words) -> Words:
        """An explicit basket, or generated ones: `{"generate": 3, "seed": 7, "market_id": 2}`; confirmed at once."""
        if "lines" in words:
            return {"numbers": [self.centra.place_order(words)]}
        seed = int(words.get("seed", 1))
        generator = self._generators.setdefault(seed, Generator(seed))
        numbers = []
        for _ in range(int(words.get("generate", 1))):
            number = self.centra.place_order(generator.basket(words.get("market_id")))
            if words.get("confirm", True):
                self.centra.confirm(number)
            numbers.append(number)
        return {"numbers": numbers}

    def _switch(self, words: Words) -> Words:
        plain = {name: float(word) if isinstance(word, Decimal) else word for name, word in words.items()}
        self.centra.switches.change(plain)
        with self.centra.guard:
            for order in self.centra.orders.values():
                order.shown = None
        return asdict(self.centra.switches)

    def _webhook(self, words: Words) -> Words:
        return asdict(self.centra.register_webhook(**words))

    def _forget_webhooks(self) -> list[Words]:
        self.centra.webhooks.endpoints.clear()
        return []

    def _grant(self, words: Words) -> Words:
        if words.get("expires"):
            words["expires"] = datetime.fromisoformat(words["expires"])
        token = self.centra.grant(**words)
        permissions = None if token.permissions is None else sorted(token.permissions)
        return {**vars(token), "permissions": permissions}

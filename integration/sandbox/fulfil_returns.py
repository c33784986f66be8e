"""`sale.sale/<id>/return_order`: the keyed way to have goods come back.

The words are those of a customer's client in the wild, whose comments read like the vendor's own page. What is left out is
dangerous: without `return_quantity` everything returnable comes back, without `unit_price` at the original price, and an
unknown `return_reason` is created. The result is a new sale with negative lines, made ready by the switch `process` as any
order is. Unconfirmed: the answer, the replay, what is returnable (switches), the refusals' words, that the return's own
channel_identifier is kept on its sale, that an exchange line keeps the taxes of the original and names no origin, and
that `exchange_quantity` is the returned quantity when only `exchange_product` is given.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from integration.sandbox.currencies import rounded
from integration.sandbox.faults import Plan
from integration.sandbox.fulfil_access import Access
from integration.sandbox.fulfil_order_form import decimal
from integration.sandbox.fulfil_orders import Orders
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import http_error, model, user_error

_FORM = frozenset("channel_identifier reference warehouse lines".split())
_LINE = frozenset(
    "order_line_id return_quantity unit_price channel_identifier note return_reason exchange_quantity exchange_product"
    " exchange_unit_price".split()
)
_COPIED = (
    "channel", "channel_type", "party", "company", "currency", "invoice_address", "shipment_address", "carrier",
    "carrier_service", "invoice_method", "shipment_method", "payment_term", "priority",
)  # fmt: skip


class Returns:
    """Takes return orders."""

    def __init__(self, records: Records, access: Access, orders: Orders, switches: FulfilSwitches) -> None:
        self._records, self._access, self._orders, self._switches = records, access, orders, switches

    def return_order(self, sale_id: Any, args: Any, user: int, plan: Plan | None = None) -> Any:
        """What the switch `return_response` says of the new or the known return sale.

        Raises 404 for an unknown sale, 403 without create access to its channel, 400 UserError for a bad return.
        """
        sale = self._records.get("sale.sale", sale_id)
        form = args[0] if isinstance(args, list) and args else args
        if not isinstance(form, dict):
            raise user_error("return_order takes an object.")
        if sale["channel"] is not None and not self._access.may_create(user, sale["channel"]):
            raise http_error(403)
        fault = plan.fault if plan else None
        made = self._known(sale, form.get("channel_identifier"))
        if made is None:
            made = self._accept(sale, form, fault)
            if plan and fault == "search-lag":
                self._records.hidden["sale.sale", made["id"]] = self._records.now() + timedelta(seconds=plan.seconds)
        if fault == "duplicate-race":
            self._records.keep()
            raise user_error("Channel identifier for a channel should be unique")
        return self._response(made)

    def _known(self, sale: Row, identifier: Any) -> Row | None:
        """The sale this key names already; raises the 400 when it is no return of `sale`, or by switch."""
        if identifier is None:
            return None
        known = self._orders.known(sale["channel"], identifier)
        if known is None:
            return None
        own = known["has_return"] and known["origin"] == f"sale.sale,{sale['id']}"
        if not own or self._switches.return_replay == "refuse":
            raise user_error("Channel identifier for a channel should be unique")
        return known if self._switches.return_replay == "return-old" else None

    def _response(self, sale: Row) -> Any:
        record = model("sale.sale", sale)
        answers = {"object": record, "list": [record], "id": sale["id"], "null": None}
        return answers[self._switches.return_response]

    def _accept(self, sale: Row, form: Row, fault: str | None) -> Row:
        self._check_words(form, _FORM, "return")
        if sale["state"] not in ("processing", "done"):
            raise user_error(f"Sale {sale['rec_name']} is {sale['state']} and cannot be returned.")
        wishes = form.get("lines")
        if not isinstance(wishes, list) or not wishes:
            raise user_error('The field "lines" of the return is required.')
        if form.get("warehouse") is not None:
            self._records.get("stock.location", form["warehouse"])
        asked: dict[int, float] = {}
        lines = [line for wish in wishes for line in self._lines(sale, wish, asked)]
        made = self._write(sale, form, lines)
        if fault == "recalculated":
            code = self._records.get("currency.currency", sale["currency"])["code"]
            self._orders.recalculate(made, code)
        self._orders.start(made)
        return made

    def _lines(self, sale: Row, wish: Any, asked: dict[int, float]) -> list[Row]:
        """The line that comes back and the line that goes out in exchange; either may be missing.

        `asked` counts what the same return takes of each line.
        """
        self._check_words(wish, _LINE, "return line")
        line = self._records.rows["sale.line"].get(wish.get("order_line_id"))
        if line is None or line["sale"] != sale["id"]:
            raise user_error(f"Sale {sale['rec_name']} has no line {wish.get('order_line_id')!r}.")
        returnable = self._returnable(line) - self._taken(line) - asked.get(line["id"], 0.0)
        given = wish.get("return_quantity")
        quantity = returnable if given is None else float(decimal(given, "return_quantity"))
        if not 0 <= quantity <= returnable or (given is None and not quantity):
            raise user_error(
                f'Cannot return {quantity:g} of "{line["description"]}": only {returnable:g} can be returned.'
            )
        asked[line["id"]] = asked.get(line["id"], 0.0) + quantity
        out = self._exchanged(sale, line, wish, quantity)
        if not quantity:
            return out
        price = _price(wish.get("unit_price"), line["unit_price"])
        words = {
            "product": line["product"],
            "description": line["description"],
            "is_return": line["product"] is not None,
            "origin": f"sale.line,{line['id']}",
            "channel_identifier": wish.get("channel_identifier"),
            "return_type": "exchange" if out else "credit",
            "return_reason": self._reason(wish.get("return_reason")),
            "note": wish.get("note"),
            "shipment_cost": line["shipment_cost"],
        }
        return [self._priced(sale, line, words, -quantity, price), *out]

    def _exchanged(self, sale: Row, line: Row, wish: Row, returned: float) -> list[Row]:
        product, quantity = wish.get("exchange_product"), wish.get("exchange_quantity")
        if product is None and quantity is None:
            return []
        row = self._records.get("product.product", product if product is not None else line["product"])
        pieces = returned if quantity is None else float(decimal(quantity, "exchange_quantity"))
        if pieces <= 0:
            raise user_error("The exchange_quantity must be above 0.")
        price = _price(wish.get("exchange_unit_price"), line["unit_price"])
        words = {"product": row["id"], "description": row["rec_name"], "shipment_cost": False}
        return [self._priced(sale, line, words, pieces, price)]

    def _priced(self, sale: Row, line: Row, words: Row, quantity: float, price: Decimal) -> Row:
        code = self._records.get("currency.currency", sale["currency"])["code"]
        amount = rounded(price * Decimal(str(quantity)), code)
        rates = [self._records.get("account.tax", id)["rate"] for id in line["taxes"]]
        tax = sum((rounded(amount * rate, code) for rate in rates), Decimal(0))
        figures = {"quantity": quantity, "unit_price": price, "amount": amount, "tax_amount": tax}
        return words | figures | {"type": "line", "taxes": list(line["taxes"])}

    def _returnable(self, line: Row) -> float:
        """Pieces of a line that ever left; of a line without goods, all."""
        if line["quantity"] <= 0:
            return 0.0
        if line["product"] is None or self._switches.returnable == "ordered":
            return float(line["quantity"])
        moves = self._records.find("stock.move", "origin", f"sale.line,{line['id']}")
        return float(sum(move["quantity"] for move in moves if move["state"] == "done"))

    def _taken(self, line: Row) -> float:
        """Pieces that other returns took already, cancelled ones aside."""
        taken = 0.0
        for other in self._records.find("sale.line", "origin", f"sale.line,{line['id']}"):
            if self._records.get("sale.sale", other["sale"])["state"] != "cancel":
                taken -= other["quantity"]
        return taken

    def _reason(self, name: Any) -> int | None:
        if not name:
            return None
        known = self._records.find("sale.return.reason", "name", str(name))
        reason = known[0] if known else self._records.insert("sale.return.reason", {"name": str(name), "active": True})
        return int(reason["id"])

    def _write(self, sale: Row, form: Row, lines: list[Row]) -> Row:
        identifier = form.get("channel_identifier")
        zeros = ("payment_total", "payment_available", "payment_authorized", "payment_captured", "payment_collected")
        made = self._records.insert(
            "sale.sale",
            {name: sale[name] for name in _COPIED}
            | dict.fromkeys((*zeros, "amount_invoiced", "credit"), Decimal(0))
            | {
                "number": f"SO{self._records.next_id('sale.sale'):05d}",
                "reference": form.get("reference"),
                "channel_identifier": None if identifier is None else str(identifier),
                "state": "draft",
                "warehouse": form.get("warehouse") or sale["warehouse"],
                "sale_date": self._records.now().date(),
                "invoice_state": "none",
                "shipment_state": "none",
                "has_return": True,
                "has_channel_exception": False,
                "is_cart": False,
                "origin": f"sale.sale,{sale['id']}",
            },
        )
        for line in lines:
            self._records.insert("sale.line", line | {"sale": made["id"]})
        self._orders.total(made, sum((line["tax_amount"] for line in lines), Decimal(0)))
        return made

    def _check_words(self, words: Any, known: frozenset[str], what: str) -> None:
        if not isinstance(words, dict):
            raise user_error(f"The {what} must be an object.")
        if self._switches.unknown_keys == "refuse" and (strange := sorted(words.keys() - known)):
            raise user_error(f"The {what} has unknown fields: {', '.join(strange)}")


def _price(given: Any, original: Decimal) -> Decimal:
    return original if given is None else decimal(given, "unit_price")

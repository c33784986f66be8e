"""`sale.channel/create_order`: the one keyed way to bring a channel's order into Fulfil.

Repeats with the same (channel, channel_identifier) have one effect and one answer (vendor's guide). Acceptance is no
proof of processing: a channel exception leaves the order in draft (vendor's open modules). The words `status`,
`financial_status` and `fulfillment_status` are checked and have no effect here; what they do in Fulfil depends on the
channel's settings.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from integration.sandbox.currencies import DECIMALS, rounded
from integration.sandbox.faults import Plan
from integration.sandbox.fulfil_access import Access
from integration.sandbox.fulfil_order_form import Form, OrderForm
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_states import States
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import http_error, model, naive, user_error

Later = Callable[[float, Callable[[], None]], None]


class Orders:
    """Takes orders; `later` runs an act after some seconds, under the app's lock."""

    def __init__(
        self, records: Records, access: Access, states: States, switches: FulfilSwitches, later: Later, random: Random
    ) -> None:
        self._records, self._access, self._states, self._switches = records, access, states, switches
        self._later, self._random = later, random
        self._form = OrderForm(records, switches)

    def create_order(self, args: Any, user: int, plan: Plan | None = None) -> Any:
        """The Model object (or what the switch `response` says) of the new or the known sale.

        Raises 404 for an unknown channel, 403 without create access to it, 400 UserError for a bad order.
        """
        if not isinstance(args, list) or len(args) < 2 or not isinstance(args[1], dict):
            raise user_error("create_order takes a channel id and an order.")
        channel, order = self._records.get("sale.channel", args[0]), args[1]
        if not self._access.may_create(user, channel["id"]):
            raise http_error(403)
        fault = plan.fault if plan else None
        sale = self.known(channel["id"], order.get("channel_identifier"))
        if sale is not None and self._switches.replay == "update":
            self._rewrite(sale, self._form.read(channel, order))
        elif sale is None:
            sale = self._accept(self._form.read(channel, order), fault)
            if plan and fault == "search-lag":
                self._records.hidden["sale.sale", sale["id"]] = self._records.now() + timedelta(seconds=plan.seconds)
        if fault == "duplicate-race":
            self._records.keep()
            raise user_error("Channel identifier for a channel should be unique")
        return self._response(sale)

    def known(self, channel: int, identifier: Any) -> Row | None:
        for sale in self._records.find("sale.sale", "channel_identifier", str(identifier)):
            if sale["channel"] == channel:
                return sale
        return None

    def _response(self, sale: Row) -> Any:
        if self._switches.response == "id":
            return sale["id"]
        record = model("sale.sale", sale)
        return [record] if self._switches.response == "list" else record

    def _accept(self, form: Form, fault: str | None) -> Row:
        sale = self._write(form)
        if fault == "recalculated":
            self.recalculate(sale, form.currency["code"])
        if fault == "channel-exception":
            form.complaints.append("The order could not be imported: a channel exception was asked for.")
        for text in form.complaints:
            self._except(sale, text)
        if not form.complaints:
            self.start(sale)
        return sale

    def start(self, sale: Row) -> None:
        """A new sale leaves draft when the switch `process` says."""
        if self._switches.process == "at-once":
            self._states.process(sale, touch=False)
        elif self._switches.process == "after-seconds":
            self._later(self._switches.process_seconds, lambda: self._process_draft(sale))

    def _process_draft(self, sale: Row) -> None:
        if sale["state"] == "draft" and sale["id"] in self._records.rows["sale.sale"]:
            self._states.process(sale)

    def _except(self, sale: Row, text: str) -> None:
        words = {"origin": f"sale.sale,{sale['id']}", "channel": sale["channel"], "log": text, "is_resolved": False}
        exceptions = [*sale["exceptions"], self._records.insert("channel.exception", words)["id"]]
        changes = {"has_channel_exception": True, "exceptions": exceptions}
        self._records.update("sale.sale", sale, changes, touch=False)

    def _write(self, form: Form) -> Row:
        party = self._party(form.customer)
        carriers = [line.carrier for line in form.lines if line.carrier]
        sale = self._records.insert(
            "sale.sale",
            {
                "number": f"SO{self._records.next_id('sale.sale'):05d}",
                "reference": form.reference,
                "channel_identifier": form.identifier,
                "channel": form.channel["id"],
                "channel_type": form.channel["source"],
                "state": "draft",
                "party": party["id"],
                "company": form.channel["company"],
                "currency": form.currency["id"],
                "warehouse": form.channel["warehouse"],
                "sale_date": (form.confirmed_at or self._records.now()).date(),
                "confirmation_time": naive(form.confirmed_at) if form.confirmed_at else None,
                "invoice_address": self._address(party, form.billing),
                "shipment_address": self._address(party, form.shipping or form.billing),
                "carrier": carriers[0]["carrier"] if carriers else None,
                "carrier_service": carriers[0]["carrier_service"] if carriers else None,
                "invoice_state": "none",
                "shipment_state": "none",
                "invoice_method": form.channel["invoice_method"],
                "shipment_method": form.channel["shipment_method"],
                "has_return": False,
                "has_channel_exception": False,
                "is_cart": False,
                "priority": str(form.rest["priority"] if form.rest["priority"] is not None else 2),
                "amount_invoiced": Decimal(0),
                **{name: [] for name in ("drop_shipments", "gateway_transactions")},
                **{name: form.rest[name] for name in ("gift_message", "comment", "metadata", "payment_term")},
            },
        )
        self._fill(sale, form)
        return sale

    def _fill(self, sale: Row, form: Form) -> None:
        """Lines, payments and totals; a line that is there already, by its channel_identifier, is changed."""
        known = {line["channel_identifier"]: line for line in self._records.find("sale.line", "sale", sale["id"])}
        for line in form.lines:
            values = {"shipment_cost": False} | line.values | {"sale": sale["id"], "type": "line"}
            old = known.get(values["channel_identifier"])
            if old is None:
                self._records.insert("sale.line", values)
            else:
                self._records.update("sale.line", old, values)
                self._states.stock.resize(old)
        for payment in form.payments:
            self._records.insert("sale.payment", payment | {"sale": sale["id"]})
        self.total(sale, form.given_tax)
        paid = sum((payment["amount"] for payment in form.payments), Decimal(0))
        names = ("payment_total", "payment_available", "payment_collected", "payment_captured")
        sale.update(dict.fromkeys(names, paid), payment_authorized=Decimal(0), credit=Decimal(0))

    def total(self, sale: Row, channel_tax: Decimal) -> None:
        """Sum up the lines; `channel_tax` is kept beside Fulfil's own tax."""
        lines = self._records.find("sale.line", "sale", sale["id"])
        code = self._records.get("currency.currency", sale["currency"])["code"]
        untaxed = rounded(sum((line["amount"] for line in lines), Decimal(0)), code)
        tax = sum((line["tax_amount"] for line in lines), Decimal(0))
        totals = {"untaxed_amount": untaxed, "tax_amount": tax, "total_amount": untaxed + tax}
        self._records.update("sale.sale", sale, totals | {"channel_tax_amount": channel_tax}, touch=False)

    def _rewrite(self, sale: Row, form: Form) -> None:
        """The other reading of a replay: the sale takes the new contents, its state stays."""
        kept = {line.values["channel_identifier"] for line in form.lines} - {None}
        for row in list(self._records.find("sale.payment", "sale", sale["id"])):
            self._records.delete("sale.payment", row)
        for row in list(self._records.find("sale.line", "sale", sale["id"])):
            if row["channel_identifier"] not in kept:
                self._records.delete("sale.line", row)
        self._fill(sale, form)
        self._records.update("sale.sale", sale, {"reference": form.reference})

    def recalculate(self, sale: Row, currency: str) -> None:
        """One line costs, or one line is taxed, one minor unit more than was sent."""
        line = self._random.choice(self._records.find("sale.line", "sale", sale["id"]))
        unit = Decimal(1).scaleb(-DECIMALS[currency])
        if self._random.random() < 0.5:
            line["unit_price"] += unit
            line["amount"] = rounded(line["unit_price"] * Decimal(line["quantity"]), currency)
        else:
            line["tax_amount"] += unit
        self.total(sale, sale["channel_tax_amount"])

    def _party(self, customer: Row) -> Row:
        """The known customer with this email, whatever its name, or a new one."""
        email = customer["email"].lower() if customer["email"] else None
        if email is not None:
            for party in self._records.find("party.party", "email", email):
                return party
        return self._records.insert("party.party", {"name": customer["name"], "email": email, "active": True})

    def _address(self, party: Row, words: Row | None) -> int | None:
        """An equal address of this customer is used again."""
        if words is None:
            return None
        for address in self._records.find("party.address", "party", party["id"]):
            if all(address[name] == value for name, value in words.items()):
                return int(address["id"])
        return int(self._records.insert("party.address", words | {"party": party["id"]})["id"])

"""Invoices and credit notes: one model, one type "out", the sign tells (Tryton 4.0).

Amounts and taxes of a line are computed: unit_price * quantity, rounded, and the rates of its taxes on that. Unconfirmed:
that a `tax_amount` given on a line is kept (switch `tax_amount`), the state of an invoice that Fulfil makes (switch
`invoices_made`), the words of every refusal, the form of a number, and that an invoice has one at its posting only.
"""

from datetime import date
from decimal import Decimal
from random import Random

from integration.sandbox.currencies import DECIMALS, rounded
from integration.sandbox.fulfil_order_form import decimal
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_seed import COMPANY, RECEIVABLE, REVENUE
from integration.sandbox.fulfil_steps import INVOICE_METHODS, step
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

MODEL, LINE = "account.invoice", "account.invoice.line"
_AMOUNTS = ("untaxed_amount", "tax_amount", "total_amount", "balance", "balance_due")


class Invoices:
    """Makes, totals and moves invoices."""

    def __init__(self, records: Records, switches: FulfilSwitches) -> None:
        self._records, self._switches = records, switches

    # ------------------------------------------------------------------------------------------ made by Fulfil

    def of_sale(
        self,
        sale: Row,
        moved: dict[int, float] | None,
        *,
        out: Row | None = None,
        back: Row | None = None,
        touch: bool = True,
    ) -> Row | None:
        """An invoice for what `moved` (sale line id to signed quantity; None: everything) and for the lines without goods
        that no invoice has yet. None when there is nothing, or when a return is worth nothing.
        """
        lines = []
        for line in self._records.find("sale.line", "sale", sale["id"]):
            whole = float(line["quantity"] or 0)
            if line["product"] and moved is not None:
                quantity = moved.get(line["id"], 0.0)
            else:
                quantity = 0.0 if self._has_invoice(line) else whole
            if quantity:
                lines.append(self._line_of(sale, line, quantity))
        if not lines or (sale["has_return"] and not sum(line["amount"] + line["tax_amount"] for line in lines)):
            return None
        invoice = self._insert(
            {
                "party": sale["party"],
                "currency": sale["currency"] or self.defaults()["currency"],
                "company": sale["company"],
                "reference": sale["reference"],
                "origins": sale["number"],
                "payment_term": sale["payment_term"],
                "customer_shipments": [out["id"]] if out else [],
                "customer_return_shipments": [back["id"]] if back else [],
            },
            lines,
            touch=touch,
        )
        if self._switches.invoices_made == "posted" and not self._is_closed(self._records.now().date()):
            self.step(invoice, "post", touch=touch)
        return invoice

    def credit(self, invoice: Row) -> Row:
        """A draft credit note: the lines of `invoice` with their quantities negated (Tryton 4.0)."""
        names = ("type", "product", "description", "unit_price", "account")
        lines = [
            {name: line[name] for name in names}
            | {
                "quantity": -line["quantity"],
                "amount": -line["amount"],
                "tax_amount": -line["tax_amount"],
                "taxes": list(line["taxes"]),
                "origin": f"{LINE},{line['id']}",
            }
            for line in self._records.find(LINE, "invoice", invoice["id"])
        ]
        kept = ("party", "currency", "company", "reference", "payment_term", "description")
        return self._insert({name: invoice[name] for name in kept}, lines)

    def recalculate(self, invoice: Row, random: Random) -> None:
        """One line is taxed one minor unit more than was sent."""
        line = random.choice(self._records.find(LINE, "invoice", invoice["id"]))
        tax = line["tax_amount"] + Decimal(1).scaleb(-DECIMALS[self._currency(invoice)])
        self._records.update(LINE, line, {"tax_amount": tax}, touch=False)
        self._total(invoice, touch=False)

    # --------------------------------------------------------------------------------------------- made by hand

    def defaults(self) -> Row:
        """What a new invoice has unless its maker says otherwise."""
        currency = self._records.get("company.company", COMPANY)["currency"]
        return {"type": "out", "company": COMPANY, "currency": currency, "account": RECEIVABLE}

    def check(self, model: str, row: Row) -> None:
        """Raises the UserError when an invoice, or the one a line belongs to, may not be changed any more."""
        invoice = row if model == MODEL else self._records.rows[MODEL].get(row["invoice"])
        if invoice and invoice["state"] not in ("draft", "validated"):
            raise user_error(f'You can not modify invoice "{invoice["rec_name"]}" because it is {invoice["state"]}.')

    def settle(self, model: str, row: Row, given: Row) -> None:
        """Compute what follows from the words `given` of an invoice or a line just written."""
        invoice = row if model == MODEL else self._records.rows[MODEL].get(row["invoice"])
        if model == MODEL and row["party"] is None:
            raise user_error('The field "Party" on "Invoice" is required.')
        if model == LINE:
            for name in ("quantity", "unit_price"):
                if row[name] is None:
                    raise user_error(f'The field "{name}" on "Invoice Line" is required.')
            if invoice is not None:
                self._compute(invoice, row, given)
        if invoice is not None:
            self._total(invoice, touch=False)

    def _compute(self, invoice: Row, line: Row, given: Row) -> None:
        price, quantity = decimal(line["unit_price"], "unit_price"), decimal(str(line["quantity"]), "quantity")
        if round(price, self._switches.unit_price_digits) != price:
            limit = self._switches.unit_price_digits
            raise user_error(f'The value "{price}" for "Unit Price" has more than {limit} decimal digits.')
        amount = rounded(price * quantity, self._currency(invoice))
        changes: Row = {"unit_price": price, "quantity": float(quantity), "amount": amount}
        changes["account"] = line["account"] or REVENUE
        if self._switches.tax_amount == "given" and given.get("tax_amount") is not None:
            changes["tax_amount"] = decimal(given["tax_amount"], "tax_amount")
        elif line["tax_amount"] is None or given.keys() & {"unit_price", "quantity", "taxes", "tax_amount"}:
            changes["tax_amount"] = self._taxed(amount, line["taxes"], self._currency(invoice))
        self._records.update(LINE, line, changes, touch=False)

    # --------------------------------------------------------------------------------------------------- states

    def step(self, invoice: Row, method: str, *, touch: bool = True) -> None:
        """A state method; raises the UserError when the state or the closed period does not allow it."""
        target = step(self._switches, "Invoice", INVOICE_METHODS, invoice, method)
        if target is None:
            return
        changes: Row = {"state": target}
        if method in ("validate_invoice", "post"):
            day = invoice["invoice_date"] or self._records.now().date()
            if method == "post" and self._is_closed(day):
                raise user_error(f"The period of {day.isoformat()} is closed; the invoice cannot be posted.")
            changes["invoice_date"] = day
        if method == "post":
            changes["number"] = f"INV{invoice['id']:05d}"
        changes |= dict.fromkeys(("balance", "balance_due"), self._open_amount(target, invoice["total_amount"]))
        self._records.update(MODEL, invoice, changes, touch)
        for id in invoice["sales"]:
            self._follow(self._records.get("sale.sale", id), touch=touch)

    def _is_closed(self, day: date) -> bool:
        until = self._switches.closed_until
        return bool(until) and day <= date.fromisoformat(until)

    def _open_amount(self, state: str, total: Decimal) -> Decimal:
        return total if state == "posted" else Decimal(0)

    def _follow(self, sale: Row, *, touch: bool) -> None:
        """The sale's invoice_state: paid when all invoices are, exception when one is cancelled, else waiting."""
        invoices = [self._records.get(MODEL, id) for id in sale["invoices"]]
        states = {invoice["state"] for invoice in invoices}
        state = "exception" if "cancel" in states else "paid" if states == {"paid"} else "waiting"
        amount = sum((i["total_amount"] for i in invoices if i["state"] in ("posted", "paid")), Decimal(0))
        self._records.update("sale.sale", sale, {"invoice_state": state, "amount_invoiced": amount}, touch)

    # --------------------------------------------------------------------------------------------------- figures

    def _insert(self, words: Row, lines: list[Row], *, touch: bool = True) -> Row:
        amounts = dict.fromkeys(_AMOUNTS, Decimal(0))
        invoice = self._records.insert(MODEL, self.defaults() | amounts | {"state": "draft"} | words)
        for line in lines:
            self._records.insert(LINE, {"account": REVENUE} | line | {"invoice": invoice["id"]})
        self._total(invoice, touch=touch)
        return invoice

    def _line_of(self, sale: Row, line: Row, quantity: float) -> Row:
        currency = self._currency(sale)
        price = decimal(line["unit_price"] or 0, "unit_price")
        amount = rounded(price * Decimal(str(quantity)), currency)
        whole = quantity == line["quantity"] and line["tax_amount"] is not None
        return {
            "type": "line",
            "product": line["product"],
            "description": line["description"],
            "quantity": quantity,
            "unit_price": price,
            "amount": amount,
            "taxes": list(line["taxes"]),
            "tax_amount": line["tax_amount"] if whole else self._taxed(amount, line["taxes"], currency),
            "origin": f"sale.line,{line['id']}",
        }

    def _taxed(self, amount: Decimal, taxes: list[int], currency: str) -> Decimal:
        rates = [self._records.get("account.tax", id)["rate"] for id in taxes]
        return sum((rounded(amount * rate, currency) for rate in rates), Decimal(0))

    def _total(self, invoice: Row, *, touch: bool = True) -> None:
        """Totals, the sales its lines come from, and those sales' own list of invoices."""
        lines = self._records.find(LINE, "invoice", invoice["id"])
        untaxed = sum((line["amount"] for line in lines), Decimal(0))
        tax = sum((line["tax_amount"] for line in lines), Decimal(0))
        sales = list(dict.fromkeys([*invoice["sales"], *(sale for line in lines for sale in self._sales_of(line))]))
        totals = {"untaxed_amount": untaxed, "tax_amount": tax, "total_amount": untaxed + tax}
        owed = dict.fromkeys(("balance", "balance_due"), self._open_amount(invoice["state"], untaxed + tax))
        self._records.update(MODEL, invoice, totals | owed | {"sales": sales}, touch=False)
        for id in sales:
            sale = self._records.get("sale.sale", id)
            if invoice["id"] not in sale["invoices"]:
                self._records.update("sale.sale", sale, {"invoices": [*sale["invoices"], invoice["id"]]}, touch)
            self._follow(sale, touch=touch)

    def _sales_of(self, line: Row) -> list[int]:
        model, _, id = (line["origin"] or "").partition(",")
        origin = self._records.rows[model].get(int(id)) if model in ("sale.line", LINE) else None
        if origin is None:
            return []
        return [origin["sale"]] if model == "sale.line" else self._records.get(MODEL, origin["invoice"])["sales"]

    def _has_invoice(self, line: Row) -> bool:
        found = self._records.find(LINE, "origin", f"sale.line,{line['id']}")
        return any(self._records.get(MODEL, own["invoice"])["state"] != "cancel" for own in found)

    def _currency(self, row: Row) -> str:
        return str(self._records.get("currency.currency", row["currency"] or self.defaults()["currency"])["code"])

"""Orders come in: looked at by the session's rules, priced, written to the books and taken off free stock."""

from dataclasses import replace
from decimal import Decimal

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox import orderwise_money as money
from integration.sandbox.currencies import DECIMALS
from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_money import Priced, Totals
from integration.sandbox.orderwise_order_form import Form, Line
from integration.sandbox.orderwise_sessions import Session
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_wire import Refused, Row, four

MISPRICED = ("recalculated", "repriced-tax")
"""Faults that change what a line costs."""


class Orders:
    """The import of one order. `log` is OrderWise's own: what it changed without asking."""

    def __init__(self, ledger: Ledger, stock: Stock, switches: OrderWiseSwitches) -> None:
        self._ledger, self._stock, self.switches = ledger, stock, switches
        self.log: list[Row] = []

    def known_skus(self, form: Form) -> None:
        """Raises the 400 that names a variant code nobody knows."""
        for line in form.lines:
            if self._stock.variant(line.code) is None:
                raise Refused(400, f"Variant code {line.code} was not found.")

    def has(self, number: str, session: int) -> bool:
        """Whether the session has had an order of that number."""
        known = "SELECT oh_id FROM order_header WHERE oh_ecommerce_number = ? AND oh_session_id = ?"
        return self._ledger.value(known, number, session) is not None

    def check_number(self, form: Form) -> None:
        """Raises the 400 for a number the session has had."""
        if self.switches.duplicate == "refuse" and self.has(form.number, form.session):
            raise Refused(400, f"Order number {form.number} already exists in this e-commerce session.")

    def take(self, form: Form, session: Session, plan: Plan | None = None) -> int:
        """Import an order; its oh_id. Raises the refusal, and nothing of the order is there."""
        self.check_number(form)
        self.known_skus(form)
        if not form.lines:
            raise Refused(400, "An order needs a line.")
        if "delivery" in form.addresses and not session.add_delivery_address:
            raise Refused(400, "The delivery address was not found on the customer.")
        currency = self._currency(form, session)
        method = self._method(form)
        rate = self._delivery_rate(form, session, method)
        delivery = money.of_delivery(form, self.rate(rate) if rate else None)
        lines = [self._priced(line, form, session) for line in form.lines]
        if plan and plan.fault == "recalculated":
            unit = Decimal(1).scaleb(-DECIMALS[currency])
            lines[0] = replace(lines[0], net=lines[0].net + unit, gross=lines[0].gross + unit)
        if plan and plan.fault == "repriced-tax":
            lines = [replace(line, tax_rate=line.tax_rate % len(own.TAXES) + 1) for line in lines]
        per_line = self.switches.totals_rounding == "line"
        parts = money.of_parts(form, lines, delivery, self.rate, currency, per_line)
        if plan is None or plan.fault not in MISPRICED:
            form = self._balanced(form, parts, rate or lines[0].tax_rate)
        return self._write(form, session, currency, method, rate, delivery, parts, lines)

    def _balanced(self, form: Form, parts: Totals, tax_rate: int) -> Form:
        """The form with OrderWise's own discount where its header says something else than its parts."""
        found = money.difference(form, parts)
        if found is None or self.switches.totals_mismatch == "keep":
            return form
        if self.switches.totals_mismatch == "refuse":
            raise Refused(400, f"The order's totals differ from its lines by {found.gross or found.net}.")
        own_discount = money.balancing(found, tax_rate)
        words = {"at": self._ledger.now(), "reference": form.number, "what": own_discount.description}
        self.log.append(words | {"price": str(own_discount.price), "discount": own_discount.discount})
        return replace(form, dissurs=(*form.dissurs, own_discount))

    def _write(
        self, form: Form, session: Session, currency: str, method: int, rate: int | None, delivery: Totals,
        parts: Totals, lines: list[Priced],
    ) -> int:  # fmt: skip
        ledger, now = self._ledger, self._ledger.now()
        gross = parts.gross if form.gross is None else form.gross
        net = form.net if form.net is not None else parts.net if form.tax is None else gross - form.tax
        id = ledger.insert(
            "order_header",
            oh_sot_id=form.type,
            oh_os_id=own.HELD if form.on_hold else own.AWAITING,
            oh_ecommerce_number=form.number,
            oh_session_id=session.id,
            oh_cust_order_ref=form.customer_ref or form.number,
            oh_cd_id=self._customer(form),
            oh_order_date=form.order_date or now,
            oh_input_datetime=now,
            oh_gross=gross,
            oh_net=net,
            oh_tax=gross - net if form.tax is None else form.tax,
            oh_delivery_gross=delivery.gross,
            oh_delivery_net=delivery.net,
            oh_delivery_tax=delivery.tax if form.delivery_tax is None else form.delivery_tax,
            oh_delivery_tax_code=rate,
            oh_currency=currency,
            oh_on_hold=int(form.on_hold),
            oh_dm_id=method,
        )
        ledger.update("order_header", "oh_id", id, oh_order_number=str(90_000 + id))
        ledger.insert("order_header_detail", ohd_oh_id=id, ohd_dm_id=method, ohd_last_amended_datetime=now)
        self._write_rows(id, form)
        moved: set[int] = set()
        for priced in lines:
            moved |= self._write_line(id, priced)
        self._stock.recalculate(sorted(moved))
        return id

    def _write_rows(self, id: int, form: Form) -> None:
        ledger = self._ledger
        for dissur in form.dissurs:
            ledger.insert(
                "order_dissur",
                od_oh_id=id,
                od_description=dissur.description,
                od_price=dissur.price,
                od_tax_code=dissur.tax_rate,
                od_discount=int(dissur.discount),
                od_gross=int(dissur.gross),
            )
        for payment, amount in form.payments:
            if ledger.value("SELECT pm_id FROM payment_method WHERE pm_id = ?", payment) is None:
                raise Refused(400, f"Payment method {payment} was not found.")
            ledger.insert("order_payment", op_oh_id=id, op_pm_id=payment, op_amount=amount)
        for role, words in form.addresses.items():
            names = {
                "address1": "address_1",
                "address2": "address_2",
                "address3": "address_3",
                "countrycode": "country_code",
            }
            columns = {f"oad_{names.get(key, key)}": value for key, value in words.items()}
            ledger.insert("order_address", oad_oh_id=id, oad_role=role, **columns)

    def _write_line(self, order: int, priced: Priced) -> set[int]:
        """The variants whose free stock it changes."""
        line = priced.line
        id = self._ledger.insert(
            "order_line_item",
            oli_oh_id=order,
            oli_vad_id=priced.variant,
            oli_item_number=line.number,
            oli_qty_required=line.quantity,
            oli_qty_tbsent=line.quantity,
            oli_item_net=priced.net,
            oli_item_gross=priced.gross,
            oli_item_tax=priced.gross - priced.net,
            oli_tax_code=priced.tax_rate,
            oli_sl_id=priced.place,
            oli_direct=int(line.direct),
            oli_original_oli_id=line.original,
        )
        self._stock.copy_bill(priced.variant, id)
        parts = self._stock.parts(priced.variant, id)
        return set(parts) or {priced.variant}

    def _priced(self, line: Line, form: Form, session: Session) -> Priced:
        variant = self._stock.variant(line.code)
        assert variant is not None
        barred = variant["vas_discontinued_product"] or variant["vas_disallow_sale"] or not variant["vad_sale_variant"]
        if barred and not session.override_variant_disallow:
            raise Refused(400, f"Variant {line.code} cannot be sold.")
        if line.quantity <= 0:
            raise Refused(400, f"Line {line.number}: the quantity must be positive.")
        rate = line.tax_rate
        if rate is None and session.use_variant_tax_code:
            rate = variant["vad_vr_id"]
        if rate is None:
            raise Refused(400, f"Line {line.number}: no tax code was provided.")
        place = line.place or session.stock_location
        if self._ledger.value("SELECT sl_id FROM stock_location WHERE sl_id = ?", place) is None:
            if not session.use_variant_stock_location:
                raise Refused(400, f"Line {line.number}: stock location {place} was not found.")
            place = own.LEEDS
        if line.system_price:
            price = "SELECT vafp_rsp_exc_vat FROM variant_foreign_price WHERE vafp_vad_id = ? ORDER BY vafp_id"
            line = replace(line, net=four(self._ledger.value(price, variant["vad_id"])), gross=None)
        computed = self.switches.line_gross == "computed"
        piece = money.of_piece(line, self.rate(rate), form.prices_as_net, computed)
        return Priced(line, variant["vad_id"], piece.net, piece.gross, rate, place)

    def rate(self, id: int) -> Decimal:
        """Of a tax rate's id, as a fraction; raises the 400."""
        percent = self._ledger.value("SELECT vr_vat_rate FROM vat_rate WHERE vr_id = ?", id)
        if percent is None:
            raise Refused(400, f"Tax rate {id} was not found.")
        return Decimal(str(percent)) / 100

    def _delivery_rate(self, form: Form, session: Session, method: int) -> int | None:
        if form.delivery_tax_rate is not None:
            self.rate(form.delivery_tax_rate)
            return form.delivery_tax_rate
        if session.use_delivery_method_tax_code:
            return int(self._ledger.value("SELECT dm_vr_id FROM delivery_method WHERE dm_id = ?", method))
        if form.delivery_gross or form.delivery_net:
            raise Refused(400, "No tax code was provided for the delivery.")
        return None

    def _method(self, form: Form) -> int:
        found = self._ledger.value("SELECT dm_id FROM delivery_method WHERE dm_id = ?", form.method)
        if found is None:
            raise Refused(400, f"Delivery method {form.method} was not found.")
        return int(found)

    def _customer(self, form: Form) -> int:
        found = self._ledger.value(
            "SELECT cd_id FROM customer_detail WHERE cd_id = ?1 OR cd_account_number = ?1", form.customer
        )
        if found is None:
            raise Refused(400, f"Customer {form.customer} was not found.")
        return int(found)

    def _currency(self, form: Form, session: Session) -> str:
        if form.currency is None:
            return session.currency
        found = self._ledger.value("SELECT c_code FROM currency WHERE c_id = ?1 OR c_code = ?1", form.currency)
        if found is None:
            raise Refused(400, f"Currency {form.currency} was not found.")
        return str(found)

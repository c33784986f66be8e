"""Returns and credits, as people in OrderWise keep them. No public source shows their tables or an endpoint, so the acts here
are a person's, and the one call (an order of type 4) is behind the switch `credit_by_order`.

Seen on screen: a linked return is raised from the order, no more than was sent can come back, goods are booked in, inspected
and put away. Goods that came back lie in "Leeds returns" until somebody has looked at them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox import orderwise_money as money
from integration.sandbox.currencies import DECIMALS, rounded
from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_floor import Floor, Pieces, Which
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_order_form import Form, Line
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_wire import Refused, Row, four

DISPOSITIONS = {"restock": "rl_qty_restocked", "quarantine": "rl_qty_quarantined", "scrap": "rl_qty_scrapped"}
Disposition = str | Mapping[str, float]
"""restock, quarantine or scrap, or pieces by these words."""
RAISED, RECEIVED, DONE = "Awaiting receipt", "Awaiting inspection", "Completed"


class Aftersales:
    """Not locked; the app locks around each act. A return is named by its rh_id, its reference or number, or its order's."""

    def __init__(
        self, ledger: Ledger, stock: Stock, floor: Floor, rate: money.Rate, switches: OrderWiseSwitches
    ) -> None:
        self._ledger, self._stock, self._floor, self._switches = ledger, stock, floor, switches
        self._rate = rate

    def raise_return(self, which: Which, lines: Pieces | None = None, reference: str | None = None) -> int:
        """A person raises a linked return of so many pieces (SKU or oli_id; None: all that can come back); its rh_id."""
        order = self._floor.order(which)
        id = self._ledger.insert(
            "return_header",
            rh_oh_id=order["oh_id"],
            rh_reference=reference,
            rh_status=RAISED,
            rh_last_amended_datetime=self._ledger.now(),
        )
        self._ledger.update("return_header", "rh_id", id, rh_number=f"R{id}")
        wanted = None if lines is None else {key: four(pieces) for key, pieces in lines.items()}
        some = False
        for line in self._floor.lines(order["oh_id"]):
            pieces = self._returnable(line)
            if wanted is not None:
                key = line["oli_id"] if line["oli_id"] in wanted else line["sku"]
                pieces = min(pieces, wanted.get(key, Decimal(0)))
                if pieces:
                    wanted[key] -= pieces
            if pieces:
                some = True
                self._ledger.insert("return_line", rl_rh_id=id, rl_oli_id=line["oli_id"], rl_qty_expected=pieces)
        missing = [key for key, pieces in (wanted or {}).items() if pieces]
        if missing or not some:
            raise ValueError(f"order {which!r} has not enough available to return of {missing or 'anything'}")
        return id

    def receive(
        self, which: Which, dispositions: Any = None, quantities: Mapping[str, float] | None = None
    ) -> list[int]:
        """Expected goods arrive (`quantities` by SKU when not all of them; the rest stays expected on another return) and lie
        in Leeds returns; with `dispositions` they are inspected at once. The rh_ids.
        """
        found = self._find(which, RAISED)
        for row in found:
            if quantities is not None:
                self._leave_open(row, quantities)
            for line in self._lines(row["rh_id"]):
                pieces = four(line["rl_qty_expected"])
                self._ledger.update("return_line", "rl_id", line["rl_id"], rl_qty_received=pieces)
                self._put(line, pieces, own.LEEDS_RETURNS)
            self._status(row["rh_id"], RECEIVED)
            if dispositions is not None:
                self._judge(row, dispositions)
        return [row["rh_id"] for row in found]

    def inspect(self, which: Which, dispositions: Any = None) -> list[int]:
        """What arrived is judged: restocked goods go to Leeds, scrapped ones are gone, quarantined ones stay; the rh_ids.

        `dispositions`: "restock" (also when nothing is said), "quarantine", "scrap" or pieces by word, for all or by SKU.
        """
        found = self._find(which, RECEIVED)
        for row in found:
            self._judge(row, dispositions)
        return [row["rh_id"] for row in found]

    def coming_back(self) -> list[Row]:
        """Returns that are expected ("draft") or received: `id`, `state`, `sale` and `lines` [(sku, pieces)]."""
        found = self._ledger.rows("SELECT * FROM return_header WHERE rh_status <> ? ORDER BY rh_id", DONE)
        return [
            {
                "id": row["rh_id"],
                "sale": row["rh_oh_id"],
                "state": "draft" if row["rh_status"] == RAISED else "received",
                "lines": [(line["sku"], line["rl_qty_expected"]) for line in self._lines(row["rh_id"])],
            }
            for row in found
        ]

    def credit(
        self, which: Which, lines: Pieces | None = None, reference: str | None = None, posted: bool = True,
        charges: tuple[str, str, str] | None = None, amounts: Mapping[str, tuple[str, str]] | None = None,
        charged: str = "Charges",
    ) -> int:  # fmt: skip
        """A person credits so many pieces (None: all that was ordered) at the order's own prices, or for these `amounts` (net
        and gross of a SKU's line); its ch_id. `charges` are the net and gross of something else that is credited, and its tax
        code's id; `charged` is what it is called.
        """
        order = self._floor.order(which)
        wanted = None if lines is None else {key: four(pieces) for key, pieces in lines.items()}
        rows: list[Row] = []
        for line in self._floor.lines(order["oh_id"]):
            pieces = four(line["oli_qty_required"])
            if wanted is not None:
                pieces = wanted.pop(line["oli_id"] if line["oli_id"] in wanted else line["sku"], Decimal(0))
            if pieces:
                told = (amounts or {}).get(line["sku"])
                own_prices = [pieces * four(line[name]) for name in ("oli_item_net", "oli_item_gross")]
                net, gross = map(four, told) if told else own_prices
                rows.append(_credit_line(net, gross, line["oli_tax_code"], line["oli_vad_id"], line["oli_id"], pieces))
        if wanted:
            raise ValueError(f"order {which!r} has no line of {', '.join(map(str, wanted))}")
        if charges is not None:
            rows.append(_credit_line(four(charges[0]), four(charges[1]), int(charges[2]), text=charged))
        return self._write(order["oh_id"], reference, rows, posted, order["oh_currency"])

    def credit_by_order(self, form: Form, plan: Plan | None = None) -> int:
        """An order of type 4, where the switch has it; its ch_id. Its link to what it credits is unconfirmed, and so is that
        its amounts mean what an order's mean.
        """
        if not self._switches.credit_by_order:
            raise Refused(400, "systemOrderType 4 cannot be imported.")
        known = "SELECT ch_id FROM credit_header WHERE ch_reference = ?"
        if self._switches.duplicate == "refuse" and self._ledger.value(known, form.number):
            raise Refused(400, f"Order number {form.number} already exists in this e-commerce session.")
        currency = form.currency if isinstance(form.currency, str) else own.currency_of(form.session)
        rows = [self._credited(line, form) for line in form.lines]
        if form.delivery_gross or form.delivery_net:
            code = form.delivery_tax_rate
            carriage = money.of_delivery(form, self._rate(code) if code else None)
            rows.append(_credit_line(carriage.net, carriage.gross, code, text="Delivery"))
        for dissur in form.dissurs:
            rate = self._rate(dissur.tax_rate) if dissur.tax_rate else Decimal(0)
            more = money.of_dissur(dissur, rate, lambda amount: rounded(amount, currency))
            rows.append(_credit_line(more.net, more.gross, dissur.tax_rate, text=dissur.description))
        if plan and plan.fault == "recalculated":
            unit = Decimal(1).scaleb(-DECIMALS[currency])
            rows[0] |= {name: rows[0][name] + unit for name in ("crli_net", "crli_gross")}
        return self._write(form.original, form.number, rows, self._switches.credit_posted, currency)

    def _credited(self, line: Line, form: Form) -> Row:
        variant = self._stock.variant(line.code)
        if variant is None:
            raise Refused(400, f"Variant code {line.code} was not found.")
        rate = self._rate(line.tax_rate) if line.tax_rate else Decimal(0)
        piece = money.of_piece(line, rate, form.prices_as_net, self._switches.line_gross == "computed")
        net, gross = piece.net * line.quantity, piece.gross * line.quantity
        return _credit_line(net, gross, line.tax_rate, variant["vad_id"], line.original, line.quantity)

    def _write(self, order: int | None, reference: str | None, rows: list[Row], posted: bool, currency: str) -> int:
        """Its lines are rounded as an order's are, and its totals are what they add up to."""
        now = self._ledger.now()
        if self._switches.totals_rounding == "line":
            rows = [
                row | _amounts(*(rounded(row[name], currency) for name in ("crli_net", "crli_gross"))) for row in rows
            ]
        net, gross = (
            rounded(sum((row[name] for row in rows), Decimal(0)), currency) for name in ("crli_net", "crli_gross")
        )
        id = self._ledger.insert(
            "credit_header",
            ch_oh_id=order,
            ch_reference=reference,
            ch_date=now,
            ch_net=net,
            ch_tax=gross - net,
            ch_gross=gross,
            ch_posted=int(posted),
            ch_currency=currency,
            ch_last_amended_datetime=now,
        )
        self._ledger.update("credit_header", "ch_id", id, ch_number=f"CR{id}")
        for row in rows:
            self._ledger.insert("credit_line_item", crli_ch_id=id, **row)
        return id

    def _judge(self, row: Row, dispositions: Any) -> None:
        for line in self._lines(row["rh_id"]):
            for word, pieces in _verdict(dispositions, line["sku"], four(line["rl_qty_received"])).items():
                self._ledger.update("return_line", "rl_id", line["rl_id"], **{DISPOSITIONS[word]: pieces})
                if word != "quarantine":
                    self._put(line, -pieces, own.LEEDS_RETURNS)
                if word == "restock":
                    self._put(line, pieces, own.LEEDS)
        self._status(row["rh_id"], DONE)

    def _leave_open(self, row: Row, arrived: Mapping[str, float]) -> None:
        left = {sku: four(pieces) for sku, pieces in arrived.items()}
        rest: list[tuple[int, Decimal]] = []
        for line in self._lines(row["rh_id"]):
            expected = four(line["rl_qty_expected"])
            here = min(expected, left.get(line["sku"], Decimal(0)))
            left[line["sku"]] = left.get(line["sku"], Decimal(0)) - here
            self._ledger.update("return_line", "rl_id", line["rl_id"], rl_qty_expected=here)
            rest += [(line["rl_oli_id"], expected - here)] if expected > here else []
        if any(left.values()):
            raise ValueError(f"more arrived than was expected: {left}")
        if rest:
            words = {key: row[key] for key in ("rh_oh_id", "rh_reference", "rh_status")}
            id = self._ledger.insert("return_header", **words, rh_last_amended_datetime=self._ledger.now())
            self._ledger.update("return_header", "rh_id", id, rh_number=f"R{id}")
            for line_id, pieces in rest:
                self._ledger.insert("return_line", rl_rh_id=id, rl_oli_id=line_id, rl_qty_expected=pieces)

    def _put(self, line: Row, pieces: Decimal, place: int) -> None:
        parts = self._stock.of_line(line)
        for variant, each in parts.items():
            self._stock.move(variant, pieces * each, place)
        self._stock.recalculate(parts)

    def _returnable(self, line: Row) -> Decimal:
        """What was sent of a line and is not on its way back yet."""
        back = "SELECT COALESCE(SUM(rl_qty_expected), 0) FROM return_line WHERE rl_oli_id = ?"
        return four(line["oli_qty_sent"]) - four(self._ledger.value(back, line["oli_id"]))

    def _lines(self, id: int) -> list[Row]:
        return self._ledger.rows(
            "SELECT return_line.*, oli_id, oli_vad_id, oli_sl_id, vad_variant_code AS sku FROM return_line"
            " JOIN order_line_item ON oli_id = rl_oli_id JOIN variant_detail ON vad_id = oli_vad_id"
            " WHERE rl_rh_id = ? ORDER BY rl_id",
            id,
        )

    def _find(self, which: Which, status: str) -> list[Row]:
        by = "rh_id = ?1" if isinstance(which, int) else "?1 IN (rh_reference, rh_number, oh_ecommerce_number)"
        found = self._ledger.rows(
            f"SELECT return_header.* FROM return_header JOIN order_header ON oh_id = rh_oh_id"  # noqa: S608  # two texts
            f" WHERE {by} AND rh_status = ?2 ORDER BY rh_id",
            which,
            status,
        )
        if not found:
            raise ValueError(f"no return of {which!r} is {status.lower()}")
        return found

    def _status(self, id: int, status: str) -> None:
        now = self._ledger.now()
        self._ledger.update("return_header", "rh_id", id, rh_status=status, rh_last_amended_datetime=now)


def _credit_line(
    net: Decimal, gross: Decimal, tax_code: int | None, variant: int | None = None, line: int | None = None,
    pieces: Decimal = Decimal(1), text: str | None = None,
) -> Row:  # fmt: skip
    """Amounts of the whole line."""
    words = {"crli_oli_id": line, "crli_vad_id": variant, "crli_qty": pieces, "crli_tax_code": tax_code}
    return words | _amounts(four(net), four(gross)) | {"crli_description": text}


def _amounts(net: Decimal, gross: Decimal) -> Row:
    return {"crli_net": net, "crli_gross": gross, "crli_tax": gross - net}


def _verdict(dispositions: Any, sku: str, pieces: Decimal) -> dict[str, Decimal]:
    """Pieces by word; raises `ValueError` for a word that is not or pieces that do not add up."""
    wish = "restock" if dispositions is None else dispositions
    if isinstance(wish, Mapping) and not wish.keys() <= DISPOSITIONS.keys():
        wish = wish.get(sku, "restock")
    verdict = {wish: pieces} if isinstance(wish, str) else {word: four(part) for word, part in wish.items()}
    if not verdict.keys() <= DISPOSITIONS.keys() or sum(verdict.values()) != pieces:
        raise ValueError(f"{sku}: {wish!r} does not say what becomes of {pieces} pieces")
    return verdict

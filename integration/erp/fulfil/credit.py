"""Credit memos: an invoice made as a draft, read back, and posted only when it is the refund (deploy/decisions/0015).

No public example of making an `account.invoice` in Fulfil was found; fields and states are Tryton 4.0's. Unconfirmed: that
a draft can be made this way at all (so it is the strategy "invoice", and "off" is a work-list), that `tax_amount` given on a
line is kept, the words of a closed period. A posted memo cannot be taken back, a draft can be cancelled.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integration.domain.credit import Refund
from integration.domain.money import digits
from integration.domain.order import Order
from integration.domain.proof import compare
from integration.erp.fulfil import memo as rows_of_a
from integration.erp.fulfil.client import UserError
from integration.erp.fulfil.tenant import (
    CANCELLED,
    FULL,
    SEARCH_LAG,
    Tenant,
    batches,
    changed,
    fingerprint,
    named_id,
    stamp_of,
)
from integration.errors import Rejected, Unavailable, Unknown
from integration.ports import CREDIT_MEMO, Draft, EffectClass, Hint, Memo, Write
from integration.translation import parts_of
from mappings import Mapping as Mapped

MODEL = "account.invoice"
LANE = "finance"
PREFIX = "refund-"
"""Begins the reference of every memo of ours."""

BOOKED = ("posted", "paid")
LIVES = {"draft": "draft", "validated": "draft", "posted": "posted", "paid": "paid"} | dict.fromkeys(
    CANCELLED, "cancelled"
)
_CLOSED = re.compile(
    r"(period|fiscal|month|year|book).*\b(closed|locked)|\b(closed|locked)\b.*(period|fiscal|month|year|book)",
    re.IGNORECASE,
)

FIELDS = (
    "reference", "number", "state", "currency.code", "untaxed_amount", "tax_amount", "total_amount", "lines", "write_date",
    "create_date",
)  # fmt: skip
LINE_FIELDS = ("product.code", "quantity", "amount", "note", "description")

Row = Mapping[str, Any]


class Credit(Tenant):
    """`ERPCredit`."""

    def memo_reference(self, refund: Refund) -> str:
        return f"{PREFIX}{refund.key.number}"

    def refund_number(self, reference: str) -> str:
        return reference.removeprefix(PREFIX) if reference.startswith(PREFIX) else ""

    def compose_memo(self, refund: Refund, order: Order, order_ref: str, mapping: Mapped) -> Draft:
        rows = rows_of_a.rows_of(parts_of(refund, order, mapping), order, mapping)
        accounts = {
            row["component"]: mapping.credit.accounts.get(str(row["component"]), mapping.credit.account) for row in rows
        }
        request: dict[str, object] = {
            "file": mapping.file,
            "order": order_ref,
            "reference": self.memo_reference(refund),
            "invoice_date": refund.at.astimezone(ZoneInfo(mapping.time_zone)).date(),
            "currency": refund.amount.currency,
            "accounts": accounts,
            "lines": rows,
        }
        return Draft(
            reference=self.memo_reference(refund),
            request=request,
            fingerprint=fingerprint(request),
            components=rows_of_a.our_components(rows, refund.amount.currency),
            carried={"vouchers of the refund": str(refund.vouchers)} if refund.vouchers else {},
        )

    def memo_write(self, draft: Draft) -> Write:
        return Write(
            name=CREDIT_MEMO,
            effect_class=EffectClass.LOOK_UP,
            reference=draft.reference,
            fingerprint=draft.fingerprint,
            send=lambda: self._book_memo(draft),
            find=lambda: [str(row["id"]) for row in self._memos_under(draft.reference) if row["state"] in BOOKED],
            wait=SEARCH_LAG,
            takes=self.takes(12),
        )

    def _memos_under(self, reference: str) -> list[dict[str, Any]]:
        """What is there under a reference and is not cancelled."""
        domain = [["reference", "=", reference], ["type", "=", "out"], ["state", "not in", list(CANCELLED)]]
        return list(self.client.search_read(MODEL, domain, ("state",), lane=LANE))

    def _book_memo(self, draft: Draft) -> str:
        """Post the memo: one that is booked already is it; a draft of an earlier try goes on if it is still equal."""
        standing = self._memos_under(draft.reference)
        for row in standing:
            if row["state"] in BOOKED:
                return str(row["id"])
        for row in standing:
            if not self._memo_differences(str(row["id"]), draft):
                return self._post_draft(str(row["id"]))
            self._take_back(str(row["id"]))
        ref = self._make_draft(draft)
        with _made("compared"):
            differences = self._memo_differences(ref, draft)
        if differences:
            with _made("taken back"):
                self._take_back(ref)
            raise Rejected(
                "CREDIT_MISMATCH", "fulfil:account.invoice draft", f"Fulfil makes another memo of it: {differences}"
            )
        return self._post_draft(ref)

    def _memo_differences(self, ref: str, draft: Draft) -> str:
        (standing,) = self._read_memos([int(ref)])
        proof = compare(draft.components, standing.components)
        return "; ".join(str(difference) for difference in proof.differences[:3])

    def _take_back(self, ref: str) -> None:
        try:
            self.client.act(MODEL, ref, "cancel", lane=LANE)
        except UserError as error:
            raise _refused(f"Fulfil will not cancel the draft memo {ref}", error) from error

    def _post_draft(self, ref: str) -> str:
        try:
            with _made("posted"):
                self.client.act(MODEL, ref, "post", lane=LANE)
        except UserError as error:
            if _CLOSED.search(error.words):
                message = f"Fulfil does not post the draft memo {ref}: its books of that day are closed"
                raise Rejected("CREDIT_PERIOD_CLOSED", f"{self.name}:period", message, evidence=error.words) from error
            raise _refused(f"Fulfil will not post the draft memo {ref}", error) from error
        return ref

    def _make_draft(self, draft: Draft) -> str:
        values = self._draft_values(draft)
        try:
            return named_id(self.client.call(MODEL, "create", [[values]], lane=LANE, writes=True), "the memo")
        except UserError as error:
            raise _refused("Fulfil refused to make the credit memo; its words are attached", error) from error

    def _draft_values(self, draft: Draft) -> dict[str, object]:
        """The request with Fulfil's ids in place of our words."""
        request: Any = draft.request
        sale_id = int(request["order"])
        sales = self.by_id(
            "sale.sale", [sale_id], ("party", "company", "currency", "currency.code", "number"), lane=LANE
        )
        if not sales:
            raise Unavailable(f"{self.name} does not show its sale {sale_id} now", system=self.name)
        sale = sales[sale_id]
        if sale["currency.code"] != request["currency"]:
            message = f"the sales order is in {sale['currency.code']}, the refund in {request['currency']}"
            raise Rejected("CREDIT_MISMATCH", "fulfil:currency of the sale", message)
        lines = self._invoiced_lines(sale_id)
        taxes = self._tax_ids(request)
        accounts = self._account_ids(request)
        return {
            "type": "out",
            "party": sale["party"],
            "company": sale["company"],
            "currency": sale["currency"],
            "reference": request["reference"],
            "description": f"Refund for {sale['number']}",
            "invoice_date": request["invoice_date"],
            "lines": [["create", [_line(row, lines, taxes, accounts) for row in request["lines"]]]],
        }

    def _invoiced_lines(self, sale: int) -> dict[str, tuple[int | None, str]]:
        """Product, and the line of the original invoice as a Reference, by our line identifier; empty where there is none."""
        fields = ("channel_identifier", "product")
        rows = list(self.client.search_read("sale.line", [["sale", "=", sale]], fields, lane=LANE))
        origins = [f"sale.line,{row['id']}" for row in rows]
        domain = [["origin", "in", origins], ["quantity", ">", 0], ["invoice.state", "not in", list(CANCELLED)]]
        invoiced = {
            line["origin"]: f"account.invoice.line,{line['id']}"
            for line in self.client.search_read("account.invoice.line", domain, ("origin",), lane=LANE)
        }
        found: dict[str, tuple[int | None, str]] = {}
        for row in rows:
            identifier = str(row["channel_identifier"] or "").partition("/")[0]
            found.setdefault(identifier, (row["product"], invoiced.get(f"sale.line,{row['id']}", "")))
        return found

    def _tax_ids(self, request: Any) -> dict[tuple[str, Decimal], int]:
        wanted = {(row["tax"]["name"], row["tax"]["rate"]) for row in request["lines"] if row["tax"]}
        domain = [["name", "in", sorted({name for name, _ in wanted})]]
        told = self.client.search_read("account.tax", domain, ("name", "rate"), lane=LANE) if wanted else ()
        found: dict[tuple[str, Decimal], int] = {(row["name"], digits(row["rate"])): row["id"] for row in told}
        for name, rate in sorted(wanted - found.keys()):
            message = f"Fulfil has no tax {name!r} at this rate"
            raise Rejected("ORDER_TAX_UNMAPPED", f"{request['file']}:[taxes] {name}", f"{message} ({rate})")
        return found

    def _account_ids(self, request: Any) -> dict[str, int | None]:
        """Account ids by part of the memo; without a word in the mapping, Fulfil's own choice."""
        names = sorted({name for name in request["accounts"].values() if name})
        domain = [["OR", ["code", "in", names], ["name", "in", names]]]
        told = list(self.client.search_read("account.account", domain, ("code", "name"), lane=LANE)) if names else []
        ids = {row["name"]: row["id"] for row in told} | {row["code"]: row["id"] for row in told}
        for name in names:
            if name not in ids:
                cause = f"{request['file']}:[credit] account {name}"
                raise Rejected("CREDIT_REJECTED_BY_ERP", cause, f"Fulfil has no account {name!r}")
        return {component: ids.get(name) for component, name in request["accounts"].items()}

    def memos(self, references: Collection[str]) -> Mapping[str, Sequence[Memo]]:
        found: dict[str, list[Memo]] = {reference: [] for reference in references}
        for batch in batches(sorted(references)):
            domain = [["reference", "in", batch], ["type", "=", "out"]]
            rows = self.client.search_read(MODEL, domain, ("state", "number"), lane=LANE)
            booked = [row["id"] for row in rows if row["number"] or row["state"] not in CANCELLED]
            for memo in self._read_memos(booked):
                found[memo.reference].append(memo)
        return found

    def _read_memos(self, ids: Sequence[int]) -> list[Memo]:
        """Memos by id, drafts that no search shows yet included; a draft we took back ourselves is not asked for."""
        found: list[Memo] = []
        for batch in batches(ids):
            rows = self.client.call(MODEL, "read", [batch, ["id", *FIELDS]], lane=LANE)
            lines: dict[int, Row] = {}
            for some in batches([line for row in rows for line in row["lines"]], most=FULL):
                told = self.client.call("account.invoice.line", "read", [some, ["id", *LINE_FIELDS]], lane=LANE)
                lines |= {line["id"]: line for line in told}
            found += [_memo(row, [lines[id] for id in row["lines"] if id in lines]) for row in rows]
        return found

    def memos_since(self, since: datetime) -> Sequence[Hint]:
        """Signs are looked at here, not in the search: that Fulfil searches by computed totals is unconfirmed."""
        fields = ("reference", "number", "state", "total_amount", "sales", "write_date", "create_date")
        domain = [["type", "=", "out"], changed(since)]
        told = self.client.search_read(MODEL, domain, fields, lane=LANE)
        rows = [row for row in told if row["total_amount"] < 0 and (row["number"] or row["state"] not in CANCELLED)]
        orders = self._orders_behind({id for row in rows for id in row["sales"]})
        hints = []
        for row in rows:
            reference = str(row["reference"] or "")
            number = next((orders[id] for id in row["sales"] if id in orders), "")
            ours = self.refund_number(reference) != ""
            if ours or number:
                hints.append(Hint(reference if ours else "", stamp_of(row), number, str(row["number"] or row["id"])))
        return hints

    def _orders_behind(self, sales: Collection[int]) -> dict[int, str]:
        """The order of ours behind each sale: its own, or the one that a return sale takes goods back from."""
        rows = self.by_id("sale.sale", sales, ("channel_identifier",), lane=LANE)
        own = {id: self.number_of(str(row["channel_identifier"] or "")) for id, row in rows.items()}
        named = {id: number for id, number in own.items() if number}
        return self.returned_orders(rows.keys() - named.keys(), lane=LANE) | named


def _line(
    row: Row,
    lines: Mapping[str, tuple[int | None, str]],
    taxes: Mapping[tuple[str, Decimal], int],
    accounts: Mapping[str, int | None],
) -> dict[str, object]:
    identifier = row["order_line"] or row["component"]
    product, origin = lines.get(identifier, (None, ""))
    if row["order_line"] and product is None:
        message = f"the sales order has no line {row['order_line']}, which the refund pays back"
        raise Rejected("CREDIT_MISMATCH", f"fulfil:line {row['order_line']}", message)
    values: dict[str, object] = {
        name: row[name] for name in ("note", "description", "quantity", "unit_price", "tax_amount")
    }
    if row["tax"]:
        values["taxes"] = [["add", [taxes[row["tax"]["name"], row["tax"]["rate"]]]]]
    choices = {"product": product, "origin": origin, "account": accounts[row["component"]]}
    return {"type": "line"} | values | {name: value for name, value in choices.items() if value}


def _memo(row: Row, lines: Sequence[Row]) -> Memo:
    return Memo(
        ref=str(row["id"]),
        reference=str(row["reference"] or ""),
        number=str(row["number"] or ""),
        life=LIVES.get(str(row["state"]), "draft"),
        components=rows_of_a.their_components(row, lines),
        stamp=stamp_of(row),
    )


@contextmanager
def _made(what: str) -> Iterator[None]:
    """Once a draft stands, no failure means that nothing was done: it is looked for before anything is made again."""
    try:
        yield
    except Unavailable as error:
        raise Unknown(f"Fulfil has a draft of the memo, which was not {what}: {error}") from error


def _refused(message: str, error: UserError) -> Rejected:
    return Rejected("CREDIT_REJECTED_BY_ERP", "fulfil:account.invoice", message, evidence=error.words)

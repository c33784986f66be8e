"""The books of both systems and our ledger side by side, as the inspection reads them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]

ORDER_PREFIX, RETURN_PREFIX, REFUND_PREFIX = "centra-", "return-", "refund-"
"""How our references begin in every ERP: of orders, of expected returns, of credit memos."""


@dataclass(frozen=True)
class Ground:
    """What the two systems are made of: `building` is the ERP's code of the warehouse a Centra market sells from, `place`
    that of a Centra warehouse; `parts` the pieces in a bundle; `homeless` markets that no mapping says a warehouse of.
    """

    building: Mapping[int, str]
    place: Mapping[int, str]
    parts: Mapping[str, Mapping[str, int]]
    homeless: Collection[int] = ()

    def pieces(self, lines: Iterable[tuple[str | None, float]]) -> Counter[str]:
        """Pieces by stocked SKU; a line of no goods counts for nothing."""
        found: Counter[str] = Counter()
        for sku, quantity in lines:
            for part, each in self.parts.get(sku, {sku: 1}).items() if sku else ():
                found[part] += round(quantity * each)
        return found


@dataclass(frozen=True)
class Books:
    """One connection's. `centra`: its orders; `whole`: its ledger (stock, shipments, returns, refunds, e-mails); `erp`: the
    ERP's books, in the rows that Fulfil's sandbox has (`books_orderwise` puts OrderWise's into them); `jobs` and `cases`: our rows and our open exceptions, each of these with the
    `kind` and `number` of its document, if any.
    """

    centra: Rows
    whole: Row
    erp: Row
    jobs: Rows
    cases: Rows
    ground: Ground
    connection: str = "fulfil"

    @cached_property
    def orders(self) -> dict[str, Row]:
        return {str(order["number"]): order for order in self.centra}

    @cached_property
    def sales(self) -> dict[str, list[Row]]:
        """The living sales orders of each Centra order."""
        found: dict[str, list[Row]] = {}
        for sale in self.erp["sales"]:
            reference = str(sale["channel_identifier"])
            if reference.startswith(ORDER_PREFIX) and sale["state"] not in ("cancel", "cancelled"):
                found.setdefault(reference.removeprefix(ORDER_PREFIX), []).append(sale)
        return found

    @cached_property
    def order_of_sale(self) -> dict[int, str]:
        return {sale["id"]: number for number, sales in self.sales.items() for sale in sales}

    @cached_property
    def job(self) -> dict[tuple[str, str], Row]:
        return {(str(job["kind"]), str(job["number"])): job for job in self.jobs}

    @cached_property
    def case(self) -> dict[tuple[str, str], Row]:
        """The open exception of a document, by its kind and number."""
        return {(str(case["kind"]), str(case["number"])): case for case in self.cases if case["number"]}

    @cached_property
    def troubled(self) -> set[str]:
        """Orders that have an open exception, or a document of theirs has."""
        return {
            str(number if kind == "order" else self.job[kind, number]["order_number"])
            for kind, number in self.case
            if (kind, number) in self.job
        }

    @cached_property
    def dispatches(self) -> dict[str, list[Row]]:
        """What has left the ERP's warehouses, by order."""
        found: dict[str, list[Row]] = {}
        for shipment in self.erp["shipments"]:
            numbers = {self.order_of_sale[sale] for sale in shipment["sales"] if sale in self.order_of_sale}
            for number in numbers if shipment["state"] == "done" else ():
                found.setdefault(number, []).append(shipment)
        return found

    @cached_property
    def memos(self) -> dict[str, list[Row]]:
        """Credit notes that are not cancelled, by their reference."""
        found: dict[str, list[Row]] = {}
        for invoice in self.erp["invoices"]:
            if invoice["state"] not in ("cancel", "cancelled") and float(invoice["total"] or 0) < 0:
                found.setdefault(str(invoice["reference"]), []).append(invoice)
        return found

    @cached_property
    def refunds(self) -> dict[str, Row]:
        """Refunds that were settled, by our number of them."""
        settled = (refund for refund in self.whole["refunds"] if refund["status"] == "SUCCESS")
        return {f"{refund['order']}-{refund['id']}": refund for refund in settled}

    def dispatch_case(self, shipment: Row) -> Row | None:
        return self.case.get(("shipment", f"{self.connection}-{shipment['id']}"))


def is_live(order: Row) -> bool:
    """Whether a Centra order still stands."""
    return order["status"] not in ("CANCELLED", "DELETED")

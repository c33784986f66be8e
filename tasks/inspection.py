"""The promises, held against books that we did not write: what Centra and the ERPs themselves say is in them.

Pure functions over the sandbox's books (JSON) and the ledger's rows. Each invariant returns the sentences that break it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from integration.domain.money import Money

Rows = Sequence[Mapping[str, Any]]
PREFIX = "centra-"


def inspect(centra: Rows, erp: Mapping[str, Any], jobs: Rows, cases: Rows) -> dict[str, list[str]]:
    """Every invariant by name, with what breaks it: an empty list means that it holds.

    `centra`: its orders; `erp`: its `sales` and `effects`; `jobs`: ledger rows; `cases`: open exceptions of orders.
    """
    sales: dict[str, list[Mapping[str, Any]]] = {}
    for sale in erp["sales"]:
        if str(sale["channel_identifier"]).startswith(PREFIX):
            sales.setdefault(str(sale["channel_identifier"]).removeprefix(PREFIX), []).append(sale)
    orders = {str(order["number"]): order for order in centra}
    ledger = {str(job["number"]): job for job in jobs}
    open_cases = Counter(str(case["number"]) for case in cases)
    return {
        "at_most_one_sales_order": _at_most_one(sales, erp["effects"]),
        "no_phantoms": [f"{n}: a sales order without a Centra order" for n in sales if n not in orders],
        "every_order_in_the_ledger": [f"{n}: unknown to the ledger" for n in orders if n not in ledger],
        "proven_means_equal": _equal(ledger, orders, sales),
        "one_document_or_one_exception": _accounted_for(orders, ledger, sales, open_cases),
        "cancelled_in_both": _cancelled(orders, sales, open_cases),
        "one_open_exception_an_order": [f"{n}: {k} open exceptions" for n, k in open_cases.items() if k > 1],
        "no_lease_left": [f"{n}: still leased to {job['owner']}" for n, job in ledger.items() if job["owner"]],
    }


def effective(sales: Rows) -> list[Mapping[str, Any]]:
    return [sale for sale in sales if sale["state"] not in ("cancel", "cancelled")]


def _at_most_one(sales: Mapping[str, Rows], effects: Rows) -> list[str]:
    broken = [f"{n}: {len(effective(rows))} sales orders" for n, rows in sales.items() if len(effective(rows)) > 1]
    made = Counter(e["channel_identifier"] for e in effects if e["model"] == "sale.sale")
    return broken + [f"{identifier}: created {count} times" for identifier, count in made.items() if count > 1]


def payable(order: Mapping[str, Any]) -> Money:
    """What a Centra order is worth as a document: its grand total, and what was paid by gift card on top."""
    currency = str(order["currency"])
    cards = sum((abs(Decimal(str(v["value"]))) for v in order["vouchers"] if v["type"] == "GIFT_CARD"), Decimal(0))
    return Money.of(Decimal(str(order["grand_total"])) + cards, currency)


def _equal(ledger: Mapping[str, Any], orders: Mapping[str, Any], sales: Mapping[str, Rows]) -> list[str]:
    broken = []
    for number, job in ledger.items():
        if job["state"] != "proven" or number not in orders:
            continue
        living = effective(sales.get(number, ()))
        if len(living) != 1:
            broken.append(f"{number}: proven, with {len(living)} sales orders")
        elif Money.of(living[0]["total"], living[0]["currency"]) != payable(orders[number]):
            broken.append(f"{number}: {living[0]['total']} in the ERP, {payable(orders[number])} in Centra")
    return broken


def released(order: Mapping[str, Any]) -> bool:
    """Whether an order should be in the ERP, by Centra's own books."""
    ready = order["status"] in ("CONFIRMED", "PROCESSING", "SHIPPED")
    return ready and not order["on_hold"] and not order["waiting_for_payment"]


def _accounted_for(
    orders: Mapping[str, Any], ledger: Mapping[str, Any], sales: Mapping[str, Rows], cases: Mapping[str, int]
) -> list[str]:
    """Released: exactly one of a proven document and an open exception. Never released: neither."""
    broken = []
    for number, order in orders.items():
        job, living = ledger.get(number), len(effective(sales.get(number, ())))
        if released(order):
            proven = job is not None and job["state"] == "proven" and living == 1
            if proven == (cases.get(number, 0) == 1):
                broken.append(
                    f"{number}: {job['state'] if job else 'unknown'}, {living} sales orders, {cases.get(number, 0)} exceptions"
                )
        elif living and order["status"] == "PENDING" and not cases.get(number):
            broken.append(f"{number}: never released and yet in the ERP")
    return broken


def _cancelled(orders: Mapping[str, Any], sales: Mapping[str, Rows], cases: Mapping[str, int]) -> list[str]:
    gone = [n for n, order in orders.items() if order["status"] in ("CANCELLED", "DELETED")]
    return [
        f"{n}: cancelled in Centra, alive in the ERP" for n in gone if effective(sales.get(n, ())) and not cases.get(n)
    ]

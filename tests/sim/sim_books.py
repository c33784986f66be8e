"""What each side's own books say of an order, compared without any code of the product."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

GOODS_VOUCHERS = ("PERCENTAGE", "FIXED_AMOUNT")
RELEASED = ("CONFIRMED", "PROCESSING", "SHIPPED")


@dataclass(frozen=True)
class Version:
    """An order as Centra's books had it after one of its changes."""

    at: datetime
    book: Mapping[str, Any]

    @property
    def released(self) -> bool:
        told = self.book
        return told["status"] in RELEASED and not told["on_hold"] and not told["waiting_for_payment"]

    @property
    def cancelled(self) -> bool:
        return self.book["status"] in ("CANCELLED", "DELETED")


def differences(sale: Mapping[str, Any], book: Mapping[str, Any]) -> list[str]:
    """Where a sale of an ERP's books differs from an order of Centra's. Amounts are compared as decimals, exactly."""
    paid = sum((v["value"] for v in book["vouchers"] if v["type"] == "GIFT_CARD"), Decimal(0))
    total = book["grand_total"] - paid
    wanted = {"total": total, "tax": book["tax"], "untaxed": total - book["tax"]}
    unequal = {name: amount for name, amount in wanted.items() if Decimal(sale[name]) != amount}
    found = [f"{name} is {sale[name]}, Centra has {amount}" for name, amount in unequal.items()]
    if sale["currency"] != book["currency"]:
        found.append(f"currency is {sale['currency']}, Centra has {book['currency']}")
    found += [f"there is {words}, which nobody sent" for words in sale["additions"]]
    return found + _lines(sale, book)


def _lines(sale: Mapping[str, Any], book: Mapping[str, Any]) -> list[str]:
    """Quantities by SKU always; net amounts by SKU where no voucher lowers the goods."""
    pieces, nets = Counter[str](), Counter[str]()
    for sku, quantity, _, amount, _ in sale["lines"]:
        if sku is not None:
            pieces[sku] += int(quantity)
            nets[sku] += Decimal(amount)
    wanted = Counter({line["sku"]: 0 for line in book["lines"]})
    worth = Counter[str]()
    for line in book["lines"]:
        wanted[line["sku"]] += line["quantity"]
        worth[line["sku"]] += line["net"]
    found = [] if +pieces == +wanted else [f"lines are {dict(pieces)}, Centra has {dict(wanted)}"]
    if not any(v["type"] in GOODS_VOUCHERS and v["value"] for v in book["vouchers"]):
        found += [f"{sku} is {nets[sku]} net, Centra has {worth[sku]}" for sku in worth if nets[sku] != worth[sku]]
    return found

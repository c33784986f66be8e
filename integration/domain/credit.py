"""Money going back: a refund of the storefront, and the credit memo that books it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from integration.domain.money import Money
from integration.domain.order import Key

SETTLED, PENDING, FAILED = "settled", "pending", "failed"


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """Goods of a refund: whole pieces of an order line and their final values, all positive."""

    order_line: str
    sku: str
    quantity: int
    tax_percent: Decimal
    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that the storefront paid back, positive. `life`: settled, pending, failed.

    `lines`, `shipping`, `handling`, less `fee` (kept by the shop) and `vouchers` (given back as vouchers), add up to
    `amount` for the refund of a return; an amount without a return is `goodwill`: no lines, never "all lines".
    """

    key: Key
    order_number: str
    return_number: str
    at: datetime
    life: str
    amount: Money
    lines: tuple[RefundedLine, ...]
    shipping: Money
    handling: Money
    fee: Money
    vouchers: Money
    goodwill: Money
    method: str

"""A refund as the rows of a credit memo: exact to the minor unit, and told apart again when the memo is read back.

A credit memo is an `account.invoice` of type "out" with negative quantities (Tryton 4.0). Goods are known by their product,
everything else by a word in `note` ("shipping", "handling", "goodwill", "fee", "vouchers"), or by the description where a
person keyed the memo.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from integration.domain.money import Money, total, unit_prices
from integration.domain.order import Order
from integration.domain.proof import Value
from integration.translation import TITLES, RefundPart
from mappings import Mapping as Mapped

_WORDS = {title.casefold(): word for word, title in TITLES.items()}


def rows_of(parts: Iterable[RefundPart], order: Order, mapping: Mapped) -> list[dict[str, object]]:
    """The memo's rows, signed as an invoice: what goes back has a negative quantity, what is kept a positive one."""
    decimals = int(str(mapping.options["unit_price_decimals"]))
    return [row for part in parts for row in _rows(part, order.ship_to.country, mapping, decimals)]


def _rows(part: RefundPart, country: str, mapping: Mapped, decimals: int) -> list[dict[str, object]]:
    """One row, or two at neighbouring prices where no single one gives the net exactly."""
    sign = 1 if (part.net + part.tax).minor < 0 else -1
    net, tax = (part.net, part.tax) if sign < 0 else (-part.net, -part.tax)
    prices = unit_prices(net, part.quantity, decimals)
    amounts = [Money.of(price * quantity, net.currency) for quantity, price in prices]
    taxes = tax.allocate([amount.minor for amount in amounts] if net else [1] + [0] * (len(prices) - 1))
    return [
        {
            "note": part.note,
            "component": part.component,
            "order_line": part.order_line,
            "sku": part.sku,
            "description": part.title,
            "quantity": sign * quantity,
            "unit_price": price,
            "amount": sign * amount.decimal,
            "tax_amount": sign * share.decimal,
            "tax": _tax(part.percent, country, mapping),
        }
        for (quantity, price), amount, share in zip(prices, amounts, taxes, strict=True)
    ]


def _tax(percent: Decimal | None, country: str, mapping: Mapped) -> dict[str, object] | None:
    if percent is None:
        return None
    return {"name": mapping.tax_name(country, percent), "rate": percent / 100}


def our_components(rows: Sequence[Mapping[str, Any]], currency: str) -> dict[str, Value]:
    """What the read-back must show, amounts positive where money goes back."""
    untaxed = total([Money.of(row["amount"], currency) for row in rows], currency)
    tax = total([Money.of(row["tax_amount"], currency) for row in rows], currency)
    found = _components(((row["sku"], row["note"], row["quantity"], row["amount"]) for row in rows), currency)
    return found | {"untaxed": -untaxed, "tax": -tax, "total": -(untaxed + tax)}


def their_components(memo: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    """The same components from an invoice and its lines."""
    currency = str(memo["currency.code"])
    told = ((row["product.code"], _word_of(row), row["quantity"], row["amount"]) for row in lines)
    return _components(told, currency) | {
        name: -Money.of(memo[f"{name}_amount"], currency) for name in ("untaxed", "tax", "total")
    }


def _word_of(row: Mapping[str, Any]) -> str:
    """Which part without goods a line is."""
    told = (str(row["note"] or ""), _WORDS.get(str(row["description"] or "").casefold(), ""))
    return next((word for word in told if word in TITLES), f"(row {row['id']})")


def _components(rows: Iterable[tuple[Any, str, Any, Any]], currency: str) -> dict[str, Value]:
    """Of rows (SKU, word, signed quantity, signed amount): pieces and net by SKU, net by word."""
    pieces: dict[str, Decimal] = {}
    nets: dict[str, Money] = {}
    for sku, word, quantity, amount in rows:
        name = f"line {sku}" if sku else word
        nets[name] = nets.get(name, Money.zero(currency)) - Money.of(amount, currency)
        if sku:
            pieces[name] = pieces.get(name, Decimal(0)) - Decimal(str(quantity))
    found: dict[str, Value] = {"currency": currency}
    found |= {f"{name} quantity": int(n) if n == n.to_integral_value() else str(n) for name, n in pieces.items()}
    return found | {f"{name} net": net for name, net in nets.items()}

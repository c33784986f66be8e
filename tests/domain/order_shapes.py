"""Orders for tests: hypothesis draws them, and the sandbox's own arithmetic, which is not ours, says what they come to."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from integration.domain.money import Money
from integration.domain.order import Address, Discount, Key, Order, OrderLine
from integration.domain.pricing import GOODS, SHIPPING, TENDER
from integration.sandbox import centra_money as oracle

KINDS = {"PERCENTAGE": GOODS, "FIXED_AMOUNT": GOODS, "FREE_SHIPPING": SHIPPING, "GIFT_CARD": TENDER}
DECIMALS = {"GBP": 2, "EUR": 2, "SEK": 2, "USD": 2, "JPY": 0, "KWD": 3}
PERCENTS = tuple(Decimal(p) for p in ("0", "5.5", "6", "7", "8.875", "10", "12", "19", "20", "25"))


def order_of(lines, *, currency="GBP", shipping="0", handling="0", percent="20", discounts=(), inclusive=True):
    """The order a storefront shows for `lines` of (quantity, unit price, tax percent) and (type, amount) vouchers."""
    digits = DECIMALS[currency]
    priced = [oracle.PricedLine(q, Decimal(str(p)), Decimal(str(t))) for q, p, t in lines]
    uses = [oracle.Discount(kind, Decimal(str(amount))) for kind, amount in discounts]
    found = oracle.price(
        priced, Decimal(str(shipping)), Decimal(str(handling)), Decimal(str(percent)), uses, inclusive, digits
    )

    def money(amount):
        return Money.of(amount, currency)

    return Order(
        key=Key("brand", "order", "1"),
        source_id="x",
        status="CONFIRMED",
        on_hold=False,
        waiting_for_payment=False,
        internal=False,
        placed_at=datetime(2026, 5, 4, 9, tzinfo=UTC),
        store="Europe",
        market="Europe / United Kingdom",
        currency=currency,
        prices_include_tax=inclusive,
        lines=tuple(
            OrderLine(str(i), f"SKU{i}", "Thing", line.quantity, line.percent, money(value.net), money(value.gross))
            for i, (line, value) in enumerate(zip(priced, found.lines, strict=True), 1)
        ),
        shipping=money(found.shipping),
        shipping_tax=money(found.shipping_tax),
        handling=money(found.handling),
        discounts=tuple(
            Discount(kind, kind, kind, -money(value)) for (kind, _), value in zip(discounts, found.applied, strict=True)
        ),
        discount_total=-money(found.discounts),
        tax=money(found.tax_added + found.tax_included),
        grand_total=money(found.grand_total),
        shipping_option="Standard",
        payment_method="adyen",
        payments=(),
        ship_to=Address(name="Ann", line1="1 High Street", city="London", postcode="N1", country="GB"),
        bill_to=Address(name="Ann", line1="1 High Street", city="London", postcode="N1", country="GB"),
    )


@st.composite
def orders(draw):
    """Any order that a storefront with these vouchers could show, with the tax percentage of its charges."""
    currency = draw(st.sampled_from(sorted(DECIMALS)))

    def amount(most):
        return Decimal(draw(st.integers(0, most))).scaleb(-DECIMALS[currency])

    lines = [
        (draw(st.integers(1, 37)), amount(99_999), draw(st.sampled_from(PERCENTS)))
        for _ in range(draw(st.integers(1, 6)))
    ]
    discounts = []
    for kind in draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=4)):
        percent = Decimal(draw(st.integers(0, 1000))) / 10
        discounts.append((kind, percent if kind == "PERCENTAGE" else amount(500_000)))
    percent = draw(st.sampled_from(PERCENTS))
    order = order_of(
        lines,
        currency=currency,
        shipping=amount(9_999),
        handling=amount(999),
        percent=percent,
        discounts=discounts,
        inclusive=draw(st.booleans()),
    )
    return order, percent


def without_tenders(order):
    """The same order, paid without its gift cards."""
    cards = [d for d in order.discounts if KINDS[d.type] == TENDER]
    paid = sum((d.amount for d in cards), Money.zero(order.currency))
    return replace(
        order,
        discounts=tuple(d for d in order.discounts if d not in cards),
        discount_total=order.discount_total - paid,
        grand_total=order.grand_total + paid,
    )

"""A refund as rows of a credit memo: the sum to the minor unit, the sign, and vouchers where the order has them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from domain.order_shapes import order_of
from hypothesis import given
from hypothesis import strategies as st

import mappings
from integration.domain.credit import SETTLED, Refund, RefundedLine
from integration.domain.money import Money, exponent, total
from integration.domain.order import Discount, Key
from integration.erp.fulfil.adapter import Fulfil
from integration.erp.fulfil.memo import our_components, rows_of
from integration.errors import Rejected
from integration.translation import parts_of

MAPPING = mappings.parse((Path(mappings.__file__).parent / "fulfil.toml").read_text(), "fulfil.toml")
FULFIL = Fulfil("fulfil", None)
HOMES = {"GBP": ("GB", 20), "SEK": ("SE", 25), "JPY": ("JP", 10), "KWD": ("KW", 0), "EUR": ("FR", 20)}


def money(minor, currency):
    return Money(minor, currency)


def refund_of(order, lines, **charges):
    currency = order.currency
    told = {
        name: money(charges.get(name, 0), currency) for name in ("shipping", "handling", "fee", "vouchers", "goodwill")
    }
    paid = total([line.gross for line in lines], currency) + told["shipping"] + told["handling"] + told["goodwill"]
    amount = paid - told["fee"] - told["vouchers"]
    at = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)
    key = Key("brand", "refund", "7")
    return Refund(key, order.number, "", at, SETTLED, amount, tuple(lines), method="adyen", **told)


@st.composite
def refunds(draw):
    """(refund, order): any lines at any price, any charges, any mix of vouchers that do not exceed what they lower."""
    currency = draw(st.sampled_from(sorted(HOMES)))
    country, percent = HOMES[currency]
    prices = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 200_000)), max_size=4))
    scale = Decimal(1).scaleb(-exponent(currency))
    order = order_of([(n, str(p * scale), percent) for n, p in prices] or [(1, str(scale), percent)], currency=currency)
    order = replace(order, ship_to=replace(order.ship_to, country=country))
    lines = []
    for line, (quantity, _) in zip(order.lines, prices, strict=False):
        gross = line.gross.minor
        tax = draw(st.integers(0, gross // 3))
        rate = Decimal(percent)
        lines.append(
            RefundedLine(line.id, line.sku, quantity, rate, money(gross - tax, currency), money(gross, currency))
        )
    goods = sum(line.gross.minor for line in lines)
    shipping = draw(st.integers(0, 2_000))
    kinds = draw(st.lists(st.sampled_from(["PERCENTAGE", "FIXED_AMOUNT", "FREE_SHIPPING", "GIFT_CARD"]), max_size=3))
    if goods == 0:
        kinds = [kind for kind in kinds if kind == "GIFT_CARD"]
    discounts = [Discount(kind, kind, kind, money(draw(st.integers(1, 900)), currency)) for kind in kinds]
    vouchers = draw(st.integers(0, goods)) if kinds else draw(st.integers(0, 50))
    handling, goodwill, fee = (draw(st.integers(0, 900)) for _ in range(3))
    order = replace(order, discounts=tuple(discounts))
    told = {"shipping": shipping, "handling": handling, "goodwill": goodwill, "fee": fee, "vouchers": vouchers}
    return refund_of(order, lines, **told), order


@given(refunds())
def test_any_refund_is_rows_that_sum_to_it_exactly(drawn):
    refund, order = drawn
    currency = order.currency
    rows = rows_of(parts_of(refund, order, MAPPING), order, MAPPING)
    for row in rows:
        assert Money.of(row["unit_price"] * row["quantity"], currency) == Money.of(row["amount"], currency)
        assert row["quantity"]
        assert row["unit_price"] >= 0
        assert -row["unit_price"].as_tuple().exponent <= 4
        kept = row["component"] in ("fee", "vouchers")
        assert (row["quantity"] > 0) == kept
        assert row["component"] != "vouchers" or (row["tax"], row["tax_amount"]) == (None, 0)
    booked = [Money.of(row["amount"], currency) + Money.of(row["tax_amount"], currency) for row in rows]
    assert total(booked, currency) == -refund.amount
    shown = our_components(rows, currency)
    assert shown["untaxed"] + shown["tax"] == shown["total"] == refund.amount
    for sku in {line.sku for line in refund.lines}:
        assert shown[f"line {sku} quantity"] == sum(line.quantity for line in refund.lines if line.sku == sku)


def one_line(net=1000, gross=1200, quantity=1, discounts=()):
    order = order_of([(quantity, "12.00", 20)])
    order = replace(order, discounts=tuple(Discount(kind, kind, kind, Money.of(n, "GBP")) for kind, n in discounts))
    line = RefundedLine(
        order.lines[0].id, order.lines[0].sku, quantity, Decimal(20), money(net, "GBP"), money(gross, "GBP")
    )
    return order, line


@pytest.mark.parametrize(
    ("discounts", "shown"),
    [
        ([("PERCENTAGE", "2.40")], {"goods": (800, 160)}),
        ([("GIFT_CARD", "2.40")], {"goods": (1000, 200), "vouchers": (-240, 0)}),
        ([("PERCENTAGE", "1.20"), ("GIFT_CARD", "1.20")], {"goods": (900, 180), "vouchers": (-120, 0)}),
        ([("FREE_SHIPPING", "2.40")], {"goods": (1000, 200), "shipping": (150, 30)}),
        ([], {"goods": (1000, 200), "vouchers": (-240, 0)}),
    ],
)
def test_a_voucher_is_taken_back_where_the_order_has_it(discounts, shown):
    order, line = one_line(discounts=discounts)
    shipping = 420 if any(kind == "FREE_SHIPPING" for kind, _ in discounts) else 0
    refund = refund_of(order, [line], vouchers=240, shipping=shipping)
    parts = parts_of(refund, order, MAPPING)
    assert {part.component: (part.net.minor, part.tax.minor) for part in parts} == shown


def test_a_line_that_no_unit_price_gives_is_two_rows_with_one_name():
    mapping = replace(MAPPING, options={**MAPPING.options, "unit_price_decimals": 0})
    order, line = one_line(net=1000, gross=1000, quantity=3)
    rows = rows_of(parts_of(refund_of(order, [line]), order, mapping), order, mapping)
    assert [row["quantity"] for row in rows] == [-2, -1]
    shown = our_components(rows, "GBP")
    assert (shown[f"line {line.sku} quantity"], shown[f"line {line.sku} net"]) == (3, money(1000, "GBP"))


def test_more_vouchers_than_goods_is_refused_with_the_arithmetic():
    order, _ = one_line(discounts=[("PERCENTAGE", "2.40")])
    with pytest.raises(Rejected) as raised:
        parts_of(refund_of(order, [], goodwill=500, vouchers=240), order, MAPPING)
    assert raised.value.type == "CREDIT_MISMATCH"


@pytest.mark.scenario("CRN-13")
def test_the_rate_is_the_original_sales_and_not_todays():
    order, line = one_line()
    old = replace(line, tax_percent=Decimal(0), gross=line.net)
    (row,) = rows_of(parts_of(refund_of(order, [old]), order, MAPPING), order, MAPPING)
    assert row["tax"] == {"name": "UK VAT Zero", "rate": Decimal(0)}


def test_the_memos_day_is_the_tenants_and_its_request_can_be_fingerprinted():
    order, line = one_line()
    draft = FULFIL.compose_memo(refund_of(order, [line]), order, "12", MAPPING)
    assert draft.request["invoice_date"].isoformat() == "2026-05-05"  # half past midnight in London
    assert draft.reference == "refund-7"
    other = FULFIL.compose_memo(refund_of(order, [line], goodwill=1), order, "12", MAPPING)
    assert draft.fingerprint != other.fingerprint

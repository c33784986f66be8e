"""What may be paid back at all, and in which parts: caps by line, charge and captured money."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from domain.order_shapes import order_of
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.credit import (
    FAILED,
    PENDING,
    SETTLED,
    Refund,
    RefundedLine,
    arithmetic,
    captured,
    excess,
    in_words,
)
from integration.domain.money import Money, total
from integration.domain.order import Key, Payment

AT = datetime(2026, 5, 4, 9, tzinfo=UTC)


def paid(order, amount=None, *, kind="CAPTURE", settled=True):
    """The order with its total captured, or so much of it."""
    taken = order.grand_total if amount is None else Money(amount, order.currency)
    return replace(order, payments=(*order.payments, Payment(kind, "", "psp", taken, settled)))


def refund(number="1", *, order, lines=(), at=0, life=SETTLED, of="", **parts):
    """A refund whose amount is the sum of its parts, unless it says another; amounts in minor units."""
    zero = Money.zero(order.currency)
    told = tuple(_line(order, *line) for line in lines)
    named = {
        name: Money(parts.pop(name, 0), order.currency)
        for name in ("shipping", "handling", "fee", "vouchers", "goodwill")
    }
    out = (
        total([line.gross for line in told], order.currency) + named["shipping"] + named["handling"] + named["goodwill"]
    )
    amount = Money(parts.pop("amount", (out - named["fee"] - named["vouchers"]).minor), order.currency)
    return Refund(
        Key("brand", "refund", number), order.number, of, AT + timedelta(hours=at), life, amount, told,
        **{**dict.fromkeys(("shipping", "handling", "fee", "vouchers", "goodwill"), zero), **named}, method="adyen",
    )  # fmt: skip


def _line(order, id, quantity, gross=None):
    line = next((line for line in order.lines if line.id == str(id)), order.lines[0])
    share = line.gross.minor * quantity // line.quantity if gross is None else gross
    net = Money(share * 100 // (100 + int(line.tax_percent)), order.currency)
    return RefundedLine(str(id), line.sku, quantity, line.tax_percent, net, Money(share, order.currency))


def test_what_the_provider_took_is_what_was_captured_and_settled():
    order = order_of([(1, "10", "20")])
    assert captured(order) == Money(0, "GBP")
    assert captured(paid(order, kind="AUTH")) == Money(0, "GBP")
    assert captured(paid(order, settled=False)) == Money(0, "GBP")
    assert captured(paid(paid(order, 300), 700)) == Money(1000, "GBP")


def test_a_request_that_succeeded_and_the_capture_beside_it_are_the_same_money():
    order = order_of([(1, "10", "20")])
    asked = paid(order, kind="CAPTURE_REQUEST")
    assert captured(asked) == captured(paid(asked)) == Money(1000, "GBP")


def test_parts_that_add_up_need_no_words_and_others_are_shown_as_a_sum():
    order = paid(order_of([(2, "10", "20")], shipping="5"))
    good = refund(order=order, lines=[(1, 1)], shipping=500, fee=200)
    assert (good.amount, arithmetic(good)) == (Money(1300, "GBP"), "")
    bad = replace(good, amount=Money(1301, "GBP"))
    assert arithmetic(bad) == (
        "1 × SKU1 10.00 GBP, shipping 5.00 GBP, return fee -2.00 GBP: together 13.00 GBP, and 13.01 GBP was paid back"
    )


@pytest.mark.scenario("CRN-03")
def test_a_refund_without_parts_never_means_all_lines():
    order = paid(order_of([(2, "10", "20")]))
    assert arithmetic(refund(order=order, amount=2000)).startswith("no parts at all: together 0.00 GBP")


@pytest.mark.scenario("CRN-04")
def test_the_third_refund_of_a_line_of_two_is_stopped_and_the_first_two_are_not():
    order = paid(order_of([(2, "10", "20"), (1, "50", "20")]))
    known = [refund(str(n), order=order, lines=[(1, 1)], at=n) for n in (1, 2, 3)]
    assert [excess(each, known, order, captured(order)) for each in known] == [
        "",
        "",
        "3 × SKU1 of order line 1 were refunded, 2 were sold",
    ]


def test_a_line_is_never_refunded_for_more_than_it_was_sold_for():
    order = paid(order_of([(2, "10", "20"), (1, "50", "20")]))
    known = [refund(str(n), order=order, lines=[(1, 1, 1100)], at=n) for n in (1, 2)]
    assert excess(known[1], known, order, captured(order)) == (
        "22.00 GBP of order line 1 (SKU1) was refunded, it was sold for 20.00 GBP"
    )


@pytest.mark.parametrize(("name", "most"), [("shipping", "5.00"), ("handling", "2.00")])
def test_a_charge_is_refunded_once(name, most):
    order = paid(order_of([(1, "100", "20")], shipping="5", handling="2"))
    full = {"shipping": 500, "handling": 200}[name]
    known = [refund("1", order=order, **{name: full}), refund("2", order=order, at=1, **{name: 1})]
    assert excess(known[0], known, order, captured(order)) == ""
    assert excess(known[1], known, order, captured(order)).endswith(f"of {name} was refunded, the order has {most} GBP")


@pytest.mark.scenario("CRN-10")
def test_more_than_was_captured_stops_the_refund_that_goes_over_and_none_before_it():
    order = paid(order_of([(1, "100", "20")]), 6000)
    known = [refund(str(n), order=order, at=n, goodwill=4000) for n in (1, 2)]
    assert excess(known[0], known, order, captured(order)) == ""
    assert (
        excess(known[1], known, order, captured(order))
        == "80.00 GBP has been refunded in 2 refund(s), 60.00 GBP was captured"
    )


@pytest.mark.scenario("CRN-10")
def test_a_return_is_refunded_once():
    order = paid(order_of([(4, "10", "20")]))
    known = [refund(str(n), order=order, lines=[(1, 1)], of="7", at=n) for n in (1, 2)]
    assert excess(known[1], known, order, captured(order)) == "return 7 was refunded 2 times: refunds 1, 2"


def test_a_failed_refund_takes_nothing_from_the_next_and_a_pending_one_does():
    order = paid(order_of([(1, "10", "20")]))
    for life, stopped in ((FAILED, False), (PENDING, True)):
        known = [refund("1", order=order, lines=[(1, 1)], life=life), refund("2", order=order, lines=[(1, 1)], at=1)]
        assert bool(excess(known[1], known, order, captured(order))) == stopped


def test_a_line_that_is_not_in_the_order_is_named():
    order = paid(order_of([(1, "10", "20")]))
    strange = refund(order=order, lines=[(99, 1)])
    assert (
        excess(strange, [strange], order, captured(order))
        == "order line 99 (SKU1) was refunded and is not in the order"
    )


def test_the_words_of_the_work_list_name_every_part_and_the_total():
    order = paid(order_of([(2, "10", "20")], shipping="5"))
    told = in_words(refund(order=order, lines=[(1, 2)], shipping=500, fee=200, goodwill=100))
    assert told == (
        "2 × SKU1 (order line 1): 20.00 GBP at 20 %, net 16.66 GBP; shipping 5.00 GBP; goodwill 1.00 GBP; "
        "return fee -2.00 GBP; total 24.00 GBP"
    )


@pytest.mark.parametrize(("currency", "price"), [("JPY", "1500"), ("KWD", "12.345")])
def test_currencies_without_and_with_three_decimals_are_capped_to_their_own_minor_unit(currency, price):
    order = paid(order_of([(1, price, "0")], currency=currency))
    whole = refund("1", order=order, lines=[(1, 1)])
    over = refund("2", order=order, goodwill=1, at=1)
    assert whole.amount == order.grand_total
    assert excess(whole, [whole, over], order, captured(order)) == ""
    assert excess(over, [whole, over], order, captured(order))


REFUNDS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([SETTLED, PENDING, FAILED]),
        st.integers(0, 2),
        st.integers(0, 800),
        st.integers(0, 3000),
        st.sampled_from(["", "7", "8"]),
    ),
    max_size=6,
)


@given(REFUNDS, st.integers(0, 8000), st.randoms(use_true_random=False))
def test_whatever_was_paid_back_what_passes_is_within_the_money_the_lines_and_the_charges(told, taken, random):
    order = paid(order_of([(3, "10", "20"), (1, "20", "20")], shipping="5"), taken)
    known = [
        refund(
            str(n),
            order=order,
            at=at,
            life=life,
            lines=[(1, q)] if q else (),
            shipping=shipping,
            goodwill=goodwill,
            of=of,
        )
        for n, (at, life, q, shipping, goodwill, of) in enumerate(told, 1)
    ]
    random.shuffle(known)
    passed = [r for r in known if r.life != FAILED and not excess(r, known, order, captured(order))]
    assert sum(r.amount.minor for r in passed) <= taken
    assert sum(line.quantity for r in passed for line in r.lines) <= 3
    assert sum(r.shipping.minor for r in passed) <= 500
    returns = [r.return_number for r in passed if r.return_number]
    assert len(returns) == len(set(returns))

"""Credit memos, as every ERP adapter must book them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS, Bench, refund_of, sold

from integration.domain.credit import Refund
from integration.domain.money import Money, total
from integration.domain.order import Order
from integration.errors import Rejected, Unavailable, Unknown, Unmapped
from integration.ports import Draft, EffectClass
from integration.sandbox.centra_orders import VoucherUse


def booked(bench: Bench, refund: Refund, order: Order, ref: str) -> Draft:
    """Book it, and see that what is read back is the refund to the minor unit."""
    draft = bench.erp.compose_memo(refund, order, ref, bench.mapping)
    made = bench.erp.memo_write(draft).send()
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert (memo.ref, memo.life, memo.reference) == (made, "posted", draft.reference)
    assert dict(memo.components) == dict(draft.components)
    assert memo.components["total"] == refund.amount
    return draft


@pytest.mark.parametrize(
    ("pieces", "charges"),
    [
        ({SHIRT: 1}, {}),
        ({SHIRT: 2, SOCKS: 3}, {"shipping": "4.95"}),
        ({SOCKS: 1}, {"fee": "2.50"}),
        ({SOCKS: 2}, {"vouchers": "5.00"}),
        ({SHIRT: 1}, {"shipping": "4.95", "handling": "1.01", "fee": "3.33", "vouchers": "1.00"}),
    ],
)
@pytest.mark.parametrize("home", [{}, {"market_id": 5, "country": "JP"}, {"market_id": 6, "country": "KW"}])
def test_a_memo_is_read_back_equal_in_every_part(
    booking: Bench, pieces: dict[str, int], charges: dict[str, str], home: dict[str, Any]
) -> None:
    bench = booking
    order, ref = sold(bench, **home)
    told = {name: value.replace(".", "") for name, value in charges.items()} if home.get("country") == "JP" else charges
    booked(bench, refund_of(bench, order, "81", pieces, **told), order, ref)


@pytest.mark.scenario("CRN-03")
@pytest.mark.parametrize("charges", [{"goodwill": "10.00"}, {"shipping": "4.95"}])
def test_money_without_goods_is_a_memo_without_goods_goodwill_at_the_mappings_rate_and_shipping_as_it_was_sold(
    booking: Bench, charges: dict[str, str]
) -> None:
    bench = booking
    order, ref = sold(bench)
    draft = booked(bench, refund_of(bench, order, **charges), order, ref)
    (name,) = charges
    net = {"goodwill": Money(833, "GBP"), "shipping": order.shipping - order.shipping_tax}[name]
    assert {k: v for k, v in draft.components.items() if k.endswith(" net")} == {f"{name} net": net}
    assert not any(key.startswith("line") for key in draft.components)


def test_a_country_without_a_goodwill_tax_names_the_missing_row(bench: Bench) -> None:
    order, ref = sold(bench)
    poor = replace(bench.mapping, credit=replace(bench.mapping.credit, goodwill_tax={}))
    with pytest.raises(Unmapped):
        bench.erp.compose_memo(refund_of(bench, order, goodwill="1.00"), order, ref, poor)


@pytest.mark.scenario("CRN-06")
def test_what_is_given_back_as_a_voucher_is_no_money_and_has_no_tax(booking: Bench) -> None:
    bench = booking
    order, ref = sold(bench)
    refund = refund_of(bench, order, pieces={SHIRT: 1}, vouchers="20.00")
    whole = refund_of(bench, order, pieces={SHIRT: 1})
    draft = booked(bench, refund, order, ref)
    plain = bench.erp.compose_memo(whole, order, ref, bench.mapping)
    assert draft.components["vouchers net"] == Money.of("-20.00", "GBP")
    assert draft.components["tax"] == plain.components["tax"]


def test_a_voucher_that_lowered_prices_lowers_what_is_taken_back(booking: Bench) -> None:
    bench = booking
    order, ref = sold(bench, vouchers=[VoucherUse("STAFF333")])
    off = order.discount_total
    refund = refund_of(
        bench, order, pieces={line.sku: line.quantity for line in order.lines}, vouchers=str(off.decimal)
    )
    draft = booked(bench, refund, order, ref)
    assert "vouchers net" not in draft.components
    sale = bench.erp.standing([bench.erp.reference(order.number)])[bench.erp.reference(order.number)][0]
    theirs = [v for name, v in sale.components.items() if name.startswith("line") and name.endswith(" net")]
    ours = [v for name, v in draft.components.items() if name.startswith("line") and name.endswith(" net")]
    apart = abs(total(theirs, "GBP").minor - total(ours, "GBP").minor)
    assert apart <= len(ours)  # the storefront divides the sale's tax by its own sum, a refund has each line's


def test_parts_that_do_not_add_up_are_refused_with_the_arithmetic(bench: Bench) -> None:
    order, ref = sold(bench)
    refund = refund_of(bench, order, pieces={SHIRT: 1})
    wrong = replace(refund, amount=refund.amount + Money(1, "GBP"))
    with pytest.raises(Rejected) as raised:
        bench.erp.compose_memo(wrong, order, ref, bench.mapping)
    assert raised.value.type == "CREDIT_MISMATCH"
    assert str(wrong.amount) in str(raised.value)


def test_composing_twice_gives_the_same_memo(bench: Bench) -> None:
    order, ref = sold(bench)
    refund = refund_of(bench, order, pieces={SHIRT: 1})
    one, two = (bench.erp.compose_memo(refund, order, ref, bench.mapping) for _ in range(2))
    assert (one.fingerprint, one.reference) == (two.fingerprint, two.reference)
    assert bench.erp.refund_number(one.reference) == "81"
    assert bench.erp.refund_number("anything else") == ""


def write_of(bench: Bench, **terms: Any) -> tuple[Any, str]:
    order, ref = sold(bench)
    refund = refund_of(bench, order, pieces={SOCKS: 1}, **terms)
    draft = bench.erp.compose_memo(refund, order, ref, bench.mapping)
    return bench.erp.memo_write(draft), draft.reference


def test_posting_twice_gives_one_memo(booking: Bench) -> None:
    bench = booking
    write, reference = write_of(bench)
    assert write.effect_class is not EffectClass.BLIND
    assert write.find() == []
    first = write.send()
    assert [write.send(), *write.find()] == [first, first]
    assert len(bench.memos(reference)) == 1


@pytest.mark.parametrize("fault", ["timeout-after", "drop-after", "error-after"])
@pytest.mark.parametrize("call", ["memo", "post"])
def test_a_time_out_after_a_write_is_unknown_and_never_makes_a_second_memo(
    booking: Bench, fault: str, call: str
) -> None:
    bench = booking
    write, reference = write_of(bench)
    bench.fault(fault, bench.calls[call])
    with pytest.raises(Unknown):
        write.send()
    found = write.find()
    assert bool(found) == (call == "post")  # a draft books nothing, so it is not the memo yet
    bench.stage.clock.sleep(60)
    again = found[0] if found else write.send()
    assert write.find() == [again]
    assert [memo["state"] for memo in bench.memos(reference)] == ["posted"]


def test_throttling_before_anything_is_made_surely_did_nothing_and_after_it_is_unknown(booking: Bench) -> None:
    bench = booking
    write, reference = write_of(bench)
    bench.fault("throttled", bench.calls["memo"], seconds=7)
    with pytest.raises(Unavailable):
        write.send()
    assert bench.memos(reference) == []
    bench.stage.clock.sleep(10)
    bench.fault("throttled", bench.calls["post"], seconds=7)
    with pytest.raises(Unknown):
        write.send()
    assert [memo["state"] for memo in bench.memos(reference)] == ["draft"]
    bench.stage.clock.sleep(10)
    write.send()
    assert [memo["state"] for memo in bench.memos(reference)] == ["posted"]


def test_a_memo_that_searches_do_not_show_yet_is_found_when_it_is_time(booking: Bench) -> None:
    bench = booking
    write, reference = write_of(bench)
    bench.fault("search-lag", bench.calls["memo"], seconds=15)
    bench.fault("drop-after", bench.calls["post"])
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == []
    bench.stage.clock.sleep(write.wait.total_seconds())
    assert len(write.find()) == len(bench.memos(reference)) == 1


@pytest.mark.scenario("CRN-08")
def test_a_closed_period_is_refused_in_business_terms_and_the_draft_goes_on_when_it_is_open(booking: Bench) -> None:
    bench = booking
    write, reference = write_of(bench)
    bench.close_books("2026-12-31")
    with pytest.raises(Rejected) as raised:
        write.send()
    assert raised.value.type == "CREDIT_PERIOD_CLOSED"
    assert "closed" in raised.value.evidence
    assert [memo["state"] for memo in bench.memos(reference)] == ["draft"]
    assert bench.erp.memos([reference])[reference][0].life == "draft"
    bench.close_books("")
    assert write.send() == write.find()[0]
    assert [memo["state"] for memo in bench.memos(reference)] == ["posted"]


def test_a_memo_that_the_erp_makes_otherwise_is_never_posted(booking: Bench) -> None:
    bench = booking
    write, reference = write_of(bench)
    bench.fault("recalculated", bench.calls["memo"])
    with pytest.raises(Rejected) as raised:
        write.send()
    assert raised.value.type == "CREDIT_MISMATCH"
    assert "tax" in str(raised.value)
    (taken_back,) = bench.memos(reference)
    assert taken_back["state"].startswith("cancel")
    assert bench.erp.memos([reference]) == {reference: []}  # nothing was booked
    assert write.send() in write.find()


@pytest.mark.scenario("CRN-09")
def test_another_currency_than_the_orders_is_refused_before_anything_is_made(booking: Bench) -> None:
    bench = booking
    order, ref = sold(bench)
    _, other = sold(bench, market_id=3, country="SE")
    draft = bench.erp.compose_memo(refund_of(bench, order, pieces={SHIRT: 1}), order, other, bench.mapping)
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(draft).send()
    assert raised.value.type == "CREDIT_MISMATCH"
    assert bench.memos(draft.reference) == []
    assert ref != other


@pytest.mark.scenario("CRN-04")
def test_every_refund_of_an_order_has_a_memo_of_its_own(booking: Bench) -> None:
    bench = booking
    order, ref = sold(bench)
    for number in ("81", "82", "83"):
        booked(bench, refund_of(bench, order, number, {SOCKS: 1}), order, ref)


@pytest.mark.scenario("CRN-17")
def test_memos_that_changed_are_listed_and_one_that_is_not_ours_has_no_reference(booking: Bench) -> None:
    bench = booking
    order, ref = sold(bench)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    assert bench.erp.memos_since(since) == []  # an invoice is no memo
    bench.stage.clock.sleep(5)
    draft = booked(bench, refund_of(bench, order, pieces={SHIRT: 1}), order, ref)
    (hint,) = bench.erp.memos_since(since)
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert (hint.ref, hint.stamp, hint.order_number, hint.number) == (
        draft.reference, memo.stamp, order.number, memo.number,
    )  # fmt: skip
    bench.credit_by_hand(bench.erp.reference(order.number))
    strangers = [each for each in bench.erp.memos_since(since) if not each.ref]
    assert [each.order_number for each in strangers] == [order.number]


def test_references_nobody_has_booked_stand_for_nothing(bench: Bench) -> None:
    wanted = [f"refund-{n}" for n in range(5000, 5250)]  # more than one page
    assert bench.erp.memos(wanted) == {reference: [] for reference in wanted}


@pytest.mark.parametrize("home", [{}, {"market_id": 5, "country": "JP"}, {"market_id": 6, "country": "KW"}])
def test_a_memo_that_a_person_keyed_under_our_reference_is_the_refund_in_every_part(
    keyed_memos: Bench, home: dict[str, Any]
) -> None:
    bench = keyed_memos
    order, ref = sold(bench, **home)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    draft = bench.erp.compose_memo(refund_of(bench, order, "81", {SHIRT: 1, SOCKS: 2}), order, ref, bench.mapping)
    assert bench.erp.memos([draft.reference]) == {draft.reference: []}
    keyed = bench.credit_by_hand(bench.erp.reference(order.number), {SHIRT: 1, SOCKS: 2}, draft.reference)
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert (memo.ref, memo.life, dict(memo.components)) == (str(keyed), "posted", dict(draft.components))
    bench.credit_by_hand(bench.erp.reference(order.number))
    hints = bench.erp.memos_since(since)
    assert [(hint.ref, hint.order_number) for hint in hints] == [(draft.reference, order.number), ("", order.number)]
    assert hints[0].stamp == memo.stamp


def test_a_memo_that_a_person_keyed_otherwise_differs_where_it_does(keyed_memos: Bench) -> None:
    bench = keyed_memos
    order, ref = sold(bench)
    draft = bench.erp.compose_memo(refund_of(bench, order, "81", {SHIRT: 2}), order, ref, bench.mapping)
    bench.credit_by_hand(bench.erp.reference(order.number), {SHIRT: 1}, draft.reference, posted=False)
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert memo.life == "draft"
    assert {name for name, ours in draft.components.items() if memo.components[name] != ours} == {
        f"line {SHIRT} quantity", f"line {SHIRT} net", "untaxed", "tax", "total",
    }  # fmt: skip

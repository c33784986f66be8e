"""Vouchers that OrderWise is to show as discounts of its own: named in the mapping, sent, and read back equal."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from domain.order_shapes import KINDS, order_of, orders
from erp_benches import Bench
from erps.orderwise.bench import bench as made
from hypothesis import assume, given

from integration.domain.money import tax_rate
from integration.domain.pricing import TENDER, price
from integration.erp.orderwise.discounts import dissurs
from integration.errors import Unmapped
from integration.ports import Draft
from integration.sandbox.centra_orders import BasketLine, VoucherUse

NAMES = {"PERCENTAGE": "Promotion", "FIVEOFF": "Five pounds off", "FREE_SHIPPING": "Free carriage"}
SHIRTS, KIDS = BasketLine("LS106NVM", 7), BasketLine("KD202NVS", 3)
"""Taxed at 20 % and at nothing."""


@pytest.fixture(params=["line", "order"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """An OrderWise that rounds each line and discount, and one that rounds the whole order."""
    found = made()
    found.stage.orderwise.switches.totals_rounding = request.param
    yield found
    found.stage.store.close()


def naming(bench: Bench, discounts: Mapping[str, str] = NAMES, **terms: Any) -> None:
    bench.mapping = replace(bench.mapping, tenant=bench.mapping.tenant | {"discounts": discounts} | terms)


def kept(bench: Bench, draft: Draft) -> dict[str, Any]:
    (order,) = bench.documents(draft.reference)
    return order


@pytest.mark.parametrize(
    ("terms", "shown"),
    [
        ({"lines": [SHIRTS], "vouchers": [VoucherUse("STAFF333")]}, {"Promotion"}),
        ({"lines": [SHIRTS, KIDS], "vouchers": [VoucherUse("FIVEOFF")]}, {"Five pounds off"}),
        (
            {"lines": [SHIRTS, KIDS], "vouchers": [VoucherUse("LOYAL15"), VoucherUse("FREESHIP")]},
            {"Promotion", "Free carriage"},
        ),
        ({"lines": [SHIRTS], "vouchers": [VoucherUse("TWENTYOFF"), VoucherUse("WELCOME10")]}, {"Promotion"}),
        ({"lines": [KIDS], "vouchers": [VoucherUse("PRESS100")], "shipping_price": Decimal(0)}, {"Promotion"}),
        (
            {"lines": [SHIRTS], "vouchers": [VoucherUse("WELCOME10")], "handling": Decimal("2.40")},
            {"Promotion", "Handling"},
        ),
    ],
)
@pytest.mark.scenario("MON-05")
@pytest.mark.scenario("MON-22")
def test_a_named_voucher_is_a_discount_there_and_every_part_is_read_back_equal(
    bench: Bench, terms: dict[str, Any], shown: set[str]
) -> None:
    naming(bench)
    order = bench.order(**terms)
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert dict(standing.components) == dict(draft.components)
    assert draft.components["total"] == order.grand_total
    assert {each["description"] for each in kept(bench, draft)["dissurs"]} == shown
    assert bench.stage.orderwise.books()["log"] == []


def test_a_line_costs_what_centra_shows_and_the_discount_is_what_the_voucher_took_off(bench: Bench) -> None:
    naming(bench)
    order = bench.order(lines=[SHIRTS], vouchers=[VoucherUse("WELCOME10")])
    draft = bench.erp.compose(order, bench.mapping)
    (line,) = order.lines
    assert draft.components[f"line {line.id} net"] + draft.components[f"line {line.id} tax"] == line.gross
    assert draft.components["discount Promotion amount"] == order.discount_total.share(Fraction(5, 6))
    assert draft.components["discount Promotion tax rate"] == "1"
    assert dict(draft.carried) == {}


def test_a_discount_over_two_tax_rates_is_one_for_each(bench: Bench) -> None:
    naming(bench)
    draft = bench.draft(lines=[SHIRTS, KIDS], vouchers=[VoucherUse("LOYAL15")])
    rates = {draft.components["discount Promotion tax rate"], draft.components["discount Promotion again tax rate"]}
    assert rates == {"1", "2"}


def test_without_a_name_a_voucher_lies_in_the_prices(bench: Bench) -> None:
    naming(bench, {"TWENTYOFF": "Twenty off"})
    draft = bench.draft(lines=[SHIRTS], vouchers=[VoucherUse("WELCOME10")])
    assert draft.request["order"]["dissurs"] == []
    assert list(draft.carried) == ["discount 1 PERCENTAGE (goods)"]


def test_a_voucher_that_must_have_a_name_is_a_case_without_one(bench: Bench) -> None:
    naming(bench, {"FREE_SHIPPING": "Free carriage"}, unnamed_discounts="refuse")
    with pytest.raises(Unmapped) as raised:
        bench.draft(vouchers=[VoucherUse("WELCOME10")])
    assert (raised.value.type, raised.value.table) == ("ORDER_DISCOUNT_UNMAPPED", "tenant.discounts")
    assert raised.value.key == "WELCOME10"
    bench.draft(vouchers=[VoucherUse("GIFTCARD")])  # it pays, so it lowers nothing


def test_the_same_order_in_xml_names_the_discount_as_the_session_knows_it() -> None:
    found = made(transport="session")
    naming(found)
    draft = found.draft(lines=[SHIRTS], vouchers=[VoucherUse("WELCOME10")])
    assert "<Description>Promotion</Description>" in str(draft.request["xml"])
    found.stage.store.close()


def test_where_the_odd_unit_would_lie_on_handling_the_voucher_lies_in_the_prices(bench: Bench) -> None:
    terms = {"shipping": "4.95", "handling": "2.36", "percent": "7", "discounts": [("PERCENTAGE", "12.5")]}
    order = order_of([(3, "2.59", "5.5")], inclusive=False, **terms)
    beside = price(order, KINDS, "7", beside={0}).handling
    assert beside is not None
    assert beside.tax != beside.net.share(tax_rate(7))
    naming(bench)
    bench.mapping = replace(bench.mapping, taxes={"GB": {"5.5": "1", "7": "2"}}, shipping_tax={"GB": "7"})
    draft = bench.erp.compose(order, bench.mapping)
    assert [row["description"] for row in draft.request["order"]["dissurs"]] == ["Handling"]
    assert list(draft.carried) == ["discount 1 PERCENTAGE (goods)"]


@given(orders())
def test_what_is_sent_comes_to_the_order_however_orderwise_rounds(drawn: Any) -> None:
    order, percent = drawn
    shown = {p: d.type for p, d in enumerate(order.discounts) if KINDS[d.type] != TENDER and d.amount}
    found = price(order, KINDS, percent, beside=shown)
    handling = found.handling
    untold = Fraction(0)
    if handling is not None:  # a surcharge that OrderWise taxes by its rate
        by_rate = Fraction(handling.net.decimal) * tax_rate(handling.tax_percent)
        untold = by_rate - Fraction(handling.tax.decimal)
    rows = dissurs(found, shown)
    assume(rows is not None)
    places = -found.total.decimal.as_tuple().exponent

    def cut(value: Fraction) -> Fraction:
        return Fraction(round(value * 10**places + Fraction(1, 10**9)), 10**places)

    net = sum((Fraction(part.net.decimal) for part in found.parts), Fraction(0))
    gross = sum((Fraction((part.net + part.tax).decimal) for part in found.parts), Fraction(0))
    each_cut, all_cut = gross, gross + untold
    for row in rows:
        taxed = Fraction(row.price) * (1 + tax_rate(row.tax_percent))
        net, each_cut, all_cut = net - Fraction(row.price), each_cut - cut(taxed), all_cut - taxed
    assert (cut(net), each_cut, cut(all_cut)) == (
        Fraction(found.untaxed.decimal),
        Fraction(found.total.decimal),
        Fraction(found.total.decimal),
    )

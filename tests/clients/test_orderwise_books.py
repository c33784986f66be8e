"""What OrderWise makes of our orders, against its sandbox: totals, queues, statuses, kits, deliveries, credits."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from erp_benches import SHIRT, SOCKS, refund_of, sold
from erps.orderwise.bench import bench as orderwise
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.money import Money
from integration.domain.proof import compare
from integration.domain.shipment import ShippedLine
from integration.erp.orderwise import examine, wire
from integration.erp.orderwise.profile import profile_of
from integration.errors import Rejected, Unknown, Unmapped
from integration.ports import Figure
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from mappings import BrokenMapping, parse


@pytest.fixture
def bench():
    made = orderwise()
    yield made
    made.stage.store.close()


def differences(bench, draft):
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    return {d.name: d.theirs for d in compare(draft.components, standing.components).differences}


# -------------------------------------------------------------------------------------------------------------- orders


def test_two_storefronts_sell_from_one_pool_each_by_its_session_net_and_gross(bench):
    for market in (8, 9):
        draft = bench.draft(market_id=market, lines=[BasketLine(SHIRT, 3)], vouchers=[VoucherUse("STAFF333")])
        bench.erp.order_write(draft).send()
        assert differences(bench, draft) == {}
        assert draft.components["session"] == 20 + market
    assert bench.erp.figures([SHIRT], [12])[SHIRT] == Figure(5000, 4994)


@pytest.mark.scenario("MON-22")
def test_the_header_is_the_sum_of_the_very_parts_and_one_penny_off_shows_as_a_discount_of_orderwises_own(bench):
    draft = bench.draft(lines=[BasketLine(SOCKS, 7)], vouchers=[VoucherUse("STAFF333")])
    header = draft.request["order"]["orderHeader"]
    assert header["orderGross"] == header["orderNet"] + header["orderTax"]
    header["orderGross"] -= Decimal("0.01")
    header["orderTax"] -= Decimal("0.01")
    bench.erp.order_write(draft).send()
    found = differences(bench, draft)
    assert found.keys() > {"tax", "total", "discount Balancing discount amount"}
    assert found["discount Balancing discount amount"] == Money(1, "GBP")


@pytest.mark.parametrize("fault", ["recalculated", "repriced-tax"])
def test_what_orderwise_prices_or_taxes_otherwise_is_a_difference(bench, fault):
    draft = bench.draft()
    bench.fault(fault)
    bench.erp.order_write(draft).send()
    assert differences(bench, draft)


def test_tax_codes_are_always_sent_and_orderwise_is_never_asked_to_price(bench):
    request = bench.draft(vouchers=[VoucherUse("FREESHIP")]).request["order"]
    assert request["orderHeader"]["deliveryTaxCodeId"] == 1
    assert all(line["taxRateId"] for line in request["orderLines"])
    assert "calculatelinesystemprice" not in str(request).lower()


def test_a_queued_order_is_in_doubt_until_its_sessions_run_shows_it(bench):
    draft = bench.draft()
    bench.fault("queued")
    write = bench.erp.order_write(draft)
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == []
    assert write.wait == timedelta(minutes=15)
    bench.stage.orderwise.run_import(28)
    assert len(write.find()) == 1


@pytest.mark.parametrize("form", ["ids", "id", "empty"])
def test_an_answer_in_any_form_is_an_id_or_doubt(bench, form):
    bench.stage.orderwise.switches.change({"create_response": form})
    draft = bench.draft()
    write = bench.erp.order_write(draft)
    if form == "empty":
        with pytest.raises(Unknown):
            write.send()
    else:
        assert [write.send()] == write.find()
    assert len(bench.documents(draft.reference)) == 1


def test_a_number_that_is_taken_is_doubt_and_no_failure(bench):
    draft = bench.draft()
    bench.fault("duplicate-race")
    write = bench.erp.order_write(draft)
    with pytest.raises(Unknown):
        write.send()
    assert len(write.find()) == 1


@pytest.mark.parametrize("form", ["json", "plain", "empty"])
def test_a_refusal_keeps_orderwises_words_as_evidence_in_whatever_form(bench, form):
    bench.stage.orderwise.switches.change({"error_body": form})
    draft = bench.draft()
    draft.request["order"]["orderLines"][0]["variantCode"] = "NOPE"
    with pytest.raises(Rejected) as raised:
        bench.erp.order_write(draft).send()
    assert raised.value.type == ("ORDER_REJECTED_BY_ERP" if form == "empty" else "ORDER_UNKNOWN_SKU")
    assert ("NOPE" in raised.value.evidence) == (form != "empty")


@pytest.mark.parametrize(
    ("old", "new", "type"),
    [
        ('"Standard" = "1"', '"Standard" = "999"', "ORDER_SHIPPING_UNMAPPED"),
        ('"20" = "1"', '"20" = "999"', "ORDER_TAX_UNMAPPED"),
        ("channel = 28", "channel = 999", "ORDER_MARKET_UNMAPPED"),
        ('"20" = "1"', '"20" = "T1"', "ORDER_TAX_UNMAPPED"),
        ('"Standard" = "1"', '"Standard" = "Courier"', "ORDER_SHIPPING_UNMAPPED"),
    ],
)
def test_an_id_that_orderwise_does_not_have_names_the_row_of_the_mapping(bench, old, new, type):
    from stage import example

    version = bench.stage.apply(example("orderwise", stock=False).replace(old, new), "orderwise")
    order = bench.order()
    with pytest.raises(Rejected) as raised:
        bench.erp.order_write(bench.erp.compose(order, bench.stage.world.mapping("orderwise", version))).send()
    assert raised.value.type == type
    assert raised.value.cause.startswith("orderwise.toml:[")


def test_handling_is_a_surcharge_and_refused_where_orderwise_would_tax_it_otherwise(bench):
    order = bench.order(handling=Decimal("1.20"))
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    assert draft.components["surcharge Handling amount"] == Money(100, "GBP")
    assert differences(bench, draft) == {}
    (handling,) = bench.documents(draft.reference)[0]["dissurs"]
    assert not handling["discount"]


def test_a_line_id_that_is_no_item_number_is_refused(bench):
    order = bench.order()
    strange = replace(order, lines=tuple(replace(line, id="abc") for line in order.lines))
    with pytest.raises(Rejected) as raised:
        bench.erp.compose(strange, bench.mapping)
    assert raised.value.type == "ORDER_NOT_REPRESENTABLE"


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(1, 999), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_rows_of_a_line_give_net_and_gross_exactly_and_every_piece_once(net, tax, quantity, currency):
    rows = wire.unit_rows(Money(net, currency), Money(net + tax, currency), quantity, 4)
    assert sum(pieces for pieces, _, _ in rows) == quantity
    assert len(rows) <= 3
    assert sum(Money.of(unit * pieces, currency).minor for pieces, unit, _ in rows) == net
    assert sum(Money.of(unit * pieces, currency).minor for pieces, _, unit in rows) == net + tax


@pytest.mark.parametrize("line", ["1", "68", "99999999"])
def test_an_item_number_is_its_line_and_row_again(line):
    for place in range(20):
        assert wire.line_of(wire.item_number(line, place)) == (line, place)
        assert wire.item_number(line, place) < 2**31


def test_a_status_nobody_has_explained_names_its_text_and_stops_its_own_order_only(bench):
    strange, plain = bench.draft(), bench.draft()
    for draft in (strange, plain):
        bench.erp.order_write(draft).send()
    bench.stage.orderwise.set_status(strange.reference, "Awaiting the moon")
    found = bench.erp.standing([strange.reference, plain.reference])
    refusal = found[strange.reference][0].refusal
    assert isinstance(refusal, Unmapped)
    assert (refusal.type, refusal.cause) == (
        "ORDER_STATUS_UNMAPPED", "orderwise.toml:[tenant.statuses] Awaiting the moon",
    )  # fmt: skip
    assert (found[plain.reference][0].life, found[plain.reference][0].refusal) == ("processing", None)
    assert "status Awaiting the moon" in [what for _, what, _, _ in examine(bench.erp, bench.mapping)]
    (hint,) = [s for s in bench.erp.changed_since(bench.stage.clock.now()) if s.reference == strange.reference]
    assert hint.refusal is not None


def test_an_examination_names_every_export_definition_that_cannot_be_read_and_what_it_is_for(bench):
    exports = bench.erp.profile.exports
    bench.erp.client.profile = replace(bench.erp.profile, exports={**exports, "lookups": 990, "despatch": 991})
    told = [found for found in examine(bench.erp, bench.mapping) if found[1].startswith("export")]
    assert [(grade, what) for grade, what, _, _ in told] == [("FAIL", "export lookups"), ("FAIL", "export despatch")]
    assert "export definition 991 (DESPATCH)" in told[1][2]
    assert "what left is read with it" in told[1][2]


def test_an_order_on_hold_is_not_going_on(bench):
    draft = bench.draft()
    bench.erp.order_write(draft).send()
    bench.stage.orderwise.hold(draft.reference)
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert (standing.life, bool(standing.problem)) == ("draft", True)


# --------------------------------------------------------------------------------------------------------------- stock


def test_a_kit_is_what_can_be_built_and_moves_when_a_component_does(bench):
    tenant = bench.stage.orderwise
    bench.count("LS104NVM", 3, 12)
    bench.count("LS106NVM", 5, 12)
    assert bench.erp.figures(["BX501ST1"], [12]) == {"BX501ST1": Figure(2, 2)}
    bench.stage.clock.sleep(1)
    since = bench.stage.clock.now()
    bench.stage.clock.sleep(1)
    tenant.adjust("LS106NVM", 1, 12)
    assert bench.erp.moved_since(since) >= {"LS106NVM", "BX501ST1"}
    assert bench.erp.figures(["BX501ST1", "LS106NVM"], [12]) == {"BX501ST1": Figure(0, 0), "LS106NVM": Figure(1, 1)}


def test_a_kit_of_a_component_that_is_oversold_is_oversold(bench):
    bench.posted(lines=[BasketLine(SOCKS, 5)])
    bench.count(SOCKS, 2, 12)
    assert bench.erp.figures(["BX501ST1"], [12])["BX501ST1"].available == -2


def test_the_figure_is_the_column_that_the_profile_names(bench):
    from stage import example

    bench.posted(lines=[BasketLine(SOCKS, 5)])
    for word, available in (("free", 4995), ("available", 4995)):
        text = example("orderwise", stock=False).replace('available = "free"', f'available = "{word}"')
        bench.stage.world.mapping("orderwise", bench.stage.apply(text, "orderwise"))
        erp = bench.stage.world.erp("orderwise")  # a newer mapping is in force at once
        assert erp.figures([SOCKS], [12]) == {SOCKS: Figure(5000, available)}


def test_physical_stock_is_never_taken_for_what_can_be_sold(bench):
    """It holds what OrderWise knows to be sold: with 5 of 5000 sold and posted, all 5000 would be offered again."""
    from stage import example

    text = example("orderwise", stock=False).replace('available = "free"', 'available = "in_stock"')
    with pytest.raises(BrokenMapping, match="available"):
        profile_of(parse(text, "orderwise.toml"))


def test_what_is_discontinued_has_no_figure_and_no_item(bench):
    bench.stage.orderwise.change_product(SOCKS, discontinued=True)
    assert bench.erp.figures([SOCKS], [12]) == {}
    assert bench.erp.items([SOCKS]) == {SOCKS: None}
    assert SOCKS not in bench.erp.stocked("")[0]


def test_codes_with_spaces_around_them_are_known_without(bench):
    bench.stage.orderwise.change_product(SOCKS, code=f"{SOCKS} ")
    assert SOCKS in bench.erp.stocked("")[0]


# -------------------------------------------------------------------------------------------------------- deliveries


def test_what_a_supplier_sent_is_a_dispatch_of_its_own_once_the_order_is_complete(bench):
    draft = bench.draft(lines=[BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)])
    lines = draft.request["order"]["orderLines"]
    lines[1]["direct"] = True
    bench.erp.order_write(draft).send()
    since = bench.stage.clock.now() - timedelta(hours=1)
    bench.ship(draft.reference, lines={SHIRT: 2}, tracking=["T1"])
    assert len(bench.erp.dispatched_since(since)) == 1
    bench.stage.orderwise.supplier_ships(draft.reference)
    found = bench.erp.dispatches([hint.ref for hint in bench.erp.dispatched_since(since)])
    assert [dispatch.lines for dispatch in found.values()] == [
        (ShippedLine(str(lines[0]["itemNumber"]), SHIRT, 2),),
        (ShippedLine(str(lines[1]["itemNumber"]), SOCKS, 3),),
    ]
    direct = list(found.values())[1]
    assert (direct.life, direct.parcels, direct.ref.endswith("-direct")) == ("done", (), True)


def test_a_finished_order_that_is_told_again_is_the_same_to_the_stamp(bench):
    order, _ = bench.posted()
    bench.ship(bench.erp.reference(order.number))
    since = bench.stage.clock.now() - timedelta(hours=1)
    first = bench.erp.dispatched_since(since)
    bench.stage.clock.sleep(60)
    bench.stage.orderwise.set_status(bench.erp.reference(order.number), "Completed")  # touched, and nothing else
    assert bench.erp.dispatched_since(since) == first


def test_a_delivery_that_was_undone_is_told_as_cancelled(bench):
    order, _ = bench.posted()
    bench.ship(bench.erp.reference(order.number))
    bench.stage.orderwise.void(bench.erp.reference(order.number))
    (hint,) = bench.erp.dispatched_since(bench.stage.clock.now() - timedelta(hours=1))
    assert bench.erp.dispatches([hint.ref])[hint.ref].life == "cancelled"


# ----------------------------------------------------------------------------- credits by order type 4, which is unproven


def test_a_credit_order_is_refused_where_the_tenant_does_not_take_one(bench):
    order, ref = sold(bench)
    draft = bench.erp.compose_memo(refund_of(bench, order, pieces={SOCKS: 1}), order, ref, bench.mapping)
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(draft).send()
    assert raised.value.type == "CREDIT_REJECTED_BY_ERP"


@pytest.mark.parametrize("charges", [{}, {"shipping": "3.95"}, {"goodwill": "10.00"}, {"fee": "2.50"}])
@pytest.mark.parametrize("rounding", ["line", "order"])
def test_a_credit_order_is_posted_once_and_is_the_refund(bench, charges, rounding):
    bench.stage.orderwise.switches.change({"credit_by_order": True, "totals_rounding": rounding})
    order, ref = sold(bench)
    refund = refund_of(bench, order, pieces={SHIRT: 1, SOCKS: 2}, **charges)
    draft = bench.erp.compose_memo(refund, order, ref, bench.mapping)
    write = bench.erp.memo_write(draft)
    made = write.send()
    assert [write.send(), *write.find()] == [made, made]
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert dict(memo.components) == dict(draft.components)
    assert memo.components["total"] == refund.amount


def test_a_credit_against_another_order_is_refused_before_anything_is_made(bench):
    bench.stage.orderwise.switches.change({"credit_by_order": True})
    order, _ = sold(bench)
    _, other = sold(bench)
    draft = bench.erp.compose_memo(refund_of(bench, order, pieces={SOCKS: 1}), order, other, bench.mapping)
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(draft).send()
    assert raised.value.type == "CREDIT_MISMATCH"
    assert bench.memos(draft.reference) == []

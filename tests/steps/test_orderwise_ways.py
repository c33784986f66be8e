"""What only an OrderWise does to orders, stock and dispatches: its one customer, placeholders, status texts, edited exports."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from erp_benches import SHIRT, SOCKS
from erps.orderwise.bench import bench as orderwise
from erps.orderwise.bench import paste_exports
from stage import Stage, example
from steps.looking import run_feed

from integration import stock as stock_rules
from integration import waterfall
from integration.erp.orderwise.client import sql_of
from integration.sandbox.catalogue import ERP_SKUS, GOODS, UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.sandbox.orderwise_catalogue import LEEDS
from integration.store import levels
from mappings import parse

PRODUCTS = 42
"""The id of our export definition in the example mapping."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(erps=("orderwise",), stock=True)
    yield made
    made.store.close()


def placed(stage: Stage, state: str = "proven", **terms: Any) -> str:
    """An order that was swept until it stood there."""
    number = stage.order(**({"lines": [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]} | terms))
    stage.hint(number)
    for _ in range(15):
        if stage.row(number).state == state:
            return number
        stage.sweep(every=300)
    raise AssertionError(f"{stage.row(number).state}: {stage.row(number).reason}")


def cases(stage: Stage) -> list[tuple[str, str]]:
    """Open cases but for the two SKUs that no ERP has ever heard of."""
    return [(case.type, case.cause) for case in stage.open_cases() if case.cause not in UNKNOWN_SKUS]


def edited(stage: Stage, statement: str) -> None:
    """Somebody changes OrderWise's books."""
    with stage.orderwise._changing():
        stage.orderwise._ledger.base.execute(statement)


# -------------------------------------------------------------------------------------------------------------- orders


@pytest.mark.scenario("ORD-28")
def test_orders_of_all_countries_are_one_customers_and_each_keeps_its_own_taxes_address_and_sum() -> None:
    bench = orderwise()
    codes = set()
    for market, country in ((1, "GB"), (2, "DE"), (3, "SE"), (5, "JP")):
        order, _ = bench.posted(market_id=market, country=country)
        reference = bench.erp.reference(order.number)
        (document,) = bench.documents(reference)
        wanted = bench.mapping.tax_name(country, order.lines[0].tax_percent)
        assert {str(line["tax_code"]) for line in document["lines"]} == {wanted}
        assert document["customer"] == bench.erp.profile.customer
        assert document["addresses"]["delivery"]["country_code"] == country
        assert bench.erp.bookings([reference])[reference][0].total == order.grand_total
        codes.add(wanted)
    assert len(codes) == 4
    bench.stage.store.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[tenant.exports]", 'WELCOME10 = "Promotion"\n[tenant.exports]'),
        ('handling = "Handling"', 'handling = "Packing"'),
        ("send_payments = true", "send_payments = false"),
        ('transport = "api"', 'transport = "session"'),
    ],
)
def test_an_order_is_proved_again_with_the_profile_that_it_was_sent_with(stage: Stage, old: str, new: str) -> None:
    stage.orderwise.add_discount("Handling")
    number = placed(stage, vouchers=[VoucherUse("WELCOME10"), VoucherUse("GIFTCARD")], handling=Decimal("2.40"))
    proved = stage.row(number).done_at
    assert old in example("orderwise")
    stage.apply(example("orderwise").replace(old, new, 1), "orderwise")
    stage.orderwise.set_status(f"centra-{number}", "Dispatched")
    run_feed(stage, "back_check", "orderwise")
    stage.sweep(3)
    row = stage.row(number)
    assert (row.state, row.done_at > proved, cases(stage)) == ("proven", True, [])


@pytest.mark.scenario("PRD-12")
def test_a_placeholder_that_the_erp_booked_instead_is_found_before_anything_is_picked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    placeholder = stage.orderwise.add_product("MISC", "Miscellaneous")
    orders = stage.orderwise._orders
    take = orders.take

    def book_another(*terms: Any) -> int:
        id = take(*terms)
        first = f"SELECT MIN(oli_id) FROM order_line_item WHERE oli_oh_id = {id}"
        orders._ledger.base.execute(f"UPDATE order_line_item SET oli_vad_id = {placeholder} WHERE oli_id = ({first})")
        return id

    monkeypatch.setattr(orders, "take", book_another)
    number = placed(stage, "dead")
    (case,) = [case for case in stage.open_cases() if case.number == number]
    assert case.type == "ORDER_ERP_RECALCULATED"
    assert "MISC" in case.message
    assert SHIRT in case.message


@pytest.mark.parametrize("logged_in", [True, False])
def test_orders_outlive_an_hour_without_the_directory_of_the_api(stage: Stage, logged_in: bool) -> None:
    numbers = [stage.order(lines=[BasketLine(SHIRT, 1)]) for _ in range(3)]
    stage.hint(*numbers)
    stage.work()
    if logged_in:
        stage.world.erp("orderwise").client._token = ("t1", stage.clock.now() + timedelta(minutes=30))
    stage.orderwise.switches.change({"directory": "/OWAPI-old"})
    stage.sweep(18, every=300)
    assert {stage.row(number).state for number in numbers} == {"ready"}
    assert [type for type, _ in cases(stage) if type != "ORDER_STALLED"] == ["CONNECTION_DOWN"]
    stage.orderwise.switches.change({"directory": "/OWAPI"})
    stage.sweep(6, every=300)
    assert {stage.row(number).state for number in numbers} == {"proven"}
    assert cases(stage) == []


# ------------------------------------------------------------------------------------------------------------ dispatches


@pytest.mark.scenario("SHP-16")
@pytest.mark.parametrize("status", ["Dispatched", "Completed"])
def test_a_status_alone_ships_nothing(stage: Stage, status: str) -> None:
    number = placed(stage)
    stage.orderwise.set_status(f"centra-{number}", status)
    stage.sweep(6, every=300)
    assert stage.rows("shipment") == []
    assert stage.centra.books()[0]["shipments"] == []


@pytest.mark.scenario("SHP-16")
def test_deliveries_without_lines_are_a_case_and_complete_nothing_until_the_lines_are_there(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}", {SHIRT: 2}, tracking=["T1"])
    stage.orderwise.ship(f"centra-{number}", {SOCKS: 3}, tracking=["T2"])
    edited(stage, "CREATE TABLE kept AS SELECT * FROM delivery_line_item")
    edited(stage, "DELETE FROM delivery_line_item")
    stage.sweep(4, every=300)
    assert {type for type, _ in cases(stage)} == {"SHIPMENT_INCOMPLETE"}
    assert stage.centra.books()[0]["shipments"] == []
    edited(stage, "INSERT INTO delivery_line_item SELECT * FROM kept")
    stage.sweep(15, every=300)
    assert [row.state for row in stage.rows("shipment")] == ["proven", "proven"]
    assert cases(stage) == []


@pytest.mark.parametrize(
    ("keyed", "numbers"),
    [
        (["JD1, JD2"], ["JD1", "JD2"]),
        (["JD1;JD2 | JD3\n"], ["JD1", "JD2", "JD3"]),
        (["AB 123 456 GB"], ["AB123456GB"]),
        (["JD1,JD2", "JD2", "JD 3"], ["JD1", "JD2", "JD3"]),
    ],
)
def test_consignment_numbers_in_any_hand_are_parcels_with_links_and_are_shown_as_told(
    stage: Stage, keyed: list[str], numbers: list[str]
) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}", tracking=keyed)
    stage.sweep(8, every=300)
    assert ([row.state for row in stage.rows("shipment")], cases(stage)) == (["proven"], [])
    (made,) = stage.centra.books()[0]["shipments"]
    assert made["tracking"] == ", ".join(numbers)
    (ref,) = [row.number.removeprefix("orderwise-") for row in stage.rows("shipment")]
    parcels = stage.world.erp("orderwise").dispatches([ref])[ref].parcels
    assert [parcel.tracking for parcel in parcels] == numbers
    assert all(f"/{parcel.tracking}?" in parcel.url for parcel in parcels)


# ----------------------------------------------------------------------------------------------------------------- stock


def level_of(stage: Stage, sku: str = SHIRT) -> int:
    return int(stage.centra.book.stock.free(5, sku))


def shown(stage: Stage) -> Stage:
    """Catalogue and places are read, and every SKU was compared and is shown."""
    run_feed(stage, "catalogue")
    run_feed(stage, "places", "orderwise")
    run_feed(stage, "movements", "orderwise")
    night(stage)
    assert cases(stage) == []
    return stage


def night(stage: Stage) -> None:
    stage.clock.sleep(86_400)
    run_feed(stage, "catalogue")
    run_feed(stage, "movements", "orderwise")
    run_feed(stage, "compare", "orderwise")
    stage.work()
    stage.sweep(3)
    run_feed(stage, "stale", "orderwise")


def test_an_order_that_was_closed_short_is_a_case_until_nothing_of_it_is_missing(stage: Stage) -> None:
    number = placed(stage)
    stage.orderwise.ship(f"centra-{number}", {SHIRT: 2, SOCKS: 1})
    stage.sweep(times=4)
    run_feed(stage, "closed_short", "orderwise")
    assert cases(stage) == [], "the rest may come yet"
    stage.orderwise.cancel(f"centra-{number}")
    stage.sweep(times=4)
    run_feed(stage, "closed_short", "orderwise")
    assert cases(stage) == [("SHIPMENT_QTY_CONFLICT", "closed short in the ERP")]
    (case,) = [case for case in stage.open_cases() if case.number == number]
    assert f"done, and 2 × {SOCKS} of it left on no dispatch" in case.message
    stage.clock.sleep(4 * 86_400)
    run_feed(stage, "closed_short", "orderwise")
    assert [each.id for each in stage.open_cases() if each.number == number] == [case.id]
    edited(stage, "UPDATE order_line_item SET oli_qty_tbsent = oli_qty_required - oli_qty_sent")
    edited(stage, "UPDATE order_header SET oh_order_complete = 0")
    stage.orderwise.ship(f"centra-{number}")
    stage.sweep(times=6)
    run_feed(stage, "closed_short", "orderwise")
    assert cases(stage) == []


@pytest.mark.parametrize("erp", ["fulfil", "orderwise"])
def test_an_order_that_left_in_two_parts_is_not_short(erp: str) -> None:
    stage = Stage(erps=(erp,), stock=True)
    number = placed(stage)
    tenant, reference = getattr(stage, erp), f"centra-{number}"
    if erp == "orderwise":
        tenant.ship(reference, {SHIRT: 2})
        tenant.ship(reference)
    else:
        tenant.ship(reference)
    run_feed(stage, "closed_short", erp)
    assert cases(stage) == []
    stage.sweep(times=6)
    run_feed(stage, "closed_short", erp)
    assert cases(stage) == []


@pytest.mark.scenario("STK-24")
@pytest.mark.parametrize("late_by", [4, 60, 600])
def test_a_poll_that_is_late_looks_back_to_the_one_before_it(stage: Stage, late_by: int) -> None:
    shown(stage)
    stage.clock.sleep(60)
    stage.orderwise.adjust(SHIRT, 17, LEEDS)  # just after a poll, longer ago than any window when the next one comes
    stage.clock.sleep((15 + late_by) * 60)
    run_feed(stage, "stale", "orderwise")
    assert cases(stage) == [("STOCK_PUSH_STALE", "movements")]
    run_feed(stage, "movements", "orderwise")
    stage.sweep(3)
    run_feed(stage, "stale", "orderwise")
    assert (level_of(stage), cases(stage)) == (17, [])


def test_a_sku_without_a_figure_keeps_its_level_and_is_a_case_and_every_other_one_goes_on(stage: Stage) -> None:
    shown(stage)
    before = level_of(stage)
    edited(stage, f"UPDATE variant_stock_location SET vsl_free_stock_quantity = NULL WHERE vsl_vad_id = (SELECT vad_id FROM variant_detail WHERE vad_variant_code = '{SHIRT}') AND vsl_sl_id = {LEEDS}")  # fmt: skip
    stage.orderwise.adjust(SOCKS, 17, LEEDS)
    with stage.store.write() as tx:
        stock_rules.hint(tx, "orderwise", [SHIRT, SOCKS])
    stage.sweep(3)
    assert (level_of(stage), level_of(stage, SOCKS), cases(stage)) == (before, 17, [])
    night(stage)
    assert (level_of(stage), cases(stage)) == (before, [("STOCK_SKU_ORPHAN", SHIRT)])
    stage.orderwise.adjust(SHIRT, 9, LEEDS)
    stage.clock.sleep(86_400)
    night(stage)
    assert (level_of(stage), cases(stage)) == (9, [])


def sold_at_the_counter(stage: Stage) -> list[str]:
    """All but three pieces each of so many SKUs that it is a mass change."""
    many = [sku for sku in sorted(ERP_SKUS) if sku.startswith("LS")][:40]
    for sku in many:
        edited(stage, f"UPDATE variant_stock_location SET vsl_free_stock_quantity = 3 WHERE vsl_vad_id = (SELECT vad_id FROM variant_detail WHERE vad_variant_code = '{sku}') AND vsl_sl_id = {LEEDS}")  # fmt: skip
    return many


def filtered(stage: Stage) -> None:
    """Somebody adds a filter to our export of products that leaves out every other one."""
    half = sql_of("products").replace("WHERE (v.vad_id > @after", "WHERE v.vad_id % 2 = 0 AND (v.vad_id > @after")
    stage.orderwise.paste_export(PRODUCTS, half, "products")


ON_HAND = (
    example("orderwise")
    .replace('figure = "available"', 'figure = "on hand"')
    .replace("other_channels = true", "other_channels = false")
    .replace("warehouses = [12] ", "zones = [12]\nwarehouses = [12] ")
)


@pytest.mark.scenario("STK-21")
def test_another_figure_is_previewed_before_it_is_in_force_and_a_mass_change_is_held(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.apply(ON_HAND, "orderwise")
    shown(stage)
    before = level_of(stage)
    many = sold_at_the_counter(stage)  # what is on hand does not say so
    wanted = parse(example("orderwise"), "orderwise.toml", version=99)
    writes = int(stage.centra.requests["setStock"])
    changes = waterfall.preview(stage.world, wanted).changes
    told = {(change.place, change.sku): (change.shown, change.would) for change in changes}
    assert {told["5", sku] for sku in many} == {(before, 3)}
    assert int(stage.centra.requests["setStock"]) == writes
    stage.apply(example("orderwise"), "orderwise")
    run_feed(stage, "places", "orderwise")
    stage.clock.sleep(900)  # what leapt in the night is forgotten
    with stage.store.write() as tx:
        keys = stock_rules.hint(tx, "orderwise", many)
    for key in keys:
        stage.world.ring("take", key)
    stage.work()
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "mass change")]
    assert {level_of(stage, sku) for sku in many} == {before}


@pytest.mark.scenario("PLT-17")
def test_a_filter_that_halves_an_export_is_one_case_and_every_level_stays(stage: Stage) -> None:
    shown(stage)
    before = {sku: level_of(stage, sku) for sku in (SHIRT, SOCKS)}
    written = int(stage.centra.requests["setStock"])
    filtered(stage)
    night(stage)
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "fewer SKUs")]
    assert "was a filter added" in next(c.message for c in stage.open_cases() if c.cause == "fewer SKUs")
    assert {sku: level_of(stage, sku) for sku in (SHIRT, SOCKS)} == before
    assert int(stage.centra.requests["setStock"]) == written
    paste_exports(stage)
    night(stage)
    assert cases(stage) == []


def test_a_catalogue_that_is_rightly_smaller_is_taken_as_it_is_after_a_persons_word(stage: Stage) -> None:
    shown(stage)
    edited(stage, "UPDATE variant_setting SET vas_discontinued_product = 1 WHERE vas_vad_id % 2 = 0")
    night(stage)
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "fewer SKUs")]
    waterfall.release(stage.world, "orderwise", actor="ann", reason="the old season has ended")
    assert cases(stage) == []
    night(stage)
    assert {type for type, _ in cases(stage)} == {"STOCK_SKU_ORPHAN"}


def unlisted(stage: Stage) -> list[str]:
    """Centra tells of no shirt and no coat any more; one SKU of each."""
    found = {GOODS[sku].variant_id: sku for sku in sorted(GOODS, reverse=True) if sku.startswith("LS")}
    for sku in found.values():
        stage.centra.withhold_product(sku)
    return list(found.values())


def addressed(stage: Stage) -> int:
    with stage.store.read() as tx:
        return levels.count_variants(tx, "brand", stage.clock.now())[0]


@pytest.mark.parametrize("right", [False, True])
def test_a_storefront_that_suddenly_lists_less_is_one_case_and_nothing_is_forgotten_without_a_persons_word(
    stage: Stage, right: bool
) -> None:
    shown(stage)
    before = addressed(stage)
    some = unlisted(stage)
    night(stage)
    assert (cases(stage), addressed(stage)) == ([("STOCK_MASS_CHANGE_BRAKE", "fewer SKUs in the storefront")], before)
    if right:
        waterfall.release(stage.world, "orderwise", actor="ann", reason="the old season has ended")
        assert (cases(stage), addressed(stage) < before - 20) == ([], True)
        night(stage)
        assert {type for type, _ in cases(stage)} == {"STOCK_SKU_ORPHAN"}
    else:
        for sku in some:
            stage.centra.make_product(sku, "ACTIVE")
        night(stage)
        assert (cases(stage), addressed(stage)) == ([], before)


def test_a_persons_word_on_a_mass_change_says_nothing_of_a_catalogue_that_shrinks(stage: Stage) -> None:
    shown(stage)
    sold_at_the_counter(stage)
    night(stage)
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "mass change")]
    waterfall.release(stage.world, "orderwise", actor="ann", reason="the counter had a sale")
    stage.work()
    assert cases(stage) == []
    filtered(stage)
    night(stage)
    assert cases(stage) == [("STOCK_MASS_CHANGE_BRAKE", "fewer SKUs")]

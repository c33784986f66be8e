"""Days that are nobody's fault: late hints, edits after the parcel left, big orders, prices with and without tax."""

from datetime import timedelta
from typing import Any

import pytest
from stage import Stage

from integration import intake
from integration.sandbox.catalogue import ERP_SKUS
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.sandbox.goods import GOODS


@pytest.fixture
def stage() -> Any:
    return Stage()


def brought_in(stage: Stage, **terms: Any) -> str:
    number = stage.order(**terms)
    stage.hint(number)
    stage.work()
    stage.sweep(3)
    assert stage.row(number).state == "proven", stage.row(number).reason
    return number


@pytest.mark.scenario("TIM-06")
def test_a_hint_that_comes_a_day_late_reads_what_is_true_now_and_changes_nothing(stage: Stage) -> None:
    number = brought_in(stage)
    before = stage.row(number)
    stage.clock.sleep(timedelta(days=1).total_seconds())
    stage.hint(number)
    stage.work()
    after = stage.row(number)
    assert (after.state, after.erp_ref, after.source_version) == ("proven", before.erp_ref, before.source_version)
    assert len(stage.sales(number)) == 1


@pytest.mark.scenario("TIM-02")
def test_an_order_that_became_visible_after_the_poll_had_passed_it_is_found_by_the_recount(stage: Stage) -> None:
    number = stage.order()
    stage.clock.sleep(timedelta(hours=3).total_seconds())
    with stage.store.write("passed") as tx:
        from integration.store import schedule

        schedule.move_cursor(tx, "brand", "poll", tx.now.isoformat())
    intake.poll("brand", stage.world)
    assert stage.row(number) is None
    intake.recount("brand", stage.world, timedelta(hours=26))
    assert stage.row(number).state == "seen"


@pytest.mark.scenario("ORD-11")
def test_an_edit_after_the_goods_have_left_is_refused_with_what_changed_and_makes_no_second_order(stage: Stage) -> None:
    number = brought_in(stage)
    stage.fulfil.ship(f"centra-{number}")
    stage.centra.edit(int(number), shippingAddress={"address1": "2 Long Lane"})
    stage.hint(number)
    stage.work()
    stage.sweep(2)
    (case,) = [case for case in stage.open_cases() if case.number == number and case.kind == "order"]
    assert (case.type, case.owner) == ("ORDER_EDIT_BLOCKED", "CX")
    assert len(stage.sales(number)) == 1


@pytest.mark.scenario("ORD-22")
def test_an_order_of_many_lines_is_sent_whole_and_proved_line_by_line(stage: Stage) -> None:
    skus = [sku for sku in sorted(ERP_SKUS) if not GOODS[sku].is_bundle]
    number = brought_in(stage, lines=[BasketLine(sku, 1) for sku in skus])
    assert len(skus) > 30
    assert len(stage.sales(number)[0]["lines"]) == len(skus) + 1, "each line, and shipping"


@pytest.mark.scenario("MON-02")
@pytest.mark.parametrize(("market", "country"), [(1, "GB"), (4, "US")], ids=["prices with tax", "prices without tax"])
def test_a_discount_is_carried_as_centra_took_it_whether_prices_include_tax_or_not(
    stage: Stage, market: int, country: str
) -> None:
    basket = {"market_id": market, "country": country, "vouchers": (VoucherUse("WELCOME10"),)}
    number = brought_in(stage, lines=[BasketLine(stage.sku(), 3), BasketLine(stage.sku(1), 1)], **basket)
    (told,) = [order for order in stage.centra.books() if str(order["number"]) == number]
    assert stage.row(number).total_minor == told["grand_total"] * 100

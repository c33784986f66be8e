"""A bundle on an order as its contents: every penny, tax rate and piece as it was sold, whatever the bundle is made of later."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from stage import Stage, example
from steps.back import come_back, credited, follow, money_rows, refund_return
from steps.conftest import OpenStage
from steps.looking import assert_proven
from steps.parcels import shipped

from integration.domain.money import Money, total
from integration.domain.order import Order
from integration.sandbox.catalogue import GOODS
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.sandbox.centra_switches import CentraSwitches
from integration.store.tables import unit

SET, COAT, PYJAMAS = "BX501ST1", "LS104NVM", "KD203NVS"
LISTED = GOODS[SET].prices["GBP"]
ANOTHER_SET = example().replace(f"{SET} = {{ LS104NVM = 1, LS106NVM = 2 }}", f"{SET} = {{ LS104NVM = 2 }}")


@pytest.fixture(autouse=True)
def of_two_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of a coat at 20 % and two pyjamas for children at 0 %."""
    monkeypatch.setitem(GOODS, SET, replace(GOODS[SET], parts=((COAT, 1), (PYJAMAS, 2))))


def sets(stage: Stage, **terms: Any) -> str:
    return stage.order(lines=[BasketLine(SET, 3)], vouchers=[VoucherUse("STAFF333")], **terms)


def read(stage: Stage, number: str) -> Order:
    order = stage.world.storefronts["brand"].fetch([number])[number].order
    assert order is not None
    return order


def summed(lines: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Pieces by SKU: two pieces of one kind may differ by a penny, and are two lines then."""
    found: defaultdict[str, float] = defaultdict(float)
    for sku, quantity in lines:
        found[sku] += quantity
    return dict(found)


def by_rate(order: Order) -> dict[Decimal, Money]:
    found: defaultdict[Decimal, list[Money]] = defaultdict(list)
    for line in order.lines:
        found[line.tax_percent].append(line.gross)
    return {rate: total(amounts, order.currency) for rate, amounts in found.items()}


@pytest.mark.scenario("PRD-06")
@pytest.mark.parametrize("erp", ["fulfil", "orderwise"])
def test_the_parts_of_a_bundle_come_to_its_price_at_each_rate_and_are_posted_so(stages: OpenStage, erp: str) -> None:
    stage = stages(erps=(erp,), centra=CentraSwitches(bundle_lines="parts"))
    number = sets(stage)
    order = read(stage, number)
    assert summed((line.sku, line.quantity) for line in order.lines) == {COAT: 3, PYJAMAS: 6}
    assert set(by_rate(order)) == {Decimal(20), Decimal(0)}
    assert total(list(by_rate(order).values()), "GBP") == Money.of(3 * LISTED, "GBP")
    assert order.discount_total.minor % 3  # which the parts cannot share evenly
    stage.hint(number)
    stage.work()
    for _ in range(60):
        if stage.row(number).state == "proven":
            break
        stage.sweep(every=60)
    assert stage.row(number).state == "proven", stage.row(number).reason
    booked = stage.world.erp(erp).bookings([f"centra-{number}"])[f"centra-{number}"]
    assert [each.total for each in booked] == [order.grand_total]


@pytest.mark.scenario("PRD-06")
def test_pieces_of_a_bundle_that_come_back_one_by_one_are_credited_at_the_split_of_the_sale(stages: OpenStage) -> None:
    stage = stages(centra=CentraSwitches(bundle_lines="parts"))
    number = sets(stage)
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)
    shipped(stage, number)
    stage.clock.sleep(10)
    follow(stage)
    for items in ({PYJAMAS: 1}, {PYJAMAS: 5}, {COAT: 3}):
        (made,) = stage.centra.return_items(int(number), items)
        follow(stage)
        come_back(stage, str(made))
        refund_return(stage, str(made))
        follow(stage)
    refunds = money_rows(stage, number)
    order = read(stage, number)
    for row in refunds:
        credited(stage, row, str(Decimal(row.total_minor) / 100))
    assert sum(row.total_minor for row in refunds) == (order.grand_total - order.shipping).minor


@pytest.mark.scenario("PRD-07")
def test_an_order_counts_the_pieces_of_a_bundle_as_it_was_when_it_was_taken(stages: OpenStage) -> None:
    stage = stages(stock=True)
    assert example() != ANOTHER_SET
    stage.fulfil.faults.plan("timeout-before", operation="create_order")
    number = stage.order(lines=[BasketLine(SET, 3)])
    stage.hint(number)
    stage.work()
    assert stage.row(number).state != "proven"
    assert pieces(stage, number) == {"LS104NVM": 3, "LS106NVM": 6}
    stage.apply(ANOTHER_SET)
    stage.sweep(6)
    assert_proven(stage, number)
    assert pieces(stage, number) == {"LS104NVM": 3, "LS106NVM": 6}
    later = stage.order(lines=[BasketLine(SET, 3)])
    stage.hint(later)
    stage.work()
    assert pieces(stage, later) == {"LS104NVM": 6}


@pytest.mark.scenario("PRD-07")
def test_an_order_is_posted_with_the_contents_that_were_sold(
    stages: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(centra=CentraSwitches(bundle_lines="parts"))
    number = sets(stage)
    monkeypatch.setitem(GOODS, SET, replace(GOODS[SET], parts=((COAT, 2),)))
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)
    (sale,) = stage.sales(number)
    assert summed((line[0], line[1]) for line in sale["lines"] if line[0] in (COAT, PYJAMAS)) == {COAT: 3, PYJAMAS: 6}


def pieces(stage: Stage, number: str) -> dict[str, int]:
    with stage.store.read() as tx:
        rows = tx.execute(select(unit).where(unit.c.job_id == stage.row(number).id))
        return {row.sku: row.quantity for row in rows}

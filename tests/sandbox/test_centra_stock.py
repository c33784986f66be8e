"""Centra's stock: allocation, demand, what integrations set and change, and the checkout that stops at zero."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from integration.sandbox.call import call, graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Basket, BasketLine, Refused
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.goods import GOODS

SKU = "LS101NVS"
BASKET = Basket(
    market_id=1,
    country="GB",
    lines=(BasketLine(SKU, 3),),
    address={"firstName": "Ada", "lastName": "Byron", "address1": "1 High Street", "city": "Leeds"},
    email="ada@example.com",
)
ERRORS = "userErrors { message path } userWarnings { message path }"
SET = f"mutation($i: StockSetInput!) {{ setStock(input: $i) {{ stockChanges {{ id }} {ERRORS} }} }}"
CHANGE = f"mutation($i: StockChangeInput!) {{ changeStock(input: $i) {{ stockChange {{ id type }} {ERRORS} }} }}"


@pytest.fixture
def clock():
    return HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))


@pytest.fixture
def centra(clock):
    return Centra(clock)


def run(centra, text, variables=None):
    words = graphql(centra.app, text, variables).json()
    assert "errors" not in words, words["errors"]
    return next(iter(words["data"].values()))


def order(centra, *lines):
    number = centra.place_order(replace(BASKET, lines=tuple(BasketLine(sku, n) for sku, n in lines)))
    centra.confirm(number)
    return number


def levels(sku, quantity, warehouse=1, kind="PHYSICAL"):
    size = {"size": {"name": GOODS[sku].size_number}, "quantity": quantity}
    variant = {"productVariant": {"id": GOODS[sku].variant_id}, "sizeStockLevels": [size]}
    return {"warehouse": {"id": warehouse}, "stockQuantityType": kind, "productVariants": [variant]}


def deltas(sku, quantity, **warehouses):
    size = {"size": {"name": GOODS[sku].size_number}, "deliveredQuantity": quantity}
    variant = {"productVariant": {"id": GOODS[sku].variant_id}, "sizeChanges": [size]}
    return {**{name: {"id": id} for name, id in warehouses.items()}, "productVariants": [variant]}


def london(centra, sku=SKU):
    found = centra.ledger()["stock"][sku]["warehouses"][1]
    return found["physical"], found["allocated"], found["demand"]


def test_totals_are_physical_allocated_demand_and_what_is_available(centra):
    centra.set_physical(SKU, 5)
    order(centra, (SKU, 3))
    order(centra, (SKU, 4))
    text = f"""{{ productSizes(where: {{id: [{GOODS[SKU].size_id}]}}) {{ stockTotals {{
      physicalQuantity allocatedQuantity demandQuantity availableQuantity unshippedQuantity onDeliveryQuantity }} }} }}"""
    assert run(centra, text)[0]["stockTotals"] == {
        "physicalQuantity": 20_005, "allocatedQuantity": 5, "demandQuantity": 2, "availableQuantity": 19_998,
        "unshippedQuantity": 7, "onDeliveryQuantity": 0,
    }  # fmt: skip


def test_a_line_shows_what_is_allocated_to_it_and_where(centra):
    centra.set_physical(SKU, 2)
    order(centra, (SKU, 3))
    lines = run(centra, "{ orders { lines { quantity allocations { quantity warehouse { name } } } } }")[0]["lines"]
    assert lines == [{"quantity": 3, "allocations": [{"quantity": 2, "warehouse": {"name": "London"}}]}]


def test_stock_that_arrives_goes_to_the_oldest_order_that_waits(centra, clock):
    centra.set_physical(SKU, 0)
    first, second = order(centra, (SKU, 3)), order(centra, (SKU, 3))
    clock.pass_time(60)
    run(centra, CHANGE, {"i": deltas(SKU, 4, intoWarehouse=1)})
    held = [book["stock"][SKU] for book in centra.books()]
    assert held == [{"allocated": 3, "demand": 0}, {"allocated": 1, "demand": 2}]
    assert centra.orders[second].updated_at == clock.now()
    centra.cancel(first)
    assert centra.books()[1]["stock"][SKU] == {"allocated": 3, "demand": 0}


def test_with_the_switch_stock_is_taken_at_placement(clock):
    centra = Centra(clock, CentraSwitches(allocate_on="placement"))
    centra.place_order(BASKET)
    assert london(centra) == (5000, 3, 0)


def test_a_bundle_holds_no_stock_and_takes_whole_sets_of_its_parts(centra):
    centra.set_physical("LS104NVM", 2)
    centra.set_physical("LS106NVM", 3)
    order(centra, ("BX501ST1", 2))
    assert london(centra, "LS104NVM") == (2, 1, 1)
    assert london(centra, "LS106NVM") == (3, 2, 2)
    text = f"{{ productSizes(where: {{id: [{GOODS['BX501ST1'].size_id}]}}) {{ stockTotals {{ physicalQuantity }} }} }}"
    assert run(centra, text)[0]["stockTotals"]["physicalQuantity"] == 0


def test_set_stock_sets_physical_or_free_quantities_of_many_sizes_at_once(centra):
    order(centra, (SKU, 3))
    words = levels(SKU, 10)
    more = levels("LS102GRM", 7)["productVariants"]
    answer = run(centra, SET, {"i": {**words, "productVariants": words["productVariants"] + more}})
    assert (answer["userErrors"], len(answer["stockChanges"])) == ([], 1)
    assert (london(centra), london(centra, "LS102GRM")) == ((10, 3, 0), (7, 0, 0))
    run(centra, SET, {"i": levels(SKU, 10, kind="FREE_TO_ALLOCATE")})
    assert london(centra) == (13, 3, 0)


def test_setting_what_is_already_there_changes_nothing(centra):
    assert run(centra, SET, {"i": levels(SKU, 5000)})["stockChanges"] == []
    assert run(centra, "{ stockChangeLines { id } }") == []


@pytest.mark.parametrize(
    ("switch", "physical", "errors", "warnings"),
    [("clamp-silently", 3, 0, 0), ("clamp-warning", 3, 0, 1), ("refuse", 5000, 1, 0)],
)
def test_setting_stock_below_what_is_allocated_does_what_the_switch_says(centra, switch, physical, errors, warnings):
    centra.switches.set_stock_below_allocated = switch
    order(centra, (SKU, 3))
    answer = run(centra, SET, {"i": levels(SKU, 1)})
    assert (len(answer["userErrors"]), len(answer["userWarnings"])) == (errors, warnings)
    assert london(centra)[0] == physical


def test_the_clamp_fault_cuts_one_size_to_what_is_allocated_and_says_nothing(centra):
    order(centra, (SKU, 3))
    centra.faults.plan("clamp", "setStock")
    answer = run(centra, SET, {"i": levels(SKU, 50)})
    assert (answer["userErrors"], answer["userWarnings"]) == ([], [])
    assert london(centra) == (3, 3, 0)
    assert centra.faults.fired["clamp"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"productVariant": {"id": 99}, "sizeStockLevels": [{"size": {"name": "S"}, "quantity": 1}]},
        {"productVariant": {"id": 10}, "sizeStockLevels": [{"size": {"name": "XXL"}, "quantity": 1}]},
        {"productVariant": {"id": 10}, "sizeStockLevels": [{"size": {"name": "S", "id": 1}, "quantity": 1}]},
        {"productVariant": {"id": 10}, "sizeStockLevels": [{"size": {"name": "S"}, "quantity": -1}]},
        {"productVariant": {"id": 2010}, "sizeStockLevels": [{"size": {"name": "1"}, "quantity": 1}]},
        {"productVariant": {"externalId": "x"}, "sizeStockLevels": []},
    ],
)
def test_one_size_that_does_not_exist_refuses_the_whole_call(centra, wrong):
    words = levels(SKU, 10)
    answer = run(centra, SET, {"i": {**words, "productVariants": [*words["productVariants"], wrong]}})
    assert answer["userErrors"]
    assert answer["stockChanges"] is None
    assert london(centra) == (5000, 0, 0)


def test_a_size_may_be_addressed_by_its_id(centra):
    shown = run(centra, f"{{ productSizes(where: {{id: [{GOODS[SKU].size_id}]}}) {{ size {{ id name }} }} }}")[0][
        "size"
    ]
    words = levels(SKU, 4)
    words["productVariants"][0]["sizeStockLevels"][0]["size"] = {"id": shown["id"]}
    assert run(centra, SET, {"i": words})["userErrors"] == []
    assert london(centra)[0] == 4


def test_an_unknown_warehouse_and_too_large_a_batch_are_refused(centra):
    assert "Warehouse" in run(centra, SET, {"i": levels(SKU, 1, warehouse=9)})["userErrors"][0]["message"]
    centra.switches.stock_batch_limit = 1
    words = levels(SKU, 10)
    words["productVariants"] += levels("LS102GRM", 7)["productVariants"]
    assert "1 sizes" in run(centra, SET, {"i": words})["userErrors"][0]["message"]
    assert run(centra, SET, {"i": levels(SKU, 10)})["userErrors"] == []


def test_change_stock_adds_removes_and_moves_only_what_is_free(centra):
    order(centra, (SKU, 3))
    assert run(centra, CHANGE, {"i": deltas(SKU, 5, intoWarehouse=1)})["stockChange"]["type"] == "IN"
    assert run(centra, CHANGE, {"i": deltas(SKU, 2, outFromWarehouse=1)})["stockChange"]["type"] == "OUT"
    assert (
        run(centra, CHANGE, {"i": deltas(SKU, 4, outFromWarehouse=1, intoWarehouse=2)})["stockChange"]["type"] == "MOVE"
    )
    assert london(centra) == (4999, 3, 0)
    assert centra.ledger()["stock"][SKU]["warehouses"][2]["physical"] == 5004
    assert "4996" in run(centra, CHANGE, {"i": deltas(SKU, 4997, outFromWarehouse=1)})["userErrors"][0]["message"]
    assert run(centra, CHANGE, {"i": deltas(SKU, 0, intoWarehouse=1)})["userErrors"]
    assert run(centra, CHANGE, {"i": deltas(SKU, 1)})["userErrors"]


def test_every_stock_change_is_on_record(centra):
    words = deltas(SKU, 5, intoWarehouse=3)
    words["productVariants"][0]["unitCost"] = {"value": 4.5, "currencyIsoCode": "EUR"}
    run(centra, CHANGE, {"i": {**words, "description": "GRN 77"}})
    run(centra, SET, {"i": levels(SKU, 4998)})
    text = """{ stockChangeLines(limit: 5) { deliveredQuantity freeToAllocateQuantity unitCost { value } currencyBaseRate
      productSize { SKU } stockChange { createdAt comment type warehouse { name } } } }"""
    first, second = run(centra, text)
    assert first == {
        "deliveredQuantity": 5, "freeToAllocateQuantity": 5005, "unitCost": {"value": 4.5}, "currencyBaseRate": 11.25,
        "productSize": {"SKU": SKU},
        "stockChange": {
            "createdAt": "2026-03-02T07:00:00+01:00", "comment": "GRN 77", "type": "IN",
            "warehouse": {"name": "New Jersey"},
        },
    }  # fmt: skip
    assert (second["deliveredQuantity"], second["stockChange"]["type"]) == (-2, "SET")


def cancel_line(centra, number, action):
    line = {"line": {"id": centra.orders[number].lines[0].id}, "quantity": 2, "stockAction": action}
    text = f"""mutation($i: DirectToConsumerOrderUpdateInput!) {{
      updateDirectToConsumerOrder(order: {{number: {number}}}, input: $i) {{ {ERRORS} }} }}"""
    assert run(centra, text, {"i": {"cancelLines": [line]}})["userErrors"] == []


def test_cancelled_pieces_go_back_or_vanish_as_the_action_says(centra):
    cancel_line(centra, order(centra, (SKU, 3)), "RELEASE_BACK_TO_WAREHOUSE")
    assert london(centra) == (5000, 1, 0)
    cancel_line(centra, order(centra, (SKU, 3)), "REMOVE_FROM_STOCK")
    assert london(centra) == (4998, 2, 0)


def test_a_cancelled_order_may_send_its_pieces_elsewhere(centra):
    number = order(centra, (SKU, 3))
    text = f"""mutation($i: OrderCancelInput) {{ cancelDirectToConsumerOrder(id: "{centra.orders[number].id}", input: $i) {{
      {ERRORS} }} }}"""
    both = {"removeItemsFromStock": True, "releaseItemsBackToWarehouse": True}
    assert "Exactly one" in run(centra, text, {"i": {"stockAction": both}})["userErrors"][0]["message"]
    assert not run(centra, text, {"i": {"stockAction": {"sendItemsToDifferentWarehouse": {"id": 2}}}})["userErrors"]
    assert london(centra) == (4997, 0, 0)
    assert centra.ledger()["stock"][SKU]["warehouses"][2]["physical"] == 5003


def test_the_checkout_stops_at_zero_only_with_the_switch_and_keeps_the_threshold_back(centra):
    centra.set_physical(SKU, 5)
    centra.set_threshold(1, 1)
    centra.place_order(BASKET)
    centra.switches.checkout_stops_at_zero = True
    with pytest.raises(Refused, match="out of stock"):
        centra.place_order(BASKET)
    assert sorted(centra.orders) == [1]
    centra.place_order(replace(BASKET, lines=(BasketLine(SKU, 1),)))
    shown = run(centra, "{ warehouses(where: {id: [1]}) { threshold } }")
    assert shown == [{"threshold": 1}]


def test_the_checkout_counts_the_parts_of_bundles(centra):
    centra.switches.checkout_stops_at_zero = True
    centra.set_physical("LS106NVM", 3)
    with pytest.raises(Refused, match="LS106NVM"):
        centra.place_order(replace(BASKET, lines=(BasketLine("BX501ST1", 1), BasketLine("LS106NVM", 2))))


def test_the_ledger_tells_units_by_order(centra):
    order(centra, (SKU, 2), ("BX501ST1", 1))
    assert centra.ledger()["orders"][0]["units"] == {SKU: 2, "LS104NVM": 1, "LS106NVM": 2}


def test_stock_is_read_and_set_over_http(centra):
    body = json.dumps({"sku": SKU, "quantity": 7, "warehouse_id": 2}).encode()
    assert call(centra.app, "POST", "/_sandbox/stock", body).json()["warehouses"]["2"]["physical"] == 7
    assert call(centra.app, "GET", "/_sandbox/stock").json()[SKU]["physical"] == 20_007
    assert call(centra.app, "GET", "/_sandbox/ledger").json()["orders"] == []
    order(centra, (SKU, 3))
    low = json.dumps({"sku": SKU, "quantity": 2}).encode()
    assert call(centra.app, "POST", "/_sandbox/stock", low).status == 400

"""Centra's stock through our adapter: addressed by opaque refs, read per warehouse, written as absolute numbers."""

import pytest
import responses

from integration.domain.stock import FREE_TO_ALLOCATE, PHYSICAL
from integration.errors import Rejected, Unavailable, Unknown
from integration.ports import Shelf
from integration.sandbox.catalogue import CENTRA_WAREHOUSES, OPENING_STOCK
from integration.sandbox.centra_orders import Basket, BasketLine
from integration.sandbox.goods import GOODS

GOOD = sorted(sku for sku, good in GOODS.items() if not good.is_bundle)
ADDRESS = {"firstName": "Ann", "address1": "1 High Street", "city": "London", "zipCode": "N1"}


@pytest.fixture
def refs(centra):
    found, page, more = {}, 1, True
    while more:
        variants, more = centra.variants(page)
        found |= {variant.sku: variant.ref for variant in variants}
        page += 1
    return found


def sell(shop, sku, quantity, *, confirm=True):
    number = shop.place_order(Basket(1, "GB", (BasketLine(sku, quantity),), ADDRESS, "ann@example.com"))
    if confirm:
        shop.confirm(number)
    return number


def test_every_sku_that_has_stock_of_its_own_is_a_variant_and_bundles_are_not(refs):
    assert sorted(refs) == GOOD
    assert len(set(refs.values())) == len(refs)


def test_a_shelf_is_of_one_warehouse_and_knows_what_orders_hold(shop, centra, refs):
    sku = GOOD[0]
    sell(shop, sku, 3)
    places = [place.id for place in centra.places()]
    shelves = {place: centra.shelves(place, [refs[sku]])[refs[sku]] for place in places}
    assert max(shelves.values(), key=lambda shelf: shelf.allocated) == Shelf(OPENING_STOCK, 3, 0)
    assert sum(shelf.allocated for shelf in shelves.values()) == 3
    assert {shelf.free for shelf in shelves.values()} == {OPENING_STOCK, OPENING_STOCK - 3}


def test_a_variant_that_centra_does_not_know_is_left_out(centra, refs):
    known = refs[GOOD[0]]
    assert list(centra.shelves("1", [known, "1:1:99999999", "1:1:99999999999"])) == [known]
    assert centra.shelves("1", []) == {}


@pytest.mark.parametrize("quantity_type", [PHYSICAL, FREE_TO_ALLOCATE])
def test_many_levels_are_set_in_one_mutation_in_either_quantity_type(shop, centra, refs, quantity_type):
    wanted = {refs[sku]: 10 + n for n, sku in enumerate(GOOD[:40])}
    before = shop.requests["setStock"]
    centra.set_stock("1", quantity_type, wanted)
    centra.set_stock("1", quantity_type, wanted)  # absolute: the second time changes nothing
    assert shop.requests["setStock"] == before + 2
    shelves = centra.shelves("1", wanted)
    assert {ref: shelf.free for ref, shelf in shelves.items()} == wanted
    assert centra.shelves("2", wanted)[refs[GOOD[0]]].physical == OPENING_STOCK


def test_what_is_free_and_what_is_physical_differ_by_what_orders_hold(shop, centra, refs):
    sku = GOOD[0]
    order = shop.orders[sell(shop, sku, 3)]
    place = str(sandbox_warehouse(order))
    centra.set_stock(place, PHYSICAL, {refs[sku]: 10})
    assert centra.shelves(place, [refs[sku]])[refs[sku]] == Shelf(10, 3, 0)
    centra.set_stock(place, FREE_TO_ALLOCATE, {refs[sku]: 10})
    assert centra.shelves(place, [refs[sku]])[refs[sku]] == Shelf(13, 3, 0)


def sandbox_warehouse(order):
    from integration.sandbox.catalogue import WAREHOUSE_OF_MARKET

    return WAREHOUSE_OF_MARKET[order.market.id]


def test_a_level_that_centra_cuts_in_silence_shows_when_it_is_read_back(shop, centra, refs):
    sku = GOOD[0]
    place = str(sandbox_warehouse(shop.orders[sell(shop, sku, 5)]))
    centra.set_stock(place, PHYSICAL, {refs[sku]: 2})
    assert centra.shelves(place, [refs[sku]])[refs[sku]].physical == 5


def test_a_level_that_centra_refuses_is_a_push_that_failed_with_centras_words_as_evidence(shop, centra, refs):
    shop.switches.set_stock_below_allocated = "refuse"
    sku = GOOD[0]
    place = str(sandbox_warehouse(shop.orders[sell(shop, sku, 5)]))
    with pytest.raises(Rejected) as raised:
        centra.set_stock(place, PHYSICAL, {refs[sku]: 2})
    assert (raised.value.type, raised.value.cause) == ("STOCK_PUSH_STALE", "centra:set_stock")
    assert "below" in raised.value.evidence
    assert "below" not in str(raised.value)


def test_the_places_are_the_warehouses_with_their_thresholds(shop, centra):
    shop.set_threshold(1, 4)
    places = {place.id: place for place in centra.places()}
    assert {id: place.name for id, place in places.items()} == {str(w.id): w.name for w in CENTRA_WAREHOUSES.values()}
    assert places["1"].threshold == 4


def test_nothing_to_set_is_no_request(shop, centra):
    centra.set_stock("1", PHYSICAL, {})
    assert shop.requests["setStock"] == 0


@pytest.mark.parametrize(
    ("fault", "failure"),
    [("error-before", Unknown), ("timeout-after", Unknown), ("user-error", Rejected), ("unavailable", Unknown)],
)
def test_a_push_that_fails_on_the_wire_is_unknown_and_a_push_refused_is_refused(shop, centra, refs, fault, failure):
    shop.faults.plan(fault, "setStock")
    with pytest.raises(failure):
        centra.set_stock("1", PHYSICAL, {refs[GOOD[0]]: 2})
    assert shop.faults.fired[fault] == 1


@pytest.mark.parametrize("totals", [None, {}, {"physicalQuantity": 1, "allocatedQuantity": None, "demandQuantity": 0}])
def test_a_shelf_without_its_figures_is_no_shelf(lonely_centra, totals):
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"productSizes": [{"id": 7, "stockTotals": totals}]}})
        with pytest.raises(Unavailable):
            lonely_centra.shelves("1", ["1:2:7"])


@pytest.mark.parametrize(
    "spoilt", [{"SKU": None}, {"SKU": ""}, {"size": None}, {"productVariant": None}, {"productVariant": {"id": 1}}]
)
def test_a_size_that_cannot_be_addressed_is_no_variant_and_one_of_an_unknown_product_is(lonely_centra, spoilt):
    row = {"id": 7, "SKU": "A", "size": {"id": 2}, "productVariant": {"id": 1, "product": {"isBundle": False}}}
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"productSizes": [row | spoilt]}})
        variants, more = lonely_centra.variants(1)
    assert [v.ref for v in variants] == (["1:2:7"] if spoilt == {"productVariant": {"id": 1}} else [])
    assert not more

"""Items, as every ERP adapter must tell them; what only a call of ours can prove, for those that have the call."""

from fractions import Fraction

import pytest
from erp_benches import Bench, made

from integration.domain.product import ARCHIVED, ON_SALE, Item, spelt
from integration.errors import Rejected, Unknown
from integration.sandbox.catalogue import GOODS, UNKNOWN_SKUS


def one(bench: Bench, sku: str) -> Item:
    found, _ = spelt(sku, bench.erp.definitions([sku], parts=True))
    assert found is not None
    return found


def test_an_item_is_told_with_its_fields_whether_it_is_sold_and_what_is_in_it(bench: Bench) -> None:
    shirt, kit = one(bench, "LS101NVS"), one(bench, "BX501ST1")
    assert (shirt.status, shirt.fields.get("ean", GOODS["LS101NVS"].ean)) == (ON_SALE, GOODS["LS101NVS"].ean)
    assert shirt.parts in (None, {})
    assert kit.parts in (None, {"LS104NVM": Fraction(1), "LS106NVM": Fraction(2)})
    told = bench.erp.item(shirt.ref)
    assert (told.ref, told.sku, told.status) == (shirt.ref, shirt.sku, ON_SALE)
    assert shirt.fields.items() <= told.fields.items()


@pytest.mark.scenario("PRD-04")
def test_what_is_spelt_in_another_case_is_told_and_is_not_the_same_sku(bench: Bench) -> None:
    found, alike = spelt("ls101nvs", bench.erp.definitions(["ls101nvs"]))
    assert (found, {item.sku for item in alike} - {"LS101NVS"}) == (None, set())


@pytest.mark.parametrize("name", [pytest.param(name, id=f"of {name}") for name in ("fulfil", "orderwise")])
def test_both_erps_of_the_house_look_past_the_case_and_tell_kits_names_and_prices(name: str) -> None:
    bench = made(name)
    assert [item.sku for item in bench.erp.definitions(["ls101nvs"])] == ["LS101NVS"]
    told = bench.erp.item(one(bench, "LS101NVS").ref)
    assert (told.fields["name"], bool(told.fields["price"])) == ("Linen Shirt Navy Small", True)
    assert one(bench, "BX501ST1").parts == {"LS104NVM": Fraction(1), "LS106NVM": Fraction(2)}
    bench.stage.store.close()


def test_what_the_erp_does_not_know_is_left_out(bench: Bench) -> None:
    assert bench.erp.definitions([min(UNKNOWN_SKUS)]) == []
    assert bench.erp.definitions([]) == []


@pytest.fixture
def making(making: Bench) -> Bench:
    making.add_product("TEMPLATE")
    return making


def offer(sku: str) -> Item:
    return Item(sku, "1", ON_SALE, {"ean": GOODS[sku].ean, "name": "Sample Sale Cap", "weight": "0.4"})


def test_an_item_is_made_from_a_template_and_found_again_by_its_sku(making: Bench) -> None:
    sku = min(UNKNOWN_SKUS)
    write = making.erp.create_item(offer(sku), "TEMPLATE")
    assert list(write.find()) == []
    ref = write.send()
    assert list(write.find()) == [ref]
    told = making.erp.item(ref)
    assert told.fields == {"ean": GOODS[sku].ean, "name": "Sample Sale Cap", "weight": "0.4", "price": ""}
    assert making.erp.items([sku]) == {sku: ref}


def test_a_call_that_is_never_answered_leaves_one_item_that_is_found(making: Bench) -> None:
    sku = min(UNKNOWN_SKUS)
    making.fault("timeout-after", making.calls["item"])
    write = making.erp.create_item(offer(sku), "TEMPLATE")
    with pytest.raises(Unknown):
        write.send()
    assert len(write.find()) == 1


def test_a_template_that_is_not_there_is_named(making: Bench) -> None:
    with pytest.raises(Rejected, match="'GONE'") as refused:
        making.erp.create_item(offer(min(UNKNOWN_SKUS)), "GONE").send()
    assert refused.value.type == "PRODUCT_STAGING_INCOMPLETE"


@pytest.mark.scenario("PRD-05")
def test_an_ean_that_another_item_has_is_refused_in_the_erps_own_words(making: Bench) -> None:
    sku = min(UNKNOWN_SKUS)
    taken = Item(sku, "1", ON_SALE, {"ean": GOODS["LS101NVS"].ean, "name": "Cap"})
    with pytest.raises(Rejected) as refused:
        making.erp.create_item(taken, "TEMPLATE").send()
    assert refused.value.type == "PRODUCT_STAGING_INCOMPLETE"
    assert "ean" in refused.value.evidence


def test_an_item_is_deactivated_and_its_ean_is_free_again(making: Bench) -> None:
    item = one(making, "LS101NVS")
    write = making.erp.deactivate_item(item)
    assert list(write.find()) == []
    write.send()
    assert list(write.find()) == [item.ref]
    write.send()  # it may be said again
    gone = one(making, "LS101NVS")
    assert (gone.status, gone.fields["ean"]) == (ARCHIVED, "")
    assert making.erp.items(["LS101NVS"]) == {"LS101NVS": None}


def test_where_there_is_no_call_a_person_does_it(keyed_items: Bench) -> None:
    assert keyed_items.erp.create_item(offer(min(UNKNOWN_SKUS)), "TEMPLATE") is None
    assert keyed_items.erp.deactivate_item(one(keyed_items, "LS101NVS")) is None

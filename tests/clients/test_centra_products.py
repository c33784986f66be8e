"""Centra's catalogue: statuses, names, EANs, and what puts a variant on sale."""

from collections.abc import Iterator

import pytest
from stage import Stage

from integration.domain.product import ARCHIVED, HELD, ON_SALE
from integration.errors import Rejected, Unknown
from integration.ports import RELEASE
from integration.sandbox.catalogue import GOODS
from integration.sandbox.centra_orders import Refused
from integration.sandbox.centra_switches import CentraSwitches

SKU = "LS101NVS"


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.store.close()


def everything(stage: Stage) -> dict:
    found, page, more = {}, 0, True
    while more:
        page += 1
        items, more = stage.world.storefronts["brand"].catalogue(page)
        found |= {item.sku: item for item in items}
    return found


def test_every_sku_is_told_once_with_its_names_bundles_too(stage: Stage) -> None:
    found = everything(stage)
    assert set(found) == set(GOODS)
    assert found[SKU].fields == {"ean": GOODS[SKU].ean, "name": "Linen Shirt Navy Small"}
    assert (found[SKU].status, found[SKU].family, found["BX501ST1"].is_bundle) == (ON_SALE, "10", True)


def test_an_offer_names_all_sizes_of_its_variant(stage: Stage) -> None:
    ref = everything(stage)[SKU].ref
    (offer,) = stage.world.storefronts["brand"].offers([ref, "999999", "no number"]).values()
    assert offer.siblings == ("LS101NVS", "LS101NVM", "LS101NVL")


@pytest.mark.parametrize(("word", "status"), [("ACTIVE", ON_SALE), ("INACTIVE", HELD), ("CANCELLED", ARCHIVED)])
def test_a_status_is_of_the_variant_and_reads_back(stage: Stage, word: str, status: str) -> None:
    storefront, offer = stage.world.storefronts["brand"], everything(stage)[SKU]
    stage.centra.change_product(SKU, status="INACTIVE" if word == "ACTIVE" else "ACTIVE")
    write = storefront.set_status(offer, status, RELEASE)
    assert list(write.find()) == []
    assert list(write.find()) == [] != [write.send()]
    assert list(write.find()) == [offer.family]
    assert stage.centra.products.status("LS101NVL") == word


def test_what_is_not_active_cannot_be_bought(stage: Stage) -> None:
    stage.centra.change_product(stage.sku(), status="INACTIVE")
    with pytest.raises(Refused, match="not on sale"):
        stage.order()


def test_a_centra_that_takes_no_status_says_so(stage: Stage) -> None:
    stage.centra.switches = stage.centra.products.switches = CentraSwitches(variant_status_input=False)
    with pytest.raises(Rejected) as refused:
        stage.world.storefronts["brand"].set_status(everything(stage)[SKU], HELD, RELEASE).send()
    assert refused.value.type == "PRODUCT_BY_HAND"
    assert stage.centra.products.status(SKU) == "ACTIVE"


def test_a_call_that_is_never_answered_is_found_to_have_happened(stage: Stage) -> None:
    stage.centra.faults.plan("timeout-after", operation="updateProductVariant")
    write = stage.world.storefronts["brand"].set_status(everything(stage)[SKU], HELD, RELEASE)
    with pytest.raises(Unknown):
        write.send()
    assert list(write.find()) == ["10"]


def test_what_was_withheld_is_made_later_with_all_its_sizes(stage: Stage) -> None:
    stage.centra.withhold_product(SKU)
    assert {"LS101NVS", "LS101NVM", "LS101NVL"}.isdisjoint(everything(stage))
    stage.centra.make_product(SKU)
    assert everything(stage)["LS101NVM"].status == HELD

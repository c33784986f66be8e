"""Variants over OrderWise's sandbox: read, created from a template, changed in part."""

from datetime import UTC, datetime

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_example import Client, order


@pytest.fixture
def orderwise() -> OrderWise:
    return OrderWise(HandClock(datetime(2026, 7, 1, 10, tzinfo=UTC)))


@pytest.fixture
def client(orderwise: OrderWise) -> Client:
    return Client(orderwise.app)


@pytest.fixture
def shirt(client: Client) -> int:
    rows = client.get("stock/variants?limit=200000").words
    return next(row["variantID"] for row in rows if row["variantCode"] == "LS101NVS")


def test_a_variant_comes_as_an_array_or_as_an_object(orderwise, client, shirt):
    (found,) = client.get(f"variants/{shirt}").words
    assert found["variantInfo"] == {
        "id": shirt,
        "code": "LS101NVS",
        "eanCode": "2000000010014",
        "description": "Linen Shirt Navy Small",
    }
    assert "variantSalesInfo" not in found
    orderwise.switches.change({"variant_reply": "object"})
    assert client.get(f"variants/{shirt}").words["variantInfo"]["id"] == shirt
    assert client.get("variants/1").status == 404


def test_variants_come_in_pages_by_their_last_id(client):
    every = client.get("stock/variants?limit=200000").words
    paged, last = [], 0
    while page := client.get(f"stock/variants?limit=50&last_id={last}").words:
        paged += page
        last = page[-1]["variantID"]
    assert paged == every
    assert len({row["variantID"] for row in every}) == len(every) > 100


def test_a_put_changes_only_what_is_sent(client, shirt):
    body = {"variantSettings": {"discontinued": True}, "variantInfo": {"eanCode": None}}
    assert client.put(f"variants/{shirt}", body).status == 200
    (found,) = client.get(f"variants/{shirt}").words
    assert found["variantSettings"] == {"templateVariant": False, "discontinued": True}
    assert (found["variantInfo"]["eanCode"], found["variantInfo"]["code"]) == (None, "LS101NVS")


def test_a_price_is_changed_by_the_id_it_has(client, shirt):
    (found,) = client.get(f"variants/{shirt}?include_sales_info=true").words
    (price,) = found["variantSalesInfo"]
    assert price["rspExcVat"] == 37.5
    changed = {"variantSalesInfo": [{"Id": price["Id"], "rspExcVat": 25.00}]}
    assert client.put(f"variants/{shirt}", changed).status == 200
    assert client.put(f"variants/{shirt}", {"variantSalesInfo": [{"rspExcVat": 30.00}]}).status == 400
    (found,) = client.get(f"variants/{shirt}?include_sales_info=true").words
    assert found["variantSalesInfo"][0]["rspExcVat"] == 25


def test_a_variant_is_created_from_a_template(orderwise, client, shirt):
    body = {
        "variantInfo": {"code": "NW100", "eanCode": "5012345678900", "description": "New shirt"},
        "variantDimensions": {"weight": 1.2},
        "analysis": {"c_2": "Brand", "l_1": True, "n_3": 57.1},
    }
    made = client.post(f"variants?template_variant_id={shirt}", body)
    assert made.status == 201
    id = made.words["variantInfo"]["id"]
    (found,) = client.get(f"variants/{id}?include_sales_info=true").words
    assert found["analysis"] == {"c_2": "Brand", "l_1": True, "n_3": 57.1}
    assert found["variantDimensions"]["weight"] == 1.2
    assert found["variantSalesInfo"][0]["rspExcVat"] == 37.5
    assert client.get(f"stock/{id}/free-stock").words == {"freeStockQty": 0}
    assert client.post("sales/order?session_id=21", order("centra-1", ("NW100", 1, "5.00"))).status == 201


@pytest.mark.parametrize(
    ("info", "template", "said"),
    [
        ({"code": "NW100", "eanCode": "2000000010014"}, None, "ean already exists"),
        ({"code": "LS101NVS"}, None, "already exists"),
        ({}, None, "code is required"),
        ({"code": "NW100"}, 1, "was not found"),
    ],
)
def test_a_variant_that_cannot_be_is_refused_and_not_half_there(orderwise, client, shirt, info, template, said):
    got = client.post(f"variants?template_variant_id={template or shirt}", {"variantInfo": info})
    assert got.status in (400, 404)
    assert said in got.words["message"]
    assert "NW100" not in orderwise.books()["stock"]


def test_an_ean_is_free_again_when_it_was_cleared(client, shirt):
    client.put(f"variants/{shirt}", {"variantSettings": {"discontinued": True}, "variantInfo": {"eanCode": None}})
    body = {"variantInfo": {"code": "NW100", "eanCode": "2000000010014"}}
    assert client.post(f"variants?template_variant_id={shirt}", body).status == 201


def test_a_kit_shows_its_parts_in_the_template_rows_only(orderwise, client):
    sql = (
        "SELECT v.vad_variant_code AS part, c.vbc_quantity AS pieces FROM variant_bom b"
        " JOIN variant_detail k ON k.vad_id = b.vb_vad_id JOIN variant_bom_component c ON c.vbc_vb_id = b.vb_id"
        " JOIN variant_detail v ON v.vad_id = c.vbc_vad_id"
        " WHERE k.vad_variant_code = @sku AND b.vb_active = 1 AND COALESCE(b.vb_oli_id, 0) = 0"
    )
    orderwise.paste_export(70, sql)
    client.post("sales/order?session_id=21", order("centra-1", ("BX501ST1", 2, "107.50")))
    parts = [{"part": "LS104NVM", "pieces": 1}, {"part": "LS106NVM", "pieces": 2}]
    assert client.run(70, sku="BX501ST1").words == parts
    orderwise.paste_export(71, sql.replace(" AND COALESCE(b.vb_oli_id, 0) = 0", ""))
    assert client.run(71, sku="BX501ST1").words == parts * 2  # the order's line has a copy

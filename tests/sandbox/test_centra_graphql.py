"""Reading Centra: the answers' shape, lists, filters, dates, permissions, and that our executor agrees with graphql-core."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from graphql import execute_sync

from integration.sandbox.call import graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_dates import read_date, write_date
from integration.sandbox.centra_language import read
from integration.sandbox.centra_queries import Queries
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.generator import Generator

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
STOCKHOLM = ZoneInfo("Europe/Stockholm")

PAGE = """
query Page($from: DateTimeTz, $limit: Int!, $page: Int!, $more: Boolean = true) {
  orders(where: {createdAt: {from: $from}, storeType: DIRECT_TO_CONSUMER}, sort: [number_ASC], limit: $limit, page: $page) {
    __typename id number status isOnHold isWaitingForPayment createdAt day: createdAt(format: "Y-m-d H:i") updatedAt
    store { id type } market { id name assignedToCountries { code } }
    grandTotal { value formattedValue conversionRate currency { code } }
    totals { quantity lineValues { value } shipping { value } discounts { value } taxIncluded { value } taxAdded { value } }
    ...Where
    lines(includeFullyCancelled: true) { id quantity taxPercent productSize { SKU EAN stockTotals { physicalQuantity } }
      gross: lineValue(includingTax: true) { value } net: lineValue(includingTax: false) { value }
      allocations { quantity warehouse { name } } }
    left: lines { comment @include(if: $more) size @skip(if: $more) }
    discountsApplied { value { value } date ... on AppliedVoucher { voucher { code type } } }
    shippingPriceGroup { shippingOption { name uri } } paymentMethod { plugin }
    paymentHistory(where: {entryType: [AUTH]}) { entryType status createdAt value { value } }
    shipments { id }
    ... on DirectToConsumerOrder { customer { email } }
    ... on WholesaleOrder { purchaseOrderNumber }
  }
}
fragment Where on Order { shippingAddress { firstName city country { code isEU } state { code } phoneNumber } }
"""


@pytest.fixture
def clock():
    return HandClock(START)


@pytest.fixture
def centra(clock):
    made, generator = Centra(clock), Generator(11)
    for _ in range(30):
        made.confirm(made.place_order(generator.basket()))
        clock.pass_time(60)
    return made


def data(centra, text, variables=None, **more):
    answer = graphql(centra.app, text, variables, **more)
    words = answer.json()
    assert answer.status == 200
    assert "errors" not in words, words["errors"]
    return words["data"]


def message(centra, text, **more):
    return graphql(centra.app, text, **more).json()["errors"][0]["message"]


def test_our_executor_and_graphql_core_give_the_same_answer(centra):
    given = {"from": "2026-03-01", "limit": 30, "page": 1}
    request = read(PAGE, None, given, centra.switches)
    queries = Queries(
        centra.book, centra.shapes, centra.events, centra.limits, centra.switches, centra.clock, None, "lockstep"
    )
    resolvers = queries.resolvers()

    def resolve(source, asked, **arguments):
        resolver = resolvers.get((asked.parent_type.name, asked.field_name))
        value = resolver(source, arguments) if resolver else source[asked.field_name]
        return write_date(value, STOCKHOLM, arguments.get("format")) if isinstance(value, datetime) else value

    expected = execute_sync(request.schema, request.document, variable_values=given, field_resolver=resolve)
    assert expected.errors is None
    assert data(centra, PAGE, given) == expected.data


def test_every_answer_tells_complexity_permissions_and_version(centra):
    extensions = graphql(centra.app, "{ stores { id } }").json()["extensions"]
    assert extensions == {"complexity": 6, "permissionsUsed": ["Store:read"], "appVersion": "v1.60.0"}


def test_introspection_works(centra):
    assert data(centra, "{ __schema { queryType { name } } }")["__schema"]["queryType"]["name"] == "Query"


def test_pages_start_at_one_and_end_with_a_short_one(centra):
    pages = [
        data(centra, "query($p: Int) { orders(limit: 20, page: $p) { number } }", {"p": p})["orders"] for p in (1, 2, 3)
    ]
    assert [len(page) for page in pages] == [20, 10, 0]
    assert [row["number"] for page in pages for row in page] == list(range(1, 31))


def test_cursors_walk_every_order_once(centra):
    text = """query($after: String) { orderConnection(first: 7, after: $after, sort: [number_DESC]) {
      totalCount pageInfo { hasNextPage endCursor } edges { cursor node { number } } } }"""
    seen, after = [], None
    while True:
        found = data(centra, text, {"after": after})["orderConnection"]
        seen += [edge["node"]["number"] for edge in found["edges"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert seen == list(range(30, 0, -1))
    assert found["totalCount"] == 30


def test_a_limit_above_the_largest_is_an_error_or_cut_by_switch(centra):
    assert "200" in message(centra, "{ orders(limit: 500) { id } }")
    centra.switches.limit_overrun, centra.switches.limit_maximum = "clamp", 10
    assert len(data(centra, "{ orders(limit: 500) { id } }")["orders"]) == 10


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{number: 3}", [3]),
        ("{number: [5, 4, 99]}", [5, 4]),
        ("{status: [PENDING]}", []),
        ("{isOnHold: true}", [7]),
        ('{createdAt: {to: "2026-03-02 07:01:00"}}', [1, 2]),
        ('{updatedAt: {from: "-1 minute"}}', [7, 30]),
    ],
)
def test_orders_are_filtered_as_the_schema_says(centra, where, expected):
    centra.hold(7)
    found = data(centra, f"{{ orders(where: {where}) {{ number }} }}")["orders"]
    assert sorted(row["number"] for row in found) == sorted(expected)


def test_without_the_switch_the_updated_at_filter_does_not_exist(centra):
    centra.switches.updated_at_filter = False
    text = '{ orders(where: {updatedAt: {from: "now"}}) { id updatedAt } }'
    assert "updatedAt" in message(centra, text)
    data(centra, "{ orders { updatedAt } }")


def test_dates_are_shown_in_the_instances_zone(centra):
    found = data(centra, '{ orders(limit: 1) { createdAt day: createdAt(format: "Y-m-d H:i") } }')["orders"][0]
    assert found == {"createdAt": "2026-03-02T07:00:00+01:00", "day": "2026-03-02 07:00"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("now", "2026-07-01T12:00:00+00:00"),
        ("yesterday", "2026-06-29T22:00:00+00:00"),
        ("-1 hour", "2026-07-01T11:00:00+00:00"),
        ("2 days ago", "2026-06-29T12:00:00+00:00"),
        ("2026-06-01 10:00:00", "2026-06-01T08:00:00+00:00"),
        ("2026-06-01T10:00:00Z", "2026-06-01T10:00:00+00:00"),
        ("2026-06-01T10:00:00-05:00", "2026-06-01T15:00:00+00:00"),
        ("@0", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_dates_are_read_tolerantly(word, expected):
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert read_date(word, now, STOCKHOLM).isoformat() == expected


def test_a_word_that_is_no_date_is_a_graphql_error(centra):
    assert "soonish" in message(centra, '{ orders(where: {createdAt: {from: "soonish"}}) { id } }')


def test_a_missing_permission_is_refused_in_the_vendors_words_without_data(centra):
    centra.grant("weak", permissions=["Store:read"])
    words = graphql(centra.app, "{ orderConnection { totalCount } }", token="weak").json()
    assert words["errors"][0]["message"] == "You need Order:read permission to access orderConnection."
    assert words["errors"][0]["extensions"]["category"] == "authorization"
    assert words["errors"][0]["path"] == ["orderConnection"]
    assert "data" not in words
    assert words["extensions"]["permissionsUsed"] == ["Order:read"]


def test_an_address_needs_its_own_permission(centra):
    centra.grant("no-addresses", permissions=["Order:read"])
    text = "{ orders { id shippingAddress { city } } }"
    words = graphql(centra.app, text, token="no-addresses").json()
    assert words["errors"][0]["message"] == (
        "You need Order.shippingAddress:read permission to access shippingAddress."
    )


def test_a_token_of_one_store_sees_that_stores_orders_only(centra):
    centra.grant("asia", store=3)
    rows = data(centra, "{ orders { store { id } } counters { orders } }", token="asia")
    assert {row["store"]["id"] for row in rows["orders"]} == {3}
    assert rows["counters"]["orders"] == len(rows["orders"])


def test_reference_queries_answer(centra):
    found = data(
        centra,
        """{ stores { id name type } markets(where: {storeId: 1}, sort: [id_ASC]) { id name allocationRule { id } }
        pricelists { currency { code } defaultShippingOption { uri } } countries { code isEU states { code } }
        base: currencies(where: {isBase: true}) { code } warehouses(where: {name: {contains: "lon"}}) { id name }
        allocationRules { id } returns(limit: 5) { id } counters { products(where: {status: [ACTIVE]}) } }""",
    )
    assert [market["id"] for market in found["markets"]] == [1, 2, 3, 7]
    assert found["base"] == [{"code": "SEK"}]
    assert found["warehouses"] == [{"id": 1, "name": "London"}]
    assert found["counters"]["products"] == 27


def test_products_and_sizes_carry_sku_ean_and_stock(centra):
    text = """{ products(sort: [id_DESC], limit: 2) { id variants { productSizes { SKU } } }
      productSizes(where: {EAN: {equals: "2000000010014"}}) { SKU productVariant { product { productNumber } }
        stockTotals { physicalQuantity allocatedQuantity availableQuantity demandQuantity } } }"""
    found = data(centra, text)
    assert [product["id"] for product in found["products"]] == [302, 301]
    size = found["productSizes"][0]
    assert size["SKU"] == "LS101NVS"
    stock = size["stockTotals"]
    assert stock["physicalQuantity"] == 25_000
    assert stock["availableQuantity"] == 25_000 - stock["allocatedQuantity"] - stock["demandQuantity"]


def test_a_whole_amount_is_an_integer_and_yen_have_no_decimals(centra):
    number = centra.place_order(Generator(2).basket(market_id=5))
    total = data(centra, f"{{ orders(where: {{number: {number}}}) {{ grandTotal {{ value formattedValue }} }} }}")
    shown = total["orders"][0]["grandTotal"]
    assert isinstance(shown["value"], int)
    assert shown["formattedValue"].endswith(" JPY")
    assert "." not in shown["formattedValue"]


def test_the_cancelled_status_has_the_name_the_switch_says(clock):
    centra = Centra(clock, CentraSwitches(cancelled_status="DELETED"))
    number = centra.place_order(Generator(1).basket())
    centra.cancel(number)
    assert data(centra, "{ orders { status } }")["orders"] == [{"status": "DELETED"}]


def test_a_validation_error_has_no_data(centra):
    words = graphql(centra.app, "{ orders { nothing } }").json()
    assert "nothing" in words["errors"][0]["message"]
    assert "data" not in words

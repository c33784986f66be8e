"""OrderWise's sandbox over its API: the token, the paths, the look-ups, export definitions, stock."""

import base64
from datetime import UTC, datetime

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise, OrderWiseSwitches
from integration.sandbox.orderwise_example import Client, order

STOCK = """
SELECT v.vad_variant_code AS sku, l.vsl_sl_id AS location, l.vsl_free_stock_quantity AS free,
       l.vsl_overall_stock_quantity AS in_stock, q.vasq_stock_levels_last_calculated AS changed_at
FROM variant_stock_quantity q
JOIN variant_detail v ON v.vad_id = q.vasq_vad_id
JOIN variant_stock_location l ON l.vsl_vad_id = v.vad_id
WHERE q.vasq_stock_levels_last_calculated >= @since
"""


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 7, 1, 10, tzinfo=UTC))


@pytest.fixture
def orderwise(clock: HandClock) -> OrderWise:
    return OrderWise(clock)


@pytest.fixture
def client(orderwise: OrderWise) -> Client:
    return Client(orderwise.app)


def stock(client: Client, since: str) -> dict[str, dict[int, tuple[float, float]]]:
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for row in client.run(49, since=since).words:
        found.setdefault(row["sku"], {})[row["location"]] = (row["free"], row["in_stock"])
    return found


# -------------------------------------------------------------------------------------------------------------- the token


def test_the_token_is_a_json_string_and_bears_every_other_call(client):
    got = client.log_in()
    assert got.status == 200
    assert got.body.startswith(b'"eyJ')
    assert got.body.endswith(b'"')
    assert client.get("system/stock-locations").status == 200


def test_a_wrong_login_is_401_without_a_body(orderwise):
    got = Client(orderwise.app, password="wrong").log_in()
    assert (got.status, got.body) == (401, b"")


@pytest.mark.parametrize("words", ["Bearer nonsense", "Bearer ", "", "Basic {basic}"])
def test_anything_but_a_live_bearer_is_401(client, words):
    basic = base64.b64encode(b"lockstep:sandbox-password").decode()
    assert client.get("system/stock-locations", Authorization=words.format(basic=basic)).status == 401


def test_tokens_can_be_expired_and_a_new_login_helps(orderwise, client):
    assert client.get("customers").status == 200
    orderwise.expire_tokens()
    assert client.get("customers").status == 401
    client.log_in()
    assert client.get("customers").status == 200


def test_a_token_lives_as_long_as_the_switch_says(orderwise, client, clock):
    orderwise.switches.change({"token_minutes": 45.0})
    assert client.get("customers").status == 200
    clock.pass_time(45 * 60)
    assert client.get("customers").status == 401


def test_a_second_login_may_end_the_first(orderwise, client):
    orderwise.switches.change({"second_login": "newest-lives"})
    client.log_in()
    Client(orderwise.app).log_in()
    assert client.get("customers").status == 401


# -------------------------------------------------------------------------------------------------------------- the paths


@pytest.mark.parametrize("path", ["/OWAPI/customers", "/owapi/Customers", "/OwApi/CUSTOMERS/"])
def test_paths_are_read_in_any_case(client, path):
    assert client.get(path).status == 200


def test_the_directory_is_the_tenants(clock):
    orderwise = OrderWise(clock, OrderWiseSwitches(directory="/OWAPItest"))
    assert Client(orderwise.app, root="/owapitest").get("customers").status == 200
    assert Client(orderwise.app).get("customers").status == 404


def test_an_unknown_path_is_404_and_returns_have_none(client):
    assert client.get("nowhere").status == 404
    assert client.post("returns", {}).status == 404
    assert client.post("sales/order/3601/cancel", {}).status == 404
    assert client.get("sales/order").status == 405


@pytest.mark.parametrize(
    ("form", "body"),
    [("json", b'{"message": "Variant 1 was not found."}'), ("plain", b"Variant 1 was not found."), ("empty", b"")],
)
def test_an_error_has_the_body_that_the_switch_says(orderwise, client, form, body):
    orderwise.switches.change({"error_body": form})
    got = client.get("variants/1")
    assert (got.status, got.body) == (404, body)


def test_a_missing_tick_of_the_user_group_is_403(orderwise, client):
    orderwise.forbid("export definitions")
    assert client.run(49).status == 403
    assert client.get("customers").status == 200
    orderwise.allow("export definitions")
    assert client.run(49).status == 404


def test_throttling_is_off_until_it_is_switched_on(orderwise, client):
    assert {client.get("customers").status for _ in range(20)} == {200}
    orderwise.switches.change({"rate_limit": 3})
    orderwise._clock.pass_time(1)
    assert [client.get("customers").status for _ in range(4)] == [200, 200, 200, 429]


def test_customers_come_in_pages_by_their_last_id(client):
    first = client.get("customers?limit=2&last_id=0").words
    assert [row["id"] for row in first] == [1375, 1376]
    rest = client.get(f"customers?limit=2&last_id={first[-1]['id']}").words
    assert [row["accountNumber"] for row in rest] == ["SHOP01"]
    assert client.get("customers?limit=2&last_id=1377").words == []
    assert client.get("customers/1375").words["statementName"] == "Web shop customers"
    assert client.get("customers/9").status == 404


def test_value_lists_name_their_rows(orderwise, client):
    assert client.get("value-lists/2").words[:2] == [{"id": 1, "name": "T1"}, {"id": 2, "name": "T0"}]
    assert client.get("value-lists/1").words[0] == {"id": 1, "name": "GBP"}
    assert client.get("value-lists/18").words[0] == {"id": 1, "name": "Royal Mail Tracked 48"}
    orderwise.switches.change({"value_list_name": "description"})
    assert client.get("value-lists/15").words[3] == {"id": 4, "description": "Credit"}
    assert client.get("value-lists/3").status == 404


def test_stock_locations_are_a_connection_test(client):
    assert client.get("system/stock-locations").words == [
        {"id": 12, "name": "Leeds"},
        {"id": 13, "name": "Leeds returns"},
    ]


# ------------------------------------------------------------------------------------------------------ export definitions


def test_an_export_definition_runs_the_sql_that_was_pasted_in(orderwise, client):
    assert orderwise.paste_export(49, STOCK) == {"id": 49, "parameters": ["since"]}
    rows = client.run(49, since="2026-07-01T00:00:00").words
    assert {key: value for key, value in rows[0].items() if key != "changed_at"} == {
        "sku": "LS101NVS",
        "location": 12,
        "free": 5000,
        "in_stock": 5000,
    }
    assert rows[0]["changed_at"] == "2026-07-01T11:00:00.000"  # British summer time, without saying so


def test_only_what_changed_since_is_answered(orderwise, client, clock):
    orderwise.paste_export(49, STOCK)
    clock.pass_time(60)
    orderwise.adjust("LS101NVS", 7, "Leeds")
    assert stock(client, "2026-07-01T11:01:00") == {"LS101NVS": {12: (7, 7), 13: (0, 0)}}
    assert stock(client, "2026-07-01 11:01:00.000") == {"LS101NVS": {12: (7, 7), 13: (0, 0)}}
    assert stock(client, "2026-07-01T11:01:01") == {}


def test_a_moment_with_an_offset_does_not_convert(orderwise, client):
    orderwise.paste_export(49, STOCK)
    assert client.run(49, since="2026-07-01T11:01:00+01:00").status == 500
    assert client.run(49, since="2026-07-01T11:01:00Z").status == 200


def test_a_parameter_that_is_missing_or_called_otherwise_is_an_error(orderwise, client):
    orderwise.paste_export(49, STOCK)
    assert "@since" in client.run(49, changed="2026-07-01").words["message"]
    assert client.post("system/export-definition/49", {"since": "2026-07-01"}).status == 400
    assert client.run(50).status == 404


def test_a_renamed_column_breaks_the_reader_until_it_is_pasted_again(orderwise, client):
    orderwise.paste_export(5, "SELECT os_id AS id, os_description AS text FROM order_status ORDER BY os_id")
    orderwise.rename_column(5, "text", "status")
    assert client.run(5).words[0] == {"id": 1, "status": "Awaiting despatch"}
    orderwise.paste_export(5, "SELECT os_id AS id, os_description AS text FROM order_status ORDER BY os_id")
    assert client.run(5).words[0] == {"id": 1, "text": "Awaiting despatch"}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM order_header",
        "UPDATE variant_detail SET vad_description = ''",
        "SELECT 1; SELECT 2",
        "SELECT nothing FROM nowhere",
        "PRAGMA query_only = 0",
        "ATTACH 'x' AS y",
        "",
        "SELECT sl_id FROM stock_location ORDER BY sl_id LIMIT 1",
        "SELECT 'a' || 'b' AS ab",
    ],
)
def test_only_a_select_can_be_pasted_in(orderwise, sql):
    with pytest.raises(ValueError, match="export definition 7"):
        orderwise.paste_export(7, sql)


def test_what_stands_in_a_comment_or_in_quotes_is_no_parameter(orderwise, client):
    sql = "SELECT 'a || @b' AS text -- @since is LIMIT"
    assert orderwise.paste_export(8, sql) == {"id": 8, "parameters": []}
    assert client.run(8).words == [{"text": "a || @b"}]


def test_texts_compare_as_sql_server_compares_them(orderwise, client):
    orderwise.add_product("VP255R ")
    orderwise.paste_export(8, "SELECT vad_variant_code AS sku FROM variant_detail WHERE vad_variant_code = @sku")
    assert client.run(8, sku="vp255r").words == [{"sku": "VP255R "}]


def test_a_definition_can_be_pasted_in_over_http(client):
    body = {"id": 6, "sql": "SELECT sl_id AS id FROM stock_location WHERE sl_description = @name"}
    assert client.post("/_sandbox/export-definitions", body).status == 200
    assert client.run(6, name="Leeds returns").words == [{"id": 13}]
    assert client.post("/_sandbox/export-definitions", {"id": 6, "sql": "DROP TABLE order_header"}).status == 400


# ------------------------------------------------------------------------------------------------------------------ stock


def test_an_order_takes_from_free_stock_and_only_a_despatch_from_the_shelf(orderwise, client):
    orderwise.paste_export(49, STOCK)
    client.post("sales/order?session_id=21", order("centra-1", ("LS101NVS", 2, "37.50")))
    assert orderwise.books()["stock"]["LS101NVS"]["by_location"]["Leeds"] == {"free": 4998, "in_stock": 5000}
    orderwise.ship("centra-1")
    assert orderwise.books()["stock"]["LS101NVS"]["by_location"]["Leeds"] == {"free": 4998, "in_stock": 4998}


def test_free_stock_may_be_negative_and_fractional(orderwise, client):
    orderwise.adjust("LS101NVS", 1.5)
    client.post("sales/order?session_id=21", order("centra-1", ("LS101NVS", 2, "37.50")))
    id = next(
        row["variantID"] for row in client.get("stock/variants?limit=200000").words if row["variantCode"] == "LS101NVS"
    )
    assert client.get(f"stock/{id}/free-stock").words == {"freeStockQty": -0.5}
    assert client.get(f"stock/{id}").words == [
        {"stockLocationId": 12, "freeStock": -0.5},
        {"stockLocationId": 13, "freeStock": 0},
    ]
    assert client.get("stock/1").status == 404


def test_a_kit_takes_its_parts_and_its_own_row_lags(orderwise, client, clock):
    orderwise.paste_export(49, STOCK)
    clock.pass_time(60)
    client.post("sales/order?session_id=21", order("centra-1", ("BX501ST1", 2, "107.50")))
    changed = stock(client, "2026-07-01T11:01:00")
    assert changed == {"LS104NVM": {12: (4998, 5000), 13: (0, 0)}, "LS106NVM": {12: (4996, 5000), 13: (0, 0)}}
    assert orderwise.books()["stock"]["BX501ST1"]["by_location"]["Leeds"]["free"] == 2500
    orderwise.recalculate()
    assert orderwise.books()["stock"]["BX501ST1"]["by_location"]["Leeds"]["free"] == 2498
    orderwise.ship("centra-1")
    assert orderwise.books()["stock"]["LS106NVM"]["by_location"]["Leeds"] == {"free": 4996, "in_stock": 4996}

"""OWAPI as its client meets it: tokens, forms of answers, export definitions that somebody edited, and times without a zone."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import responses
from erps.orderwise.bench import paste_exports
from stage import Stage

import mappings
from integration.erp.orderwise import OrderWise, check_mapping, connect, headers
from integration.erp.orderwise.client import Refusal, sql_of, words_of
from integration.erp.orderwise.profile import EXPORTS
from integration.erp.orderwise.tenant import _COLUMNS, instant, local, parameters_of, since_local
from integration.errors import Rejected, Unavailable
from integration.http import Http, new_session

TEXT = (Path(mappings.__file__).parent / "orderwise.toml").read_text()
MAPPING = mappings.parse(TEXT, "orderwise.toml")
BASE = "https://orderwise.test/OWAPI"
LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def erp(gate, clock):
    http = Http(BASE, headers=headers("ann:secret"), session=new_session(), gate=gate, sleep=clock.sleep)
    return connect("orderwise", http, MAPPING)


@pytest.fixture
def answers():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def token(answers, body='"t1"', **terms):
    return answers.get(f"{BASE}/token/gettoken", body=body, **terms)


LOOKUPS = f"{BASE}/system/export-definition/43"
ROWS = [{"kind": "status", "id": 1, "name": "Completed"}, {"kind": "export", "id": 1, "name": "LOOKUPS 1"}]


# ---------------------------------------------------------------------------------------------------------- the token


@pytest.mark.parametrize(
    "body", ['"t1"', "t1", '{"token": "t1"}', '{"access_token": "t1"}', '{"Token": "t1"}', ' "t1"\r\n']
)
def test_a_token_comes_quoted_bare_or_named(erp, answers, body):
    login = token(answers, body)
    answers.post(LOOKUPS, json=ROWS)
    assert "1 records" in erp.check()
    assert login.calls[0].request.headers["Authorization"] == "Basic YW5uOnNlY3JldA=="
    assert answers.calls[1].request.headers["Authorization"] == "Bearer t1"


@pytest.mark.parametrize("body", ["", '""', "null", "<html>maintenance</html>", '{"error": "x"}', "two words"])
def test_a_login_without_a_token_is_no_login(erp, answers, body):
    token(answers, body)
    with pytest.raises(Unavailable):
        erp.check()


def test_a_token_is_used_for_a_while_and_then_made_anew(erp, answers, clock):
    login = token(answers)
    answers.post(LOOKUPS, json=ROWS)
    erp.check()
    clock.sleep(44 * 60)
    erp.check()
    assert login.call_count == 1
    clock.sleep(60)
    erp.check()
    assert login.call_count == 2


def test_a_token_that_ran_out_costs_one_login_and_one_more_try(erp, answers):
    login = token(answers)
    answers.post(LOOKUPS, status=401)
    answers.post(LOOKUPS, json=ROWS)
    erp.check()
    assert login.call_count == 2


def test_credentials_that_are_refused_twice_concern_the_connection(erp, answers):
    token(answers)
    answers.post(LOOKUPS, status=401)
    with pytest.raises(Unavailable) as raised:
        erp.check()
    assert raised.value.connection_wide == "CONNECTION_AUTH"


def test_a_wrong_login_with_no_body_concerns_the_connection(erp, answers):
    token(answers, "", status=401)
    with pytest.raises(Unavailable) as raised:
        erp.check()
    assert raised.value.connection_wide == "CONNECTION_AUTH"


def test_a_tick_that_is_missing_in_the_api_users_group_is_said_in_words(erp, answers):
    token(answers)
    answers.post(LOOKUPS, status=403)
    with pytest.raises(Unavailable, match="API Export Definitions: ask its administrator to tick it") as raised:
        erp.check()
    assert raised.value.connection_wide == "CONNECTION_AUTH"


def test_a_write_that_the_api_user_may_not_make_is_refused_and_the_connection_stays(erp, answers):
    token(answers)
    answers.post(f"{BASE}/sales/order?session_id=28", status=403, body="no permission")
    with pytest.raises(Rejected, match="sales/order: ask its administrator to tick it") as raised:
        erp.post_order(28, {})
    assert (raised.value.type, raised.value.evidence) == ("CONNECTION_AUTH", "no permission")


# ---------------------------------------------------------------------------------------------- OWAPI is not there at all

ORDER = f"{BASE}/sales/order?session_id=28"


@pytest.mark.parametrize("status", [400, 404, 405, 410])
def test_a_login_that_is_not_there_is_an_outage_and_no_refusal(erp, answers, status):
    token(answers, "<html>gone</html>", status=status)
    for _ in range(erp.client.http.gate.terms.failures):
        with pytest.raises(Unavailable) as raised:
            erp.post_order(28, {})
    assert raised.value.connection_wide == "CONNECTION_DOWN"


@pytest.mark.parametrize("status", [404, 405])
def test_a_path_that_is_always_there_and_is_not_is_an_outage_and_no_refusal(erp, answers, status):
    token(answers)
    answers.post(ORDER, status=status, body="<html>gone</html>")
    for _ in range(erp.client.http.gate.terms.failures):
        with pytest.raises(Unavailable, match=f"HTTP {status} where its API should be") as raised:
            erp.post_order(28, {})
    assert raised.value.connection_wide == "CONNECTION_DOWN"


def test_a_path_that_names_the_session_may_be_missing_for_it_alone(erp, answers):
    erp.profile = replace(erp.profile, order_path="/sessions/{session}/order")
    token(answers)
    answers.post(f"{BASE}/sessions/28/order", status=404, json={"message": "Session 28 was not found."})
    with pytest.raises(Refusal):
        erp.post_order(28, {})


def test_an_export_that_is_gone_together_with_the_login_is_an_outage(erp, answers):
    token(answers)
    answers.post(LOOKUPS, json=ROWS)
    erp.check()
    answers.reset()
    token(answers, "", status=404)
    answers.post(LOOKUPS, status=404)
    with pytest.raises(Unavailable):
        erp.check()


# -------------------------------------------------------------------------------------------------- forms of answers


def test_names_are_read_in_any_case(erp, answers):
    token(answers)
    answers.post(LOOKUPS, json=[{name.upper(): value for name, value in row.items()} for row in ROWS])
    assert "1 records" in erp.check()


@pytest.mark.parametrize("answer", [{"OrderID": 7}, [{"orderId": 7}]])
def test_a_record_is_an_object_or_an_array_of_one(erp, answers, answer):
    token(answers)
    answers.post(f"{BASE}/sales/order?session_id=28", json=answer)
    assert erp.post_order(28, {}) == {"orderid": 7}


def test_lists_are_read_after_the_last_id_until_a_page_is_empty(erp, answers):
    token(answers)
    asked = []

    def page(request):
        asked.append(request.url.rpartition("last_id=")[2])
        rows = [{"id": n} for n in range(1, 6) if n > int(asked[-1])][:2]
        return 200, {}, json.dumps(rows)

    answers.add_callback(responses.GET, re.compile(f"{BASE}/customers"), page)
    assert [row["id"] for row in erp.client.rows("/customers", lane="orders", limit=2)] == [1, 2, 3, 4, 5]
    assert asked == ["0", "2", "4", "5"]


def test_pages_that_do_not_go_on_are_no_endless_loop(erp, answers):
    token(answers)
    answers.get(re.compile(f"{BASE}/customers"), json=[{"id": 1}])
    with pytest.raises(Rejected, match="do not go on"):
        list(erp.client.rows("/customers", lane="orders"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"message": "no"}, "no"),
        ({"Message": "no", "ModelState": {"order.lines": ["bad", "worse"]}}, "no; bad; worse"),
        ({"errors": [{"detail": "no"}]}, "no"),
        ("no", "no"),
        (None, ""),
        ([1], ""),
    ],
)
def test_the_human_text_of_an_error_is_found_wherever_it_stands(document, words):
    assert words_of(document) == words


# ------------------------------------------------------------------------------------------------- export definitions


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "not our SQL"),
        (ROWS[:1], "not our SQL"),
        ([{"kind": "status", "id": 1}, ROWS[1]], "no column name"),
        ([ROWS[0], {**ROWS[1], "name": "STOCK 1"}], "not our SQL"),
        ([ROWS[0], {**ROWS[1], "name": "LOOKUPS 0"}], "not our SQL of this version"),  # pasted in before we changed it
        ({"rows": ROWS}, "no rows"),
        (None, "no rows"),
    ],
)
def test_an_export_that_somebody_edited_is_never_an_empty_list(erp, answers, rows, says):
    token(answers)
    answers.post(LOOKUPS, json=rows)
    with pytest.raises(Rejected, match=says) as raised:
        erp.check()
    assert raised.value.type == "SCHEMA_CHANGE"
    assert "43" in raised.value.cause
    assert "lookups" in raised.value.cause


def test_an_export_that_is_not_there_is_named(erp, answers):
    token(answers)
    answers.post(LOOKUPS, status=404, json={"message": "Not found."})
    with pytest.raises(Rejected, match=re.escape("export definition 43 (LOOKUPS)")) as raised:
        erp.check()
    assert (raised.value.type, raised.value.evidence) == ("SCHEMA_CHANGE", "Not found.")


def test_without_parameters_one_empty_name_is_sent(erp, answers):
    token(answers)
    asked = answers.post(LOOKUPS, json=ROWS)
    erp.check()
    assert json.loads(asked.calls[0].request.body) == [{"name": "", "value": None}]


@pytest.fixture(scope="module")
def stage():
    made = Stage(erps=("orderwise",))
    yield made
    made.store.close()


@pytest.mark.scenario("PLT-17")
@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_has_the_columns_that_are_checked_for_and_each_of_them_matters(stage, name):
    tenant, id = stage.orderwise, MAPPING.tenant["exports"][name]
    erp = stage.world.erp("orderwise")
    ask = {
        "products": lambda: erp.variants(0, 10, lane="stock"),
        "lookups": erp.looked_up,
        "order_status": lambda: erp.changed("order_status", stage.clock.now(), lane="finance"),
    }.get(name, lambda: erp.named(name, ["1"], lane="stock"))
    ask()
    for column in _COLUMNS[name].split():
        tenant.rename_column(id, column, "other")
        with pytest.raises(Rejected) as raised:
            ask()
        assert raised.value.type == "SCHEMA_CHANGE"
        assert raised.value.cause.endswith(f"export {name} {id} {column}")
        paste_exports(stage)
    ask()


@pytest.mark.parametrize("name", EXPORTS)
def test_the_sql_is_plain_enough_for_any_server_and_names_what_nobody_has_confirmed(name):
    sql = sql_of(name)
    assert not re.search(r"\b(GETDATE|TOP|LIMIT|ISNULL|IFNULL|NOW)\b", re.sub("--.*", "", sql), re.IGNORECASE)
    assert "Unconfirmed" in sql
    assert not [p for p in parameters_of(name) if p not in ("since", "after", "until") and not p[-1].isdigit()]


# -------------------------------------------------------------------------------------------------------------- times


def test_summer_and_winter_times_go_there_and_back():
    for moment in (datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 7, 5, 12, 30, 1, 87000, tzinfo=UTC)):
        assert instant(local(moment, LONDON), LONDON) == moment
    assert local(datetime(2026, 7, 5, 12, tzinfo=UTC), LONDON) == "2026-07-05T13:00:00.000"
    assert instant(None, LONDON) is None


@pytest.mark.scenario("TIM-03")
def test_in_the_october_night_nothing_written_after_a_moment_is_before_it():
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    moments = [start + timedelta(minutes=7 * n) for n in range(60)]
    for i, asked in enumerate(moments):
        since = since_local(asked, LONDON)
        assert all(local(later, LONDON) >= since for later in moments[i:])


def test_a_time_that_happens_twice_is_never_read_too_late():
    assert instant("2026-10-25T01:30:00", LONDON) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant("2026-10-25T02:30:00", LONDON) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)


# --------------------------------------------------------------------------------------------------------- the profile


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("customer = 1375", 'customer = "1375"', "[tenant] customer"),
        ("customer = 1375", "costumer = 1375", "[tenant]"),
        ('available = "free"', 'available = "all"', "[tenant] available"),
        (
            "stock = 41",
            "",
            "[tenant.exports] stock: without an id OWAPI cannot run STOCK (what may be sold is read with it)",
        ),
        ("stock = 41", "stock = 42", "two exports have the same id"),
        ("stock = 41", "stok = 41", "[tenant] exports"),
        ('"Completed" = "done"', '"Completed" = "finished"', "[tenant] statuses"),
        ('announce = "off"', 'announce = "return order"', "no strategy 'return order'"),
        ('strategy = "off"', 'strategy = "invoice"', "no strategy 'invoice'"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_by_name(old, new, says):
    assert old in TEXT
    with pytest.raises(mappings.BrokenMapping) as raised:
        check_mapping(mappings.parse(TEXT.replace(old, new, 1), "orderwise.toml"))
    assert says in str(raised.value)


@pytest.mark.parametrize(("transport", "told"), [("api", False), ("session", True)])
def test_a_tenant_without_reads_is_refused_with_all_that_is_missing_and_why_no_session_stands_in(transport, told):
    text = TEXT.replace('transport = "api"', f'transport = "{transport}"')
    text = re.sub(r"^(despatch|order_by_ref) = \d+\n", "", text, flags=re.MULTILINE)
    with pytest.raises(mappings.BrokenMapping) as raised:
        check_mapping(mappings.parse(text, "orderwise.toml"))
    assert raised.value.key == "despatch, order_by_ref"
    assert "ORDER_BY_REF (every order is proved with it" in str(raised.value)
    assert ("accepted and never proved" in str(raised.value)) == told


def test_the_example_is_good_and_connects():
    profile = check_mapping(MAPPING)
    assert profile.queue == timedelta(minutes=15)
    assert isinstance(connect("orderwise", None, replace(MAPPING)), OrderWise)

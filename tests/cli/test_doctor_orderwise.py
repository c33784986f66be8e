"""`lockstep doctor` at an OrderWise: what nobody can read is asked for, and every id of the mapping is held against the tenant."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli.conftest import Lockstep
from cli.test_doctor import examined
from click.testing import Result
from orderwise_shop import session_text
from stage import MAPPINGS, Stage, example

from integration.erp.orderwise.examination import ASKED
from integration.erp.orderwise.profile import profile_of
from integration.settings import read_settings
from mappings import BrokenMapping, parse
from tasks.doctor import Finding

TEXT = example("orderwise")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}", erps=("orderwise",), stock=True)
    yield made
    made.store.close()


@pytest.fixture
def now(migrated: Stage) -> Stage:
    migrated.clock.instant = datetime.now(UTC)
    return migrated


def told(stage: Stage, text: str = TEXT) -> dict[str, Finding]:
    """What is said of the connection, by what it is about."""
    if text != TEXT:
        stage.apply(text, "orderwise")
    beginning = "orderwise: "
    return {what.removeprefix(beginning): f for what, f in examined(stage).items() if what.startswith(beginning)}


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text
    return text.replace(old, new, 1)


def refused(found: dict[str, Finding]) -> set[str]:
    return {what for what, finding in found.items() if finding.grade == "FAIL"}


def forgotten(stage: Stage, record: str) -> None:
    """Somebody deletes a record in OrderWise."""
    with stage.orderwise._changing():
        stage.orderwise._ledger.base.execute(f"DELETE FROM {record}")


@pytest.mark.scenario("ORD-28")
def test_a_sound_tenant_has_nothing_refused_and_the_one_customer_of_all_orders_is_shown(now: Stage) -> None:
    found = told(now)
    assert {finding.grade for finding in found.values()} == {"ok"}
    assert found["customer of all orders"].says.startswith("1375, account WEB001")
    assert "never from it" in found["customer of all orders"].says
    assert {f"session setting {word}" for word in ASKED} < found.keys()


def test_every_answer_that_is_asked_for_has_its_place_in_the_mapping() -> None:
    assert profile_of(parse(TEXT, "orderwise.toml")).imports.ticked == {
        word: must for word, (_, must, _) in ASKED.items()
    }


@pytest.mark.parametrize("word", ASKED)
@pytest.mark.parametrize("answered", [True, False])
def test_a_setting_that_stands_wrongly_or_that_nobody_looked_up_is_refused_with_what_would_happen(
    now: Stage, word: str, answered: bool
) -> None:
    label, must, otherwise = ASKED[word]
    line = f"{word} = {str(must).lower()}"
    found = told(now, changed(line, f"{word} = {str(not must).lower()}" if answered else ""))
    assert refused(found) == {f"session setting {word}"}
    (finding,) = [each for each in found.values() if each.grade == "FAIL"]
    assert label in finding.says
    assert otherwise in finding.says
    assert ("nobody has said" in finding.says) != answered
    assert line in finding.do


def test_a_tax_fall_back_is_refused_with_the_arithmetic(now: Stage) -> None:
    says = told(now, changed("variant_tax_code = false", "variant_tax_code = true"))[
        "session setting variant_tax_code"
    ].says
    assert "100.00 of goods at a rate of 5 % are 105.00 in Centra and, with a fall-back to 20 %, 120.00 here" in says


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schedule_minutes = 5 ", "schedule_minutes = 15 "),
        ("schedule_minutes = 5 ", "# "),
        ("queue_minutes = 15", "queue_minutes = 5"),
    ],
)
def test_absence_is_not_believed_before_a_whole_run_has_gone_by(now: Stage, old: str, new: str) -> None:
    assert refused(told(now, changed(old, new))) == {"session schedule"}


@pytest.mark.scenario("MAP-06")
@pytest.mark.parametrize(
    ("record", "what", "concerns"),
    [
        ("stock_location WHERE sl_id = 12", "location 12", "Outlet / United Kingdom, Wholesale / United Kingdom"),
        ("delivery_method WHERE dm_id = 2", "delivery method 2", "Express of Outlet / United Kingdom"),
        ("payment_method WHERE pm_id = 4", "payment method 4", "GIFT_CARD, gift_card"),
        ("vat_rate WHERE vr_id = 2", "tax rate 2", "0 % in GB"),
    ],
)
def test_a_record_that_is_gone_in_the_erp_is_named_with_all_that_it_concerns(
    now: Stage, record: str, what: str, concerns: str
) -> None:
    forgotten(now, record)
    found = told(now)
    assert refused(found) == {what}
    assert concerns in found[what].says


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"20" = "1"', '"20" = "77"', "tax rate 77"),
        ('"Express" = "2"', '"Express" = "77"', "delivery method 77"),
        ('klarna = "2"', 'klarna = "77"', "payment method 77"),
        ("warehouses = [12]", "warehouses = [12, 77]", "location 77"),
        ('"15" = {', '"77" = {', "delivery method 77"),
        ("customer = 1375", "customer = 77", "customer of all orders"),
    ],
)
def test_an_id_of_the_mapping_that_the_tenant_does_not_have_is_named(now: Stage, old: str, new: str, what: str) -> None:
    found = told(now, changed(old, new))
    assert refused(found) == {what}
    assert "77" in found[what].says


def test_statuses_are_compared_letter_by_letter_in_both_directions(now: Stage) -> None:
    found = told(now, changed('"On hold" = ', '"On Hold" = '))
    assert {what for what, finding in found.items() if finding.grade == "warn"} == {"status On hold", "status On Hold"}


def test_where_orders_are_fetched_names_must_be_the_tenants_too(now: Stage) -> None:
    text = session_text(stock=True)
    assert refused(told(now, text)) == set()
    for old, new, what in (
        ('"1" = "Royal Mail Tracked 48"', '"1" = "Royal mail tracked 48"', "delivery method 1 by name"),
        ('"2" = "klarna"', '"2" = "Klarna"', "payment method 2 by name"),
        ('"2" = "T0"', '"9" = "T0"', "tax rate 2 by name"),
    ):
        assert refused(told(now, changed(old, new, text))) == {what}


def test_a_customer_that_may_not_be_looked_at_is_said_to_be_so(now: Stage) -> None:
    now.orderwise.forbid("customers")
    assert told(now)["customer of all orders"].grade == "warn"


def test_a_customer_on_hold_is_refused(now: Stage) -> None:
    with now.orderwise._changing():
        now.orderwise._ledger.base.execute("UPDATE customer_detail SET cd_on_hold = 1 WHERE cd_id = 1375")
    assert refused(told(now)) == {"customer of all orders"}


def test_an_erp_that_is_away_does_not_hide_what_is_asked_for(now: Stage) -> None:
    now.orderwise.set_password("changed")
    now.orderwise.expire_tokens()
    stage = now
    stage.apply(changed("variant_tax_code = false", ""), "orderwise")
    found = examined(stage)
    assert found["orderwise: session setting variant_tax_code"].grade == "FAIL"
    assert found["orderwise in particular"].grade == "FAIL"


@pytest.mark.scenario("ORD-20")
def test_two_shops_on_one_session_are_refused_before_the_mapping_is_in_force() -> None:
    shared = parse(changed("channel = 29", "channel = 28"), "orderwise.toml")
    with pytest.raises(
        BrokenMapping, match="Wholesale and Outlet share e-commerce session 28: order numbers clash"
    ) as raised:
        profile_of(shared)
    assert raised.value.key == "channel"
    one_shop = changed('[markets."Wholesale / United Kingdom"]', '[markets."Outlet / Ireland"]', TEXT)
    one_shop = changed('[carriers."Wholesale / United Kingdom"]', '[carriers."Outlet / Ireland"]', one_shop)
    profile_of(parse(changed("channel = 29", "channel = 28", one_shop), "orderwise.toml"))


@pytest.mark.scenario("ORD-20")
@pytest.mark.parametrize(
    ("brand", "session", "says"),
    [
        ("other", 30, "orderwise.toml books the orders of brand in the same ERP"),
        ("brand", 28, "orderwise.toml sends Outlet / United Kingdom to channel 28 of the same ERP too"),
    ],
)
def test_two_shops_that_meet_in_one_tenant_are_refused_when_applied_and_found_by_the_doctor(
    now: Stage, lockstep: Lockstep, tmp_path: Path, brand: str, session: int, says: str
) -> None:
    second = changed('centra = "brand"', f'centra = "{brand}"')
    for n, channel in ((28, session), (29, 31)):
        second = changed(f"channel = {n}", f"channel = {channel}", second)
    second = second.replace("Outlet / ", "Second / ").replace("Wholesale / ", "Third / ")
    folder, here = tmp_path / "mappings", now.settings.erp_address("orderwise")
    folder.mkdir()
    shutil.copy(MAPPINGS / "playbook.toml", folder)
    (folder / "second.toml").write_text(changed("[stock.places.5]", "[stock.places.6]", second))

    def applied(address: str) -> Result:
        reached = {"LOCKSTEP_SECOND_URL": address, "LOCKSTEP_SECOND_TOKEN": "a:b"}
        now.world.settings = read_settings({**now.settings.variables, **reached})
        return lockstep("mappings", "apply", folder)

    for address in (here, f"{here}/".upper()):
        refused = applied(address)
        assert (refused.exit_code, says in refused.stderr) == (2, True), refused.output
        assert [mapping.connection for mapping in now.world.connections()] == ["orderwise"]
    assert "second: version 1 is in force now" in applied("https://elsewhere.test").stdout
    assert "second: version 1 is in force already" in applied("").stdout  # one that is not configured yet meets nobody
    settings = read_settings({**now.world.settings.variables, "LOCKSTEP_SECOND_URL": here})
    found = examined(now, variables=settings.variables)["ERPs that are shared"]
    assert (found.grade, "orderwise.toml" in found.says) == ("FAIL", True)

"""`lockstep doctor`: what would break a promise is found before it does."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from servers import Valkey
from stage import MAPPINGS, Stage, example, settings_for

from integration.settings import Secret, Settings, SettingsError
from integration.store import Store, reference, views
from tasks import doctor
from tasks.doctor import Finding


@pytest.fixture
def now(migrated: Stage) -> Stage:
    """The stage at the machine's own time."""
    migrated.clock.instant = datetime.now(UTC)
    return migrated


def examined(stage: Stage, **changes: Any) -> dict[str, Finding]:
    """The worst finding of each kind; the broker is one in memory unless it is the subject."""
    settings: Settings = replace(stage.settings, **{"broker_url": Secret("memory://"), **changes})
    stage.world.settings = settings
    worst = {"ok": 0, "warn": 1, "FAIL": 2}
    found: dict[str, Finding] = {}
    for finding in doctor.examine(lambda: settings, lambda _: stage.world):
        if finding.what not in found or worst[finding.grade] > worst[found[finding.what].grade]:
            found[finding.what] = finding
    return found


def test_a_sound_installation_has_no_fail_and_a_todo_for_everything_else(now: Stage, valkey: Valkey) -> None:
    with now.store.write("apply") as tx:  # as it is written: the stage's own begins later
        reference.apply_mapping(tx, "fulfil", (MAPPINGS / "fulfil.toml").read_text(), actor="test")
    found = examined(now, broker_url=Secret(valkey.url))
    assert [f for f in found.values() if f.grade == "FAIL"] == []
    assert {f.what for f in found.values() if f.grade == "warn"} <= {
        "broker persistence",
        "broker memory",
        "mapping orderwise",  # an example that this installation has not applied
        "bundles of fulfil",  # it declares no [products]
    }
    for what in (
        "broker",
        "broker memory",
        "Flower",
        "database",
        "durability",
        "schema",
        "clocks",
        "vault",
        "brand",
        "fulfil",
    ):
        assert found[what].grade == "ok", found[what]
    assert all(f.do for f in found.values() if f.grade == "warn")


def test_settings_are_shown_without_their_secrets(now: Stage) -> None:
    shown = " ".join(str(finding) for finding in examined(now).values())
    assert "brand.centra.test" in shown
    for secret in ("sandbox-centra-token", "stage-webhook-secret", now.settings.variables["LOCKSTEP_VAULT_KEY"]):
        assert secret not in shown


def test_unreadable_settings_are_one_finding() -> None:
    def broken() -> Settings:
        raise SettingsError("LOCKSTEP_LEASE_SECONDS must be a number of seconds")

    (finding,) = doctor.examine(broken)
    assert str(finding).startswith("FAIL  configuration: LOCKSTEP_LEASE_SECONDS must be")


def test_a_broker_that_is_away_or_forgets_is_found(now: Stage, valkey: Valkey) -> None:
    away = examined(now, broker_url=Secret("redis://:hunter2@127.0.0.1:1/0"))["broker"]
    assert away.grade == "FAIL"
    assert "hunter2" not in str(away)
    with Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            forgetful = examined(now, broker_url=Secret(valkey.url))["broker memory"]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert (forgetful.grade, forgetful.do) == ("FAIL", "set `maxmemory-policy noeviction`")


def test_rabbitmq_is_asked_too(now: Stage, rabbitmq: Any) -> None:
    url = rabbitmq.fresh_vhost()
    assert examined(now, broker_url=Secret(url))["broker"].grade == "ok"
    rabbitmq.drop_vhost(url)


@pytest.mark.parametrize(
    ("told", "grade"),
    [
        ({"journal_mode": "delete"}, "FAIL"),
        ({"synchronous": "1"}, "FAIL"),
        ({"kind": "postgresql", "synchronous_commit": "off", "fsync": "on", "full_page_writes": "on"}, "FAIL"),
        ({"kind": "postgresql", "synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}, "ok"),
    ],
)
def test_a_database_that_may_take_a_commit_back_is_found(now: Stage, monkeypatch: Any, told: Any, grade: str) -> None:
    sound = {"kind": "sqlite", "version": "3", "journal_mode": "wal", "synchronous": "2"}
    monkeypatch.setattr(views, "database", lambda tx: sound | told)
    assert examined(now)["durability"].grade == grade


def test_the_database_says_how_it_commits(database_url: str) -> None:
    store = Store(database_url, Stage().clock)
    with store.read() as tx:
        told = views.database(tx)
    store.close()
    if told["kind"] == "sqlite":
        assert (told["journal_mode"], told["synchronous"]) == ("wal", "2")
    else:
        assert (told["synchronous_commit"], told["fsync"]) != ("", "")


def test_a_database_that_is_away_stops_only_what_needs_it(now: Stage, monkeypatch: Any) -> None:
    now.store.close()
    monkeypatch.setattr(now.store, "engine", Store("sqlite:////nowhere/x.db", now.clock).engine)
    found = examined(now)
    assert found["database"].grade == "FAIL"
    assert "the database comes first" in found["systems and mappings in force"].says
    assert found["Flower"].grade == "ok"


def test_another_schema_is_found(now: Stage) -> None:
    with now.store.write() as tx:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert examined(now)["schema"].do.startswith("run `lockstep migrate`")


@pytest.mark.parametrize(("apart", "grade"), [(timedelta(seconds=10), "warn"), (timedelta(minutes=5), "FAIL")])
def test_clocks_that_differ_are_found(now: Stage, apart: timedelta, grade: str) -> None:
    now.clock.instant += apart
    assert examined(now)["clocks"].grade == grade


def test_a_missing_vault_key_is_found_and_the_rest_is_still_examined(tmp_path: Path, monkeypatch: Any) -> None:
    settings = settings_for(
        f"sqlite:///{tmp_path / 'x.db'}", LOCKSTEP_VAULT_KEY="", LOCKSTEP_BROKER_URL="redis://127.0.0.1:1/0"
    )
    found = {finding.what: finding for finding in doctor.examine(lambda: settings)}
    assert found["vault key"].grade == "FAIL"
    assert "openssl rand" in found["vault key"].do
    assert "LOCKSTEP_VAULT_KEY is not set" in found["start"].says
    assert found["mapping file fulfil"].grade == "ok"


def test_a_vault_key_that_was_lost_is_found(now: Stage, morning: Any) -> None:
    assert examined(now)["vault"].grade == "ok"
    lost = examined(now, vault_keys={"another": Secret("x")})["vault"]
    assert lost.grade == "FAIL"
    assert lost.says.startswith("5 orders are sealed under key")


@pytest.mark.parametrize(
    ("variables", "grade"),
    [
        ({}, "ok"),
        ({"FLOWER_ADDRESS": "::1"}, "ok"),
        ({"FLOWER_ADDRESS": "0.0.0.0"}, "FAIL"),
        ({"FLOWER_ADDRESS": "flower.example"}, "FAIL"),
        ({"FLOWER_ADDRESS": "0.0.0.0", "FLOWER_XHEADERS": "true"}, "warn"),
    ],
)
def test_flower_open_to_the_world_without_a_proxy_is_refused(now: Stage, variables: dict[str, str], grade: str) -> None:
    assert examined(now, variables={**now.settings.variables, **variables})["Flower"].grade == grade


def test_broken_and_unapplied_mapping_files_are_found(now: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    shutil.copy(MAPPINGS / "fulfil.toml", folder)
    (folder / "fulfil.toml").write_text((folder / "fulfil.toml").read_text() + "# edited\n")
    assert "differs from what is in force" in examined(now, mappings=folder)["mapping fulfil"].says
    (folder / "fulfil.toml").write_text("[connection]\n")
    assert examined(now, mappings=folder)["mapping files"].says.startswith("fulfil.toml ")
    (folder / "fulfil.toml").unlink()
    assert examined(now, mappings=folder)["mapping files"].grade == "warn"


def test_markets_that_no_mapping_names_are_found(now: Stage, morning: Any) -> None:
    found = examined(now)["coverage"]
    assert found.grade == "warn"
    assert found.says.startswith("2 orders are of 'Europe / Norway' in brand")


def test_an_instance_without_a_mapping_and_a_mapping_without_an_instance_are_found(now: Stage) -> None:
    now.world.storefronts["other"] = now.world.storefronts.pop("brand")
    found = examined(now)
    assert found["mappings"].says.startswith("no mapping in force takes the orders of other")
    assert "which is not configured" in found["mapping fulfil"].says


@pytest.mark.scenario("MAP-06")
@pytest.mark.parametrize(
    ("model", "id", "what", "concerns"),
    [
        ("sale.channel", 5, "channel 5", "Asia / Japan"),
        ("stock.location", 67, "warehouse 67", "Asia / Japan, Asia / Kuwait, stock of Centra's warehouse 4"),
    ],
)
def test_what_was_deactivated_in_the_erp_is_named_with_the_markets_that_it_concerns(
    now: Stage, model: str, id: int, what: str, concerns: str
) -> None:
    now.apply((MAPPINGS / "fulfil.toml").read_text())
    found = examined(now)
    assert [found[f"fulfil: {kind}"].grade for kind in ("channels", "warehouses")] == ["ok", "ok"]
    now.fulfil._records.rows[model][id]["active"] = False
    finding = examined(now)[f"fulfil: {what}"]
    assert finding.grade == "FAIL"
    assert finding.says.endswith(concerns)


def test_refused_credentials_and_a_missing_setting_are_told_apart(now: Stage) -> None:
    now.fulfil.revoke()
    assert "connection-auth" in examined(now)["fulfil"].do
    now.world._erps.clear()
    missing = {name: value for name, value in now.settings.variables.items() if "FULFIL" not in name}
    assert "LOCKSTEP_FULFIL_URL" in examined(now, variables=missing)["fulfil"].says


def test_bundles_that_nobody_compares_are_warned_of_until_products_are_declared(
    now: Stage,
) -> None:
    assert "[products]" in examined(now)["bundles of fulfil"].do
    now.apply(example("fulfil") + "\n[products]\n")
    assert "bundles of fulfil" not in examined(now)


def test_webhooks_without_a_secret_are_warned_of(now: Stage) -> None:
    (brand,) = now.settings.centra
    assert examined(now, centra=(replace(brand, webhook_secrets=()),))["webhooks"].grade == "warn"


def test_the_command_ends_with_1_when_something_fails(
    lockstep: Any, environment: dict[str, str], monkeypatch: Any
) -> None:
    for name, value in {**environment, "LOCKSTEP_BROKER_URL": "redis://127.0.0.1:1/0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(doctor, "_systems", lambda world: iter(()))
    result = lockstep("doctor", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert {"grade", "what", "says", "do"} == set(told["findings"][0])
    shown = lockstep("doctor")
    assert shown.exit_code == 1
    assert "FAIL  broker: " in shown.stdout

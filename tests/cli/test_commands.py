"""What a person types: each command's words, its JSON, and its one line when it cannot."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from stage import MAPPINGS, Stage, example

from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.store import StoreDown, documents, exceptions
from integration.store.exceptions import Case
from integration.web import LARGEST

CAUSE = ("--type", "ORDER_MARKET_UNMAPPED", "--cause", "fulfil.toml:[markets] Europe / Norway")
NORWAY = """
[markets."Europe / Norway"]
channel = 3
warehouse = 65
currency = "NOK"
countries = ["NO"]

[carriers."Europe / Norway"]
"Standard" = "postnord-home"
"""


def failure(result: Any) -> str:
    """The one line of a command that could not do what was asked."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("lockstep: ")
    return str(line.removeprefix("lockstep: "))


def good(result: Any) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.stdout)


# ---------------------------------------------------------------------------------------------------------- exceptions


def test_the_list_shows_the_most_urgent_first_and_filters(lockstep: Any, morning: Any) -> None:
    rows = json.loads(good(lockstep("exceptions", "list", "--json")))["exceptions"]
    assert [row["type"] for row in rows] == ["ORDER_MARKET_UNMAPPED", "ORDER_MARKET_UNMAPPED", "ORDER_UNKNOWN_SKU"]
    assert rows[0]["order"] == morning.norwegian[0]
    assert rows[0]["money"] == {"minor": 54_500, "currency": "NOK", "amount": "545.00"}
    for terms in (["--owner", "Merchandising"], ["--type", "ORDER_UNKNOWN_SKU"], ["--search", min(UNKNOWN_SKUS)]):
        (row,) = json.loads(good(lockstep("exceptions", "list", *terms, "--json")))["exceptions"]
        assert row["order"] == morning.unknown_sku
    assert len(json.loads(good(lockstep("exceptions", "list", "--cause", CAUSE[3], "--json")))["exceptions"]) == 2
    assert json.loads(good(lockstep("exceptions", "list", "--state", "resolved", "--json"))) == {"exceptions": []}


def test_the_table_shows_causes_with_brackets_as_they_are(lockstep: Any, morning: Any) -> None:
    assert "fulfil.toml:[markets] Europe / Norway" in good(lockstep("exceptions", "list"))


def test_another_systems_words_cannot_steer_the_terminal(lockstep: Any, stage: Stage) -> None:
    case = Case("DEAD_LETTER", "x\x1b[2Jy", "a\x1b]0;z\x07b", "Integration", stage.settings.lease)
    with stage.store.write() as tx:
        number = exceptions.open_case(tx, case)
    for words in (["exceptions", "list"], ["exceptions", "show", number]):
        shown = good(lockstep(*words))
        assert not any(character in shown for character in "\x1b\x07")


def test_show_tells_what_it_means_what_to_do_and_its_history(lockstep: Any, stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    shown = good(lockstep("exceptions", "show", case))
    assert "The ERP does not sell this SKU (ORDER_UNKNOWN_SKU)" in shown
    assert "Search the SKU in the ERP" in shown
    assert "lockstep opened" in shown
    told = json.loads(good(lockstep("exceptions", "show", case, "--json")))
    assert [step["verb"] for step in told["history"]] == ["opened"]
    assert "evidence" not in told


def test_evidence_is_opened_only_when_asked_for(lockstep: Any, stage: Stage, morning: Any) -> None:
    case, job = morning.case(stage, morning.unknown_sku), stage.row(morning.unknown_sku)
    assert "keeps no words" in failure(lockstep("exceptions", "show", case, "--evidence"))
    with stage.store.write() as tx:
        sealed = documents.put(tx, stage.world.vault, job.id, "evidence", b"Ann Example has no telephone")
        terms = {
            "job_id": job.id,
            "document_id": sealed,
            "message": "m",
            "owner": "CX",
            "act_within": stage.settings.lease,
        }
        exceptions.open_case(tx, Case("ORDER_ADDRESS_INVALID", "telephone", **terms))
    assert "Ann Example" not in good(lockstep("exceptions", "show", case))
    assert "Ann Example has no telephone" in good(lockstep("exceptions", "show", case, "--evidence"))
    told = json.loads(good(lockstep("exceptions", "show", case, "--evidence", "--json")))
    assert told["evidence"] == "Ann Example has no telephone"


def test_replay_by_id_says_what_it_did_and_then_that_it_is_on_its_way(
    lockstep: Any, stage: Stage, morning: Any
) -> None:
    case = morning.case(stage, morning.unknown_sku)
    assert "1 order goes through the whole step again" in good(lockstep("exceptions", "replay", case))
    again = good(lockstep("exceptions", "replay", case))
    assert f"exception {case}: already on its way; nothing was done" in again
    assert "0 orders go" in again
    assert len(stage.queue) == 1


def test_replay_of_a_cause_shows_its_plan_and_asks(lockstep: Any, stage: Stage, morning: Any) -> None:
    asked = lockstep("exceptions", "replay", *CAUSE, answer="n\n")
    assert asked.exit_code == 1
    assert "2 × read again, then post" in asked.stdout
    assert not stage.queue
    assert "2 orders go" in good(lockstep("exceptions", "replay", *CAUSE, answer="y\n"))
    assert len(stage.queue) == 2


def test_replay_of_a_cause_with_yes_does_not_ask(lockstep: Any, stage: Stage, morning: Any) -> None:
    assert "2 orders go" in good(lockstep("exceptions", "replay", *CAUSE, "--yes"))


def test_a_plan_is_executed_item_by_item_or_refused(lockstep: Any, stage: Stage, morning: Any) -> None:
    plan = json.loads(good(lockstep("exceptions", "plan", *CAUSE, "--json")))
    assert plan["counts"] == {"read again, then post": 2}
    assert [(s["order"], s["does"], s["skips"]) for s in plan["steps"]] == [
        (n, "read again, then post", "") for n in morning.norwegian
    ]
    stage.clock.sleep(601)
    assert "more than ten minutes old" in failure(lockstep("exceptions", "replay", *CAUSE, "--plan", plan["token"]))
    fresh = json.loads(good(lockstep("exceptions", "plan", *CAUSE, "--json")))["token"]
    assert "2 orders go" in good(lockstep("exceptions", "replay", *CAUSE, "--plan", fresh))
    assert "has changed since" in failure(lockstep("exceptions", "replay", *CAUSE, "--plan", fresh))


@pytest.mark.parametrize("words", [[], ["--type", "X"], ["--type", "X", "--cause", "y"], ["99"]])
def test_a_replay_of_nothing_is_one_clear_line(lockstep: Any, words: list[str]) -> None:
    assert failure(lockstep("exceptions", "replay", *words))


def test_assign_comment_snooze_and_resolve_are_done_under_the_actors_name(
    lockstep: Any, stage: Stage, outage: int
) -> None:
    good(lockstep("exceptions", "assign", outage, "bob"))
    good(lockstep("exceptions", "comment", outage, "looking at it", "--actor", "bob"))
    good(lockstep("exceptions", "snooze", outage, "--hours", "4"))
    good(lockstep("exceptions", "snooze", outage, "--until", "2026-05-06"))
    words = good(lockstep("exceptions", "resolve", outage, "--how", "not needed any more", "--reason", "a drill"))
    assert f"exception {outage} is resolved" in words
    with stage.store.read() as tx:
        steps = [(row.actor, row.verb) for row in exceptions.timeline(tx, outage)]
    assert steps[1:] == [
        ("ann", "assigned"),
        ("bob", "comment"),
        ("ann", "snoozed"),
        ("ann", "snoozed"),
        ("ann", "resolved"),
    ]


def test_a_resolve_without_a_reason_is_refused(lockstep: Any, outage: int) -> None:
    assert "a reason is needed" in failure(lockstep("exceptions", "resolve", outage))


def test_resolving_says_that_the_order_is_closed(lockstep: Any, stage: Stage, morning: Any) -> None:
    case = morning.case(stage, morning.unknown_sku)
    words = good(lockstep("exceptions", "resolve", case, "--reason", "the shop paid it back"))
    assert f"order {morning.unknown_sku} is closed: nothing more is sent for it" in words


@pytest.mark.parametrize(
    "words", [[], ["--hours", "1", "--until", "2026-05-06"], ["--until", "soon"], ["--hours", "0"]]
)
def test_a_snooze_needs_one_end(lockstep: Any, outage: int, words: list[str]) -> None:
    assert lockstep("exceptions", "snooze", outage, *words).exit_code == 2


# ------------------------------------------------------------------------------------------------------ order, status


def test_order_finds_its_instance_and_tells_its_story(lockstep: Any, morning: Any) -> None:
    told = good(lockstep("order", morning.proven, "--live"))
    assert told.startswith("Order 1 of brand (40.95 GBP, Europe / United Kingdom) stands in fulfil")
    for title in (
        "What arrived",
        "What Centra says",
        "What fulfil says",
        "What is late",
        "Who acts next",
        "What happened",
    ):
        assert f"\n{title}\n" in told
    document = json.loads(good(lockstep("order", morning.proven, "--instance", "brand", "--json")))
    assert (document["instance"], document["number"], document["state"]) == ("brand", morning.proven, "proven")
    assert document["facts"]["total_minor"] == 4_095
    assert document["timeline"][0] == {"at": "2026-05-04T09:00:00+00:00", "text": "first told of by webhook"}


def test_an_order_nobody_told_of_is_one_clear_line(lockstep: Any) -> None:
    assert "no order 77 is in the ledger" in failure(lockstep("order", "77"))
    assert "no order 77 of brand is in the ledger" in failure(lockstep("order", "77", "--instance", "brand"))


def test_status_is_a_table_and_a_document(lockstep: Any, morning: Any, outage: int) -> None:
    shown = good(lockstep("status"))
    assert "3 dead" in shown
    assert "1090.00 NOK" in shown
    told = json.loads(good(lockstep("status", "--json")))
    kinds = {"orders", "shipments", "returns", "refunds", "launches", "archivings"}
    assert set(told) == {"at", "lanes", "captures_pending", "exceptions", "breakers", "heartbeats", "budgets"} | kinds
    assert told["orders"]["proven"] == 1
    assert [lane["lane"] for lane in told["lanes"]] == ["orders", "shipments", "returns", "stock", "finance"]


# ------------------------------------------------------------------------------------------------------------ mappings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the mapping that is in force, to be edited."""
    made = tmp_path / "mappings"
    made.mkdir()
    (made / "fulfil.toml").write_text((MAPPINGS / "fulfil.toml").read_text())
    return made


def test_a_good_folder_is_called_good(lockstep: Any, folder: Path) -> None:
    assert good(lockstep("mappings", "check", folder)).startswith("fulfil: good, 6 markets of brand")


def test_a_broken_mapping_changes_nothing_and_names_file_table_and_key(
    lockstep: Any, folder: Path, stage: Stage
) -> None:
    (folder / "second.toml").write_text((folder / "fulfil.toml").read_text() + '\n[markets."X"]\nchannel = "one"\n')
    (folder / "fulfil.toml").write_text((folder / "fulfil.toml").read_text() + "# edited\n")
    for command in ("check", "apply"):
        told = failure(lockstep("mappings", command, folder))
        assert told.startswith("second.toml [markets.X] ")
    rows = json.loads(good(lockstep("mappings", "list", "--json")))["mappings"]
    assert [(row["connection"], row["version"]) for row in rows] == [("fulfil", 1)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("= nonsense", "fulfil.toml: not TOML"),
        ("", "fulfil.toml"),
        ('adapter = "integration.erp.nobody"', "[connection] adapter: no such module"),
        ('adapter = "integration.errors"', "is no adapter"),
    ],
)
def test_each_way_to_break_a_mapping_is_one_clear_line(lockstep: Any, folder: Path, text: str, says: str) -> None:
    file = folder / "fulfil.toml"
    was = file.read_text()
    file.write_text(was.replace('adapter = "integration.erp.fulfil"', text) if "adapter" in text else text)
    assert says in failure(lockstep("mappings", "apply", folder))


def test_a_folder_without_mappings_or_with_other_bytes_is_refused(lockstep: Any, tmp_path: Path, folder: Path) -> None:
    assert "holds no mapping file" in failure(lockstep("mappings", "check", tmp_path / "nowhere"))
    (folder / "fulfil.toml").write_bytes(b"\xff\xfe")
    assert failure(lockstep("mappings", "check", folder))


def test_a_market_that_another_connection_in_force_has_is_refused(lockstep: Any, folder: Path) -> None:
    (folder / "fulfil.toml").rename(folder / "other.toml")
    assert "fulfil.toml has this market too" in failure(lockstep("mappings", "apply", folder))


def test_applying_a_mapping_releases_what_waited_for_it(
    lockstep: Any, stage: Stage, morning: Any, folder: Path
) -> None:
    text = (folder / "fulfil.toml").read_text() + NORWAY
    taxes = '\n[taxes.NO]\n"25" = "NO VAT 25"\n'
    (folder / "fulfil.toml").write_text(text.replace("[shipping_tax]", f'{taxes}\n[shipping_tax]\nNO = "25"'))
    told = good(lockstep("mappings", "apply", folder))
    assert "fulfil: version 2 is in force now" in told
    assert "2 waiting orders were released" in told
    assert {key.number for _, key in stage.queue} == set(morning.norwegian)
    assert "is in force already" in good(lockstep("mappings", "apply", folder))


def test_a_mapping_is_applied_although_the_erp_is_away(lockstep: Any, stage: Stage, morning: Any, folder: Path) -> None:
    stage.clock.sleep(60)
    stage.fulfil.revoke()
    (folder / "fulfil.toml").write_text((folder / "fulfil.toml").read_text() + "# edited\n")
    told = good(lockstep("mappings", "apply", folder))
    assert "version 2 is in force now" in told
    assert "released later, by the sweeper" in told


# ------------------------------------------------------------------------------------------------- acts on the ledger


def test_migrate_makes_a_database_and_can_be_repeated(lockstep: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LOCKSTEP_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert "it was at none" in good(lockstep("migrate"))
    assert "it was at 0" in good(lockstep("migrate"))


def test_migrate_without_a_database_is_one_clear_line(lockstep: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("LOCKSTEP_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    assert "database cannot be used" in failure(lockstep("migrate"))


def test_a_backfill_shows_its_plan_and_asks_first(lockstep: Any, stage: Stage, morning: Any) -> None:
    fresh = {stage.order(), stage.order(confirm=False)}
    window = ("--instance", "brand", "--since", "2025-12-01", "--until", "2026-06-01")
    asked = lockstep("backfill", *window, answer="n\n")
    assert asked.exit_code == 1
    assert "7 orders were placed" in asked.stdout
    assert "5 are known" in asked.stdout
    assert "2 are new: they would be posted" in asked.stdout
    assert all(stage.row(number) is None for number in fresh)
    assert "2 orders are marked" in good(lockstep("backfill", *window, "--yes"))
    stage.sweep(2)
    assert {stage.row(number).state for number in fresh} == {"proven", "held"}
    assert "0 are new: they" in good(lockstep("backfill", *window))


def test_orders_from_before_the_start_are_told_apart_and_only_observed(lockstep: Any, stage: Stage) -> None:
    number = stage.order()
    stage.apply(example(stock=False).replace("2026-01-01T00:00:00Z", "2026-05-05T00:00:00Z"))
    told = good(lockstep("backfill", "--instance", "brand", "--since", "2026-05-01", "--until", "2026-05-10", "--yes"))
    assert "1 are new and from before the mapping's start: they would be observed, not posted" in told
    stage.sweep(2)
    assert stage.row(number).state == "observed"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--instance", "brand", "--since", "2026-05-02", "--until", "2026-05-01"], "--since lies before --until"),
        (["--instance", "brand", "--since", "monday", "--until", "2026-05-01"], "is not a date"),
        (
            ["--instance", "other", "--since", "2026-05-01", "--until", "2026-05-02"],
            "no Centra instance with a mapping",
        ),
    ],
)
def test_a_backfill_of_nothing_sensible_is_refused(lockstep: Any, words: list[str], says: str) -> None:
    result = lockstep("backfill", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_erasure_destroys_the_words_and_leaves_proofs_that_verify(lockstep: Any, stage: Stage, morning: Any) -> None:
    words = ("erase", morning.proven, "--instance", "brand", "--reason", "request 17")
    told = good(lockstep(*words))
    assert "data is erased" in told
    assert "1 proofs: every seal fits" in told
    assert "erased already; nothing was done" in good(lockstep(*words))
    assert stage.row(morning.proven).state == "proven"
    assert "the customer's data was erased here" in good(lockstep("order", morning.proven))


def test_an_order_that_still_goes_on_is_erased_only_when_meant(lockstep: Any, stage: Stage, morning: Any) -> None:
    words = ("erase", morning.held, "--instance", "brand", "--reason", "request 17")
    assert lockstep(*words, answer="n\n").exit_code == 1
    assert "data is erased" in good(lockstep(*words, "--yes"))


def test_an_erasure_of_an_unknown_order_or_without_a_reason_is_refused(lockstep: Any, morning: Any) -> None:
    assert "no order 99" in failure(lockstep("erase", "99", "--instance", "brand", "--reason", "r"))
    assert "reason" in failure(lockstep("erase", morning.proven, "--instance", "brand", "--reason", " "))


def test_verify_finds_a_changed_proof(lockstep: Any, stage: Stage, morning: Any) -> None:
    told = json.loads(good(lockstep("verify", "--json")))
    assert told == {"ok": True, "checked": {"proofs": 1, "audit_rows": 1}, "broken": {"proofs": [], "audit_rows": []}}
    with stage.store.write() as tx:
        tx.connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        tx.connection.exec_driver_sql("UPDATE audit SET actor = 'nobody'")
    found = lockstep("verify")
    assert found.exit_code == 1
    assert "1 audit rows: BROKEN, ids 1" in found.stdout


# ------------------------------------------------------------------------------------------------------------ the door


def test_a_database_that_is_away_is_one_clear_line(lockstep: Any, stage: Stage, monkeypatch: Any) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreDown("the ledger's database cannot be used: gone", system="store")

    monkeypatch.setattr(stage.store, "read", away)
    assert failure(lockstep("status")) == "the ledger's database cannot be used: gone"


def test_a_database_without_tables_says_what_to_do(lockstep: Any, stage: Stage) -> None:
    with stage.store.write() as tx:
        tx.connection.exec_driver_sql("DROP TABLE history")
        tx.connection.exec_driver_sql("DROP TABLE letter")
        tx.connection.exec_driver_sql("DROP TABLE exception")
    assert failure(lockstep("exceptions", "list")).endswith("bring the database up with `lockstep migrate`")


def test_a_fault_of_ours_is_not_hidden(lockstep: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("integration.health.status", lambda world: 1 / 0)
    assert isinstance(lockstep("status").exception, ZeroDivisionError)


def test_the_actor_is_told_or_the_systems_user(lockstep: Any, stage: Stage, outage: int, monkeypatch: Any) -> None:
    monkeypatch.delenv("LOCKSTEP_ACTOR")
    monkeypatch.setattr("getpass.getuser", lambda: "system-user")
    good(lockstep("exceptions", "comment", outage, "x"))
    with stage.store.read() as tx:
        assert exceptions.timeline(tx, outage)[-1].actor == "system-user"


def test_the_simulation_says_when_it_is_not_installed(lockstep: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "tasks.simulate", None)
    assert "the simulation is not installed" in failure(lockstep("simulate", "--seed", "1"))


def test_web_serves_the_receiver_with_bounds_on_everything(lockstep: Any, monkeypatch: Any) -> None:
    served: list[dict[str, Any]] = []
    monkeypatch.setattr("waitress.serve", lambda app, **terms: served.append(terms))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    good(lockstep("web", "--port", "8099"))
    (terms,) = served
    assert (terms["host"], terms["port"], terms["max_request_body_size"]) == ("127.0.0.1", 8099, LARGEST + 1)
    assert {"connection_limit", "channel_timeout", "max_request_header_size"} <= set(terms)


def test_web_on_a_taken_port_is_one_clear_line(lockstep: Any, monkeypatch: Any) -> None:
    def taken(*_: object, **__: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("waitress.serve", taken)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert failure(lockstep("web")) == "cannot listen on 127.0.0.1 port 8080: Address already in use"


def test_what_starts_a_process_hands_its_words_on(lockstep: Any, monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr("integration.sandbox.serve.main", lambda words: told.append(list(words)))
    monkeypatch.setattr("tasks.sweep.main", lambda: told.append("sweep"))
    good(lockstep("sandbox", "--orders", "5", "--help"))
    good(lockstep("sweep"))
    assert told == [["--orders", "5", "--help"], "sweep"]

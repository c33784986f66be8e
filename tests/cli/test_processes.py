"""The command in a process of its own: what it loads, what it prints where, and what it needs around it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from stage import Stage

from integration import casework
from integration.store import lives

LOCKSTEP = [sys.executable, "-c", "from tasks.cli import main; main()"]


def typed(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
    return subprocess.run(
        [*LOCKSTEP, *words], capture_output=True, text=True, env={**clean, **environment}, check=False, timeout=60
    )


@pytest.mark.parametrize("words", [["--help"], ["exceptions", "--help"], ["mappings", "apply", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, time; began = time.perf_counter()\n"
        "from tasks.cli import main\n"
        f"main({words}, standalone_mode=False)\n"
        "print(f'help took {(time.perf_counter() - began) * 1000:.0f} ms')\n"
        "heavy = {'celery', 'kombu', 'sqlalchemy', 'rich', 'flower', 'tornado', 'requests', 'marshmallow', 'structlog'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    print(shown)
    assert shown.splitlines()[-1] == "loaded: []"
    assert "Usage:" in shown


def test_without_a_vault_key_the_command_says_so_and_shows_no_secret() -> None:
    result = typed("status", LOCKSTEP_BRAND_TOKEN="a-secret-token")
    assert result.returncode == 2
    assert result.stderr.startswith("lockstep: LOCKSTEP_VAULT_KEY is not set")
    assert "a-secret-token" not in result.stderr + result.stdout
    assert len(result.stderr.splitlines()) == 1


def test_a_real_process_reads_a_real_database(environment: dict[str, str], morning: Any) -> None:
    result = typed("exceptions", "list", "--json", **environment)
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["exceptions"]) == 3


def test_a_database_of_another_schema_is_refused(stage: Stage, environment: dict[str, str]) -> None:
    with stage.store.write() as tx:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    result = typed("status", **environment)
    assert result.returncode == 2
    assert "lockstep migrate" in result.stderr


def test_a_replay_with_the_broker_away_is_recorded_and_says_nothing_on_stdout_but_its_words(
    stage: Stage, environment: dict[str, str], morning: Any
) -> None:
    environment["LOCKSTEP_BROKER_URL"] = "redis://127.0.0.1:1/0"
    case = morning.case(stage, morning.unknown_sku)
    result = typed("exceptions", "replay", str(case), **environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "1 order goes through the whole step again.\n"
    assert stage.row(morning.unknown_sku).state == "seen"
    assert casework.plan(stage.world, ids=[case]).steps[0].skips == "already on its way"
    assert lives.due(stage.store, lane="orders", limit=10, rung_before=stage.settings.lease)

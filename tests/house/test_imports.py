"""The floors of the house hold, and the contracts that hold them can break."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("integration", "tasks", "mappings")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    # Wide, so that the name of a contract stays on one line.
    environment = {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_imports_only_go_down() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("integration/domain/planted.py", "import integration.store", "Imports only go down"),
        ("integration/planted.py", "", "Imports only go down"),
        ("mappings/planted.py", "import integration.store", "The lanes stand on the business"),
        ("integration/settings.py", "import integration.store", "Settings and telemetry are beside the floors"),
        ("integration/sandbox/planted.py", "import integration.domain", "The sandbox is an oracle"),
        ("integration/store/planted.py", "import integration.sandbox", "Only the demo and the command line"),
        ("mappings/planted.py", "import requests", "One importer of requests"),
        ("integration/centra/planted.py", "import sqlalchemy", "One importer of the database"),
        ("integration/store/planted.py", "import celery", "One importer of Celery and Flower"),
        ("integration/erp/first.py", "import integration.erp.second", "ERP adapters do not know each other"),
    ],
)
def test_a_planted_import_is_found(module: str, line: str, contract: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "integration/erp/second.py").touch()
    (tmp_path / module).write_text(line + "\n")
    report = lint_imports(tmp_path).stdout
    assert any(row.startswith(contract) and row.endswith("BROKEN") for row in report.splitlines()), report

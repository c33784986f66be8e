"""What is installed is all of Lockstep: code, data files, configuration module and command."""

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("integration", "tasks", "mappings")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_every_file_of_the_packages_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == ours | {"celeryconfig.py", "tasks/Procfile", "tasks/flowerconfig.py"}


def test_the_wheel_brings_the_data_files(wheel: zipfile.ZipFile) -> None:
    endings = {Path(name).suffix for name in wheel.namelist()}
    assert endings >= {".graphql", ".toml", ".md"}


def test_the_command_is_lockstep(wheel: zipfile.ZipFile) -> None:
    scripts = ConfigParser()
    scripts.read_string(wheel.read("lockstep-0.1.0.dist-info/entry_points.txt").decode())
    assert dict(scripts["console_scripts"]) == {"lockstep": "tasks.cli:main"}


def test_the_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read("lockstep-0.1.0.dist-info/METADATA").decode())
    assert metadata["Requires-Python"] == ">=3.11"
    assert "celery==5.7.0" in metadata.get_all("Requires-Dist", [])
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_installed_command_answers_outside_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    program = "import tasks.cli, sys; print(tasks.cli.__file__); sys.argv[0] = 'lockstep'; tasks.cli.main()"
    answer = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert answer.startswith(str(tmp_path / "installed"))
    assert "Usage: lockstep" in answer

"""Rules of the house that no linter knows: names, places, and what a file must not mention."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNNAMED = {"utils", "util", "helpers", "helper", "common", "core", "manager", "misc"}

MACHINE = re.compile(
    r"/(?:home|root|Users|work|farm)/\w"  # somebody's folder
    r"|--(?:index-url|extra-index-url|find-links|trusted-host)\b"
    r"|https?://[^\s\"']*/simple\b"
)


def ours() -> list[Path]:
    """What is committed, and what will be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    found = ours()
    assert ROOT / "pyproject.toml" in found
    return found


def test_every_module_is_named_for_what_it_does(files: list[Path]) -> None:
    parts = {part for path in files for part in (*path.relative_to(ROOT).parent.parts, path.stem)}
    assert not parts & UNNAMED


def test_no_test_folder_can_shadow_a_package(files: list[Path]) -> None:
    tests = [path.relative_to(ROOT / "tests") for path in files if path.is_relative_to(ROOT / "tests")]
    assert not [path for path in tests if path.name == "__init__.py"]
    assert not [path for path in tests if path.parts[0] in {"integration", "tasks", "mappings", "celeryconfig.py"}]


def test_no_file_names_a_machine_or_a_package_index(files: list[Path]) -> None:
    found = []
    for path in files:
        if path == Path(__file__):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:  # a picture
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert not found


@pytest.mark.parametrize("text", ["cd /home/ann/lockstep", "--index-url x", "https://index.example/simple/celery"])
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert MACHINE.search(text)


def test_no_lock_with_addresses(files: list[Path]) -> None:
    assert not {path.name for path in files} & {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"}


IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(.*)")
NAMED_WITH_REASON = re.compile(r"(?:: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[a-z, -]+\])\W+\w.{8,}")


def test_every_ignore_in_the_code_names_its_rule_and_says_why(files: list[Path]) -> None:
    silent = []
    for path in files:
        if path.suffix == ".py" and path != Path(__file__):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                comment = IGNORE.search(line)
                if comment and not NAMED_WITH_REASON.match(comment[1]):
                    silent.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not silent


@pytest.mark.parametrize("line", ["x  # noqa", "x  # noqa: S101", "x  # type: ignore[misc]"])
def test_an_ignore_without_a_reason_is_found(line: str) -> None:
    comment = IGNORE.search(line)
    assert comment
    assert not NAMED_WITH_REASON.match(comment[1])

"""The lock is complete, says why each dependency is there, and names no place to fetch it from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT_TEXT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PROJECT_TEXT)["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCK, flags=re.MULTILINE))


def pin(requirement: str) -> tuple[str, str]:
    found = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z]+\])?==([^\s;]+)(?:;.*)?", requirement)
    assert found, f"{requirement} is not pinned exactly"
    return found[1], found[2]


def test_the_lock_names_no_index_and_no_path() -> None:
    assert not re.findall(r"\w+://|^\s*-(?!-hash=)|(?:^|\s)[./~]\S*/\S+", LOCK, flags=re.MULTILINE)


def test_every_locked_package_has_a_hash() -> None:
    blocks = re.split(r"^(?=[a-z0-9-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(LOCKED)
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_releases_the_dead_letters_rely_on() -> None:
    assert (LOCKED["celery"], LOCKED["kombu"]) == ("5.7.0", "5.7.0")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_dependency_is_pinned_as_locked(requirement: str) -> None:
    name, version = pin(requirement)
    assert LOCKED.get(name) == version


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_dependency_says_why_it_is_there(requirement: str) -> None:
    assert re.search(rf'^\s*"{re.escape(requirement)}",\s+# \S.{{10,}}', PROJECT_TEXT, flags=re.MULTILINE)

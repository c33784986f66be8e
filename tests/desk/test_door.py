"""Who may come in: Flower is never open, and never reachable from elsewhere by accident."""

import subprocess
import sys
from pathlib import Path

import pytest
from desk.visitor import ROOT, Desk, Flower, Visitor

from integration.settings import SettingsError
from tasks.desk import door


def noise(length: int) -> bytes:
    return bytes(range(length))


def test_it_listens_on_this_machine_unless_told_otherwise() -> None:
    assert door.address("") == "127.0.0.1"
    assert door.address("10.0.0.7") == "10.0.0.7"


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "10.0.0.7", "desk.example.com"])
def test_a_public_address_needs_a_password_of_ones_own(listens_on: str) -> None:
    with pytest.raises(SettingsError, match="PASSWORD_FILE"):
        door.credentials({}, [], listens_on, noise)
    told = door.credentials({"LOCKSTEP_FLOWER_PASSWORD": "long enough"}, [], listens_on, noise)
    assert told == ["lockstep:long enough"]


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_at_home_a_password_is_made_and_printed_once(listens_on: str, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = door.credentials({}, [], listens_on, noise)
    user, _, password = pair.partition(":")
    told = capsys.readouterr().err
    assert user == "lockstep"
    assert len(password) == 24
    assert told.count(password) == 1


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    told = {"LOCKSTEP_FLOWER_PASSWORD_FILE": str(secret), "LOCKSTEP_FLOWER_USER": "ann"}
    assert door.credentials(told, [], "0.0.0.0", noise) == ["ann:from a file"]
    secret.write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        door.credentials(told, [], "127.0.0.1", noise)
    secret.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        door.credentials(told, [], "127.0.0.1", noise)


@pytest.mark.parametrize("pair", ["", "ann", "ann:", ":secret"])
def test_half_a_credential_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError, match="name:password"):
        door.credentials({}, [pair], "127.0.0.1", noise)


@pytest.mark.parametrize("user", ["", "a:b"])
def test_a_user_without_a_proper_name_is_refused(user: str) -> None:
    with pytest.raises(SettingsError, match="USER"):
        door.credentials({"LOCKSTEP_FLOWER_USER": user}, [], "127.0.0.1", noise)


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "²"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(SettingsError, match="FLOWER_PORT"):
        door.port({"LOCKSTEP_FLOWER_PORT": port})


def test_flower_itself_refuses_a_public_address_without_a_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "-A", "tasks", "flower", f"--conf={ROOT / 'deploy/flowerconfig.py'}"]
    ended = subprocess.run(
        [*command, "--address=0.0.0.0"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode != 0
    assert "Flower does not start: Flower would listen on 0.0.0.0 without a password" in ended.stderr


def test_the_password_made_at_start_opens_the_door_and_flowers_own_pages_are_behind_it(
    desk: Desk, start_flower: object
) -> None:
    flower: Flower = start_flower(desk.ledger, LOCKSTEP_FLOWER_PASSWORD="")
    made = flower.log().partition("password ")[2].partition(" ")[0]
    assert Visitor(flower, f"ann:{made}").get("/exceptions").status == 200
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/queues/length", "/exceptions"):
        assert Visitor(flower, None).get(path).status == 401
        assert Visitor(flower, "ann:").get(path).status == 401

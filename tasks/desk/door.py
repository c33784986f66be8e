"""Who may come in: where Flower listens and what it asks for. Nothing here is open by default."""

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from integration.settings import SettingsError

HOME = "127.0.0.1"
USER = "lockstep"
PORT = 5555
PREFIX = "LOCKSTEP_FLOWER_"


def address(given: str) -> str:
    """Where Flower listens: on this machine only, unless it was told otherwise."""
    return given or HOME


def port(variables: Mapping[str, str]) -> int:
    """`LOCKSTEP_FLOWER_PORT`, or 5555. Raises `SettingsError` for anything but a port."""
    told = variables.get(f"{PREFIX}PORT", str(PORT)).strip()
    if not (told.isascii() and told.isdigit() and 0 < int(told) < 65536):
        raise SettingsError(f"{PREFIX}PORT must be a port: a number from 1 to 65535")
    return int(told)


def credentials(
    variables: Mapping[str, str], given: Sequence[str], listens_on: str, random_bytes: Callable[[int], bytes]
) -> list[str]:
    """`name:password` pairs of those who may come in; there is always one.

    Flower's own `--basic_auth` (`given`) wins, then `LOCKSTEP_FLOWER_USER` and `…_PASSWORD` or `…_PASSWORD_FILE`. Without
    any, a password is made and printed once. Raises `SettingsError` when that would be left to a public address.
    """
    if given:
        if any(not all(pair.partition(":")[::2]) for pair in given):
            raise SettingsError("Flower's basic_auth must be name:password, and neither may be empty")
        return list(given)
    user = variables.get(f"{PREFIX}USER", USER).strip()
    if not user or ":" in user:
        raise SettingsError(f"{PREFIX}USER must be a name without a colon")
    password = _password(variables)
    if not password:
        if not _is_home(listens_on):
            raise SettingsError(
                f"Flower would listen on {listens_on} without a password of your own: set {PREFIX}PASSWORD_FILE, "
                f"or let it listen on {HOME}"
            )
        password = base64.urlsafe_b64encode(random_bytes(18)).decode()
        sys.stderr.write(
            f"Flower: user {user}, password {password} (made for this run; {PREFIX}PASSWORD chooses one)\n"
        )
        sys.stderr.flush()
    return [f"{user}:{password}"]


def _password(variables: Mapping[str, str]) -> str:
    path = variables.get(f"{PREFIX}PASSWORD_FILE")
    if path is None:
        return variables.get(f"{PREFIX}PASSWORD", "").strip()
    try:
        password = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{PREFIX}PASSWORD_FILE cannot be read ({type(error).__name__})") from error
    if not password:
        raise SettingsError(f"{PREFIX}PASSWORD_FILE names an empty file")
    return password


def _is_home(listens_on: str) -> bool:
    """Only this machine reaches it there."""
    if listens_on == "localhost":
        return True
    try:
        return ip_address(listens_on).is_loopback
    except ValueError:
        return False

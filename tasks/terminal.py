"""What every command of `lockstep` shares: the door at which failures become one line, the options, and how it prints.

Nothing heavy is imported before a command runs, so that `lockstep --help` is quick.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from integration.wiring import World

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""Characters that could steer a terminal: another system's words are only ever shown."""


class Failed(click.ClickException):
    """One clear line instead of a traceback."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"lockstep: {plain(' '.join(self.message.split()))}", err=True)


class Door(click.Group):
    """The outermost command: expected failures become words here."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            if not isinstance(error, _expected()):
                raise
            raise Failed(_words(error)) from error


def _expected() -> tuple[type[Exception], ...]:
    from integration.casework import CaseworkError
    from integration.errors import LockstepError
    from integration.settings import SettingsError
    from integration.story import UnknownOrder
    from integration.vault import VaultError
    from mappings import BrokenMapping

    return (LockstepError, SettingsError, BrokenMapping, VaultError, CaseworkError, UnknownOrder)


def _words(error: Exception) -> str:
    told = str(error)
    unmade = "no such table" in told or ("relation" in told and "does not exist" in told)
    return f"{told}; bring the database up with `lockstep migrate`" if unmade else told


def open_world() -> "World":
    """This process's world; what goes wrong on the way is logged to stderr, never to stdout."""
    import logging

    from integration import telemetry
    from tasks.celery import world

    found = world()
    telemetry.configure(found.settings, level=logging.WARNING)
    return found


def plain(text: str) -> str:
    """Text that cannot steer a terminal."""
    return CONTROL.sub(" ", text)


def say(*lines: str) -> None:
    for line in lines:
        click.echo(plain(line))


def say_json(document: Any) -> None:
    """One JSON document; instants in ISO form."""

    def shown(value: Any) -> str:
        return value.isoformat() if isinstance(value, date) else str(value)

    click.echo(json.dumps(document, indent=2, default=shown))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, none: str) -> None:
    """A table as wide as the terminal, or 160 columns into a file; `none` instead of an empty one."""
    if not rows:
        say(none)
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(*(plain("" if cell is None else str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


def _system_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"uid {os.getuid()}"


as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
actor_option = click.option("--actor", envvar="LOCKSTEP_ACTOR", default=_system_user, help="Who does it; default: you.")
instance_option = click.option("--instance", default="", help="The Centra instance.")
reason_option = click.option("--reason", default="", help="Why, for the history.")


def instant(text: str, option: str) -> datetime:
    """A date or date-time as typed; UTC unless it says otherwise."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} is not a date or date-time such as 2026-05-04T09:00") from error
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
